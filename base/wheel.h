/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hierarchical timing wheel (Varghese, Lauck 1987): O(1) insert and cancel, ticks of 1.024 us,
 * ten levels of 64 slots. It has no clock and no lock: the owner passes the time and serialises
 * the calls. One implementation serves each worker's tasks and each shard's connections.
 *
 * A slot of a level is as wide as 32 of the level below, half of that level's slots. So the timers
 * of the next slot have room there a whole slot's time before they have to be there, and are moved
 * down in portions, between which the owner does other things: with a hundred thousand timers in a
 * slot nobody waits until they are moved.
 *
 * Invariants: a pending timer hangs in the slot given by (now_tick, its tick), see
 * rill_wheel_level_of(), or in the one of a higher level from which it has not been moved down yet;
 * a slot's occupied bit is set exactly when it is not empty, a level's bit in levels when one of
 * its slots is; nothing fires before its deadline, and what fires does so in the order of ticks.
 */
#ifndef RILL_BASE_WHEEL_H
#define RILL_BASE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/list.h"

#define RILL_WHEEL_TICK_SHIFT 10 /* 1,024 ns */
#define RILL_WHEEL_SLOTS 64
#define RILL_WHEEL_LEVEL_BITS 5 /* a slot of level l is 32^l ticks wide */
/* 32^10 ticks: 36 years. What lies further waits in the top level and goes round again. */
#define RILL_WHEEL_LEVELS 10
#define RILL_WHEEL_REACH ((UINT64_C(1) << (RILL_WHEEL_LEVELS * RILL_WHEEL_LEVEL_BITS)) - 1)

/* Timers moved down ahead of time in one portion: some microseconds when each misses the caches. */
#define RILL_WHEEL_AHEAD 8u

struct rill_timer {
	struct rill_list link;
	uint64_t deadline_ns;
};

struct rill_wheel {
	uint64_t now_tick; /* every tick before it has been fired */
	uint32_t levels;   /* those with an occupied slot */
	uint64_t occupied[RILL_WHEEL_LEVELS];
	struct rill_list slots[RILL_WHEEL_LEVELS][RILL_WHEEL_SLOTS];
};

void rill_wheel_init(struct rill_wheel *w, uint64_t now_ns);

static inline void rill_timer_init(struct rill_timer *t)
{
	rill_list_init(&t->link);
}

static inline bool rill_timer_pending(const struct rill_timer *t)
{
	return rill_list_linked(&t->link);
}

static inline bool rill_wheel_empty(const struct rill_wheel *w)
{
	return w->levels == 0;
}

/* The lowest level whose next higher one has the tick in its present or its next slot. */
static inline unsigned rill_wheel_level_of(uint64_t now_tick, uint64_t tick)
{
	unsigned bits = 63u - (unsigned)__builtin_clzll((tick - now_tick) | (RILL_WHEEL_SLOTS - 1));
	/* As the distance has it; it may end one slot further than that, for now is within one. */
	unsigned level = (bits - 1) / RILL_WHEEL_LEVEL_BITS;
	unsigned above = (level + 1) * RILL_WHEEL_LEVEL_BITS;

	return level + ((tick >> above) - (now_tick >> above) > 1);
}

/* Of a time, rounded up: that is what makes "never early" true. */
static inline uint64_t rill_wheel_tick_of(uint64_t ns)
{
	return (ns >> RILL_WHEEL_TICK_SHIFT) + (ns % (1u << RILL_WHEEL_TICK_SHIFT) != 0);
}

/* In the right slot for its deadline. */
static inline void rill_wheel_place(struct rill_wheel *w, struct rill_timer *t)
{
	uint64_t tick = RILL_MAX(rill_wheel_tick_of(t->deadline_ns), w->now_tick);

	tick = RILL_MIN(tick, w->now_tick + RILL_WHEEL_REACH);

	unsigned level = rill_wheel_level_of(w->now_tick, tick);
	unsigned slot = (tick >> (level * RILL_WHEEL_LEVEL_BITS)) % RILL_WHEEL_SLOTS;

	w->occupied[level] |= UINT64_C(1) << slot;
	w->levels |= 1u << level;
	rill_list_push_back(&w->slots[level][slot], &t->link);
}

/* t must not be pending. A deadline in the past fires at the next advance. */
static inline void rill_wheel_insert(struct rill_wheel *w, struct rill_timer *t,
				     uint64_t deadline_ns)
{
	RILL_DEBUG_ASSERT(!rill_timer_pending(t));
	t->deadline_ns = deadline_ns;
	rill_wheel_place(w, t);
}

/* The list of that head is empty now; it is that of a slot, or else nothing changes. */
void rill_wheel_emptied(struct rill_wheel *w, const struct rill_list *head);

/* Safe on a timer that is not pending, and on one that an advance has moved to another list. */
static inline void rill_wheel_cancel(struct rill_wheel *w, struct rill_timer *t)
{
	struct rill_list *next = t->link.next;
	/* The neighbours are one: the head. */
	bool last = next == t->link.prev;

	rill_list_del(&t->link);
	if (last)
		rill_wheel_emptied(w, next);
}

/* For a wheel that may have stood still for long while it was empty: distances are from now on. */
static inline void rill_wheel_catch_up(struct rill_wheel *w, uint64_t now_ns)
{
	uint64_t tick = now_ns >> RILL_WHEEL_TICK_SHIFT;

	if (rill_wheel_empty(w) && tick > w->now_tick)
		w->now_tick = tick;
}

/* Moves every timer with deadline <= now_ns to the end of expired (linked by link); true if there
 * was one. */
bool rill_wheel_advance(struct rill_wheel *w, uint64_t now_ns, struct rill_list *expired);

/*
 * A portion of that: moves at most max timers, so that the lock is not held for long. Those which
 * are due go first, then at most RILL_WHEEL_AHEAD others are moved down ahead of time. There is
 * more to do as long as rill_wheel_next() is not after now_ns.
 */
bool rill_wheel_advance_some(struct rill_wheel *w, uint64_t now_ns, unsigned max,
			     struct rill_list *expired);

/*
 * After rill_wheel_advance() to the same time: also those that came due in the tick which has only
 * begun, for a clock that stands still in it. Looks at every timer of that tick.
 */
void rill_wheel_take_due(struct rill_wheel *w, uint64_t now_ns, struct rill_list *expired);

/*
 * When to advance next, in ns; UINT64_MAX when empty. At most a tick after the first deadline, and
 * after the time of the last rill_wheel_advance().
 */
uint64_t rill_wheel_next(const struct rill_wheel *w);

/* The timer with the first deadline; NULL when empty. Looks at every timer of its slot. */
struct rill_timer *rill_wheel_first(const struct rill_wheel *w);

#endif
