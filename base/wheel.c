/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/wheel.h"

#include "base/assert.h"

#define SLOT_MASK (RILL_WHEEL_SLOTS - 1)
#define TICK_BITS (RILL_WHEEL_SLOT_BITS * RILL_WHEEL_LEVELS)

/* The first tick that begins at or after the deadline: rounding up is what makes "never early"
 * true. */
static uint64_t tick_of_deadline(uint64_t ns)
{
	uint64_t tick = ns >> RILL_WHEEL_TICK_SHIFT;

	return (ns & ((UINT64_C(1) << RILL_WHEEL_TICK_SHIFT) - 1)) ? tick + 1 : tick;
}

void rill_wheel_init(struct rill_wheel *w, uint64_t now_ns)
{
	w->now_tick = now_ns >> RILL_WHEEL_TICK_SHIFT;
	w->levels = 0;
	for (int l = 0; l < RILL_WHEEL_LEVELS; l++) {
		w->occupied[l] = 0;
		for (int s = 0; s < RILL_WHEEL_SLOTS; s++)
			rill_list_init(&w->slots[l][s]);
	}
}

/* The level is that of the highest bit in which the tick differs from now. */
static unsigned level_of(uint64_t now_tick, uint64_t tick)
{
	uint64_t diff = (now_tick ^ tick) | SLOT_MASK;
	unsigned level = (63u - (unsigned)__builtin_clzll(diff)) / RILL_WHEEL_SLOT_BITS;

	return RILL_MIN(level, RILL_WHEEL_LEVELS - 1u);
}

static void place(struct rill_wheel *w, struct rill_timer *t)
{
	uint64_t tick = RILL_MAX(tick_of_deadline(t->deadline_ns), w->now_tick);
	uint64_t last = w->now_tick + (UINT64_C(1) << (TICK_BITS - 1));

	tick = RILL_MIN(tick, last);

	unsigned level = level_of(w->now_tick, tick);
	unsigned slot = (tick >> (level * RILL_WHEEL_SLOT_BITS)) & SLOT_MASK;

	t->level = (uint8_t)level;
	t->slot = (uint8_t)slot;
	w->occupied[level] |= UINT64_C(1) << slot;
	w->levels |= 1u << level;
	rill_list_push_back(&w->slots[level][slot], &t->link);
}

void rill_wheel_insert(struct rill_wheel *w, struct rill_timer *t, uint64_t deadline_ns)
{
	RILL_DEBUG_ASSERT(!rill_timer_pending(t));
	t->deadline_ns = deadline_ns;
	place(w, t);
}

static void slot_emptied(struct rill_wheel *w, unsigned level, unsigned slot)
{
	w->occupied[level] &= ~(UINT64_C(1) << slot);
	if (w->occupied[level] == 0)
		w->levels &= ~(1u << level);
}

void rill_wheel_cancel(struct rill_wheel *w, struct rill_timer *t)
{
	if (!rill_timer_pending(t))
		return;
	rill_list_del(&t->link);
	if (rill_list_empty(&w->slots[t->level][t->slot]))
		slot_emptied(w, t->level, t->slot);
}

/*
 * The first occupied slot of a level at or after the current one, as the tick at which it begins.
 * Slots never lie behind the current one, except in the top level, which wraps.
 */
static uint64_t level_next_tick(const struct rill_wheel *w, unsigned level)
{
	unsigned shift = level * RILL_WHEEL_SLOT_BITS;
	unsigned cur = (w->now_tick >> shift) & SLOT_MASK;
	uint64_t occ = w->occupied[level];
	uint64_t rotated = cur ? (occ >> cur) | (occ << (RILL_WHEEL_SLOTS - cur)) : occ;
	unsigned ahead = (unsigned)__builtin_ctzll(rotated);
	uint64_t base = (w->now_tick >> shift) << shift;

	return RILL_MAX(base + ((uint64_t)ahead << shift), w->now_tick);
}

/* The level with the earliest slot, and its tick. False when the wheel is empty. */
static bool next_slot(const struct rill_wheel *w, unsigned *ret_level, uint64_t *ret_tick)
{
	bool found = false;

	for (uint32_t levels = w->levels; levels; levels &= levels - 1) {
		unsigned l = (unsigned)__builtin_ctz(levels);
		uint64_t tick = level_next_tick(w, l);

		/* On a tie the higher level goes first: its timers cascade into the lower one. */
		if (!found || tick <= *ret_tick) {
			*ret_tick = tick;
			*ret_level = l;
			found = true;
		}
	}
	return found;
}

bool rill_wheel_advance(struct rill_wheel *w, uint64_t now_ns, struct rill_list *expired)
{
	uint64_t now_tick = now_ns >> RILL_WHEEL_TICK_SHIFT;
	uint64_t tick = 0;
	unsigned level = 0;
	bool any = false;

	while (next_slot(w, &level, &tick) && tick <= now_tick) {
		unsigned slot = (tick >> (level * RILL_WHEEL_SLOT_BITS)) & SLOT_MASK;
		struct rill_list due;

		rill_list_init(&due);
		rill_list_splice_back(&due, &w->slots[level][slot]);
		slot_emptied(w, level, slot);
		w->now_tick = tick;
		if (level == 0) {
			rill_list_splice_back(expired, &due);
			any = true;
			continue;
		}
		for (struct rill_list *n; (n = rill_list_pop_front(&due));)
			place(w, RILL_LIST_ENTRY(n, struct rill_timer, link));
	}
	if (now_tick > w->now_tick)
		w->now_tick = now_tick;
	return any;
}

void rill_wheel_take_due(struct rill_wheel *w, uint64_t now_ns, struct rill_list *expired)
{
	uint64_t tick = 0;
	unsigned level = 0;

	/* Rounded up, they are the next tick's; the slot that begins with it has them all. */
	if (!next_slot(w, &level, &tick) || tick != (now_ns >> RILL_WHEEL_TICK_SHIFT) + 1)
		return;
	unsigned slot = (tick >> (level * RILL_WHEEL_SLOT_BITS)) & SLOT_MASK;

	RILL_LIST_FOR_EACH (n, &w->slots[level][slot]) {
		struct rill_timer *t = RILL_LIST_ENTRY(n, struct rill_timer, link);

		if (t->deadline_ns > now_ns)
			continue;
		rill_wheel_cancel(w, t);
		rill_list_push_back(expired, &t->link);
	}
}

uint64_t rill_wheel_next(const struct rill_wheel *w)
{
	uint64_t tick = 0;
	unsigned level = 0;

	if (!next_slot(w, &level, &tick))
		return UINT64_MAX;
	return tick << RILL_WHEEL_TICK_SHIFT;
}

struct rill_timer *rill_wheel_first(const struct rill_wheel *w)
{
	struct rill_timer *first = NULL;
	uint64_t tick = 0;
	unsigned level = 0;

	if (!next_slot(w, &level, &tick))
		return NULL;
	unsigned slot = (tick >> (level * RILL_WHEEL_SLOT_BITS)) & SLOT_MASK;

	RILL_LIST_FOR_EACH (n, &w->slots[level][slot]) {
		struct rill_timer *t = RILL_LIST_ENTRY(n, struct rill_timer, link);

		if (!first || t->deadline_ns < first->deadline_ns)
			first = t;
	}
	return first;
}
