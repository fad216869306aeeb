/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looking into a running program: what every task does and waits for, with its stack, also while a
 * worker is stuck; deadlocks; and reports of crashes. Nothing is stopped for it: each task is shown
 * as it was at some moment while the dump was made.
 *
 * Stacks are walked by frame pointers: build programs with -fno-omit-frame-pointer. What lies above
 * the last function that has one (libc, in a running task) is unwound by its debug information when
 * rill was built with libdw, which also names source lines; without it functions are shown as far
 * as the dynamic linker knows them, else as module+0xoffset.
 *
 * A program counter here lies inside its instruction: return addresses come less one, so that each
 * names its call.
 */
#ifndef RILL_DUMP_H
#define RILL_DUMP_H

#include <rill/runtime.h>
#include <rill/task.h>
#include <rill/trouble.h>

RILL_BEGIN_DECLS

#define RILL_DUMP_FRAMES 64 /* of one task, at most */

/* ---- symbols ---- */

struct rill_symbol {
	char function[96]; /* "": not known */
	char file[128];	   /* "": not known; of a long path the end */
	unsigned line;
	char module[64];  /* file name of the program or library */
	uintptr_t offset; /* of the pc in module */
	bool inlined;	  /* into the function of the next one */
};

/*
 * What lies at pc: the innermost function first, then those that it was inlined into; how many of
 * them were written, at least one when max > 0. Allocates and takes locks; any thread.
 */
RILL_API unsigned rill_symbolize(const void *pc, struct rill_symbol *ret_symbols, unsigned max);

/* The calling task's own stack, innermost first; how many. 0 on a plain thread. */
RILL_API unsigned rill_backtrace(const void **ret_frames, unsigned max);

/* ---- tasks and workers ---- */

enum rill_dump_state {
	RILL_DUMP_RUNNING,  /* on a worker, or too busy to be looked at */
	RILL_DUMP_RUNNABLE, /* in a queue, or has yielded */
	RILL_DUMP_PARKED,
	RILL_DUMP_FINISHED, /* and not joined */
};

#define RILL_DUMP_NO_WORKER UINT32_MAX

/* One task. Valid during the visit. */
struct rill_dump_task {
	uint64_t id;
	uint64_t parent; /* id of the task that spawned it; 0: none */
	char name[RILL_TASK_NAME];
	enum rill_dump_state state;
	uint32_t worker;       /* RUNNING: on which, or RILL_DUMP_NO_WORKER */
	const char *wait_what; /* PARKED: a word or two, as "mutex"; else NULL */
	const void *wait_obj;  /* what it waits on: the mutex, the task */
	uint64_t holder;       /* id of the task that holds that, or is that; 0: not known */
	uint64_t deadline_ns;  /* when it wakes by itself; RILL_FOREVER: does not */
	uint64_t age_ns;
	void *(*fn)(void *);
	const void *spawn_site; /* where it was spawned */
	size_t stack_size;
	size_t stack_high_water; /* see rill_stack_high_water() */
	void *user;
	enum rill_priority priority;
	enum rill_placement placement;
	uint32_t home; /* of placement; else 0 */
	bool aborted;
	unsigned frame_count;
	const void *frames[RILL_DUMP_FRAMES]; /* innermost first */
};

/* One worker. */
struct rill_dump_worker {
	unsigned index;
	bool running; /* a thread is in its loop */
	bool asleep;
	bool answered; /* not in a task, or its task's frames are there; else it did not answer */
	uint64_t task_id; /* what it runs; 0: nothing */
	char task_name[RILL_TASK_NAME];
	uint64_t turns;	   /* of its loop */
	uint32_t queued;   /* tasks in its queue */
	uint64_t stuck_ns; /* in this task for so long, when that is more than stuck_ns; else 0 */
	uint64_t stuck_times; /* so far */
	uint64_t stuck_longest_ns;
	unsigned frame_count; /* of its task, or of its loop */
	const void *frames[RILL_DUMP_FRAMES];
};

/* A task that waits for one thing; as in struct rill_dump_task. */
struct rill_dump_wait {
	uint64_t task_id;
	const char *what; /* "mutex", "rwlock write" */
	const void *obj;
	uint64_t holder;
};

/* One thing that tasks wait for, but not in a select. Valid during the visit. */
struct rill_dump_object {
	char kind[32]; /* "mutex", "rwlock" */
	const void *obj;
	uint64_t holder; /* id of the task that holds it, or is it; 0: none, or not known; an
			    rwlock's is who writes */
	char holder_name[RILL_TASK_NAME];
	size_t wait_count;
	const struct rill_dump_wait *waits; /* by task_id */
};

/* Functions for what a dump finds; each may be NULL. They may block, and spawn nothing. */
struct rill_dump_visitor {
	void *ctx;
	void (*worker)(void *ctx, const struct rill_dump_worker *w);
	void (*task)(void *ctx, const struct rill_dump_task *t);
	void (*object)(void *ctx, const struct rill_dump_object *o);
	void (*trouble)(void *ctx, const struct rill_tcp_trouble *t);
};

/*
 * Visits all workers, then all tasks, then all that tasks wait for, then the connections that are
 * or were in trouble, by core. Tasks that begin or end meanwhile may be missed, and the connections
 * of a core that is in use for 20 ms on end. Workers that run a task are interrupted by a signal
 * (not those which block in the kernel, whose calls would fail with EINTR); at most 250 ms are
 * spent on waiting for answers. From any thread or task that keeps the runtime alive; dumps of a
 * process wait for each other. -ENOMEM.
 */
RILL_API int rill_runtime_visit(struct rill_runtime *rt, const struct rill_dump_visitor *v);

enum rill_dump_format {
	RILL_DUMP_TEXT,
	RILL_DUMP_JSON,
};

/* The same as text or one JSON object, with names of functions, queues and deadlocks. -EIO: out has
 * an error; -ENOMEM; -EAGAIN: called by a task, and there was no thread to do it. */
RILL_API int rill_runtime_dump(struct rill_runtime *rt, FILE *out, enum rill_dump_format format);

/*
 * The signal that asks a worker for its stack, SIGRTMIN+7 if this is never called. Before the first
 * runtime is created. -EINVAL; -EBUSY: the signal has a handler.
 */
RILL_API int rill_dump_set_signal(int signo);

/*
 * From now on signal signo, sent to the process, makes a thread of rt's append a text dump to path
 * (NULL: stderr). Once per signal number and runtime; ends with rt. -EINVAL; -EBUSY: the signal
 * has a handler; -ENOMEM.
 */
RILL_API int rill_dump_on_signal(struct rill_runtime *rt, int signo, const char *path);

/* ---- deadlocks ---- */

#define RILL_DEADLOCK_TASKS 16

/* A circle of tasks, each waiting without a deadline for what the next one holds. */
struct rill_deadlock {
	unsigned count; /* tasks in the circle; the first RILL_DEADLOCK_TASKS are below */
	struct {
		uint64_t id;
		char name[RILL_TASK_NAME];
		const char *wait_what;
		const void *wait_obj;
	} tasks[RILL_DEADLOCK_TASKS];
};

/* 1: there is one, in *ret_deadlock; 0: none among mutexes, writers of rwlocks and joins;
 * -ENOMEM. */
RILL_API int rill_runtime_find_deadlock(struct rill_runtime *rt,
					struct rill_deadlock *ret_deadlock);

/* ---- crashes ---- */

/*
 * Reports SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT on stderr: which task, where it was spawned,
 * its stack, and whether it overflowed it, and then all tasks of its runtime, as far as that can be
 * done within three seconds. Then the signal does what it did before this call: the
 * handler there was is called, or the process ends, by the same signal and with its core dump.
 *
 * Creating a runtime does this by itself for SIGSEGV and SIGBUS when the program has no handler of
 * its own for them by then, for a stack overflow is hard to recognise otherwise; such a report is
 * made only of faults in tasks. Idempotent; any thread. Negative errno of sigaction().
 */
RILL_API int rill_crash_install(void);

RILL_END_DECLS

#endif
