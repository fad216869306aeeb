/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A ring of slots. The message at position p, counted from 0 on, is in slot p % capacity until that
 * of p + capacity overwrites it. Each receiver has a position of its own; a slot's seq tells it
 * whether its message is not there yet, there, or overwritten.
 *
 * Small messages without hooks are words that are read without a lock, between two looks at seq.
 * Others are read under the slot's lock. The channel's lock is the senders', and of whoever begins
 * to wait. Order: the channel's, then a slot's.
 */
#ifndef RILL_SYNC_BROADCAST_H
#define RILL_SYNC_BROADCAST_H

#include <rill/broadcast.h>

#include <string.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/spinlock.h"

/* Up to a cache line, going word by word is cheaper than a lock. */
#define RILL_BROADCAST_WORDS 8

struct rill_broadcast_slot {
	/* 2p + 2: the message at p; 2p + 1: it is being written; written by the channel's lock */
	RILL_ATOMIC(uint64_t) seq;
	struct rill_spinlock lock; /* of what follows, and of changing seq, if there are no words */
	uint32_t unread;	   /* receivers that have to see it yet; counted for drop */
	_Alignas(max_align_t) unsigned char msg[];
};

struct rill_broadcast {
	/* Constant, and read by receivers all the time. */
	size_t msg_size;
	size_t words; /* of a message that is read without a lock; 0: the slot's lock is taken */
	size_t stride;
	uint64_t capacity; /* a power of two */
	void (*copy)(void *to, const void *from, void *arg);
	void (*drop)(void *msg, void *arg);
	void *arg;
	bool one_word;		  /* a message is exactly that, and read without a lock */
	RILL_ATOMIC(bool) closed; /* no sender is left, which is final */

	/* All below is under the lock; who reads without it says so. */
	RILL_CACHE_ALIGNED struct rill_spinlock lock;
	RILL_ATOMIC(uint64_t) tail; /* the next position */
	RILL_ATOMIC(uint32_t) senders;
	RILL_ATOMIC(uint32_t) weak;
	RILL_ATOMIC(uint32_t) receivers;
	uint32_t owners;	    /* the three, and receivers that are on their way out */
	struct rill_list all;	    /* of receivers */
	struct rill_list waiting;   /* armed nodes of receivers */
	struct rill_list observers; /* armed nodes of those who wait for receivers to go */
	_Alignas(max_align_t) unsigned char ring[];
};

/* Laid over struct rill_broadcast_rx. */
struct rill_broadcast_receiver {
	struct rill_broadcast *b;
	struct rill_list link;	    /* in b->all */
	RILL_ATOMIC(uint64_t) next; /* its position; others only look at it */
	uint64_t lagged;
};

RILL_STATIC_ASSERT(sizeof(struct rill_broadcast_receiver) == sizeof(struct rill_broadcast_rx),
		   "laid over the public struct");
RILL_STATIC_ASSERT(_Alignof(struct rill_broadcast_receiver) <= _Alignof(struct rill_broadcast_rx),
		   "as aligned");
RILL_STATIC_ASSERT(sizeof(struct rill_broadcast_slot) % _Alignof(max_align_t) == 0,
		   "messages are aligned");

static inline struct rill_broadcast_receiver *
rill_broadcast_receiver_of(const struct rill_broadcast_rx *rx)
{
	return (struct rill_broadcast_receiver *)(void *)(uintptr_t)rx;
}

static inline struct rill_broadcast_slot *rill_broadcast_slot(struct rill_broadcast *b,
							      uint64_t pos)
{
	return (void *)(b->ring + (pos & (b->capacity - 1)) * b->stride);
}

static inline uint64_t *rill_broadcast_slot_words(struct rill_broadcast_slot *slot)
{
	return (uint64_t *)(void *)slot->msg;
}

/* seq of the slot that has the message at pos */
static inline uint64_t rill_broadcast_seq(uint64_t pos)
{
	return 2 * pos + 2;
}

static RILL_ALWAYS_INLINE void rill_broadcast_copy(void *to, const void *from, size_t size)
{
	/* A pointer or a counter is what most channels carry. */
	if (RILL_LIKELY(size == 8))
		memcpy(to, from, 8);
	else
		memcpy(to, from, size);
}

/* The channel's own message, out of its slot, which is unlocked by now. */
static inline void rill_broadcast_drop(const struct rill_broadcast *b, void *msg)
{
	b->drop(msg, b->arg);
}

/* Under the lock. One reference less: true if it was the last. */
static inline bool rill_broadcast_disown(struct rill_broadcast *b)
{
	RILL_ASSERT(b->owners > 0);
	return --b->owners == 0;
}

static inline void rill_broadcast_own(struct rill_broadcast *b)
{
	RILL_ASSERT(b->owners > 0 && b->owners < UINT32_MAX);
	b->owners++;
}

#endif
