/* SPDX-License-Identifier: BSD-3-Clause */
/* Gathers what the workers and the rest of the runtime count. */
#include "runtime/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/runtime.h"

#define RILL_METRIC_LINE(type, field, name, help, kind)                                            \
	{name, help, RILL_METRIC_##kind, offsetof(struct type, field)},

const struct rill_metric rill_worker_metric_table[] = {
#define X(field, name, help) RILL_METRIC_LINE(rill_worker_metrics, field, name, help, COUNTER)
	RILL_WORKER_COUNTERS(X)
#undef X
#define X(field, kind, name, help) RILL_METRIC_LINE(rill_worker_metrics, field, name, help, kind)
		RILL_WORKER_FIGURES(X)
#undef X
};
const size_t rill_worker_metric_count = RILL_ARRAY_SIZE(rill_worker_metric_table);

const struct rill_metric rill_runtime_metric_table[] = {
#define X(field, kind, name, help) RILL_METRIC_LINE(rill_runtime_metrics, field, name, help, kind)
	RILL_RUNTIME_FIGURES(X)
#undef X
};
const size_t rill_runtime_metric_count = RILL_ARRAY_SIZE(rill_runtime_metric_table);

/* ---- a worker ---- */

static uint64_t timers_pending(const struct rill_worker_metrics *m)
{
	uint64_t gone = m->timers_fired + m->timers_cancelled;

	/* read at three moments */
	return m->timers_armed > gone ? m->timers_armed - gone : 0;
}

static void fill_times(const struct rill_worker *w, struct rill_worker_metrics *m)
{
	uint64_t ns[RILL_PHASES];

	rill_observe_phases(w, ns);
	m->tasks_ns = ns[RILL_PHASE_TASKS];
	m->poll_ns = ns[RILL_PHASE_POLL];
	m->timers_ns = ns[RILL_PHASE_TIMERS];
	m->search_ns = ns[RILL_PHASE_STEAL];
	m->parked_ns = ns[RILL_PHASE_PARKED];
	m->busy_ns = m->tasks_ns + m->poll_ns + m->timers_ns;
	/* Measured slice by slice if somebody wants that, else by the turns of the loop. */
	m->mean_slice_ns = rill_load_relaxed(&w->rt->observed)
				   ? rill_load_relaxed(&w->watch.mean_ns)
				   : rill_load_relaxed(&w->slice_ns);
	m->queue_delay_ns = rill_observe_delay(w);
}

/* As the monitor found it, if there is one. */
static void fill_stuck(const struct rill_worker *w, struct rill_worker_metrics *m)
{
	const struct rill_monitor *monitor = &w->rt->monitor;

	if (!monitor->started)
		return;
	m->stuck = rill_load_relaxed(&monitor->watches[w->index].times);
	m->stuck_longest_ns = rill_load_relaxed(&monitor->watches[w->index].longest_ns);
}

int rill_runtime_worker_metrics(const struct rill_runtime *rt, unsigned worker,
				struct rill_worker_metrics *ret_metrics)
{
	if (worker >= rt->worker_count)
		return -EINVAL;
	const struct rill_worker *w = &rt->workers[worker];
	struct rill_worker_metrics m = {0};

	/* Sleeps are read before returns from them, and what is armed before what is gone. */
#define X(field, name, help) m.field = rill_load_relaxed(&w->metrics.field);
	RILL_WORKER_COUNTERS(X)
#undef X
	fill_times(w, &m);
	m.park_unpark_count = m.parks + m.unparks;
	m.thread_id = rill_load_relaxed(&w->watch.tid);
	m.queue_depth = rill_queue_len(&w->queue) + rill_queue_len(&w->urgent) +
			rill_load_relaxed(&w->inbox.len);
	m.timers_pending = timers_pending(&m);
	fill_stuck(w, &m);
	*ret_metrics = m;
	return 0;
}

/* ---- the runtime ---- */

uint64_t rill_runtime_remote_schedules(const struct rill_runtime *rt)
{
	uint64_t n = rill_load_relaxed(&rt->inject.remote) + rill_load_relaxed(&rt->urgent.remote);

	for (unsigned i = 0; i < rt->worker_count; i++)
		n += rill_load_relaxed(&rt->workers[i].inbox.remote);
	return n;
}

static uint64_t spawned(const struct rill_runtime *rt)
{
	uint64_t n = rill_load_relaxed(&rt->external_spawns);

	for (unsigned i = 0; i < rt->worker_count; i++)
		n += rill_load_relaxed(&rt->workers[i].metrics.spawned);
	return n;
}

uint64_t rill_runtime_live_tasks(const struct rill_runtime *rt)
{
	uint64_t finished = 0;

	/* Ends are read before beginnings, so that the difference is never negative. */
	for (unsigned i = 0; i < rt->worker_count; i++)
		finished += rill_load_relaxed(&rt->workers[i].metrics.finished);
	uint64_t begun = spawned(rt);

	return begun > finished ? begun - finished : 0;
}

static uint64_t inject_depth(const struct rill_runtime *rt)
{
	return rill_load_relaxed(&rt->inject.len) + rill_load_relaxed(&rt->urgent.len);
}

uint64_t rill_runtime_queue_delay(const struct rill_runtime *rt)
{
	uint64_t slice_ns = 0;
	uint64_t worst = 0;

	for (unsigned i = 0; i < rt->worker_count; i++) {
		worst = RILL_MAX(worst, rill_observe_delay(&rt->workers[i]));
		slice_ns = RILL_MAX(slice_ns, rill_load_relaxed(&rt->workers[i].slice_ns));
	}
	/* All workers take from the shared queue. */
	return RILL_MAX(worst, inject_depth(rt) * slice_ns / rt->worker_count);
}

static void fill_blocking(struct rill_blocking_pool *p, struct rill_runtime_metrics *m)
{
	pthread_mutex_lock(&p->lock);
	m->blocking_threads = p->threads;
	m->blocking_idle_threads = p->idle;
	m->blocking_queue_depth = p->queued;
	pthread_mutex_unlock(&p->lock);
}

static void fill_stacks(const struct rill_runtime *rt, struct rill_runtime_metrics *m)
{
	m->stacks = rill_load_relaxed(&rt->stacks.count);
	m->stacks_trimmed = rill_load_relaxed(&rt->stacks.trimmed);
	m->stack_high_water = rill_load_relaxed(&rt->stacks.high_water);
	for (unsigned i = 0; i < RILL_STACK_CLASSES; i++) {
		m->stacks += rill_load_relaxed(&rt->stack_classes[i].count);
		m->stacks_trimmed += rill_load_relaxed(&rt->stack_classes[i].trimmed);
		m->stack_high_water = RILL_MAX(m->stack_high_water,
					       rill_load_relaxed(&rt->stack_classes[i].high_water));
	}
}

static uint64_t poller_count(const struct rill_runtime *rt)
{
	unsigned slots = rill_load_relaxed(&rt->poller_count);
	uint64_t n = 0;

	for (unsigned i = 0; i < slots; i++)
		n += rill_load_relaxed(&rt->pollers[i]) != NULL;
	return n;
}

void rill_runtime_metrics(struct rill_runtime *rt, struct rill_runtime_metrics *ret_metrics)
{
	struct rill_runtime_metrics m = {
		.workers = rt->worker_count,
		.live_tasks = rill_runtime_live_tasks(rt),
		.spawned = spawned(rt),
		.failed_tasks = rill_load_relaxed(&rt->failed_tasks),
		.inject_depth = inject_depth(rt),
		.remote_schedules = rill_runtime_remote_schedules(rt),
		.queue_delay_ns = rill_runtime_queue_delay(rt),
		.pollers = poller_count(rt),
	};

	for (unsigned i = 0; i < rt->worker_count; i++) {
		struct rill_worker_metrics w;

		rill_runtime_worker_metrics(rt, i, &w);
		m.budget_yields += w.budget_yields;
		m.timers_pending += w.timers_pending;
		m.stuck += w.stuck;
		m.stuck_longest_ns = RILL_MAX(m.stuck_longest_ns, w.stuck_longest_ns);
	}
	fill_blocking(&rt->blocking, &m);
	fill_stacks(rt, &m);
	*ret_metrics = m;
}

struct rill_metrics_snapshot *rill_metrics_snapshot(struct rill_runtime *rt)
{
	struct rill_metrics_snapshot *s =
		malloc(sizeof(*s) + rt->worker_count * sizeof(s->workers[0]));

	if (!s)
		return NULL;
	rill_runtime_metrics(rt, &s->rt);
	s->worker_count = rt->worker_count;
	for (unsigned i = 0; i < rt->worker_count; i++)
		rill_runtime_worker_metrics(rt, i, &s->workers[i]);
	return s;
}
