/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/quota.h"

/* 64 idle users keep an eighth of it. */
#define CHUNKS 1024
#define CHUNK_MIN (UINT64_C(4) << 10)
#define CHUNK_MAX (UINT64_C(256) << 10)

void rill_quota_init(struct rill_quota *q, uint64_t max)
{
	uint64_t chunk = max / CHUNKS;

	rill_store_relaxed(&q->used, 0);
	q->max = max;
	q->chunk = chunk < CHUNK_MIN ? CHUNK_MIN : RILL_MIN(chunk, CHUNK_MAX);
}

/* relaxed, as all of it: a number, which says nothing about other memory. */
static bool is_over(const struct rill_quota *q)
{
	return rill_load_relaxed(&q->used) > q->max;
}

/* Past the bound everything goes back as soon as it is free: nobody keeps what was forced. */
static void set_reserved(struct rill_quota_share *s, uint64_t reserved)
{
	uint64_t slack = is_over(s->quota) ? 0 : 2 * s->quota->chunk;

	rill_store_relaxed(&s->reserved, reserved);
	s->floor = reserved > slack ? reserved - slack : 0;
}

void rill_quota_join(struct rill_quota_share *s, struct rill_quota *quota)
{
	*s = (struct rill_quota_share){.quota = quota, .reserved = quota ? 0 : UINT64_MAX};
}

void rill_quota_leave(struct rill_quota_share *s)
{
	if (!s->quota)
		return;
	rill_fetch_sub_relaxed(&s->quota->used, s->reserved);
	rill_quota_join(s, NULL);
}

bool rill_quota_fetch(struct rill_quota_share *s)
{
	struct rill_quota *q = s->quota;

	if (!q)
		return true;
	/* relaxed: see is_over() */
	if (rill_fetch_add_relaxed(&q->used, q->chunk) + q->chunk > q->max) {
		rill_fetch_sub_relaxed(&q->used, q->chunk);
		return false;
	}
	set_reserved(s, s->reserved + q->chunk);
	return true;
}

bool rill_quota_reserve(struct rill_quota_share *s, uint64_t used, uint64_t more)
{
	while (used + more > s->reserved) {
		if (rill_quota_fetch(s))
			continue;
		/* What was fetched in vain is others'. */
		rill_quota_shrank(s, used);
		return false;
	}
	return true;
}

void rill_quota_cover(struct rill_quota_share *s, uint64_t used)
{
	while (used > s->reserved) {
		if (rill_quota_fetch(s))
			continue;
		rill_fetch_add_relaxed(&s->quota->used, used - s->reserved);
		set_reserved(s, used);
	}
}

void rill_quota_give_back(struct rill_quota_share *s, uint64_t used)
{
	uint64_t keep = is_over(s->quota) ? used : used + s->quota->chunk;

	keep = RILL_MIN(keep, s->reserved);
	rill_fetch_sub_relaxed(&s->quota->used, s->reserved - keep);
	set_reserved(s, keep);
}
