/* SPDX-License-Identifier: BSD-3-Clause */
/* rill0 is the tap interface, in a network namespace of the test's own. */
#include "drivers/driver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/netdev.h"
#include "testnet.h"

#define IP_KERNEL 0xc6120005u /* 198.18.0.5 */

static void test_frames_both_ways(void **state)
{
	struct rill_nic *nic = testnet_nic_open("tap:rill0", 1);
	int raw = testnet_raw_open("rill0");
	uint8_t frame[128], buf[2048], kernel_mac[6];
	size_t len = testnet_udp4(frame, nic->mac, 0xc6120001, 7, 0xabc1);

	assert_int_equal(nic->mtu, 1500);
	assert_int_equal(nic->caps, RILL_NIC_RX_CSUM | RILL_NIC_TX_CSUM);
	assert_int_equal(rill_netdev_mac("rill0", kernel_mac), 0);
	assert_memory_not_equal(nic->mac, kernel_mac, 6);
	assert_int_equal(nic->mac[0] & 3, 2);

	testnet_raw_send(raw, frame, len);
	struct rill_buf *b = testnet_nic_recv_tag(nic, 0xabc1, TESTNET_PATIENCE_MS);

	assert_non_null(b);
	assert_int_equal(b->len, len);
	assert_memory_equal(b->data, frame, len);
	rill_buf_put(b);

	len = testnet_udp4(frame, kernel_mac, IP_KERNEL, 7, 0xabc2);
	testnet_nic_send(nic, frame, len);
	assert_int_equal(testnet_raw_recv(raw, 0xabc2, buf, sizeof(buf), TESTNET_PATIENCE_MS), len);
	assert_memory_equal(buf, frame, len);
	assert_int_equal(nic->queues[0]->stats.tx_packets, 1);
	assert_true(nic->queues[0]->stats.rx_packets >= 1);
	close(raw);
	rill_nic_close(nic);
	assert_int_equal(rill_netdev_exists("rill0"), -ENODEV);
}

static int udp_socket(uint16_t port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_port = htons(port),
				   .sin_addr.s_addr = htonl(IP_KERNEL)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* What the kernel's own stack sends comes without a checksum, and is as good as checked. */
static void test_kernel_leaves_checksums_out(void **state)
{
	struct rill_nic *nic = testnet_nic_open("tap:rill0", 1);
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0xc6120001)};
	uint8_t payload[32] = {0};
	uint32_t tag = htonl(0xabc3);

	memcpy(payload + 28, &tag, 4);
	testnet_run("ip addr add 198.18.0.5/15 dev rill0");
	testnet_run("ip neigh add 198.18.0.1 lladdr 02:00:00:00:00:01 dev rill0");
	int fd = udp_socket(7003);

	assert_int_equal(
		sendto(fd, payload, sizeof(payload), 0, (struct sockaddr *)&to, sizeof(to)),
		sizeof(payload));
	struct rill_buf *b = testnet_nic_recv_tag(nic, 0xabc3, TESTNET_PATIENCE_MS);

	assert_non_null(b);
	assert_true(b->flags & RILL_BUF_CSUM_OK);
	rill_buf_put(b);
	close(fd);
	rill_nic_close(nic);
}

static uint16_t pseudo_sum(const uint8_t *frame, size_t udp_len)
{
	uint32_t sum = 17 + (uint32_t)udp_len;

	for (unsigned i = 26; i < 34; i += 2)
		sum += (uint32_t)(frame[i] << 8 | frame[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The kernel takes a frame whose checksum is left to the NIC. */
static void test_partial_checksum(void **state)
{
	struct rill_nic *nic = testnet_nic_open("tap:rill0", 1);
	struct rill_nic_queue *q = nic->queues[0];
	uint8_t frame[128], mac[6], payload[64];

	testnet_run("ip addr add 198.18.0.5/15 dev rill0");
	int fd = udp_socket(7004);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(rill_netdev_mac("rill0", mac), 0);
	size_t len = testnet_udp4(frame, mac, IP_KERNEL, 7004, 0xabc4);
	uint16_t sum = pseudo_sum(frame, len - 34);
	struct rill_buf *b = rill_buf_alloc(q->pool);

	frame[40] = (uint8_t)(sum >> 8);
	frame[41] = (uint8_t)sum;
	memcpy(rill_buf_append(b, (uint32_t)len), frame, len);
	b->flags = RILL_BUF_CSUM_PARTIAL;
	b->csum_start = 34;
	b->csum_offset = 6;
	assert_int_equal(nic->driver->tx_burst(q, &b, 1), 1);
	nic->driver->tx_flush(q);
	assert_int_equal(poll(&p, 1, TESTNET_PATIENCE_MS), 1);
	assert_int_equal(recv(fd, payload, sizeof(payload), 0), 32);
	assert_int_equal(testnet_tag(payload, 32), 0xabc4);
	close(fd);
	rill_nic_close(nic);
}

static void test_several_queues_and_mtu(void **state)
{
	struct rill_nic *nic = testnet_nic_open("tap:rill0,mtu=9000", 2);
	int raw = testnet_raw_open("rill0");
	uint8_t buf[2048];

	assert_int_equal(nic->queue_count, 2);
	assert_int_equal(nic->mtu, 9000);
	assert_int_not_equal(nic->driver->rx_fd(nic->queues[0]),
			     nic->driver->rx_fd(nic->queues[1]));
	for (unsigned i = 0; i < 2; i++) {
		struct rill_nic_queue *q = nic->queues[i];
		struct rill_buf *b = rill_buf_alloc(q->pool);

		testnet_udp4(rill_buf_append(b, 74), (uint8_t[6]){2, 0, 0, 0, 0, 1}, IP_KERNEL, 7,
			     0xd0 + i);
		assert_int_equal(nic->driver->tx_burst(q, &b, 1), 1);
		assert_int_equal(
			testnet_raw_recv(raw, 0xd0 + i, buf, sizeof(buf), TESTNET_PATIENCE_MS), 74);
	}
	close(raw);
	rill_nic_close(nic);
}

static void test_existing_interface_is_left_alone(void **state)
{
	char error[RILL_NIC_ERROR_LEN];
	struct rill_nic *nic;
	bool up = true;

	testnet_run("ip tuntap add dev rill1 mode tap multi_queue");
	nic = testnet_nic_open("tap:rill1", 1);
	assert_int_equal(rill_netdev_is_up("rill1", &up), 0);
	assert_false(up);
	rill_nic_close(nic);
	assert_int_equal(rill_netdev_exists("rill1"), 0);
	assert_int_equal(rill_nic_open("tap:rill1,mtu=1400", 1, &nic, error), -EINVAL);
	assert_non_null(strstr(error, "ip link set dev rill1 mtu 1400"));
	testnet_run("ip link del rill1");
}

static void test_errors(void **state)
{
	char error[RILL_NIC_ERROR_LEN];
	struct rill_nic *nic = testnet_nic_open("tap:rill0", 1), *second;

	assert_int_equal(rill_nic_open("tap:rill0", 1, &second, error), -EBUSY);
	assert_non_null(strstr(error, "in use"));
	rill_nic_close(nic);
	testnet_run("ip tuntap add dev rill1 mode tap");
	assert_int_equal(rill_nic_open("tap:rill1", 2, &second, error), -EINVAL);
	assert_non_null(strstr(error, "multi_queue"));
	testnet_run("ip link del rill1");
	assert_int_equal(rill_nic_open("tap:lo", 1, &second, error), -EINVAL);
	assert_int_equal(rill_nic_open("tap:longer-than-any-name", 1, &second, error), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_both_ways),
		cmocka_unit_test(test_kernel_leaves_checksums_out),
		cmocka_unit_test(test_partial_checksum),
		cmocka_unit_test(test_several_queues_and_mtu),
		cmocka_unit_test(test_existing_interface_is_left_alone),
		cmocka_unit_test(test_errors),
	};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		printf("skipped: /dev/net/tun: %s\n", strerror(errno));
		return TESTNET_SKIP;
	}
	close(fd);
	testnet_isolate();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
