/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From one slice to the next. A task that leaves picks its successor itself and switches straight
 * to it, so that the loop of the worker is entered only when there is something to do besides
 * running tasks. What the leaving task asked for (to park, to go on later, to end) is done by
 * whoever runs next, for only then its registers are saved.
 *
 * Inline, because a return right after a switch is mispredicted: its call was made on another
 * stack.
 */
#ifndef RILL_RUNTIME_SLICE_H
#define RILL_RUNTIME_SLICE_H

#include <limits.h>

#include "base/assert.h"
#include "runtime/runtime.h"

/* The next task of those that w can reach without stealing; for its loop. */
struct rill_task *rill_worker_pick(struct rill_worker *w);
/* The same, or NULL, if w may go on to it without a turn of its loop. */
struct rill_task *rill_worker_next(struct rill_worker *w);
/* Makes runnable what has yielded. False: nothing has. */
bool rill_worker_flush_yielded(struct rill_worker *w);
/* Begins another slice of t at once, if there is nothing else that w might do. */
bool rill_worker_go_on(struct rill_worker *w, struct rill_task *t);
/* The woken task: parked just now, but claimed on the way. */
void rill_worker_park_failed(struct rill_task *t);
/* Parks those who called t, which leaves its slice before its end. */
void rill_worker_settle(struct rill_task *t);
/* Gives back what t, which ends, has inherited. */
void rill_worker_release_locals(struct rill_worker *w, struct rill_task *t);
/* Begins the end of t, which no caller may follow at once. Who comes next; NULL: the loop. */
struct rill_task *rill_worker_end(struct rill_worker *w, struct rill_task *t);

RILL_STATIC_ASSERT(RILL_TRACE_PARK + RILL_TASK_YIELD == RILL_TRACE_YIELD &&
			   RILL_TRACE_PARK + RILL_TASK_EXIT == RILL_TRACE_TERMINATE,
		   "actions and the events that tell of them are in one order");

/* Tasks woken by tasks jump the queue at most so many times in a row (Tokio: 3). */
#define RILL_LIFO_RUNS_MAX 3

/* A task's fresh budget, or what is left of the one before it. */
static inline void rill_slice_set_budget(struct rill_worker *w, const struct rill_task *t,
					 bool fresh)
{
	if (fresh || w->budget > t->budget)
		w->budget = t->budget;
	if (RILL_UNLIKELY(t->unconstrained > 0))
		w->budget = UINT_MAX;
}

/* What begins every slice, still on the stack of whoever ran before. */
static RILL_ALWAYS_INLINE void rill_slice_begin(struct rill_worker *w, struct rill_task *t)
{
	/*
	 * acquire: pairs with rill_wake_add(): the task sees why it was woken. A word of 0 says
	 * that nobody woke it (it is new, or has yielded), and whoever does so now finds it
	 * running.
	 */
	if (rill_load_relaxed(&t->waiter.state) != 0)
		rill_exchange_acq_rel(&t->waiter.state, 0);
	w->current = t;
	w->slices_to_poll--;
	rill_counter_add(&w->metrics.slices, 1);
	if (rill_worker_attends(w, RILL_ATTEND_OBSERVED))
		rill_observe_before(w, t);
}

/* Does what the task that has left asked for. */
static RILL_ALWAYS_INLINE void rill_slice_finish(struct rill_worker *w, struct rill_task *t)
{
	uint32_t running = 0;

	if (rill_worker_attends(w, RILL_ATTEND_OBSERVED))
		rill_observe_after(w, t);
	if (RILL_UNLIKELY(t->caller != NULL))
		rill_worker_settle(t);
	if (RILL_LIKELY(t->action == RILL_TASK_PARK)) {
		/* acq_rel: a waker which finds PARKED finds all that the task wrote; pairs with
		 * rill_wake_add() */
		if (!rill_cas_acq_rel(&t->waiter.state, &running, RILL_WAITER_PARKED))
			rill_worker_park_failed(t);
	} else if (t->action == RILL_TASK_YIELD) {
		/* Its state stays that of a running task: a wake has nothing to claim. */
		rill_task_list_push(&w->defer, t);
	} else {
		rill_task_end_finish(w, t);
	}
}

/* First thing on a stack that was switched to. */
static RILL_ALWAYS_INLINE void rill_slice_arrive(struct rill_fiber *self)
{
	struct rill_worker *w = rill_worker_current();
	struct rill_task *left = w->previous;

	rill_fiber_arrive(self, left ? &left->fiber : &w->fiber);
	if (left) {
		w->previous = NULL;
		rill_slice_finish(w, left);
	}
}

/* From task t, for the reason given, to next, or to the loop when next is NULL. */
static RILL_ALWAYS_INLINE void rill_slice_switch(struct rill_worker *w, struct rill_task *t,
						 enum rill_task_action action,
						 struct rill_task *next)
{
	struct rill_context *to = &w->context;

	t->action = (uint8_t)action;
	w->previous = t;
	w->current = NULL;
	rill_trace_slice(w, RILL_TRACE_PARK + (unsigned)action, t, next);
	if (next) {
		rill_slice_begin(w, next);
		to = &next->context;
	}
	rill_fiber_leave(&t->fiber, next ? &next->fiber : &w->fiber, action == RILL_TASK_EXIT);
	rill_context_switch(&t->context, to);
}

/* The calling task's slice is over. Returns when its next one begins, on another worker perhaps. */
static RILL_ALWAYS_INLINE void rill_slice_leave(struct rill_worker *w, struct rill_task *t,
						enum rill_task_action action)
{
	rill_slice_switch(w, t, action, rill_worker_next(w));
	rill_slice_arrive(&t->fiber);
}

/* ---- who may go on at once ---- */

/* Nothing but the LIFO slot and what has yielded is there to run. */
static inline bool rill_slice_queues_empty(const struct rill_worker *w)
{
	return rill_load_relaxed(&w->queue.tail) == (uint32_t)rill_load_relaxed(&w->queue.head) &&
	       !w->own.first && rill_load_relaxed(&w->rt->inject.len) == 0 &&
	       !rill_worker_attends(w, RILL_ATTEND_INBOX | RILL_ATTEND_URGENT);
}

/* May a task that was woken by a task run at once? If not, it has to queue. */
static inline bool rill_slice_may_follow(const struct rill_worker *w)
{
	if (w->ticks + 1 >= w->inject_interval ||
	    rill_worker_attends(w, RILL_ATTEND_INBOX | RILL_ATTEND_URGENT))
		return false;
	return w->lifo_runs < RILL_LIFO_RUNS_MAX || rill_slice_queues_empty(w);
}

/* When nobody else wanted to run, it counts as having queued. */
static inline void rill_slice_follow(struct rill_worker *w, const struct rill_task *t)
{
	bool queued = w->lifo_runs >= RILL_LIFO_RUNS_MAX;

	w->ticks++;
	w->lifo_runs = queued ? 0 : w->lifo_runs + 1;
	rill_slice_set_budget(w, t, queued);
}

/*
 * ---- calls ----
 *
 * A task that joins the one which comes next on its worker anyhow does not park: it switches to it,
 * and the end switches back, as a call and its return do, without an atomic operation. The caller's
 * state stays that of a running task, so that nobody makes it run. Only when the called one leaves
 * its slice before its end its callers are parked, like others.
 */

/* Takes t out of the LIFO slot of w, to be called. False: it is not there, or may not run yet. */
static inline bool rill_slice_take_next(struct rill_worker *w, struct rill_task *t)
{
	return rill_load_relaxed(&w->lifo) == t && w->slices_to_poll > 0 &&
	       !rill_worker_attends(w, RILL_ATTEND_OBSERVED) && rill_slice_may_follow(w) &&
	       rill_lifo_swap(w, NULL) == t;
}

/* From task self to t. True: t has ended. False: self was parked, and somebody has woken it. */
static RILL_ALWAYS_INLINE bool rill_slice_call(struct rill_worker *w, struct rill_task *self,
					       struct rill_task *t)
{
	t->caller = self;
	rill_slice_follow(w, t);
	rill_trace_slice(w, RILL_TRACE_PARK, self, t);
	rill_slice_begin(w, t);
	rill_fiber_leave(&self->fiber, &t->fiber, false);
	rill_context_switch(&self->context, &t->context);
	rill_slice_arrive(&self->fiber);
	if (t->caller != self)
		return false;
	t->caller = NULL;
	w = rill_worker_current();
	rill_counter_add(&w->metrics.finished, 1);
	if (rill_worker_attends(w, RILL_ATTEND_OBSERVED))
		rill_observe_end(t);
	/* release: as in rill_task_end_finish() */
	rill_store_release(&t->join, RILL_JOIN_DONE);
	return true;
}

/* The end of a task that was called, and has not left its slice. */
static RILL_ALWAYS_INLINE void rill_slice_return(struct rill_worker *w, struct rill_task *t,
						 struct rill_task *caller)
{
	/* Of the budget is left what the called one has left. */
	rill_slice_set_budget(w, caller, false);
	rill_trace_slice(w, RILL_TRACE_TERMINATE, t, caller);
	if (rill_worker_attends(w, RILL_ATTEND_OBSERVED))
		rill_observe_after(w, t);
	rill_slice_begin(w, caller);
	rill_fiber_leave(&t->fiber, &caller->fiber, true);
	rill_context_switch(&t->context, &caller->context);
}

/* May the end of a task be followed at once by whoever waits for it? */
static inline bool rill_slice_may_pass(const struct rill_worker *w)
{
	return w->slices_to_poll > 0 && !w->no_lifo && rill_slice_may_follow(w);
}

/* As out of the LIFO slot, and within its bounds. */
static inline void rill_slice_pass(struct rill_worker *w, struct rill_task *next)
{
	rill_counter_add(&w->metrics.local_schedules, 1);
	if (rill_worker_attends(w, RILL_ATTEND_OBSERVED))
		rill_observe_wake(next);
	rill_slice_follow(w, next);
}

/*
 * Ends the calling task, whose result is in place. Inline, so that no call is left without its
 * return, which would throw off the processor's prediction of the next task's returns.
 */
static RILL_ALWAYS_INLINE _Noreturn void rill_slice_exit(struct rill_task *t)
{
	struct rill_worker *w = rill_worker_current();
	struct rill_task *caller = t->caller;

	if (RILL_UNLIKELY(t->locals != NULL))
		rill_worker_release_locals(w, t);
	if (RILL_UNLIKELY(t->abort_seen) && !t->status)
		t->status = RILL_JOIN_ABORTED;
	/* What a late waker may still do to the state word is nothing. */
	rill_store_relaxed(&t->waiter.state, RILL_WAITER_PARKED | RILL_WAITER_NOTIFIED);
	if (caller && w->slices_to_poll > 0)
		rill_slice_return(w, t, caller);
	else
		rill_slice_switch(w, t, RILL_TASK_EXIT, rill_worker_end(w, t));
	__builtin_unreachable();
}

#endif
