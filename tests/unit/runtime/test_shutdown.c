/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <unistd.h>

#include "tests/unit/runtime/rt.h"

#define TASKS 300

/* Tasks count themselves in and, when their clean-up has run, out. */
struct tally {
	RILL_ATOMIC(unsigned) begun;
	RILL_ATOMIC(unsigned) ended;
	struct rill_runtime *rt;
};

static void in(struct tally *t)
{
	rill_fetch_add_acq_rel(&t->begun, 1);
}

static void out(struct tally *t)
{
	rill_fetch_add_acq_rel(&t->ended, 1);
}

static void *sleeps(void *arg)
{
	struct rill_scope shield;

	in(arg);
	RILL_ASSERT_CMP(rill_sleep(RILL_FOREVER), ==, -ECANCELED);
	/* clean-up takes its time */
	rill_scope_begin_shield(&shield);
	RILL_ASSERT_CMP(rill_sleep(RILL_MS), ==, 0);
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	rill_scope_end(&shield);
	out(arg);
	return NULL;
}

static void *yields(void *arg)
{
	in(arg);
	while (rill_yield() == 0)
		;
	out(arg);
	return NULL;
}

static void *nap(void *arg)
{
	sched_yield();
	return NULL;
}

static void *blocks(void *arg)
{
	in(arg);
	while (rill_blocking(nap, NULL, NULL) == 0)
		;
	out(arg);
	return NULL;
}

/* Every task's clean-up begins another one, until that is refused. */
static void *spawns(void *arg)
{
	struct rill_task *t;
	int r = 0;

	in(arg);
	while (r == 0) {
		r = rill_spawn(yields, arg, &t);
		if (r == 0)
			rill_detach(t);
		if (rill_sleep(50 * RILL_US) < 0 && r == 0) {
			/* aborted: the runtime goes down, or is just about to say so */
			r = rill_spawn(yields, arg, NULL);
			break;
		}
	}
	RILL_ASSERT(r == 0 || r == -ESHUTDOWN);
	out(arg);
	return NULL;
}

static void *parent(void *arg)
{
	struct rill_task *t = NULL;

	in(arg);
	int r = rill_spawn(sleeps, arg, &t);

	if (r < 0) {
		/* begun when the end had */
		RILL_ASSERT_CMP(r, ==, -ESHUTDOWN);
		out(arg);
		return NULL;
	}
	r = rill_join(t, NULL);

	/* the one or the other is seen first; then the handle is still ours */
	RILL_ASSERT(r == -ECANCELED || r == RILL_JOIN_ABORTED);
	if (r < 0)
		rill_detach(t);
	out(arg);
	return NULL;
}

static void *busy_runtime(void *arg)
{
	void *(*const kinds[])(void *) = {sleeps, yields, blocks, parent};

	for (unsigned i = 0; i < TASKS; i++) {
		/* some handles are never given back */
		struct rill_task *t = NULL;

		RILL_ASSERT_CMP(rill_spawn(kinds[i % 4], arg, i % 3 ? &t : NULL), ==, 0);
		if (i % 3 == 1)
			rill_detach(t);
	}
	RILL_ASSERT_CMP(rill_spawn(spawns, arg, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_sleep(3 * RILL_MS), ==, 0);
	return NULL;
}

static void destroy_busy(struct rill_runtime *rt)
{
	struct tally tally = {.rt = rt};

	run(rt, busy_runtime, &tally);
	stop(rt);
	assert_in_range(tally.begun, 1, 100000);
	assert_int_equal(tally.begun, tally.ended);
}

static void test_everything_ends(void **state)
{
	for (int i = 0; i < 5; i++) {
		destroy_busy(start_multi(2));
		destroy_busy(start_multi(1));
		destroy_busy(start_current());
	}
}

/* On a paused clock a shielded sleep in the clean-up passes at once, too. */
static void *spawn_sleeper(void *arg)
{
	RILL_ASSERT_CMP(rill_spawn(sleeps, arg, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	return NULL;
}

static void test_paused_clock(void **state)
{
	struct rill_runtime *rt = start_paused();
	struct tally tally = {.rt = rt};

	run(rt, spawn_sleeper, &tally);
	stop(rt);
	assert_int_equal(tally.begun, 1);
	assert_int_equal(tally.ended, 1);
}

/* Tasks that have not begun do not begin any more. */
static void *never(void *arg)
{
	RILL_ASSERT(!"a task began after its runtime's end");
	return NULL;
}

static void test_not_begun(void **state)
{
	struct rill_runtime *rt = start_current();
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt};
	struct rill_task *t;

	for (int i = 0; i < 1000; i++)
		assert_int_equal(rill_spawn_with(&o, never, NULL, i % 2 ? &t : NULL), 0);
	assert_int_equal(rill_runtime_live_tasks(rt), 1000);
	stop(rt);
}

static void test_nothing_to_end(void **state)
{
	stop(start_current());
	for (unsigned workers = 1; workers < 5; workers++)
		stop(start_multi(workers));
	assert_int_equal(rill_runtime_destroy(NULL), 0);
}

/* ---- from outside, while it goes down ---- */

/* Runs on a thread of the blocking pool, so that destroy waits for it. */
static void *spawn_until_refused(void *arg)
{
	struct tally *t = arg;
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = t->rt};
	struct rill_task *task = NULL;
	int r;

	in(t);
	do {
		r = rill_spawn_with(&o, yields, t, &task);
		if (r == 0)
			rill_detach(task);
		/* enough of them */
		while (r == 0 && rill_runtime_live_tasks(t->rt) > 200)
			sched_yield();
	} while (r == 0);
	RILL_ASSERT_CMP(r, ==, -ESHUTDOWN);
	RILL_ASSERT_CMP(rill_block_on(t->rt, never, NULL, NULL), ==, -ESHUTDOWN);
	RILL_ASSERT_CMP(rill_runtime_destroy(NULL), ==, 0);
	return NULL;
}

static void *call_spawner(void *arg)
{
	RILL_ASSERT_CMP(rill_blocking(spawn_until_refused, arg, NULL), ==, 0);
	out(arg);
	return NULL;
}

static void *begin_spawner(void *arg)
{
	struct tally *t = arg;

	RILL_ASSERT_CMP(rill_spawn(call_spawner, arg, NULL), ==, 0);
	/* until it has begun: acquire, with in() */
	while (rill_load_acquire(&t->begun) == 0)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	RILL_ASSERT_CMP(rill_sleep(2 * RILL_MS), ==, 0);
	return NULL;
}

static void test_spawns_from_outside_are_refused(void **state)
{
	for (int i = 0; i < 10; i++) {
		struct rill_runtime *rt = i % 2 ? start_current() : start_multi(2);
		struct tally tally = {.rt = rt};

		run(rt, begin_spawner, &tally);
		stop(rt);
		assert_int_equal(tally.begun, tally.ended);
	}
}

static void *destroy_inside(void *arg)
{
	RILL_ASSERT_CMP(rill_runtime_destroy(arg), ==, -EDEADLK);
	return NULL;
}

static void test_not_from_inside(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct rill_runtime *rt = i ? start_current() : start_multi(2);

		run(rt, destroy_inside, rt);
		/* and goes on */
		run(rt, destroy_inside, rt);
		stop(rt);
	}
}

/* ---- while block_on still waits ---- */

/*
 * The linker puts it in place of rill_join() (meson.build): while there is a handle here, the join
 * of block_on comes only when the runtime has let go of its handles, which is next to last in its
 * end; it must still be there.
 */
int __real_rill_join(struct rill_task *task, void **ret_value);
int __wrap_rill_join(struct rill_task *task, void **ret_value);

static struct rill_handle *late_by;
static unsigned late_joins;

int __wrap_rill_join(struct rill_task *task, void **ret_value)
{
	if (late_by && !rill_worker_current()) {
		while (rill_load_seq_cst(&late_by->rt))
			rill_sleep(50 * RILL_US);
		/* what still has to be freed is freed now */
		rill_sleep(RILL_MS);
		late_joins++;
	}
	return __real_rill_join(task, ret_value);
}

static void *shut_down_and_sleep(void *arg)
{
	RILL_ASSERT_CMP(rill_runtime_shutdown(arg, 0), ==, -ETIMEDOUT);
	RILL_ASSERT_CMP(rill_sleep(RILL_FOREVER), ==, -ECANCELED);
	return NULL;
}

static void shut_down_in_block_on(struct rill_runtime *rt, bool late)
{
	struct rill_handle *h = rill_runtime_handle(rt);

	late_by = late ? h : NULL;
	late_joins = 0;
	int r = rill_block_on(rt, shut_down_and_sleep, rt, NULL);

	late_by = NULL;
	assert_true(r == 0 || r == -ECANCELED);
	assert_int_equal(late_joins, late);
	while (rill_load_seq_cst(&h->rt))
		rill_sleep(50 * RILL_US);
	rill_handle_put(h);
}

static void test_block_on_outlives_a_shutdown_by_its_own_task(void **state)
{
	for (int i = 0; i < 8; i++) {
		shut_down_in_block_on(start_multi(2), i < 4);
		shut_down_in_block_on(start_current(), i < 4);
	}
}

/* ---- from a thread of the blocking pool ---- */

static void *destroy_from_the_pool(void *arg)
{
	RILL_ASSERT_CMP(rill_runtime_destroy(arg), ==, -EDEADLK);
	RILL_ASSERT_CMP(rill_runtime_shutdown(arg, RILL_SEC), ==, -EDEADLK);
	return NULL;
}

static void *call_destroy_from_the_pool(void *arg)
{
	RILL_ASSERT_CMP(rill_blocking(destroy_from_the_pool, arg, NULL), ==, 0);
	/* and nothing has been done */
	RILL_ASSERT_CMP(rill_join(spawn(nap, NULL), NULL), ==, 0);
	return NULL;
}

static void test_not_from_its_blocking_pool(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct rill_runtime *rt = i ? start_current() : start_multi(2);

		run(rt, call_destroy_from_the_pool, rt);
		stop(rt);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_to_end),
		cmocka_unit_test(test_not_begun),
		cmocka_unit_test(test_everything_ends),
		cmocka_unit_test(test_paused_clock),
		cmocka_unit_test(test_spawns_from_outside_are_refused),
		cmocka_unit_test(test_not_from_inside),
		cmocka_unit_test(test_block_on_outlives_a_shutdown_by_its_own_task),
		cmocka_unit_test(test_not_from_its_blocking_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
