/* SPDX-License-Identifier: BSD-3-Clause */
/* What the holder of a task's handle may do with it: join, detach, abort. */
#include "runtime/runtime.h"

#include "runtime/await.h"
#include "runtime/outcome.h"
#include "runtime/slice.h"

/* ---- join ---- */

/* The end is a few instructions away, on another thread. */
static void wait_for_done(struct rill_task *t)
{
	/* acquire: pairs with rill_task_end_finish() */
	for (unsigned n = 1; rill_load_acquire(&t->join) != RILL_JOIN_DONE; n++)
		rill_spin_pause(n);
}

static int join_try(struct rill_await *aw)
{
	struct rill_task *t = aw->obj;

	/* acquire: pairs with rill_task_end_finish() */
	return rill_load_acquire(&t->join) == RILL_JOIN_DONE ? 0 : -EAGAIN;
}

static int join_arm(struct rill_await *aw)
{
	struct rill_task *t = aw->obj;
	struct rill_waiter *expected = RILL_JOIN_NONE;

	/* acq_rel: the ending task finds us whole, or we find it ended */
	if (rill_cas_acq_rel(&t->join, &expected, aw->waiter))
		return -EAGAIN;
	/* one waits for it at a time */
	RILL_ASSERT(expected == RILL_JOIN_WAKING || expected == RILL_JOIN_DONE);
	wait_for_done(t);
	return 0;
}

static int join_disarm(struct rill_await *aw, bool take)
{
	struct rill_task *t = aw->obj;
	struct rill_waiter *self = aw->waiter;

	/* acquire: as in join_try(): the usual case, which saves a CAS */
	if (rill_load_acquire(&t->join) == RILL_JOIN_DONE)
		return take ? 0 : -EAGAIN;
	/* acq_rel: as in join_arm() */
	if (rill_cas_acq_rel(&t->join, &self, RILL_JOIN_NONE))
		return -EAGAIN;
	/* It is ending just now and about to wake us. */
	wait_for_done(t);
	return take ? 0 : -EAGAIN;
}

static const struct rill_await_ops join_ops = {
	.what = "join",
	.try = join_try,
	.arm = join_arm,
	.disarm = join_disarm,
};

void rill_case_join(struct rill_case *c, struct rill_task *t)
{
	rill_await_init(rill_await_of(c), &join_ops, t, NULL);
}

/* t, which comes next on this worker, runs at once. False: we are woken, but not by its end. */
static RILL_ALWAYS_INLINE bool call(struct rill_worker *w, struct rill_task *self,
				    struct rill_task *t)
{
	struct rill_await aw = {.obj = t, .waiter = &self->waiter};

	w->budget--;
	/* relaxed: t is in our hands, and nobody but it and we change the word */
	rill_store_relaxed(&t->join, &self->waiter);
	rill_store_relaxed(&self->wait_obj, t);
	rill_store_relaxed(&self->wait_what, join_ops.what);
	bool ended = rill_slice_call(w, self, t);

	rill_store_relaxed(&self->wait_what, NULL);
	return RILL_LIKELY(ended) || join_disarm(&aw, true) == 0;
}

static RILL_ALWAYS_INLINE int await_end(struct rill_task *t)
{
	struct rill_worker *w;
	struct rill_task *self = rill_task_unhindered(&w);

	if (self && rill_slice_take_next(w, t) && call(w, self, t))
		return 0;
	return rill_await_on(&join_ops, t, NULL);
}

int rill_task_await_end(struct rill_task *t)
{
	return await_end(t);
}

int rill_join(struct rill_task *t, void **ret_value)
{
	int r = await_end(t);

	if (r < 0)
		return r;
	if (ret_value)
		*ret_value = t->status == RILL_JOIN_FAILED ? NULL : t->arg;
	r = t->status;
	rill_task_release(t);
	return r;
}

void rill_detach(struct rill_task *t)
{
	struct rill_waiter *expected = RILL_JOIN_NONE;

	/* acq_rel: pairs with the exchange in rill_task_end_begin(): one of the two frees it */
	if (rill_cas_acq_rel(&t->join, &expected, RILL_JOIN_DETACHED))
		return;
	wait_for_done(t);
	rill_task_forget(t);
}

/* ---- abort ---- */

static void abort_wake(struct rill_task *t)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	/* A task's memory stays a task's, so no lock is needed: at worst it looks once in vain. */
	rill_wake_add(&batch, &t->waiter);
	rill_wake_flush(&batch);
}

void rill_abort(struct rill_task *t)
{
	/* release: pairs with the RMW of rill_wake_add() and the exchange in rill_slice_begin() */
	rill_store_release(&t->abort_id, t->id);
	abort_wake(t);
}

struct rill_abort_handle rill_abort_handle(const struct rill_task *t)
{
	/* the handle outlives the right to touch t through this pointer, hence the id */
	return (struct rill_abort_handle){.task = (struct rill_task *)(uintptr_t)t, .id = t->id};
}

void rill_abort_by(struct rill_abort_handle h)
{
	uint64_t seen = rill_load_relaxed(&h.task->abort_id);

	/*
	 * The task may end and its memory serve another at any moment. Then the word gets an id
	 * that is not the new task's, which says nothing; a word that says something is never
	 * replaced, for it would have changed since seen was read, or been the id itself.
	 */
	do {
		if (seen == h.id || rill_load_relaxed(&h.task->id) != h.id)
			return;
		/* acq_rel: as in rill_abort() */
	} while (!rill_cas_acq_rel(&h.task->abort_id, &seen, h.id));
	abort_wake(h.task);
}

bool rill_is_finished(const struct rill_task *t)
{
	/* acquire: pairs with rill_task_end_finish() */
	return rill_load_acquire(&t->join) == RILL_JOIN_DONE;
}

bool rill_is_finished_by(struct rill_abort_handle h)
{
	/* acquire: as in rill_is_finished() */
	bool ended = rill_load_acquire(&h.task->join) == RILL_JOIN_DONE ||
		     !rill_load_acquire(&h.task->live);

	return ended || rill_load_relaxed(&h.task->id) != h.id;
}
