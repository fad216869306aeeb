/* SPDX-License-Identifier: BSD-3-Clause */
/* Hooks, histograms and monitored tasks, on a clock that moves only when the test says so. */
#include <rill/metrics.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/runtime/rt.h"

static void move_clock(struct rill_runtime *rt, uint64_t ns)
{
	turn_clock(rt, ns);
}

/* Lets the slice of the calling task take so long. */
static void spend(uint64_t ns)
{
	move_clock(rill_runtime_current(), ns);
}

/* ---- hooks ---- */

enum event_type {
	SPAWN,
	BEFORE,
	AFTER,
	TERMINATE,
};

struct event {
	enum event_type type;
	uint64_t id;
	uint64_t parent;
	uint64_t ns;
	char name[8];
	bool site;
};

#define EVENTS 64u

struct log {
	struct event events[EVENTS];
	unsigned n;
	uint64_t cost_ns; /* of a hook */
};

static void note(struct log *log, enum event_type type, const struct rill_task_meta *m, uint64_t ns)
{
	RILL_ASSERT_CMP(log->n, <, EVENTS);
	struct event *e = &log->events[log->n++];

	*e = (struct event){type, m->id, m->parent, ns, "", m->spawn_site != NULL};
	RILL_ASSERT_CMP(rill_task_id(m->task), ==, m->id);
	strncpy(e->name, m->name, sizeof(e->name) - 1);
	move_clock(m->task->rt, log->cost_ns);
}

static void on_spawn(void *user, const struct rill_task_meta *m)
{
	note(user, SPAWN, m, 0);
}

static void on_before(void *user, const struct rill_task_meta *m)
{
	/* between tasks */
	RILL_ASSERT_CMP(rill_self_id(), ==, 0u);
	note(user, BEFORE, m, m->sched_latency_ns);
}

static void on_after(void *user, const struct rill_task_meta *m)
{
	RILL_ASSERT_CMP(rill_self_id(), ==, 0u);
	note(user, AFTER, m, m->run_ns);
}

static void on_terminate(void *user, const struct rill_task_meta *m)
{
	note(user, TERMINATE, m, m->run_ns);
}

static struct rill_runtime *start_hooked(struct log *log)
{
	return start((struct rill_runtime_options){
		.flavor = RILL_CURRENT_THREAD,
		.start_paused = true,
		.hooks = {.user = log,
			  .task_spawn = on_spawn,
			  .task_terminate = on_terminate,
			  .before_run = on_before,
			  .after_run = on_after},
	});
}

static void check(const struct log *log, unsigned i, enum event_type type, const char *name,
		  uint64_t ns)
{
	assert_true(i < log->n);
	assert_int_equal(log->events[i].type, type);
	assert_string_equal(log->events[i].name, name);
	assert_int_equal(log->events[i].ns, ns);
}

static void *child(void *arg)
{
	spend(30);
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	spend(40);
	return NULL;
}

static struct rill_task *spawn_named(const char *name, void *(*fn)(void *), void *arg)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .name = name};
	struct rill_task *t = NULL;

	RILL_ASSERT_CMP(rill_spawn_with(&o, fn, arg, &t), ==, 0);
	return t;
}

static void *parent(void *arg)
{
	struct rill_task *t = spawn_named("child", child, NULL);

	spend(1000);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	spend(5);
	return NULL;
}

/* parent is the task of block_on(). */
static void test_order_and_times(void **state)
{
	struct log log = {.n = 0};
	struct rill_runtime *rt = start_hooked(&log);

	run(rt, parent, NULL);
	stop(rt);
	check(&log, 0, SPAWN, "block_o", 0);
	check(&log, 1, BEFORE, "block_o", 0);
	check(&log, 2, SPAWN, "child", 0);
	check(&log, 3, AFTER, "block_o", 1000);
	check(&log, 4, BEFORE, "child", 1000);
	check(&log, 5, AFTER, "child", 30);
	check(&log, 6, BEFORE, "child", 0);
	check(&log, 7, AFTER, "child", 40);
	/* The joiner may begin before its target's end is told, but never before its slice ended.
	 */
	check(&log, 8, BEFORE, "block_o", 0);
	check(&log, 9, TERMINATE, "child", 70);
	check(&log, 10, AFTER, "block_o", 5);
	check(&log, 11, TERMINATE, "block_o", 1005);
	assert_int_equal(log.n, 12);
	assert_int_equal(log.events[0].parent, 0);
	assert_int_equal(log.events[2].parent, log.events[0].id);
	for (unsigned i = 0; i < log.n; i++)
		assert_true(log.events[i].site);
}

/* The time that hooks take is nobody's. */
static void test_hooks_cost_no_task(void **state)
{
	struct log log = {.cost_ns = 7000};
	struct rill_runtime *rt = start_hooked(&log);

	run(rt, child, NULL);
	stop(rt);
	assert_int_equal(log.n, 6);
	check(&log, 2, AFTER, "block_o", 30);
	check(&log, 4, AFTER, "block_o", 40);
	check(&log, 5, TERMINATE, "block_o", 70);
}

static void *nothing(void *arg)
{
	return arg;
}

static void *spawn_blocking(void *arg)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .name = "block"};
	struct rill_task *t;

	RILL_ASSERT_CMP(rill_spawn_blocking(&o, nothing, NULL, &t), ==, 0);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return NULL;
}

static unsigned count(const struct log *log, enum event_type type, const char *name)
{
	unsigned n = 0;

	for (unsigned i = 0; i < log->n; i++)
		n += log->events[i].type == type && strcmp(log->events[i].name, name) == 0;
	return n;
}

static void test_blocking_tasks_have_all_four(void **state)
{
	struct log log = {.n = 0};
	struct rill_runtime *rt = start_hooked(&log);

	run(rt, spawn_blocking, NULL);
	stop(rt);
	assert_int_equal(count(&log, SPAWN, "block"), 1);
	assert_int_equal(count(&log, TERMINATE, "block"), 1);
	assert_true(count(&log, BEFORE, "block") >= 1);
	assert_int_equal(count(&log, BEFORE, "block"), count(&log, AFTER, "block"));
}

static void *abort_child(void *arg)
{
	struct rill_task *t = spawn_named("child", child, NULL);

	rill_abort(t);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, RILL_JOIN_ABORTED);
	return NULL;
}

static void test_aborted_before_it_began(void **state)
{
	struct log log = {.n = 0};
	struct rill_runtime *rt = start_hooked(&log);

	run(rt, abort_child, NULL);
	stop(rt);
	assert_int_equal(count(&log, SPAWN, "child"), 1);
	assert_int_equal(count(&log, TERMINATE, "child"), 1);
	assert_int_equal(count(&log, BEFORE, "child"), count(&log, AFTER, "child"));
}

/* A hook may spawn, and give each task a word of its own. */
static unsigned followers;

static void *follower(void *arg)
{
	followers++;
	return NULL;
}

static void spawn_follower(void *user, const struct rill_task_meta *m)
{
	if (strcmp(m->name, "child") == 0)
		RILL_ASSERT_CMP(rill_spawn(follower, NULL, NULL), ==, 0);
}

static void set_user(void *user, const struct rill_task_meta *m)
{
	rill_task_set_user(m->task, user);
}

static void *ask_user(void *arg)
{
	return rill_task_user(NULL);
}

static void *child_and_user(void *arg)
{
	void *user;

	parent(NULL);
	RILL_ASSERT_CMP(rill_join(spawn(ask_user, NULL), &user), ==, 0);
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	return user;
}

static void test_hooks_act(void **state)
{
	int word;
	struct rill_runtime *rt = start((struct rill_runtime_options){
		.flavor = RILL_CURRENT_THREAD,
		.start_paused = true,
		.hooks = {.user = &word,
			  .task_spawn = set_user,
			  .after_run = spawn_follower,
			  .task_terminate = spawn_follower},
	});

	followers = 0;
	assert_ptr_equal(run(rt, child_and_user, NULL), &word);
	/* two slices and one end */
	assert_int_equal(followers, 3);
	stop(rt);
}

/* ---- pairing on several workers ---- */

struct pairing {
	RILL_ATOMIC(uint64_t) count[4];
	RILL_ATOMIC(uint64_t) run_ns;
};

static void pair_spawn(void *user, const struct rill_task_meta *m)
{
	struct pairing *p = user;

	rill_fetch_add_relaxed(&p->count[SPAWN], 1);
	RILL_ASSERT(!rill_task_user(m->task));
}

static void pair_before(void *user, const struct rill_task_meta *m)
{
	struct pairing *p = user;

	rill_fetch_add_relaxed(&p->count[BEFORE], 1);
	/* between before and after the word is set */
	RILL_ASSERT(!rill_task_user(m->task));
	rill_task_set_user(m->task, p);
}

static void pair_after(void *user, const struct rill_task_meta *m)
{
	struct pairing *p = user;

	rill_fetch_add_relaxed(&p->count[AFTER], 1);
	rill_fetch_add_relaxed(&p->run_ns, m->run_ns);
	RILL_ASSERT(rill_task_user(m->task) == p);
	rill_task_set_user(m->task, NULL);
}

static void pair_terminate(void *user, const struct rill_task_meta *m)
{
	struct pairing *p = user;

	rill_fetch_add_relaxed(&p->count[TERMINATE], 1);
	RILL_ASSERT(!rill_task_user(m->task));
}

#define FANOUT 50
#define GENERATIONS ROUNDS(20)

static void *bounce(void *arg)
{
	for (int i = 0; i < 5; i++)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	return NULL;
}

static void *fan_out(void *arg)
{
	struct rill_task *t[FANOUT];

	for (int g = 0; g < GENERATIONS; g++) {
		for (int i = 0; i < FANOUT; i++)
			t[i] = spawn(bounce, NULL);
		for (int i = 0; i < FANOUT; i++)
			RILL_ASSERT_CMP(rill_join(t[i], NULL), ==, 0);
	}
	return NULL;
}

static void test_pairs_on_many_workers(void **state)
{
	struct pairing p = {{0}, 0};
	struct rill_runtime *rt = start((struct rill_runtime_options){
		.workers = 4,
		.run_histogram = {.enabled = true},
		.latency_histogram = {.enabled = true},
		.hooks = {.user = &p,
			  .task_spawn = pair_spawn,
			  .task_terminate = pair_terminate,
			  .before_run = pair_before,
			  .after_run = pair_after},
	});
	struct rill_histogram_summary s;
	uint64_t slices = 0;

	run(rt, fan_out, NULL);
	/* The last slice may be closed only after its result was taken. */
	while (rill_runtime_live_tasks(rt) > 0)
		sched_yield();
	for (unsigned i = 0; i < 4; i++) {
		struct rill_worker_metrics m;

		assert_int_equal(rill_runtime_worker_metrics(rt, i, &m), 0);
		slices += m.slices;
	}
	assert_int_equal(
		rill_runtime_histogram_summary(rt, RILL_HISTOGRAM_RUN, RILL_ALL_WORKERS, &s), 0);
	assert_int_equal(s.count, slices);
	assert_int_equal(
		rill_runtime_histogram_summary(rt, RILL_HISTOGRAM_LATENCY, RILL_ALL_WORKERS, &s),
		0);
	assert_int_equal(s.count, slices);
	stop(rt);
	assert_int_equal(p.count[SPAWN], FANOUT * GENERATIONS + 1);
	assert_int_equal(p.count[TERMINATE], p.count[SPAWN]);
	assert_int_equal(p.count[BEFORE], slices);
	assert_int_equal(p.count[AFTER], slices);
	assert_true(p.run_ns > 0);
}

/* ---- histograms ---- */

static uint64_t in_bucket(struct rill_runtime *rt, enum rill_histogram_kind kind, uint64_t ns)
{
	unsigned n = rill_runtime_histogram_buckets(rt, kind);

	for (unsigned i = 0; i < n; i++) {
		uint64_t low, high, count_of;

		assert_int_equal(rill_runtime_histogram_range(rt, kind, i, &low, &high), 0);
		if (ns < low || ns >= high)
			continue;
		assert_int_equal(rill_runtime_histogram_count(rt, kind, 0, i, &count_of), 0);
		return count_of;
	}
	fail();
	return 0;
}

static void *script(void *arg)
{
	struct rill_task *a = spawn(nothing, NULL);
	struct rill_task *b = spawn(nothing, NULL);

	spend(2000);
	RILL_ASSERT_CMP(rill_join(a, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_join(b, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_sleep(RILL_MS), ==, 0);
	spend(RILL_SEC * 100);
	return NULL;
}

static void test_histograms(void **state)
{
	struct rill_runtime *rt = start((struct rill_runtime_options){
		.flavor = RILL_CURRENT_THREAD,
		.start_paused = true,
		.run_histogram = {.enabled = true, .min_ns = 1024, .max_ns = RILL_SEC},
		.latency_histogram = {.enabled = true, .precision = 6},
	});
	struct rill_histogram_summary s;
	struct rill_worker_metrics m;

	run(rt, script, NULL);
	assert_int_equal(rill_runtime_worker_metrics(rt, 0, &m), 0);
	/* of the spawner: 2000, 0 after a join at least, 100 s; of a and b: 0 */
	assert_int_equal(
		rill_runtime_histogram_summary(rt, RILL_HISTOGRAM_RUN, RILL_ALL_WORKERS, &s), 0);
	assert_int_equal(s.count, m.slices);
	assert_int_equal(s.sum_ns, 2000 + RILL_SEC * 100);
	assert_int_equal(s.max_ns, RILL_SEC * 100);
	assert_int_equal(in_bucket(rt, RILL_HISTOGRAM_RUN, 0), m.slices - 2);
	assert_int_equal(in_bucket(rt, RILL_HISTOGRAM_RUN, 2000), 1);
	assert_int_equal(in_bucket(rt, RILL_HISTOGRAM_RUN, RILL_SEC * 100), 1);
	/* a and b waited for 2000; a sleeper is woken when its time has come */
	assert_int_equal(rill_runtime_histogram_summary(rt, RILL_HISTOGRAM_LATENCY, 0, &s), 0);
	assert_int_equal(s.count, m.slices);
	assert_int_equal(s.sum_ns, 4000);
	assert_int_equal(s.p999_ns, 2000);
	assert_int_equal(in_bucket(rt, RILL_HISTOGRAM_LATENCY, 2000), 2);
	/* the mean: nine tenths of what it was each time, the last one was long */
	assert_true(m.mean_slice_ns >= RILL_SEC * 10 && m.mean_slice_ns < RILL_SEC * 10 + 2000);
	stop(rt);
}

static void test_histograms_not_wanted(void **state)
{
	struct rill_runtime *rt = start_paused();
	struct rill_histogram_summary s;
	uint64_t a, b;

	assert_int_equal(rill_runtime_histogram_buckets(rt, RILL_HISTOGRAM_RUN), 0);
	assert_int_equal(rill_runtime_histogram_range(rt, RILL_HISTOGRAM_RUN, 0, &a, &b), -EINVAL);
	assert_int_equal(rill_runtime_histogram_count(rt, RILL_HISTOGRAM_RUN, 0, 0, &a), -EINVAL);
	assert_int_equal(rill_runtime_histogram_summary(rt, RILL_HISTOGRAM_LATENCY, 0, &s),
			 -EINVAL);
	assert_false(rt->observed);
	stop(rt);
}

static void test_histograms_refused(void **state)
{
	struct rill_runtime_options o = {RILL_OPTIONS(o), .flavor = RILL_CURRENT_THREAD};
	struct rill_runtime *rt = NULL;

	o.run_histogram = (struct rill_histogram_options){true, 0, 0, 7};
	assert_int_equal(rill_runtime_create(&o, &rt), -EINVAL);
	o.run_histogram = (struct rill_histogram_options){true, 10, 10, 0};
	assert_int_equal(rill_runtime_create(&o, &rt), -EINVAL);
	assert_null(rt);
}

/* Woken, and made runnable a second time on its way to its home: the first time counts. */
static void test_latency_since_the_first_wake(void **state)
{
	struct rill_runtime *rt = start((struct rill_runtime_options){
		.flavor = RILL_CURRENT_THREAD,
		.start_paused = true,
		.latency_histogram = {.enabled = true},
	});
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt, .placement = RILL_PLACE_HOME,
				       .worker = 0};
	struct rill_histogram_summary s;
	struct rill_task *t;

	assert_int_equal(rill_spawn_with(&o, nothing, NULL, &t), 0);
	move_clock(rt, 600);
	rill_observe_wake(t);
	move_clock(rt, 30);
	run(rt, nothing, NULL);
	assert_int_equal(rill_join(t, NULL), 0);
	assert_int_equal(rill_runtime_histogram_summary(rt, RILL_HISTOGRAM_LATENCY, 0, &s), 0);
	assert_int_equal(s.count, 2);
	assert_int_equal(s.sum_ns, 630);
	stop(rt);
}

/* ---- monitored tasks ---- */

static void *monitored(void *arg)
{
	spend(10);
	RILL_ASSERT_CMP(gate_wait(arg), ==, 0);
	spend(50 * RILL_US);
	RILL_ASSERT_CMP(gate_wait(arg), ==, 0);
	spend(50 * RILL_US + 1);
	return NULL;
}

static void *monitor_one(void *arg)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .monitor = arg};
	struct rill_task *t;
	struct gate g;

	gate_init(&g);
	RILL_ASSERT_CMP(rill_spawn_with(&o, monitored, &g, &t), ==, 0);
	spend(300); /* until its first slice */
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	spend(4000); /* it idles */
	gate_post(&g);
	spend(50 * RILL_US); /* a short delay */
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	spend(1000);
	gate_post(&g);
	spend(50 * RILL_US + 1); /* a long one */
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return NULL;
}

static void check_monitored(const struct rill_task_metrics *m, unsigned n)
{
	assert_int_equal(m->instrumented, n);
	assert_int_equal(m->dropped, n);
	assert_int_equal(m->first_runs, n);
	assert_int_equal(m->first_run_delay_ns, n * 300);
	assert_int_equal(m->idled, n * 2);
	assert_int_equal(m->idle_ns, n * 5000);
	assert_int_equal(m->max_idle_ns, 4000);
	assert_int_equal(m->scheduled, n * 2);
	assert_int_equal(m->short_delays, n);
	assert_int_equal(m->short_delay_ns, n * 50 * RILL_US);
	assert_int_equal(m->long_delays, n);
	assert_int_equal(m->long_delay_ns, n * (50 * RILL_US + 1));
	assert_int_equal(m->scheduled_ns, n * (100 * RILL_US + 1));
	assert_int_equal(m->slices, n * 3);
	assert_int_equal(m->fast_slices, n * 2);
	assert_int_equal(m->fast_slice_ns, n * (50 * RILL_US + 10));
	assert_int_equal(m->slow_slices, n);
	assert_int_equal(m->slow_slice_ns, n * (50 * RILL_US + 1));
	assert_int_equal(m->slice_ns, n * (100 * RILL_US + 11));
}

static void test_monitor(void **state)
{
	struct rill_runtime *rt = start_paused();
	struct rill_task_metrics first, all, second;
	struct rill_task_monitor *m;
	struct rill_task_means means;

	assert_int_equal(rill_task_monitor_create(NULL, &m), 0);
	run(rt, monitor_one, m);
	rill_task_monitor_read(m, &first);
	check_monitored(&first, 1);
	run(rt, monitor_one, m);
	rill_task_monitor_read(m, &all);
	check_monitored(&all, 2);
	rill_task_metrics_since(&all, &first, &second);
	check_monitored(&second, 1);
	rill_task_metrics_means(&all, &means);
	assert_int_equal(means.first_run_delay_ns, 300);
	assert_int_equal(means.idle_ns, 2500);
	assert_int_equal(means.scheduled_ns, 50 * RILL_US);
	assert_int_equal(means.short_delay_ns, 50 * RILL_US);
	assert_int_equal(means.long_delay_ns, 50 * RILL_US + 1);
	assert_int_equal(means.slice_ns, (100 * RILL_US + 11) / 3);
	assert_int_equal(means.fast_slice_ns, 25 * RILL_US + 5);
	assert_int_equal(means.slow_slice_ns, 50 * RILL_US + 1);
	assert_true(means.slow_slice_ratio > 0.33 && means.slow_slice_ratio < 0.34);
	assert_true(means.long_delay_ratio == 0.5);
	rill_task_monitor_destroy(m);
	stop(rt);
}

static void test_monitor_thresholds(void **state)
{
	struct rill_task_monitor_options o = {RILL_OPTIONS(o), .slow_slice_ns = 5,
					      .long_delay_ns = RILL_MS};
	struct rill_runtime *rt = start_paused();
	struct rill_task_metrics got;
	struct rill_task_means means;
	struct rill_task_monitor *m;

	assert_int_equal(rill_task_monitor_create(&o, &m), 0);
	rill_task_monitor_read(m, &got);
	rill_task_metrics_means(&got, &means);
	assert_int_equal(means.slice_ns, 0);
	assert_true(means.slow_slice_ratio == 0);
	run(rt, monitor_one, m);
	rill_task_monitor_read(m, &got);
	assert_int_equal(got.slow_slices, 3);
	assert_int_equal(got.fast_slices, 0);
	assert_int_equal(got.long_delays, 0);
	assert_int_equal(got.short_delays, 2);
	rill_task_monitor_destroy(m);
	o.size = 0;
	assert_int_equal(rill_task_monitor_create(&o, &m), -EINVAL);
	stop(rt);
}

static void *wait_at(void *arg)
{
	RILL_ASSERT_CMP(gate_wait(arg), ==, 0);
	return NULL;
}

static void *begin_wait(void *arg)
{
	void **args = arg;
	struct rill_spawn_options o = {RILL_OPTIONS(o), .monitor = args[0]};
	struct rill_task *t;

	RILL_ASSERT_CMP(rill_spawn_with(&o, wait_at, args[1], &t), ==, 0);
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	return t;
}

static void *end_wait(void *arg)
{
	void **args = arg;

	gate_post(args[1]);
	RILL_ASSERT_CMP(rill_join(args[2], NULL), ==, 0);
	return NULL;
}

/* A monitor given up early lives as long as its tasks. */
static void test_monitor_outlived(void **state)
{
	struct rill_runtime *rt = start_paused();
	struct rill_task_monitor *m;
	struct gate g;

	gate_init(&g);
	assert_int_equal(rill_task_monitor_create(NULL, &m), 0);
	void *args[3] = {m, &g, NULL};

	args[2] = run(rt, begin_wait, args);
	rill_task_monitor_destroy(m);
	run(rt, end_wait, args);
	stop(rt);
}

static void *monitor_many(void *arg)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .monitor = arg};
	struct rill_task *t[FANOUT];

	for (int i = 0; i < FANOUT; i++)
		RILL_ASSERT_CMP(rill_spawn_with(&o, bounce, NULL, &t[i]), ==, 0);
	for (int i = 0; i < FANOUT; i++)
		RILL_ASSERT_CMP(rill_join(t[i], NULL), ==, 0);
	return NULL;
}

/* Begun while the workers are running tasks that nobody observes. */
static void test_monitor_on_many_workers(void **state)
{
	struct rill_runtime *rt = start_multi(4);
	struct rill_task_metrics got;
	struct rill_task_monitor *m;

	assert_int_equal(rill_task_monitor_create(NULL, &m), 0);
	run(rt, fan_out, NULL);
	run(rt, monitor_many, m);
	rill_task_monitor_read(m, &got);
	assert_int_equal(got.instrumented, FANOUT);
	assert_int_equal(got.dropped, FANOUT);
	assert_int_equal(got.first_runs, FANOUT);
	assert_int_equal(got.slices, FANOUT * 6);
	assert_int_equal(got.scheduled, FANOUT * 5);
	rill_task_monitor_destroy(m);
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_times),
		cmocka_unit_test(test_hooks_cost_no_task),
		cmocka_unit_test(test_blocking_tasks_have_all_four),
		cmocka_unit_test(test_aborted_before_it_began),
		cmocka_unit_test(test_hooks_act),
		cmocka_unit_test(test_pairs_on_many_workers),
		cmocka_unit_test(test_histograms),
		cmocka_unit_test(test_histograms_not_wanted),
		cmocka_unit_test(test_histograms_refused),
		cmocka_unit_test(test_latency_since_the_first_wake),
		cmocka_unit_test(test_monitor),
		cmocka_unit_test(test_monitor_thresholds),
		cmocka_unit_test(test_monitor_outlived),
		cmocka_unit_test(test_monitor_on_many_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
