/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What mutex, rwlock and semaphore are made of: a number of permits, and a queue of those who wait
 * for some. A mutex has one permit, a writer takes all of an rwlock's.
 *
 * The word holds the permits that are free, and:
 *
 *   CLOSED     nobody gets any
 *   WAITED     the queue is not empty; then no permit is free: the first in the queue has them
 *   QUEUE      somebody works on the queue, and owns the word until his store clears QUEUE
 *   MEASURED   stats is there
 *
 * The fast paths are CASes of a word without the bits that concern them. A release ends with its
 * one store or CAS of the word: whoever gets in by it may free the turnstile, for the one before
 * does not touch it again. (When it lets very many in, the word is stored now and then before that;
 * others wait then.) Permits change hands without being free, so nobody barges.
 */
#ifndef RILL_SYNC_TURNSTILE_H
#define RILL_SYNC_TURNSTILE_H

#include "runtime/await.h"
#include "runtime/held.h"
#include "runtime/runtime.h"

struct rill_lock_stats;

enum rill_turnstile_word {
	RILL_TURNSTILE_CLOSED = 1,
	RILL_TURNSTILE_WAITED = 2,
	RILL_TURNSTILE_QUEUE = 4,
	RILL_TURNSTILE_MEASURED = 8,
	RILL_TURNSTILE_BITS = 15,
	RILL_TURNSTILE_PERMIT = 16,
};

#define RILL_TURNSTILE_MAX (UINT64_MAX / RILL_TURNSTILE_PERMIT)

struct rill_turnstile {
	struct rill_held held; /* first: dumps look for it; by the holder, or whoever makes it so */
	RILL_ATOMIC(uint64_t) word;
	struct rill_lock_stats *stats; /* of MEASURED */
	struct rill_list queue;	       /* of turns, longest waiter first; by whoever set QUEUE */
};

/* Who waits, and for how many permits. All but asked is written by whoever set QUEUE. */
struct rill_turn {
	struct rill_await aw; /* first; value: how many it does not have yet */
	uint64_t asked;
	uint64_t since_ns; /* when the wait began, if that is measured */
	bool exclusive;	   /* whoever gets in is the holder */
};

RILL_STATIC_ASSERT(sizeof(struct rill_turn) <= offsetof(struct rill_case, result),
		   "the public case holds a turn");

void rill_turnstile_init(struct rill_turnstile *ts, uint64_t permits);

/* A turn to be waited for, by rill_await() or as a case. */
static inline void rill_turn_init(struct rill_turn *t, const struct rill_await_ops *ops,
				  struct rill_turnstile *ts, uint64_t permits, bool exclusive)
{
	rill_await_init(&t->aw, ops, ts, NULL);
	t->asked = permits;
	t->exclusive = exclusive;
}

static inline struct rill_turn *rill_turn_of(struct rill_await *aw)
{
	return RILL_CONTAINER_OF(aw, struct rill_turn, aw);
}

static inline struct rill_turn *rill_turn_of_case(struct rill_case *c)
{
	return rill_turn_of(rill_await_of(c));
}

/* For the ops; results as of rill_turnstile_try(). */
int rill_turn_try(struct rill_await *aw);
int rill_turn_arm(struct rill_await *aw);
int rill_turn_disarm(struct rill_await *aw, bool take);

/* tried: for those who have tried already, and found nothing. */
#define RILL_TURN_OPS(name, tried)                                                                 \
	{                                                                                          \
		.what = (name), .arm_only = (tried), .try = rill_turn_try, .arm = rill_turn_arm,   \
		.disarm = rill_turn_disarm,                                                        \
	}

/* t: NULL for nobody, or no task. */
static inline void rill_turnstile_note_holder(struct rill_turnstile *ts, const struct rill_task *t)
{
	/* relaxed: for those who look on */
	rill_store_relaxed(&ts->held.task_id, t ? rill_load_relaxed(&t->id) : 0);
}

static inline uint64_t rill_turnstile_free(uint64_t word)
{
	return word / RILL_TURNSTILE_PERMIT;
}

/* True when it got them at once, with nobody to look at. */
static RILL_ALWAYS_INLINE bool rill_turnstile_take(struct rill_turnstile *ts, uint64_t permits)
{
	uint64_t word = rill_load_relaxed(&ts->word);

	while (!(word & RILL_TURNSTILE_BITS) && rill_turnstile_free(word) >= permits)
		/* acquire: pairs with the release in rill_turnstile_give() */
		if (rill_cas_acquire(&ts->word, &word, word - permits * RILL_TURNSTILE_PERMIT))
			return true;
	return false;
}

/* 0; -EAGAIN: there are fewer; -EPIPE: closed; -EINVAL: there can't be as many. */
int rill_turnstile_try(struct rill_turnstile *ts, uint64_t permits, bool exclusive);

void rill_turnstile_give_slow(struct rill_turnstile *ts, uint64_t permits, uint64_t limit);

/* Gives permits to whoever is first in the queue. No more than limit can be free. */
static RILL_ALWAYS_INLINE void rill_turnstile_give(struct rill_turnstile *ts, uint64_t permits,
						   uint64_t limit)
{
	const unsigned busy =
		RILL_TURNSTILE_WAITED | RILL_TURNSTILE_QUEUE | RILL_TURNSTILE_MEASURED;
	uint64_t word = rill_load_relaxed(&ts->word);

	while (!(word & busy) && rill_turnstile_free(word) + permits <= limit)
		/* release: pairs with the acquires in rill_turnstile_take() and try_lock() */
		if (rill_cas_release(&ts->word, &word, word + permits * RILL_TURNSTILE_PERMIT))
			return;
	rill_turnstile_give_slow(ts, permits, limit);
}

/* Takes up to so many free permits away; how many. */
uint64_t rill_turnstile_forget(struct rill_turnstile *ts, uint64_t permits);
/* Wakes all who wait; they get -EPIPE. */
void rill_turnstile_close(struct rill_turnstile *ts);
void rill_turnstile_measure(struct rill_turnstile *ts, struct rill_lock_stats *stats);

/* ---- a turn whose place in the queue outlives the wait: see rill_acquiring_begin() ---- */

/* 0: acquired; -EAGAIN: queued, and waiter, if any, will be woken; -EPIPE, -EINVAL. */
int rill_turn_ask(struct rill_turn *place, uint64_t permits, struct rill_waiter *waiter);
/* The wait is over. 0: acquired, if that is taken; else the place is kept. */
int rill_turn_pause(struct rill_turn *place, bool take);
void rill_turn_give_up(struct rill_turn *place);

#endif
