/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/runtime/rt.h"

static void in_paused_time(void *(*fn)(void *))
{
	struct rill_runtime *rt = start_paused();

	run(rt, fn, NULL);
	stop(rt);
}

static void *first_of_three(void *arg)
{
	uint64_t t0 = rill_now();
	struct rill_case c[3];

	for (int first = 0; first < 3; first++) {
		t0 = rill_now();
		for (int i = 0; i < 3; i++)
			rill_case_sleep_until(&c[i], t0 + (i == first ? 10 : 20) * RILL_MS);
		c[first].result = 99;
		RILL_ASSERT_CMP(rill_select(c, 3, 0), ==, first);
		RILL_ASSERT_CMP(c[first].result, ==, 0);
		RILL_ASSERT_CMP(rill_now(), <, t0 + 11 * RILL_MS);
		RILL_ASSERT_CMP(rill_now(), >=, t0 + 10 * RILL_MS);
	}
	return NULL;
}

static void test_first_deadline_wins(void **state)
{
	in_paused_time(first_of_three);
}

static void *starts(void *arg)
{
	unsigned seen[4] = {0};
	struct rill_case c[4];

	for (int n = 0; n < 400; n++) {
		for (int i = 0; i < 4; i++)
			rill_case_sleep_until(&c[i], 0);
		RILL_ASSERT_CMP(rill_select(c, 4, RILL_SELECT_BIASED), ==, 0);
		seen[rill_select(c, 4, 0)]++;
		/* in order: the first that is ready */
		rill_case_sleep_until(&c[0], RILL_FOREVER);
		RILL_ASSERT_CMP(rill_select(c, 4, RILL_SELECT_BIASED), ==, 1);
		RILL_ASSERT_CMP(rill_select(c, 4, 0), !=, 0);
	}
	/* 100 expected with a deviation of 9 */
	for (int i = 0; i < 4; i++)
		RILL_ASSERT(seen[i] > 40 && seen[i] < 160);
	return NULL;
}

static void test_biased_and_random_start(void **state)
{
	in_paused_time(starts);
}

static void *limits(void *arg)
{
	struct rill_case c[RILL_SELECT_MAX + 1];
	uint64_t t0 = rill_now();

	RILL_ASSERT_CMP(rill_select(c, 0, 0), ==, -EINVAL);
	for (int i = 0; i <= RILL_SELECT_MAX; i++)
		rill_case_sleep_until(&c[i], t0 + (unsigned)(100 - i) * RILL_MS);
	RILL_ASSERT_CMP(rill_select(c, RILL_SELECT_MAX + 1, 0), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_select(c, RILL_SELECT_MAX, RILL_SELECT_NONBLOCKING), ==, -EAGAIN);
	RILL_ASSERT_CMP(rill_now(), ==, t0);
	RILL_ASSERT_CMP(rill_select(c, RILL_SELECT_MAX, 0), ==, RILL_SELECT_MAX - 1);
	RILL_ASSERT_CMP(rill_select(c, RILL_SELECT_MAX, RILL_SELECT_NONBLOCKING), ==,
			RILL_SELECT_MAX - 1);
	return NULL;
}

static void test_limits(void **state)
{
	in_paused_time(limits);
}

static void *ended_by_scope(void *arg)
{
	struct rill_scope scope;
	struct rill_token *token;
	struct rill_case c[2];

	rill_case_sleep_until(&c[0], RILL_FOREVER);
	rill_case_sleep_until(&c[1], rill_after(RILL_SEC));
	rill_scope_begin(&scope, rill_after(RILL_MS), NULL);
	RILL_ASSERT_CMP(rill_select(c, 2, 0), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
	RILL_ASSERT_CMP(rill_token_create(&token), ==, 0);
	rill_token_cancel(token);
	rill_scope_begin(&scope, RILL_FOREVER, token);
	RILL_ASSERT_CMP(rill_select(c, 2, 0), ==, -ECANCELED);
	rill_scope_end(&scope);
	rill_token_unref(token);
	RILL_ASSERT_CMP(rill_select(c, 2, 0), ==, 1);
	return NULL;
}

static void test_scopes(void **state)
{
	in_paused_time(ended_by_scope);
}

/* ---- things that are handed over ---- */

static void *wait_for_any(void *arg)
{
	struct gate *gates = arg;
	struct rill_case c[4];

	for (int i = 0; i < 3; i++)
		gate_case(&c[i], &gates[i]);
	rill_case_sleep_until(&c[3], rill_after(RILL_SEC));
	return (void *)(intptr_t)rill_select(c, 4, 0);
}

/* Whoever is chosen took one permit, and the others have lost none. */
static void *one_is_taken(void *arg)
{
	struct gate gates[3];
	void *value;

	for (int i = 0; i < 3; i++)
		gate_init(&gates[i]);
	struct rill_task *t = spawn(wait_for_any, gates);

	rill_sleep(RILL_MS);
	/* granted all three before it runs again */
	for (int i = 0; i < 3; i++)
		gate_post(&gates[i]);
	RILL_ASSERT_CMP(rill_join(t, &value), ==, 0);
	int chosen = (int)(intptr_t)value;

	RILL_ASSERT(chosen >= 0 && chosen < 3);
	for (int i = 0; i < 3; i++) {
		RILL_ASSERT_CMP(gates[i].permits, ==, i == chosen ? 0u : 1u);
		RILL_ASSERT(rill_list_empty(&gates[i].waiters));
	}
	return NULL;
}

/* A grant that the one waiter has no use for goes on to the next. */
static void *passed_on(void *arg)
{
	struct gate gates[3];
	void *value[2];
	struct rill_task *t[2];

	for (int i = 0; i < 3; i++)
		gate_init(&gates[i]);
	for (int i = 0; i < 2; i++) {
		t[i] = spawn(wait_for_any, gates);
		rill_sleep(RILL_MS);
	}
	/* both grants to the first waiter */
	gate_post(&gates[0]);
	gate_post(&gates[1]);
	for (int i = 0; i < 2; i++)
		RILL_ASSERT_CMP(rill_join(t[i], &value[i]), ==, 0);
	RILL_ASSERT_CMP((int)(intptr_t)value[0] + (int)(intptr_t)value[1], ==, 1);
	RILL_ASSERT_CMP(gates[0].permits + gates[1].permits, ==, 0u);
	return NULL;
}

static void test_grants(void **state)
{
	in_paused_time(one_is_taken);
	in_paused_time(passed_on);
}

/* Producers, consumers with selects over two gates with tiny time-outs: every permit is taken once.
 */
struct market {
	struct gate gates[2];
	RILL_ATOMIC(unsigned) taken;
};

#define POSTS ROUNDS(20000)

static void *produce(void *arg)
{
	struct market *m = arg;

	for (unsigned i = 0; i < POSTS; i++) {
		gate_post(&m->gates[i % 2]);
		if (i % 16 == 0)
			rill_yield();
	}
	return NULL;
}

static void *consume(void *arg)
{
	struct market *m = arg;
	struct rill_case c[3];

	while (rill_load_relaxed(&m->taken) < 2 * POSTS) {
		gate_case(&c[0], &m->gates[0]);
		gate_case(&c[1], &m->gates[1]);
		rill_case_sleep_until(&c[2], rill_after(20 * RILL_US));
		if (rill_select(c, 3, 0) < 2)
			rill_fetch_add_relaxed(&m->taken, 1);
	}
	return NULL;
}

static void *trade(void *arg)
{
	struct market m = {.taken = 0};
	struct rill_task *t[5];

	gate_init(&m.gates[0]);
	gate_init(&m.gates[1]);
	for (int i = 0; i < 5; i++)
		t[i] = spawn(i < 2 ? produce : consume, &m);
	for (int i = 0; i < 5; i++)
		RILL_ASSERT_CMP(rill_join(t[i], NULL), ==, 0);
	RILL_ASSERT_CMP(m.taken, ==, 2u * POSTS);
	RILL_ASSERT_CMP(m.gates[0].permits + m.gates[1].permits, ==, 0u);
	return NULL;
}

static void test_no_permit_is_lost(void **state)
{
	in_each_flavor(trade, NULL);
}

static void test_plain_thread(void **state)
{
	struct rill_case c[2];

	rill_case_sleep_until(&c[0], RILL_FOREVER);
	rill_case_sleep_until(&c[1], rill_after(RILL_MS));
	assert_int_equal(rill_select(c, 2, RILL_SELECT_NONBLOCKING), -EAGAIN);
	assert_int_equal(rill_select(c, 2, 0), 1);
	assert_int_equal(rill_select(c, 0, 0), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_deadline_wins),
		cmocka_unit_test(test_biased_and_random_start),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_grants),
		cmocka_unit_test(test_no_permit_is_lost),
		cmocka_unit_test(test_plain_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
