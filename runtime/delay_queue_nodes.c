/* SPDX-License-Identifier: BSD-3-Clause */
/* A delay queue's memory, its making and its end, and all of its items at once. */
#include "runtime/delay_queue.h"

#include <stdlib.h>

#include "base/assert.h"

#define CLEAR_BATCH 64 /* nodes looked at in one go with the lock */

int rill_delay_grow_to(struct rill_delay_queue *q, size_t capacity)
{
	if (capacity > rill_delay_capacity_of(RILL_DELAY_CHUNKS_MAX))
		return -ENOMEM;
	for (;;) {
		rill_spin_lock(&q->lock);
		unsigned k = q->chunk_count;

		rill_spin_unlock(&q->lock);
		if (rill_delay_capacity_of(k) >= capacity)
			return 0;
		/* Zeroed memory of this size is mapped when it is first touched. */
		struct rill_delay_node *chunk =
			calloc((size_t)RILL_DELAY_CHUNK << k, sizeof(*chunk));

		if (!chunk)
			return -ENOMEM;
		rill_spin_lock(&q->lock);
		if (q->chunk_count == k) {
			q->chunks[q->chunk_count++] = chunk;
			chunk = NULL;
		}
		rill_spin_unlock(&q->lock);
		free(chunk);
	}
}

size_t rill_delay_queue_len(const struct rill_delay_queue *q)
{
	return rill_load_relaxed(&q->len);
}

size_t rill_delay_queue_capacity(struct rill_delay_queue *q)
{
	rill_spin_lock(&q->lock);
	size_t capacity = rill_delay_capacity_of(q->chunk_count);

	rill_spin_unlock(&q->lock);
	return capacity;
}

int rill_delay_queue_reserve(struct rill_delay_queue *q, size_t additional)
{
	size_t capacity;

	if (__builtin_add_overflow(rill_delay_queue_len(q), additional, &capacity))
		return -ENOMEM;
	return rill_delay_grow_to(q, capacity);
}

/* The items among the nodes from *index to end, as far as one go carries; how many. */
static unsigned clear_some(struct rill_delay_queue *q, uint32_t *index, uint32_t end,
			   struct rill_expired *items)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	unsigned n = 0;

	rill_spin_lock(&q->lock);
	for (uint32_t stop = RILL_MIN(end, *index + CLEAR_BATCH); *index < stop; ++*index) {
		struct rill_delay_node *node = rill_delay_node_at(q, *index);

		if (!(node->generation & 1))
			continue;
		items[n++] = rill_delay_item_of(node);
		rill_delay_take(q, node, &batch);
	}
	rill_spin_unlock(&q->lock);
	rill_wake_flush(&batch);
	return n;
}

void rill_delay_queue_clear(struct rill_delay_queue *q,
			    void (*fn)(void *arg, const struct rill_expired *item), void *arg)
{
	struct rill_expired items[CLEAR_BATCH];

	rill_spin_lock(&q->lock);
	uint32_t index = 0, end = q->used;

	rill_spin_unlock(&q->lock);
	while (index < end) {
		unsigned n = clear_some(q, &index, end, items);

		for (unsigned i = 0; fn && i < n; i++)
			fn(arg, &items[i]);
	}
}

int rill_delay_queue_create(size_t capacity, struct rill_delay_queue **ret_q)
{
	struct rill_delay_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	rill_list_init(&q->due);
	rill_list_init(&q->waiters);
	/* The first insert tells the time: of whose clock, is not known yet. */
	rill_wheel_init(&q->wheel, 0);
	int r = rill_delay_grow_to(q, capacity);

	if (r < 0) {
		rill_delay_queue_destroy(q);
		return r;
	}
	*ret_q = q;
	return 0;
}

void rill_delay_queue_destroy(struct rill_delay_queue *q)
{
	if (!q)
		return;
	RILL_ASSERT(rill_list_empty(&q->waiters)); /* somebody waits in it */
	for (unsigned k = 0; k < q->chunk_count; k++)
		free(q->chunks[k]);
	free(q);
}
