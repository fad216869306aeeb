/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one wait primitive. Everything that can be waited for is an awaitable: three functions over a
 * struct rill_await, which is the head of the public struct rill_case and lies on the waiter's
 * stack.
 *
 *   try:     takes the thing without waiting: a result (>= 0 or -errno), or -EAGAIN.
 *
 *   arm:     as try, but queues the node instead of returning empty-handed (-EAGAIN), so that the
 *            provider wakes node->waiter. NULL: nothing to queue, only deadline_ns matters.
 *
 *   disarm:  takes the node out again. Was the thing handed to it meanwhile: returns the result
 *            (take), or passes it on to the next waiter (no take). Else -EAGAIN. Not called after
 *            a grant that woke the waiter, if that is taken.
 *
 * Under the lock that disarm takes, a provider hands a thing over by rill_await_grant(), or just
 * makes the waiter look again by rill_await_wake(). rill_await() and rill_select() are the only
 * callers of the three, and the only functions that park.
 */
#ifndef RILL_RUNTIME_AWAIT_H
#define RILL_RUNTIME_AWAIT_H

#include <errno.h>
#include <rill/select.h>

#include "base/assert.h"
#include "runtime/waiter.h"

struct rill_await;

struct rill_await_ops {
	const char *what; /* the wait reason in dumps */
	bool arm_only;	  /* trying costs as much as arming: a call that may wait begins with arm */
	int (*try)(struct rill_await *aw);
	int (*arm)(struct rill_await *aw);
	int (*disarm)(struct rill_await *aw, bool take);
};

enum rill_grant {
	RILL_GRANT_NONE,
	RILL_GRANT_GIVEN, /* to a waiter who was awake: disarm sees to it */
	RILL_GRANT_WOKE,  /* and by this the waiter was woken */
};

struct rill_await {
	const struct rill_await_ops *ops;
	void *obj;
	struct rill_list link; /* in obj's wait queue */
	struct rill_waiter *waiter;
	uint64_t deadline_ns; /* wake by then; RILL_FOREVER for all but timers */
	void *arg;	      /* of the awaitable's own */
	uint64_t value;
	RILL_ATOMIC(uint8_t) granted; /* enum rill_grant; written under the provider's lock */
};

RILL_STATIC_ASSERT(sizeof(struct rill_await) <= offsetof(struct rill_case, result),
		   "the public case holds an awaitable");

static inline struct rill_await *rill_await_of(struct rill_case *c)
{
	return (struct rill_await *)(void *)c;
}

static inline void rill_await_init(struct rill_await *aw, const struct rill_await_ops *ops,
				   void *obj, void *arg)
{
	aw->ops = ops;
	aw->obj = obj;
	rill_list_init(&aw->link);
	aw->deadline_ns = UINT64_MAX;
	aw->arg = arg;
	aw->value = 0;
	aw->granted = RILL_GRANT_NONE;
}

enum rill_await_flags {
	/* Ignores abort, scopes and budget: for waits that are short by construction. */
	RILL_AWAIT_UNCANCELLABLE = 16,
};

/* Waits for one awaitable; its result, or -ECANCELED/-ETIMEDOUT. */
int rill_await(struct rill_await *aw, unsigned flags);

/* Prepares, and waits for, one awaitable. */
static inline int rill_await_on(const struct rill_await_ops *ops, void *obj, void *arg)
{
	struct rill_await aw;

	rill_await_init(&aw, ops, obj, arg);
	return rill_await(&aw, 0);
}

/* A queue of armed nodes, under the lock of the primitive that has it. */
static inline struct rill_await *rill_await_first(struct rill_list *queue)
{
	return rill_list_empty(queue) ? NULL
				      : RILL_LIST_ENTRY(queue->next, struct rill_await, link);
}

/* Takes the node out of its queue, and has its waiter woken by the batch's flush. */
static inline void rill_await_wake(struct rill_await *aw, struct rill_wake_batch *batch)
{
	rill_list_del(&aw->link);
	rill_wake_add(batch, aw->waiter);
}

/*
 * Hands the thing over, which makes the wait return 0. A waiter that this wake has claimed cannot
 * run before the batch is flushed, after the lock was released. So it finds its grant without the
 * lock, and may free whatever the lock is in.
 */
static inline void rill_await_grant(struct rill_await *aw, struct rill_wake_batch *batch)
{
	rill_list_del(&aw->link);
	bool woke = rill_wake_add(batch, aw->waiter);

	/* relaxed: read under the lock, or by a waiter that runs because of this wake */
	rill_store_relaxed(&aw->granted, woke ? RILL_GRANT_WOKE : RILL_GRANT_GIVEN);
}

/* The same for what the waiter has to fetch yet, or may not take back: disarm is called. */
static inline void rill_await_promise(struct rill_await *aw, struct rill_wake_batch *batch)
{
	rill_await_wake(aw, batch);
	rill_store_relaxed(&aw->granted, RILL_GRANT_GIVEN);
}

static inline bool rill_await_granted(const struct rill_await *aw)
{
	return rill_load_relaxed(&aw->granted) != RILL_GRANT_NONE;
}

/* The calling task's or thread's waiter. */
struct rill_waiter *rill_waiter_current(void);

#endif
