/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The runtime: worker threads which poll NIC queues, run tasks, fire timers and sleep when there is
 * nothing to do. A process that has forked must not use in the child what the parent made: the
 * threads are not there.
 */
#ifndef RILL_RUNTIME_H
#define RILL_RUNTIME_H

#include <rill/base.h>
#include <rill/metrics.h>
#include <rill/task.h>

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

/* What the runtime does when a task ends by rill_fail(). */
enum rill_on_failure {
	RILL_FAILURE_TO_JOINER, /* the joiner learns of it; a detached task's failure is counted */
	RILL_FAILURE_SHUTDOWN, /* every other task is aborted and no more begin; block_on returns */
	RILL_FAILURE_CRASH,    /* the process aborts with a dump */
};

/* Of the task that a hook is called for. */
struct rill_task_meta {
	struct rill_task *task; /* for rill_task_user(); not to be joined, aborted or kept */
	uint64_t id;
	uint64_t parent; /* id of the task that spawned it; 0: none */
	const char *name;
	const void *spawn_site;	   /* where rill_spawn*() was called */
	uint64_t sched_latency_ns; /* before_run: from wake to run */
	uint64_t run_ns;	   /* after_run: of this slice; terminate: of all */
};

/*
 * Called at turning points, with the runtime's user pointer. None may block or wait. A hook may
 * spawn and wake; what it makes runnable while its thread is on the way to sleep is not lost. Task
 * hooks run on whichever stack is at hand, a small one perhaps, and in no task: rill_self_id() is
 * 0. Tasks of rill_spawn_blocking() are tasks: all four hooks fire for them, or none.
 */
struct rill_hooks {
	void *user;
	/* On the thread itself: workers, threads of the blocking pool (worker -1). */
	void (*thread_start)(void *user, int worker);
	void (*thread_stop)(void *user, int worker);
	void (*thread_park)(void *user, int worker);			/* about to sleep */
	void (*thread_unpark)(void *user, int worker);			/* awake again */
	void (*task_spawn)(void *user, const struct rill_task_meta *m); /* on the spawner */
	void (*task_terminate)(void *user, const struct rill_task_meta *m);
	void (*before_run)(void *user, const struct rill_task_meta *m);
	void (*after_run)(void *user, const struct rill_task_meta *m);
};

/* Buckets of a log-linear histogram: values of one power of two fall into 2^precision buckets. */
struct rill_histogram_options {
	bool enabled;
	uint64_t min_ns;    /* everything below is one bucket; 0: 100 ns */
	uint64_t max_ns;    /* everything above is one bucket; 0: 60 s */
	unsigned precision; /* at most 6; 0: 2, an error of at most 25 % */
};

/* A worker has been in one task for longer than stuck_ns. */
struct rill_stuck_report {
	unsigned worker;
	uint64_t task_id;
	char task_name[RILL_TASK_NAME];
	uint64_t stuck_ns; /* for how long by now */
	unsigned frame_count;
	const void *frames[32]; /* program counters, the innermost first; see rill/dump.h */
};

enum rill_trace_level {
	RILL_TRACE_COARSE,  /* times as of the worker's last turn, about a microsecond old */
	RILL_TRACE_PRECISE, /* a cycle counter read for each record */
	RILL_TRACE_OFF,
};

struct rill_runtime_options {
	size_t size; /* sizeof, by RILL_OPTIONS */
	enum rill_flavor flavor;
	enum rill_idle idle;
	unsigned workers;   /* 0: RILL_WORKERS of the environment, else one per CPU this process may
			       run on; at most 1024 */
	const int *cpus;    /* worker i is pinned to cpus[i % cpu_count]; NULL: see no_pin */
	unsigned cpu_count; /* entries in cpus */
	bool no_pin;	    /* leave placement to the kernel when cpus is NULL */
	bool start_paused;  /* CURRENT_THREAD only: the clock stands still and jumps when idle */
	uint64_t spin_ns;   /* adaptive: how long to spin before sleeping; 0: 50 us */
	size_t stack_size;  /* bytes per task, rounded up to pages; 0: 64 KiB */
	unsigned budget;    /* operations per slice; 0: 128 */
	uint64_t seed;	    /* of scheduling decisions; 0: random */
	const char *name;   /* of the runtime and its threads (the first 10 bytes); NULL: "rill" */
	unsigned max_blocking;	  /* threads for rill_blocking(); 0: 512 */
	uint64_t keep_alive_ns;	  /* a blocking thread without work leaves after it; 0: 10 s */
	size_t thread_stack_size; /* of worker and blocking threads; 0: the system's */
	/* Writes the name (15 bytes at most) of a thread; worker -1: of the blocking pool. */
	void (*thread_name)(void *user, int worker, char *buf, size_t len);
	void *thread_name_user;
	unsigned inject_interval; /* slices between looks at the inject queue; 0: tunes itself */
	unsigned poll_interval;	  /* slices between polls of NICs and timers; 0: tunes itself */
	bool no_lifo;		  /* wakes go to the back of the queue always */
	bool shuffle; /* CURRENT_THREAD only: the next task is drawn by seed; implies no_lifo */
	uint64_t stuck_ns; /* a worker in one task for longer is stuck; 0: 10 ms */
	void (*on_stuck)(void *user, const struct rill_stuck_report *r); /* on a thread of rill's */
	void *on_stuck_user;
	enum rill_on_failure on_failure;
	struct rill_hooks hooks;
	struct rill_histogram_options run_histogram;	 /* lengths of slices */
	struct rill_histogram_options latency_histogram; /* from wake to run */
	enum rill_trace_level trace;
	unsigned trace_records; /* kept per worker, rounded up to a power of two; 0: 4096 */
	/*
	 * Files and descriptors go by the blocking threads, as they do where the system has no
	 * io_uring. RILL_IO_URING=off in the environment says the same for all runtimes.
	 */
	bool no_io_uring;
	unsigned ring_entries; /* of each worker's submission queue, rounded up to a power of two;
				  0: 256 */
	/*
	 * Bytes of packet buffers that the queues of all its TCP connections may hold together, on
	 * whatever NICs; at least 1 MiB. 0: a quarter of the machine's memory. Near it windows stop
	 * growing and shrink, at it senders wait; each connection keeps a few segments past it.
	 * What a NIC's queue has (its bufs) is a second bound: half of that.
	 */
	uint64_t tcp_memory;
};

/*
 * Starts a runtime; o may be NULL for the defaults. -EINVAL: a bad option; -ENOMEM, -EAGAIN: the
 * system refused memory or a thread; -EDEADLK: called from a task. rill_runtime_error() says it in
 * words.
 */
RILL_API int rill_runtime_create(const struct rill_runtime_options *o,
				 struct rill_runtime **ret_rt);
/* What was wrong with the calling thread's last failed rill_runtime_create(). Never NULL. */
RILL_API const char *rill_runtime_error(void);

/*
 * Aborts every task, waits until each has returned, joins the threads and frees everything, handles
 * of unjoined tasks included: nobody else, a task of another runtime say, may be in a join, detach
 * or abort of one of them then. rill_block_on() and rill_handle_block_on() may be under way: they
 * return. -EDEADLK from a task, of any runtime, and from the runtime's own threads; else 0.
 */
RILL_API int rill_runtime_destroy(struct rill_runtime *rt);

/*
 * The same within timeout_ns. -ETIMEDOUT: some task or blocking call has not returned; a thread of
 * rill's goes on waiting for it and frees the runtime then. The runtime is no longer the caller's
 * in either case. With timeout_ns 0 (in the background) also callable from tasks, even its own;
 * -EDEADLK otherwise from inside; -EAGAIN, -ENOMEM: no thread could be had, and nothing was done.
 */
RILL_API int rill_runtime_shutdown(struct rill_runtime *rt, uint64_t timeout_ns);

/*
 * A reference to a runtime that may be kept longer than the runtime, on any thread: spawning
 * through it (rill_spawn_options.handle) or rill_handle_block_on() gives -ESHUTDOWN once that goes
 * down. get takes a reference, put gives one back.
 */
struct rill_handle;
RILL_API struct rill_handle *rill_runtime_handle(struct rill_runtime *rt);
RILL_API struct rill_handle *rill_handle_get(struct rill_handle *h);
RILL_API void rill_handle_put(struct rill_handle *h);
RILL_API int rill_handle_block_on(struct rill_handle *h, void *(*fn)(void *), void *arg,
				  void **ret_value);

/*
 * Runs fn(arg) as a task and waits for it; *ret_value (may be NULL) is what it returned. From a
 * plain thread only: -EDEADLK inside a task. -ESHUTDOWN once destroy has begun, -ECANCELED when the
 * task was aborted, RILL_JOIN_FAILED when it failed.
 */
RILL_API int rill_block_on(struct rill_runtime *rt, void *(*fn)(void *), void *arg,
			   void **ret_value);

/* The runtime of the calling task, or NULL. */
RILL_API struct rill_runtime *rill_runtime_current(void);
RILL_API unsigned rill_runtime_workers(const struct rill_runtime *rt);
/* Unique among the runtimes of the process, never 0. */
RILL_API uint64_t rill_runtime_id(const struct rill_runtime *rt);
RILL_API const char *rill_runtime_name(const struct rill_runtime *rt);
RILL_API enum rill_flavor rill_runtime_flavor(const struct rill_runtime *rt);

/*
 * Runs fn(arg) on a thread of the blocking pool and waits for its return value. For calls that may
 * block in the kernel. Cannot be cancelled once it runs (arg may lie on the caller's stack): waits
 * whatever the scope says. -ECANCELED when aborted before it began, -EAGAIN when no thread can be
 * had.
 */
RILL_API int rill_blocking(void *(*fn)(void *), void *arg, void **ret_value);

RILL_END_DECLS

#endif
