/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a runtime is doing, in numbers: by functions, as OpenMetrics text, as JSON, by intervals,
 * and for chosen tasks. All may be called from any thread, tasks included, while the runtime
 * exists. Every number is whole, but they are not all of one moment. Times are nanoseconds; of a
 * runtime whose clock is paused, on that clock.
 */
#ifndef RILL_METRICS_H
#define RILL_METRICS_H

#include <rill/base.h>
#include <stdio.h>

RILL_BEGIN_DECLS

struct rill_runtime;

/* Of one worker. What is not said to be of now has been counted since the start. */
struct rill_worker_metrics {
	uint64_t slices;	  /* times a task was run until it parked, yielded or ended */
	uint64_t spawned;	  /* tasks spawned by this worker */
	uint64_t finished;	  /* tasks that ended on this worker */
	uint64_t local_schedules; /* wakes put into the own queue or LIFO slot */
	uint64_t overflows;	  /* times the local queue spilled into the inject queue */
	uint64_t steals;	  /* tasks taken from other workers */
	uint64_t steal_operations;
	uint64_t budget_yields; /* yields forced by an exhausted budget */
	uint64_t yields;	/* rill_yield() */
	uint64_t polls;		/* passes over NIC shards and other pollers */
	uint64_t polls_ready;	/* those that found work */
	uint64_t polls_foreign; /* those of a stuck worker's shard */
	uint64_t timers_armed;	/* in this worker's wheel, by tasks and what else has a deadline */
	uint64_t timers_fired;
	uint64_t timers_cancelled;
	uint64_t parks;	  /* sleeps in the kernel */
	uint64_t unparks; /* returns from them */
	uint64_t noops;	  /* woken without finding work */

	uint64_t busy_ns; /* in tasks, packets and timers: the sum of the next three */
	uint64_t tasks_ns;
	uint64_t poll_ns;   /* in pollers that found work */
	uint64_t timers_ns; /* in timers, and making yielded tasks runnable */
	uint64_t search_ns; /* looking for work: stealing, polling in vain, spinning */
	uint64_t parked_ns;

	uint64_t park_unpark_count; /* parks and unparks: odd while asleep */
	uint64_t stuck;		    /* times found in one task for longer than options.stuck_ns */
	uint64_t stuck_longest_ns;  /* and for how long at most */
	uint64_t thread_id;	    /* of the kernel; 0 before it started */
	uint64_t mean_slice_ns;	    /* of the latest slices: a new one weighs a tenth */
	uint64_t queue_depth;	    /* now, in the own queues; the LIFO slot not counted */
	uint64_t queue_delay_ns;    /* now, from the end of the own queue to its head */
	uint64_t timers_pending;    /* now */
};

/* -EINVAL: no such worker. */
RILL_API int rill_runtime_worker_metrics(const struct rill_runtime *rt, unsigned worker,
					 struct rill_worker_metrics *ret_metrics);

/* Of the whole runtime. */
struct rill_runtime_metrics {
	uint64_t workers;
	uint64_t live_tasks;	   /* now: spawned, and not ended */
	uint64_t spawned;	   /* by workers and from outside */
	uint64_t failed_tasks;	   /* detached tasks that ended by rill_fail() */
	uint64_t inject_depth;	   /* now, in the queues that all workers share */
	uint64_t remote_schedules; /* wakes and spawns that went through a shared queue */
	uint64_t budget_yields;
	uint64_t timers_pending; /* now */
	/*
	 * The load signal: how long a task that becomes runnable now may wait until it runs; that
	 * of the worst worker, or of the shared queue at the present pace.
	 */
	uint64_t queue_delay_ns;
	uint64_t blocking_threads;	/* now */
	uint64_t blocking_idle_threads; /* now */
	uint64_t blocking_queue_depth;	/* now: calls that wait for a thread */
	uint64_t pollers;		/* now: NIC shards and others */
	uint64_t stacks;		/* the most task stacks that were ever in use, in slabs */
	uint64_t stacks_trimmed;	/* times the memory of an idle one was given back */
	/* The most bytes that were found touched in one, whenever one was trimmed, dumped or asked
	 * for by rill_stack_high_water(). */
	uint64_t stack_high_water;
	uint64_t stuck;		   /* times a worker was found stuck in a task */
	uint64_t stuck_longest_ns; /* and for how long at most */
};

RILL_API void rill_runtime_metrics(struct rill_runtime *rt,
				   struct rill_runtime_metrics *ret_metrics);

/* Single ones of the same. */
RILL_API uint64_t rill_runtime_remote_schedules(const struct rill_runtime *rt);
RILL_API uint64_t rill_runtime_live_tasks(const struct rill_runtime *rt);
RILL_API uint64_t rill_runtime_queue_delay(const struct rill_runtime *rt);

/* ---- histograms: those that the runtime's options ask for ---- */

enum rill_histogram_kind {
	RILL_HISTOGRAM_RUN,	/* lengths of slices */
	RILL_HISTOGRAM_LATENCY, /* from wake to run; a task woken twice waits since the first */
};

#define RILL_ALL_WORKERS UINT32_MAX

/* 0: not enabled. */
RILL_API unsigned rill_runtime_histogram_buckets(const struct rill_runtime *rt,
						 enum rill_histogram_kind kind);
/* Bucket takes low <= t < high; the last one all from low on, high being UINT64_MAX. -EINVAL. */
RILL_API int rill_runtime_histogram_range(const struct rill_runtime *rt,
					  enum rill_histogram_kind kind, unsigned bucket,
					  uint64_t *ret_low_ns, uint64_t *ret_high_ns);
/* Of one worker, or of RILL_ALL_WORKERS. -EINVAL: no such bucket or worker. */
RILL_API int rill_runtime_histogram_count(const struct rill_runtime *rt,
					  enum rill_histogram_kind kind, uint32_t worker,
					  unsigned bucket, uint64_t *ret_count);

struct rill_histogram_summary {
	uint64_t count;
	uint64_t sum_ns;
	uint64_t max_ns;
	uint64_t p50_ns; /* half of all are not above; by the upper edges of buckets */
	uint64_t p90_ns;
	uint64_t p99_ns;
	uint64_t p999_ns;
};

/* As rill_runtime_histogram_count(), of all buckets. Also -ENOMEM. */
RILL_API int rill_runtime_histogram_summary(const struct rill_runtime *rt,
					    enum rill_histogram_kind kind, uint32_t worker,
					    struct rill_histogram_summary *ret_summary);

/* ---- as text ---- */

/* Writes all metrics of the runtime, and of what is attached to it (NICs), as OpenMetrics text. */
RILL_API int rill_runtime_print_metrics(struct rill_runtime *rt, FILE *out);
/* The same as one JSON object. Both: -EIO, -ENOMEM. */
RILL_API int rill_runtime_print_metrics_json(struct rill_runtime *rt, FILE *out);

/* ---- by intervals ---- */

/* Over the workers. */
struct rill_spread {
	uint64_t total;
	uint64_t min;
	uint64_t max;
};

/* What happened in an interval; what is of now is as at its end. */
struct rill_interval_metrics {
	uint64_t elapsed_ns;
	uint64_t workers;
	struct rill_spread slices;
	struct rill_spread parks;
	struct rill_spread noops;
	struct rill_spread steals;
	struct rill_spread steal_operations;
	struct rill_spread local_schedules;
	struct rill_spread overflows;
	struct rill_spread polls_ready;
	struct rill_spread busy_ns;
	struct rill_spread search_ns;
	struct rill_spread parked_ns;
	struct rill_spread queue_depth;	  /* now */
	struct rill_spread mean_slice_ns; /* of each worker; total: of all slices */
	uint64_t spawned;
	uint64_t finished;
	uint64_t remote_schedules;
	uint64_t budget_yields;
	uint64_t timers_fired;
	uint64_t live_tasks;		/* now */
	uint64_t inject_depth;		/* now */
	uint64_t queue_delay_ns;	/* now */
	uint64_t blocking_threads;	/* now */
	uint64_t blocking_idle_threads; /* now */
	uint64_t blocking_queue_depth;	/* now */
	double busy_ratio;		/* of all the workers' time */
	double mean_slices_per_park;	/* 0 when nobody parked */
};

struct rill_metrics_interval;

/* The first interval begins. One thread at a time may use it; it must go before the runtime. */
RILL_API int rill_metrics_interval_create(struct rill_runtime *rt,
					  struct rill_metrics_interval **ret_interval);
/* Ends an interval and begins the next. */
RILL_API void rill_metrics_interval_next(struct rill_metrics_interval *interval,
					 struct rill_interval_metrics *ret_metrics);
RILL_API void rill_metrics_interval_destroy(struct rill_metrics_interval *interval);

/* ---- of chosen tasks ---- */

/*
 * Counts what the tasks do that are spawned with it (rill_spawn_options.monitor). The first such
 * task of a runtime has all slices of that runtime timed from then on, some 30 ns each.
 */
struct rill_task_monitor;

struct rill_task_monitor_options {
	size_t size;		/* sizeof, by RILL_OPTIONS */
	uint64_t slow_slice_ns; /* a slice of more is slow; 0: 50 us */
	uint64_t long_delay_ns; /* a delay of more is long; 0: 50 us */
};

/* o may be NULL. -EINVAL, -ENOMEM. */
RILL_API int rill_task_monitor_create(const struct rill_task_monitor_options *o,
				      struct rill_task_monitor **ret_monitor);
/* Gives it up; its tasks may still run. */
RILL_API void rill_task_monitor_destroy(struct rill_task_monitor *monitor);

/* Since the monitor was made. */
struct rill_task_metrics {
	uint64_t instrumented; /* tasks spawned */
	uint64_t dropped;      /* tasks that have ended */
	uint64_t first_runs;   /* tasks that have begun */
	uint64_t first_run_delay_ns;
	uint64_t idled; /* times one was woken from waiting */
	uint64_t idle_ns;
	uint64_t max_idle_ns; /* the longest ever, also in the figures of an interval */
	uint64_t scheduled;   /* times one ran after having been made runnable; not the first */
	uint64_t scheduled_ns;
	uint64_t short_delays; /* of scheduled */
	uint64_t short_delay_ns;
	uint64_t long_delays;
	uint64_t long_delay_ns;
	uint64_t slices;
	uint64_t slice_ns;
	uint64_t fast_slices; /* of slices */
	uint64_t fast_slice_ns;
	uint64_t slow_slices;
	uint64_t slow_slice_ns;
};

RILL_API void rill_task_monitor_read(const struct rill_task_monitor *monitor,
				     struct rill_task_metrics *ret_metrics);
/* What happened from before to now: two readings of one monitor. */
RILL_API void rill_task_metrics_since(const struct rill_task_metrics *now,
				      const struct rill_task_metrics *before,
				      struct rill_task_metrics *ret_difference);

/* What follows from them; 0 where nothing was counted. */
struct rill_task_means {
	uint64_t first_run_delay_ns;
	uint64_t idle_ns;
	uint64_t scheduled_ns;
	uint64_t short_delay_ns;
	uint64_t long_delay_ns;
	uint64_t slice_ns;
	uint64_t fast_slice_ns;
	uint64_t slow_slice_ns;
	double slow_slice_ratio; /* of all slices */
	double long_delay_ratio; /* of all delays */
};

RILL_API void rill_task_metrics_means(const struct rill_task_metrics *metrics,
				      struct rill_task_means *ret_means);

RILL_END_DECLS

#endif
