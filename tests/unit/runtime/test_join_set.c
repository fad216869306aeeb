/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <rill/group.h>
#include <string.h>

#include "tests/unit/runtime/bodies.h"

static struct rill_join_set *set_new(void)
{
	struct rill_join_set *set = NULL;

	RILL_ASSERT_CMP(rill_join_set_create(&set), ==, 0);
	return set;
}

static void yield_times(int n)
{
	for (int i = 0; i < n; i++)
		rill_yield();
}

/* ---- the order and the count ---- */

static void *completion_order(void *arg)
{
	static const int order[] = {2, 0, 1};
	struct rill_join_set *set = set_new();
	struct rill_outcome o;
	struct gate gates[3];

	for (int i = 0; i < 3; i++) {
		gate_init(&gates[i]);
		RILL_ASSERT_CMP(rill_join_set_spawn(set, wait_at_gate, &gates[i]), ==, 0);
	}
	RILL_ASSERT_CMP(rill_join_set_try_join_next(set, &o), ==, -EAGAIN);
	for (int i = 0; i < 3; i++) {
		gate_post(&gates[order[i]]);
		/* Ended, and still counted until it is joined. */
		yield_times(3);
		RILL_ASSERT_CMP((int)rill_join_set_len(set), ==, 3);
	}
	for (int i = 0; i < 3; i++) {
		RILL_ASSERT_CMP((int)rill_join_set_len(set), ==, 3 - i);
		RILL_ASSERT_CMP(rill_join_set_join_next(set, &o), ==, 0);
		RILL_ASSERT_CMP(o.status, ==, 0);
		RILL_ASSERT(o.value == &gates[order[i]]);
	}
	RILL_ASSERT(rill_join_set_is_empty(set));
	RILL_ASSERT_CMP(rill_join_set_join_next(set, &o), ==, -ENOENT);
	RILL_ASSERT_CMP(rill_join_set_try_join_next(set, &o), ==, -ENOENT);
	rill_join_set_destroy(set);
	return NULL;
}

static void test_completion_order(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, completion_order, NULL);
	stop(rt);
}

static void *outcomes(void *arg)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .name = "one of the set"};
	struct rill_join_set *set = set_new();
	struct rill_abort_handle h;
	struct rill_outcome out;

	RILL_ASSERT_CMP(rill_join_set_spawn_with(set, &o, sleep_for_ever, &h, &h), ==, 0);
	RILL_ASSERT(!rill_is_finished_by(h));
	yield_times(3);
	rill_abort_by(h);
	RILL_ASSERT_CMP(rill_join_set_join_next(set, &out), ==, 0);
	RILL_ASSERT_CMP(out.status, ==, RILL_JOIN_ABORTED);
	RILL_ASSERT(out.id == h.id && !strcmp(out.name, "one of the set") && !out.reason[0]);
	RILL_ASSERT(rill_is_finished_by(h));
	RILL_ASSERT_CMP(rill_join_set_spawn_with(set, NULL, NULL, NULL, NULL), ==, -EINVAL);
	RILL_ASSERT(rill_join_set_is_empty(set));
	rill_join_set_destroy(set);
	return NULL;
}

static void test_outcomes(void **state)
{
	in_each_flavor(outcomes, NULL);
}

static void *blocking(void *arg)
{
	struct rill_join_set *set = set_new();
	struct rill_outcome o;

	RILL_ASSERT_CMP(rill_join_set_spawn_blocking(set, NULL, same, set, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_join_set_join_next(set, &o), ==, 0);
	RILL_ASSERT(o.status == 0 && o.value == set);
	rill_join_set_destroy(set);
	return NULL;
}

static void test_spawn_blocking(void **state)
{
	in_each_flavor(blocking, NULL);
}

/* ---- waiting ---- */

static void *join_cancelled(void *arg)
{
	struct rill_join_set *set = set_new();
	struct rill_token *token;
	struct rill_scope scope;
	struct rill_outcome o;
	struct gate g;

	gate_init(&g);
	RILL_ASSERT_CMP(rill_token_create(&token), ==, 0);
	RILL_ASSERT_CMP(rill_join_set_spawn(set, wait_at_gate, &g), ==, 0);
	rill_scope_begin(&scope, rill_after(RILL_MS), token);
	RILL_ASSERT_CMP(rill_join_set_join_next(set, &o), ==, -ETIMEDOUT);
	gate_post(&g);
	rill_token_cancel(token);
	/* There is one to take, and it is not taken. */
	RILL_ASSERT_CMP(rill_join_set_join_next(set, &o), ==, -ECANCELED);
	rill_scope_end(&scope);
	RILL_ASSERT_CMP((int)rill_join_set_len(set), ==, 1);
	RILL_ASSERT_CMP(rill_join_set_join_next(set, &o), ==, 0);
	RILL_ASSERT(o.value == &g);
	rill_token_unref(token);
	rill_join_set_destroy(set);
	return NULL;
}

static void test_join_next_is_cancel_safe(void **state)
{
	in_each_flavor(join_cancelled, NULL);
}

static void *select_two(void *arg)
{
	struct rill_join_set *a = set_new(), *b = set_new();
	struct rill_outcome oa = {.id = 7}, ob;
	struct rill_case cases[2];
	struct gate g;

	gate_init(&g);
	RILL_ASSERT_CMP(rill_join_set_spawn(a, sleep_for_ever, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_join_set_spawn(b, wait_at_gate, &g), ==, 0);
	for (int i = 0; i < 2; i++) {
		rill_case_join_set(&cases[0], a, &oa);
		rill_case_join_set(&cases[1], b, &ob);
		if (i == 0) {
			gate_post(&g);
			RILL_ASSERT_CMP(rill_select(cases, 2, 0), ==, 1);
			RILL_ASSERT(cases[1].result == 0 && ob.value == &g && oa.id == 7);
		} else {
			/* An empty set completes with -ENOENT. */
			RILL_ASSERT_CMP(rill_select(cases, 2, 0), ==, 1);
			RILL_ASSERT_CMP(cases[1].result, ==, -ENOENT);
		}
	}
	RILL_ASSERT_CMP(rill_join_set_shutdown(a), ==, 0);
	rill_join_set_destroy(a);
	rill_join_set_destroy(b);
	return NULL;
}

static void test_select(void **state)
{
	in_each_flavor(select_two, NULL);
}

struct joiner {
	struct rill_join_set *set;
	int result;
};

static void *join_one(void *arg)
{
	struct joiner *j = arg;
	struct rill_outcome o;

	j->result = rill_join_set_join_next(j->set, &o);
	return NULL;
}

/* Two wait, one task: the second learns that the set is empty. */
static void *two_joiners(void *arg)
{
	struct rill_join_set *set = set_new();
	struct joiner j[2] = {{set, 1}, {set, 1}};
	struct rill_task *t[2];
	struct gate g;

	gate_init(&g);
	RILL_ASSERT_CMP(rill_join_set_spawn(set, wait_at_gate, &g), ==, 0);
	for (int i = 0; i < 2; i++)
		t[i] = spawn(join_one, &j[i]);
	yield_times(5);
	gate_post(&g);
	for (int i = 0; i < 2; i++)
		RILL_ASSERT_CMP(rill_join(t[i], NULL), ==, 0);
	RILL_ASSERT_CMP(j[0].result + j[1].result, ==, -ENOENT);
	rill_join_set_destroy(set);
	return NULL;
}

static void test_two_joiners(void **state)
{
	in_each_flavor(two_joiners, NULL);
}

/* A loop over what is there already lets others run. */
static void *budget(void *arg)
{
	struct rill_join_set *set = set_new();
	struct rill_worker *w = rill_worker_current();
	struct rill_outcome o;

	for (int i = 0; i < 1000; i++)
		RILL_ASSERT_CMP(rill_join_set_spawn(set, same, NULL), ==, 0);
	while (rill_runtime_live_tasks(w->rt) > 1)
		rill_yield();
	RILL_ASSERT_CMP((int)rill_join_set_len(set), ==, 1000);
	uint64_t yields = rill_load_relaxed(&w->metrics.budget_yields);

	for (int i = 0; i < 1000; i++)
		RILL_ASSERT_CMP(rill_join_set_join_next(set, &o), ==, 0);
	/* the one worker */
	RILL_ASSERT(rill_load_relaxed(&w->metrics.budget_yields) - yields >= 1000 / 128);
	rill_join_set_destroy(set);
	return NULL;
}

static void test_budget(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, budget, NULL);
	stop(rt);
}

static void test_plain_thread(void **state)
{
	struct rill_runtime *rt = start_multi(2);
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt};
	struct rill_join_set *set = set_new();
	struct rill_outcome out;
	uintptr_t sum = 0;

	assert_int_equal(rill_join_set_spawn(set, same, NULL), -EINVAL);
	for (uintptr_t i = 0; i < 1000; i++)
		assert_int_equal(rill_join_set_spawn_with(set, &o, same, (void *)i, NULL), 0);
	while (rill_join_set_join_next(set, &out) == 0)
		sum += (uintptr_t)out.value;
	assert_int_equal(sum, 999 * 1000 / 2);
	rill_join_set_destroy(set);
	stop(rt);
}

/* ---- abort, detach, shutdown, destroy ---- */

static void *abort_keeps(void *arg)
{
	struct rill_join_set *set = set_new();
	struct rill_outcome o;
	int aborted = 0;

	RILL_ASSERT_CMP(rill_join_set_spawn(set, same, set), ==, 0);
	yield_times(3);
	for (int i = 0; i < 10; i++)
		RILL_ASSERT_CMP(rill_join_set_spawn(set, sleep_for_ever, NULL), ==, 0);
	rill_join_set_abort_all(set);
	RILL_ASSERT_CMP((int)rill_join_set_len(set), ==, 11);
	for (int i = 0; i < 11; i++) {
		RILL_ASSERT_CMP(rill_join_set_join_next(set, &o), ==, 0);
		aborted += o.status == RILL_JOIN_ABORTED;
		RILL_ASSERT(o.status == RILL_JOIN_ABORTED || o.value == set);
	}
	RILL_ASSERT_CMP(aborted, ==, 10);
	RILL_ASSERT_CMP(rill_join_set_join_next(set, &o), ==, -ENOENT);
	rill_join_set_destroy(set);
	return NULL;
}

static void test_abort_all_keeps_the_entries(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, abort_keeps, NULL);
	stop(rt);
}

/* Aborts meet ends: each task is heard of once. */
static void *abort_races(void *arg)
{
	struct rill_join_set *set = set_new();
	struct rill_outcome o;

	for (uintptr_t round = 0; round < ROUNDS(1000); round++) {
		uintptr_t ended = 0;

		for (uintptr_t i = 1; i <= 20; i++)
			RILL_ASSERT_CMP(rill_join_set_spawn(set, nap, (void *)i), ==, 0);
		for (uintptr_t i = 0; i < round % 8; i++)
			rill_yield();
		rill_join_set_abort_all(set);
		while (rill_join_set_join_next(set, &o) == 0) {
			RILL_ASSERT(o.status == RILL_JOIN_ABORTED || o.value);
			ended++;
		}
		RILL_ASSERT_CMP((int)ended, ==, 20);
	}
	rill_join_set_destroy(set);
	return NULL;
}

static void test_abort_all_during_completion(void **state)
{
	struct rill_runtime *rt = start_multi(4);

	run(rt, abort_races, NULL);
	assert_int_equal(rill_runtime_live_tasks(rt), 0);
	stop(rt);
}

static void *detach(void *arg)
{
	struct rill_join_set *set = set_new();
	struct rill_outcome o;
	struct gate done;

	gate_init(&done);
	RILL_ASSERT_CMP(rill_join_set_spawn(set, same, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_join_set_spawn(set, wait_at_gate, &done), ==, 0);
	yield_times(3);
	rill_join_set_detach_all(set);
	RILL_ASSERT(rill_join_set_is_empty(set));
	RILL_ASSERT_CMP(rill_join_set_join_next(set, &o), ==, -ENOENT);
	/* and it goes on with others */
	RILL_ASSERT_CMP(rill_join_set_spawn(set, same, set), ==, 0);
	RILL_ASSERT_CMP(rill_join_set_join_next(set, &o), ==, 0);
	RILL_ASSERT(o.value == set);
	rill_join_set_destroy(set);
	/* It waits still, not aborted, and the set is freed when it ends. */
	while (rill_runtime_live_tasks(rill_runtime_current()) > 2)
		rill_yield();
	for (int i = 0; i < 10; i++)
		rill_yield();
	RILL_ASSERT_CMP((int)rill_runtime_live_tasks(rill_runtime_current()), ==, 2);
	gate_post(&done);
	until_alone();
	return NULL;
}

static void test_detach_all(void **state)
{
	in_each_flavor(detach, NULL);
}

static void *destroy_running(void *arg)
{
	for (int round = 0; round < 50; round++) {
		struct rill_join_set *set = set_new();

		for (uintptr_t i = 0; i < 10; i++)
			RILL_ASSERT_CMP(
				rill_join_set_spawn(set, i % 3 ? sleep_for_ever : nap, (void *)i),
				==, 0);
		for (int i = 0; i < round % 5; i++)
			rill_yield();
		rill_join_set_destroy(set);
	}
	until_alone();
	rill_join_set_destroy(NULL);
	return NULL;
}

static void test_destroy_while_tasks_run(void **state)
{
	struct rill_runtime *rt = start_multi(4);

	in_each_flavor(destroy_running, NULL);
	run(rt, destroy_running, NULL);
	stop(rt);
}

static void *shut(void *arg)
{
	struct rill_join_set *set = set_new();
	struct rill_scope scope;
	struct gate g;

	gate_init(&g);
	for (int i = 0; i < 10; i++)
		RILL_ASSERT_CMP(rill_join_set_spawn(set, i ? sleep_for_ever : same, set), ==, 0);
	rill_scope_begin(&scope, 0, NULL);
	RILL_ASSERT_CMP(rill_join_set_shutdown(set), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
	RILL_ASSERT_CMP(rill_join_set_shutdown(set), ==, 0);
	RILL_ASSERT(rill_join_set_is_empty(set));
	RILL_ASSERT_CMP(rill_join_set_shutdown(set), ==, 0);
	rill_join_set_destroy(set);
	return NULL;
}

static void test_shutdown(void **state)
{
	in_each_flavor(shut, NULL);
}

/* ---- join_all ---- */

static void add(void *user, const struct rill_outcome *o)
{
	*(uintptr_t *)user += (uintptr_t)o->value;
}

static void *fails(void *arg)
{
	rill_fail("no %s", "luck");
}

static void *join_all(void *arg)
{
	struct rill_join_set *set = set_new();
	struct rill_outcome o = {.id = 7};
	uintptr_t sum = 0;

	RILL_ASSERT_CMP(rill_join_set_join_all(set, add, &sum, &o), ==, 0);
	for (uintptr_t i = 1; i <= 100; i++)
		RILL_ASSERT_CMP(rill_join_set_spawn(set, nap, (void *)i), ==, 0);
	RILL_ASSERT_CMP(rill_join_set_join_all(set, add, &sum, &o), ==, 0);
	RILL_ASSERT(sum == 5050 && o.id == 7);

	RILL_ASSERT_CMP(rill_join_set_spawn(set, sleep_for_ever, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_join_set_spawn(set, fails, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_join_set_join_all(set, add, &sum, &o), ==, RILL_JOIN_FAILED);
	RILL_ASSERT(o.status == RILL_JOIN_FAILED && !strcmp(o.reason, "no luck"));
	/* the other was aborted, and is there to be joined */
	RILL_ASSERT_CMP((int)rill_join_set_len(set), ==, 1);
	RILL_ASSERT_CMP(rill_join_set_join_all(set, NULL, NULL, &o), ==, RILL_JOIN_ABORTED);
	RILL_ASSERT(rill_join_set_is_empty(set));
	rill_join_set_destroy(set);
	return NULL;
}

static void test_join_all(void **state)
{
	in_each_flavor(join_all, NULL);
}

/* ---- many ---- */

struct crowd {
	struct rill_join_set *set;
	RILL_ATOMIC(uint64_t) joined;
	RILL_ATOMIC(uint64_t) sum;
};

#define CROWD_TASKS ROUNDS(20000)

static void *crowd_joins(void *arg)
{
	struct crowd *c = arg;
	struct rill_outcome o;
	int r;

	while ((r = rill_join_set_join_next(c->set, &o)) == 0) {
		RILL_ASSERT_CMP(o.status, ==, 0);
		rill_fetch_add_relaxed(&c->joined, 1);
		rill_fetch_add_relaxed(&c->sum, (uintptr_t)o.value);
	}
	RILL_ASSERT_CMP(r, ==, -ENOENT);
	return NULL;
}

static void *crowd_spawns(void *arg)
{
	struct crowd *c = arg;

	for (uintptr_t i = 0; i < CROWD_TASKS; i++) {
		RILL_ASSERT_CMP(rill_join_set_spawn(c->set, i % 16 ? same : nap, (void *)i), ==, 0);
		if (i % 64 == 0)
			crowd_joins(c);
	}
	return NULL;
}

static void *crowd(void *arg)
{
	struct crowd *c = arg;
	struct rill_task *t[8];

	for (int i = 0; i < 8; i++)
		t[i] = spawn(i % 2 ? crowd_spawns : crowd_joins, c);
	for (int i = 0; i < 8; i++)
		RILL_ASSERT_CMP(rill_join(t[i], NULL), ==, 0);
	crowd_joins(c);
	return NULL;
}

/* Spawners and joiners on all workers; a plain thread joins as well. */
static void test_many_on_all_workers(void **state)
{
	struct crowd c = {.set = set_new()};
	struct rill_runtime *rt = start_multi(4);
	uint64_t n = CROWD_TASKS;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, crowd_joins, &c), 0);
	run(rt, crowd, &c);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(c.joined, 4 * n);
	assert_int_equal(c.sum, 4 * (n * (n - 1) / 2));
	assert_int_equal(rill_runtime_live_tasks(rt), 0);
	rill_join_set_destroy(c.set);
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_completion_order),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_spawn_blocking),
		cmocka_unit_test(test_join_next_is_cancel_safe),
		cmocka_unit_test(test_select),
		cmocka_unit_test(test_two_joiners),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_plain_thread),
		cmocka_unit_test(test_abort_all_keeps_the_entries),
		cmocka_unit_test(test_abort_all_during_completion),
		cmocka_unit_test(test_detach_all),
		cmocka_unit_test(test_destroy_while_tasks_run),
		cmocka_unit_test(test_shutdown),
		cmocka_unit_test(test_join_all),
		cmocka_unit_test(test_many_on_all_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
