/* SPDX-License-Identifier: BSD-3-Clause */
/* What happened between two looks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/metrics.h"
#include "runtime/runtime.h"

struct rill_metrics_interval {
	struct rill_runtime *rt;
	uint64_t begin_ns;
	struct rill_runtime_metrics before;
	struct rill_worker_metrics workers[]; /* before */
};

/* What of a worker is spread over the interval: those counted, and those of now. */
#define SPREAD_COUNTERS(X)                                                                         \
	X(slices)                                                                                  \
	X(parks)                                                                                   \
	X(noops)                                                                                   \
	X(steals)                                                                                  \
	X(steal_operations)                                                                        \
	X(local_schedules)                                                                         \
	X(overflows)                                                                               \
	X(polls_ready)                                                                             \
	X(busy_ns)                                                                                 \
	X(search_ns)                                                                               \
	X(parked_ns)

static void spread_add(struct rill_spread *s, uint64_t value, bool first)
{
	s->total += value;
	s->min = first ? value : RILL_MIN(s->min, value);
	s->max = first ? value : RILL_MAX(s->max, value);
}

/* A time may seem to run back by a little where a worker changes from one thing to the next. */
static uint64_t grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static uint64_t per(uint64_t sum, uint64_t n)
{
	return n ? sum / n : 0;
}

/* Adds one worker; its present figures become those before the next interval. */
static uint64_t add_worker(struct rill_metrics_interval *iv, unsigned i,
			   struct rill_interval_metrics *m)
{
	struct rill_worker_metrics *before = &iv->workers[i];
	struct rill_worker_metrics now;

	rill_runtime_worker_metrics(iv->rt, i, &now);
	uint64_t tasks_ns = grown(now.tasks_ns, before->tasks_ns);

#define X(field) spread_add(&m->field, grown(now.field, before->field), i == 0);
	SPREAD_COUNTERS(X)
#undef X
	spread_add(&m->queue_depth, now.queue_depth, i == 0);
	spread_add(&m->mean_slice_ns, per(tasks_ns, now.slices - before->slices), i == 0);
	m->finished += now.finished - before->finished;
	m->timers_fired += now.timers_fired - before->timers_fired;
	*before = now;
	return tasks_ns;
}

static void add_runtime(struct rill_metrics_interval *iv, struct rill_interval_metrics *m)
{
	struct rill_runtime_metrics now;

	rill_runtime_metrics(iv->rt, &now);
	m->workers = now.workers;
	m->spawned = now.spawned - iv->before.spawned;
	m->remote_schedules = now.remote_schedules - iv->before.remote_schedules;
	m->budget_yields = now.budget_yields - iv->before.budget_yields;
	m->live_tasks = now.live_tasks;
	m->inject_depth = now.inject_depth;
	m->queue_delay_ns = now.queue_delay_ns;
	m->blocking_threads = now.blocking_threads;
	m->blocking_idle_threads = now.blocking_idle_threads;
	m->blocking_queue_depth = now.blocking_queue_depth;
	iv->before = now;
}

int rill_metrics_interval_create(struct rill_runtime *rt,
				 struct rill_metrics_interval **ret_interval)
{
	struct rill_metrics_interval *iv =
		calloc(1, sizeof(*iv) + rt->worker_count * sizeof(iv->workers[0]));
	struct rill_interval_metrics ignored;

	if (!iv)
		return -ENOMEM;
	iv->rt = rt;
	rill_metrics_interval_next(iv, &ignored);
	*ret_interval = iv;
	return 0;
}

void rill_metrics_interval_next(struct rill_metrics_interval *iv,
				struct rill_interval_metrics *ret_metrics)
{
	struct rill_interval_metrics m = {0};
	uint64_t now = rill_runtime_now(iv->rt);
	uint64_t tasks_ns = 0;

	m.elapsed_ns = now - iv->begin_ns;
	iv->begin_ns = now;
	for (unsigned i = 0; i < iv->rt->worker_count; i++)
		tasks_ns += add_worker(iv, i, &m);
	add_runtime(iv, &m);
	m.mean_slice_ns.total = per(tasks_ns, m.slices.total);
	if (m.elapsed_ns > 0)
		m.busy_ratio = (double)m.busy_ns.total /
			       ((double)m.elapsed_ns * (double)iv->rt->worker_count);
	if (m.parks.total > 0)
		m.mean_slices_per_park = (double)m.slices.total / (double)m.parks.total;
	*ret_metrics = m;
}

void rill_metrics_interval_destroy(struct rill_metrics_interval *iv)
{
	free(iv);
}
