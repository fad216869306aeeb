/* SPDX-License-Identifier: BSD-3-Clause */
/* The DPDK driver over PMDs with the kernel at the other end, in a network namespace. */
#include "drivers/driver.h"

#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "testnet.h"

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void put(struct rill_nic *nic, struct rill_buf *b)
{
	rill_buf_put_owner(nic->queues[0]->pool, b);
}

/* The next frame with that tag; NULL: none came for as long as a test waits. */
static struct rill_buf *receive_tag(struct rill_nic *nic, uint32_t tag)
{
	struct rill_buf *b;

	for (uint64_t end = now_ms() + TESTNET_PATIENCE_MS; now_ms() < end; sched_yield()) {
		if (nic->driver->rx_burst(nic->queues[0], &b, 1) == 0)
			continue;
		if (testnet_tag(b->data, b->len) == tag)
			return b;
		put(nic, b);
	}
	return NULL;
}

static void check_kernel(struct rill_nic *nic, const char *ifname)
{
	static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t frame[128], got[2048];
	size_t len = testnet_udp4(frame, everybody, 0xc6120001, 9, 70);
	int fd = testnet_raw_open(ifname);
	struct rill_buf *in;

	testnet_raw_send(fd, frame, len);
	in = receive_tag(nic, 70);
	assert_non_null(in);
	assert_int_equal(in->len, len);
	assert_memory_equal(in->data, frame, len);
	put(nic, in);
	len = testnet_udp4(frame, everybody, 0xc6120001, 9, 71);
	testnet_nic_send(nic, frame, len);
	assert_int_equal(testnet_raw_recv(fd, 71, got, sizeof(got), TESTNET_PATIENCE_MS), len);
	assert_memory_equal(got, frame, len);
	close(fd);
}

/* Arms the queue, once nothing is there any more. */
static void arm(struct rill_nic *nic)
{
	struct rill_nic_queue *q = nic->queues[0];
	struct rill_buf *in;

	while (!nic->driver->rx_arm(q)) {
		nic->driver->rx_disarm(q);
		while (nic->driver->rx_burst(q, &in, 1))
			put(nic, in);
	}
}

/* Without: naps, none of them longer than rill.nap, and not with something there. */
static void check_nap(struct rill_nic *nic, const char *ifname)
{
	static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const struct rill_driver *d = nic->driver;
	struct rill_nic_queue *q = nic->queues[0];
	uint64_t end = now_ms() + TESTNET_PATIENCE_MS;
	int fd = testnet_raw_open(ifname);
	struct rill_buf *in;
	uint8_t frame[128];
	size_t len = testnet_udp4(frame, everybody, 0xc6120001, 9, 90);

	assert_int_equal(d->rx_fd(q), -1);
	arm(nic);
	for (unsigned i = 0; i < 20; i++)
		assert_in_range(d->rx_next(q) - q->now_ns, 1, 1000000);
	d->rx_disarm(q);
	testnet_raw_send(fd, frame, len);
	while (d->rx_arm(q) && now_ms() < end)
		d->rx_disarm(q);
	d->rx_disarm(q);
	in = receive_tag(nic, 90);
	assert_non_null(in);
	put(nic, in);
	close(fd);
}

/* With rx interrupts: what arrives makes the descriptor readable. */
static void check_wake(struct rill_nic *nic, const char *ifname)
{
	static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const struct rill_driver *d = nic->driver;
	struct rill_nic_queue *q = nic->queues[0];
	uint8_t frame[128];
	size_t len = testnet_udp4(frame, everybody, 0xc6120001, 9, 80);
	struct pollfd p = {.fd = d->rx_fd(q), .events = POLLIN};
	int fd = testnet_raw_open(ifname);
	struct rill_buf *in;

	assert_true(p.fd >= 0);
	assert_int_equal(d->rx_next(q), UINT64_MAX);
	for (uint32_t round = 0; round < 3; round++) {
		len = testnet_udp4(frame, everybody, 0xc6120001, 9, 80 + round);
		arm(nic);
		testnet_raw_send(fd, frame, len);
		assert_int_equal(poll(&p, 1, TESTNET_PATIENCE_MS), 1);
		d->rx_disarm(q);
		in = receive_tag(nic, 80 + round);
		assert_non_null(in);
		put(nic, in);
	}
	close(fd);
}

static void test_tap(void **state)
{
	struct rill_nic *nic = testnet_nic_open("dpdk:net_tap0,iface=rilldtap", 1);

	testnet_run("ip link set dev rilldtap up");
	check_kernel(nic, "rilldtap");
	/* DPDK 22.11's has none to switch on. */
	if (strstr(nic->describe, "rx-interrupts"))
		check_wake(nic, "rilldtap");
	else
		check_nap(nic, "rilldtap");
	rill_nic_close(nic);
}

static void test_af_packet(void **state)
{
	struct rill_nic *nic;

	testnet_run("ip link add rilldv0 type veth peer name rilldv1");
	testnet_run("ip link set rilldv0 up && ip link set rilldv1 up");
	nic = testnet_nic_open("dpdk:net_af_packet0,iface=rilldv0", 1);
	check_kernel(nic, "rilldv1");
	rill_nic_close(nic);
	testnet_run("ip link del rilldv0");
}

static void test_af_xdp(void **state)
{
	struct rill_nic *nic;

	testnet_run("ip link add rilldv0 type veth peer name rilldv1");
	testnet_run("ip link set rilldv0 up && ip link set rilldv1 up");
	nic = testnet_nic_open("dpdk:net_af_xdp0,iface=rilldv0", 1);
	check_kernel(nic, "rilldv1");
	rill_nic_close(nic);
	testnet_run("ip link del rilldv0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tap),
		cmocka_unit_test(test_af_packet),
		cmocka_unit_test(test_af_xdp),
	};

	testnet_isolate();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
