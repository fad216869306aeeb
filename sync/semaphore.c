/* SPDX-License-Identifier: BSD-3-Clause */
#include <rill/semaphore.h>

#include "base/assert.h"
#include "sync/turnstile.h"

RILL_STATIC_ASSERT(sizeof(struct rill_turnstile) == sizeof(struct rill_semaphore),
		   "laid over the public struct");
RILL_STATIC_ASSERT(_Alignof(struct rill_turnstile) <= _Alignof(struct rill_semaphore),
		   "as aligned");
RILL_STATIC_ASSERT(RILL_SEMAPHORE_MAX == RILL_TURNSTILE_MAX, "they fit into the word");

static const char what[] = "semaphore";

static const struct rill_await_ops acquire_ops = RILL_TURN_OPS(what, false);
static const struct rill_await_ops tried_ops = RILL_TURN_OPS(what, true);

static struct rill_turnstile *turnstile_of(struct rill_semaphore *s)
{
	return (struct rill_turnstile *)(void *)s;
}

static const struct rill_turnstile *turnstile_of_const(const struct rill_semaphore *s)
{
	return (const struct rill_turnstile *)(const void *)s;
}

int rill_semaphore_init(struct rill_semaphore *s, size_t permits)
{
	if (permits > RILL_SEMAPHORE_MAX)
		return -EINVAL;
	rill_turnstile_init(turnstile_of(s), permits);
	return 0;
}

static RILL_NOINLINE int acquire_slow(struct rill_turnstile *ts, size_t n,
				      const struct rill_await_ops *ops)
{
	struct rill_turn t;

	rill_turn_init(&t, ops, ts, n, false);
	return rill_await(&t.aw, 0);
}

int rill_semaphore_acquire(struct rill_semaphore *s, size_t n)
{
	struct rill_turnstile *ts = turnstile_of(s);
	struct rill_worker *w;
	struct rill_task *self = rill_task_unhindered(&w);

	if (RILL_UNLIKELY(!self))
		return acquire_slow(ts, n, &acquire_ops);
	if (RILL_UNLIKELY(!rill_turnstile_take(ts, n)))
		return acquire_slow(ts, n, &tried_ops);
	w->budget--; /* as rill_await() does */
	return 0;
}

int rill_semaphore_try_acquire(struct rill_semaphore *s, size_t n)
{
	return rill_turnstile_try(turnstile_of(s), n, false);
}

void rill_semaphore_release(struct rill_semaphore *s, size_t n)
{
	RILL_ASSERT_CMP(n, <=, RILL_SEMAPHORE_MAX);
	rill_turnstile_give(turnstile_of(s), n, RILL_SEMAPHORE_MAX);
}

size_t rill_semaphore_forget(struct rill_semaphore *s, size_t n)
{
	return rill_turnstile_forget(turnstile_of(s), n);
}

size_t rill_semaphore_available(const struct rill_semaphore *s)
{
	return rill_turnstile_free(rill_load_relaxed(&turnstile_of_const(s)->word));
}

void rill_semaphore_close(struct rill_semaphore *s)
{
	rill_turnstile_close(turnstile_of(s));
}

bool rill_semaphore_is_closed(const struct rill_semaphore *s)
{
	return rill_load_relaxed(&turnstile_of_const(s)->word) & RILL_TURNSTILE_CLOSED;
}

void rill_case_semaphore_acquire(struct rill_case *c, struct rill_semaphore *s, size_t n)
{
	rill_turn_init(rill_turn_of_case(c), &acquire_ops, turnstile_of(s), n, false);
}

void rill_semaphore_measure(struct rill_semaphore *s, struct rill_lock_stats *stats)
{
	rill_turnstile_measure(turnstile_of(s), stats);
}

/* ---- an acquire in several steps ---- */

RILL_STATIC_ASSERT(sizeof(struct rill_turn) == sizeof(struct rill_acquiring),
		   "laid over the public struct");
RILL_STATIC_ASSERT(_Alignof(struct rill_turn) <= _Alignof(struct rill_acquiring), "as aligned");

static struct rill_turn *place_of(struct rill_acquiring *a)
{
	return (struct rill_turn *)(void *)a;
}

void rill_acquiring_begin(struct rill_acquiring *a, struct rill_semaphore *s)
{
	struct rill_turn *place = place_of(a);

	/* Never waited for itself: waits come and go, see the awaitable below. */
	rill_turn_init(place, &acquire_ops, turnstile_of(s), 0, false);
	place->aw.waiter = NULL;
}

int rill_acquiring_poll(struct rill_acquiring *a, size_t n)
{
	return rill_turn_ask(place_of(a), n, NULL);
}

void rill_acquiring_end(struct rill_acquiring *a)
{
	rill_turn_give_up(place_of(a));
}

static int acquiring_try(struct rill_await *aw)
{
	return rill_acquiring_poll(aw->arg, aw->value);
}

static int acquiring_arm(struct rill_await *aw)
{
	return rill_turn_ask(place_of(aw->arg), aw->value, aw->waiter);
}

static int acquiring_disarm(struct rill_await *aw, bool take)
{
	return rill_turn_pause(place_of(aw->arg), take);
}

static const struct rill_await_ops acquiring_ops = {
	.what = what,
	.arm_only = true,
	.try = acquiring_try,
	.arm = acquiring_arm,
	.disarm = acquiring_disarm,
};

static void prepare(struct rill_await *aw, struct rill_acquiring *a, size_t n)
{
	rill_await_init(aw, &acquiring_ops, place_of(a)->aw.obj, a);
	aw->value = n;
}

int rill_acquiring_wait(struct rill_acquiring *a, size_t n)
{
	struct rill_await aw;

	prepare(&aw, a, n);
	return rill_await(&aw, 0);
}

void rill_case_acquiring(struct rill_case *c, struct rill_acquiring *a, size_t n)
{
	prepare(rill_await_of(c), a, n);
}
