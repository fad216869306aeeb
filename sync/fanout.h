/* SPDX-License-Identifier: BSD-3-Clause */
/* What broadcast and watch share: waking everybody. */
#ifndef RILL_SYNC_FANOUT_H
#define RILL_SYNC_FANOUT_H

#include "base/spinlock.h"
#include "runtime/await.h"

/* So many are woken before others get a chance at the lock: about a microsecond. */
#ifndef RILL_FANOUT_CHUNK
#define RILL_FANOUT_CHUNK 64
#endif

/*
 * Has serve() grant to, or wake, each node of the queue, which the lock guards. Called with the
 * lock held, and returns so, but lets go of it after each chunk: the caller owns a reference to
 * what the lock is in, and the queue may have new nodes meanwhile, which are not served.
 */
static RILL_ALWAYS_INLINE void
rill_fanout(struct rill_list *queue, struct rill_spinlock *lock, struct rill_wake_batch *batch,
	    void (*serve)(struct rill_await *aw, void *arg, struct rill_wake_batch *batch),
	    void *arg)
{
	struct rill_await *aw;
	struct rill_list rest;

	if (rill_list_empty(queue))
		return;
	rill_list_init(&rest);
	/* Who gives up waiting takes himself out of it, under the lock. */
	rill_list_splice_back(&rest, queue);
	for (unsigned n = 1; (aw = rill_await_first(&rest)); n++) {
		serve(aw, arg, batch);
		if (n % RILL_FANOUT_CHUNK != 0)
			continue;
		rill_spin_unlock(lock);
		rill_wake_flush(batch);
		rill_spin_lock(lock);
	}
}

/* To look again. */
static inline void rill_fanout_wake(struct rill_await *aw, void *arg, struct rill_wake_batch *batch)
{
	rill_await_wake(aw, batch);
}

#endif
