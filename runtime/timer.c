/* SPDX-License-Identifier: BSD-3-Clause */
/* The one timer of a parked task, in the wheel of the worker on which it parked. */
#include "runtime/runtime.h"

/* Timers touched in one turn. Those due, and there are more, wait for each other anyway; but the
 * network cards do not have to wait for them all. */
#define FIRE_MAX 64

void rill_task_timer_arm(struct rill_task *t, struct rill_worker *w, uint64_t deadline_ns)
{
	t->timer_worker = w;
	rill_spin_lock(&w->wheel_lock);
	rill_wheel_insert(&w->wheel, &t->timer, deadline_ns);
	rill_counter_add(&w->metrics.timers_armed, 1);
	if (deadline_ns < rill_load_relaxed(&w->wheel_next_ns))
		rill_store_relaxed(&w->wheel_next_ns, deadline_ns);
	rill_spin_unlock(&w->wheel_lock);
}

void rill_task_timer_cancel(struct rill_task *t)
{
	struct rill_worker *w = t->timer_worker;

	if (!w)
		return;
	/* Also when it fired: taking the lock sees to it that whoever fires it is done with the
	 * task. */
	rill_spin_lock(&w->wheel_lock);
	if (rill_timer_pending(&t->timer))
		rill_counter_add(&w->metrics.timers_cancelled, 1);
	else
		rill_counter_add(&w->metrics.timers_fired, 1);
	rill_wheel_cancel(&w->wheel, &t->timer);
	rill_spin_unlock(&w->wheel_lock);
	t->timer_worker = NULL;
}

/* True also when there is more to do at once: then it is no time to sleep. */
bool rill_worker_fire_timers(struct rill_worker *w, uint64_t now)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_list expired;
	struct rill_list *n;

	/* Read without the lock: whoever armed a timer on another thread did it on this wheel's
	 * worker. */
	if (RILL_LIKELY(now < rill_load_relaxed(&w->wheel_next_ns)))
		return false;
	rill_list_init(&expired);
	rill_spin_lock(&w->wheel_lock);
	rill_wheel_advance_some(&w->wheel, now, FIRE_MAX, &expired);
	while ((n = rill_list_pop_front(&expired))) {
		struct rill_timer *timer = RILL_LIST_ENTRY(n, struct rill_timer, link);

		rill_wake_add(&batch, &RILL_CONTAINER_OF(timer, struct rill_task, timer)->waiter);
	}
	uint64_t next = rill_wheel_next(&w->wheel);

	rill_store_relaxed(&w->wheel_next_ns, next);
	rill_spin_unlock(&w->wheel_lock);
	bool any = batch.first != NULL || next <= now;

	rill_wake_flush(&batch);
	return any;
}
