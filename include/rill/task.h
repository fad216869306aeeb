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

struct rill_runtime;
struct rill_task;

struct rill_spawn_options {
	size_t size;		      /* sizeof, by RILL_OPTIONS */
	const char *name;	      /* for dumps; must outlive the task; NULL: none */
	struct rill_runtime *runtime; /* NULL: the caller's */
};

/*
 * Starts fn(arg) as a task. *ret_task is a handle to be given to exactly one of rill_join() or
 * rill_detach(); with ret_task NULL the task is detached from the start. From a plain thread the
 * options must name a runtime. -ENOMEM: no stack; -ESHUTDOWN: the runtime is going down; -EINVAL:
 * no runtime.
 */
RILL_API int rill_spawn_with(const struct rill_spawn_options *o, void *(*fn)(void *), void *arg,
			     struct rill_task **ret_task);
RILL_API int rill_spawn(void *(*fn)(void *), void *arg, struct rill_task **ret_task);

/* rill_join(): the task has ended, and an abort took effect. */
#define RILL_JOIN_ABORTED 1

/*
 * Waits until the task has ended and releases the handle: 0, with what fn returned in *ret_value
 * (may be NULL), or RILL_JOIN_ABORTED with the same (NULL when it was aborted before it began).
 * Negative: the caller's own scope ended the wait (-ECANCELED, -ETIMEDOUT), and the handle is still
 * the caller's. Cancel safe. Callable from tasks and plain threads.
 */
RILL_API int rill_join(struct rill_task *task, void **ret_value);

/* Gives the handle up; the task runs on. */
RILL_API void rill_detach(struct rill_task *task);

/*
 * Asks the task to end: its blocking calls return -ECANCELED from now on (outside shielded scopes),
 * and one that has not started never runs. Any thread, any number of times, while the handle is
 * valid.
 */
RILL_API void rill_abort(struct rill_task *task);

/* True once the task has ended, abort or not. */
RILL_API bool rill_is_finished(const struct rill_task *task);

/* Unique among the tasks of the process. 0 for NULL, and rill_self_id() is 0 on a plain thread. */
RILL_API uint64_t rill_task_id(const struct rill_task *task);
RILL_API uint64_t rill_self_id(void);

/* Lets others run: the task runs again after the worker has polled its NICs and timers. 0 or
 * -ECANCELED. */
RILL_API int rill_yield(void);

/* Spends one unit of the slice's budget and yields when there is none left. 0, -ECANCELED or
 * -ETIMEDOUT. */
RILL_API int rill_consume_budget(void);

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

/* A cancellation token: cancelled once, for ever, from anywhere; shared by any number of scopes. */
RILL_API int rill_token_create(struct rill_token **ret_token);
/* No scope may hold it any more. */
RILL_API void rill_token_destroy(struct rill_token *token);
RILL_API void rill_token_cancel(struct rill_token *token);
RILL_API bool rill_token_is_cancelled(const struct rill_token *token);

RILL_END_DECLS

#endif
