/* SPDX-License-Identifier: BSD-3-Clause */
/* Whose slice comes next on a worker. */
#include "runtime/slice.h"

#include "runtime/local.h"

/* Urgent tasks keep the others out for at most so many slices in a row. */
#define URGENT_RUNS_MAX 7

/* Claimed, and in a queue. */
#define READY (RILL_WAITER_PARKED | RILL_WAITER_NOTIFIED)

/* ---- the end of a slice ---- */

bool rill_worker_flush_yielded(struct rill_worker *w)
{
	struct rill_task_list l = w->defer;

	if (!l.first)
		return false;
	w->defer = (struct rill_task_list){NULL, NULL};
	/* With nobody to steal them, and nobody before them, they need not go through the ring. */
	if (w->alone && rill_queue_len(&w->queue) == 0) {
		if (w->own.last)
			w->own.last->next = l.first;
		else
			w->own.first = l.first;
		w->own.last = l.last;
		return true;
	}
	rill_schedule_all(w, l);
	return true;
}

void rill_worker_park_failed(struct rill_task *t)
{
	struct rill_worker *w = rill_worker_current();
	struct rill_task *current = w->current;

	/* acq_rel: must not wipe out a waker's release; the exchange in rill_slice_begin() reads it
	 */
	rill_exchange_acq_rel(&t->waiter.state, READY);
	/* Whoever runs now has not woken it. */
	w->current = NULL;
	rill_schedule(t);
	w->current = current;
}

/* ---- what to run next ---- */

static inline struct rill_task *take_lifo(struct rill_worker *w)
{
	return rill_load_relaxed(&w->lifo) ? rill_lifo_swap(w, NULL) : NULL;
}

static inline struct rill_task *take_own(struct rill_worker *w)
{
	struct rill_waiter *n = w->own.first;

	if (RILL_LIKELY(!n))
		return NULL;
	w->own.first = n->next;
	if (!n->next)
		w->own.last = NULL;
	return rill_task_of(n);
}

static inline struct rill_task *take_queued(struct rill_worker *w)
{
	if (rill_load_relaxed(&w->queue.tail) == (uint32_t)rill_load_relaxed(&w->queue.head))
		return NULL;
	return w->alone ? rill_queue_pop_alone(&w->queue) : rill_queue_pop(&w->queue);
}

static RILL_NOINLINE struct rill_task *take_injected(struct rill_worker *w)
{
	struct rill_runtime *rt = w->rt;
	uint32_t len = rill_load_relaxed(&rt->inject.len);
	struct rill_task *first = rill_inject_pop(&rt->inject);
	/* A fair share goes along, into the first half of the ring, so that it never spills back.
	 */
	uint32_t room = rill_queue_room(&w->queue);
	uint32_t n = RILL_MIN(len / rt->worker_count,
			      room > RILL_QUEUE_CAP / 2 ? room - RILL_QUEUE_CAP / 2 : 0);

	for (uint32_t i = 0; first && i < n; i++) {
		struct rill_task *t = rill_inject_pop(&rt->inject);

		if (!t || rill_queue_push_back(&w->queue, t, NULL) != RILL_QUEUE_PUSHED)
			break;
	}
	return first;
}

/* Not for ever: one slice in so many is for the others. */
static struct rill_task *take_urgent(struct rill_worker *w)
{
	struct rill_task *t = NULL;

	if (w->urgent_runs < URGENT_RUNS_MAX) {
		t = rill_queue_pop(&w->urgent);
		if (!t)
			t = rill_inject_pop(&w->rt->urgent);
	}
	w->urgent_runs = t ? w->urgent_runs + 1 : 0;
	return t;
}

/* The queue and the worker's own tasks by turns. */
static inline struct rill_task *take_local(struct rill_worker *w)
{
	struct rill_task *t = w->own_first ? take_own(w) : NULL;

	w->own_first = !w->own_first;
	if (!t)
		t = take_queued(w);
	return t ? t : take_own(w);
}

static RILL_NOINLINE void accept_inbox(struct rill_worker *w)
{
	/* acq_rel: before the tasks are taken; pairs with push_inbox(). Only we take the bit back.
	 */
	if (rill_worker_attends(w, RILL_ATTEND_INBOX))
		rill_fetch_sub_acq_rel(&w->attention, (uint32_t)RILL_ATTEND_INBOX);
	rill_schedule_all(w, rill_inject_pop_all(&w->inbox));
}

/* Puts one of the runnable first, drawn by lot. */
static void shuffle(struct rill_worker *w)
{
	uint32_t n;
	struct rill_task *t;

	while (rill_queue_room(&w->queue) > 0 && (t = take_own(w)))
		rill_queue_push_back(&w->queue, t, NULL);
	n = rill_queue_len(&w->queue);
	for (uint32_t i = n ? rill_rand_below(&w->rand, n) : 0; i > 0; i--)
		rill_queue_push_back(&w->queue, rill_queue_pop(&w->queue), NULL);
}

/* What is asked for only in few programs. */
static RILL_NOINLINE struct rill_task *take_rare(struct rill_worker *w)
{
	if (w->rt->o.shuffle)
		shuffle(w);
	return take_urgent(w);
}

static inline struct rill_task *take_first(struct rill_worker *w)
{
	struct rill_runtime *rt = w->rt;

	if (rill_worker_attends(w, RILL_ATTEND_INBOX))
		accept_inbox(w);
	/* Every so many slices what came from outside goes first. */
	if (RILL_UNLIKELY(++w->ticks >= w->inject_interval)) {
		w->ticks = 0;
		struct rill_task *t = rill_inject_pop(&rt->inject);

		if (t)
			return t;
	}
	return rill_worker_attends(w, RILL_ATTEND_URGENT) ? take_rare(w) : NULL;
}

static inline struct rill_task *next_task(struct rill_worker *w)
{
	struct rill_task *t = take_first(w);

	if (!t && w->lifo_runs < RILL_LIFO_RUNS_MAX) {
		t = take_lifo(w);
		if (t) {
			/* the budget goes on: two tasks waking each other must not keep the rest
			 * out */
			w->lifo_runs++;
			rill_slice_set_budget(w, t, false);
			return t;
		}
	}
	w->lifo_runs = 0;
	if (!t)
		t = take_local(w);
	if (!t)
		t = take_lifo(w);
	if (!t && rill_load_relaxed(&w->rt->inject.len) > 0)
		t = take_injected(w);
	if (t)
		rill_slice_set_budget(w, t, true);
	return t;
}

struct rill_task *rill_worker_pick(struct rill_worker *w)
{
	/* Also when whoever put it there has not set the bit yet, for it keeps us from sleeping. */
	if (rill_load_relaxed(&w->inbox.len) > 0)
		accept_inbox(w);
	return next_task(w);
}

/* A turn would find nothing but yielded tasks: no NIC, no timer, and nobody wants to be seen. */
static bool turn_is_empty(const struct rill_worker *w)
{
	const struct rill_runtime *rt = w->rt;

	return rill_load_relaxed(&rt->poller_count) == 0 &&
	       rill_load_relaxed(&w->wheel_next_ns) == UINT64_MAX &&
	       rill_load_relaxed(&rt->epoch) == w->epoch_seen && !rill_load_relaxed(&w->stuck);
}

/* One of those that have yielded, if a turn would do nothing but let them go on. Nothing else is
 * runnable here. */
static struct rill_task *next_yielded(struct rill_worker *w)
{
	if (!w->defer.first || !turn_is_empty(w))
		return NULL;
	rill_store_relaxed(&w->beat, w->beat + 1);
	struct rill_task *t;

	/* With nobody to steal them they need not go through the ring. */
	if (w->alone) {
		w->own = w->defer;
		w->defer = (struct rill_task_list){NULL, NULL};
		t = take_own(w);
	} else {
		rill_worker_flush_yielded(w);
		t = take_local(w);
	}
	if (t)
		rill_slice_set_budget(w, t, true);
	return t;
}

static RILL_NOINLINE struct rill_task *next_or_yielded(struct rill_worker *w)
{
	struct rill_task *t = next_task(w);

	return t ? t : next_yielded(w);
}

/* next_task() and next_yielded(), with the most frequent outcomes in few instructions. */
struct rill_task *rill_worker_next(struct rill_worker *w)
{
	if (w->slices_to_poll == 0)
		return NULL;
	/* What is made runnable from now on is not woken by a task. */
	w->current = NULL;
	if (rill_load_relaxed(&w->lifo) && rill_slice_may_follow(w)) {
		struct rill_task *t = rill_lifo_swap(w, NULL);

		if (RILL_LIKELY(t != NULL)) {
			rill_slice_follow(w, t);
			return t;
		}
	}
	if (!rill_load_relaxed(&w->lifo) && rill_slice_queues_empty(w)) {
		w->lifo_runs = 0;
		return next_yielded(w);
	}
	return next_or_yielded(w);
}

bool rill_worker_go_on(struct rill_worker *w, struct rill_task *t)
{
	if (w->slices_to_poll == 0 || !turn_is_empty(w) || t->caller ||
	    rill_worker_attends(w, RILL_ATTEND_OBSERVED))
		return false;
	rill_store_relaxed(&w->beat, w->beat + 1);
	rill_trace(w, RILL_TRACE_YIELD, t->id);
	rill_trace(w, RILL_TRACE_RUN, t->id);
	rill_slice_begin(w, t);
	rill_slice_set_budget(w, t, true);
	return true;
}

/* ---- the end of a task ---- */

void rill_worker_settle(struct rill_task *t)
{
	struct rill_task *caller = t->caller;

	t->caller = NULL;
	while (caller) {
		struct rill_task *next = caller->caller;
		uint32_t running = 0;

		/* From the moment that it is parked it may run elsewhere. */
		caller->caller = NULL;
		/* acq_rel: as in rill_slice_finish() */
		if (!rill_cas_acq_rel(&caller->waiter.state, &running, RILL_WAITER_PARKED))
			rill_worker_park_failed(caller);
		caller = next;
	}
}

void rill_worker_release_locals(struct rill_worker *w, struct rill_task *t)
{
	/* In no task, but before the end begins, for others may wait for the rest of it. */
	w->current = NULL;
	rill_local_release(t);
	w->current = t;
}

struct rill_task *rill_worker_end(struct rill_worker *w, struct rill_task *t)
{
	if (t->caller)
		rill_worker_settle(t);
	struct rill_task *next = rill_task_end_begin(t);

	if (next && rill_slice_may_pass(w)) {
		rill_slice_pass(w, next);
		return next;
	}
	if (next)
		t->joiner = &next->waiter;
	return rill_worker_next(w);
}
