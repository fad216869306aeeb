/* SPDX-License-Identifier: BSD-3-Clause */
#include <rill/metrics.h>
#include <unistd.h>

#include "tests/unit/runtime/bodies.h"

static struct rill_worker_metrics of_worker(const struct rill_runtime *rt, unsigned i)
{
	struct rill_worker_metrics m = {0};

	RILL_ASSERT_CMP(rill_runtime_worker_metrics(rt, i, &m), ==, 0);
	return m;
}

static struct rill_runtime_metrics of_runtime(struct rill_runtime *rt)
{
	struct rill_runtime_metrics m;

	rill_runtime_metrics(rt, &m);
	return m;
}

/* ---- counters, roughly, where workers race ---- */

static struct rill_worker_metrics sum_up(struct rill_runtime *rt)
{
	struct rill_worker_metrics sum = {0};

	for (unsigned i = 0; i < rill_runtime_workers(rt); i++) {
		struct rill_worker_metrics m = of_worker(rt, i);

		sum.slices += m.slices;
		sum.spawned += m.spawned;
		sum.finished += m.finished;
		sum.yields += m.yields;
		sum.overflows += m.overflows;
		sum.steals += m.steals;
		sum.steal_operations += m.steal_operations;
		sum.timers_armed += m.timers_armed;
		sum.timers_fired += m.timers_fired;
		sum.parks += m.parks;
		sum.unparks += m.unparks;
		assert_int_equal(m.busy_ns, m.tasks_ns + m.poll_ns + m.timers_ns);
		assert_int_equal(m.park_unpark_count, m.parks + m.unparks);
	}
	return sum;
}

static void test_counters(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct rill_runtime *rt = i ? start_multi(2) : start_current();
		struct rill_worker_metrics m;

		run(rt, load, NULL);
		m = sum_up(rt);
		assert_int_equal(m.spawned, LOAD_SPAWNS);
		/* and the one of block_on() */
		assert_int_equal(of_runtime(rt).spawned, LOAD_SPAWNS + 1);
		assert_int_equal(m.finished, LOAD_SPAWNS + 1);
		assert_int_equal(m.yields, LOAD_SPAWNS * LOAD_YIELDS);
		assert_true(m.slices >= (LOAD_SPAWNS + 1) + LOAD_SPAWNS * LOAD_YIELDS);
		/* 500 in a row do not fit into a queue of 256 */
		assert_true(m.overflows > 0 || m.steals > 0);
		assert_true(m.steals >= m.steal_operations);
		assert_int_equal(m.timers_armed, 1);
		assert_int_equal(m.timers_fired, 1);
		assert_in_range(m.parks, m.unparks, m.unparks + 2);
		assert_true(rill_runtime_remote_schedules(rt) >= 1);
		assert_int_equal(rill_runtime_live_tasks(rt), 0);
		assert_int_equal(rill_runtime_worker_metrics(rt, rill_runtime_workers(rt), &m),
				 -EINVAL);
		stop(rt);
	}
}

/* ---- the same exactly, where nobody does ---- */

static void *join_one(void *arg)
{
	RILL_ASSERT_CMP(rill_join(spawn(load_task, NULL), NULL), ==, 0);
	return NULL;
}

static void test_slices(void **state)
{
	struct rill_runtime *rt = start_paused();
	struct rill_worker_metrics m;

	run(rt, join_one, NULL);
	m = of_worker(rt, 0);
	/* the spawner before and after its wait; the other at first and after each yield */
	assert_int_equal(m.slices, 2 + 1 + LOAD_YIELDS);
	assert_int_equal(m.spawned, 1);
	assert_int_equal(m.finished, 2);
	assert_int_equal(m.yields, LOAD_YIELDS);
	assert_int_equal(m.budget_yields, 0);
	assert_int_equal(m.overflows, 0);
	assert_int_equal(m.steals, 0);
	assert_int_equal(m.steal_operations, 0);
	assert_int_equal(m.polls, 0);
	assert_int_equal(m.parks, 0);
	assert_int_equal(m.thread_id, gettid());
	assert_int_equal(rill_runtime_remote_schedules(rt), 1);
	stop(rt);
}

static void *spend_budget(void *arg)
{
	for (int i = 0; i < 10; i++)
		RILL_ASSERT_CMP(rill_consume_budget(), ==, 0);
	return NULL;
}

static void test_budget_yields(void **state)
{
	struct rill_runtime *rt = start((struct rill_runtime_options){
		.flavor = RILL_CURRENT_THREAD, .start_paused = true, .budget = 4});

	run(rt, spend_budget, NULL);
	/* before the fifth and the ninth */
	assert_int_equal(of_worker(rt, 0).budget_yields, 2);
	assert_int_equal(of_worker(rt, 0).yields, 0);
	assert_int_equal(of_worker(rt, 0).slices, 3);
	assert_int_equal(of_runtime(rt).budget_yields, 2);
	stop(rt);
}

#define CROWD 300

static void *crowd(void *arg)
{
	struct rill_runtime *rt = rill_runtime_current();

	for (int i = 0; i < CROWD; i++)
		RILL_ASSERT_CMP(rill_spawn(same, NULL, NULL), ==, 0);
	/*
	 * One in the LIFO slot. The 257th that it pushed out found 256 in the queue: half of them
	 * and itself went to the shared one.
	 */
	struct rill_worker_metrics m = of_worker(rt, 0);

	RILL_ASSERT_CMP(m.overflows, ==, 1u);
	RILL_ASSERT_CMP(m.queue_depth, ==, CROWD - 1u - 129u);
	RILL_ASSERT_CMP(of_runtime(rt).inject_depth, ==, 129u);
	RILL_ASSERT_CMP(of_runtime(rt).live_tasks, ==, CROWD + 1u);
	RILL_ASSERT_CMP(m.local_schedules, ==, (uint64_t)CROWD);
	return NULL;
}

static void *wait_for_all(void *arg)
{
	struct rill_runtime *rt = rill_runtime_current();

	crowd(NULL);
	while (rill_runtime_live_tasks(rt) > 1)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	return NULL;
}

static void test_overflow(void **state)
{
	struct rill_runtime *rt = start_paused();

	run(rt, wait_for_all, NULL);
	assert_int_equal(of_worker(rt, 0).queue_depth, 0);
	assert_int_equal(of_runtime(rt).inject_depth, 0);
	assert_int_equal(of_runtime(rt).live_tasks, 0);
	assert_true(of_runtime(rt).stacks >= CROWD);
	assert_int_equal(of_runtime(rt).stacks_trimmed, 0);
	stop(rt);
}

static void *open_gate(void *arg)
{
	gate_post(arg);
	return NULL;
}

static void *use_timers(void *arg)
{
	struct rill_runtime *rt = rill_runtime_current();
	struct rill_scope scope;
	struct gate g;

	for (int i = 0; i < 3; i++)
		RILL_ASSERT_CMP(rill_sleep(RILL_MS), ==, 0);
	RILL_ASSERT_CMP(of_worker(rt, 0).timers_fired, ==, 3u);
	/* a deadline that is not reached */
	gate_init(&g);
	RILL_ASSERT_CMP(rill_spawn(open_gate, &g, NULL), ==, 0);
	rill_scope_begin(&scope, rill_after(RILL_SEC), NULL);
	RILL_ASSERT_CMP(gate_wait(&g), ==, 0);
	rill_scope_end(&scope);
	return NULL;
}

static void *sleep_long(void *arg)
{
	RILL_ASSERT_CMP(rill_sleep(RILL_SEC), ==, 0);
	return NULL;
}

static void *count_pending(void *arg)
{
	struct rill_runtime *rt = rill_runtime_current();
	struct rill_task *t[2] = {spawn(sleep_long, NULL), spawn(sleep_long, NULL)};

	use_timers(NULL);
	RILL_ASSERT_CMP(of_runtime(rt).timers_pending, ==, 2u);
	for (int i = 0; i < 2; i++)
		RILL_ASSERT_CMP(rill_join(t[i], NULL), ==, 0);
	return NULL;
}

static void test_timers(void **state)
{
	struct rill_runtime *rt = start_paused();
	struct rill_worker_metrics m;

	run(rt, count_pending, NULL);
	m = of_worker(rt, 0);
	assert_int_equal(m.timers_armed, 6);
	assert_int_equal(m.timers_fired, 5);
	assert_int_equal(m.timers_cancelled, 1);
	assert_int_equal(m.timers_pending, 0);
	stop(rt);
}

/* ---- sleep ---- */

/* On a thread of the pool: holds the worker asleep while it looks. */
static void *watch_sleep(void *arg)
{
	struct rill_runtime *rt = arg;
	struct rill_runtime_metrics m;

	while (of_worker(rt, 0).park_unpark_count != 1)
		sched_yield();
	m = of_runtime(rt);
	RILL_ASSERT_CMP(m.blocking_threads, ==, 1u);
	RILL_ASSERT_CMP(m.blocking_idle_threads, ==, 0u);
	RILL_ASSERT_CMP(m.blocking_queue_depth, ==, 0u);
	/* Woken for same, it sleeps again. */
	rill_idle_kick(&rt->workers[0]);
	while (of_worker(rt, 0).park_unpark_count != 3)
		sched_yield();
	RILL_ASSERT_CMP(of_worker(rt, 0).noops, ==, 1u);
	return NULL;
}

static void *block(void *arg)
{
	RILL_ASSERT_CMP(rill_blocking(watch_sleep, rill_runtime_current(), NULL), ==, 0);
	return NULL;
}

static void test_parks(void **state)
{
	struct rill_runtime *rt = start_paused();
	struct rill_worker_metrics m;

	run(rt, block, NULL);
	m = of_worker(rt, 0);
	assert_int_equal(m.parks, 2);
	assert_int_equal(m.unparks, 2);
	assert_int_equal(m.park_unpark_count, 4);
	assert_int_equal(m.noops, 1);
	/* the spawn of block_on(), and the wake from the pool */
	assert_int_equal(rill_runtime_remote_schedules(rt), 2);
	stop(rt);
}

/* ---- what went wrong ---- */

static void *give_up(void *arg)
{
	rill_fail("on purpose");
}

static void *spawn_failing(void *arg)
{
	RILL_ASSERT_CMP(rill_spawn(give_up, NULL, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_join(spawn(give_up, NULL), NULL), ==, RILL_JOIN_FAILED);
	return NULL;
}

/* One that somebody waits for is his affair. */
static void test_failed_tasks(void **state)
{
	struct rill_runtime *rt = start_paused();

	run(rt, spawn_failing, NULL);
	assert_int_equal(of_runtime(rt).failed_tasks, 1);
	stop(rt);
}

static void test_stuck(void **state)
{
	struct rill_runtime *rt = start_multi(2);
	struct rill_stuck_watch *watches = rt->monitor.watches;

	/* as the monitor would write them */
	rill_store_relaxed(&watches[0].times, 2);
	rill_store_relaxed(&watches[0].longest_ns, 40 * RILL_SEC);
	rill_store_relaxed(&watches[1].times, 3);
	rill_store_relaxed(&watches[1].longest_ns, 50 * RILL_SEC);
	assert_int_equal(of_worker(rt, 0).stuck, 2);
	assert_int_equal(of_worker(rt, 0).stuck_longest_ns, 40 * RILL_SEC);
	assert_int_equal(of_runtime(rt).stuck, 5);
	assert_int_equal(of_runtime(rt).stuck_longest_ns, 50 * RILL_SEC);
	stop(rt);
}

/* ---- where the time goes ---- */

static void move_clock(uint64_t ns)
{
	struct rill_runtime *rt = rill_runtime_current();

	turn_clock(rt, ns);
}

static void *spend_time(void *arg)
{
	struct rill_runtime *rt = rill_runtime_current();

	move_clock(70);
	/* what is going on counts too */
	RILL_ASSERT_CMP(of_worker(rt, 0).tasks_ns, ==, 70u);
	RILL_ASSERT_CMP(rill_sleep(5 * RILL_MS), ==, 0);
	move_clock(30);
	return NULL;
}

static void check_times(struct rill_runtime *rt, uint64_t tasks_ns, uint64_t parked_ns)
{
	struct rill_worker_metrics m = of_worker(rt, 0);

	assert_int_equal(m.tasks_ns, tasks_ns);
	assert_int_equal(m.busy_ns, tasks_ns);
	/* a timer fires at the end of its tick */
	assert_in_range(m.parked_ns, parked_ns, parked_ns + (1 << RILL_WHEEL_TICK_SHIFT));
	assert_int_equal(m.search_ns, 0);
}

static void test_times(void **state)
{
	struct rill_runtime *rt = start_paused();

	run(rt, spend_time, NULL);
	check_times(rt, 100, 5 * RILL_MS);
	/* between two calls of block_on() nobody's time passes */
	turn_clock(rt, RILL_SEC);
	check_times(rt, 100, 5 * RILL_MS);
	run(rt, same, NULL);
	check_times(rt, 100, 5 * RILL_MS);
	stop(rt);
}

/* ---- the load ---- */

#define QUEUED 10
#define EACH_NS 1000

static void *take_long(void *arg)
{
	move_clock(EACH_NS);
	return NULL;
}

/* Waits for a turn of the loop. */
static void *fill_queue(void *arg)
{
	struct rill_runtime *rt = rill_runtime_current();

	for (int i = 0; i < QUEUED; i++)
		RILL_ASSERT_CMP(rill_spawn(take_long, NULL, NULL), ==, 0);
	RILL_ASSERT_CMP(of_worker(rt, 0).queue_depth, ==, QUEUED - 1u);
	rill_observe_turn(&rt->workers[0], rill_now());
	RILL_ASSERT_CMP(of_worker(rt, 0).queue_delay_ns, ==, 0u);
	/* nobody has come to its end: the delay is as long as that takes by now */
	move_clock(70000);
	RILL_ASSERT_CMP(of_worker(rt, 0).queue_delay_ns, ==, 70000u);
	RILL_ASSERT_CMP(rill_runtime_queue_delay(rt), ==, 70000u);
	while (rill_runtime_live_tasks(rt) > 1)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	/* all have run: by the next look it is known how long that took */
	rill_observe_turn(&rt->workers[0], rill_now());
	return NULL;
}

static void *empty_queue(void *arg)
{
	struct rill_runtime *rt = rill_runtime_current();

	rill_observe_turn(&rt->workers[0], rill_now());
	rill_observe_turn(&rt->workers[0], rill_now());
	RILL_ASSERT_CMP(rill_runtime_queue_delay(rt), ==, 0u);
	fill_queue(NULL);
	return NULL;
}

static void test_queue_delay(void **state)
{
	struct rill_runtime *rt = start((struct rill_runtime_options){
		.flavor = RILL_CURRENT_THREAD, .start_paused = true, .poll_interval = 1000});

	run(rt, empty_queue, NULL);
	/* the turns in between may have seen the end of the queue before all were done */
	assert_in_range(of_worker(rt, 0).queue_delay_ns, 0, 70000 + QUEUED * EACH_NS);
	stop(rt);
}

/* ---- intervals ---- */

static void *sample(void *arg)
{
	struct rill_runtime *rt = rill_runtime_current();
	struct rill_metrics_interval *iv;
	struct rill_interval_metrics m;

	load_task(NULL);
	RILL_ASSERT_CMP(rill_metrics_interval_create(rt, &iv), ==, 0);
	rill_metrics_interval_next(iv, &m);
	RILL_ASSERT_CMP(m.elapsed_ns, ==, 0u);
	RILL_ASSERT_CMP(m.slices.total, ==, 0u);
	RILL_ASSERT(m.busy_ratio == 0 && m.mean_slices_per_park == 0);

	load_task(NULL);
	move_clock(LOAD_YIELDS * 100);
	RILL_ASSERT_CMP(rill_spawn(same, NULL, NULL), ==, 0);
	rill_metrics_interval_next(iv, &m);
	RILL_ASSERT_CMP(m.workers, ==, 1u);
	RILL_ASSERT_CMP(m.elapsed_ns, ==, LOAD_YIELDS * 100u);
	RILL_ASSERT_CMP(m.slices.total, ==, (uint64_t)LOAD_YIELDS);
	RILL_ASSERT_CMP(m.slices.min, ==, m.slices.max);
	RILL_ASSERT_CMP(m.busy_ns.total, ==, LOAD_YIELDS * 100u);
	RILL_ASSERT_CMP(m.mean_slice_ns.total, ==, 100u);
	RILL_ASSERT_CMP(m.spawned, ==, 1u);
	RILL_ASSERT_CMP(m.finished, ==, 0u);
	RILL_ASSERT_CMP(m.live_tasks, ==, 2u);
	RILL_ASSERT(m.busy_ratio == 1);

	/* a fourth busy; the clock jumps to the end of the timer's tick */
	RILL_ASSERT_CMP(rill_sleep(3 * RILL_MS), ==, 0);
	move_clock(RILL_MS);
	rill_metrics_interval_next(iv, &m);
	RILL_ASSERT_CMP(m.finished, ==, 1u);
	RILL_ASSERT_CMP(m.timers_fired, ==, 1u);
	RILL_ASSERT(m.busy_ratio > 0.249 && m.busy_ratio <= 0.25);
	RILL_ASSERT_CMP(m.parked_ns.total, ==, m.elapsed_ns - RILL_MS);
	rill_metrics_interval_destroy(iv);
	return NULL;
}

static void test_interval(void **state)
{
	struct rill_runtime *rt = start_paused();

	run(rt, sample, NULL);
	stop(rt);
}

static void test_interval_spread(void **state)
{
	struct rill_runtime *rt = start_multi(3);
	struct rill_metrics_interval *iv;
	struct rill_interval_metrics m;

	assert_int_equal(rill_metrics_interval_create(rt, &iv), 0);
	run(rt, load, NULL);
	rill_metrics_interval_next(iv, &m);
	assert_int_equal(m.workers, 3);
	assert_int_equal(m.spawned, LOAD_SPAWNS + 1);
	assert_true(m.slices.total >= (LOAD_SPAWNS + 1) + LOAD_SPAWNS * LOAD_YIELDS);
	assert_true(m.slices.min <= m.slices.total / 3);
	assert_true(m.slices.max >= m.slices.total / 3);
	assert_true(m.slices.max <= m.slices.total);
	assert_true(m.elapsed_ns >= RILL_MS);
	assert_true(m.busy_ns.max > 0);
	assert_true(m.busy_ratio > 0);
	rill_metrics_interval_destroy(iv);
	stop(rt);
}

/* ---- passes with and without work ---- */

static bool always_quiet(struct rill_poller *p)
{
	return true;
}

static void no_op(struct rill_poller *p)
{
}

static bool every_other(struct rill_poller *p, uint64_t now)
{
	return p->home++ % 2 == 0;
}

static void test_polls(void **state)
{
	const struct rill_poller_ops ops = {
		.poll = every_other, .arm = always_quiet, .disarm = no_op};
	struct rill_poller p = {.ops = &ops, .fd = -1};
	struct rill_runtime *rt = start_paused();
	struct rill_worker *w = &rt->workers[0];

	assert_int_equal(rill_poller_add(rt, &p), 0);
	assert_true(rill_worker_poll_home(w, 0, false));
	p.home = 1;
	assert_false(rill_worker_poll_home(w, 1, true));
	assert_int_equal(of_worker(rt, 0).polls, 2);
	assert_int_equal(of_worker(rt, 0).polls_ready, 1);
	assert_int_equal(of_worker(rt, 0).polls_foreign, 1);
	rill_poller_remove(&p);
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counters),      cmocka_unit_test(test_slices),
		cmocka_unit_test(test_budget_yields), cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_timers),	      cmocka_unit_test(test_parks),
		cmocka_unit_test(test_failed_tasks),  cmocka_unit_test(test_stuck),
		cmocka_unit_test(test_times),	      cmocka_unit_test(test_queue_delay),
		cmocka_unit_test(test_interval),      cmocka_unit_test(test_interval_spread),
		cmocka_unit_test(test_polls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
