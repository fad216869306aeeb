/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The value lies under a lock of its own, which readers share. Its version grows by 2 with each
 * change; bit 0 says that no sender is left. A receiver keeps the version it has seen, and waits
 * under the other lock for a different one: a sender stores the version first, and then takes that
 * lock to wake, so nobody who waits has missed it.
 */
#ifndef RILL_SYNC_WATCH_H
#define RILL_SYNC_WATCH_H

#include <rill/watch.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/spinlock.h"

enum rill_watch_version {
	RILL_WATCH_CLOSED = 1,
	RILL_WATCH_STEP = 2,
	RILL_WATCH_UNSEEN = 1, /* of a receiver: no version is like that */
};

/* Of the value's lock. */
enum rill_watch_value_word {
	RILL_WATCH_WRITER = 1, /* writes, or waits for the readers to go: nobody new gets in */
	RILL_WATCH_READER = 2, /* counts */
};

struct rill_watch {
	/* Constant. */
	size_t msg_size;
	void (*drop)(void *value, void *arg);
	void *arg;

	RILL_ATOMIC(uint64_t) version;	  /* written by who has the value's lock, or is the last */
	RILL_ATOMIC(uint32_t) value_word; /* the value's lock */
	struct rill_spinlock lock;	  /* of all below; the counts are read without it */
	RILL_ATOMIC(uint32_t) senders;
	RILL_ATOMIC(uint32_t) receivers;
	uint32_t owners;	    /* both, and who is on its way out */
	struct rill_list waiting;   /* armed nodes of receivers */
	struct rill_list observers; /* armed nodes of those who wait for receivers to go */
	_Alignas(max_align_t) unsigned char value[];
};

/* Laid over struct rill_watch_rx. */
struct rill_watch_receiver {
	struct rill_watch *w;
	uint64_t seen;
};

RILL_STATIC_ASSERT(sizeof(struct rill_watch_receiver) == sizeof(struct rill_watch_rx),
		   "laid over the public struct");
RILL_STATIC_ASSERT(_Alignof(struct rill_watch_receiver) <= _Alignof(struct rill_watch_rx),
		   "as aligned");

static inline struct rill_watch_receiver *rill_watch_receiver_of(const struct rill_watch_rx *rx)
{
	return (struct rill_watch_receiver *)(void *)(uintptr_t)rx;
}

/* The version without the bit. */
static inline uint64_t rill_watch_of_value(uint64_t version)
{
	return version & ~(uint64_t)RILL_WATCH_CLOSED;
}

void rill_watch_read_lock(struct rill_watch *w);
void rill_watch_read_unlock(struct rill_watch *w);

/* Under the lock. One reference less: true if it was the last. */
static inline bool rill_watch_disown(struct rill_watch *w)
{
	RILL_ASSERT(w->owners > 0);
	return --w->owners == 0;
}

static inline void rill_watch_own(struct rill_watch *w)
{
	RILL_ASSERT(w->owners > 0 && w->owners < UINT32_MAX);
	w->owners++;
}

void rill_watch_destroy(struct rill_watch *w);

#endif
