/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A waiter is whatever can wait: a task, or a plain thread. Its state word:
 *
 *   0                        runs
 *   NOTIFIED                 runs, and was woken meanwhile: its next park returns at once
 *   PARKED                   waits
 *   PARKED | NOTIFIED        claimed by one waker, who must make it run (or: in a run queue)
 *   ... | GO                 (threads) may run
 *
 * Waking has two halves, so that nobody is made to run under a lock. rill_wake_add() sets NOTIFIED
 * while the primitive's lock still keeps the waiter from leaving; if that claimed it, the waiter
 * joins a batch and cannot run, or die, until rill_wake_flush() lets it, after the lock was
 * released.
 */
#ifndef RILL_RUNTIME_WAITER_H
#define RILL_RUNTIME_WAITER_H

#include <rill/task.h>

#include "base/atomic.h"
#include "base/list.h"

enum rill_waiter_state {
	RILL_WAITER_NOTIFIED = 1,
	RILL_WAITER_PARKED = 2,
	RILL_WAITER_GO = 4,
};

struct rill_waiter {
	RILL_ATOMIC(uint32_t) state;
	bool is_task;
	struct rill_waiter *next; /* in a wake batch or the inject queue */
	struct rill_scope *scope; /* innermost */
};

struct rill_wake_batch {
	struct rill_waiter *first;
	struct rill_waiter *last;
};

#define RILL_WAKE_BATCH_INIT                                                                       \
	{                                                                                          \
		NULL, NULL                                                                         \
	}

/* Under the lock that keeps w alive. True: it was parked, and runs when the batch is flushed. */
static inline bool rill_wake_add(struct rill_wake_batch *b, struct rill_waiter *w)
{
	uint32_t old = RILL_WAITER_PARKED;

	/*
	 * Always a read-modify-write with release, also when w was notified already: pairs with the
	 * acquire exchange with which w begins to run, so that it sees what made us wake it. Mostly
	 * it is parked.
	 */
	if (!rill_cas_acq_rel(&w->state, &old, RILL_WAITER_PARKED | RILL_WAITER_NOTIFIED)) {
		/* acq_rel: as above */
		old = rill_fetch_or_acq_rel(&w->state, RILL_WAITER_NOTIFIED);
		if (RILL_LIKELY(old != RILL_WAITER_PARKED))
			return false;
	}
	w->next = NULL;
	if (b->last)
		b->last->next = w;
	else
		b->first = w;
	b->last = w;
	return true;
}

/* Lets first and all that follow it run, in order. */
void rill_wake_all(struct rill_waiter *first);

/* Lets all of the batch run, in order; it is empty then. Not under a lock. */
static RILL_ALWAYS_INLINE void rill_wake_flush(struct rill_wake_batch *b)
{
	struct rill_waiter *first = b->first;

	/* The batch's address is given to nobody, so that a compiler may keep it in registers. */
	b->first = NULL;
	b->last = NULL;
	if (first)
		rill_wake_all(first);
}

/* Marks the running caller as woken, so that its next park returns at once. */
static inline void rill_waiter_renotify(struct rill_waiter *self)
{
	/* release order is not needed: the waiter itself reads it */
	rill_fetch_or_release(&self->state, RILL_WAITER_NOTIFIED);
}

#endif
