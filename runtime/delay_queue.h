/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A timing wheel with a waiting room: items that came due move from the wheel to the due list, from
 * which the consumers take them. Nodes come from chunks that only the queue's end frees, each twice
 * as large as the one before; a node's generation is odd while it holds an item, and moves on with
 * each change, so that a key is good for one item only.
 *
 * Nothing is handed to a waiter: it is woken, looks again and takes what is due. So a waiter that
 * leaves owes nothing to the others.
 *
 * delay_queue.c: items in and out; delay_queue_next.c: waiting for them; delay_queue_nodes.c: the
 * memory, and all items at once.
 */
#ifndef RILL_RUNTIME_DELAY_QUEUE_H
#define RILL_RUNTIME_DELAY_QUEUE_H

#include <rill/time.h>

#include "base/spinlock.h"
#include "base/wheel.h"
#include "runtime/await.h"

#define RILL_DELAY_CHUNK 1024u	  /* nodes; the k-th chunk has RILL_DELAY_CHUNK << k */
#define RILL_DELAY_CHUNKS_MAX 21u /* 2^31 nodes: indices fit in 32 bits with room to spare */

struct rill_delay_node {
	struct rill_timer timer; /* in the wheel or the due list */
	void *value;		 /* of a free one: the next free one */
	uint32_t generation;	 /* odd: in use */
	uint32_t index;		 /* its own */
};

struct rill_delay_queue {
	struct rill_spinlock lock;    /* of all below */
	RILL_ATOMIC(size_t) len;      /* read without the lock by rill_delay_queue_len() */
	struct rill_delay_node *free; /* the first of those given back */
	uint32_t used;		      /* nodes from here on have never been used */
	unsigned chunk_count;
	struct rill_delay_node *chunks[RILL_DELAY_CHUNKS_MAX];
	struct rill_list due;
	struct rill_list waiters; /* armed, and not woken yet */
	uint64_t armed_ns;	  /* no waiter wakes by itself later than this */
	struct rill_wheel wheel;
};

/* ---- nodes ---- */

static inline size_t rill_delay_capacity_of(unsigned chunk_count)
{
	return (size_t)RILL_DELAY_CHUNK * ((UINT32_C(1) << chunk_count) - 1);
}

static inline struct rill_delay_node *rill_delay_node_at(const struct rill_delay_queue *q,
							 uint32_t index)
{
	unsigned k = 31u - (unsigned)__builtin_clz(index / RILL_DELAY_CHUNK + 1);

	return &q->chunks[k][index - rill_delay_capacity_of(k)];
}

static inline struct rill_delay_node *rill_delay_node_of(struct rill_timer *t)
{
	return RILL_CONTAINER_OF(t, struct rill_delay_node, timer);
}

static inline struct rill_delay_node *rill_delay_first_due(const struct rill_delay_queue *q)
{
	return rill_delay_node_of(RILL_LIST_ENTRY(q->due.next, struct rill_timer, link));
}

static inline struct rill_expired rill_delay_item_of(const struct rill_delay_node *n)
{
	return (struct rill_expired){
		.value = n->value,
		.deadline_ns = n->timer.deadline_ns,
		.key = {n->index, n->generation},
	};
}

/* Makes memory for so many nodes in all. Without the lock: allocates. */
int rill_delay_grow_to(struct rill_delay_queue *q, size_t capacity);

/* ---- changes, under the lock ---- */

void rill_delay_wake_all(struct rill_delay_queue *q, struct rill_wake_batch *batch);

/* Takes the item out and frees its node. The last item's going ends the waits of those who do not
 * stay. */
static inline void rill_delay_take(struct rill_delay_queue *q, struct rill_delay_node *n,
				   struct rill_wake_batch *batch)
{
	size_t len = rill_load_relaxed(&q->len) - 1;

	rill_wheel_cancel(&q->wheel, &n->timer);
	n->generation++;
	n->value = q->free;
	q->free = n;
	rill_store_relaxed(&q->len, len);
	if (len == 0 && !rill_list_empty(&q->waiters))
		rill_delay_wake_all(q, batch);
}

#endif
