/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/ticks.h"

#include "base/clock.h"
#include "tests/unit/runtime/rt.h"

/* The conversion is a multiplication, rounded down. */
static void test_linear(void **state)
{
	uint64_t million;

	rill_ticks_start();
	assert_int_equal(rill_ticks_to_ns(0), 0);
	million = rill_ticks_to_ns(1000000);
	/* counters between 1 MHz and 10 GHz */
	assert_in_range(million, 100000, 1000000000);
	for (uint64_t i = 1; i < 1000; i++)
		assert_in_range(rill_ticks_to_ns(i * 1000000), i * million, i * (million + 1));
	/* a year of them does not overflow */
	assert_true(rill_ticks_to_ns(UINT64_C(1000000) << 37) >= million << 37);
}

/*
 * Two readings of the counter, each between two of the clock: what lies between the readings of the
 * counter is between what lies inside and outside on the clock, however long anything takes. One
 * thousandth is for the rate, and for a clock that is being adjusted.
 */
static void test_rate_is_the_clocks(void **state)
{
	uint64_t clock[4], counter[2];

	if (!rill_ticks_usable()) {
		/* Nothing to compare: runtimes use the clock itself then. */
		struct rill_runtime *rt = start_multi(1);

		assert_true(rt->ticks_are_ns);
		stop(rt);
		return;
	}
	clock[0] = rill_clock_mono();
	counter[0] = rill_cycles();
	clock[1] = rill_clock_mono();
	do
		clock[2] = rill_clock_mono();
	while (clock[2] - clock[1] < 5 * RILL_MS);
	counter[1] = rill_cycles();
	clock[3] = rill_clock_mono();
	uint64_t ns = rill_ticks_to_ns(counter[1] - counter[0]);

	assert_true(ns >= (clock[2] - clock[1]) / 1000 * 999);
	assert_true(ns <= (clock[3] - clock[0]) / 1000 * 1001 + 1000);
}

/* A worker's time is never ahead of the clock nor goes back; for some forty readings of it. */
static void *compare_with_clock(void *arg)
{
	struct rill_worker *w = rill_worker_current();
	uint64_t end = rill_clock_mono() + 20 * RILL_MS;
	uint64_t before, last = 0;

	while ((before = rill_clock_mono()) < end) {
		uint64_t now = rill_worker_now(w);

		RILL_ASSERT_CMP(now, <=, rill_clock_mono());
		RILL_ASSERT_CMP(now + w->clock_lag_ns, >=, before);
		RILL_ASSERT_CMP(now, >=, last);
		last = now;
	}
	return NULL;
}

static void test_worker_time(void **state)
{
	struct rill_runtime *rt = start_multi(1);

	run(rt, compare_with_clock, NULL);
	stop(rt);
}

static void *ask_twice(void *arg)
{
	struct rill_runtime *rt = rill_runtime_current();
	uint64_t t = rill_observe_ticks(rt);

	RILL_ASSERT_CMP(t, ==, rill_now());
	RILL_ASSERT_CMP(rill_clock_advance(123), ==, 0);
	RILL_ASSERT_CMP(rill_observe_ns(rt, rill_observe_ticks(rt) - t), ==, 123u);
	return NULL;
}

static void test_a_paused_clock_is_taken(void **state)
{
	struct rill_runtime *rt = start_paused();

	run(rt, ask_twice, NULL);
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linear),
		cmocka_unit_test(test_rate_is_the_clocks),
		cmocka_unit_test(test_worker_time),
		cmocka_unit_test(test_a_paused_clock_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
