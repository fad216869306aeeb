/* SPDX-License-Identifier: BSD-3-Clause */
/* What a driver says when it cannot begin, and what it does when it cannot go on. */
#include "drivers/driver.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "testnet.h"

static void expect_failure(const char *spec, unsigned queues, int err, const char *part)
{
	char error[RILL_NIC_ERROR_LEN];
	struct rill_nic *nic;

	assert_int_equal(rill_nic_open(spec, queues, &nic, error), err);
	if (!strstr(error, part))
		fail_msg("%s: '%s' lacks '%s'", spec, error, part);
}

static void test_misspelt(void **state)
{
	expect_failure("tpa:rill0", 1, -EINVAL, "did you mean 'tap:'?");
	expect_failure("men:lab", 1, -EINVAL, "did you mean 'mem:'?");
	expect_failure("mem:lab,rss=toeplits", 1, -EINVAL, "did you mean 'toeplitz'?");
	expect_failure("mem:lab,rign=64", 1, -EINVAL, "did you mean 'ring'?");
	expect_failure("tap:rill0,nets=new", 1, -EINVAL, "did you mean 'netns'?");
	expect_failure("ethernet:0", 1, -EINVAL, "want driver:name");
	expect_failure("mem", 1, -EINVAL, "names no NIC");
	expect_failure("mem:", 1, -EINVAL, "names no NIC");
	expect_failure("mem:lab", 0, -EINVAL, "want 1 to 64");
	expect_failure("mem:lab", 65, -EINVAL, "want 1 to 64");
}

/* In a child: limits cannot be raised again. */
static int in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int limited(int resource, rlim_t max, const char *spec)
{
	const struct rlimit limit = {max, max};
	char error[RILL_NIC_ERROR_LEN] = "";
	struct rill_nic *nic;

	if (setrlimit(resource, &limit) < 0)
		return 1;
	if (rill_nic_open(spec, 8, &nic, error) >= 0)
		return 2;
	return strstr(error, "out of memory or descriptors for 8 queues: lower bufs=") ? 0 : 3;
}

static int no_descriptors(void)
{
	return limited(RLIMIT_NOFILE, 6, "mem:few");
}

#if !defined(RILL_ASAN) && !defined(RILL_TSAN)
static int no_memory(void)
{
	return limited(RLIMIT_AS, (rlim_t)512 << 20, "mem:big,bufs=4194304");
}
#endif

static void test_limits(void **state)
{
	assert_int_equal(in_child(no_descriptors), 0);
#if !defined(RILL_ASAN) && !defined(RILL_TSAN)
	/* the sanitizers' shadows need more than any such limit */
	assert_int_equal(in_child(no_memory), 0);
#endif
	/* what failed left nothing behind */
	rill_nic_close(testnet_nic_open("mem:few", 8));
}

static unsigned drain(struct rill_nic *nic)
{
	struct rill_nic_queue *q = nic->queues[0];
	struct rill_buf *b;
	unsigned n = 0;

	while (nic->driver->rx_burst(q, &b, 1) == 1) {
		rill_buf_put_owner(q->pool, b);
		n++;
	}
	return n;
}

static uint64_t lost(struct rill_nic *nic)
{
	struct rill_nic_stats stats = {0};

	nic->driver->stats(nic->queues[0], &stats);
	return stats.rx_dropped + nic->queues[0]->stats.rx_dropped;
}

static void test_a_full_ring_loses_and_counts(void **state)
{
	struct rill_nic *a = testnet_nic_open("mem:full", 1);
	struct rill_nic *b = testnet_nic_open("mem:full,ring=16", 1);
	uint8_t frame[128];
	size_t len = testnet_udp4(frame, b->mac, 0xc6120001, 7, 1);

	for (unsigned round = 1; round <= 3; round++) {
		for (unsigned i = 0; i < 100; i++)
			testnet_nic_send(a, frame, len);
		assert_int_equal(drain(b), 16);
		assert_int_equal(lost(b), 84u * round);
		assert_int_equal(a->queues[0]->stats.tx_packets, 100u * round);
	}
	rill_nic_close(a);
	rill_nic_close(b);
}

/* Somebody has all of its buffers: nothing is received, and it goes on when they come back. */
static void test_an_exhausted_pool(void **state)
{
	struct rill_nic *a = testnet_nic_open("mem:dry", 1);
	struct rill_nic *b = testnet_nic_open("mem:dry,ring=8,bufs=64", 1);
	struct rill_buf *held[64];
	uint8_t frame[128];
	size_t len = testnet_udp4(frame, b->mac, 0xc6120001, 7, 1);
	unsigned count = 0;

	while ((held[count] = rill_buf_alloc(b->queues[0]->pool)))
		count++;
	assert_int_equal(count, 64 - 8);
	for (unsigned i = 0; i < 8; i++)
		testnet_nic_send(a, frame, len);
	/* those of the ring are held as well now, and none is left to post */
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(b->driver->rx_burst(b->queues[0], &held[count + i], 1), 1);
	testnet_nic_send(a, frame, len);
	assert_int_equal(drain(b), 0);
	assert_int_equal(lost(b), 1);
	assert_true(b->queues[0]->pool->alloc_failures > 0);
	for (unsigned i = 0; i < count + 8; i++)
		rill_buf_put(held[i]);
	drain(b);
	testnet_nic_send(a, frame, len);
	assert_int_equal(drain(b), 1);
	rill_nic_close(a);
	rill_nic_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_misspelt),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_a_full_ring_loses_and_counts),
		cmocka_unit_test(test_an_exhausted_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
