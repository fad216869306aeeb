/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tasks: stackful coroutines that any worker may run. A blocking-style call parks the task, never
 * the worker. A task may find itself on another thread after any such call: keep no pointer to
 * thread-local storage (errno's address included) across one.
 */
#ifndef RILL_TASK_H
#define RILL_TASK_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_case;
struct rill_runtime;
struct rill_task;

#define RILL_TASK_NAME 32   /* bytes of a task's name, the 0 included */
#define RILL_TASK_REASON 96 /* bytes of the reason that a task failed for, the 0 included */

enum rill_priority {
	RILL_PRIORITY_NORMAL,
	RILL_PRIORITY_URGENT, /* before the others, but for one normal slice in eight; a pinned one:
				 before the others that are pinned there */
};

enum rill_placement {
	RILL_PLACE_ANY,	   /* wherever there is room */
	RILL_PLACE_HOME,   /* begins on the given worker; others may steal it later */
	RILL_PLACE_PINNED, /* only ever runs on the given worker (Tokio's spawn_local) */
};

/* The worker that the caller runs on. */
#define RILL_WORKER_SELF UINT32_MAX

struct rill_handle;
struct rill_task_monitor;

struct rill_spawn_options {
	size_t size;		      /* sizeof, by RILL_OPTIONS */
	const char *name;	      /* for dumps; copied, cut off at RILL_TASK_NAME - 1 bytes */
	struct rill_runtime *runtime; /* NULL: handle's, or the caller's */
	struct rill_handle *handle;   /* instead of runtime, when that may be gone by now */
	size_t stack_size;	      /* bytes; 0: the runtime's; rounded up to a power of two */
	enum rill_priority priority;
	enum rill_placement placement;
	uint32_t worker;		   /* of placement: an index, or RILL_WORKER_SELF */
	unsigned budget;		   /* operations per slice; 0: the runtime's */
	void *user;			   /* see rill_task_user() */
	struct rill_task_monitor *monitor; /* counts what the task does; see rill/metrics.h */
};

/*
 * Starts fn(arg) as a task. *ret_task is a handle to be given to exactly one of rill_join() or
 * rill_detach(); with ret_task NULL the task is detached from the start. From a plain thread the
 * options must name a runtime. -ENOMEM: no stack; -ESHUTDOWN: the runtime is going down; -EINVAL:
 * no runtime, no such worker, or a stack size that is none.
 */
RILL_API int rill_spawn_with(const struct rill_spawn_options *o, void *(*fn)(void *), void *arg,
			     struct rill_task **ret_task);
RILL_API int rill_spawn(void *(*fn)(void *), void *arg, struct rill_task **ret_task);

/*
 * As rill_spawn_with(), for a function that may block in the kernel: it runs on a thread of the
 * blocking pool while its task waits for it. An abort takes effect only before it has begun. When
 * no thread can be had the task fails (RILL_JOIN_FAILED).
 */
RILL_API int rill_spawn_blocking(const struct rill_spawn_options *o, void *(*fn)(void *), void *arg,
				 struct rill_task **ret_task);

/* rill_join(): the task has ended, and an abort took effect. */
#define RILL_JOIN_ABORTED 1
/* rill_join(): the task ended by rill_fail(). */
#define RILL_JOIN_FAILED 2

/*
 * Waits until the task has ended and releases the handle: 0, with what fn returned in *ret_value
 * (may be NULL), or RILL_JOIN_ABORTED with the same (NULL when it was aborted before it began), or
 * RILL_JOIN_FAILED with NULL.
 * Negative: the caller's own scope ended the wait (-ECANCELED, -ETIMEDOUT), and the handle is still
 * the caller's. Cancel safe. Callable from tasks and plain threads; a plain thread does not drive a
 * CURRENT_THREAD runtime by it: somebody has to be in rill_block_on().
 */
RILL_API int rill_join(struct rill_task *task, void **ret_value);

/*
 * A case that completes with 0 when the task has ended: rill_join() then gives the result at once.
 * The handle stays the caller's, and is waited for by one at a time, in one case of a select.
 */
RILL_API void rill_case_join(struct rill_case *c, struct rill_task *task);

/* How a task ended. */
struct rill_outcome {
	int status; /* 0, RILL_JOIN_ABORTED or RILL_JOIN_FAILED */
	void *value;
	uint64_t id;
	char name[RILL_TASK_NAME];
	char reason[RILL_TASK_REASON]; /* what rill_fail() was given; else empty */
};

/* As rill_join(), with all that is known of the end. */
RILL_API int rill_join_outcome(struct rill_task *task, struct rill_outcome *ret_outcome);

/* Gives the handle up; the task runs on. Of one that is ending just now: waits for its hooks. */
RILL_API void rill_detach(struct rill_task *task);

/*
 * Asks the task to end: its blocking calls return -ECANCELED from now on (outside shielded scopes),
 * and one that has not started never runs. Any thread, any number of times, while the handle is
 * valid.
 */
RILL_API void rill_abort(struct rill_task *task);

/*
 * The right to abort a task and to ask whether it has ended, but not to join it: a value, copied at
 * will, valid until the runtime is destroyed, also when the task has ended and its memory serves
 * another.
 */
struct rill_abort_handle {
	struct rill_task *task;
	uint64_t id;
};
RILL_API struct rill_abort_handle rill_abort_handle(const struct rill_task *task);
RILL_API void rill_abort_by(struct rill_abort_handle h);
RILL_API bool rill_is_finished_by(struct rill_abort_handle h);

/*
 * Ends the calling task from inside any number of calls: its clean-up handlers run, the youngest
 * first, then it ends as if its function had returned value. Nothing else is unwound. Not from a
 * plain thread.
 */
RILL_API void rill_exit(void *value) RILL_NORETURN;

/*
 * The same for a task that found itself broken: its joiner gets RILL_JOIN_FAILED and the reason,
 * and the runtime does what its on_failure says. A task that would be killed elsewhere ends alone
 * here.
 */
RILL_API void rill_fail(const char *reason, ...) RILL_NORETURN
	__attribute__((format(printf, 1, 2)));

/* A clean-up handler for rill_exit() and rill_fail(); lies on the caller's stack, paired. */
struct rill_cleanup {
	struct rill_cleanup *next;
	void (*fn)(void *);
	void *arg;
};
RILL_API void rill_cleanup_push(struct rill_cleanup *c, void (*fn)(void *), void *arg);
/* Takes the youngest, which must be c, away; runs it if run. */
RILL_API void rill_cleanup_pop(struct rill_cleanup *c, bool run);

/* True once the task has ended, abort or not. */
RILL_API bool rill_is_finished(const struct rill_task *task);

/* Unique among the tasks of the process. 0 for NULL, and rill_self_id() is 0 on a plain thread. */
RILL_API uint64_t rill_task_id(const struct rill_task *task);
RILL_API uint64_t rill_self_id(void);
/* The task's name, or "". Of NULL: the caller's. Stays as long as the task's handle, or the task.
 */
RILL_API const char *rill_task_name(const struct rill_task *task);
/* A word of the user's at each task, for hooks: set when spawning, or by hooks. NULL: the caller's.
 */
RILL_API void *rill_task_user(const struct rill_task *task);
RILL_API void rill_task_set_user(struct rill_task *task, void *user);
/* The worker that the caller runs on, or -ENOENT. Another one perhaps after any blocking call. */
RILL_API int rill_worker_index(void);
/* Bytes of stack that the calling task can still use, at least. 0 on a plain thread. */
RILL_API size_t rill_stack_left(void);
/* The most that any user of the task's stack has used of it since it was mapped or trimmed, in
 * whole pages. */
RILL_API size_t rill_stack_high_water(const struct rill_task *task);

/* Lets others run: the task runs again after the worker has polled its NICs and timers. 0 or
 * -ECANCELED. */
RILL_API int rill_yield(void);

/* Spends one unit of the slice's budget and yields when there is none left. 0, -ECANCELED or
 * -ETIMEDOUT. */
RILL_API int rill_consume_budget(void);
/* True while the slice has budget, in an unconstrained part, and on a plain thread. */
RILL_API bool rill_has_budget_remaining(void);
/* Between the two the caller's operations cost nothing and never yield for want of budget. Nest. */
RILL_API void rill_unconstrained_begin(void);
RILL_API void rill_unconstrained_end(void);
/*
 * Makes an operation of the user's own cooperative: yields first when there is no budget left, then
 * calls op, and spends a unit unless it gave -EAGAIN. What op returned, -ECANCELED or -ETIMEDOUT.
 */
RILL_API int rill_cooperative(int (*op)(void *), void *arg);

/*
 * A cancel scope: blocking calls between begin and end, in this task or thread, return -ETIMEDOUT
 * after the deadline and -ECANCELED once the token is cancelled. Scopes nest; the tightest wins. A
 * shielded scope hides abort and the scopes around it, for clean-up code. The struct lies on the
 * caller's stack and begin/end pair up in the same function.
 */
struct rill_token;

struct rill_scope {
	struct rill_scope *parent;
	struct rill_token *token;
	uint64_t deadline_ns;
	bool shield;
	void *opaque[3];
};

/* deadline_ns is absolute (RILL_FOREVER: none); token may be NULL. */
RILL_API void rill_scope_begin(struct rill_scope *scope, uint64_t deadline_ns,
			       struct rill_token *token);
RILL_API void rill_scope_begin_shield(struct rill_scope *scope);
RILL_API void rill_scope_end(struct rill_scope *scope);

RILL_END_DECLS

#endif
