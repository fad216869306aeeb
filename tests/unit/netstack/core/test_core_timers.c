/* SPDX-License-Identifier: BSD-3-Clause */
/* The connections' timers: near and far, moving away and coming nearer. */
#include "netstack/core/conn.h"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define CONNS 500
#define TICK_NS 1024

static struct rill_timers timers;
static struct rill_conn conns[CONNS];
static uint64_t deadlines[CONNS]; /* RILL_FOREVER: fired, or stopped */
static uint64_t now;

static void start(void)
{
	now = 12345 * RILL_MS;
	rill_timers_init(&timers, now);
	for (unsigned i = 0; i < CONNS; i++) {
		conns[i] = (struct rill_conn){0};
		rill_timer_init(&conns[i].timer);
		deadlines[i] = RILL_FOREVER;
	}
}

/* As settling does. */
static void set(unsigned i, uint64_t deadline)
{
	deadlines[i] = deadline;
	rill_timers_set(&timers, &conns[i], deadline, now);
	assert_true(timers.next_ns <= RILL_MAX(deadline, now) + TICK_NS);
}

/* Until there is nothing to fire before end. Returns how many came due. */
static unsigned run_until(uint64_t end)
{
	unsigned due = 0;

	while (timers.next_ns <= end) {
		struct rill_list expired;
		struct rill_list *n;

		now = RILL_MAX(now, timers.next_ns);
		rill_list_init(&expired);
		rill_timers_advance(&timers, now, &expired);
		while ((n = rill_list_pop_front(&expired))) {
			struct rill_timer *t = RILL_LIST_ENTRY(n, struct rill_timer, link);
			struct rill_conn *c = RILL_CONTAINER_OF(t, struct rill_conn, timer);
			unsigned i = (unsigned)(c - conns);

			if (deadlines[i] == RILL_FOREVER)
				continue;
			if (deadlines[i] > now) {
				rill_timers_set(&timers, c, deadlines[i], now);
				continue;
			}
			/* Exact, but for the tick. */
			assert_true(now <= deadlines[i] + TICK_NS);
			deadlines[i] = RILL_FOREVER;
			due++;
		}
		/* Nobody was forgotten. */
		for (unsigned i = 0; i < CONNS; i++)
			assert_true(deadlines[i] == RILL_FOREVER || deadlines[i] > now ||
				    timers.next_ns <= deadlines[i] + TICK_NS);
	}
	now = end;
	return due;
}

static void near_and_far(void **state)
{
	(void)state;
	start();
	set(0, now + 10 * RILL_US);
	set(1, now + 3 * RILL_MS);
	set(2, now + 40 * RILL_MS);
	set(3, now + 200 * RILL_MS + 7);
	set(4, now + 7200 * RILL_SEC);
	set(5, now); /* due already */
	assert_false(conns[0].far_timer);
	assert_true(conns[2].far_timer);
	assert_int_equal(run_until(now + 20 * RILL_US), 2);
	assert_int_equal(run_until(now + 41 * RILL_MS), 2);
	assert_int_equal(run_until(now + 160 * RILL_MS), 1);
	assert_int_equal(run_until(now + 7200 * RILL_SEC), 1);
}

static void moves(void **state)
{
	(void)state;
	start();
	/* Away: it stays where it is, and is looked at there. */
	set(0, now + 40 * RILL_MS);
	set(0, now + 80 * RILL_MS);
	assert_int_equal(run_until(now + 79 * RILL_MS), 0);
	assert_int_equal(run_until(now + 2 * RILL_MS), 1);
	/* Nearer: from the far wheel to the near one. */
	set(1, now + 500 * RILL_MS);
	assert_true(conns[1].far_timer);
	set(1, now + 50 * RILL_US);
	assert_false(conns[1].far_timer);
	assert_int_equal(run_until(now + 52 * RILL_US), 1);
	/* Stopped in either. */
	set(2, now + 500 * RILL_MS);
	set(3, now + 50 * RILL_US);
	rill_timers_stop(&timers, &conns[2]);
	rill_timers_stop(&timers, &conns[3]);
	deadlines[2] = RILL_FOREVER;
	deadlines[3] = RILL_FOREVER;
	assert_int_equal(run_until(now + RILL_SEC), 0);
	assert_true(timers.next_ns == UINT64_MAX);
}

/* Nothing is late or lost, whatever is set when. */
static void at_random(void **state)
{
	static const uint64_t spans[] = {100 * RILL_US, 5 * RILL_MS, 50 * RILL_MS, 2 * RILL_SEC,
					 600 * RILL_SEC};
	struct rill_rand rand;

	(void)state;
	start();
	rill_rand_init(&rand, 1);
	for (unsigned round = 0; round < 4000; round++) {
		unsigned i = (unsigned)rill_rand_below(&rand, CONNS);
		uint64_t span = spans[rill_rand_below(&rand, 5)];

		set(i, now + rill_rand_below(&rand, (uint32_t)RILL_MIN(span, UINT64_C(1) << 31)));
		if (round % 8 == 0)
			run_until(now + rill_rand_below(&rand, 20 * RILL_MS));
	}
	run_until(now + 700 * RILL_SEC);
	for (unsigned i = 0; i < CONNS; i++)
		assert_true(deadlines[i] == RILL_FOREVER);
	assert_true(timers.next_ns == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(near_and_far),
		cmocka_unit_test(moves),
		cmocka_unit_test(at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
