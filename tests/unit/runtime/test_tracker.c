/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <rill/group.h>

#include "tests/unit/runtime/bodies.h"

static struct rill_tracker *tracker_new(void)
{
	struct rill_tracker *k = NULL;

	RILL_ASSERT_CMP(rill_tracker_create(&k), ==, 0);
	return k;
}

struct waiting {
	struct rill_tracker *tracker;
	bool begun;
	int result;
};

static void *wait_for_tracker(void *arg)
{
	struct waiting *w = arg;

	rill_store_release(&w->begun, true);
	w->result = rill_tracker_wait(w->tracker);
	return NULL;
}

/* On the one worker of a current-thread runtime: it waits when this returns. */
static struct rill_task *start_waiting(struct waiting *w, struct rill_tracker *k)
{
	*w = (struct waiting){.tracker = k, .result = 1};
	struct rill_task *t = spawn(wait_for_tracker, w);

	while (!rill_load_acquire(&w->begun))
		rill_yield();
	return t;
}

static void *closed_and_empty(void *arg)
{
	struct rill_tracker *k = tracker_new();
	struct waiting w;

	RILL_ASSERT(rill_tracker_is_empty(k) && !rill_tracker_is_closed(k));
	/* Empty is not enough, */
	struct rill_task *t = start_waiting(&w, k);

	RILL_ASSERT(!rill_is_finished(t));
	rill_tracker_begin(k);
	RILL_ASSERT(rill_tracker_close(k) && !rill_tracker_close(k));
	/* nor is closed. */
	for (int i = 0; i < 3; i++)
		rill_yield();
	RILL_ASSERT(!rill_is_finished(t) && rill_tracker_len(k) == 1);
	rill_tracker_end(k);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	RILL_ASSERT_CMP(w.result, ==, 0);
	RILL_ASSERT_CMP(rill_tracker_wait(k), ==, 0);
	/* Closing does not stop spawns. */
	RILL_ASSERT_CMP(rill_tracker_spawn(k, same, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_tracker_wait(k), ==, 0);
	RILL_ASSERT(rill_tracker_is_closed(k) && rill_tracker_is_empty(k));
	RILL_ASSERT(rill_tracker_reopen(k) && !rill_tracker_reopen(k));
	t = start_waiting(&w, k);
	for (int i = 0; i < 3; i++)
		rill_yield();
	RILL_ASSERT(!rill_is_finished(t));
	/* closing when it is empty ends it, too */
	rill_tracker_close(k);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	rill_tracker_destroy(k);
	return NULL;
}

static void test_closed_and_empty(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, closed_and_empty, NULL);
	stop(rt);
}

/* Closed and empty only for a moment, and no longer so when the waiters get to look. */
static void *aba(void *arg)
{
	struct rill_tracker *k = tracker_new();
	struct waiting before[2], after;
	struct rill_task *t[3];

	rill_tracker_begin(k);
	rill_tracker_close(k);
	t[0] = start_waiting(&before[0], k);
	t[1] = start_waiting(&before[1], k);
	rill_tracker_end(k);
	rill_tracker_begin(k);
	rill_tracker_reopen(k);
	RILL_ASSERT_CMP(rill_join(t[0], NULL), ==, 0);
	RILL_ASSERT_CMP(rill_join(t[1], NULL), ==, 0);
	RILL_ASSERT(before[0].result == 0 && before[1].result == 0);
	t[2] = start_waiting(&after, k);
	for (int i = 0; i < 3; i++)
		rill_yield();
	RILL_ASSERT(!rill_is_finished(t[2]));
	rill_tracker_end(k);
	/* the same for a close that is taken back at once */
	rill_tracker_close(k);
	rill_tracker_reopen(k);
	RILL_ASSERT_CMP(rill_join(t[2], NULL), ==, 0);
	RILL_ASSERT_CMP(after.result, ==, 0);
	rill_tracker_destroy(k);
	return NULL;
}

static void test_a_moment_releases_earlier_waiters(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, aba, NULL);
	stop(rt);
}

static void *wait_cancelled(void *arg)
{
	struct rill_tracker *k = tracker_new();
	struct rill_scope scope;
	struct rill_case c;

	rill_tracker_begin(k);
	rill_tracker_close(k);
	rill_scope_begin(&scope, rill_after(RILL_MS), NULL);
	RILL_ASSERT_CMP(rill_tracker_wait(k), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
	rill_case_tracker_wait(&c, k);
	RILL_ASSERT_CMP(rill_select(&c, 1, RILL_SELECT_NONBLOCKING), ==, -EAGAIN);
	rill_tracker_end(k);
	rill_case_tracker_wait(&c, k);
	RILL_ASSERT_CMP(rill_select(&c, 1, 0), ==, 0);
	RILL_ASSERT_CMP(c.result, ==, 0);
	rill_tracker_destroy(k);
	return NULL;
}

static void test_wait_is_cancel_safe(void **state)
{
	in_each_flavor(wait_cancelled, NULL);
}

/* Tasks are not aborted, and outlive the tracker. */
static void *destroy_running(void *arg)
{
	struct rill_tracker *k = tracker_new();
	struct rill_abort_handle h;
	struct gate g, done;

	gate_init(&g);
	gate_init(&done);
	RILL_ASSERT_CMP(rill_tracker_spawn_with(k, NULL, wait_at_gate, &g, &h), ==, 0);
	RILL_ASSERT_CMP(rill_tracker_spawn(k, wait_at_gate, &g), ==, 0);
	RILL_ASSERT_CMP(rill_tracker_spawn_with(k, NULL, NULL, NULL, NULL), ==, -EINVAL);
	RILL_ASSERT_CMP((int)rill_tracker_len(k), ==, 2);
	rill_abort_by(h);
	while (rill_tracker_len(k) > 1)
		rill_yield();
	RILL_ASSERT(rill_is_finished_by(h));
	rill_tracker_destroy(k);
	while (rill_runtime_live_tasks(rill_runtime_current()) > 2)
		rill_yield();
	for (int i = 0; i < 10; i++)
		rill_yield();
	RILL_ASSERT_CMP((int)rill_runtime_live_tasks(rill_runtime_current()), ==, 2);
	gate_post(&g);
	until_alone();
	rill_tracker_destroy(NULL);
	return NULL;
}

static void test_destroy_while_tasks_run(void **state)
{
	in_each_flavor(destroy_running, NULL);
}

/* ---- many ---- */

struct crowd {
	struct rill_tracker *tracker;
	RILL_ATOMIC(uint64_t) begun;
	RILL_ATOMIC(uint64_t) ended;
};

static void *counted(void *arg)
{
	struct crowd *c = arg;

	nap((void *)(uintptr_t)rill_fetch_add_relaxed(&c->begun, 1));
	rill_fetch_add_relaxed(&c->ended, 1);
	return NULL;
}

/* A wait sees all that the tasks did; the tracker goes as soon as the wait is over. */
static void *rounds(void *arg)
{
	for (int round = 0; round < (int)ROUNDS(1000); round++) {
		struct crowd c = {.tracker = tracker_new()};

		for (int i = 0; i < 20; i++) {
			if (i == 10)
				RILL_ASSERT_CMP(rill_tracker_spawn_blocking(c.tracker, NULL, same,
									    &c, NULL),
						==, 0);
			RILL_ASSERT_CMP(rill_tracker_spawn(c.tracker, counted, &c), ==, 0);
			if (i == round % 20)
				rill_tracker_close(c.tracker);
		}
		RILL_ASSERT_CMP(rill_tracker_wait(c.tracker), ==, 0);
		if (rill_tracker_len(c.tracker) == 0)
			RILL_ASSERT_CMP((int)c.ended, ==, 20);
		/* it may have been a moment only */
		while (rill_tracker_len(c.tracker) > 0)
			RILL_ASSERT_CMP(rill_tracker_wait(c.tracker), ==, 0);
		RILL_ASSERT_CMP((int)rill_load_relaxed(&c.ended), ==, 20);
		rill_tracker_destroy(c.tracker);
	}
	return NULL;
}

static void *several(void *arg)
{
	struct rill_task *t[4];

	for (int i = 0; i < 4; i++)
		t[i] = spawn(rounds, NULL);
	for (int i = 0; i < 4; i++)
		RILL_ASSERT_CMP(rill_join(t[i], NULL), ==, 0);
	return NULL;
}

static void test_many_on_all_workers(void **state)
{
	struct rill_runtime *rt = start_multi(4);

	run(rt, several, NULL);
	stop(rt);
}

static void *thread_waits(void *arg)
{
	return (void *)(intptr_t)rill_tracker_wait(arg);
}

static void test_plain_thread(void **state)
{
	struct rill_runtime *rt = start_multi(2);
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt};
	struct rill_tracker *k = tracker_new();
	pthread_t thread;
	void *value = k;

	assert_int_equal(rill_tracker_spawn(k, same, NULL), -EINVAL);
	assert_true(rill_tracker_is_empty(k));
	rill_tracker_begin(k);
	assert_int_equal(pthread_create(&thread, NULL, thread_waits, k), 0);
	for (uintptr_t i = 0; i < 100; i++)
		assert_int_equal(rill_tracker_spawn_with(k, &o, nap, (void *)i, NULL), 0);
	rill_tracker_close(k);
	rill_tracker_end(k);
	assert_int_equal(pthread_join(thread, &value), 0);
	assert_null(value);
	rill_tracker_destroy(k);
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closed_and_empty),
		cmocka_unit_test(test_a_moment_releases_earlier_waiters),
		cmocka_unit_test(test_wait_is_cancel_safe),
		cmocka_unit_test(test_destroy_while_tasks_run),
		cmocka_unit_test(test_many_on_all_workers),
		cmocka_unit_test(test_plain_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
