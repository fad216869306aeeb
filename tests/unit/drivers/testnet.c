/* SPDX-License-Identifier: BSD-3-Clause */
#include "testnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void testnet_isolate(void)
{
	/* See look_at_netns() of scripts/lib.sh. */
	const char *why = getenv("RILL_NO_NETNS");

	if (!why && unshare(CLONE_NEWNET) == 0)
		return;
	printf("skipped: no network namespace of our own: %s\n", why ? why : strerror(errno));
	exit(TESTNET_SKIP);
}

void testnet_run(const char *fmt, ...)
{
	char command[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	if (system(command) != 0) {
		printf("failed: %s\n", command);
		abort();
	}
}

int testnet_raw_open(const char *ifname)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(ifname),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	int bytes = 8 << 20, on = 1;

	RILL_ASSERT(fd >= 0);
	RILL_ASSERT(addr.sll_ifindex > 0);
	RILL_ASSERT(bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	RILL_ASSERT(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) == 0);
	/* Not what this end sends itself. */
	RILL_ASSERT(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) == 0);
	return fd;
}

void testnet_raw_send(int fd, const uint8_t *frame, size_t len)
{
	RILL_ASSERT_CMP(send(fd, frame, len, 0), ==, (ssize_t)len);
}

static bool wait_readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

size_t testnet_raw_recv(int fd, uint32_t tag, uint8_t *buf, size_t size, int ms)
{
	while (wait_readable(fd, ms)) {
		ssize_t n = recv(fd, buf, size, MSG_DONTWAIT);

		if (n > 0 && testnet_tag(buf, (size_t)n) == tag)
			return (size_t)n;
	}
	return 0;
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

static uint16_t ip_sum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

size_t testnet_udp4(uint8_t *buf, const uint8_t *dst_mac, uint32_t dst_ip, uint16_t dst_port,
		    uint32_t tag)
{
	static const uint8_t src_mac[6] = {0x02, 0, 0, 0, 0, 0x77};
	uint8_t *ip = buf + 14, *udp = ip + 20;
	uint16_t payload_len = 32;

	memset(buf, 0, 14 + 20 + 8 + payload_len);
	memcpy(buf, dst_mac, 6);
	memcpy(buf + 6, src_mac, 6);
	put16(buf + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, (uint16_t)(20 + 8 + payload_len));
	ip[8] = 64;
	ip[9] = 17;
	put32(ip + 12, 0xc6120002); /* 198.18.0.2 */
	put32(ip + 16, dst_ip);
	put16(ip + 10, ip_sum(ip, 20));
	put16(udp, 40000);
	put16(udp + 2, dst_port);
	put16(udp + 4, (uint16_t)(8 + payload_len)); /* no checksum */
	put32(udp + 8 + payload_len - 4, tag);
	return 14u + 20 + 8 + payload_len;
}

uint32_t testnet_tag(const uint8_t *frame, size_t len)
{
	const uint8_t *p = frame + len - 4;

	return len < 4 ? 0
		       : (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

struct rill_nic *testnet_nic_open(const char *spec, unsigned queues)
{
	char error[RILL_NIC_ERROR_LEN];
	struct rill_nic *nic = NULL;

	if (rill_nic_open(spec, queues, &nic, error) != 0) {
		printf("%s: %s\n", spec, error);
		abort();
	}
	return nic;
}

struct rill_buf *testnet_nic_recv(struct rill_nic *nic, int ms)
{
	struct rill_nic_queue *q = nic->queues[0];
	bool more = true;
	struct rill_buf *b;

	/* A wake-up may be for nothing, and then it is waited again; but none that is due may be
	 * missing. */
	while (more) {
		if (nic->driver->rx_burst(q, &b, 1) == 1)
			return b;
		if (nic->driver->rx_arm(q))
			more = wait_readable(nic->driver->rx_fd(q), ms);
		nic->driver->rx_disarm(q);
	}
	return NULL;
}

struct rill_buf *testnet_nic_recv_tag(struct rill_nic *nic, uint32_t tag, int ms)
{
	struct rill_buf *b = testnet_nic_recv(nic, ms);

	while (b && testnet_tag(b->data, b->len) != tag) {
		rill_buf_put_owner(nic->queues[0]->pool, b);
		b = testnet_nic_recv(nic, ms);
	}
	return b;
}

void testnet_nic_send(struct rill_nic *nic, const uint8_t *frame, size_t len)
{
	struct rill_nic_queue *q = nic->queues[0];
	struct rill_buf *b = rill_buf_alloc(q->pool);

	RILL_ASSERT(b);
	memcpy(rill_buf_append(b, (uint32_t)len), frame, len);
	RILL_ASSERT_CMP(nic->driver->tx_burst(q, &b, 1), ==, 1u);
	nic->driver->tx_flush(q);
}
