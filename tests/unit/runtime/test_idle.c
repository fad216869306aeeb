/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * No wake-up is lost: workers that go to sleep at once are woken again and again, and a lost
 * wake-up would end in a hang. Hence the time-out of this test in meson.build.
 */
#include <pthread.h>

#include "tests/unit/runtime/rt.h"

static struct rill_runtime *start_sleepy(enum rill_flavor flavor, unsigned workers)
{
	return start((struct rill_runtime_options){
		.flavor = flavor, .workers = workers, .idle = RILL_IDLE_ADAPTIVE, .spin_ns = 1});
}

struct pair {
	struct gate a, b;
	unsigned rounds;
};

static void pair_init(struct pair *p, unsigned rounds)
{
	gate_init(&p->a);
	gate_init(&p->b);
	p->rounds = rounds;
}

static void *answer(void *arg)
{
	struct pair *p = arg;

	for (unsigned i = 0; i < p->rounds; i++) {
		RILL_ASSERT_CMP(gate_wait(&p->a), ==, 0);
		gate_post(&p->b);
	}
	return NULL;
}

static void ask(struct pair *p)
{
	for (unsigned i = 0; i < p->rounds; i++) {
		gate_post(&p->a);
		RILL_ASSERT_CMP(gate_wait(&p->b), ==, 0);
	}
}

/* A plain thread and a task: each sleeps in the kernel between the rounds. */
static void thread_and_task(unsigned workers)
{
	struct rill_runtime *rt = start_sleepy(RILL_MULTI_THREAD, workers);
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt};
	struct rill_task *t;
	struct pair p;

	pair_init(&p, ROUNDS(10000));
	assert_int_equal(rill_spawn_with(&o, answer, &p, &t), 0);
	ask(&p);
	assert_int_equal(rill_join(t, NULL), 0);
	stop(rt);
}

static void test_thread_and_task(void **state)
{
	thread_and_task(1);
	thread_and_task(2);
	thread_and_task(4);
}

static void *ask_in_thread(void *arg)
{
	ask(arg);
	return NULL;
}

static void test_thread_and_current_thread(void **state)
{
	struct rill_runtime *rt = start_sleepy(RILL_CURRENT_THREAD, 1);
	pthread_t thread;
	struct pair p;

	pair_init(&p, ROUNDS(10000));
	assert_int_equal(pthread_create(&thread, NULL, ask_in_thread, &p), 0);
	run(rt, answer, &p);
	pthread_join(thread, NULL);
	stop(rt);
}

static void test_spawn_from_a_thread(void **state)
{
	struct rill_runtime *rt = start_sleepy(RILL_MULTI_THREAD, 2);
	struct pair p;

	for (unsigned i = 0; i < ROUNDS(10000); i++) {
		pair_init(&p, 0);
		run(rt, answer, &p);
	}
	stop(rt);
}

/* ---- between two workers ---- */

static void *set(void *arg)
{
	/* release: pairs with the acquire in spin_until_set() */
	rill_store_release((bool *)arg, true);
	return NULL;
}

static void spin_until_set(bool *flag)
{
	/* acquire: see set() */
	while (!rill_load_acquire(flag))
		sched_yield();
}

/*
 * Of two spawned tasks the first is pushed out of the slot for the next task into the queue, where
 * only another worker can take it while this one computes.
 */
static void *need_the_other(void *arg)
{
	for (unsigned i = 0; i < ROUNDS(10000); i++) {
		bool flags[2] = {false, false};
		struct rill_task *t[2];

		t[0] = spawn(set, &flags[0]);
		t[1] = spawn(set, &flags[1]);
		spin_until_set(&flags[0]);
		RILL_ASSERT_CMP(rill_join(t[0], NULL), ==, 0);
		RILL_ASSERT_CMP(rill_join(t[1], NULL), ==, 0);
		/* now and then both workers sleep in between */
		if (i % 64 == 0)
			RILL_ASSERT_CMP(rill_sleep(100 * RILL_US), ==, 0);
	}
	return NULL;
}

static void test_two_workers(void **state)
{
	struct rill_runtime *rt = start_sleepy(RILL_MULTI_THREAD, 2);

	run(rt, need_the_other, NULL);
	stop(rt);
}

/* Even the one task in the slot is found when its worker computes for long. */
static void *slot_is_relieved(void *arg)
{
	for (int i = 0; i < 20; i++) {
		bool flag = false;
		struct rill_task *t = spawn(set, &flag);

		spin_until_set(&flag);
		RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	}
	return NULL;
}

static void test_slot_of_a_stuck_worker(void **state)
{
	struct rill_runtime *rt = start_sleepy(RILL_MULTI_THREAD, 2);

	run(rt, slot_is_relieved, NULL);
	stop(rt);
}

/* And its timers. */
static void *sleep_and_set(void *arg)
{
	RILL_ASSERT_CMP(rill_sleep(RILL_MS), ==, 0);
	return set(arg);
}

static void *timer_is_relieved(void *arg)
{
	for (int i = 0; i < 20; i++) {
		bool flag = false;
		struct rill_task *t = spawn(sleep_and_set, &flag);

		rill_yield();
		spin_until_set(&flag);
		RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	}
	return NULL;
}

static void test_timers_of_a_stuck_worker(void **state)
{
	struct rill_runtime *rt = start_sleepy(RILL_MULTI_THREAD, 2);

	run(rt, timer_is_relieved, NULL);
	stop(rt);
}

/* ---- many at once ---- */

static void *answer_and_nap(void *arg)
{
	struct pair *p = arg;

	for (unsigned i = 0; i < p->rounds; i++) {
		RILL_ASSERT_CMP(gate_wait(&p->a), ==, 0);
		if (i % 8 == 0)
			RILL_ASSERT_CMP(rill_sleep(5 * RILL_US), ==, 0);
		gate_post(&p->b);
	}
	return NULL;
}

static void *ask_task(void *arg)
{
	ask(arg);
	return NULL;
}

#define PAIRS 8

static void *pairs(void *arg)
{
	static struct pair p[PAIRS];
	struct rill_task *t[2 * PAIRS];

	for (int i = 0; i < PAIRS; i++) {
		pair_init(&p[i], ROUNDS(2000));
		t[2 * i] = spawn(answer_and_nap, &p[i]);
		t[2 * i + 1] = spawn(ask_task, &p[i]);
	}
	for (int i = 0; i < 2 * PAIRS; i++)
		RILL_ASSERT_CMP(rill_join(t[i], NULL), ==, 0);
	return NULL;
}

static void test_many_pairs(void **state)
{
	for (unsigned workers = 1; workers <= 4; workers++) {
		struct rill_runtime *rt = start_sleepy(RILL_MULTI_THREAD, workers);

		run(rt, pairs, NULL);
		stop(rt);
	}
}

/* After any number of wakes and searches nobody is counted as awake or searching who sleeps. */
static void test_all_asleep_in_the_end(void **state)
{
	struct rill_runtime *rt = start_sleepy(RILL_MULTI_THREAD, 4);

	for (int i = 0; i < 5; i++) {
		run(rt, pairs, NULL);
		while (rill_load_seq_cst(&rt->idle.word) != 0)
			rill_sleep(100 * RILL_US);
	}
	stop(rt);
}

/* A worker with a timer far away sleeps until it, and does not look all the time. */
static void *long_sleep(void *arg)
{
	RILL_ASSERT_CMP(rill_sleep(50 * RILL_MS), ==, 0);
	return NULL;
}

static void test_sleep_is_sleep(void **state)
{
	struct rill_runtime *rt = start_sleepy(RILL_CURRENT_THREAD, 1);
	struct rill_worker_metrics before, after;

	for (int i = 0; i < 5; i++) {
		rill_runtime_worker_metrics(rt, 0, &before);
		run(rt, long_sleep, NULL);
		rill_runtime_worker_metrics(rt, 0, &after);
		/* the deadline, and the tick after it */
		assert_in_range(after.parks - before.parks, 1, 3);
	}
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thread_and_task),
		cmocka_unit_test(test_thread_and_current_thread),
		cmocka_unit_test(test_spawn_from_a_thread),
		cmocka_unit_test(test_two_workers),
		cmocka_unit_test(test_slot_of_a_stuck_worker),
		cmocka_unit_test(test_timers_of_a_stuck_worker),
		cmocka_unit_test(test_many_pairs),
		cmocka_unit_test(test_all_asleep_in_the_end),
		cmocka_unit_test(test_sleep_is_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
