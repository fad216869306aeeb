/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A fair mutex: unlock hands it to the longest waiter. May be held across blocking calls. Zero
 * bytes are not a valid mutex: init it.
 */
#ifndef RILL_MUTEX_H
#define RILL_MUTEX_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_case;

struct rill_mutex {
	uint64_t opaque[4];
};

RILL_API void rill_mutex_init(struct rill_mutex *m);
/* 0 with the lock held. Cancel safe: loses the place in the queue, never the lock. */
RILL_API int rill_mutex_lock(struct rill_mutex *m);
/* 0, or -EBUSY when held or waited for. */
RILL_API int rill_mutex_trylock(struct rill_mutex *m);
/* By whoever holds it; need not be the task that locked it. */
RILL_API void rill_mutex_unlock(struct rill_mutex *m);
RILL_API void rill_case_mutex_lock(struct rill_case *c, struct rill_mutex *m);

RILL_END_DECLS

#endif
