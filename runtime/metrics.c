/* SPDX-License-Identifier: BSD-3-Clause */
/* Counters, one by one and as OpenMetrics text. */
#include <errno.h>
#include <inttypes.h>

#include "runtime/runtime.h"

/* Every counter of a worker: field, metric name, help. */
#define WORKER_COUNTERS(X)                                                                         \
	X(slices, "slices", "Times a task was run until it parked, yielded or ended")              \
	X(spawned, "tasks_spawned", "Tasks spawned by the worker")                                 \
	X(finished, "tasks_finished", "Tasks that ended on the worker")                            \
	X(local_schedules, "local_schedules", "Wakes into the worker's own queue")                 \
	X(overflows, "overflows", "Times the queue spilled into the inject queue")                 \
	X(steals, "steals", "Tasks taken from other workers")                                      \
	X(steal_operations, "steal_operations", "Times tasks were taken from another worker")      \
	X(budget_yields, "budget_yields", "Yields forced by an exhausted budget")                  \
	X(yields, "yields", "Yields asked for by tasks")                                           \
	X(polls, "polls", "Passes over NIC shards and other pollers")                              \
	X(polls_foreign, "polls_foreign", "Passes over the shards of a stuck worker")              \
	X(timers_fired, "timer_turns", "Turns in which a timer fired")                             \
	X(parks, "parks", "Sleeps in the kernel")                                                  \
	X(unparks, "unparks", "Returns from sleep")                                                \
	X(noops, "noops", "Wake-ups without work")

int rill_runtime_worker_metrics(const struct rill_runtime *rt, unsigned worker,
				struct rill_worker_metrics *ret_metrics)
{
	if (worker >= rt->worker_count)
		return -EINVAL;
	const struct rill_worker_metrics *m = &rt->workers[worker].metrics;

#define X(field, name, help) ret_metrics->field = rill_load_relaxed(&m->field);
	WORKER_COUNTERS(X)
#undef X
	return 0;
}

uint64_t rill_runtime_remote_schedules(const struct rill_runtime *rt)
{
	return rill_load_relaxed(&rt->remote_schedules);
}

uint64_t rill_runtime_live_tasks(const struct rill_runtime *rt)
{
	uint64_t finished = 0;
	uint64_t spawned = 0;

	/* Ends are read before beginnings, so that the difference is never negative. */
	for (unsigned i = 0; i < rt->worker_count; i++)
		finished += rill_load_relaxed(&rt->workers[i].metrics.finished);
	for (unsigned i = 0; i < rt->worker_count; i++)
		spawned += rill_load_relaxed(&rt->workers[i].metrics.spawned);
	spawned += rill_load_relaxed(&rt->external_spawns);
	return spawned > finished ? spawned - finished : 0;
}

static void print_counter(const struct rill_runtime *rt, FILE *out, const char *name,
			  const char *help, size_t offset)
{
	fprintf(out, "# TYPE rill_worker_%s counter\n# HELP rill_worker_%s %s.\n", name, name,
		help);
	for (unsigned i = 0; i < rt->worker_count; i++) {
		const char *m = (const char *)&rt->workers[i].metrics;

		fprintf(out, "rill_worker_%s_total{worker=\"%u\"} %" PRIu64 "\n", name, i,
			rill_load_relaxed((const uint64_t *)(const void *)(m + offset)));
	}
}

static void print_gauge(FILE *out, const char *name, const char *help, uint64_t value)
{
	fprintf(out, "# TYPE rill_%s gauge\n# HELP rill_%s %s.\nrill_%s %" PRIu64 "\n", name, name,
		help, name, value);
}

/* One family of every poller that has it; false when none has. */
static bool print_family(struct rill_runtime *rt, FILE *out, unsigned family)
{
	bool header = true;
	bool any = false;

	for (unsigned i = 0; i < rill_load_relaxed(&rt->poller_count); i++) {
		/* acquire: pairs with rill_poller_add() */
		struct rill_poller *p = rill_load_acquire(&rt->pollers[i]);

		if (!p || !p->ops->print_family || !p->ops->print_family(p, out, family, header))
			continue;
		header = false;
		any = true;
	}
	return any;
}

int rill_runtime_print_metrics(struct rill_runtime *rt, FILE *out)
{
	print_gauge(out, "workers", "Worker threads", rt->worker_count);
	print_gauge(out, "live_tasks", "Tasks that have not ended", rill_runtime_live_tasks(rt));
	print_gauge(out, "inject_queue_depth", "Tasks in the inject queue",
		    rill_load_relaxed(&rt->inject.len));
	print_gauge(out, "stacks", "Task stacks in use or kept",
		    rill_load_relaxed(&rt->stacks.count));
	fprintf(out, "# TYPE rill_remote_schedules counter\n"
		     "# HELP rill_remote_schedules Wakes and spawns from outside the workers.\n");
	fprintf(out, "rill_remote_schedules_total %" PRIu64 "\n",
		rill_runtime_remote_schedules(rt));
#define X(field, name, help)                                                                       \
	print_counter(rt, out, name, help, offsetof(struct rill_worker_metrics, field));
	WORKER_COUNTERS(X)
#undef X
	/* Held so that no poller goes away while it prints. */
	pthread_mutex_lock(&rt->poller_lock);
	for (unsigned family = 0; print_family(rt, out, family); family++)
		;
	pthread_mutex_unlock(&rt->poller_lock);
	fprintf(out, "# EOF\n");
	return ferror(out) ? -EIO : 0;
}
