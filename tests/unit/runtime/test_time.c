/* SPDX-License-Identifier: BSD-3-Clause */
/* On a paused clock, which jumps when there is nothing to do. It moves in ticks of the timing
 * wheel. */
#include "tests/unit/runtime/rt.h"

static void in_paused_time(void *(*fn)(void *))
{
	struct rill_runtime *rt = start_paused();

	run(rt, fn, NULL);
	stop(rt);
}

static void *jumps(void *arg)
{
	uint64_t t0 = rill_now();

	for (int i = 0; i < 1000; i++)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	RILL_ASSERT_CMP(rill_now(), ==, t0);
	/* a year goes by at once */
	RILL_ASSERT_CMP(rill_sleep(365 * 24 * 3600 * RILL_SEC), ==, 0);
	ASSERT_NOW(t0 + 365 * 24 * 3600 * RILL_SEC);
	t0 = rill_now();
	RILL_ASSERT_CMP(rill_sleep(0), ==, 0);
	RILL_ASSERT_CMP(rill_sleep_until(0), ==, 0);
	RILL_ASSERT_CMP(rill_sleep_until(t0 - 1), ==, 0);
	RILL_ASSERT_CMP(rill_sleep_until(t0), ==, 0);
	RILL_ASSERT_CMP(rill_now(), ==, t0);
	return NULL;
}

static void test_paused_clock_jumps(void **state)
{
	in_paused_time(jumps);
}

#define SLEEPERS 200

struct order {
	unsigned next;
	uint64_t deadline;
	uint64_t woken[SLEEPERS];
};

static struct order order;

static void *ordered_sleeper(void *arg)
{
	uint64_t deadline = (uint64_t)(uintptr_t)arg;

	RILL_ASSERT_CMP(rill_sleep_until(deadline), ==, 0);
	ASSERT_NOW(deadline);
	order.woken[order.next++] = deadline;
	return NULL;
}

static void *sleep_in_order(void *arg)
{
	struct rill_task *tasks[SLEEPERS];
	struct rill_rand rand;
	uint64_t t0 = rill_now();

	rill_rand_init(&rand, 5);
	for (int i = 0; i < SLEEPERS; i++) {
		uint64_t dur = rill_rand_next(&rand) >> (20 + rill_rand_below(&rand, 30));

		tasks[i] = spawn(ordered_sleeper, (void *)(uintptr_t)(t0 + dur));
	}
	for (int i = 0; i < SLEEPERS; i++)
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), ==, 0);
	RILL_ASSERT_CMP(order.next, ==, (unsigned)SLEEPERS);
	for (int i = 1; i < SLEEPERS; i++)
		RILL_ASSERT_CMP(order.woken[i] / TICK_NS + 1, >=, order.woken[i - 1] / TICK_NS);
	return NULL;
}

static void test_sleepers_wake_in_order(void **state)
{
	in_paused_time(sleep_in_order);
}

static void *saturate(void *arg)
{
	uint64_t now = rill_now();

	RILL_ASSERT_CMP(rill_after(5), ==, now + 5);
	RILL_ASSERT(rill_after(RILL_FOREVER) == RILL_FOREVER);
	RILL_ASSERT(rill_after(RILL_FOREVER - now) == RILL_FOREVER);
	RILL_ASSERT(rill_after(RILL_FOREVER - now - 1) == RILL_FOREVER - 1);
	return NULL;
}

static void test_after_saturates(void **state)
{
	in_paused_time(saturate);
}

/* ---- intervals ---- */

static void expect_tick(struct rill_interval *iv, uint64_t scheduled)
{
	uint64_t got = 0;

	RILL_ASSERT_CMP(rill_interval_tick(iv, &got), ==, 0);
	RILL_ASSERT_CMP(got, ==, scheduled);
}

static void *on_the_grid(void *arg)
{
	struct rill_interval iv;
	uint64_t t0 = rill_now();

	RILL_ASSERT_CMP(rill_interval_init(&iv, 0, RILL_MISSED_BURST), ==, -EINVAL);
	for (int missed = RILL_MISSED_BURST; missed <= RILL_MISSED_SKIP; missed++) {
		t0 = rill_now();
		RILL_ASSERT_CMP(rill_interval_init(&iv, 10 * RILL_MS, missed), ==, 0);
		/* the first comes at once; up to 5 ms late is in time for each of the three */
		for (unsigned i = 0; i < 20; i++) {
			expect_tick(&iv, t0 + i * 10 * RILL_MS);
			RILL_ASSERT_CMP(rill_sleep(i % 2 ? 6 * RILL_MS : 14 * RILL_MS), ==, 0);
		}
		RILL_ASSERT_CMP(rill_interval_tick(&iv, NULL), ==, 0);
	}
	return NULL;
}

/* Five ms late is not missed, a little more is. */
static void *five_ms_rule(void *arg)
{
	struct rill_interval iv;
	uint64_t t0 = rill_now();

	rill_interval_init(&iv, 100 * RILL_MS, RILL_MISSED_DELAY);
	expect_tick(&iv, t0);
	iv.next_ns = rill_now() - 5 * RILL_MS;
	expect_tick(&iv, rill_now() - 5 * RILL_MS);
	RILL_ASSERT_CMP(iv.next_ns, ==, rill_now() + 95 * RILL_MS);
	iv.next_ns = rill_now() - 5 * RILL_MS - 1;
	expect_tick(&iv, rill_now() - 5 * RILL_MS - 1);
	RILL_ASSERT_CMP(iv.next_ns, ==, rill_now() + 100 * RILL_MS);
	return NULL;
}

static void *burst_ticks(void *arg)
{
	struct rill_interval iv;
	uint64_t t0 = rill_now();

	rill_interval_init(&iv, 10 * RILL_MS, RILL_MISSED_BURST);
	expect_tick(&iv, t0);
	rill_sleep(55 * RILL_MS);
	for (unsigned i = 1; i <= 5; i++) {
		expect_tick(&iv, t0 + i * 10 * RILL_MS);
		ASSERT_NOW(t0 + 55 * RILL_MS);
	}
	expect_tick(&iv, t0 + 60 * RILL_MS);
	ASSERT_NOW(t0 + 60 * RILL_MS);
	return NULL;
}

static void *delay_ticks(void *arg)
{
	struct rill_interval iv;
	uint64_t t0 = rill_now(), late;

	rill_interval_init(&iv, 10 * RILL_MS, RILL_MISSED_DELAY);
	expect_tick(&iv, t0);
	rill_sleep(55 * RILL_MS);
	late = rill_now();
	expect_tick(&iv, t0 + 10 * RILL_MS);
	expect_tick(&iv, late + 10 * RILL_MS);
	expect_tick(&iv, late + 20 * RILL_MS);
	return NULL;
}

static void *skip_ticks(void *arg)
{
	struct rill_interval iv;
	uint64_t t0 = rill_now();

	rill_interval_init(&iv, 10 * RILL_MS, RILL_MISSED_SKIP);
	expect_tick(&iv, t0);
	rill_sleep(55 * RILL_MS);
	expect_tick(&iv, t0 + 10 * RILL_MS);
	expect_tick(&iv, t0 + 60 * RILL_MS);
	expect_tick(&iv, t0 + 70 * RILL_MS);
	return NULL;
}

static void test_interval(void **state)
{
	in_paused_time(on_the_grid);
	in_paused_time(five_ms_rule);
	in_paused_time(burst_ticks);
	in_paused_time(delay_ticks);
	in_paused_time(skip_ticks);
}

/* A tick whose wait was ended is not lost. */
static void *cancelled_tick(void *arg)
{
	struct rill_interval iv;
	struct rill_scope scope;
	uint64_t t0 = rill_now();

	rill_interval_init(&iv, 10 * RILL_MS, RILL_MISSED_SKIP);
	expect_tick(&iv, t0);
	rill_scope_begin(&scope, rill_after(RILL_MS), NULL);
	RILL_ASSERT_CMP(rill_interval_tick(&iv, NULL), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
	expect_tick(&iv, t0 + 10 * RILL_MS);
	return NULL;
}

static void test_cancelled_tick(void **state)
{
	in_paused_time(cancelled_tick);
}

/* The next tick goes where it was put, and those after it count from there. */
static void *reset_ticks(void *arg)
{
	struct rill_interval iv;
	uint64_t t0 = rill_now();

	RILL_ASSERT_CMP(rill_interval_init_at(&iv, t0, 0, RILL_MISSED_BURST), ==, -EINVAL);
	RILL_ASSERT_CMP(
		rill_interval_init_at(&iv, t0 + 3 * RILL_MS, 10 * RILL_MS, RILL_MISSED_BURST), ==,
		0);
	RILL_ASSERT_CMP(rill_interval_period(&iv), ==, 10 * RILL_MS);
	expect_tick(&iv, t0 + 3 * RILL_MS);
	ASSERT_NOW(t0 + 3 * RILL_MS);
	expect_tick(&iv, t0 + 13 * RILL_MS);

	rill_sleep(4 * RILL_MS);
	t0 = rill_now();
	rill_interval_reset(&iv);
	expect_tick(&iv, t0 + 10 * RILL_MS);
	expect_tick(&iv, t0 + 20 * RILL_MS);

	t0 = rill_now();
	rill_interval_reset_immediately(&iv);
	expect_tick(&iv, t0);
	RILL_ASSERT_CMP(rill_now(), ==, t0);
	expect_tick(&iv, t0 + 10 * RILL_MS);

	t0 = rill_now();
	rill_interval_reset_after(&iv, RILL_MS);
	expect_tick(&iv, t0 + RILL_MS);
	ASSERT_NOW(t0 + RILL_MS);
	expect_tick(&iv, t0 + 11 * RILL_MS);

	rill_interval_reset_at(&iv, t0 + 12 * RILL_MS);
	expect_tick(&iv, t0 + 12 * RILL_MS);
	/* into the past, within what is still in time */
	t0 = rill_now();
	rill_interval_reset_at(&iv, t0 - RILL_MS);
	expect_tick(&iv, t0 - RILL_MS);
	expect_tick(&iv, t0 + 9 * RILL_MS);
	return NULL;
}

static void *change_of_mind(void *arg)
{
	struct rill_interval iv;
	uint64_t t0 = rill_now(), late;

	rill_interval_init(&iv, 10 * RILL_MS, RILL_MISSED_BURST);
	expect_tick(&iv, t0);
	rill_interval_set_missed(&iv, RILL_MISSED_DELAY);
	rill_sleep(25 * RILL_MS);
	late = rill_now();
	expect_tick(&iv, t0 + 10 * RILL_MS);
	expect_tick(&iv, late + 10 * RILL_MS);
	/* the end of time is no wrap to its beginning */
	rill_interval_init(&iv, RILL_FOREVER, RILL_MISSED_DELAY);
	t0 = rill_now();
	expect_tick(&iv, t0);
	RILL_ASSERT(iv.next_ns == RILL_FOREVER);
	return NULL;
}

/* A tick that another case came before is still there. */
static void *select_ticks(void *arg)
{
	struct rill_case cases[2];
	struct rill_interval iv;
	uint64_t t0 = rill_now(), scheduled = 0;
	struct gate gate;

	gate_init(&gate);
	rill_interval_init_at(&iv, t0 + RILL_MS, RILL_MS, RILL_MISSED_BURST);
	gate_case(&cases[0], &gate);
	rill_case_interval_tick(&cases[1], &iv, &scheduled);
	RILL_ASSERT_CMP(rill_select(cases, 2, 0), ==, 1);
	RILL_ASSERT_CMP(scheduled, ==, t0 + RILL_MS);
	ASSERT_NOW(t0 + RILL_MS);
	RILL_ASSERT_CMP(rill_clock_advance(RILL_MS), ==, 0);
	gate_post(&gate);
	gate_case(&cases[0], &gate);
	rill_case_interval_tick(&cases[1], &iv, &scheduled);
	RILL_ASSERT_CMP(rill_select(cases, 2, RILL_SELECT_BIASED), ==, 0);
	expect_tick(&iv, t0 + 2 * RILL_MS);
	return NULL;
}

static void test_interval_resets(void **state)
{
	in_paused_time(reset_ticks);
	in_paused_time(change_of_mind);
	in_paused_time(select_ticks);
}

/* ---- scopes ---- */

static void *scope_beats_sleep(void *arg)
{
	struct rill_scope scope;
	uint64_t t0 = rill_now();

	rill_scope_begin(&scope, t0 + 10 * RILL_MS, NULL);
	RILL_ASSERT_CMP(rill_sleep(5 * RILL_MS), ==, 0);
	RILL_ASSERT_CMP(rill_sleep(RILL_SEC), ==, -ETIMEDOUT);
	ASSERT_NOW(t0 + 10 * RILL_MS);
	/* from then on every call, without waiting */
	RILL_ASSERT_CMP(rill_sleep(RILL_SEC), ==, -ETIMEDOUT);
	RILL_ASSERT_CMP(rill_sleep(RILL_FOREVER), ==, -ETIMEDOUT);
	RILL_ASSERT_CMP(rill_yield(), ==, -ETIMEDOUT);
	ASSERT_NOW(t0 + 10 * RILL_MS);
	rill_scope_end(&scope);
	RILL_ASSERT_CMP(rill_sleep(RILL_MS), ==, 0);
	return NULL;
}

static void *nested(void *arg)
{
	struct rill_scope outer, inner;
	uint64_t t0 = rill_now();

	/* the inner one is tighter */
	rill_scope_begin(&outer, t0 + 20 * RILL_MS, NULL);
	rill_scope_begin(&inner, t0 + 10 * RILL_MS, NULL);
	RILL_ASSERT_CMP(rill_sleep(RILL_SEC), ==, -ETIMEDOUT);
	ASSERT_NOW(t0 + 10 * RILL_MS);
	rill_scope_end(&inner);
	RILL_ASSERT_CMP(rill_sleep(RILL_SEC), ==, -ETIMEDOUT);
	ASSERT_NOW(t0 + 20 * RILL_MS);
	/* the outer one is tighter */
	rill_scope_begin(&inner, RILL_FOREVER, NULL);
	RILL_ASSERT_CMP(rill_sleep(RILL_SEC), ==, -ETIMEDOUT);
	rill_scope_end(&inner);
	rill_scope_end(&outer);
	ASSERT_NOW(t0 + 20 * RILL_MS);
	return NULL;
}

static void *shielded(void *arg)
{
	struct rill_scope outer, shield, inner;
	uint64_t t0 = rill_now();

	rill_scope_begin(&outer, t0 + 10 * RILL_MS, NULL);
	rill_scope_begin_shield(&shield);
	RILL_ASSERT_CMP(rill_sleep(20 * RILL_MS), ==, 0);
	/* scopes inside the shield count */
	rill_scope_begin(&inner, t0 + 30 * RILL_MS, NULL);
	RILL_ASSERT_CMP(rill_sleep(RILL_SEC), ==, -ETIMEDOUT);
	ASSERT_NOW(t0 + 30 * RILL_MS);
	rill_scope_end(&inner);
	rill_scope_end(&shield);
	RILL_ASSERT_CMP(rill_sleep(1), ==, -ETIMEDOUT);
	rill_scope_end(&outer);
	return NULL;
}

static void test_scopes(void **state)
{
	in_paused_time(scope_beats_sleep);
	in_paused_time(nested);
	in_paused_time(shielded);
}

/* ---- timeouts ---- */

static int sleep_for(void *arg)
{
	return rill_sleep((uint64_t)(uintptr_t)arg);
}

static int not_blocking(void *arg)
{
	return 5;
}

static void *timeouts(void *arg)
{
	uint64_t t0 = rill_now();

	RILL_ASSERT_CMP(rill_timeout(RILL_SEC, sleep_for, (void *)(uintptr_t)RILL_MS), ==, 0);
	ASSERT_NOW(t0 + RILL_MS);
	t0 = rill_now();
	RILL_ASSERT_CMP(rill_timeout(RILL_MS, sleep_for, (void *)(uintptr_t)RILL_SEC), ==,
			-ETIMEDOUT);
	ASSERT_NOW(t0 + RILL_MS);
	/* the tighter one counts, from either side */
	RILL_ASSERT_CMP(rill_timeout_at(RILL_FOREVER, sleep_for, (void *)(uintptr_t)RILL_MS), ==,
			0);
	/* what does not block is called, and its result counts, be the deadline long past */
	RILL_ASSERT_CMP(rill_timeout_at(0, not_blocking, NULL), ==, 5);
	RILL_ASSERT_CMP(rill_timeout(0, not_blocking, NULL), ==, 5);
	/* the scope is gone again */
	RILL_ASSERT_CMP(rill_sleep(RILL_MS), ==, 0);
	return NULL;
}

static int wait_for_gate(void *arg)
{
	return gate_wait(arg);
}

struct post_at {
	struct gate *gate;
	uint64_t when;
};

static void *post_then(void *arg)
{
	struct post_at *p = arg;

	RILL_ASSERT_CMP(rill_sleep_until(p->when), ==, 0);
	gate_post(p->gate);
	return NULL;
}

/* Past the deadline a call that could succeed is not tried; one that waits takes what it finds. */
static void *ties(void *arg)
{
	struct gate gate;
	uint64_t t0 = rill_now();
	struct post_at p = {&gate, t0 + 2 * RILL_MS};

	gate_init(&gate);
	gate_post(&gate);
	RILL_ASSERT_CMP(rill_timeout_at(t0, wait_for_gate, &gate), ==, -ETIMEDOUT);
	RILL_ASSERT_CMP(rill_timeout_at(t0 + 1, wait_for_gate, &gate), ==, 0);

	/* both at the same moment: the post is first in the queue, the deadline wakes the waiter */
	struct rill_task *t = spawn(post_then, &p);

	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	RILL_ASSERT_CMP(rill_timeout_at(p.when, wait_for_gate, &gate), ==, 0);
	RILL_ASSERT_CMP(rill_now(), >=, p.when);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return NULL;
}

static void test_timeout(void **state)
{
	in_paused_time(timeouts);
	in_paused_time(ties);
	/* on a plain thread, too */
	assert_int_equal(rill_timeout(RILL_MS, sleep_for, (void *)(uintptr_t)RILL_FOREVER),
			 -ETIMEDOUT);
	assert_int_equal(rill_timeout(RILL_FOREVER, sleep_for, NULL), 0);
}

/* ---- tokens ---- */

static void *sleep_under_token(void *arg)
{
	struct rill_scope outer, inner;

	rill_scope_begin(&outer, rill_after(RILL_SEC), arg);
	rill_scope_begin(&inner, rill_after(2 * RILL_SEC), NULL);
	int r = rill_sleep(RILL_FOREVER);

	RILL_ASSERT_CMP(rill_sleep(1), ==, r);
	rill_scope_end(&inner);
	rill_scope_end(&outer);
	RILL_ASSERT_CMP(rill_sleep(1), ==, 0);
	return (void *)(intptr_t)r;
}

static void *tokens(void *arg)
{
	struct rill_token *token;
	struct rill_task *tasks[10];
	uint64_t t0 = rill_now();
	void *value;

	for (int cancel = 0; cancel < 2; cancel++) {
		RILL_ASSERT_CMP(rill_token_create(&token), ==, 0);
		for (int i = 0; i < 10; i++)
			tasks[i] = spawn(sleep_under_token, token);
		rill_sleep(RILL_MS);
		RILL_ASSERT(!rill_token_is_cancelled(token));
		if (cancel)
			rill_token_cancel(token);
		RILL_ASSERT(rill_token_is_cancelled(token) == cancel);
		for (int i = 0; i < 10; i++) {
			RILL_ASSERT_CMP(rill_join(tasks[i], &value), ==, 0);
			RILL_ASSERT_CMP((int)(intptr_t)value, ==, cancel ? -ECANCELED : -ETIMEDOUT);
		}
		rill_token_cancel(token);
		rill_token_cancel(token);
		rill_token_unref(token);
	}
	/* each step may have come a tick late */
	RILL_ASSERT_CMP(rill_now() - t0, >=, RILL_SEC + RILL_MS);
	RILL_ASSERT_CMP(rill_now() - t0, <, RILL_SEC + RILL_MS + 4 * TICK_NS);
	return NULL;
}

static void test_tokens(void **state)
{
	in_paused_time(tokens);
}

/* ---- the real clock ---- */

static void *never_early(void *arg)
{
	for (uint64_t i = 0; i < 200; i++) {
		uint64_t until = rill_after(i * 997);

		RILL_ASSERT_CMP(rill_sleep_until(until), ==, 0);
		RILL_ASSERT_CMP(rill_now(), >=, until);
	}
	return NULL;
}

static void test_never_early(void **state)
{
	in_each_flavor(never_early, NULL);
	/* on a plain thread */
	assert_null(never_early(NULL));
}

static void test_only_one_thread_may_pause(void **state)
{
	struct rill_runtime_options o = {RILL_OPTIONS(o), .start_paused = true};
	struct rill_runtime *rt;

	assert_int_equal(rill_runtime_create(&o, &rt), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paused_clock_jumps),
		cmocka_unit_test(test_sleepers_wake_in_order),
		cmocka_unit_test(test_after_saturates),
		cmocka_unit_test(test_interval),
		cmocka_unit_test(test_cancelled_tick),
		cmocka_unit_test(test_interval_resets),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_never_early),
		cmocka_unit_test(test_only_one_thread_may_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
