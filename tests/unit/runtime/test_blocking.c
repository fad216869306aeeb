/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <unistd.h>

#include "tests/unit/runtime/rt.h"

static void *square(void *arg)
{
	RILL_ASSERT(!rill_worker_current());
	return (void *)((uintptr_t)arg * (uintptr_t)arg);
}

static void *call_square(void *arg)
{
	void *value = NULL;

	RILL_ASSERT_CMP(rill_blocking(square, arg, &value), ==, 0);
	RILL_ASSERT((uintptr_t)value == (uintptr_t)arg * (uintptr_t)arg);
	RILL_ASSERT_CMP(rill_blocking(square, arg, NULL), ==, 0);
	return value;
}

#define CALLERS 200

static void *many_calls(void *arg)
{
	struct rill_task *t[CALLERS];
	void *value;

	for (uintptr_t i = 0; i < CALLERS; i++)
		t[i] = spawn(call_square, (void *)i);
	for (uintptr_t i = 0; i < CALLERS; i++) {
		RILL_ASSERT_CMP(rill_join(t[i], &value), ==, 0);
		RILL_ASSERT((uintptr_t)value == i * i);
	}
	return NULL;
}

static void test_more_jobs_than_threads(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct rill_runtime *rt = start((struct rill_runtime_options){
			.flavor = i == 0 ? RILL_CURRENT_THREAD : RILL_MULTI_THREAD,
			.workers = 2,
			.max_blocking = 2});

		run(rt, many_calls, NULL);
		assert_in_range(rt->blocking.threads, 1, 2);
		assert_int_equal(rt->blocking.jobs, 0);
		stop(rt);
	}
}

static void test_defaults_and_plain_thread(void **state)
{
	void *value = NULL;

	in_each_flavor(many_calls, NULL);
	assert_int_equal(rill_blocking(square, (void *)12, &value), 0);
	assert_int_equal((uintptr_t)value, 144);
}

/* ---- jobs that wait for one another need a thread each ---- */

static void *meet(void *arg)
{
	pthread_barrier_wait(arg);
	return NULL;
}

static void *call_meet(void *arg)
{
	RILL_ASSERT_CMP(rill_blocking(meet, arg, NULL), ==, 0);
	return NULL;
}

static void *meetings(void *arg)
{
	pthread_barrier_t barrier;

	for (int i = 0; i < 200; i++) {
		unsigned n = 2 + (unsigned)i % 3;
		struct rill_task *t[4];

		pthread_barrier_init(&barrier, NULL, n);
		for (unsigned k = 0; k < n; k++)
			t[k] = spawn(call_meet, &barrier);
		for (unsigned k = 0; k < n; k++)
			RILL_ASSERT_CMP(rill_join(t[k], NULL), ==, 0);
		pthread_barrier_destroy(&barrier);
	}
	return NULL;
}

static void test_jobs_may_wait_for_one_another(void **state)
{
	in_each_flavor(meetings, NULL);
}

/* ---- abort ---- */

struct hold {
	RILL_ATOMIC(bool) begun;
	RILL_ATOMIC(bool) release;
	RILL_ATOMIC(bool) over;
	int result;
};

static void *hold(void *arg)
{
	struct hold *h = arg;

	/* release and acquire: with each other */
	rill_store_release(&h->begun, true);
	while (!rill_load_acquire(&h->release))
		sched_yield();
	rill_store_release(&h->over, true);
	return h;
}

static void *call_hold(void *arg)
{
	struct hold *h = arg;
	void *value = NULL;

	h->result = rill_blocking(hold, h, &value);
	/* it has ended, or never began: h may go */
	RILL_ASSERT(h->result == 0 ? h->over && value == h : !h->begun && !value);
	return NULL;
}

static void wait_for(bool *flag)
{
	while (!rill_load_acquire(flag))
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
}

static void wait_for_jobs(struct rill_runtime *rt, unsigned n)
{
	for (unsigned jobs = 0; jobs < n;) {
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
		pthread_mutex_lock(&rt->blocking.lock);
		jobs = rt->blocking.jobs;
		pthread_mutex_unlock(&rt->blocking.lock);
	}
}

static void *abort_both(void *arg)
{
	struct rill_runtime *rt = arg;
	struct hold running = {.begun = false}, queued = {.begun = false};
	struct rill_task *a = spawn(call_hold, &running);

	wait_for(&running.begun);
	/* the one thread there may be is taken */
	struct rill_task *b = spawn(call_hold, &queued);

	wait_for_jobs(rt, 2);
	rill_abort(b);
	RILL_ASSERT_CMP(rill_join(b, NULL), ==, RILL_JOIN_ABORTED);
	RILL_ASSERT_CMP(queued.result, ==, -ECANCELED);
	RILL_ASSERT(!queued.begun);

	rill_abort(a);
	for (int i = 0; i < 100; i++)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	RILL_ASSERT(!rill_is_finished(a));
	rill_store_release(&running.release, true);
	/* On a worker of its own it may not have come to see the abort before the call was over. */
	int r = rill_join(a, NULL);

	RILL_ASSERT(r == RILL_JOIN_ABORTED || (r == 0 && rt->worker_count > 1));
	RILL_ASSERT_CMP(running.result, ==, 0);
	RILL_ASSERT(running.over);
	return NULL;
}

static void test_abort(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct rill_runtime *rt = start((struct rill_runtime_options){
			.flavor = i == 0 ? RILL_CURRENT_THREAD : RILL_MULTI_THREAD,
			.workers = 2,
			.max_blocking = 1});

		run(rt, abort_both, rt);
		stop(rt);
	}
}

static void *abort_spawned(void *arg)
{
	struct rill_runtime *rt = arg;
	struct hold running = {.begun = false}, queued = {.begun = false}, fresh = {.begun = false};
	struct rill_task *a, *b, *c;
	void *value = arg;

	RILL_ASSERT_CMP(rill_spawn_blocking(NULL, hold, &running, &a), ==, 0);
	wait_for(&running.begun);
	RILL_ASSERT_CMP(rill_spawn_blocking(NULL, hold, &queued, &b), ==, 0);
	wait_for_jobs(rt, 2);
	RILL_ASSERT_CMP(rill_spawn_blocking(NULL, hold, &fresh, &c), ==, 0);
	rill_abort(c);
	RILL_ASSERT_CMP(rill_join(c, &value), ==, RILL_JOIN_ABORTED);
	RILL_ASSERT(!value);
	value = arg;
	rill_abort(b);
	RILL_ASSERT_CMP(rill_join(b, &value), ==, RILL_JOIN_ABORTED);
	RILL_ASSERT(!value);
	RILL_ASSERT(!queued.begun && !fresh.begun);
	/* What has begun goes on to its end as if nothing had been. */
	rill_abort(a);
	for (int i = 0; i < 100; i++)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	RILL_ASSERT(!rill_is_finished(a));
	rill_store_release(&running.release, true);
	RILL_ASSERT_CMP(rill_join(a, &value), ==, 0);
	RILL_ASSERT(value == &running);
	return NULL;
}

static void test_abort_of_a_spawned_call(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct rill_runtime *rt = start((struct rill_runtime_options){
			.flavor = i == 0 ? RILL_CURRENT_THREAD : RILL_MULTI_THREAD,
			.workers = 2,
			.max_blocking = 1});

		run(rt, abort_spawned, rt);
		assert_int_equal(rill_runtime_live_tasks(rt), 0);
		stop(rt);
	}
}

/* A scope ends the wait for a job that has not begun, and no other. */
static void *timed_out(void *arg)
{
	struct hold running = {.begun = false}, queued = {.begun = false};
	struct rill_task *a = spawn(call_hold, &running);
	struct rill_scope scope;

	wait_for(&running.begun);
	rill_scope_begin(&scope, rill_after(RILL_MS), NULL);
	RILL_ASSERT_CMP(rill_blocking(hold, &queued, NULL), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
	RILL_ASSERT(!queued.begun);
	rill_store_release(&running.release, true);
	RILL_ASSERT_CMP(rill_join(a, NULL), ==, 0);
	return NULL;
}

static void test_scope(void **state)
{
	struct rill_runtime *rt = start(
		(struct rill_runtime_options){.flavor = RILL_CURRENT_THREAD, .max_blocking = 1});

	run(rt, timed_out, NULL);
	stop(rt);
}

/* A paused clock stands still while a job runs. */
struct sleeper {
	const struct rill_worker *worker;
	uint64_t parks; /* so far */
};

static void *until_asleep(void *arg)
{
	const struct sleeper *s = arg;

	/* The worker has looked whether the clock may jump, and sleeps instead. */
	while (rill_load_relaxed(&s->worker->metrics.parks) == s->parks)
		sched_yield();
	return NULL;
}

static void *long_sleep(void *arg)
{
	RILL_ASSERT_CMP(rill_sleep(RILL_SEC), ==, 0);
	return NULL;
}

static void *clock_stands(void *arg)
{
	struct rill_task *t = spawn(long_sleep, NULL);
	uint64_t t0 = rill_now();

	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	struct sleeper s = {.worker = &((struct rill_runtime *)arg)->workers[0]};

	s.parks = rill_load_relaxed(&s.worker->metrics.parks);
	RILL_ASSERT_CMP(rill_blocking(until_asleep, &s, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_now(), ==, t0);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_now(), >=, t0 + RILL_SEC);
	return NULL;
}

static void test_paused_clock_waits(void **state)
{
	struct rill_runtime *rt = start_paused();

	run(rt, clock_stands, rt);
	stop(rt);
}

/* ---- no thread to be had ---- */

static void *spawn_call(void *arg)
{
	struct rill_task *t;
	void *value = &t;

	RILL_ASSERT_CMP(rill_spawn_blocking(NULL, square, (void *)3, &t), ==, 0);
	RILL_ASSERT_CMP(rill_join(t, &value), ==, (intptr_t)arg);
	RILL_ASSERT((uintptr_t)value == (arg ? 0 : 9));
	return NULL;
}

/* The system refuses a stack of 2^60 bytes. */
static void test_spawned_call_without_a_thread_fails(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct rill_runtime *rt = i ? start_current() : start_multi(2);
		size_t right = rt->o.thread_stack_size;

		rt->o.thread_stack_size = (size_t)1 << 60;
		run(rt, spawn_call, (void *)RILL_JOIN_FAILED);
		rt->o.thread_stack_size = right;
		run(rt, spawn_call, NULL);
		stop(rt);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_more_jobs_than_threads),
		cmocka_unit_test(test_defaults_and_plain_thread),
		cmocka_unit_test(test_jobs_may_wait_for_one_another),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_abort_of_a_spawned_call),
		cmocka_unit_test(test_scope),
		cmocka_unit_test(test_paused_clock_waits),
		cmocka_unit_test(test_spawned_call_without_a_thread_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
