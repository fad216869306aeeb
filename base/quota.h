/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A bound that many users share without a shared atomic for each use: each has a part of it ahead,
 * its share, which it fetches and gives back in chunks. used is the sum of all shares, so it is
 * never less than what is really used, and at most two chunks for each user more.
 */
#ifndef RILL_BASE_QUOTA_H
#define RILL_BASE_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"

struct rill_quota {
	RILL_ATOMIC(uint64_t) used RILL_CACHE_ALIGNED;
	uint64_t max;
	uint64_t chunk;
};

/* Of one user; its calls come one at a time. */
struct rill_quota_share {
	struct rill_quota *quota; /* NULL: no bound */
	uint64_t reserved;	  /* part of quota->used */
	uint64_t floor;		  /* with less in use some of reserved goes back */
};

/* max is more than 0. */
void rill_quota_init(struct rill_quota *q, uint64_t max);
/* quota NULL: a share without bound. */
void rill_quota_join(struct rill_quota_share *s, struct rill_quota *quota);
/* Everything goes back. */
void rill_quota_leave(struct rill_quota_share *s);

/* ---- for the functions below ---- */

bool rill_quota_fetch(struct rill_quota_share *s);
void rill_quota_cover(struct rill_quota_share *s, uint64_t used);
void rill_quota_give_back(struct rill_quota_share *s, uint64_t used);

/* The user has more in use now: used in all. It is taken, past max if need be. */
static inline void rill_quota_grew(struct rill_quota_share *s, uint64_t used)
{
	if (RILL_UNLIKELY(used > s->reserved))
		rill_quota_cover(s, used);
}

static inline void rill_quota_shrank(struct rill_quota_share *s, uint64_t used)
{
	if (RILL_UNLIKELY(used < s->floor))
		rill_quota_give_back(s, used);
}

/* The user, with used in use, would be past what all may have. */
static inline bool rill_quota_is_full(struct rill_quota_share *s, uint64_t used)
{
	return RILL_UNLIKELY(used >= s->reserved) && !rill_quota_fetch(s);
}

/*
 * Sees to it that the user, with used in use, can have more of it without being past what all may
 * have. False: it cannot.
 */
bool rill_quota_reserve(struct rill_quota_share *s, uint64_t used, uint64_t more);

/* Past three quarters of what all may have. */
static inline bool rill_quota_is_low(const struct rill_quota_share *s)
{
	/* relaxed: as good as any other moment */
	return s->quota && rill_load_relaxed(&s->quota->used) >= s->quota->max / 4 * 3;
}

#endif
