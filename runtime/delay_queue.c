/* SPDX-License-Identifier: BSD-3-Clause */
/* A delay queue's items: in, out, and to another deadline. */
#include "runtime/delay_queue.h"

#include "runtime/runtime.h"

/* The caller's worker's clock as it was last read: never ahead, and free. It only tells what is due
 * already; what has come due since then, those who wait find out. */
static uint64_t stale_now(void)
{
	struct rill_worker *w = rill_worker_current();

	return w ? w->now_ns : rill_clock_mono();
}

static uint64_t deadline_after(uint64_t dur_ns)
{
	struct rill_worker *w = rill_worker_current();
	uint64_t now = w ? rill_worker_now_latest(w) : rill_clock_mono();

	return dur_ns > RILL_FOREVER - now ? RILL_FOREVER : now + dur_ns;
}

static RILL_NOINLINE struct rill_delay_node *fresh_node(struct rill_delay_queue *q)
{
	if (q->used == rill_delay_capacity_of(q->chunk_count))
		return NULL;
	struct rill_delay_node *n = rill_delay_node_at(q, q->used);

	n->index = q->used++;
	rill_timer_init(&n->timer);
	return n;
}

/* NULL: there is no memory for more. */
static RILL_ALWAYS_INLINE struct rill_delay_node *node_get_locked(struct rill_delay_queue *q)
{
	struct rill_delay_node *n = q->free;

	if (RILL_LIKELY(n != NULL))
		q->free = n->value;
	else if (!(n = fresh_node(q)))
		return NULL;
	rill_store_relaxed(&q->len, rill_load_relaxed(&q->len) + 1);
	return n;
}

static struct rill_delay_node *find_locked(const struct rill_delay_queue *q,
					   struct rill_delay_key key)
{
	if (key.index >= q->used || !(key.generation & 1))
		return NULL;
	struct rill_delay_node *n = rill_delay_node_at(q, key.index);

	return n->generation == key.generation ? n : NULL;
}

void rill_delay_wake_all(struct rill_delay_queue *q, struct rill_wake_batch *batch)
{
	struct rill_await *aw;

	while ((aw = rill_await_first(&q->waiters)))
		rill_await_wake(aw, batch);
}

/*
 * Something may have become due earlier than those who wait will look. Not rill_wheel_next(): a
 * later item may have to be moved down in the wheel before the first one is due, and nobody need
 * come for that.
 */
static void tell_waiters(struct rill_delay_queue *q, uint64_t deadline_ns,
			 struct rill_wake_batch *batch)
{
	uint64_t next = rill_list_empty(&q->due) ? deadline_ns : 0;

	/* The wheel does not tell apart what is in the same tick. */
	if (next < q->armed_ns && q->armed_ns - next >= UINT64_C(1) << RILL_WHEEL_TICK_SHIFT)
		rill_delay_wake_all(q, batch);
}

static RILL_ALWAYS_INLINE void place_locked(struct rill_delay_queue *q, struct rill_delay_node *n,
					    uint64_t deadline_ns, struct rill_wake_batch *batch)
{
	uint64_t now = stale_now();

	if (RILL_LIKELY(deadline_ns > now)) {
		rill_wheel_catch_up(&q->wheel, now);
		rill_wheel_insert(&q->wheel, &n->timer, deadline_ns);
	} else {
		/* The wheel's ticks would make it wait for the next one. */
		n->timer.deadline_ns = deadline_ns;
		rill_list_push_back(&q->due, &n->timer.link);
	}
	if (!rill_list_empty(&q->waiters))
		tell_waiters(q, deadline_ns, batch);
}

/* The lock is held, and released for a while. */
static RILL_NOINLINE int grow_locked(struct rill_delay_queue *q)
{
	size_t more = rill_delay_capacity_of(q->chunk_count) + 1;

	rill_spin_unlock(&q->lock);
	int r = rill_delay_grow_to(q, more);

	rill_spin_lock(&q->lock);
	return r;
}

int rill_delay_queue_insert_at(struct rill_delay_queue *q, void *value, uint64_t deadline_ns,
			       struct rill_delay_key *ret_key)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_delay_node *n;

	rill_spin_lock(&q->lock);
	while (!(n = node_get_locked(q))) {
		int r = grow_locked(q);

		if (r < 0) {
			rill_spin_unlock(&q->lock);
			return r;
		}
	}
	/* Before the store: to be read together with the index it would have to have settled. */
	struct rill_delay_key key = {n->index, n->generation + 1};

	n->generation = key.generation;
	n->value = value;
	if (ret_key)
		*ret_key = key;
	place_locked(q, n, deadline_ns, &batch);
	rill_spin_unlock(&q->lock);
	rill_wake_flush(&batch);
	return 0;
}

int rill_delay_queue_insert(struct rill_delay_queue *q, void *value, uint64_t dur_ns,
			    struct rill_delay_key *ret_key)
{
	return rill_delay_queue_insert_at(q, value, deadline_after(dur_ns), ret_key);
}

int rill_delay_queue_remove(struct rill_delay_queue *q, struct rill_delay_key key,
			    struct rill_expired *ret_item)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&q->lock);
	struct rill_delay_node *n = find_locked(q, key);

	if (n) {
		if (ret_item)
			*ret_item = rill_delay_item_of(n);
		rill_delay_take(q, n, &batch);
	}
	rill_spin_unlock(&q->lock);
	rill_wake_flush(&batch);
	return n ? 0 : -ENOENT;
}

int rill_delay_queue_reset_at(struct rill_delay_queue *q, struct rill_delay_key key,
			      uint64_t deadline_ns)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&q->lock);
	struct rill_delay_node *n = find_locked(q, key);

	if (n) {
		rill_wheel_cancel(&q->wheel, &n->timer);
		place_locked(q, n, deadline_ns, &batch);
	}
	rill_spin_unlock(&q->lock);
	rill_wake_flush(&batch);
	return n ? 0 : -ENOENT;
}

int rill_delay_queue_reset(struct rill_delay_queue *q, struct rill_delay_key key, uint64_t dur_ns)
{
	return rill_delay_queue_reset_at(q, key, deadline_after(dur_ns));
}

int rill_delay_queue_deadline(struct rill_delay_queue *q, struct rill_delay_key key,
			      uint64_t *ret_deadline_ns)
{
	rill_spin_lock(&q->lock);
	const struct rill_delay_node *n = find_locked(q, key);
	uint64_t deadline = n ? n->timer.deadline_ns : 0;

	rill_spin_unlock(&q->lock);
	if (!n)
		return -ENOENT;
	*ret_deadline_ns = deadline;
	return 0;
}

int rill_delay_queue_peek(struct rill_delay_queue *q, struct rill_expired *ret_item)
{
	struct rill_expired item;
	struct rill_timer *first;

	rill_spin_lock(&q->lock);
	if (rill_list_empty(&q->due))
		first = rill_wheel_first(&q->wheel);
	else
		first = &rill_delay_first_due(q)->timer;
	if (first)
		item = rill_delay_item_of(rill_delay_node_of(first));
	rill_spin_unlock(&q->lock);
	if (!first)
		return -ENOENT;
	*ret_item = item;
	return 0;
}
