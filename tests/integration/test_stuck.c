/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A task that computes without ever yielding holds one worker of two. Everything else of that
 * worker's, its NIC queue, its timers and the task it woke last, is served by the other: each
 * computing task here goes on until the work that it must not hold up is done, so that a failure is
 * a hang.
 */
#include "tests/integration/lab.h"

#define TRIPS 200u

struct stuck {
	struct lab *lab;
	struct rill_tcp *pair[LAB_SIDES];
	RILL_ATOMIC(uint32_t) computes; /* workers in it */
	RILL_ATOMIC(uint32_t) done;
	RILL_ATOMIC(uint32_t) woken;
	struct rill_notify notify;
	uint64_t worst_ns;
};

/* Without a call into the runtime. */
static void compute_until(const uint32_t *flag)
{
	/* acquire: pairs with the release where the flag is set */
	while (!rill_load_acquire(flag))
		rill_cpu_relax();
}

static void *compute(void *arg)
{
	struct stuck *s = arg;

	/* release: pairs with the acquire of who waits for us */
	rill_fetch_add_acq_rel(&s->computes, 1);
	compute_until(&s->done);
	return NULL;
}

static void *echo(void *arg)
{
	struct rill_tcp *c = arg;
	char byte;

	while (rill_tcp_recv(c, &byte, 1) == 1)
		RILL_ASSERT_CMP(rill_tcp_send(c, &byte, 1), ==, 1);
	return NULL;
}

/* The peer, on a runtime of its own. */
static void *make_trips(void *arg)
{
	struct stuck *s = arg;
	char byte = 'x';

	compute_until(&s->computes);
	for (unsigned i = 0; i < TRIPS; i++) {
		uint64_t start = rill_now();

		RILL_ASSERT_CMP(rill_tcp_send(s->pair[LAB_CLIENT], &byte, 1), ==, 1);
		RILL_ASSERT_CMP(rill_tcp_recv(s->pair[LAB_CLIENT], &byte, 1), ==, 1);
		s->worst_ns = RILL_MAX(s->worst_ns, rill_now() - start);
	}
	/* release: pairs with compute_until() */
	rill_store_release(&s->done, 1);
	RILL_ASSERT_CMP(rill_tcp_shutdown(s->pair[LAB_CLIENT], RILL_SHUT_WR), ==, 0);
	return NULL;
}

static void run_stuck(struct stuck *s, unsigned queues, void *(*on_server)(void *),
		      const char *what)
{
	const struct lab_options o = {.workers = 2, .queues = queues, .two_runtimes = true};
	struct rill_task *peer;
	struct lab lab;

	*s = (struct stuck){.lab = &lab};
	rill_notify_init(&s->notify);
	lab_open(&lab, &o);
	/* from this thread, which is no worker of either */
	lab_pair(&lab, NULL, s->pair);
	peer = lab_spawn(lab.rt[LAB_CLIENT], make_trips, s);
	RILL_ASSERT_CMP(rill_block_on(lab.rt[LAB_SERVER], on_server, s, NULL), ==, 0);
	lab_join(peer);
	for (enum lab_side side = 0; side < LAB_SIDES; side++)
		rill_tcp_close(s->pair[side]);
	lab_close(&lab);
	print_message("%s: worst of %u round trips %.3f ms\n", what, TRIPS,
		      (double)s->worst_ns / 1e6);
}

/* ---- another connection's echo ---- */

static void *echo_and_compute(void *arg)
{
	struct stuck *s = arg;
	struct rill_task *e = lab_spawn(NULL, echo, s->pair[LAB_SERVER]);
	struct rill_task *c = lab_spawn(NULL, compute, s);

	lab_join(c);
	lab_join(e);
	return NULL;
}

static void test_echo_goes_on(void **state)
{
	struct stuck s;

	(void)state;
	for (unsigned round = 0; round < 5; round++) {
		run_stuck(&s, 1, echo_and_compute, "echo, 1 queue");
		run_stuck(&s, 2, echo_and_compute, "echo, 2 queues");
	}
}

/* ---- the task that was woken last ---- */

static void *notified(void *arg)
{
	struct stuck *s = arg;

	RILL_ASSERT_CMP(rill_notify_wait(&s->notify), ==, 0);
	/* release: pairs with compute_until() */
	rill_store_release(&s->woken, 1);
	return NULL;
}

/* Wakes a task, which lands in its worker's LIFO slot, and computes until that has run. */
static void *wake_and_compute(void *arg)
{
	struct stuck *s = arg;

	rill_notify_one(&s->notify);
	compute_until(&s->woken);
	return compute(s);
}

static void *lifo_and_compute(void *arg)
{
	struct stuck *s = arg;
	struct rill_task *e = lab_spawn(NULL, echo, s->pair[LAB_SERVER]);
	struct rill_task *n = lab_spawn(NULL, notified, s);

	rill_sleep(RILL_MS);
	struct rill_task *c = lab_spawn(NULL, wake_and_compute, s);

	lab_join(c);
	lab_join(n);
	lab_join(e);
	return NULL;
}

static void test_woken_last(void **state)
{
	struct stuck s;

	(void)state;
	for (unsigned round = 0; round < 5; round++)
		run_stuck(&s, 1, lifo_and_compute, "woken last");
}

/* ---- sleepers ---- */

static void *sleep_long_enough(void *arg)
{
	struct stuck *s = arg;

	for (unsigned i = 0; i < 5; i++)
		RILL_ASSERT_CMP(rill_sleep(2 * RILL_MS), ==, 0);
	/* release: pairs with compute_until() */
	rill_fetch_add_acq_rel(&s->woken, 1);
	return NULL;
}

/* Leaves a timer on its worker's own wheel: it parks there, and the computing comes between. */
static void *sleepers_and_compute(void *arg)
{
	struct stuck *s = arg;
	struct rill_task *sleepers[16];
	struct rill_task *e = lab_spawn(NULL, echo, s->pair[LAB_SERVER]);

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(sleepers); i++)
		sleepers[i] = lab_spawn(NULL, sleep_long_enough, s);
	/* they are asleep, on both workers' wheels, before one is stuck */
	RILL_ASSERT_CMP(rill_sleep(RILL_MS), ==, 0);
	rill_fetch_add_acq_rel(&s->computes, 1);
	/* acquire: pairs with the release in sleep_long_enough() */
	while (rill_load_acquire(&s->woken) < RILL_ARRAY_SIZE(sleepers))
		rill_cpu_relax();
	compute_until(&s->done);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(sleepers); i++)
		lab_join(sleepers[i]);
	lab_join(e);
	return NULL;
}

static void test_sleepers(void **state)
{
	struct stuck s;

	(void)state;
	for (unsigned round = 0; round < 5; round++)
		run_stuck(&s, 2, sleepers_and_compute, "sleepers");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo_goes_on),
		cmocka_unit_test(test_woken_last),
		cmocka_unit_test(test_sleepers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
