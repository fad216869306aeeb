/* SPDX-License-Identifier: BSD-3-Clause */
/* rill0 is the NIC, wire0 the other end of the veth pair; all in a network namespace of the test's
 * own. */
#include "drivers/af_xdp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "testnet.h"

#define IP_RILL 0xc6120001u   /* 198.18.0.1 */
#define IP_KERNEL 0xc6120005u /* 198.18.0.5 */
/* For what must not arrive: by then it would have. */
#define QUIET_MS 50

static const char *mode = "native"; /* of the group that runs */
static int wire;		    /* raw socket on wire0 */
static int local;		    /* raw socket on rill0: what the kernel gets */
static uint32_t next_tag = 0x5a000000;

static struct rill_nic *nic_open(unsigned queues, const char *more)
{
	char spec[96];

	snprintf(spec, sizeof(spec), "af_xdp:rill0,mode=%s%s", mode, more);
	return testnet_nic_open(spec, queues);
}

static struct rill_flow_rule rule4(uint32_t ip, uint8_t proto, uint16_t port)
{
	struct rill_flow_rule r = {.local = {.family = RILL_AF_IP4}, .proto = proto, .port = port};
	uint32_t net = htonl(ip);

	memcpy(r.local.bytes, &net, 4);
	return r;
}

static void flow_add(struct rill_nic *nic, uint32_t ip, uint8_t proto, uint16_t port)
{
	struct rill_flow_rule r = rule4(ip, proto, port);

	assert_int_equal(nic->driver->flow_add(nic, &r), 0);
}

static void expect_rill(struct rill_nic *nic, const uint8_t *frame, size_t len)
{
	uint8_t buf[2048];

	testnet_raw_send(wire, frame, len);
	struct rill_buf *b =
		testnet_nic_recv_tag(nic, testnet_tag(frame, len), TESTNET_PATIENCE_MS);

	assert_non_null(b);
	assert_int_equal(b->len, len);
	assert_memory_equal(b->data, frame, len);
	assert_true(rill_buf_headroom(b) >= RILL_BUF_HEADROOM);
	rill_buf_put_owner(nic->queues[0]->pool, b);
	assert_int_equal(testnet_raw_recv(local, testnet_tag(frame, len), buf, sizeof(buf), 0), 0);
}

static void expect_kernel(struct rill_nic *nic, const uint8_t *frame, size_t len)
{
	uint8_t buf[2048];

	testnet_raw_send(wire, frame, len);
	assert_true(testnet_raw_recv(local, testnet_tag(frame, len), buf, sizeof(buf),
				     TESTNET_PATIENCE_MS) > 0);
	assert_null(testnet_nic_recv_tag(nic, testnet_tag(frame, len), 0));
}

static size_t udp(struct rill_nic *nic, uint8_t *frame, uint32_t ip, uint16_t port)
{
	return testnet_udp4(frame, nic->mac, ip, port, next_tag++);
}

static void test_describe(void **state)
{
	struct rill_nic *nic = nic_open(1, "");

	assert_non_null(strstr(nic->describe, mode));
	assert_non_null(strstr(nic->describe, "copy need-wakeup 1 queue mtu 1500"));
	assert_int_equal(nic->mtu, 1500);
	assert_int_equal(nic->caps, 0);
	rill_nic_close(nic);
}

static void test_steering_by_port(void **state)
{
	struct rill_nic *nic = nic_open(1, "");
	struct rill_flow_rule rule = rule4(IP_RILL, IPPROTO_UDP, 7000);
	uint8_t frame[128];

	expect_kernel(nic, frame, udp(nic, frame, IP_RILL, 7000));
	assert_int_equal(nic->driver->flow_add(nic, &rule), 0);
	assert_int_equal(nic->driver->flow_add(nic, &rule), 0);
	expect_rill(nic, frame, udp(nic, frame, IP_RILL, 7000));
	expect_kernel(nic, frame, udp(nic, frame, IP_RILL, 7001));
	expect_kernel(nic, frame, udp(nic, frame, IP_KERNEL, 7000));
	assert_int_equal(nic->driver->flow_del(nic, &rule), 0);
	expect_kernel(nic, frame, udp(nic, frame, IP_RILL, 7000));
	assert_int_equal(nic->driver->flow_del(nic, &rule), -ENOENT);
	rule.proto = 0;
	assert_int_equal(nic->driver->flow_add(nic, &rule), -EINVAL);
	rill_nic_close(nic);
}

static void test_kernel_socket_still_served(void **state)
{
	struct rill_nic *nic = nic_open(1, "");
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_port = htons(7002),
				   .sin_addr.s_addr = htonl(IP_KERNEL)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint8_t frame[128], payload[64];

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	flow_add(nic, IP_RILL, 0, 0);
	size_t len = udp(nic, frame, IP_KERNEL, 7002);

	testnet_raw_send(wire, frame, len);
	assert_int_equal(poll(&p, 1, TESTNET_PATIENCE_MS), 1);
	assert_int_equal(recv(fd, payload, sizeof(payload), 0), 32);
	assert_int_equal(testnet_tag(payload, 32), testnet_tag(frame, len));
	close(fd);
	rill_nic_close(nic);
}

static void test_fragments_follow_rules_without_port(void **state)
{
	struct rill_nic *nic = nic_open(1, "");
	uint8_t frame[128];
	size_t len;

	flow_add(nic, IP_RILL, IPPROTO_UDP, 7000);
	len = udp(nic, frame, IP_RILL, 7000);
	frame[20] = 0x20; /* the first of several */
	expect_kernel(nic, frame, len);
	flow_add(nic, IP_RILL, IPPROTO_UDP, 0);
	len = udp(nic, frame, IP_RILL, 7001);
	frame[20] = 0x20;
	expect_rill(nic, frame, len);
	len = udp(nic, frame, IP_RILL, 7001);
	frame[21] = 0x10; /* a later one */
	expect_rill(nic, frame, len);
	rill_nic_close(nic);
}

/* Ends in a tag as padding. */
static size_t arp_request(uint8_t *frame, uint32_t target)
{
	static const uint8_t head[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0, 0, 0,
				       0x77, 0x08, 0x06, 0,    1,    0x08, 0,	 6, 4, 0, 1};
	uint32_t net = htonl(target), tag = htonl(next_tag++);

	memset(frame, 0, 60);
	memcpy(frame, head, sizeof(head));
	memcpy(frame + 38, &net, 4);
	memcpy(frame + 56, &tag, 4);
	return 60;
}

static void test_arp_for_owned_address(void **state)
{
	struct rill_nic *nic = nic_open(1, "");
	uint8_t frame[64];

	flow_add(nic, IP_RILL, IPPROTO_UDP, 7000);
	expect_kernel(nic, frame, arp_request(frame, IP_RILL));
	flow_add(nic, IP_RILL, 0, 0);
	expect_rill(nic, frame, arp_request(frame, IP_RILL));
	expect_kernel(nic, frame, arp_request(frame, IP_KERNEL));
	rill_nic_close(nic);
}

/* A neighbour solicitation to the group, or (type 0) UDP to port 9, for 2001:db8::host. */
static size_t ip6_frame(uint8_t *frame, uint8_t type, uint8_t host)
{
	uint8_t address[16] = {0x20, 0x01, 0x0d, 0xb8};
	uint8_t group[16] = {0xff, 0x02};
	uint32_t tag = htonl(next_tag++);

	address[15] = host;
	group[15] = host;
	memset(frame, 0, 94);
	memcpy(frame, "\x33\x33\0\0\0\1\x02\0\0\0\0\x77\x86\xdd\x60", 15);
	frame[19] = 40;
	frame[20] = type ? IPPROTO_ICMPV6 : IPPROTO_UDP;
	memcpy(frame + 38, type ? group : address, 16);
	frame[54] = type;
	frame[57] = type ? 0 : 9;
	memcpy(frame + 62, address, 16);
	memcpy(frame + 90, &tag, 4);
	return 94;
}

static void test_ip6_and_neighbour_discovery(void **state)
{
	struct rill_nic *nic = nic_open(1, "");
	struct rill_flow_rule rule = {
		.local = {.family = RILL_AF_IP6, .bytes = {0x20, 0x01, 0x0d, 0xb8}}};
	uint8_t frame[128];

	rule.local.bytes[15] = 1;
	assert_int_equal(nic->driver->flow_add(nic, &rule), 0);
	expect_rill(nic, frame, ip6_frame(frame, 0, 1));
	expect_rill(nic, frame, ip6_frame(frame, 135, 1));
	expect_kernel(nic, frame, ip6_frame(frame, 0, 2));
	expect_kernel(nic, frame, ip6_frame(frame, 135, 2));
	rill_nic_close(nic);
}

static size_t other_frame(uint8_t *frame, uint16_t ethertype)
{
	size_t len = arp_request(frame, IP_KERNEL);

	frame[12] = (uint8_t)(ethertype >> 8);
	frame[13] = (uint8_t)ethertype;
	return len;
}

/* An empty rule, as those who bridge have it. */
static void test_everything(void **state)
{
	struct rill_nic *nic = nic_open(1, "");
	struct rill_flow_rule all = {.proto = 0}, half = {.proto = IPPROTO_UDP};
	uint8_t frame[128];

	assert_int_equal(nic->driver->flow_del(nic, &all), -ENOENT);
	assert_int_equal(nic->driver->flow_add(nic, &half), -EINVAL);
	flow_add(nic, IP_RILL, IPPROTO_UDP, 7000);
	assert_int_equal(nic->driver->flow_add(nic, &all), 0);
	expect_rill(nic, frame, udp(nic, frame, IP_RILL, 7000));
	expect_rill(nic, frame, udp(nic, frame, IP_KERNEL, 7001));
	expect_rill(nic, frame, arp_request(frame, IP_KERNEL));
	expect_rill(nic, frame, ip6_frame(frame, 135, 2));
	expect_rill(nic, frame, other_frame(frame, 0x88cc));
	assert_int_equal(nic->driver->flow_del(nic, &all), 0);
	expect_kernel(nic, frame, other_frame(frame, 0x88cc));
	expect_kernel(nic, frame, udp(nic, frame, IP_KERNEL, 7001));
	expect_rill(nic, frame, udp(nic, frame, IP_RILL, 7000));
	rill_nic_close(nic);
}

static void test_counters(void **state)
{
	struct rill_nic *nic = nic_open(1, "");
	uint64_t n[RILL_XDP_REASON_COUNT];
	uint8_t frame[128];

	flow_add(nic, IP_RILL, IPPROTO_UDP, 7000);
	expect_rill(nic, frame, udp(nic, frame, IP_RILL, 7000));
	expect_rill(nic, frame, udp(nic, frame, IP_RILL, 7000));
	expect_kernel(nic, frame, udp(nic, frame, IP_RILL, 7001));
	size_t len = udp(nic, frame, IP_RILL, 7000);

	frame[14] = 0x35; /* IP version 3 */
	expect_kernel(nic, frame, len);
	assert_int_equal(rill_af_xdp_counters(nic, n), 0);
	assert_int_equal(n[RILL_XDP_REDIRECT_PORT], 2);
	assert_int_equal(n[RILL_XDP_PASS_NO_RULE], 1);
	assert_int_equal(n[RILL_XDP_PASS_SHORT], 1);
	assert_int_equal(nic->queues[0]->stats.rx_packets, 2);
	rill_nic_close(nic);
}

/* The buffers that the kernel was sending are back: want are in the pool, or more. */
static void wait_available(struct rill_nic *nic, uint32_t want)
{
	struct rill_nic_queue *q = nic->queues[0];
	struct rill_buf *b;

	for (int i = 0; i < TESTNET_PATIENCE_MS && q->pool->available < want; i++) {
		nic->driver->tx_flush(q);
		assert_int_equal(nic->driver->rx_burst(q, &b, 1), 0);
		poll(NULL, 0, 1);
	}
	assert_true(q->pool->available >= want);
}

static void test_transmit(void **state)
{
	enum { COUNT = 600 };
	struct rill_nic *nic = nic_open(1, "");
	struct rill_nic_queue *q = nic->queues[0];
	uint32_t available = q->pool->available, first = next_tag;
	struct rill_buf *bufs[COUNT];
	uint8_t frame[2048];

	for (unsigned i = 0; i < COUNT; i++) {
		size_t len = udp(nic, frame, IP_RILL, 7000);

		bufs[i] = rill_buf_alloc(q->pool);
		assert_non_null(bufs[i]);
		memcpy(rill_buf_append(bufs[i], (uint32_t)len), frame, len);
	}
	assert_int_equal(nic->driver->tx_burst(q, bufs, COUNT), COUNT);
	nic->driver->tx_flush(q);
	for (unsigned i = 0; i < COUNT; i++) {
		size_t len = testnet_raw_recv(wire, first + i, frame, sizeof(frame),
					      TESTNET_PATIENCE_MS);

		assert_int_equal(len, 74);
	}
	wait_available(nic, available);
	assert_int_equal(q->stats.tx_packets, COUNT);
	rill_nic_close(nic);
}

/* As TCP does: the buffer stays with its holder, and goes out twice while the first may be under
 * way. */
static void test_transmit_shared_and_foreign(void **state)
{
	struct rill_nic *nic = nic_open(1, "");
	struct rill_nic_queue *q = nic->queues[0];
	uint32_t available = q->pool->available, tag = next_tag;
	struct rill_buf_pool other;
	uint8_t frame[2048];
	size_t len = udp(nic, frame, IP_RILL, 7000);

	assert_int_equal(rill_buf_pool_init_heap(&other, 1, 2048), 0);
	struct rill_buf *own = rill_buf_alloc(q->pool), *foreign = rill_buf_alloc(&other);
	struct rill_buf *bufs[3] = {own, own, foreign};

	memcpy(rill_buf_append(own, (uint32_t)len), frame, len);
	memcpy(rill_buf_append(foreign, (uint32_t)len), frame, len);
	rill_buf_get(own);
	rill_buf_get(own);
	assert_int_equal(nic->driver->tx_burst(q, bufs, 3), 3);
	assert_int_equal(rill_buf_pool_reclaim(&other), 1);
	nic->driver->tx_flush(q);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(
			testnet_raw_recv(wire, tag, frame, sizeof(frame), TESTNET_PATIENCE_MS),
			len);
	wait_available(nic, available - 1);
	assert_true(rill_buf_exclusive(own));
	rill_buf_put(own);
	rill_buf_pool_fini_heap(&other);
	rill_nic_close(nic);
}

static void test_arm(void **state)
{
	struct rill_nic *nic = nic_open(1, "");
	struct rill_nic_queue *q = nic->queues[0];
	struct pollfd p = {.fd = nic->driver->rx_fd(q), .events = POLLIN};
	uint8_t frame[128];
	struct rill_buf *b;

	flow_add(nic, IP_RILL, 0, 0);
	assert_true(nic->driver->rx_arm(q));
	assert_int_equal(poll(&p, 1, QUIET_MS), 0);
	testnet_raw_send(wire, frame, udp(nic, frame, IP_RILL, 7000));
	assert_int_equal(poll(&p, 1, TESTNET_PATIENCE_MS), 1);
	nic->driver->rx_disarm(q);
	assert_false(nic->driver->rx_arm(q));
	assert_int_equal(nic->driver->rx_burst(q, &b, 1), 1);
	rill_buf_put(b);
	assert_true(nic->driver->rx_arm(q));
	nic->driver->rx_disarm(q);
	rill_nic_close(nic);
}

/* More than the rings and the pool hold: each buffer comes round several times, none is lost. */
static void test_many_rounds(void **state)
{
	struct rill_nic *nic = nic_open(1, ",frames=128,ring=64");
	uint8_t frame[128];

	flow_add(nic, IP_RILL, 0, 0);
	for (unsigned i = 0; i < 1000; i++) {
		expect_rill(nic, frame, udp(nic, frame, IP_RILL, 7000));
		testnet_nic_send(nic, frame, udp(nic, frame, IP_RILL, 7000));
	}
	wait_available(nic, 128 - 64);
	rill_nic_close(nic);
}

static void test_pool_runs_dry(void **state)
{
	struct rill_nic *nic = nic_open(1, ",frames=32,ring=16");
	struct rill_nic_queue *q = nic->queues[0];
	struct rill_buf *held[32], *b;
	struct rill_nic_stats stats = {0};
	uint8_t frame[128];
	unsigned n = 0;

	flow_add(nic, IP_RILL, 0, 0);
	while (n < 32) {
		testnet_raw_send(wire, frame, udp(nic, frame, IP_RILL, 7000));
		held[n] = testnet_nic_recv(nic, TESTNET_PATIENCE_MS);
		assert_non_null(held[n]);
		n++;
	}
	testnet_raw_send(wire, frame, udp(nic, frame, IP_RILL, 7000));
	assert_null(testnet_nic_recv(nic, QUIET_MS));
	nic->driver->stats(q, &stats);
	assert_int_equal(stats.rx_dropped, 1);
	while (n > 0)
		rill_buf_put(held[--n]);
	assert_int_equal(nic->driver->rx_burst(q, &b, 1), 0);
	expect_rill(nic, frame, udp(nic, frame, IP_RILL, 7000));
	rill_nic_close(nic);
}

static void test_reopen_after_kill(void **state)
{
	uint8_t frame[128];
	int ready[2];
	char c;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();

	if (pid == 0) {
		struct rill_nic *nic = nic_open(1, "");

		flow_add(nic, IP_RILL, 0, 0);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	struct rill_nic *nic = nic_open(1, "");

	expect_kernel(nic, frame, udp(nic, frame, IP_RILL, 7000));
	flow_add(nic, IP_RILL, 0, 0);
	expect_rill(nic, frame, udp(nic, frame, IP_RILL, 7000));
	rill_nic_close(nic);
	close(ready[0]);
	close(ready[1]);
}

static void test_open_and_close_often(void **state)
{
	uint8_t frame[128];

	for (unsigned i = 0; i < 200; i++) {
		struct rill_nic *nic = nic_open(2, ",frames=64,ring=16");

		flow_add(nic, IP_RILL, 0, 0);
		if (i % 20 == 0)
			expect_rill(nic, frame, udp(nic, frame, IP_RILL, 7000));
		rill_nic_close(nic);
	}
}

static void expect_error(const char *spec, int err, const char *word)
{
	char error[RILL_NIC_ERROR_LEN];
	struct rill_nic *nic;

	assert_int_equal(rill_nic_open(spec, 1, &nic, error), err);
	if (!strstr(error, word))
		print_message("%s: %s\n", spec, error);
	assert_non_null(strstr(error, word));
}

static void test_errors(void **state)
{
	struct rill_nic *nic = nic_open(1, "");

	expect_error("af_xdp:rill0", -EBUSY, "ip link set dev rill0 xdp off");
	rill_nic_close(nic);
	expect_error("af_xdp:none0", -ENODEV, "no interface none0");
	expect_error("af_xdp:rill0,mode=fast", -EINVAL, "auto, native, generic");
	expect_error("af_xdp:rill0,zerocopy=on", -EOPNOTSUPP, "zerocopy=auto");
	expect_error("af_xdp:rill0,frames=64", -EINVAL, "twice the ring");
	testnet_run("ip link set dev wire0 mtu 9000 && ip link set dev rill0 mtu 9000");
	expect_error("af_xdp:rill0", -EMSGSIZE, "ip link set dev rill0 mtu");
	testnet_run("ip link set dev wire0 mtu 1500 && ip link set dev rill0 mtu 1500");
	testnet_run("ip link set dev rill0 down");
	expect_error("af_xdp:rill0", -ENETDOWN, "ip link set dev rill0 up");
	testnet_run("ip link set dev rill0 up && ip link set dev wire0 up");
}

static void test_fewer_queues_than_there_are(void **state)
{
	testnet_run("ip link add many0 numrxqueues 2 numtxqueues 2 type veth peer name many1 "
		    "numrxqueues 2 numtxqueues 2");
	testnet_run("ip link set dev many0 up && ip link set dev many1 up");
	testnet_run("ethtool -L many0 rx 2 tx 2 >/dev/null");
	struct rill_nic *nic = testnet_nic_open("af_xdp:many0,mode=generic", 1);

	assert_int_equal(nic->queue_count, 1);
	assert_non_null(strstr(nic->describe, "1 more stay with the kernel"));
	rill_nic_close(nic);
	nic = testnet_nic_open("af_xdp:many0,mode=native", 8);
	assert_int_equal(nic->queue_count, 2);
	assert_null(strstr(nic->describe, "stay with the kernel"));
	rill_nic_close(nic);
	testnet_run("ip link del many0");
}

/* 64 KiB of lockable memory, as an unprivileged shell has it. */
static int run_with_little_memlock(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2];
	struct rlimit limit = {65536, 65536};

	if (syscall(SYS_capget, &head, caps) != 0)
		return 2;
	for (unsigned i = 0; i < 2; i++) {
		caps[i].effective &= ~(i ? 0 : 1u << CAP_IPC_LOCK | 1u << CAP_SYS_RESOURCE);
		caps[i].permitted &= ~(i ? 0 : 1u << CAP_IPC_LOCK | 1u << CAP_SYS_RESOURCE);
	}
	if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 || syscall(SYS_capset, &head, caps) != 0)
		return 3;
	struct rill_nic *nic = nic_open(1, "");
	uint8_t frame[128];
	bool told = strstr(nic->describe, "memlock leaves 32 frames") != NULL;

	flow_add(nic, IP_RILL, 0, 0);
	size_t len = udp(nic, frame, IP_RILL, 7000);

	testnet_raw_send(wire, frame, len);
	struct rill_buf *b =
		testnet_nic_recv_tag(nic, testnet_tag(frame, len), TESTNET_PATIENCE_MS);

	return told && b ? 0 : 4;
}

static void test_little_memlock(void **state)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(run_with_little_memlock());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void prepare(void)
{
	char error[RILL_NIC_ERROR_LEN];
	struct rill_nic *nic;

	testnet_isolate();
	testnet_run("ip link add rill0 type veth peer name wire0");
	testnet_run("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6");
	testnet_run("ip addr add 198.18.0.5/15 dev rill0");
	testnet_run("ip link set dev rill0 up && ip link set dev wire0 up");
	int err = rill_nic_open("af_xdp:rill0,mode=generic", 1, &nic, error);

	if (err == -EPERM || err == -EACCES || err == -EAFNOSUPPORT) {
		printf("skipped: %s\n", error);
		exit(TESTNET_SKIP);
	}
	if (!err)
		rill_nic_close(nic);
	wire = testnet_raw_open("wire0");
	local = testnet_raw_open("rill0");
}

int main(void)
{
	const struct CMUnitTest in_each_mode[] = {
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_steering_by_port),
		cmocka_unit_test(test_kernel_socket_still_served),
		cmocka_unit_test(test_fragments_follow_rules_without_port),
		cmocka_unit_test(test_arp_for_owned_address),
		cmocka_unit_test(test_ip6_and_neighbour_discovery),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_transmit),
		cmocka_unit_test(test_transmit_shared_and_foreign),
		cmocka_unit_test(test_arm),
		cmocka_unit_test(test_many_rounds),
		cmocka_unit_test(test_pool_runs_dry),
		cmocka_unit_test(test_reopen_after_kill),
		cmocka_unit_test(test_open_and_close_often),
	};
	const struct CMUnitTest once[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_fewer_queues_than_there_are),
		cmocka_unit_test(test_little_memlock),
	};

	prepare();
	int failed = cmocka_run_group_tests_name("native", in_each_mode, NULL, NULL);

	mode = "generic";
	failed += cmocka_run_group_tests_name("generic", in_each_mode, NULL, NULL);
	mode = "auto";
	return failed + cmocka_run_group_tests_name("auto", once, NULL, NULL);
}
