/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <rill/group.h>
#include <string.h>

#include "tests/unit/runtime/bodies.h"

static struct rill_join_queue *queue_new(void)
{
	struct rill_join_queue *q = NULL;

	RILL_ASSERT_CMP(rill_join_queue_create(&q), ==, 0);
	return q;
}

static void *spawn_order(void *arg)
{
	static const int order[] = {2, 0, 1};
	struct rill_join_queue *q = queue_new();
	struct rill_outcome o;
	struct gate gates[3];

	for (int i = 0; i < 3; i++) {
		gate_init(&gates[i]);
		RILL_ASSERT_CMP(rill_join_queue_spawn(q, wait_at_gate, &gates[i]), ==, 0);
	}
	gate_post(&gates[order[0]]);
	for (int i = 0; i < 3; i++)
		rill_yield();
	/* The last has ended; the first has not. */
	RILL_ASSERT_CMP(rill_join_queue_try_join_next(q, &o), ==, -EAGAIN);
	gate_post(&gates[order[1]]);
	gate_post(&gates[order[2]]);
	RILL_ASSERT_CMP((int)rill_join_queue_len(q), ==, 3);
	for (int i = 0; i < 3; i++) {
		RILL_ASSERT_CMP(rill_join_queue_join_next(q, &o), ==, 0);
		RILL_ASSERT(o.value == &gates[i]);
	}
	RILL_ASSERT(rill_join_queue_is_empty(q));
	RILL_ASSERT_CMP(rill_join_queue_join_next(q, &o), ==, -ENOENT);
	rill_join_queue_destroy(q);
	return NULL;
}

static void test_spawn_order(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, spawn_order, NULL);
	stop(rt);
}

struct joiner {
	struct rill_join_queue *q;
	void *value;
};

static void *join_one(void *arg)
{
	struct joiner *j = arg;
	struct rill_outcome o;

	RILL_ASSERT_CMP(rill_join_queue_join_next(j->q, &o), ==, 0);
	j->value = o.value;
	return NULL;
}

/* The end of the first makes two ready, for two who wait. */
static void *two_joiners(void *arg)
{
	struct rill_join_queue *q = queue_new();
	struct joiner j[2] = {{q, NULL}, {q, NULL}};
	struct rill_task *t[2];
	struct gate g;

	gate_init(&g);
	RILL_ASSERT_CMP(rill_join_queue_spawn(q, wait_at_gate, &g), ==, 0);
	RILL_ASSERT_CMP(rill_join_queue_spawn(q, same, q), ==, 0);
	for (int i = 0; i < 2; i++)
		t[i] = spawn(join_one, &j[i]);
	for (int i = 0; i < 5; i++)
		rill_yield();
	gate_post(&g);
	for (int i = 0; i < 2; i++)
		RILL_ASSERT_CMP(rill_join(t[i], NULL), ==, 0);
	RILL_ASSERT((j[0].value == &g && j[1].value == q) || (j[1].value == &g && j[0].value == q));
	rill_join_queue_destroy(q);
	return NULL;
}

static void test_two_joiners(void **state)
{
	in_each_flavor(two_joiners, NULL);
}

static void *join_cancelled(void *arg)
{
	struct rill_join_queue *q = queue_new();
	struct rill_scope scope;
	struct rill_outcome o;
	struct rill_case c;
	struct gate g;

	gate_init(&g);
	RILL_ASSERT_CMP(rill_join_queue_spawn(q, wait_at_gate, &g), ==, 0);
	RILL_ASSERT_CMP(rill_join_queue_spawn(q, same, q), ==, 0);
	rill_scope_begin(&scope, rill_after(RILL_MS), NULL);
	RILL_ASSERT_CMP(rill_join_queue_join_next(q, &o), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
	gate_post(&g);
	rill_case_join_queue(&c, q, &o);
	RILL_ASSERT_CMP(rill_select(&c, 1, 0), ==, 0);
	RILL_ASSERT(c.result == 0 && o.value == &g);
	RILL_ASSERT_CMP(rill_join_queue_join_next(q, &o), ==, 0);
	RILL_ASSERT(o.value == q);
	rill_join_queue_destroy(q);
	return NULL;
}

static void test_join_next_is_cancel_safe(void **state)
{
	in_each_flavor(join_cancelled, NULL);
}

static void *abort_detach(void *arg)
{
	struct rill_join_queue *q = queue_new();
	struct rill_abort_handle h;
	struct rill_outcome o;

	for (int i = 0; i < 6; i++)
		RILL_ASSERT_CMP(
			rill_join_queue_spawn_with(q, NULL, i % 2 ? same : sleep_for_ever, q, &h),
			==, 0);
	while (!rill_is_finished_by(h))
		rill_yield();
	rill_join_queue_abort_all(q);
	RILL_ASSERT_CMP((int)rill_join_queue_len(q), ==, 6);
	RILL_ASSERT_CMP(rill_join_queue_join_next(q, &o), ==, 0);
	RILL_ASSERT_CMP(o.status, ==, RILL_JOIN_ABORTED);
	/* among them some that have ended */
	rill_join_queue_detach_all(q);
	RILL_ASSERT(rill_join_queue_is_empty(q));
	RILL_ASSERT_CMP(rill_join_queue_spawn_blocking(q, NULL, same, q, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_join_queue_join_next(q, &o), ==, 0);
	RILL_ASSERT(o.value == q);
	RILL_ASSERT_CMP(rill_join_queue_spawn(q, sleep_for_ever, q), ==, 0);
	RILL_ASSERT_CMP(rill_join_queue_shutdown(q), ==, 0);
	RILL_ASSERT(rill_join_queue_is_empty(q));
	rill_join_queue_destroy(q);
	until_alone();
	return NULL;
}

static void test_abort_and_detach(void **state)
{
	in_each_flavor(abort_detach, NULL);
}

static void *destroy_running(void *arg)
{
	for (int round = 0; round < 50; round++) {
		struct rill_join_queue *q = queue_new();

		for (uintptr_t i = 0; i < 10; i++)
			RILL_ASSERT_CMP(
				rill_join_queue_spawn(q, i % 3 ? nap : sleep_for_ever, (void *)i),
				==, 0);
		for (int i = 0; i < round % 5; i++)
			rill_yield();
		rill_join_queue_destroy(q);
	}
	until_alone();
	return NULL;
}

static void test_destroy_while_tasks_run(void **state)
{
	struct rill_runtime *rt = start_multi(4);

	run(rt, destroy_running, NULL);
	stop(rt);
}

static void in_order(void *user, const struct rill_outcome *o)
{
	uintptr_t *next = user;

	RILL_ASSERT_CMP((uintptr_t)o->value, ==, (*next)++);
}

static void *many(void *arg)
{
	struct rill_join_queue *q = queue_new();
	uintptr_t n = ROUNDS(20000), next = 0;

	for (uintptr_t i = 0; i < n; i++)
		RILL_ASSERT_CMP(rill_join_queue_spawn(q, nap, (void *)i), ==, 0);
	RILL_ASSERT_CMP(rill_join_queue_join_all(q, in_order, &next, NULL), ==, 0);
	RILL_ASSERT_CMP(next, ==, n);
	rill_join_queue_destroy(q);
	return NULL;
}

static void test_many_in_order(void **state)
{
	struct rill_runtime *rt = start_multi(4);

	run(rt, many, NULL);
	assert_int_equal(rill_runtime_live_tasks(rt), 0);
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spawn_order),
		cmocka_unit_test(test_two_joiners),
		cmocka_unit_test(test_join_next_is_cancel_safe),
		cmocka_unit_test(test_abort_and_detach),
		cmocka_unit_test(test_destroy_while_tasks_run),
		cmocka_unit_test(test_many_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
