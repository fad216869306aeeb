/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>

#include "tests/unit/runtime/rt.h"

#define THREADS 4

static void *twice(void *arg)
{
	RILL_ASSERT(rill_runtime_current());
	RILL_ASSERT(rill_self_id() != 0);
	rill_yield();
	return (void *)(2 * (uintptr_t)arg);
}

static void test_value(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct rill_runtime *rt = i == 0 ? start_current() : start_multi(2);

		assert_int_equal(rill_runtime_workers(rt), i == 0 ? 1 : 2);
		for (uintptr_t n = 0; n < 100; n++)
			assert_int_equal((uintptr_t)run(rt, twice, (void *)n), 2 * n);
		assert_int_equal(rill_block_on(rt, twice, NULL, NULL), 0);
		assert_null(rill_runtime_current());
		stop(rt);
	}
}

static void *nested(void *arg)
{
	struct rill_runtime *rt = arg;
	void *value = &value;

	RILL_ASSERT_CMP(rill_block_on(rt, twice, NULL, &value), ==, -EDEADLK);
	RILL_ASSERT(value == &value);
	RILL_ASSERT_CMP(rill_runtime_destroy(rt), ==, -EDEADLK);
	return NULL;
}

static void test_nested(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct rill_runtime *rt = i == 0 ? start_current() : start_multi(2);

		run(rt, nested, rt);
		stop(rt);
	}
}

/* The caller's task ends while the tasks that it spawned live on, until somebody drives again. */
static void *leave_a_task(void *arg)
{
	RILL_ASSERT_CMP(rill_spawn(twice, NULL, NULL), ==, 0);
	return NULL;
}

static void test_current_thread_runs_only_while_driven(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, leave_a_task, NULL);
	while (rill_runtime_live_tasks(rt) > 0)
		run(rt, twice, NULL);
	stop(rt);
}

struct caller {
	struct rill_runtime *rt;
	pthread_t thread;
	unsigned rounds;
};

static void *short_nap(void *arg)
{
	rill_sleep((uintptr_t)arg % 3 * 20 * RILL_US);
	return arg;
}

static void *call_often(void *arg)
{
	struct caller *c = arg;
	void *value;

	for (uintptr_t i = 0; i < c->rounds; i++) {
		RILL_ASSERT_CMP(rill_block_on(c->rt, short_nap, (void *)i, &value), ==, 0);
		RILL_ASSERT(value == (void *)i);
	}
	return NULL;
}

/* On one thread's runtime, whoever comes first drives, and another takes over when it leaves. */
static void test_several_threads(void **state)
{
	struct caller callers[THREADS];

	for (int i = 0; i < 2; i++) {
		struct rill_runtime *rt = i == 0 ? start_multi(2) : start_current();

		for (int k = 0; k < THREADS; k++) {
			callers[k] = (struct caller){.rt = rt, .rounds = 100 + 50 * (unsigned)k};
			assert_int_equal(
				pthread_create(&callers[k].thread, NULL, call_often, &callers[k]),
				0);
		}
		for (int k = 0; k < THREADS; k++)
			pthread_join(callers[k].thread, NULL);
		assert_int_equal(rill_runtime_live_tasks(rt), 0);
		stop(rt);
	}
}

/* Two threads, of which the first to come drives for only as long as it has to. */
static void *post(void *arg)
{
	gate_post(arg);
	return NULL;
}

struct takeover {
	struct rill_runtime *rt;
	struct gate second_waits, go;
};

static void *driver_task(void *arg)
{
	struct takeover *t = arg;

	RILL_ASSERT_CMP(gate_wait(&t->second_waits), ==, 0);
	return NULL;
}

static void *second_task(void *arg)
{
	struct takeover *t = arg;

	gate_post(&t->second_waits);
	/* long after the driver has left */
	RILL_ASSERT_CMP(rill_sleep(5 * RILL_MS), ==, 0);
	return NULL;
}

static void *second_thread(void *arg)
{
	struct takeover *t = arg;

	RILL_ASSERT_CMP(rill_block_on(t->rt, second_task, t, NULL), ==, 0);
	return NULL;
}

static void test_takeover(void **state)
{
	struct takeover t = {.rt = start_current()};
	pthread_t thread;

	gate_init(&t.second_waits);
	gate_init(&t.go);
	assert_int_equal(pthread_create(&thread, NULL, second_thread, &t), 0);
	run(t.rt, driver_task, &t);
	pthread_join(thread, NULL);
	post(&t.go);
	stop(t.rt);
}

/* The scope of the calling thread is not the task's, and the task is waited for in any case. */
static void *set_after_nap(void *arg)
{
	RILL_ASSERT_CMP(rill_sleep(2 * RILL_MS), ==, 0);
	*(bool *)arg = true;
	return arg;
}

static void test_callers_scope(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct rill_runtime *rt = i == 0 ? start_current() : start_multi(2);
		struct rill_scope scope;
		bool done = false;

		rill_scope_begin(&scope, rill_after(RILL_MS), NULL);
		assert_int_equal(rill_block_on(rt, set_after_nap, &done, NULL), 0);
		rill_scope_end(&scope);
		assert_true(done);
		stop(rt);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_value),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_current_thread_runs_only_while_driven),
		cmocka_unit_test(test_callers_scope),
		cmocka_unit_test(test_takeover),
		cmocka_unit_test(test_several_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
