/* SPDX-License-Identifier: BSD-3-Clause */
/* rill0 is the tap interface, in a network namespace of the test's own. */
#include "drivers/driver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
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
	/* segments of UDP: from Linux 6.2 on */
	assert_int_equal(nic->caps | RILL_NIC_TX_USO,
			 RILL_NIC_RX_CSUM | RILL_NIC_TX_CSUM | RILL_NIC_TX_SEGS | RILL_NIC_TX_TSO |
				 RILL_NIC_TX_USO | RILL_NIC_RX_SEGS | RILL_NIC_RX_LRO);
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

/* ---- where the interface is ---- */

static bool text_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		print_message("'%s' lacks '%s'\n", text, part);
	return strstr(text, part) != NULL;
}

static void test_in_a_named_namespace(void **state)
{
	char spec[96];
	unsigned long pid = (unsigned long)getpid();

	testnet_run("ip netns add rill-tap-%lu", pid);
	snprintf(spec, sizeof(spec), "tap:rillns,netns=rill-tap-%lu,mtu=4000", pid);
	struct rill_nic *nic = testnet_nic_open(spec, 2);

	assert_int_equal(rill_netdev_exists("rillns"), -ENODEV);
	assert_int_equal(nic->mtu, 4000);
	testnet_run("ip netns exec rill-tap-%lu ip link show dev rillns | grep -q 'mtu 4000'", pid);
	assert_true(text_has(nic->describe, "netns rill-tap-"));
	rill_nic_close(nic);
	/* the same by its path */
	snprintf(spec, sizeof(spec), "tap:rillns,netns=/run/netns/rill-tap-%lu", pid);
	nic = testnet_nic_open(spec, 1);
	testnet_run("ip netns exec rill-tap-%lu ip link show dev rillns > /dev/null", pid);
	rill_nic_close(nic);
	testnet_run("! ip netns exec rill-tap-%lu ip link show dev rillns 2> /dev/null", pid);
	testnet_run("ip netns del rill-tap-%lu", pid);
}

static void test_in_a_new_namespace(void **state)
{
	struct rill_nic *nic = testnet_nic_open("tap:rill0,netns=new", 1);
	char enter[128];
	const char *how = strstr(nic->describe, "nsenter");

	assert_int_equal(rill_netdev_exists("rill0"), -ENODEV);
	assert_non_null(how);
	snprintf(enter, sizeof(enter), "%s", how);
	testnet_run("%s ip link show dev rill0 | grep -q 'UP'", enter);
	/* and frames flow: the kernel in there asks for a neighbour */
	testnet_run("%s ip addr add 198.18.0.5/15 dev rill0", enter);
	testnet_run("%s ip neigh add 198.18.0.1 lladdr 02:00:00:00:00:01 dev rill0", enter);
	testnet_run("%s python3 -c \"import socket; socket.socket(2, 2).sendto(bytes((0, 0, 0xab, "
		    "0xc9)), ('198.18.0.1', 9))\"",
		    enter);
	struct rill_buf *b = testnet_nic_recv_tag(nic, 0xabc9, TESTNET_PATIENCE_MS);

	assert_non_null(b);
	rill_buf_put(b);
	rill_nic_close(nic);
	testnet_run("! %s true 2> /dev/null", enter);
}

static void test_namespaces_that_are_not(void **state)
{
	char error[RILL_NIC_ERROR_LEN];
	struct rill_nic *nic;

	assert_int_equal(rill_nic_open("tap:rill0,netns=no-such-one", 1, &nic, error), -ENOENT);
	assert_true(text_has(error, "/run/netns/no-such-one"));
	assert_int_equal(rill_nic_open("tap:rill0,netns=/etc/passwd", 1, &nic, error), -EINVAL);
	assert_true(text_has(error, "no network namespace"));
	assert_int_equal(rill_nic_open("tap:lo,netns=new", 1, &nic, error), -EINVAL);
	assert_true(text_has(error, "is no tap"));
	assert_int_equal(rill_nic_open("tap:rill0,netns=", 1, &nic, error), -EINVAL);
}

/* Without any privilege: a child in a user namespace has none in the network namespace it is in. */
static int unprivileged(void)
{
	char error[RILL_NIC_ERROR_LEN];
	struct rill_nic *nic;

	if (unshare(CLONE_NEWUSER) < 0)
		return TESTNET_SKIP;
	if (rill_nic_open("tap:rillu", 1, &nic, error) != -EPERM ||
	    !text_has(error, "CAP_NET_ADMIN") || !text_has(error, "netns=new"))
		return 1;
	if (rill_nic_open("tap:rillu,netns=new", 2, &nic, error) != 0) {
		print_message("%s\n", error);
		return 2;
	}
	if (nic->queue_count != 2 || !text_has(nic->describe, "nsenter"))
		return 3;
	rill_nic_close(nic);
	return 0;
}

static void test_unprivileged(void **state)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(unprivileged());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == TESTNET_SKIP)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_persistent(void **state)
{
	rill_nic_close(testnet_nic_open("tap:rill2,persist=on", 1));
	assert_int_equal(rill_netdev_exists("rill2"), 0);
	rill_nic_close(testnet_nic_open("tap:rill2", 1));
	assert_int_equal(rill_netdev_exists("rill2"), 0);
	rill_nic_close(testnet_nic_open("tap:rill2,persist=off", 1));
	assert_int_equal(rill_netdev_exists("rill2"), -ENODEV);
}

/* ---- the link ---- */

static struct rill_nic_link link_of(struct rill_nic *nic)
{
	struct rill_nic_link link;

	nic->driver->link(nic, &link);
	return link;
}

static void check_link(struct rill_nic *nic, const char *in)
{
	uint8_t frame[128];
	struct rill_buf *none;
	size_t len = testnet_udp4(frame, nic->mac, 0xc6120001, 7, 1);

	assert_true(link_of(nic).up);
	assert_int_equal(link_of(nic).mtu, 1500);
	testnet_run("%s ip link set dev rill0 down", in);
	assert_false(link_of(nic).up);
	assert_false(link_of(nic).gone);
	/* what is sent now is lost, and counted */
	testnet_nic_send(nic, frame, len);
	assert_int_equal(nic->queues[0]->stats.tx_dropped, 1);
	testnet_run("%s ip link set dev rill0 mtu 1300 up", in);
	assert_true(link_of(nic).up);
	assert_int_equal(link_of(nic).mtu, 1300);
	testnet_run("%s ip link set dev rill0 name rill9", in);
	assert_int_equal(link_of(nic).mtu, 1300);
	testnet_run("%s ip link del dev rill9", in);
	assert_true(link_of(nic).gone);
	assert_false(link_of(nic).up);
	assert_int_equal(nic->driver->rx_burst(nic->queues[0], &none, 1), 0);
	testnet_nic_send(nic, frame, len);
	/* nobody who waits for it is woken for nothing */
	for (unsigned i = 0; i < nic->queue_count; i++) {
		struct pollfd p = {.fd = nic->driver->rx_fd(nic->queues[i]), .events = POLLIN};

		assert_int_equal(poll(&p, 1, 0), 0);
	}
}

static void test_link(void **state)
{
	struct rill_nic *nic = testnet_nic_open("tap:rill0", 2);

	check_link(nic, "");
	rill_nic_close(nic);
	/* in another namespace, asked from here */
	nic = testnet_nic_open("tap:rill0,netns=new", 1);
	check_link(nic, strstr(nic->describe, "nsenter"));
	rill_nic_close(nic);
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
		cmocka_unit_test(test_in_a_named_namespace),
		cmocka_unit_test(test_in_a_new_namespace),
		cmocka_unit_test(test_namespaces_that_are_not),
		cmocka_unit_test(test_unprivileged),
		cmocka_unit_test(test_persistent),
		cmocka_unit_test(test_link),
	};
	int fd;

	/* First: where this is impossible, closing a tun descriptor may be, too. */
	testnet_isolate();
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		printf("skipped: /dev/net/tun: %s\n", strerror(errno));
		return TESTNET_SKIP;
	}
	close(fd);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
