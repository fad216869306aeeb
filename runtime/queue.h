/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's run queue: a ring with one producer (the owner) and many consumers (owner and
 * thieves), after the design of Go's and Tokio's schedulers.
 *
 *   who            may call                          concurrently with
 *   owner          push_back, pop, len               anything
 *   owner          pop_alone                         nothing: where there are no thieves
 *   another worker steal_into (as owner of dst)      anything
 *
 * head packs two indices: real, the next slot to take, and steal, the first slot that a thief is
 * still copying out. They are equal when nobody steals. Slots [steal, tail) must not be written.
 * Indices are 32 bits and wrap; the capacity is a power of two far below that.
 */
#ifndef RILL_RUNTIME_QUEUE_H
#define RILL_RUNTIME_QUEUE_H

#include "base/assert.h"
#include "base/atomic.h"

#ifndef RILL_QUEUE_CAP
#define RILL_QUEUE_CAP 256u
#endif

struct rill_task;

struct rill_queue {
	RILL_ATOMIC(uint64_t) head;		       /* steal << 32 | real */
	RILL_ATOMIC(uint32_t) tail RILL_CACHE_ALIGNED; /* written by the owner */
	RILL_ATOMIC(struct rill_task *) slots[RILL_QUEUE_CAP];
};

enum rill_queue_push {
	RILL_QUEUE_PUSHED,
	RILL_QUEUE_BUSY,     /* full, and a thief is at work: put the one task elsewhere */
	RILL_QUEUE_OVERFLOW, /* full: half of it was taken out, into batch */
};

void rill_queue_init(struct rill_queue *q);

/*
 * On RILL_QUEUE_OVERFLOW batch (room for RILL_QUEUE_CAP / 2) holds the younger half of the queue;
 * it and t are the caller's to put elsewhere. The older half stays: it has been round once already.
 */
enum rill_queue_push rill_queue_push_back(struct rill_queue *q, struct rill_task *t,
					  struct rill_task **batch);
struct rill_task *rill_queue_pop(struct rill_queue *q);
/* The same where nobody ever steals. */
static inline struct rill_task *rill_queue_pop_alone(struct rill_queue *q)
{
	uint32_t real = (uint32_t)rill_load_relaxed(&q->head);

	if (real == rill_load_relaxed(&q->tail))
		return NULL;
	rill_store_relaxed(&q->head, (uint64_t)(real + 1) << 32 | (uint32_t)(real + 1));
	return rill_load_relaxed(&q->slots[real & (RILL_QUEUE_CAP - 1)]);
}

/*
 * Takes half of src (rounded up): the last one taken is returned, to be run at once, the others are
 * in dst. NULL when there is nothing, another thief is active, or dst is more than half full.
 */
struct rill_task *rill_queue_steal_into(struct rill_queue *src, struct rill_queue *dst,
					uint32_t *ret_stolen);

/* A guess unless called by the owner. */
static inline uint32_t rill_queue_len(const struct rill_queue *q)
{
	/* seq_cst: a worker about to sleep looks here after announcing it (worker_park) */
	uint64_t head = rill_load_seq_cst(&q->head);

	return rill_load_seq_cst(&q->tail) - (uint32_t)head;
}

/* Free slots, for the owner. */
static inline uint32_t rill_queue_room(const struct rill_queue *q)
{
	/* acquire: pairs with the thief's release of the slots in steal_into() */
	uint32_t steal = (uint32_t)(rill_load_acquire(&q->head) >> 32);

	return RILL_QUEUE_CAP - (rill_load_relaxed(&q->tail) - steal);
}

#endif
