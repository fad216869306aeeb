/* SPDX-License-Identifier: BSD-3-Clause */
/* The cooperative budget, and how to live without it. */
#include <errno.h>

#include "tests/unit/runtime/rt.h"

#define BUDGET 16

static uint64_t budget_yields(void)
{
	struct rill_worker_metrics m;

	RILL_ASSERT_CMP(rill_runtime_worker_metrics(rill_runtime_current(), 0, &m), ==, 0);
	return m.budget_yields;
}

static struct rill_runtime *start_small(void)
{
	return start(
		(struct rill_runtime_options){.flavor = RILL_CURRENT_THREAD, .budget = BUDGET});
}

static void *remaining(void *arg)
{
	rill_yield();
	for (int i = 0; i < BUDGET; i++) {
		RILL_ASSERT(rill_has_budget_remaining());
		RILL_ASSERT_CMP(rill_consume_budget(), ==, 0);
	}
	RILL_ASSERT(!rill_has_budget_remaining());
	uint64_t before = budget_yields();

	RILL_ASSERT_CMP(rill_consume_budget(), ==, 0);
	RILL_ASSERT_CMP(budget_yields(), ==, before + 1);
	RILL_ASSERT(rill_has_budget_remaining());
	return NULL;
}

static void test_budget_remaining(void **state)
{
	struct rill_runtime *rt = start_small();

	run(rt, remaining, NULL);
	stop(rt);
	assert_true(rill_has_budget_remaining()); /* a plain thread's */
}

static void *unconstrained(void *arg)
{
	rill_yield();
	uint64_t before = budget_yields();

	rill_consume_budget();
	rill_unconstrained_begin();
	rill_unconstrained_begin();
	for (int i = 0; i < 10 * BUDGET; i++)
		RILL_ASSERT_CMP(rill_consume_budget(), ==, 0);
	rill_unconstrained_end();
	for (int i = 0; i < 10 * BUDGET; i++)
		RILL_ASSERT_CMP(rill_consume_budget(), ==, 0);
	RILL_ASSERT(rill_has_budget_remaining());
	/* also after it was away */
	rill_yield();
	for (int i = 0; i < 10 * BUDGET; i++)
		RILL_ASSERT_CMP(rill_consume_budget(), ==, 0);
	rill_unconstrained_end();
	RILL_ASSERT_CMP(budget_yields(), ==, before);
	/* what was left is back */
	for (int i = 0; i < BUDGET - 1; i++)
		RILL_ASSERT_CMP(rill_consume_budget(), ==, 0);
	RILL_ASSERT(!rill_has_budget_remaining());
	return NULL;
}

static void test_unconstrained(void **state)
{
	struct rill_runtime *rt = start_small();

	run(rt, unconstrained, NULL);
	stop(rt);
	rill_unconstrained_begin(); /* nothing to do on a plain thread */
	rill_unconstrained_end();
}

static int count_calls(void *arg)
{
	++*(unsigned *)arg;
	return -EAGAIN;
}

static int count_successes(void *arg)
{
	return (int)++*(unsigned *)arg;
}

static void *cooperative(void *arg)
{
	unsigned calls = 0;
	uint64_t before = budget_yields();

	rill_yield();
	/* no progress, no cost */
	for (int i = 0; i < 10 * BUDGET; i++)
		RILL_ASSERT_CMP(rill_cooperative(count_calls, &calls), ==, -EAGAIN);
	RILL_ASSERT_CMP(calls, ==, 10u * BUDGET);
	RILL_ASSERT_CMP(budget_yields(), ==, before);
	for (int i = 0; i < 10 * BUDGET; i++)
		RILL_ASSERT_CMP(rill_cooperative(count_successes, &calls), >, 0);
	RILL_ASSERT_CMP(budget_yields(), ==, before + 9);
	return NULL;
}

static void test_cooperative(void **state)
{
	struct rill_runtime *rt = start_small();

	run(rt, cooperative, NULL);
	stop(rt);
}

static void *own_budget(void *arg)
{
	unsigned n = 0;

	while (rill_has_budget_remaining()) {
		RILL_ASSERT_CMP(rill_consume_budget(), ==, 0);
		n++;
	}
	return (void *)(uintptr_t)n;
}

static void test_budget_per_task(void **state)
{
	struct rill_runtime *rt = start_small();
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt, .budget = 5};
	struct rill_task *t;

	assert_int_equal(rill_spawn_with(&o, own_budget, NULL, &t), 0);
	assert_int_equal((uintptr_t)run(rt, own_budget, NULL), BUDGET);
	void *n;

	assert_int_equal(rill_join(t, &n), 0);
	assert_int_equal((uintptr_t)n, 5);
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budget_remaining),
		cmocka_unit_test(test_unconstrained),
		cmocka_unit_test(test_cooperative),
		cmocka_unit_test(test_budget_per_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
