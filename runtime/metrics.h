/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The metrics of a runtime in one table, for whoever gathers them and for both ways of writing
 * them.
 */
#ifndef RILL_RUNTIME_METRICS_H
#define RILL_RUNTIME_METRICS_H

#include <rill/metrics.h>
#include <stddef.h>

#include "base/atomic.h"
#include "base/histogram.h"

struct rill_runtime;

/*
 * What a worker counts: field, name, help. Each is written by the worker alone, but for those of
 * timers, which whoever holds its wheel_lock writes.
 */
#define RILL_WORKER_COUNTERS(X)                                                                    \
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
	X(polls_ready, "polls_ready", "Passes that found work")                                    \
	X(polls_foreign, "polls_foreign", "Passes over the shards of a stuck worker")              \
	X(timers_armed, "timers_armed", "Timers put into the worker's wheel")                      \
	X(timers_fired, "timers_fired", "Timers that fired")                                       \
	X(timers_cancelled, "timers_cancelled", "Timers taken out before they were due")           \
	X(parks, "parks", "Sleeps in the kernel")                                                  \
	X(unparks, "unparks", "Returns from sleep")                                                \
	X(noops, "noops", "Wake-ups without work")

/* What is worked out for a worker when asked for: field, type, name, help. */
#define RILL_WORKER_FIGURES(X)                                                                     \
	X(busy_ns, COUNTER, "busy_ns", "Time in tasks, packets and timers")                        \
	X(tasks_ns, COUNTER, "tasks_ns", "Time in tasks")                                          \
	X(poll_ns, COUNTER, "poll_ns", "Time in pollers that found work")                          \
	X(timers_ns, COUNTER, "timers_ns", "Time in timers and on yielded tasks")                  \
	X(search_ns, COUNTER, "search_ns", "Time spent looking for work")                          \
	X(parked_ns, COUNTER, "parked_ns", "Time asleep")                                          \
	X(park_unpark_count, COUNTER, "park_unpark", "Sleeps and returns: odd while asleep")       \
	X(stuck, COUNTER, "stuck", "Times the worker was found stuck in a task")                   \
	X(stuck_longest_ns, GAUGE, "stuck_longest_ns", "The longest time in one task found")       \
	X(thread_id, GAUGE, "thread_id", "The kernel's number of the thread")                      \
	X(mean_slice_ns, GAUGE, "mean_slice_ns", "Mean length of the latest slices")               \
	X(queue_depth, GAUGE, "queue_depth", "Tasks in the worker's own queues")                   \
	X(queue_delay_ns, GAUGE, "queue_delay_ns", "Time from the queue's end to its head")        \
	X(timers_pending, GAUGE, "timers_pending", "Timers in the wheel")

#define RILL_RUNTIME_FIGURES(X)                                                                    \
	X(workers, GAUGE, "workers", "Worker threads")                                             \
	X(live_tasks, GAUGE, "live_tasks", "Tasks that have not ended")                            \
	X(spawned, COUNTER, "tasks_spawned", "Tasks spawned by workers and from outside")          \
	X(failed_tasks, COUNTER, "tasks_failed", "Detached tasks that ended by rill_fail()")       \
	X(inject_depth, GAUGE, "inject_queue_depth", "Tasks in the shared queues")                 \
	X(remote_schedules, COUNTER, "remote_schedules", "Wakes and spawns by a shared queue")     \
	X(budget_yields, COUNTER, "budget_yields", "Yields forced by an exhausted budget")         \
	X(timers_pending, GAUGE, "timers_pending", "Timers in all wheels")                         \
	X(queue_delay_ns, GAUGE, "queue_delay_ns", "The load: wait of a task runnable now")        \
	X(blocking_threads, GAUGE, "blocking_threads", "Threads for blocking calls")               \
	X(blocking_idle_threads, GAUGE, "blocking_idle_threads", "Those without a call")           \
	X(blocking_queue_depth, GAUGE, "blocking_queue_depth", "Calls that wait for a thread")     \
	X(pollers, GAUGE, "pollers", "NIC shards and other pollers")                               \
	X(stacks, GAUGE, "stacks", "Task stacks in use or kept")                                   \
	X(stacks_trimmed, COUNTER, "stacks_trimmed", "Times a stack's memory was given back")      \
	X(stack_high_water, GAUGE, "stack_high_water_bytes", "The most found touched in one")      \
	X(stuck, COUNTER, "stuck", "Times a worker was found stuck in a task")                     \
	X(stuck_longest_ns, GAUGE, "stuck_longest_ns", "The longest time in one task found")

struct rill_worker_counters {
#define X(field, name, help) RILL_ATOMIC(uint64_t) field;
	RILL_WORKER_COUNTERS(X)
#undef X
};

enum rill_metric_type {
	RILL_METRIC_COUNTER,
	RILL_METRIC_GAUGE,
};

/* One line of the table: a uint64_t of the public struct. */
struct rill_metric {
	const char *name;
	const char *help; /* without the full stop */
	enum rill_metric_type type;
	size_t offset;
};

extern const struct rill_metric rill_worker_metric_table[];
extern const size_t rill_worker_metric_count;
extern const struct rill_metric rill_runtime_metric_table[];
extern const size_t rill_runtime_metric_count;

static inline uint64_t rill_metric_value(const struct rill_metric *m, const void *metrics)
{
	return *(const uint64_t *)(const void *)((const char *)metrics + m->offset);
}

/* Everything at about one time. */
struct rill_metrics_snapshot {
	struct rill_runtime_metrics rt;
	unsigned worker_count;
	struct rill_worker_metrics workers[];
};

/* NULL: no memory. For free(). */
struct rill_metrics_snapshot *rill_metrics_snapshot(struct rill_runtime *rt);

/* The histograms by enum rill_histogram_kind. */
struct rill_histogram_name {
	const char *name;
	const char *help;
};
#define RILL_HISTOGRAM_KINDS 2
extern const struct rill_histogram_name rill_histogram_names[RILL_HISTOGRAM_KINDS];

/* A worker's; NULL when not enabled. */
const struct rill_histogram *rill_metrics_histogram(const struct rill_runtime *rt,
						    enum rill_histogram_kind kind, unsigned worker);
/* Of one worker, or all, in memory of its own: for rill_histogram_fini(). -EINVAL, -ENOMEM. */
int rill_metrics_histogram_copy(const struct rill_runtime *rt, enum rill_histogram_kind kind,
				uint32_t worker, struct rill_histogram *ret_histogram);
void rill_metrics_summarize(const struct rill_histogram *h,
			    struct rill_histogram_summary *ret_summary);

/* Writes the families of all pollers as OpenMetrics text. */
void rill_metrics_print_pollers(struct rill_runtime *rt, FILE *out);

#endif
