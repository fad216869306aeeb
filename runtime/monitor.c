/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/monitor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "runtime/crash.h"
#include "runtime/dump.h"
#include "runtime/peek.h"
#include "runtime/proc.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"

/* How often it looks while any worker is awake; while all sleep, ever less often between the other
 * two. */
#define LOOK_BUSY_NS (UINT64_C(1000) * 1000)
#define LOOK_IDLE_NS (UINT64_C(4000) * 1000)
#define LOOK_IDLE_MAX_NS (UINT64_C(20000) * 1000)

/* A look that comes later than this may say that the whole process stood still: what a sleeping
 * thread slept is counted up to here. */
#define LATE_NS (2 * LOOK_BUSY_NS)

#define STUCK_NS_DEFAULT (UINT64_C(10) * 1000 * 1000)

/* How long to wait for a worker's stack; it answers in microseconds if it gets a CPU. */
#define ANSWER_NS (UINT64_C(20) * 1000 * 1000)

static uint64_t stuck_limit(const struct rill_runtime *rt)
{
	return rt->o.stuck_ns ? rt->o.stuck_ns : STUCK_NS_DEFAULT;
}

/* ---- one slice that does not end ---- */

/*
 * How much of the time since the last look the worker's thread was at work or asleep in its task.
 * Waiting for a CPU, or being stopped, is no fault of the task's.
 */
static uint64_t worked(struct rill_worker *w, struct rill_stuck_watch *watch, uint64_t elapsed)
{
	int tid = rill_load_relaxed(&w->tid);
	uint64_t cpu = tid ? rill_proc_cpu_ns(tid) : 0;
	uint64_t used = cpu - watch->cpu_ns;
	bool first = watch->cpu_ns == 0;

	watch->cpu_ns = cpu;
	if (first || cpu == 0)
		return 0;
	if (used >= elapsed - elapsed / 8)
		return elapsed;
	char state = rill_proc_state(tid);

	if (state != 'S' && state != 'D')
		return used;
	return RILL_MAX(used, RILL_MIN(elapsed, (uint64_t)LATE_NS));
}

static void slice_goes_on(struct rill_worker *w, struct rill_stuck_watch *watch, uint64_t elapsed)
{
	bool reported = rill_load_relaxed(&watch->stuck_ns) > 0;

	watch->worked_ns += worked(w, watch, elapsed);
	if (watch->worked_ns < stuck_limit(w->rt))
		return;
	rill_store_relaxed(&watch->stuck_ns, watch->worked_ns);
	if (watch->worked_ns > rill_load_relaxed(&watch->longest_ns))
		rill_store_relaxed(&watch->longest_ns, watch->worked_ns);
	if (reported)
		return;
	rill_counter_add(&watch->times, 1);
	if (w->rt->o.on_stuck)
		rill_store_relaxed(&watch->report, watch->slices + 1);
}

static void slice_is_over(struct rill_stuck_watch *watch)
{
	watch->worked_ns = 0;
	watch->cpu_ns = 0;
	if (rill_load_relaxed(&watch->stuck_ns) > 0)
		rill_store_relaxed(&watch->stuck_ns, 0);
}

static void watch_slice(struct rill_worker *w, struct rill_stuck_watch *watch, bool in_loop,
			uint64_t elapsed)
{
	uint64_t slices = rill_load_relaxed(&w->metrics.slices);
	struct rill_task *current;

	rill_copy_racy(&current, &w->current, sizeof(current));
	if (in_loop || !current || slices != watch->slices)
		slice_is_over(watch);
	else
		slice_goes_on(w, watch, elapsed);
	watch->slices = slices;
}

/* ---- a look at all ---- */

/* True when the worker is awake. */
static bool look_at(struct rill_worker *w, struct rill_stuck_watch *watch, uint64_t elapsed)
{
	uint64_t beat = rill_load_relaxed(&w->beat);
	bool awake = rill_load_relaxed(&w->running) && rill_load_relaxed(&w->park_deadline) == 0;
	bool away = awake && beat == watch->beat;

	watch->beat = beat;
	if (away && !w->alone)
		/* relaxed: a hint; the worker clears it with its next turn */
		rill_store_relaxed(&w->stuck, true);
	watch_slice(w, watch, !away, elapsed);
	return awake;
}

/* True when a worker is awake. */
static bool look(struct rill_runtime *rt)
{
	uint64_t now = rill_clock_mono();
	uint64_t elapsed = now - rt->monitor.looked_ns;
	bool awake = false;
	bool stuck = false;

	rt->monitor.looked_ns = now;
	for (unsigned i = 0; i < rt->worker_count; i++) {
		awake |= look_at(&rt->workers[i], &rt->monitor.watches[i], elapsed);
		stuck |= rill_load_relaxed(&rt->workers[i].stuck);
	}
	rill_store_relaxed(&rt->any_stuck, stuck);
	if (stuck)
		rill_idle_notify(rt);
	return awake;
}

/* ---- on the helper's thread ---- */

/* The slice numbered slices of w; it may be over by now. */
static void report(struct rill_worker *w, const struct rill_stuck_watch *watch, uint64_t slices)
{
	const struct rill_runtime_options *o = &w->rt->o;
	uint64_t stuck_ns = rill_load_relaxed(&watch->stuck_ns);
	struct rill_stuck_report r = {.worker = w->index};
	struct rill_sighting s;

	r.stuck_ns = RILL_MAX(stuck_ns, stuck_limit(w->rt));
	if (rill_peek_workers(w, 1, ANSWER_NS, &s) < 0 ||
	    rill_load_relaxed(&w->metrics.slices) != slices)
		s = (struct rill_sighting){0};
	r.task_id = s.task_id;
	memcpy(r.task_name, s.task_name, sizeof(r.task_name));
	r.frame_count = RILL_MIN(s.frame_count, (unsigned)RILL_ARRAY_SIZE(r.frames));
	memcpy(r.frames, s.frames, r.frame_count * sizeof(r.frames[0]));
	o->on_stuck(o->on_stuck_user, &r);
}

static void serve(void *arg)
{
	struct rill_runtime *rt = arg;

	/* It calls the program's on_stuck. */
	rill_thread_set_runtime(rt);

	rill_crash_assist();
	rill_dump_serve_signals(rt);
	for (unsigned i = 0; i < rt->worker_count; i++) {
		struct rill_stuck_watch *watch = &rt->monitor.watches[i];
		uint64_t slices = rill_exchange_relaxed(&watch->report, 0);

		if (slices)
			report(&rt->workers[i], watch, slices - 1);
	}
}

static bool work_waits(struct rill_runtime *rt)
{
	for (unsigned i = 0; i < rt->worker_count; i++)
		if (rill_load_relaxed(&rt->monitor.watches[i].report))
			return true;
	return rill_crash_wants_assistance() || rill_dump_signalled(rt);
}

/* ---- the thread ---- */

static void wait_locked(struct rill_monitor *m, uint64_t pause_ns)
{
	uint64_t until = rill_clock_mono() + pause_ns;
	struct timespec ts = {
		.tv_sec = (time_t)(until / 1000000000u),
		.tv_nsec = (long)(until % 1000000000u),
	};

	while (!m->stop && pthread_cond_timedwait(&m->cond, &m->lock, &ts) != ETIMEDOUT)
		;
}

static void *monitor_thread(void *arg)
{
	struct rill_runtime *rt = arg;
	struct rill_monitor *m = &rt->monitor;
	uint64_t pause = LOOK_IDLE_NS;

	m->looked_ns = rill_clock_mono();
	pthread_mutex_lock(&m->lock);
	while (!m->stop) {
		pthread_mutex_unlock(&m->lock);
		if (look(rt))
			pause = LOOK_BUSY_NS;
		else
			pause = RILL_MIN(RILL_MAX(2 * pause, LOOK_IDLE_NS), LOOK_IDLE_MAX_NS);
		rill_stack_tend(rt, rt->monitor.looked_ns);
		if (RILL_UNLIKELY(rill_load_relaxed(&rt->failed)))
			rill_runtime_abort_all(rt);
		if (RILL_UNLIKELY(work_waits(rt)))
			rill_helper_kick(&m->helper);
		pthread_mutex_lock(&m->lock);
		wait_locked(m, pause);
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

int rill_monitor_start(struct rill_runtime *rt)
{
	struct rill_monitor *m = &rt->monitor;
	pthread_condattr_t attr;

	m->watches = calloc(rt->worker_count, sizeof(*m->watches));
	if (!m->watches)
		return -ENOMEM;
	rill_helper_init(&m->helper, serve, rt);
	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&m->cond, &attr);
	pthread_condattr_destroy(&attr);
	int r = rill_thread_create(&m->thread, 0, monitor_thread, rt);

	if (r == 0) {
		rill_crash_assist_begin();
		pthread_setname_np(m->thread, "rill-monitor");
		m->started = true;
		return 0;
	}
	rill_helper_fini(&m->helper);
	pthread_cond_destroy(&m->cond);
	pthread_mutex_destroy(&m->lock);
	free(m->watches);
	m->watches = NULL;
	return r;
}

void rill_monitor_stop(struct rill_runtime *rt)
{
	struct rill_monitor *m = &rt->monitor;

	if (!m->started)
		return;
	rill_crash_assist_end();
	pthread_mutex_lock(&m->lock);
	m->stop = true;
	pthread_cond_signal(&m->cond);
	pthread_mutex_unlock(&m->lock);
	pthread_join(m->thread, NULL);
	rill_helper_fini(&m->helper);
	rill_dump_forget_signals(rt);
	pthread_cond_destroy(&m->cond);
	pthread_mutex_destroy(&m->lock);
	free(m->watches);
	m->watches = NULL;
	m->started = false;
	for (unsigned i = 0; i < rt->worker_count; i++)
		rill_peek_fini(&rt->workers[i]);
}
