/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A fair lock for many readers or one writer. Strictly first come, first served: a reader who comes
 * after a queued writer waits behind him, so a task that reads must not read again inside. May be
 * held across blocking calls, and be given back by another task or thread. Zero bytes are not a
 * valid lock: init it.
 */
#ifndef RILL_RWLOCK_H
#define RILL_RWLOCK_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_case;
struct rill_lock_stats;

#define RILL_RWLOCK_READERS_MAX (UINT32_MAX >> 3)

struct rill_rwlock {
	uint64_t opaque[6];
};

RILL_API void rill_rwlock_init(struct rill_rwlock *l);
/* For at most so many readers at a time; more wait. -EINVAL: 0, or above
 * RILL_RWLOCK_READERS_MAX. */
RILL_API int rill_rwlock_init_max(struct rill_rwlock *l, uint32_t max_readers);

/* 0 with the lock held. Cancel safe: lose the place in the queue, never the lock; readers behind a
 * writer who gives up go on at once. */
RILL_API int rill_rwlock_read(struct rill_rwlock *l);
RILL_API int rill_rwlock_write(struct rill_rwlock *l);
/* 0, or -EBUSY: held so that the caller would have to wait, or waited for. */
RILL_API int rill_rwlock_try_read(struct rill_rwlock *l);
RILL_API int rill_rwlock_try_write(struct rill_rwlock *l);

RILL_API void rill_rwlock_unlock_read(struct rill_rwlock *l);
RILL_API void rill_rwlock_unlock_write(struct rill_rwlock *l);
/* Makes the writer a reader. No other writer gets in between; queued readers do, up to the first
 * queued writer. */
RILL_API void rill_rwlock_downgrade(struct rill_rwlock *l);

RILL_API void rill_case_rwlock_read(struct rill_case *c, struct rill_rwlock *l);
RILL_API void rill_case_rwlock_write(struct rill_case *c, struct rill_rwlock *l);
/* As rill_mutex_measure(). */
RILL_API void rill_rwlock_measure(struct rill_rwlock *l, struct rill_lock_stats *stats);

RILL_END_DECLS

#endif
