/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A fair mutex: unlock hands it to the longest waiter. May be held across blocking calls, and be
 * unlocked by another task or thread than the one that locked it, so there is but one kind of lock:
 * none that is owned, and none for plain threads, which simply block in it. Zero bytes are not a
 * valid mutex: init it. Whoever holds it and knows of no other user may free it after the unlock.
 */
#ifndef RILL_MUTEX_H
#define RILL_MUTEX_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_case;
struct rill_lock_stats;

struct rill_mutex {
	uint64_t opaque[5];
};

RILL_API void rill_mutex_init(struct rill_mutex *m);
/* 0 with the lock held. Cancel safe: loses the place in the queue, never the lock. */
RILL_API int rill_mutex_lock(struct rill_mutex *m);
/* 0, or -EBUSY when held or waited for. */
RILL_API int rill_mutex_try_lock(struct rill_mutex *m);
/* By whoever holds it; need not be the task that locked it. */
RILL_API void rill_mutex_unlock(struct rill_mutex *m);
RILL_API void rill_case_mutex_lock(struct rill_case *c, struct rill_mutex *m);
/*
 * Times waits and holds from now on (see lock_stats.h). NULL: no more. To end it or to change the
 * stats nobody may hold it, wait for it or be in a call on it.
 */
RILL_API void rill_mutex_measure(struct rill_mutex *m, struct rill_lock_stats *stats);

RILL_END_DECLS

#endif
