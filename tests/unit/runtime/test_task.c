/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/runtime/rt.h"

static void *plus_one(void *arg)
{
	return (void *)((uintptr_t)arg + 1);
}

static void *sleep_for_ever(void *arg)
{
	int *result = arg;

	*result = rill_sleep(RILL_FOREVER);
	return arg;
}

static void *yield_until_set(void *arg)
{
	while (!rill_load_acquire((bool *)arg))
		rill_yield();
	return NULL;
}

static void *set(void *arg)
{
	rill_store_release((bool *)arg, true);
	return NULL;
}

/* ---- spawn, join, detach ---- */

static void *results(void *arg)
{
	struct rill_task *tasks[100];
	void *value;

	for (uintptr_t i = 0; i < 100; i++)
		tasks[i] = spawn(plus_one, (void *)i);
	for (uintptr_t i = 0; i < 100; i++) {
		RILL_ASSERT_CMP(rill_join(tasks[i], &value), ==, 0);
		RILL_ASSERT_CMP((uintptr_t)value, ==, i + 1);
	}
	RILL_ASSERT_CMP(rill_join(spawn(plus_one, NULL), NULL), ==, 0);
	return NULL;
}

static void test_join_returns_the_result(void **state)
{
	in_each_flavor(results, NULL);
}

static void *detached(void *arg)
{
	bool a = false, b = false;

	rill_detach(spawn(set, &a));
	RILL_ASSERT_CMP(rill_spawn(set, &b, NULL), ==, 0);
	yield_until_set(&a);
	yield_until_set(&b);
	return NULL;
}

static void test_detached_tasks_run(void **state)
{
	struct rill_runtime *rt = start_multi(2);

	for (int i = 0; i < 100; i++)
		run(rt, detached, NULL);
	/* the stack of the last may still be in use for a moment; its end has been seen */
	while (rill_runtime_live_tasks(rt) > 0)
		sched_yield();
	stop(rt);
}

static void *finished(void *arg)
{
	bool go = false;
	struct rill_task *t = spawn(yield_until_set, &go);

	for (int i = 0; i < 3; i++) {
		rill_yield();
		RILL_ASSERT(!rill_is_finished(t));
	}
	set(&go);
	while (!rill_is_finished(t))
		rill_yield();
	RILL_ASSERT(rill_is_finished(t));
	/* aborting what has ended does nothing */
	rill_abort(t);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return NULL;
}

static void test_is_finished(void **state)
{
	in_each_flavor(finished, NULL);
}

static void *bad_arguments(void *arg)
{
	struct rill_task *t = NULL;

	RILL_ASSERT_CMP(rill_spawn(NULL, NULL, &t), ==, -EINVAL);
	RILL_ASSERT(!t);
	return NULL;
}

static void test_plain_thread(void **state)
{
	struct rill_runtime *rt = start_multi(2);
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt, .name = "plain"};
	struct rill_task *t = NULL;
	void *value;

	run(rt, bad_arguments, NULL);
	assert_int_equal(rill_spawn(plus_one, NULL, &t), -EINVAL);
	assert_null(t);
	for (uintptr_t i = 0; i < 1000; i++) {
		assert_int_equal(rill_spawn_with(&o, plus_one, (void *)i, &t), 0);
		assert_int_equal(rill_join(t, &value), 0);
		assert_int_equal((uintptr_t)value, i + 1);
	}
	assert_int_equal(rill_runtime_live_tasks(rt), 0);
	stop(rt);
}

/* A task may spawn into another runtime and join across. */
static void *across(void *arg)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = arg};
	struct rill_task *t;
	void *value;

	for (uintptr_t i = 0; i < 100; i++) {
		RILL_ASSERT_CMP(rill_spawn_with(&o, plus_one, (void *)i, &t), ==, 0);
		RILL_ASSERT_CMP(rill_join(t, &value), ==, 0);
		RILL_ASSERT_CMP((uintptr_t)value, ==, i + 1);
	}
	return NULL;
}

static void test_two_runtimes(void **state)
{
	struct rill_runtime *a = start_multi(1);
	struct rill_runtime *b = start_multi(1);

	run(a, across, b);
	assert_int_equal(rill_runtime_live_tasks(b), 0);
	stop(b);
	stop(a);
}

/* ---- ids ---- */

static void *self_id(void *arg)
{
	rill_yield();
	return (void *)(uintptr_t)rill_self_id();
}

#define IDS 500

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void *ids(void *arg)
{
	struct rill_task *tasks[IDS];
	uint64_t *seen = arg;
	void *value;

	for (int i = 0; i < IDS; i++) {
		tasks[i] = spawn(self_id, NULL);
		seen[i] = rill_task_id(tasks[i]);
	}
	for (int i = 0; i < IDS; i++) {
		RILL_ASSERT_CMP(rill_join(tasks[i], &value), ==, 0);
		RILL_ASSERT_CMP((uint64_t)(uintptr_t)value, ==, seen[i]);
	}
	return NULL;
}

static void test_ids_are_unique(void **state)
{
	static uint64_t seen[4 * IDS];

	for (int i = 0; i < 4; i += 2) {
		struct rill_runtime *rt = i == 0 ? start_current() : start_multi(2);

		run(rt, ids, &seen[i * IDS]);
		run(rt, ids, &seen[(i + 1) * IDS]);
		stop(rt);
	}
	qsort(seen, 4 * IDS, sizeof(seen[0]), compare_ids);
	assert_int_not_equal(seen[0], 0);
	for (int i = 1; i < 4 * IDS; i++)
		assert_int_not_equal(seen[i], seen[i - 1]);
	assert_int_equal(rill_self_id(), 0);
	assert_int_equal(rill_task_id(NULL), 0);
}

/* ---- abort ---- */

static void *abort_before_start(void *arg)
{
	bool ran = false;
	void *value = arg;
	struct rill_task *t = spawn(set, &ran);

	rill_abort(t);
	rill_abort(t);
	RILL_ASSERT_CMP(rill_join(t, &value), ==, RILL_JOIN_ABORTED);
	RILL_ASSERT(!ran && !value);
	return NULL;
}

static void test_abort_before_start(void **state)
{
	struct rill_runtime *rt = start_current();

	/* One worker: the spawned task cannot run before its parent parks. */
	run(rt, abort_before_start, rt);
	stop(rt);
}

static void *abort_parked(void *arg)
{
	int result = 1;
	void *value;
	struct rill_task *t = spawn(sleep_for_ever, &result);

	/* into its sleep */
	for (int i = 0; i < 10; i++)
		rill_yield();
	RILL_ASSERT(!rill_is_finished(t));
	rill_abort(t);
	RILL_ASSERT_CMP(rill_join(t, &value), ==, RILL_JOIN_ABORTED);
	RILL_ASSERT(value == &result || !value);
	RILL_ASSERT_CMP(result, ==, value ? -ECANCELED : 1);
	return NULL;
}

static void test_abort_while_parked(void **state)
{
	in_each_flavor(abort_parked, NULL);
}

static void *see_abort_everywhere(void *arg)
{
	struct gate *g = arg;
	struct rill_case c;
	struct rill_scope shield;
	void *value;

	RILL_ASSERT_CMP(gate_wait(g), ==, -ECANCELED);
	/* for ever, in every call */
	RILL_ASSERT_CMP(rill_sleep(0), ==, -ECANCELED);
	RILL_ASSERT_CMP(rill_sleep(1), ==, -ECANCELED);
	RILL_ASSERT_CMP(rill_yield(), ==, -ECANCELED);
	RILL_ASSERT_CMP(rill_consume_budget(), ==, -ECANCELED);
	rill_case_sleep_until(&c, 0);
	RILL_ASSERT_CMP(rill_select(&c, 1, 0), ==, -ECANCELED);

	/* A child is not aborted with its parent; the join is, and the handle stays. */
	struct rill_task *child = spawn(plus_one, (void *)1);

	RILL_ASSERT_CMP(rill_join(child, &value), ==, -ECANCELED);
	rill_scope_begin_shield(&shield);
	RILL_ASSERT_CMP(rill_join(child, &value), ==, 0);
	RILL_ASSERT(value == (void *)2);
	RILL_ASSERT_CMP(rill_sleep(1), ==, 0);
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	rill_scope_end(&shield);
	RILL_ASSERT_CMP(rill_sleep(1), ==, -ECANCELED);
	return (void *)42;
}

static void *abort_seen_by_calls(void *arg)
{
	struct gate g;
	void *value;

	gate_init(&g);
	struct rill_task *t = spawn(see_abort_everywhere, &g);

	/* it must have begun, or it never will */
	while (rill_list_empty(&g.waiters))
		rill_yield();
	rill_abort(t);
	RILL_ASSERT_CMP(rill_join(t, &value), ==, RILL_JOIN_ABORTED);
	RILL_ASSERT(value == (void *)42);
	return NULL;
}

static void test_abort_is_seen_by_every_call(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, abort_seen_by_calls, NULL);
	stop(rt);
}

/* A task that makes no call after its abort has not been ended by it. */
static void *abort_unseen(void *arg)
{
	struct rill_task *t = spawn(plus_one, (void *)1);
	void *value;

	while (!rill_is_finished(t))
		rill_yield();
	rill_abort(t);
	RILL_ASSERT_CMP(rill_join(t, &value), ==, 0);
	RILL_ASSERT(value == (void *)2);
	return NULL;
}

static void test_abort_unseen(void **state)
{
	in_each_flavor(abort_unseen, NULL);
}

static void *abort_self(void *arg)
{
	rill_abort(rill_task_current());
	RILL_ASSERT_CMP(rill_sleep(RILL_FOREVER), ==, -ECANCELED);
	RILL_ASSERT_CMP(rill_yield(), ==, -ECANCELED);
	return (void *)7;
}

static void *self_abort(void *arg)
{
	void *value;

	RILL_ASSERT_CMP(rill_join(spawn(abort_self, NULL), &value), ==, RILL_JOIN_ABORTED);
	RILL_ASSERT(value == (void *)7);
	RILL_ASSERT_CMP(rill_sleep(1), ==, 0);
	return NULL;
}

static void test_self_abort(void **state)
{
	in_each_flavor(self_abort, NULL);
}

/* ---- join and scopes ---- */

static void *join_cancelled(void *arg)
{
	struct rill_scope scope;
	struct rill_token *token;
	bool go = false;
	struct rill_task *t = spawn(yield_until_set, &go);

	rill_scope_begin(&scope, rill_after(RILL_MS), NULL);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, -ETIMEDOUT);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, -ETIMEDOUT);
	rill_scope_end(&scope);

	RILL_ASSERT_CMP(rill_token_create(&token), ==, 0);
	rill_token_cancel(token);
	rill_scope_begin(&scope, RILL_FOREVER, token);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, -ECANCELED);
	rill_scope_end(&scope);
	rill_token_unref(token);

	RILL_ASSERT(!rill_is_finished(t));
	set(&go);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return NULL;
}

static void test_join_cancelled_keeps_the_handle(void **state)
{
	struct rill_runtime *rt = start_multi(2);
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt};
	struct rill_scope scope;
	struct rill_task *t;
	bool go = false;

	in_each_flavor(join_cancelled, NULL);
	/* and on a plain thread */
	assert_int_equal(rill_spawn_with(&o, yield_until_set, &go, &t), 0);
	rill_scope_begin(&scope, rill_after(RILL_MS), NULL);
	assert_int_equal(rill_join(t, NULL), -ETIMEDOUT);
	rill_scope_end(&scope);
	set(&go);
	assert_int_equal(rill_join(t, NULL), 0);
	stop(rt);
}

/* Ends, joins that time out, and aborts, all at about the same time. */
static void *nap(void *arg)
{
	rill_sleep((uintptr_t)arg % 7 * 3 * RILL_US);
	return arg;
}

static void *racing_joins(void *arg)
{
	for (uintptr_t i = 1; i < ROUNDS(5000); i++) {
		struct rill_task *t = spawn(nap, (void *)i);
		struct rill_scope scope;
		void *value = NULL;
		int r;

		do {
			rill_scope_begin(&scope, rill_after(i % 5 * 4 * RILL_US), NULL);
			r = rill_join(t, &value);
			rill_scope_end(&scope);
			if (i % 3 == 0)
				rill_abort(t);
		} while (r < 0);
		RILL_ASSERT(r == 0 || i % 3 == 0);
		RILL_ASSERT(value == (void *)i || (r == RILL_JOIN_ABORTED && !value));
	}
	return NULL;
}

static void *race_several(void *arg)
{
	struct rill_task *tasks[4];

	for (int i = 0; i < 4; i++)
		tasks[i] = spawn(racing_joins, NULL);
	for (int i = 0; i < 4; i++)
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), ==, 0);
	return NULL;
}

static void test_joins_race_with_ends(void **state)
{
	in_each_flavor(race_several, NULL);
}

/* ---- many ---- */

#if defined(RILL_TSAN)
#define SPAWNS 100000
#else
#define SPAWNS 1000000
#endif

static void *spawn_and_join(void *arg)
{
	void *value;

	for (uintptr_t i = 0; i < SPAWNS; i++) {
		RILL_ASSERT_CMP(rill_join(spawn(plus_one, (void *)i), &value), ==, 0);
		RILL_ASSERT_CMP((uintptr_t)value, ==, i + 1);
	}
	return NULL;
}

static void test_a_million_tasks_need_few_stacks(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct rill_runtime *rt = i == 0 ? start_current() : start_multi(2);

		run(rt, spawn_and_join, NULL);
		assert_int_equal(rill_runtime_live_tasks(rt), 0);
		/* two slabs at most: one for each worker's cache */
		assert_true(rt->stacks.count <= 128);
		stop(rt);
	}
}

#if defined(RILL_TSAN)
#define SLEEPERS 2000
#else
#define SLEEPERS 100000
#endif

static void *sleeper(void *arg)
{
	uint64_t until = rill_after((uintptr_t)arg % 1000 * RILL_US);

	for (int i = 0; i < 3; i++) {
		RILL_ASSERT_CMP(rill_sleep_until(until), ==, 0);
		RILL_ASSERT(rill_now() >= until);
		until += 100 * RILL_US;
	}
	return arg;
}

static void *many_sleepers(void *arg)
{
	struct rill_task **tasks = arg;
	void *value;

	for (uintptr_t i = 0; i < SLEEPERS; i++)
		tasks[i] = spawn(sleeper, (void *)i);
	for (uintptr_t i = 0; i < SLEEPERS; i++) {
		RILL_ASSERT_CMP(rill_join(tasks[i], &value), ==, 0);
		RILL_ASSERT_CMP((uintptr_t)value, ==, i);
	}
	return NULL;
}

static void test_many_sleepers(void **state)
{
	struct rill_task **tasks = calloc(SLEEPERS, sizeof(struct rill_task *));

	assert_non_null(tasks);
	in_each_flavor(many_sleepers, tasks);
	free(tasks);
}

/* ---- names ---- */

static void *own_name(void *arg)
{
	RILL_ASSERT(strcmp(rill_task_name(NULL), arg) == 0);
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	RILL_ASSERT(strcmp(rill_task_name(NULL), arg) == 0);
	return NULL;
}

static void expect_name(const char *given, const char *kept)
{
	char name[64];
	struct rill_spawn_options o = {RILL_OPTIONS(o), .name = given ? name : NULL};
	struct rill_task *t;

	snprintf(name, sizeof(name), "%s", given ? given : "");
	RILL_ASSERT_CMP(rill_spawn_with(&o, own_name, (void *)(uintptr_t)kept, &t), ==, 0);
	memset(name, 'x', sizeof(name)); /* it was copied */
	RILL_ASSERT(strcmp(rill_task_name(t), kept) == 0);
	while (!rill_is_finished(t))
		rill_yield();
	RILL_ASSERT(strcmp(rill_task_name(t), kept) == 0); /* as long as the handle */
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
}

static void *names(void *arg)
{
	expect_name("a name", "a name");
	expect_name("", "");
	/* the stack, and with it the memory of the name, is another's now */
	expect_name(NULL, "");
	RILL_STATIC_ASSERT(RILL_TASK_NAME == 32, "the names below are made for it");
	expect_name("123456789 123456789 123456789 1", "123456789 123456789 123456789 1");
	expect_name("123456789 123456789 123456789 12", "123456789 123456789 123456789 1");
	expect_name("123456789 123456789 123456789 123456789", "123456789 123456789 123456789 1");
	RILL_ASSERT(strcmp(rill_task_name(NULL), "block_on") == 0);
	return NULL;
}

static void test_names(void **state)
{
	in_each_flavor(names, NULL);
	assert_string_equal(rill_task_name(NULL), ""); /* a plain thread's */
}

/* ---- options of programs built against another version ---- */

static void *own_user(void *arg)
{
	return rill_task_user(NULL);
}

/* An older struct ends earlier: what lies behind is none of ours. */
static void *older_options(void *arg)
{
	struct rill_spawn_options o;
	struct rill_task *t;
	void *user = arg;

	memset(&o, 0xee, sizeof(o));
	o.size = offsetof(struct rill_spawn_options, handle);
	o.name = "older";
	o.runtime = NULL;
	RILL_ASSERT_CMP(rill_spawn_with(&o, own_user, NULL, &t), ==, 0);
	RILL_ASSERT(strcmp(rill_task_name(t), "older") == 0);
	RILL_ASSERT_CMP(rill_join(t, &user), ==, 0);
	RILL_ASSERT(!user);
	/* but for the very first of them nothing is that old */
	o.size = sizeof(o.size);
	RILL_ASSERT_CMP(rill_spawn_with(&o, own_user, NULL, &t), ==, -EINVAL);
	return NULL;
}

/* A newer one is longer: what we do not know is not asked for. */
static void *newer_options(void *arg)
{
	struct {
		struct rill_spawn_options o;
		char more[64];
	} n = {.o = {.size = sizeof(n), .user = &n, .name = "newer"}};
	struct rill_task *t;
	void *user = NULL;

	memset(n.more, 0xee, sizeof(n.more));
	RILL_ASSERT_CMP(rill_spawn_with(&n.o, own_user, NULL, &t), ==, 0);
	RILL_ASSERT(strcmp(rill_task_name(t), "newer") == 0);
	RILL_ASSERT_CMP(rill_join(t, &user), ==, 0);
	RILL_ASSERT(user == &n);
	return NULL;
}

static void test_options_of_other_versions(void **state)
{
	in_each_flavor(older_options, NULL);
	in_each_flavor(newer_options, NULL);
}

/* ---- tokens ---- */

#define HANDOVERS ROUNDS(4000)

/* One that cancels, on a thread of its own, what it is handed. */
struct canceller {
	RILL_ATOMIC(struct rill_token *) token;
};

static void *cancel_all(void *arg)
{
	struct canceller *c = arg;

	for (int i = 0; i < HANDOVERS; i++) {
		while (!rill_load_relaxed(&c->token))
			sched_yield();
		/* acq_rel: pairs with be_cancelled() */
		rill_token_cancel(rill_exchange_acq_rel(&c->token, NULL));
	}
	return NULL;
}

/* The token goes as soon as the cancel is seen, which may be before rill_token_cancel() returns. */
static void *be_cancelled(void *arg)
{
	struct canceller *c = arg;

	for (int i = 0; i < HANDOVERS; i++) {
		struct rill_token *token;
		struct rill_scope s;

		RILL_ASSERT_CMP(rill_token_create(&token), ==, 0);
		rill_scope_begin(&s, RILL_FOREVER, token);
		/* release: pairs with cancel_all() */
		rill_store_release(&c->token, token);
		while (rill_consume_budget() == 0)
			rill_cpu_relax();
		rill_scope_end(&s);
		rill_token_unref(token);
	}
	return NULL;
}

static void test_token_goes_once_its_cancel_is_seen(void **state)
{
	struct rill_runtime *rt = start_multi(1);
	struct canceller c = {NULL};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, cancel_all, &c), 0);
	run(rt, be_cancelled, &c);
	assert_int_equal(pthread_join(thread, NULL), 0);
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_join_returns_the_result),
		cmocka_unit_test(test_detached_tasks_run),
		cmocka_unit_test(test_is_finished),
		cmocka_unit_test(test_plain_thread),
		cmocka_unit_test(test_two_runtimes),
		cmocka_unit_test(test_ids_are_unique),
		cmocka_unit_test(test_abort_before_start),
		cmocka_unit_test(test_abort_while_parked),
		cmocka_unit_test(test_abort_is_seen_by_every_call),
		cmocka_unit_test(test_abort_unseen),
		cmocka_unit_test(test_self_abort),
		cmocka_unit_test(test_join_cancelled_keeps_the_handle),
		cmocka_unit_test(test_joins_race_with_ends),
		cmocka_unit_test(test_a_million_tasks_need_few_stacks),
		cmocka_unit_test(test_many_sleepers),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_options_of_other_versions),
		cmocka_unit_test(test_token_goes_once_its_cancel_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
