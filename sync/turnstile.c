/* SPDX-License-Identifier: BSD-3-Clause */
#include "sync/turnstile.h"

#include <rill/time.h>

#include "base/assert.h"
#include "base/spinlock.h"
#include "sync/fanout.h"
#include "sync/lock_stats.h"

enum {
	CLOSED = RILL_TURNSTILE_CLOSED,
	WAITED = RILL_TURNSTILE_WAITED,
	QUEUE = RILL_TURNSTILE_QUEUE,
	MEASURED = RILL_TURNSTILE_MEASURED,
	PERMIT = RILL_TURNSTILE_PERMIT,
};

void rill_turnstile_init(struct rill_turnstile *ts, uint64_t permits)
{
	ts->held.task_id = 0;
	ts->word = permits * PERMIT;
	ts->stats = NULL;
	rill_list_init(&ts->queue);
}

static RILL_ALWAYS_INLINE bool try_lock(struct rill_turnstile *ts, uint64_t *ret_word)
{
	uint64_t old = rill_load_relaxed(&ts->word);

	/* acquire: pairs with the release in unlock() and rill_turnstile_give() */
	if ((old & QUEUE) || !rill_cas_acquire(&ts->word, &old, old | QUEUE))
		return false;
	*ret_word = old;
	return true;
}

static RILL_NOINLINE uint64_t await_lock(struct rill_turnstile *ts)
{
	uint64_t word;

	for (unsigned n = 1; !try_lock(ts, &word); n++)
		rill_spin_pause(n);
	return word;
}

/* Returns the word as it was; the caller gives it back, changed or not, to unlock(). */
static RILL_ALWAYS_INLINE uint64_t lock(struct rill_turnstile *ts)
{
	uint64_t word;

	return RILL_LIKELY(try_lock(ts, &word)) ? word : await_lock(ts);
}

static void unlock(struct rill_turnstile *ts, uint64_t word)
{
	/* release: pairs with the acquires in try_lock() and rill_turnstile_take() */
	rill_store_release(&ts->word, word);
}

static struct rill_turn *first_turn(struct rill_turnstile *ts)
{
	struct rill_await *aw = rill_await_first(&ts->queue);

	return aw ? rill_turn_of(aw) : NULL;
}

/* What was set aside for a turn. */
static uint64_t assigned(const struct rill_turn *t)
{
	return t->asked - t->aw.value;
}

static void note_waiter(struct rill_turnstile *ts, struct rill_waiter *w)
{
	rill_turnstile_note_holder(ts, w->is_task ? rill_task_of(w) : NULL);
}

/* It has all it asked for. */
static void let_in(struct rill_turnstile *ts, struct rill_turn *t, bool measured,
		   struct rill_wake_batch *batch)
{
	struct rill_waiter *waiter = t->aw.waiter;

	if (RILL_UNLIKELY(!waiter)) {
		rill_list_del(&t->aw.link);
		return;
	}
	rill_await_grant(&t->aw, batch);
	/* By its disarm, too, which takes the time. */
	if (RILL_UNLIKELY(measured))
		rill_store_relaxed(&t->aw.granted, RILL_GRANT_GIVEN);
	/* Not before: nobody waits for what he holds. */
	if (t->exclusive)
		note_waiter(ts, waiter);
}

/* Hands permits to the first in the queue, up to a chunk of them; how many are left. */
static uint64_t hand_out_chunk(struct rill_turnstile *ts, uint64_t permits, bool measured,
			       struct rill_wake_batch *batch)
{
	struct rill_turn *t;

	for (unsigned i = 0; i < RILL_FANOUT_CHUNK && permits > 0 && (t = first_turn(ts)); i++) {
		uint64_t n = RILL_MIN(permits, t->aw.value);

		permits -= n;
		t->aw.value -= n;
		if (t->aw.value == 0)
			let_in(ts, t, measured, batch);
	}
	return permits;
}

/* Hands permits, and what is free, to the first in the queue; the rest is free. Unlocks. */
static void hand_out(struct rill_turnstile *ts, uint64_t word, uint64_t permits)
{
	for (;;) {
		struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

		permits += rill_turnstile_free(word);
		permits = hand_out_chunk(ts, permits, word & MEASURED, &batch);
		bool waited = !rill_list_empty(&ts->queue);
		bool more = waited && permits > 0;

		RILL_ASSERT_CMP(permits, <=, RILL_TURNSTILE_MAX); /* more than there can be */
		unlock(ts, (more ? 0 : permits * PERMIT) + (word & (CLOSED | MEASURED)) +
				   (waited ? WAITED : 0));
		rill_wake_flush(&batch);
		if (RILL_LIKELY(!more))
			return;
		word = lock(ts);
	}
}

/* ---- taking ---- */

/* When a wait begins. */
static uint64_t begin_time(uint64_t word)
{
	return RILL_UNLIKELY(word & MEASURED) ? rill_now() : RILL_LOCK_STATS_NO_WAIT;
}

/* By whoever has taken permits, when the lock is released. */
static void took(struct rill_turnstile *ts, uint64_t permits, bool exclusive, uint64_t since_ns)
{
	/* acquire: pairs with the release in rill_turnstile_measure() */
	if (RILL_UNLIKELY(rill_load_acquire(&ts->word) & MEASURED))
		rill_lock_stats_taken(ts->stats, ts, permits, exclusive, since_ns);
}

/* As rill_turnstile_try(), by the word alone. */
static int may_take(uint64_t word, uint64_t permits)
{
	if (permits > RILL_TURNSTILE_MAX)
		return -EINVAL;
	if (word & CLOSED)
		return -EPIPE;
	if (permits > rill_turnstile_free(word))
		return -EAGAIN;
	return 0;
}

static RILL_NOINLINE int try_locked(struct rill_turnstile *ts, uint64_t permits, bool exclusive)
{
	uint64_t word = lock(ts);
	int r = may_take(word, permits);

	unlock(ts, r == 0 ? word - permits * PERMIT : word);
	if (r == 0)
		took(ts, permits, exclusive, RILL_LOCK_STATS_NO_WAIT);
	return r;
}

int rill_turnstile_try(struct rill_turnstile *ts, uint64_t permits, bool exclusive)
{
	if (RILL_LIKELY(rill_turnstile_take(ts, permits)))
		return 0;
	uint64_t word = rill_load_relaxed(&ts->word);
	int r = may_take(word, permits);

	/* Whoever works on the queue may be about to free some. */
	if (r == 0 || (word & QUEUE))
		return try_locked(ts, permits, exclusive);
	return r;
}

int rill_turn_try(struct rill_await *aw)
{
	struct rill_turn *t = rill_turn_of(aw);
	int r = rill_turnstile_try(aw->obj, t->asked, t->exclusive);

	if (r == 0 && t->exclusive)
		rill_turnstile_note_holder(aw->obj, rill_task_current());
	return r;
}

/* Queues the turn behind all others, with what is free. Unlocks. */
static void enqueue(struct rill_turnstile *ts, struct rill_turn *t, uint64_t word)
{
	t->aw.value = t->asked - rill_turnstile_free(word);
	t->since_ns = begin_time(word);
	rill_list_push_back(&ts->queue, &t->aw.link);
	unlock(ts, (word & MEASURED) | WAITED);
}

int rill_turn_arm(struct rill_await *aw)
{
	struct rill_turn *t = rill_turn_of(aw);
	struct rill_turnstile *ts = aw->obj;

	uint64_t word = lock(ts);
	int r = may_take(word, t->asked);

	if (r == -EAGAIN) {
		enqueue(ts, t, word);
		return r;
	}
	if (r < 0) {
		unlock(ts, word);
		return r;
	}
	if (t->exclusive)
		note_waiter(ts, aw->waiter);
	unlock(ts, word - t->asked * PERMIT);
	took(ts, t->asked, t->exclusive, RILL_LOCK_STATS_NO_WAIT);
	return 0;
}

int rill_turn_disarm(struct rill_await *aw, bool take)
{
	struct rill_turn *t = rill_turn_of(aw);
	struct rill_turnstile *ts = aw->obj;
	uint64_t word = lock(ts);
	bool granted = rill_await_granted(aw);

	if (granted && take) {
		unlock(ts, word);
		took(ts, t->asked, t->exclusive, t->since_ns);
		return 0;
	}
	rill_list_del(&aw->link);
	if (granted && t->exclusive)
		rill_turnstile_note_holder(ts, NULL);
	hand_out(ts, word, assigned(t));
	return -EAGAIN;
}

/* ---- giving back ---- */

void rill_turnstile_give_slow(struct rill_turnstile *ts, uint64_t permits, uint64_t limit)
{
	uint64_t word = lock(ts);

	if (RILL_UNLIKELY(word & MEASURED))
		rill_lock_stats_given(ts->stats, ts, permits);
	/* Else somebody gave back what he did not have. */
	RILL_ASSERT_CMP(rill_turnstile_free(word) + permits, <=, limit);
	hand_out(ts, word, permits);
}

uint64_t rill_turnstile_forget(struct rill_turnstile *ts, uint64_t permits)
{
	uint64_t word = lock(ts);
	uint64_t n = RILL_MIN(permits, rill_turnstile_free(word));

	unlock(ts, word - n * PERMIT);
	return n;
}

/* Wakes those of the list, to look again; true when that were all. */
static bool wake_chunk(struct rill_list *list, struct rill_wake_batch *batch)
{
	struct rill_await *aw;

	for (unsigned i = 0; i < RILL_FANOUT_CHUNK && (aw = rill_await_first(list)); i++) {
		if (aw->waiter)
			rill_await_wake(aw, batch);
		else
			rill_list_del(&aw->link);
	}
	return rill_list_empty(list);
}

void rill_turnstile_close(struct rill_turnstile *ts)
{
	uint64_t word = lock(ts);
	struct rill_turn *first = first_turn(ts);
	struct rill_list rest;
	bool done;

	if (first) {
		word += assigned(first) * PERMIT;
		first->aw.value = first->asked;
	}
	/* Who gives up waiting takes himself out of it, under the lock. */
	rill_list_init(&rest);
	rill_list_splice_back(&rest, &ts->queue);
	word = (word & ~(uint64_t)WAITED) | CLOSED;
	for (;;) {
		struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

		done = wake_chunk(&rest, &batch);
		unlock(ts, word);
		rill_wake_flush(&batch);
		if (done)
			return;
		word = lock(ts);
	}
}

void rill_turnstile_measure(struct rill_turnstile *ts, struct rill_lock_stats *stats)
{
	uint64_t word = lock(ts);

	ts->stats = stats;
	/* unlock's release: pairs with the acquires in took() and try_lock() */
	unlock(ts, stats ? word | MEASURED : word & ~(uint64_t)MEASURED);
}

/* ---- a place that outlives the wait ---- */

/*
 * asked is 0 while it has no place. Else it is queued, or was let in and has all that it asked for
 * then. The waiter is there during a wait only: who is let in without one finds out when it asks
 * again.
 */
static bool was_let_in(const struct rill_turn *place)
{
	return place->asked > 0 && place->aw.value == 0;
}

/* It has no place any more. */
static void leave_place(struct rill_turn *place)
{
	rill_list_del(&place->aw.link);
	place->asked = 0;
	place->aw.value = 0;
	place->aw.waiter = NULL;
}

/* Nobody but the first in the queue is to have a part of what he asked for: there may never be
 * enough for two. So what the first has goes to the one that comes before him. */
static uint64_t take_from_first(struct rill_turnstile *ts, uint64_t wanted)
{
	struct rill_turn *first = first_turn(ts);
	uint64_t n = first ? RILL_MIN(wanted, assigned(first)) : 0;

	if (n > 0)
		first->aw.value += n;
	return n;
}

/* Still wanted are more than it has. Queues it; 0 when that was not needed. */
static int ask_for_more(struct rill_turnstile *ts, struct rill_turn *place, uint64_t *word,
			uint64_t permits)
{
	uint64_t have = assigned(place);
	bool queued = rill_list_linked(&place->aw.link);
	bool before_all = place->asked > 0 && !queued;

	if (!queued && !(*word & WAITED)) {
		uint64_t n = RILL_MIN(rill_turnstile_free(*word), permits - have);

		*word -= n * PERMIT;
		have += n;
	} else if (before_all) {
		have += take_from_first(ts, permits - have);
	}
	if (have == permits) {
		leave_place(place);
		return 0;
	}
	place->asked = permits;
	place->aw.value = permits - have;
	if (before_all)
		rill_list_push_front(&ts->queue, &place->aw.link);
	else if (!queued)
		rill_list_push_back(&ts->queue, &place->aw.link);
	*word |= WAITED;
	return -EAGAIN;
}

/* The place for permits, as it is with the lock held. Unlocks. */
static int ask_locked(struct rill_turnstile *ts, struct rill_turn *place, uint64_t word,
		      uint64_t permits, struct rill_waiter *waiter)
{
	uint64_t have = assigned(place);

	place->aw.waiter = NULL;
	if ((word & CLOSED) && (!was_let_in(place) || permits > have)) {
		leave_place(place);
		hand_out(ts, word, have);
		return -EPIPE;
	}
	if (permits <= have) {
		leave_place(place);
		hand_out(ts, word, have - permits);
		return 0;
	}
	int r = ask_for_more(ts, place, &word, permits);

	if (r == -EAGAIN)
		place->aw.waiter = waiter;
	unlock(ts, word);
	return r;
}

int rill_turn_ask(struct rill_turn *place, uint64_t permits, struct rill_waiter *waiter)
{
	struct rill_turnstile *ts = place->aw.obj;
	bool waited = place->asked > 0;

	if (permits > RILL_TURNSTILE_MAX)
		return -EINVAL;
	uint64_t word = lock(ts);

	if (!waited)
		place->since_ns = begin_time(word);
	int r = ask_locked(ts, place, word, permits, waiter);

	if (r == 0)
		took(ts, permits, false, waited ? place->since_ns : RILL_LOCK_STATS_NO_WAIT);
	return r;
}

int rill_turn_pause(struct rill_turn *place, bool take)
{
	struct rill_turnstile *ts = place->aw.obj;
	uint64_t word = lock(ts);
	uint64_t permits = place->asked;
	bool done = take && was_let_in(place);

	place->aw.waiter = NULL;
	if (done)
		leave_place(place);
	unlock(ts, word);
	if (!done)
		return -EAGAIN;
	took(ts, permits, false, place->since_ns);
	return 0;
}

void rill_turn_give_up(struct rill_turn *place)
{
	struct rill_turnstile *ts = place->aw.obj;

	if (place->asked == 0)
		return;
	uint64_t word = lock(ts);
	uint64_t have = assigned(place);

	leave_place(place);
	hand_out(ts, word, have);
}
