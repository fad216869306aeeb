/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receive ring of one queue of a mem: NIC. As with a NIC's ring, the receiver posts empty
 * buffers of its own pool into the slots, and a sender fills them in order:
 *
 *     taken <= filled <= posted <= taken + slots
 *
 * The receiver (one thread at a time) owns taken and posted, and takes no lock. Senders (any
 * thread) move filled, under the lock.
 *
 *   R1 posted: release by the receiver, acquire by a sender: the slot and its buffer are the
 * sender's. R2 filled: seq_cst by a sender, acquire by the receiver: the filled buffer is the
 * receiver's. R3 armed/filled: each side writes its own word, then reads the other's, both seq_cst,
 * so that at least one of them sees the other's write: no wake-up is lost.
 *
 * A ring outlives the ports that use it (it goes with the hub), so that a sender may still be
 * looking at it when its port closes; and so does its eventfd.
 */
#ifndef RILL_DRIVERS_MEM_RING_H
#define RILL_DRIVERS_MEM_RING_H

#include <string.h>

#include "base/spinlock.h"
#include "drivers/buf.h"

struct rill_mem_ring {
	/* Senders, under lock. */
	RILL_CACHE_ALIGNED struct rill_spinlock lock;
	uint32_t mask;
	struct rill_buf **slots; /* NULL: closed. The receiver's too, constant while open */
	uint32_t next;		 /* the slot to fill next; becomes filled with the unlock */
	uint32_t posted_seen;
	uint32_t frame_len_max;
	RILL_ATOMIC(uint64_t) dropped;

	RILL_CACHE_ALIGNED RILL_ATOMIC(uint32_t) filled;
	RILL_ATOMIC(uint32_t) armed; /* the receiver is about to sleep on fd */
	int fd;

	/* The receiver. */
	RILL_CACHE_ALIGNED RILL_ATOMIC(uint32_t) posted;
	RILL_ATOMIC(uint32_t) taken;
	RILL_ATOMIC(bool) short_of_bufs; /* slots stayed empty when it last refilled */
	bool drain_owed; /* a sender took armed; its write to fd may be still to come */
};

/* A closed ring with its eventfd. NULL: out of memory or descriptors. */
struct rill_mem_ring *rill_mem_ring_create(void);
void rill_mem_ring_destroy(struct rill_mem_ring *r);

/* slot_count is a power of two. Frames longer than frame_len_max are dropped. -ENOMEM. */
int rill_mem_ring_open(struct rill_mem_ring *r, uint32_t slot_count, uint32_t frame_len_max);
/* Afterwards no sender touches the posted buffers any more; they belong to the caller's pool again.
 */
void rill_mem_ring_close(struct rill_mem_ring *r);

/* Receiver: up to n filled buffers. */
unsigned rill_mem_ring_take(struct rill_mem_ring *r, struct rill_buf **bufs, unsigned n);
/* Receiver: posts buffers of pool into the empty slots, as many as it has. */
void rill_mem_ring_refill(struct rill_mem_ring *r, struct rill_buf_pool *pool);

/* Any thread, as a hint: false: there is nothing to take, and nothing to post. */
static inline bool rill_mem_ring_due(const struct rill_mem_ring *r)
{
	/* relaxed, all three: the receiver takes the shard and looks again */
	return rill_load_relaxed(&r->filled) != rill_load_relaxed(&r->taken) ||
	       rill_load_relaxed(&r->short_of_bufs);
}

/* Receiver: as rx_arm and rx_disarm of a driver. */
bool rill_mem_ring_arm(struct rill_mem_ring *r);
void rill_mem_ring_disarm(struct rill_mem_ring *r);

static inline void rill_mem_ring_lock(struct rill_mem_ring *r)
{
	rill_spin_lock(&r->lock);
}

/* Sender, locked: copies one frame in. The buffer, still the sender's until the unlock, or NULL:
 * dropped. */
struct rill_buf *rill_mem_ring_fill_locked(struct rill_mem_ring *r, const uint8_t *data,
					   uint32_t len);

/* Sender: hands over what was filled, and wakes the receiver if it sleeps. */
void rill_mem_ring_unlock(struct rill_mem_ring *r);

/* Wakes the receiver if it sleeps, for what it will find elsewhere and not in the ring. */
void rill_mem_ring_kick(struct rill_mem_ring *r);

#endif
