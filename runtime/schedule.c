/* SPDX-License-Identifier: BSD-3-Clause */
/* From a wake to a run queue. */
#include "runtime/runtime.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Appends a list of n tasks. */
static void inject_append(struct rill_inject *q, struct rill_waiter *first,
			  struct rill_waiter *last, uint32_t n, bool remote)
{
	rill_spin_lock(&q->lock);
	rill_counter_add(&q->remote, remote);
	last->next = NULL;
	if (q->last)
		q->last->next = first;
	else
		q->first = first;
	q->last = last;
	/* seq_cst: a worker about to sleep reads it after announcing that (rill_idle_park) */
	rill_store_seq_cst(&q->len, rill_load_relaxed(&q->len) + n);
	rill_spin_unlock(&q->lock);
}

struct rill_task *rill_inject_pop(struct rill_inject *q)
{
	struct rill_waiter *w;

	if (rill_load_relaxed(&q->len) == 0)
		return NULL;
	rill_spin_lock(&q->lock);
	w = q->first;
	if (w) {
		q->first = w->next;
		if (!q->first)
			q->last = NULL;
		rill_store_relaxed(&q->len, rill_load_relaxed(&q->len) - 1);
	}
	rill_spin_unlock(&q->lock);
	return w ? rill_task_of(w) : NULL;
}

struct rill_task_list rill_inject_pop_all(struct rill_inject *q)
{
	struct rill_task_list l;

	rill_spin_lock(&q->lock);
	l = (struct rill_task_list){q->first, q->last};
	q->first = NULL;
	q->last = NULL;
	rill_store_relaxed(&q->len, 0);
	rill_spin_unlock(&q->lock);
	return l;
}

void rill_schedule_attend(struct rill_runtime *rt, enum rill_attention what)
{
	for (unsigned i = 0; i < rt->worker_count; i++) {
		struct rill_worker *w = &rt->workers[i];

		/* release: none is needed, what is attended to has its own synchronisation */
		if (!(rill_load_relaxed(&w->attention) & (uint32_t)what))
			rill_fetch_or_release(&w->attention, (uint32_t)what);
	}
}

/* Half the queue and t, as one batch. */
static void spill(struct rill_worker *w, struct rill_inject *to, struct rill_task **batch,
		  struct rill_task *t)
{
	const unsigned n = RILL_QUEUE_CAP / 2;

	for (unsigned i = 0; i + 1 < n; i++)
		batch[i]->waiter.next = &batch[i + 1]->waiter;
	batch[n - 1]->waiter.next = &t->waiter;
	inject_append(to, &batch[0]->waiter, &t->waiter, n + 1, false);
	rill_counter_add(&w->metrics.overflows, 1);
}

/*
 * Into a ring of w's own; what does not fit goes to the shared queue of its kind. True when
 * somebody asleep should hear of it, which is for the caller to do, once for a whole batch.
 */
static RILL_NOINLINE bool push_ring(struct rill_worker *w, struct rill_queue *q,
				    struct rill_inject *shared, struct rill_task *t)
{
	struct rill_task *batch[RILL_QUEUE_CAP / 2];

	switch (rill_queue_push_back(q, t, batch)) {
	case RILL_QUEUE_PUSHED:
		break;
	case RILL_QUEUE_BUSY:
		inject_append(shared, &t->waiter, &t->waiter, 1, false);
		break;
	case RILL_QUEUE_OVERFLOW:
		spill(w, shared, batch, t);
		break;
	}
	return !w->alone;
}

/* Once t is in the queue it may run, end, and its runtime with it: who is in here is counted. */
static void schedule_outside(struct rill_task *t, struct rill_inject *to)
{
	struct rill_runtime *rt = t->rt;

	rill_runtime_enter(rt);
	inject_append(to, &t->waiter, &t->waiter, 1, true);
	rill_idle_notify(rt);
	rill_runtime_exit(rt);
}

static void push_inbox(struct rill_worker *home, struct rill_task *t)
{
	inject_append(&home->inbox, &t->waiter, &t->waiter, 1, true);
	/* release: after the task; pairs with accept_inbox() */
	rill_fetch_or_release(&home->attention, (uint32_t)RILL_ATTEND_INBOX);
	/* seq_cst: after the length; pairs with rill_idle_park(): it sees t, or we see that it
	 * sleeps
	 */
	if (rill_load_seq_cst(&home->park_deadline) != 0)
		rill_idle_kick(home);
}

static void push_inbox_outside(struct rill_worker *home, struct rill_task *t)
{
	struct rill_runtime *rt = t->rt;

	rill_runtime_enter(rt);
	push_inbox(home, t);
	rill_runtime_exit(rt);
}

/* For tasks that may not go just anywhere. w: the caller's worker, if it is of t's runtime. */
static RILL_NOINLINE bool schedule_placed(struct rill_worker *w, struct rill_task *t, uint8_t place)
{
	struct rill_worker *home = &t->rt->workers[t->home];

	if (place & RILL_TASK_MANUAL) {
		/* release: pairs with the stepper's acquire */
		rill_store_release(&t->ready, true);
		return false;
	}
	if ((place & (RILL_TASK_PINNED | RILL_TASK_HOMING)) && w != home) {
		if (w)
			push_inbox(home, t);
		else
			push_inbox_outside(home, t);
		return false;
	}
	if (w)
		rill_counter_add(&w->metrics.local_schedules, 1);
	/* At home it is like any other from now on. */
	rill_store_relaxed(&t->place, place & ~RILL_TASK_HOMING);
	if ((place & RILL_TASK_PINNED) && (place & RILL_TASK_URGENT))
		rill_task_list_push_front(&w->own, t);
	else if (place & RILL_TASK_PINNED)
		rill_task_list_push(&w->own, t);
	else if (!(place & RILL_TASK_URGENT))
		return push_ring(w, &w->queue, &t->rt->inject, t);
	else if (w)
		return push_ring(w, &w->urgent, &t->rt->urgent, t);
	else
		schedule_outside(t, &t->rt->urgent);
	return false;
}

/* w: the caller's worker, of whichever runtime, or NULL. True: as push_ring(). */
static inline bool schedule_from(struct rill_worker *w, struct rill_task *t)
{
	uint8_t place = rill_load_relaxed(&t->place);

	if (w && w->rt != t->rt)
		w = NULL;
	if (RILL_UNLIKELY(rill_load_relaxed(&t->rt->observed)))
		rill_observe_wake(t);
	if (RILL_UNLIKELY(place != 0))
		return schedule_placed(w, t, place);
	if (!w) {
		schedule_outside(t, &t->rt->inject);
		return false;
	}
	rill_counter_add(&w->metrics.local_schedules, 1);
	/*
	 * Woken by a task: most likely to be run next, while its message is in the cache. Woken by
	 * a packet or a timer: in the order of their coming.
	 */
	if (w->current && !w->no_lifo) {
		t = rill_lifo_swap(w, t);
		if (!t)
			return false;
	}
	return push_ring(w, &w->queue, &w->rt->inject, t);
}

void rill_schedule(struct rill_task *t)
{
	struct rill_worker *w = rill_worker_current();

	if (schedule_from(w, t))
		rill_idle_notify(w->rt);
}

void rill_schedule_all(struct rill_worker *w, struct rill_task_list l)
{
	bool tell = false;

	for (struct rill_waiter *next, *n = l.first; n; n = next) {
		next = n->next;
		tell |= schedule_from(w, rill_task_of(n));
	}
	if (tell)
		rill_idle_notify(w->rt);
}

/* At the coarse level the order of slices has to do: every other record would be a wake. */
static inline void trace_wake(struct rill_worker *w, const struct rill_task *t)
{
	if (w && w->rt == t->rt)
		rill_trace_fine(w, RILL_TRACE_WAKE, t->id);
}

/* One task, woken by another of the worker, and nothing unusual about any of it. */
static inline bool just_follows(const struct rill_worker *w, const struct rill_waiter *first)
{
	if (first->next || !first->is_task || !w || !w->current)
		return false;
	const struct rill_task *t = RILL_CONTAINER_OF(first, const struct rill_task, waiter);

	return t->rt == w->rt && rill_load_relaxed(&t->place) == 0 && !w->no_lifo &&
	       !rill_worker_attends(w, RILL_ATTEND_OBSERVED);
}

static RILL_NOINLINE void wake_all(struct rill_worker *self, struct rill_waiter *w)
{
	bool tell = false;

	while (w) {
		struct rill_waiter *next = w->next;

		if (w->is_task) {
			trace_wake(self, rill_task_of(w));
			tell |= schedule_from(self, rill_task_of(w));
		} else {
			/* release: pairs with the acquire in thread_park(). w may be gone right
			 * after. */
			rill_fetch_or_release(&w->state, RILL_WAITER_GO);
			syscall(SYS_futex, &w->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		}
		w = next;
	}
	if (tell)
		rill_idle_notify(self->rt);
}

void rill_wake_all(struct rill_waiter *first)
{
	struct rill_worker *self = rill_worker_current();

	if (!just_follows(self, first)) {
		wake_all(self, first);
		return;
	}
	struct rill_task *t = rill_task_of(first);

	trace_wake(self, t);
	rill_counter_add(&self->metrics.local_schedules, 1);
	t = rill_lifo_swap(self, t);
	if (t && push_ring(self, &self->queue, &self->rt->inject, t))
		rill_idle_notify(self->rt);
}
