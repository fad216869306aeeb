/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef RILL_SYNC_LOCK_STATS_H
#define RILL_SYNC_LOCK_STATS_H

#include <rill/lock_stats.h>

/* since_ns of a turn that did not wait, or whose wait was not measured. */
#define RILL_LOCK_STATS_NO_WAIT UINT64_MAX

/* The caller has taken, or is about to give back, permits of the lock. exclusive: there is no other
 * holder now. */
void rill_lock_stats_taken(struct rill_lock_stats *stats, const void *lock, uint64_t permits,
			   bool exclusive, uint64_t since_ns);
void rill_lock_stats_given(struct rill_lock_stats *stats, const void *lock, uint64_t permits);

#endif
