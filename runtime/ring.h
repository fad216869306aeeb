/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's io_uring: the kernel's calls that may take time, as things to wait for.
 *
 * An operation is prepared on the ring of the worker that its task is on, by that worker's thread
 * alone (IORING_SETUP_SINGLE_ISSUER), and given to the kernel with all others of the same turn. Its
 * completion is found by the same worker, as by any poller, and wakes the task, wherever that is by
 * then. A sleeping worker is woken by the kernel through the eventfd that others wake it by too.
 *
 * Rings are made when first used: who has no files pays nothing.
 */
#ifndef RILL_RUNTIME_RING_H
#define RILL_RUNTIME_RING_H

#include <liburing.h>

#include "base/list.h"
#include "base/spinlock.h"
#include "runtime/poller.h"
#include "runtime/waiter.h"

struct rill_await;
struct rill_ring;
struct rill_worker;

enum rill_ring_state {
	RILL_RING_WAITING, /* for room in the submission queue */
	RILL_RING_FLYING,  /* in the queue, or the kernel's */
	RILL_RING_DONE,
};

/*
 * One operation, on the stack of who waits for it: it must not go before it is DONE. After it is
 * given to the ring everything below is under ring->lock.
 */
struct rill_ring_op {
	void (*prep)(struct rill_ring_op *op, struct io_uring_sqe *sqe);
	/* For operations with more than one completion (multishot): each but the last. */
	void (*more)(struct rill_ring_op *op, int result, struct rill_wake_batch *batch);
	bool endless;		/* may take for ever: a paused clock does not wait for it */
	bool once;		/* has happened whatever it says (close): never done again */
	struct rill_ring *ring; /* NULL: not given to any yet */
	enum rill_ring_state state;
	struct rill_await *aw; /* armed */
	struct rill_list link; /* in waiting */
	struct rill_list cancel_link;
	int result;
};

struct rill_ring_stats {
	uint64_t submitted, completed, cancelled, enters, queue_full;
};

struct rill_ring {
	struct rill_poller poller;
	struct rill_worker *worker;
	struct rill_spinlock lock;
	struct rill_list cancels; /* to be cancelled, by cancel_link */
	RILL_ATOMIC(bool) any_cancels;
	/* The worker's own. */
	struct io_uring uring;
	struct rill_list waiting;
	unsigned flying; /* and waiting, those that are endless aside */
	struct rill_ring_stats stats;
};

/*
 * Waits for op by the calling task's worker's ring: its result, a negative errno of the kernel's
 * among them. -ECANCELED, -ETIMEDOUT by the task's scopes: the operation has been cancelled and has
 * had no effect; when it came too late for that, its result is returned. The kernel no longer uses
 * op and its buffers on return. -ENOSYS with op->ring NULL: there is no ring on the worker that the
 * task was on when it came to it; nothing was done. From a task.
 */
int rill_ring_call(struct rill_ring_op *op);

/* Starts op, which outlives it, for nobody in particular: a multishot. On the worker whose ring it
 * is to be. */
int rill_ring_start(struct rill_ring_op *op);
/* Ends it: waits until it is DONE. Any task; not cancellable. */
void rill_ring_stop(struct rill_ring_op *op);

/* Whether the kernel of this machine has that operation (IORING_OP_*). */
bool rill_ring_has(unsigned opcode);
/* Why there is no io_uring in this process, in words; NULL: there is. */
const char *rill_ring_refusal(void);
/* The calling worker's ring, made if need be, or NULL. */
struct rill_ring *rill_ring_current(void);
/* Operations that a paused clock has to wait for. */
bool rill_ring_busy(const struct rill_worker *w);
/* After the tasks are gone and the thread has left the loop. */
void rill_ring_destroy(struct rill_ring *ring);

#endif
