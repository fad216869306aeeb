/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hierarchical timing wheel (Varghese, Lauck 1987): O(1) insert and cancel, ticks of 1.024 us,
 * eight levels of 64 slots. It has no clock and no lock: the owner passes the time and serialises
 * the calls. One implementation serves each worker's tasks and each shard's connections.
 *
 * Invariants: a pending timer hangs in the slot given by (now_tick, its tick); a slot's occupied
 * bit is set exactly when it is not empty, a level's bit in levels when one of its slots is;
 * nothing fires before its deadline.
 */
#ifndef RILL_BASE_WHEEL_H
#define RILL_BASE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#define RILL_WHEEL_TICK_SHIFT 10 /* 1,024 ns */
#define RILL_WHEEL_SLOT_BITS 6
#define RILL_WHEEL_SLOTS (1 << RILL_WHEEL_SLOT_BITS)
/* 6 x 8 bits of ticks: 9 years. What lies further waits in the top level and goes round again. */
#define RILL_WHEEL_LEVELS 8

struct rill_timer {
	struct rill_list link;
	uint64_t deadline_ns;
	uint8_t level;
	uint8_t slot;
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

/* t must not be pending. A deadline in the past fires at the next advance. */
void rill_wheel_insert(struct rill_wheel *w, struct rill_timer *t, uint64_t deadline_ns);

/* Safe on a timer that is not pending. */
void rill_wheel_cancel(struct rill_wheel *w, struct rill_timer *t);

/* Moves every timer with deadline <= now_ns to the end of expired (linked by link); true if there
 * was one. */
bool rill_wheel_advance(struct rill_wheel *w, uint64_t now_ns, struct rill_list *expired);

/*
 * After rill_wheel_advance() to the same time: also those that came due in the tick which has only
 * begun, for a clock that stands still in it. Looks at every timer of that tick.
 */
void rill_wheel_take_due(struct rill_wheel *w, uint64_t now_ns, struct rill_list *expired);

/* A time at or before the first deadline and after every fired one, in ns; UINT64_MAX when empty.
 */
uint64_t rill_wheel_next(const struct rill_wheel *w);

/* The timer with the first deadline; NULL when empty. Looks at every timer of its slot. */
struct rill_timer *rill_wheel_first(const struct rill_wheel *w);

#endif
