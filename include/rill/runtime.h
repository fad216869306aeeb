/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The runtime: worker threads which poll NIC queues, run tasks, fire timers and sleep when there is
 * nothing to do.
 */
#ifndef RILL_RUNTIME_H
#define RILL_RUNTIME_H

#include <rill/base.h>
#include <stdio.h>

RILL_BEGIN_DECLS

struct rill_runtime;

enum rill_flavor {
	RILL_MULTI_THREAD,   /* workers are threads of their own */
	RILL_CURRENT_THREAD, /* the thread in rill_block_on() is the one worker */
};

enum rill_idle {
	RILL_IDLE_ADAPTIVE, /* spin for spin_ns, then sleep in the kernel on every wake source */
	RILL_IDLE_SPIN,	    /* never sleep */
};

struct rill_runtime_options {
	size_t size; /* sizeof, by RILL_OPTIONS */
	enum rill_flavor flavor;
	enum rill_idle idle;
	unsigned workers;      /* 0: one per CPU this process may run on; at most 1024 */
	const int *cpus;       /* worker i is pinned to cpus[i % cpu_count]; NULL: see pin */
	unsigned cpu_count;    /* entries in cpus */
	bool no_pin;	       /* leave placement to the kernel when cpus is NULL */
	bool start_paused;     /* CURRENT_THREAD only: the clock stands still and jumps when idle */
	uint64_t spin_ns;      /* adaptive: how long to spin before sleeping; 0: 50 us */
	size_t stack_size;     /* bytes per task, rounded up to pages; 0: 64 KiB */
	unsigned budget;       /* operations per slice; 0: 128 */
	uint64_t seed;	       /* of scheduling decisions; 0: random */
	const char *name;      /* of the worker threads, at most 10 bytes; NULL: "rill" */
	unsigned max_blocking; /* threads for rill_blocking(); 0: 512 */
};

/*
 * Starts a runtime; o may be NULL for the defaults. -EINVAL: a bad option; -ENOMEM, -EAGAIN: the
 * system refused memory or a thread. Not callable from a task.
 */
RILL_API int rill_runtime_create(const struct rill_runtime_options *o,
				 struct rill_runtime **ret_rt);

/*
 * Aborts every task, waits until each has returned, joins the threads and frees everything, handles
 * of unjoined tasks included. -EDEADLK from inside one of its own tasks or threads; else 0.
 */
RILL_API int rill_runtime_destroy(struct rill_runtime *rt);

/*
 * Runs fn(arg) as a task and waits for it; *ret_value (may be NULL) is what it returned. From a
 * plain thread only: -EDEADLK inside a task. -ESHUTDOWN once destroy has begun.
 */
RILL_API int rill_block_on(struct rill_runtime *rt, void *(*fn)(void *), void *arg,
			   void **ret_value);

/* The runtime of the calling task, or NULL. */
RILL_API struct rill_runtime *rill_runtime_current(void);
RILL_API unsigned rill_runtime_workers(const struct rill_runtime *rt);

/*
 * Runs fn(arg) on a thread of the blocking pool and waits for its return value. For calls that may
 * block in the kernel. Cannot be cancelled once it runs (arg may lie on the caller's stack): waits
 * whatever the scope says. -ECANCELED when aborted before it began, -EAGAIN when no thread can be
 * had.
 */
RILL_API int rill_blocking(void *(*fn)(void *), void *arg, void **ret_value);

/* Counters of one worker. Single writer; a reader on another thread sees each value whole. */
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
	uint64_t polls_foreign; /* polls of a stuck worker's shard */
	uint64_t timers_fired;
	uint64_t parks;	  /* sleeps in the kernel */
	uint64_t unparks; /* returns from them */
	uint64_t noops;	  /* woken without finding work */
};

RILL_API int rill_runtime_worker_metrics(const struct rill_runtime *rt, unsigned worker,
					 struct rill_worker_metrics *ret_metrics);
RILL_API uint64_t rill_runtime_remote_schedules(const struct rill_runtime *rt);
RILL_API uint64_t rill_runtime_live_tasks(const struct rill_runtime *rt);

/* Writes all metrics of the runtime, and of what is attached to it (NICs), as OpenMetrics text. */
RILL_API int rill_runtime_print_metrics(struct rill_runtime *rt, FILE *out);

RILL_END_DECLS

#endif
