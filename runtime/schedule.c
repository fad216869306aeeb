/* SPDX-License-Identifier: BSD-3-Clause */
/* From a wake to a run queue. */
#include "runtime/runtime.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Appends a list of n tasks. */
static void inject_append(struct rill_inject *q, struct rill_waiter *first,
			  struct rill_waiter *last, uint32_t n)
{
	rill_spin_lock(&q->lock);
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

void rill_inject_push(struct rill_runtime *rt, struct rill_task *t)
{
	inject_append(&rt->inject, &t->waiter, &t->waiter, 1);
	rill_idle_notify(rt);
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

/* Half the queue and t, as one batch. */
static void spill(struct rill_worker *w, struct rill_task **batch, struct rill_task *t)
{
	const unsigned n = RILL_QUEUE_CAP / 2;

	for (unsigned i = 0; i + 1 < n; i++)
		batch[i]->waiter.next = &batch[i + 1]->waiter;
	batch[n - 1]->waiter.next = &t->waiter;
	inject_append(&w->rt->inject, &batch[0]->waiter, &t->waiter, n + 1);
	rill_counter_add(&w->metrics.overflows, 1);
}

static void push_local(struct rill_worker *w, struct rill_task *t)
{
	struct rill_task *batch[RILL_QUEUE_CAP / 2];

	switch (rill_queue_push_back(&w->queue, t, batch)) {
	case RILL_QUEUE_PUSHED:
		break;
	case RILL_QUEUE_BUSY:
		inject_append(&w->rt->inject, &t->waiter, &t->waiter, 1);
		break;
	case RILL_QUEUE_OVERFLOW:
		spill(w, batch, t);
		break;
	}
}

/* Once t is in the queue it may run, end, and its runtime with it: who is in here is counted. */
static void schedule_outside(struct rill_task *t)
{
	struct rill_runtime *rt = t->rt;

	rill_runtime_enter(rt);
	rill_fetch_add_relaxed(&rt->remote_schedules, 1);
	rill_inject_push(rt, t);
	rill_runtime_exit(rt);
}

void rill_schedule(struct rill_task *t)
{
	struct rill_worker *w = rill_worker_current();

	if (!w || w->rt != t->rt) {
		schedule_outside(t);
		return;
	}
	rill_counter_add(&w->metrics.local_schedules, 1);
	/*
	 * Woken by a task: most likely to be run next, while its message is in the cache. Woken by
	 * a packet or a timer: in the order of their coming.
	 */
	if (w->current) {
		/* acq_rel: whoever takes t out of the slot, a thief perhaps, sees it whole */
		t = rill_exchange_acq_rel(&w->lifo, t);
		if (!t)
			return;
	}
	push_local(w, t);
	if (w->rt->worker_count > 1)
		rill_idle_notify(w->rt);
}

void rill_wake_flush_slow(struct rill_wake_batch *b)
{
	struct rill_waiter *w = b->first;

	b->first = NULL;
	b->last = NULL;
	while (w) {
		struct rill_waiter *next = w->next;

		if (w->is_task) {
			rill_schedule(rill_task_of(w));
		} else {
			/* release: pairs with the acquire in thread_park(). w may be gone right
			 * after. */
			rill_fetch_or_release(&w->state, RILL_WAITER_GO);
			syscall(SYS_futex, &w->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		}
		w = next;
	}
}
