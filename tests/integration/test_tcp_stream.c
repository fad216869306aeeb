/* SPDX-License-Identifier: BSD-3-Clause */
/* Contents: what is sent on a connection arrives, whole and in order, whatever the link does. */
#include "tests/integration/stream.h"

#include <string.h>

#define MIB (UINT64_C(1) << 20)

#define IMPAIRED ",loss=0.01,reorder=0.01,dup=0.01,seed=4711"

static void *echo(void *arg)
{
	struct lab *lab = arg;
	struct rill_listener *l = lab_listen(lab, 7, NULL);
	struct rill_task *server = lab_spawn(lab->rt[LAB_SERVER], lab_echo_server, l);
	struct rill_tcp *c = lab_connect(lab, l, NULL);

	for (size_t len = 1; len <= 65536; len *= 4)
		lab_echo_once(c, len, len);
	rill_tcp_close(c);
	rill_listener_shutdown(l);
	lab_join(server);
	rill_listener_close(l);
	return NULL;
}

static void test_echo(void **state)
{
	(void)state;
	lab_run_in_each(echo, NULL);
}

static void *both_ways_64_mib(void *arg)
{
	stream_both_ways(arg, 64 * MIB, NULL, 0);
	return NULL;
}

static void *both_ways_4_mib(void *arg)
{
	stream_both_ways(arg, 4 * MIB, NULL, 0);
	return NULL;
}

static void *both_ways_2_mib(void *arg)
{
	stream_both_ways(arg, 2 * MIB, NULL, 0);
	return NULL;
}

/* 64 MiB each way at once, over a link that loses, reorders and duplicates 1 % each. */
static void test_64_mib_impaired(void **state)
{
	const struct lab_options o = {.workers = 2, .queues = 1, .link = IMPAIRED};

	(void)state;
	lab_run_in(&o, both_ways_64_mib);
}

static void test_impaired_in_each(void **state)
{
	(void)state;
	lab_run_in_each(both_ways_4_mib, IMPAIRED);
}

/* No flipped bit gets past the checksums. */
static void test_corrupt(void **state)
{
	(void)state;
	lab_run_in_each(both_ways_2_mib, ",corrupt=0.001,seed=12");
}

/* Small buffers: both ends wait all the time, for room and for the window. */
static void *small_buffers(void *arg)
{
	struct rill_tcp_options o = {RILL_OPTIONS(o), .send_buffer = 5000, .recv_buffer = 7000};

	stream_both_ways(arg, MIB, &o, 0);
	return NULL;
}

static void test_small_buffers(void **state)
{
	(void)state;
	lab_run_in_each(small_buffers, NULL);
}

/* Calls that a deadline ends lose nothing, in either direction. */
static void *impatient(void *arg)
{
	struct rill_tcp_options o = {RILL_OPTIONS(o), .send_buffer = 30000, .recv_buffer = 20000};

	stream_both_ways(arg, LAB_ROUNDS(4 * MIB), &o, 20 * RILL_US);
	return NULL;
}

static void test_impatient(void **state)
{
	(void)state;
	lab_run_in_each(impatient, NULL);
}

static void *zero_copy(void *arg)
{
	struct lab *lab = arg;
	struct rill_tcp *pair[LAB_SIDES];

	lab_pair(lab, NULL, pair);
	struct stream up = {pair[LAB_CLIENT], 5, 3 * MIB, 0};
	struct stream up_end = {pair[LAB_SERVER], 5, 3 * MIB, 0};
	struct stream down = {pair[LAB_SERVER], 6, 3 * MIB, 0};
	struct stream down_end = {pair[LAB_CLIENT], 6, 3 * MIB, 0};
	struct rill_task *tasks[] = {
		lab_spawn(lab->rt[LAB_CLIENT], stream_send_buffers, &up),
		lab_spawn(lab->rt[LAB_SERVER], stream_recv_bytes, &up_end),
		/* and mixed with the other kind of call */
		lab_spawn(lab->rt[LAB_SERVER], stream_send, &down),
		lab_spawn(lab->rt[LAB_CLIENT], stream_recv_bytes, &down_end),
	};

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(tasks); i++)
		lab_join(tasks[i]);
	for (enum lab_side s = 0; s < LAB_SIDES; s++)
		rill_tcp_close(pair[s]);
	return NULL;
}

static void test_zero_copy(void **state)
{
	(void)state;
	lab_run_in_each(zero_copy, NULL);
}

/* A slice outlives the connection it came from. */
static void *slice_outlives(void *arg)
{
	struct rill_tcp *pair[LAB_SIDES];
	struct rill_bytes b;

	lab_pair(arg, NULL, pair);
	RILL_ASSERT_CMP(rill_tcp_send(pair[LAB_CLIENT], "drops", 5), ==, 5);
	RILL_ASSERT_CMP(rill_tcp_recv_bytes(pair[LAB_SERVER], &b), ==, 1);
	rill_tcp_close(pair[LAB_CLIENT]);
	rill_tcp_close(pair[LAB_SERVER]);
	RILL_ASSERT_CMP(b.len, ==, 5u);
	RILL_ASSERT(memcmp(b.data, "drops", 5) == 0);
	rill_bytes_release(&b);
	return NULL;
}

static void test_slice_outlives(void **state)
{
	(void)state;
	lab_run_in_each(slice_outlives, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_64_mib_impaired),
		cmocka_unit_test(test_impaired_in_each),
		cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_small_buffers),
		cmocka_unit_test(test_impatient),
		cmocka_unit_test(test_zero_copy),
		cmocka_unit_test(test_slice_outlives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
