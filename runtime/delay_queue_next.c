/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting for a delay queue's items to come due. */
#include "runtime/delay_queue.h"

/* -EAGAIN: nothing is due; look again at *ret_again_ns. */
static int take_locked(struct rill_delay_queue *q, uint64_t now, struct rill_expired *ret_item,
		       uint64_t *ret_again_ns, struct rill_wake_batch *batch)
{
	if (rill_load_relaxed(&q->len) == 0)
		return -ENOENT;
	/* Also when something is due already: old items must not wait behind ever new past ones. */
	rill_wheel_advance(&q->wheel, now, &q->due);
	rill_wheel_take_due(&q->wheel, now, &q->due);
	if (rill_list_empty(&q->due)) {
		*ret_again_ns = rill_wheel_next(&q->wheel);
		return -EAGAIN;
	}
	struct rill_delay_node *n = rill_delay_first_due(q);

	*ret_item = rill_delay_item_of(n);
	rill_delay_take(q, n, batch);
	return 0;
}

static int look_locked(struct rill_await *aw, uint64_t now, struct rill_wake_batch *batch)
{
	int r = take_locked(aw->obj, now, aw->arg, &aw->deadline_ns, batch);

	if (r != -ENOENT || !(aw->value & RILL_DELAY_STAY))
		return r;
	aw->deadline_ns = UINT64_MAX;
	return -EAGAIN;
}

static int next_try(struct rill_await *aw)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_delay_queue *q = aw->obj;
	uint64_t now = rill_now();

	rill_spin_lock(&q->lock);
	int r = look_locked(aw, now, &batch);

	rill_spin_unlock(&q->lock);
	rill_wake_flush(&batch);
	return r;
}

static int next_arm(struct rill_await *aw)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_delay_queue *q = aw->obj;
	uint64_t planned = aw->deadline_ns;
	uint64_t now = rill_now();

	rill_spin_lock(&q->lock);
	int r = look_locked(aw, now, &batch);

	if (r == -EAGAIN) {
		bool alone = rill_list_empty(&q->waiters);

		q->armed_ns = alone ? aw->deadline_ns : RILL_MAX(q->armed_ns, aw->deadline_ns);
		rill_list_push_back(&q->waiters, &aw->link);
		/* Something earlier came since the try, with whose time we are about to park. */
		if (aw->deadline_ns < planned)
			rill_waiter_renotify(aw->waiter);
	}
	rill_spin_unlock(&q->lock);
	rill_wake_flush(&batch);
	return r;
}

static int next_disarm(struct rill_await *aw, bool take)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_delay_queue *q = aw->obj;
	uint64_t now = rill_now();

	rill_spin_lock(&q->lock);
	rill_list_del(&aw->link);
	int r = take ? look_locked(aw, now, &batch) : -EAGAIN;

	rill_spin_unlock(&q->lock);
	rill_wake_flush(&batch);
	return r;
}

static const struct rill_await_ops next_ops = {
	.what = "delay queue",
	.try = next_try,
	.arm = next_arm,
	.disarm = next_disarm,
};

void rill_case_delay_queue_next(struct rill_case *c, struct rill_delay_queue *q, unsigned flags,
				struct rill_expired *ret_item)
{
	struct rill_await *aw = rill_await_of(c);

	rill_await_init(aw, &next_ops, q, ret_item);
	aw->value = flags;
}

int rill_delay_queue_next(struct rill_delay_queue *q, unsigned flags, struct rill_expired *ret_item)
{
	struct rill_await aw;

	rill_await_init(&aw, &next_ops, q, ret_item);
	aw.value = flags;
	return rill_await(&aw, 0);
}

int rill_delay_queue_try_next(struct rill_delay_queue *q, struct rill_expired *ret_item)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	uint64_t now = rill_now(), again;

	rill_spin_lock(&q->lock);
	int r = take_locked(q, now, ret_item, &again, &batch);

	rill_spin_unlock(&q->lock);
	rill_wake_flush(&batch);
	return r;
}
