/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/ring.h"

#include <errno.h>
#include <stdlib.h>

#include "runtime/await.h"
#include "runtime/ring_setup.h"
#include "runtime/runtime.h"

/* Completions in one pass of the loop. */
#define REAP_BUDGET 256
/* Looked at in one go. */
#define REAP_BATCH 32
/* Of operations that the kernel has given up by itself: see rill_ring_call(). */
#define TRIES_MAX 8

/* ---- the submission queue: the worker's own ---- */

/* Gives what is queued to the kernel, and fetches completions that it has kept back. */
static void enter(struct rill_ring *ring)
{
	int r;

	rill_counter_add(&ring->stats.enters, 1);
	do
		r = io_uring_submit_and_get_events(&ring->uring);
	while (r == -EINTR);
	/* -EBUSY, -EAGAIN: completions are in the way, or memory is short; it stays queued. */
	if (r > 0)
		rill_counter_add(&ring->stats.submitted, (uint64_t)r);
}

static struct io_uring_sqe *sqe_get(struct rill_ring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	if (RILL_LIKELY(sqe != NULL))
		return sqe;
	enter(ring);
	return io_uring_get_sqe(&ring->uring);
}

static bool try_queue(struct rill_ring *ring, struct rill_ring_op *op)
{
	struct io_uring_sqe *sqe = sqe_get(ring);

	if (!sqe)
		return false;
	op->prep(op, sqe);
	io_uring_sqe_set_data(sqe, op);
	op->state = RILL_RING_FLYING;
	return true;
}

static void queue(struct rill_ring *ring, struct rill_ring_op *op)
{
	op->ring = ring;
	rill_list_init(&op->link);
	rill_list_init(&op->cancel_link);
	if (!op->endless)
		ring->flying++;
	/* In order: nobody overtakes who waits for room. */
	if (rill_list_empty(&ring->waiting) && try_queue(ring, op))
		return;
	rill_counter_add(&ring->stats.queue_full, 1);
	op->state = RILL_RING_WAITING;
	rill_list_push_back(&ring->waiting, &op->link);
}

static void queue_waiting(struct rill_ring *ring)
{
	while (!rill_list_empty(&ring->waiting)) {
		struct rill_ring_op *op =
			RILL_LIST_ENTRY(ring->waiting.next, struct rill_ring_op, link);

		if (!try_queue(ring, op))
			return;
		rill_list_del(&op->link);
	}
}

/* ---- completions ---- */

/*
 * By which the kernel tells itself to do a call again after a signal (include/linux/errno.h). Some
 * operations let them out: an open of a FIFO, for one.
 */
static int without_restarts(int result)
{
	enum { ERESTARTSYS = 512, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK = 516 };

	switch (-result) {
	case ERESTARTSYS:
	case ERESTARTNOINTR:
	case ERESTARTNOHAND:
	case ERESTART_RESTARTBLOCK:
		return -EINTR;
	default:
		return result;
	}
}

/* With the lock. op may be gone as soon as that is let go. */
static void complete(struct rill_ring *ring, struct rill_ring_op *op, int result,
		     struct rill_wake_batch *batch)
{
	if (!op->endless)
		ring->flying--;
	rill_list_del(&op->cancel_link);
	op->result = without_restarts(result);
	op->state = RILL_RING_DONE;
	if (op->aw)
		rill_await_grant(op->aw, batch);
}

static void take_completion(struct rill_ring *ring, const struct io_uring_cqe *cqe,
			    struct rill_wake_batch *batch)
{
	struct rill_ring_op *op = io_uring_cqe_get_data(cqe);

	/* A cancellation's own result says nothing that the cancelled one's does not. */
	if (!op)
		return;
	rill_counter_add(&ring->stats.completed, 1);
	if (cqe->flags & IORING_CQE_F_MORE)
		op->more(op, cqe->res, batch);
	else
		complete(ring, op, cqe->res, batch);
}

/* How many. */
static unsigned reap(struct rill_ring *ring)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct io_uring_cqe *cqes[REAP_BATCH];
	unsigned total = 0, n;

	/* peek enters the kernel when that has kept completions back for want of room. */
	while (total < REAP_BUDGET &&
	       (n = io_uring_peek_batch_cqe(&ring->uring, cqes, REAP_BATCH)) > 0) {
		rill_spin_lock(&ring->lock);
		for (unsigned i = 0; i < n; i++)
			take_completion(ring, cqes[i], &batch);
		rill_spin_unlock(&ring->lock);
		io_uring_cq_advance(&ring->uring, n);
		total += n;
	}
	rill_wake_flush(&batch);
	return total;
}

/* ---- cancellation ---- */

/* From anywhere. It will be DONE, some time. */
static void cancel(struct rill_ring_op *op)
{
	struct rill_ring *ring = op->ring;

	rill_spin_lock(&ring->lock);
	if (op->state != RILL_RING_DONE && !rill_list_linked(&op->cancel_link)) {
		rill_list_push_back(&ring->cancels, &op->cancel_link);
		/* relaxed: read by the worker on its next turn, which the kick sees to */
		rill_store_relaxed(&ring->any_cancels, true);
	}
	rill_spin_unlock(&ring->lock);
	if (ring->worker != rill_worker_current())
		rill_idle_kick(ring->worker);
}

/* The next that is to be cancelled: one that the kernel has not seen is over at once. */
static struct rill_ring_op *next_to_cancel(struct rill_ring *ring, struct rill_wake_batch *batch)
{
	struct rill_ring_op *found = NULL;

	rill_spin_lock(&ring->lock);
	while (!found && !rill_list_empty(&ring->cancels)) {
		struct rill_ring_op *op = RILL_LIST_ENTRY(rill_list_pop_front(&ring->cancels),
							  struct rill_ring_op, cancel_link);

		if (op->state == RILL_RING_FLYING) {
			found = op;
			continue;
		}
		rill_list_del(&op->link);
		complete(ring, op, -ECANCELED, batch);
	}
	/* relaxed: under the lock */
	rill_store_relaxed(&ring->any_cancels, !rill_list_empty(&ring->cancels));
	rill_spin_unlock(&ring->lock);
	return found;
}

static void run_cancels(struct rill_ring *ring)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct io_uring_sqe *sqe = NULL;
	struct rill_ring_op *op;

	/* Only this thread completes op: it is there as long as we are here. */
	while ((op = next_to_cancel(ring, &batch)) && (sqe = sqe_get(ring))) {
		io_uring_prep_cancel(sqe, op, 0);
		io_uring_sqe_set_data(sqe, NULL);
		rill_counter_add(&ring->stats.cancelled, 1);
	}
	rill_wake_flush(&batch);
	if (op && !sqe)
		cancel(op); /* no room: again on the next turn */
}

/* ---- waiting ---- */

static int op_take(const struct rill_ring_op *op)
{
	return op->state == RILL_RING_DONE ? 0 : -EAGAIN;
}

static int op_arm(struct rill_await *aw)
{
	struct rill_ring_op *op = aw->obj;

	/* Nobody else knows it yet, and the kernel gets it when this worker's next turn comes. */
	if (!op->ring) {
		struct rill_ring *ring = rill_ring_current();

		/* The task may have moved since it was asked whether there is one. */
		if (!ring)
			return -ENOSYS;
		op->aw = aw;
		queue(ring, op);
		return -EAGAIN;
	}
	rill_spin_lock(&op->ring->lock);
	op->aw = aw;
	int r = op_take(op);

	rill_spin_unlock(&op->ring->lock);
	return r;
}

static int op_disarm(struct rill_await *aw, bool take)
{
	struct rill_ring_op *op = aw->obj;

	rill_spin_lock(&op->ring->lock);
	op->aw = NULL;
	int r = take ? op_take(op) : -EAGAIN;

	rill_spin_unlock(&op->ring->lock);
	return r;
}

static int op_try(struct rill_await *aw)
{
	const struct rill_ring_op *op = aw->obj;

	return op->ring ? op_disarm(aw, true) : -EAGAIN;
}

static const struct rill_await_ops op_ops = {
	.what = "io_uring",
	.arm_only = true,
	.try = op_try,
	.arm = op_arm,
	.disarm = op_disarm,
};

/* Until it is DONE, whatever happens to the task. */
static void wait_for_end(struct rill_ring_op *op)
{
	struct rill_await aw;

	rill_await_init(&aw, &op_ops, op, NULL);
	rill_await(&aw, RILL_AWAIT_UNCANCELLABLE);
}

/* The wait for op has ended early, with r. */
static int call_off(struct rill_ring_op *op, int r)
{
	cancel(op);
	wait_for_end(op);
	/* Too late to cancel: what it did must not be lost. */
	return op->result == -ECANCELED || op->result == -EINTR ? r : op->result;
}

/*
 * The kernel cancels by itself what a thread has submitted when that ends, which one that has
 * driven a runtime may do long before what it began is over. Then nothing has happened, and the
 * task, whom nobody has cancelled, begins anew. A file system that answers so always is believed in
 * the end.
 */
int rill_ring_call(struct rill_ring_op *op)
{
	struct rill_await aw;
	unsigned tries = op->once ? 1 : TRIES_MAX;
	int r;

	do {
		op->ring = NULL;
		rill_await_init(&aw, &op_ops, op, NULL);
		r = rill_await(&aw, 0);
		if (RILL_UNLIKELY(r < 0))
			return op->ring ? call_off(op, r) : r;
	} while (RILL_UNLIKELY(op->result == -ECANCELED) && --tries > 0);
	return op->result;
}

int rill_ring_start(struct rill_ring_op *op)
{
	struct rill_ring *ring = rill_ring_current();

	if (!ring)
		return -ENOSYS;
	op->aw = NULL;
	queue(ring, op);
	return 0;
}

void rill_ring_stop(struct rill_ring_op *op)
{
	cancel(op);
	wait_for_end(op);
}

/* ---- the poller ---- */

static struct rill_ring *ring_of(struct rill_poller *p)
{
	return RILL_CONTAINER_OF(p, struct rill_ring, poller);
}

static void push(struct rill_ring *ring)
{
	/* relaxed: set by this thread, or by one whose kick makes us look again */
	if (RILL_UNLIKELY(rill_load_relaxed(&ring->any_cancels)))
		run_cancels(ring);
	if (RILL_UNLIKELY(!rill_list_empty(&ring->waiting)))
		queue_waiting(ring);
	if (io_uring_sq_ready(&ring->uring) > 0)
		enter(ring);
}

/* The kernel takes submissions from the ring's own thread only: nobody can stand in. */
static bool ring_poll(struct rill_poller *p, uint64_t now)
{
	struct rill_ring *ring = ring_of(p);

	(void)now;
	if (rill_worker_current() != ring->worker)
		return false;
	push(ring);
	return reap(ring) > 0;
}

/* Completions that are there, or that the kernel has kept back until this thread enters it. */
static bool anything_there(struct rill_ring *ring)
{
	const unsigned kept_back = IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN;

	/* acquire: pairs with the kernel's writing of the flag, after what it is about */
	return io_uring_cq_ready(&ring->uring) > 0 ||
	       (io_uring_smp_load_acquire(ring->uring.sq.kflags) & kept_back) != 0;
}

/* What push() could not give to the kernel, which was short of memory: it is tried again. */
static bool anything_left(struct rill_ring *ring)
{
	return io_uring_sq_ready(&ring->uring) > 0 || !rill_list_empty(&ring->waiting) ||
	       /* relaxed: as in push() */
	       rill_load_relaxed(&ring->any_cancels);
}

/*
 * The kernel writes to the worker's wake_fd with each completion from here on; whatever came before
 * is seen now. (Its own descriptor does not become readable by work that is kept back.)
 */
static bool ring_arm(struct rill_poller *p)
{
	struct rill_ring *ring = ring_of(p);

	push(ring);
	/* seq_cst: before our look at the queue; the kernel adds to that, and then reads this */
	rill_publish(ring->uring.cq.kflags, 0u);
	return !anything_there(ring) && !anything_left(ring);
}

static void ring_disarm(struct rill_poller *p)
{
	if (!RILL_RING_QUIET)
		return;
	/* relaxed: one write too many only ends the next sleep early */
	rill_store_relaxed(ring_of(p)->uring.cq.kflags, IORING_CQ_EVENTFD_DISABLED);
}

const struct rill_poller_ops rill_ring_poller_ops = {
	.poll = ring_poll,
	.arm = ring_arm,
	.disarm = ring_disarm,
	.print_family = rill_ring_print_family,
};

bool rill_ring_busy(const struct rill_worker *w)
{
	return w->ring && w->ring->flying > 0;
}
