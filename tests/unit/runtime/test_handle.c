/* SPDX-License-Identifier: BSD-3-Clause */
/* Handles that outlive their runtime, shutdown with a limit, nested and late use. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "tests/unit/runtime/rt.h"

static void *answer(void *arg)
{
	return (void *)42;
}

static void test_handle_outlives_its_runtime(void **state)
{
	struct rill_runtime *rt = start_multi(2);
	struct rill_handle *h = rill_runtime_handle(rt);
	struct rill_handle *second = rill_handle_get(h);
	struct rill_spawn_options o = {RILL_OPTIONS(o), .handle = h};
	struct rill_task *t;
	void *value = NULL;

	assert_int_equal(rill_spawn_with(&o, answer, NULL, &t), 0);
	assert_int_equal(rill_join(t, &value), 0);
	assert_int_equal((uintptr_t)value, 42);
	value = NULL;
	assert_int_equal(rill_handle_block_on(h, answer, NULL, &value), 0);
	assert_int_equal((uintptr_t)value, 42);
	stop(rt);
	assert_int_equal(rill_spawn_with(&o, answer, NULL, &t), -ESHUTDOWN);
	assert_int_equal(rill_handle_block_on(second, answer, NULL, NULL), -ESHUTDOWN);
	rill_handle_put(h);
	rill_handle_put(second);
}

struct hammer {
	struct rill_handle *h;
	RILL_ATOMIC(bool) over;
	unsigned spawned;
};

static void *hammer_thread(void *arg)
{
	struct hammer *hm = arg;
	struct rill_spawn_options o = {RILL_OPTIONS(o), .handle = hm->h};

	while (rill_spawn_with(&o, answer, NULL, NULL) == 0)
		hm->spawned++;
	while (rill_handle_block_on(hm->h, answer, NULL, NULL) != -ESHUTDOWN)
		;
	return NULL;
}

/* Two threads use the handle while the runtime goes down. */
static void shutdown_under_fire(struct rill_runtime *rt)
{
	struct hammer hm[2] = {{0}, {0}};
	pthread_t threads[2];

	for (int i = 0; i < 2; i++) {
		hm[i].h = rill_runtime_handle(rt);
		assert_int_equal(pthread_create(&threads[i], NULL, hammer_thread, &hm[i]), 0);
	}
	rill_sleep(RILL_MS);
	stop(rt);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		rill_handle_put(hm[i].h);
	}
}

static void test_shutdown_while_handles_are_used(void **state)
{
	for (int i = 0; i < ROUNDS(40); i++)
		shutdown_under_fire(start_multi(2));
}

static void *wait_for_abort(void *arg)
{
	struct gate *g = arg;

	return (void *)(intptr_t)gate_wait(g);
}

static void *block_on_thread(void *arg)
{
	struct hammer *hm = arg;
	struct gate g;

	gate_init(&g);
	return (void *)(intptr_t)rill_handle_block_on(hm->h, wait_for_abort, &g, NULL);
}

/* Somebody drives the runtime when it is destroyed: his task is aborted and he leaves. */
static void test_destroy_ends_a_block_on(void **state)
{
	struct rill_runtime *rt = start_current();
	struct hammer hm[3];
	pthread_t threads[3];

	for (int i = 0; i < 3; i++) {
		hm[i].h = rill_runtime_handle(rt);
		assert_int_equal(pthread_create(&threads[i], NULL, block_on_thread, &hm[i]), 0);
	}
	while (rill_runtime_live_tasks(rt) < 3)
		rill_sleep(100 * RILL_US);
	stop(rt);
	for (int i = 0; i < 3; i++) {
		void *r;

		pthread_join(threads[i], &r);
		assert_int_equal((intptr_t)r, -ECANCELED);
		rill_handle_put(hm[i].h);
	}
}

static void *nested(void *arg)
{
	struct rill_runtime *rt = rill_runtime_current();
	struct rill_runtime *other = NULL;

	RILL_ASSERT_CMP(rill_block_on(rt, answer, NULL, NULL), ==, -EDEADLK);
	RILL_ASSERT_CMP(rill_handle_block_on(arg, answer, NULL, NULL), ==, -EDEADLK);
	RILL_ASSERT_CMP(rill_runtime_create(NULL, &other), ==, -EDEADLK);
	RILL_ASSERT(strstr(rill_runtime_error(), "task"));
	RILL_ASSERT(!other);
	RILL_ASSERT_CMP(rill_runtime_destroy(rt), ==, -EDEADLK);
	RILL_ASSERT_CMP(rill_runtime_shutdown(rt, RILL_SEC), ==, -EDEADLK);
	return NULL;
}

static void test_nested_use_is_an_error(void **state)
{
	struct rill_runtime *rt = start_multi(2);
	struct rill_handle *h = rill_runtime_handle(rt);

	run(rt, nested, h);
	rill_handle_put(h);
	stop(rt);
}

/* ---- with a limit ---- */

static void *sleeper(void *arg)
{
	rill_sleep(3600 * RILL_SEC);
	return NULL;
}

static void test_shutdown_in_time(void **state)
{
	struct rill_runtime *rt = start_multi(2);
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt};

	for (int i = 0; i < 100; i++)
		assert_int_equal(rill_spawn_with(&o, sleeper, NULL, NULL), 0);
	assert_int_equal(rill_runtime_shutdown(rt, RILL_FOREVER), 0);
}

struct obstinate {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool begun;
	bool may_end;
	struct rill_handle *h;
};

static void *hold_out(void *arg)
{
	struct obstinate *ob = arg;

	pthread_mutex_lock(&ob->lock);
	ob->begun = true;
	pthread_cond_broadcast(&ob->cond);
	while (!ob->may_end)
		pthread_cond_wait(&ob->cond, &ob->lock);
	pthread_mutex_unlock(&ob->lock);
	return NULL;
}

static void wait_begun(struct obstinate *ob)
{
	pthread_mutex_lock(&ob->lock);
	while (!ob->begun)
		pthread_cond_wait(&ob->cond, &ob->lock);
	pthread_mutex_unlock(&ob->lock);
}

/* A blocking call that does not return: the caller gets away, and the rest is cleared up later. */
static void test_shutdown_gives_up_on_a_blocking_call(void **state)
{
	static struct obstinate ob = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false,
				      false, NULL};
	struct rill_runtime *rt = start_multi(2);
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt};

	ob.h = rill_runtime_handle(rt);
	assert_int_equal(rill_spawn_blocking(&o, hold_out, &ob, NULL), 0);
	wait_begun(&ob);
	assert_int_equal(rill_runtime_shutdown(rt, RILL_MS), -ETIMEDOUT);
	struct rill_spawn_options late = {RILL_OPTIONS(late), .handle = ob.h};

	assert_int_equal(rill_spawn_with(&late, answer, NULL, NULL), -ESHUTDOWN);
	pthread_mutex_lock(&ob.lock);
	ob.may_end = true;
	pthread_cond_broadcast(&ob.cond);
	pthread_mutex_unlock(&ob.lock);
	/* the runtime's own thread lets go of it in the end */
	while (rill_load_seq_cst(&ob.h->rt))
		rill_sleep(100 * RILL_US);
	rill_handle_put(ob.h);
}

static void *shut_self_down(void *arg)
{
	RILL_ASSERT_CMP(rill_runtime_shutdown(rill_runtime_current(), 0), ==, -ETIMEDOUT);
	/* from here on it is aborted at some time */
	RILL_ASSERT_CMP(rill_sleep(3600 * RILL_SEC), ==, -ECANCELED);
	return NULL;
}

static void test_shutdown_in_the_background_from_a_task(void **state)
{
	struct rill_runtime *rt = start_multi(2);
	struct rill_handle *h = rill_runtime_handle(rt);
	struct rill_spawn_options o = {RILL_OPTIONS(o), .handle = h};

	assert_int_equal(rill_spawn_with(&o, shut_self_down, NULL, NULL), 0);
	while (rill_load_seq_cst(&h->rt))
		rill_sleep(100 * RILL_US);
	rill_handle_put(h);
}

/* A runtime that nobody drives: the caller of shutdown, or its thread, does. */
static void test_shutdown_of_a_current_thread_runtime(void **state)
{
	const uint64_t timeouts[] = {RILL_FOREVER, 0};

	for (size_t i = 0; i < RILL_ARRAY_SIZE(timeouts); i++) {
		struct rill_runtime *rt = start_current();
		struct rill_handle *h = rill_runtime_handle(rt);
		struct rill_spawn_options o = {RILL_OPTIONS(o), .handle = h};
		int r;

		for (int k = 0; k < 100; k++)
			assert_int_equal(rill_spawn_with(&o, sleeper, NULL, NULL), 0);
		r = rill_runtime_shutdown(rt, timeouts[i]);
		assert_true(r == 0 || (r == -ETIMEDOUT && timeouts[i] == 0));
		while (rill_load_seq_cst(&h->rt))
			rill_sleep(100 * RILL_US);
		assert_int_equal(rill_spawn_with(&o, sleeper, NULL, NULL), -ESHUTDOWN);
		rill_handle_put(h);
	}
	assert_int_equal(rill_runtime_shutdown(NULL, 0), 0);
}

/* A task would have to end for it to end. */
static void *wait_for_oneself(void *arg)
{
	RILL_ASSERT_CMP(rill_runtime_shutdown(arg, RILL_SEC), ==, -EDEADLK);
	RILL_ASSERT_CMP(rill_runtime_shutdown(arg, RILL_FOREVER), ==, -EDEADLK);
	/* and nothing has been done */
	return spawn(answer, NULL);
}

static void *join_it(void *arg)
{
	RILL_ASSERT_CMP(rill_join(arg, NULL), ==, 0);
	return NULL;
}

static void test_shutdown_from_inside_with_a_limit(void **state)
{
	struct rill_runtime *rt = start_multi(2);

	run(rt, join_it, run(rt, wait_for_oneself, rt));
	stop(rt);
}

static void *shut_down_from_outside(void *arg)
{
	struct rill_handle *h = arg;

	/* This thread is one that it waits for: in the background only. */
	RILL_ASSERT_CMP(rill_runtime_shutdown(h->rt, 0), ==, -ETIMEDOUT);
	return NULL;
}

static void test_shutdown_from_a_blocking_thread(void **state)
{
	struct rill_runtime *rt = start_multi(2);
	struct rill_handle *h = rill_runtime_handle(rt);
	struct rill_spawn_options o = {RILL_OPTIONS(o), .handle = h};

	assert_int_equal(rill_spawn_blocking(&o, shut_down_from_outside, h, NULL), 0);
	while (rill_load_seq_cst(&h->rt))
		rill_sleep(100 * RILL_US);
	rill_handle_put(h);
}

/* ---- facts ---- */

static void test_facts(void **state)
{
	struct rill_runtime *a =
		start((struct rill_runtime_options){.workers = 2, .name = "alpha"});
	struct rill_runtime *b = start_current();

	assert_string_equal(rill_runtime_name(a), "alpha");
	assert_string_equal(rill_runtime_name(b), "rill");
	assert_true(rill_runtime_id(a) != 0 && rill_runtime_id(a) != rill_runtime_id(b));
	assert_int_equal(rill_runtime_flavor(a), RILL_MULTI_THREAD);
	assert_int_equal(rill_runtime_flavor(b), RILL_CURRENT_THREAD);
	stop(a);
	stop(b);
}

/* ---- aborting by value ---- */

static void *abort_by_value(void *arg)
{
	struct gate g;

	gate_init(&g);
	struct rill_task *t = spawn(wait_for_abort, &g);
	struct rill_abort_handle h = rill_abort_handle(t);

	RILL_ASSERT(!rill_is_finished_by(h));
	rill_yield();
	rill_abort_by(h);
	rill_abort_by(h);
	void *r;

	RILL_ASSERT_CMP(rill_join(t, &r), ==, RILL_JOIN_ABORTED);
	RILL_ASSERT_CMP((intptr_t)r, ==, -ECANCELED);
	RILL_ASSERT(rill_is_finished_by(h));
	/* The next task gets the same stack, and nothing of the old abort. */
	t = spawn(wait_for_abort, &g);
	RILL_ASSERT(t == h.task);
	rill_yield();
	rill_abort_by(h);
	rill_yield();
	RILL_ASSERT(!rill_is_finished(t));
	gate_post(&g);
	RILL_ASSERT_CMP(rill_join(t, &r), ==, 0);
	RILL_ASSERT_CMP((intptr_t)r, ==, 0);
	return NULL;
}

static void test_abort_handle_knows_its_task(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, abort_by_value, NULL);
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handle_outlives_its_runtime),
		cmocka_unit_test(test_shutdown_while_handles_are_used),
		cmocka_unit_test(test_destroy_ends_a_block_on),
		cmocka_unit_test(test_nested_use_is_an_error),
		cmocka_unit_test(test_shutdown_in_time),
		cmocka_unit_test(test_shutdown_gives_up_on_a_blocking_call),
		cmocka_unit_test(test_shutdown_in_the_background_from_a_task),
		cmocka_unit_test(test_shutdown_of_a_current_thread_runtime),
		cmocka_unit_test(test_shutdown_from_inside_with_a_limit),
		cmocka_unit_test(test_shutdown_from_a_blocking_thread),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_abort_handle_knows_its_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
