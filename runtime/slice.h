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
/* Ends the calling task, whose result is in place. */
_Noreturn void rill_worker_exit_task(struct rill_task *t);

RILL_STATIC_ASSERT(RILL_TRACE_PARK + RILL_TASK_YIELD == RILL_TRACE_YIELD &&
			   RILL_TRACE_PARK + RILL_TASK_EXIT == RILL_TRACE_TERMINATE,
		   "actions and the events that tell of them are in one order");

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

#endif
