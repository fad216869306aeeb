/* SPDX-License-Identifier: BSD-3-Clause */
/* A reader has one permit of the turnstile, a writer all of them. */
#include <rill/rwlock.h>

#include "base/assert.h"
#include "sync/turnstile.h"

struct rwlock {
	struct rill_turnstile ts; /* first: it begins with the holder, the writer */
	uint64_t max;		  /* readers; fixed */
};

RILL_STATIC_ASSERT(sizeof(struct rwlock) == sizeof(struct rill_rwlock),
		   "laid over the public struct");
RILL_STATIC_ASSERT(_Alignof(struct rwlock) <= _Alignof(struct rill_rwlock), "as aligned");

static const struct rill_await_ops read_ops = RILL_TURN_OPS(rill_what_rwlock_read, false);
static const struct rill_await_ops read_tried_ops = RILL_TURN_OPS(rill_what_rwlock_read, true);
static const struct rill_await_ops write_ops = RILL_TURN_OPS(rill_what_rwlock_write, false);
static const struct rill_await_ops write_tried_ops = RILL_TURN_OPS(rill_what_rwlock_write, true);

static struct rwlock *rwlock_of(struct rill_rwlock *l)
{
	return (struct rwlock *)(void *)l;
}

int rill_rwlock_init_max(struct rill_rwlock *l, uint32_t max_readers)
{
	struct rwlock *rw = rwlock_of(l);

	if (max_readers == 0 || max_readers > RILL_RWLOCK_READERS_MAX)
		return -EINVAL;
	rill_turnstile_init(&rw->ts, max_readers);
	rw->max = max_readers;
	return 0;
}

void rill_rwlock_init(struct rill_rwlock *l)
{
	rill_rwlock_init_max(l, RILL_RWLOCK_READERS_MAX);
}

static RILL_NOINLINE int read_slow(struct rwlock *rw, const struct rill_await_ops *ops)
{
	struct rill_turn t;

	rill_turn_init(&t, ops, &rw->ts, 1, false);
	return rill_await(&t.aw, 0);
}

int rill_rwlock_read(struct rill_rwlock *l)
{
	struct rwlock *rw = rwlock_of(l);
	struct rill_worker *w;
	struct rill_task *self = rill_task_unhindered(&w);

	if (RILL_UNLIKELY(!self))
		return read_slow(rw, &read_ops);
	if (RILL_UNLIKELY(!rill_turnstile_take(&rw->ts, 1)))
		return read_slow(rw, &read_tried_ops);
	w->budget--; /* as rill_await() does */
	return 0;
}

static RILL_NOINLINE int write_slow(struct rwlock *rw, const struct rill_await_ops *ops)
{
	struct rill_turn t;

	rill_turn_init(&t, ops, &rw->ts, rw->max, true);
	return rill_await(&t.aw, 0);
}

int rill_rwlock_write(struct rill_rwlock *l)
{
	struct rwlock *rw = rwlock_of(l);
	struct rill_worker *w;
	struct rill_task *self = rill_task_unhindered(&w);

	if (RILL_UNLIKELY(!self))
		return write_slow(rw, &write_ops);
	if (RILL_UNLIKELY(!rill_turnstile_take(&rw->ts, rw->max)))
		return write_slow(rw, &write_tried_ops);
	w->budget--;
	rill_turnstile_note_holder(&rw->ts, self);
	return 0;
}

int rill_rwlock_try_read(struct rill_rwlock *l)
{
	return rill_turnstile_try(&rwlock_of(l)->ts, 1, false) < 0 ? -EBUSY : 0;
}

int rill_rwlock_try_write(struct rill_rwlock *l)
{
	struct rwlock *rw = rwlock_of(l);

	if (rill_turnstile_try(&rw->ts, rw->max, true) < 0)
		return -EBUSY;
	rill_turnstile_note_holder(&rw->ts, rill_task_current());
	return 0;
}

void rill_rwlock_unlock_read(struct rill_rwlock *l)
{
	struct rwlock *rw = rwlock_of(l);

	rill_turnstile_give(&rw->ts, 1, rw->max);
}

void rill_rwlock_unlock_write(struct rill_rwlock *l)
{
	struct rwlock *rw = rwlock_of(l);

	rill_turnstile_note_holder(&rw->ts, NULL);
	rill_turnstile_give(&rw->ts, rw->max, rw->max);
}

void rill_rwlock_downgrade(struct rill_rwlock *l)
{
	struct rwlock *rw = rwlock_of(l);

	rill_turnstile_note_holder(&rw->ts, NULL);
	/* The one that stays is what keeps the next writer out. */
	if (rw->max > 1)
		rill_turnstile_give(&rw->ts, rw->max - 1, rw->max - 1);
}

void rill_case_rwlock_read(struct rill_case *c, struct rill_rwlock *l)
{
	rill_turn_init(rill_turn_of_case(c), &read_ops, &rwlock_of(l)->ts, 1, false);
}

void rill_case_rwlock_write(struct rill_case *c, struct rill_rwlock *l)
{
	struct rwlock *rw = rwlock_of(l);

	rill_turn_init(rill_turn_of_case(c), &write_ops, &rw->ts, rw->max, true);
}

void rill_rwlock_measure(struct rill_rwlock *l, struct rill_lock_stats *stats)
{
	rill_turnstile_measure(&rwlock_of(l)->ts, stats);
}
