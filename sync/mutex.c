/* SPDX-License-Identifier: BSD-3-Clause */
/* A turnstile of one permit. */
#include <rill/mutex.h>

#include "base/assert.h"
#include "sync/turnstile.h"

RILL_STATIC_ASSERT(sizeof(struct rill_turnstile) == sizeof(struct rill_mutex),
		   "laid over the public struct");
RILL_STATIC_ASSERT(_Alignof(struct rill_turnstile) <= _Alignof(struct rill_mutex), "as aligned");

static const struct rill_await_ops lock_ops = RILL_TURN_OPS(rill_what_mutex, false);
static const struct rill_await_ops tried_ops = RILL_TURN_OPS(rill_what_mutex, true);

static struct rill_turnstile *turnstile_of(struct rill_mutex *m)
{
	return (struct rill_turnstile *)(void *)m;
}

/* The whole word is known beforehand: no need to load it. */
static RILL_ALWAYS_INLINE bool take_free(struct rill_turnstile *ts)
{
	uint64_t word = RILL_TURNSTILE_PERMIT;

	/* acquire: pairs with the release in rill_mutex_unlock() */
	return rill_cas_acquire(&ts->word, &word, 0);
}

void rill_mutex_init(struct rill_mutex *m)
{
	rill_turnstile_init(turnstile_of(m), 1);
}

static RILL_NOINLINE int lock_slow(struct rill_turnstile *ts, const struct rill_await_ops *ops)
{
	struct rill_turn t;

	rill_turn_init(&t, ops, ts, 1, true);
	return rill_await(&t.aw, 0);
}

int rill_mutex_lock(struct rill_mutex *m)
{
	struct rill_turnstile *ts = turnstile_of(m);
	struct rill_worker *w;
	struct rill_task *self = rill_task_unhindered(&w);

	if (RILL_UNLIKELY(!self))
		return lock_slow(ts, &lock_ops);
	if (RILL_UNLIKELY(!take_free(ts)))
		return lock_slow(ts, &tried_ops);
	w->budget--; /* as rill_await() does */
	rill_turnstile_note_holder(ts, self);
	return 0;
}

int rill_mutex_try_lock(struct rill_mutex *m)
{
	struct rill_turnstile *ts = turnstile_of(m);

	if (rill_turnstile_try(ts, 1, true) < 0)
		return -EBUSY;
	rill_turnstile_note_holder(ts, rill_task_current());
	return 0;
}

void rill_mutex_unlock(struct rill_mutex *m)
{
	struct rill_turnstile *ts = turnstile_of(m);
	uint64_t word = rill_load_relaxed(&ts->word);

	rill_turnstile_note_holder(ts, NULL);
	/* release: pairs with the acquires in take_free() and the turnstile's try_lock() */
	if (RILL_UNLIKELY(word != 0 || !rill_cas_release(&ts->word, &word, RILL_TURNSTILE_PERMIT)))
		rill_turnstile_give_slow(ts, 1, 1);
}

void rill_case_mutex_lock(struct rill_case *c, struct rill_mutex *m)
{
	rill_turn_init(rill_turn_of_case(c), &lock_ops, turnstile_of(m), 1, true);
}

void rill_mutex_measure(struct rill_mutex *m, struct rill_lock_stats *stats)
{
	rill_turnstile_measure(turnstile_of(m), stats);
}
