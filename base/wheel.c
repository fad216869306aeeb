/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/wheel.h"

#include <limits.h>

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

void rill_wheel_emptied(struct rill_wheel *w, const struct rill_list *head)
{
	/* Outside of the array the difference is large, whatever the sign. */
	uintptr_t offset = (uintptr_t)head - (uintptr_t)w->slots;

	if (offset >= sizeof(w->slots))
		return;
	unsigned index = (unsigned)(offset / sizeof(*head));
	unsigned level = index / RILL_WHEEL_SLOTS;

	w->occupied[level] &= ~(UINT64_C(1) << index % RILL_WHEEL_SLOTS);
	if (w->occupied[level] == 0)
		w->levels &= ~(1u << level);
}

static unsigned shift_of(unsigned level)
{
	return level * RILL_WHEEL_LEVEL_BITS;
}

static struct rill_list *slot_at(struct rill_wheel *w, unsigned level, uint64_t tick)
{
	return &w->slots[level][(tick >> shift_of(level)) % RILL_WHEEL_SLOTS];
}

/* The first occupied slot of a level, as the tick at which it begins. None is before the present
 * one. */
static uint64_t level_next_tick(const struct rill_wheel *w, unsigned level)
{
	uint64_t present = w->now_tick >> shift_of(level);
	unsigned by = present % RILL_WHEEL_SLOTS;
	uint64_t occupied = w->occupied[level];
	uint64_t rotated = occupied >> by | occupied << (RILL_WHEEL_SLOTS - by) % RILL_WHEEL_SLOTS;

	return (present + (unsigned)__builtin_ctzll(rotated)) << shift_of(level);
}

/* The level with the earliest slot, and its tick. False when the wheel is empty. */
static bool next_slot(const struct rill_wheel *w, unsigned *ret_level, uint64_t *ret_tick)
{
	bool found = false;

	for (uint32_t levels = w->levels; levels; levels &= levels - 1) {
		unsigned l = (unsigned)__builtin_ctz(levels);
		uint64_t tick = level_next_tick(w, l);

		/* On a tie the higher level goes first: its timers belong into the lower one. */
		if (!found || tick <= *ret_tick) {
			*ret_tick = tick;
			*ret_level = l;
			found = true;
		}
	}
	return found;
}

/* At most max timers of the slot to where they belong now; how many. */
static unsigned move_down(struct rill_wheel *w, struct rill_list *slot, unsigned max)
{
	unsigned n = 0;

	while (n < max && !rill_list_empty(slot)) {
		struct rill_timer *t = RILL_LIST_ENTRY(slot->next, struct rill_timer, link);

		rill_wheel_cancel(w, t);
		rill_wheel_place(w, t);
		n++;
	}
	return n;
}

static unsigned expire(struct rill_wheel *w, struct rill_list *slot, unsigned max,
		       struct rill_list *expired)
{
	unsigned n = 0;

	while (n < max && !rill_list_empty(slot)) {
		struct rill_timer *t = RILL_LIST_ENTRY(slot->next, struct rill_timer, link);

		rill_wheel_cancel(w, t);
		rill_list_push_back(expired, &t->link);
		n++;
	}
	return n;
}

/* The lowest level has to be ready first. */
static void move_down_ahead(struct rill_wheel *w, unsigned max)
{
	for (uint32_t levels = w->levels & ~1u; levels && max > 0; levels &= levels - 1) {
		unsigned l = (unsigned)__builtin_ctz(levels);
		uint64_t next_tick = w->now_tick + (UINT64_C(1) << shift_of(l));

		max -= move_down(w, slot_at(w, l, next_tick), max);
	}
}

bool rill_wheel_advance_some(struct rill_wheel *w, uint64_t now_ns, unsigned max,
			     struct rill_list *expired)
{
	uint64_t now_tick = now_ns >> RILL_WHEEL_TICK_SHIFT;
	uint64_t tick = 0;
	unsigned level = 0;
	bool any = false;

	while (max > 0 && next_slot(w, &level, &tick) && tick <= now_tick) {
		struct rill_list *slot = slot_at(w, level, tick);

		w->now_tick = tick;
		if (level == 0) {
			max -= expire(w, slot, max, expired);
			any = true;
		} else {
			/* Not moved in time: the owner was too busy, or away. */
			max -= move_down(w, slot, max);
		}
	}
	if (max == 0)
		return any;
	if (now_tick > w->now_tick)
		w->now_tick = now_tick;
	move_down_ahead(w, RILL_MIN(max, RILL_WHEEL_AHEAD));
	return any;
}

/* When something can be done. */
static uint64_t next_tick(const struct rill_wheel *w)
{
	uint64_t next = UINT64_MAX;

	for (uint32_t levels = w->levels; levels; levels &= levels - 1) {
		unsigned l = (unsigned)__builtin_ctz(levels);
		uint64_t tick = level_next_tick(w, l);

		/* From then on its timers can be moved down. */
		if (l > 0)
			tick -= UINT64_C(1) << shift_of(l);
		next = RILL_MIN(next, RILL_MAX(tick, w->now_tick));
	}
	return next;
}

bool rill_wheel_advance(struct rill_wheel *w, uint64_t now_ns, struct rill_list *expired)
{
	bool any = false;

	do
		any |= rill_wheel_advance_some(w, now_ns, UINT_MAX, expired);
	while (next_tick(w) <= now_ns >> RILL_WHEEL_TICK_SHIFT);
	return any;
}

void rill_wheel_take_due(struct rill_wheel *w, uint64_t now_ns, struct rill_list *expired)
{
	/* Rounded up, they are the next tick's. */
	uint64_t tick = (now_ns >> RILL_WHEEL_TICK_SHIFT) + 1;

	if (tick != w->now_tick + 1)
		return;
	RILL_LIST_FOR_EACH (n, slot_at(w, 0, tick)) {
		struct rill_timer *t = RILL_LIST_ENTRY(n, struct rill_timer, link);

		if (t->deadline_ns > now_ns)
			continue;
		rill_wheel_cancel(w, t);
		rill_list_push_back(expired, &t->link);
	}
}

uint64_t rill_wheel_next(const struct rill_wheel *w)
{
	uint64_t tick = next_tick(w);

	return tick > UINT64_MAX >> RILL_WHEEL_TICK_SHIFT ? UINT64_MAX
							  : tick << RILL_WHEEL_TICK_SHIFT;
}

struct rill_timer *rill_wheel_first(const struct rill_wheel *w)
{
	struct rill_timer *first = NULL;

	for (uint32_t levels = w->levels; levels; levels &= levels - 1) {
		unsigned l = (unsigned)__builtin_ctz(levels);
		uint64_t tick = level_next_tick(w, l);

		if (first && rill_wheel_tick_of(first->deadline_ns) < tick)
			continue;
		RILL_LIST_FOR_EACH (n, &w->slots[l][(tick >> shift_of(l)) % RILL_WHEEL_SLOTS]) {
			struct rill_timer *t = RILL_LIST_ENTRY(n, struct rill_timer, link);

			if (!first || t->deadline_ns < first->deadline_ns)
				first = t;
		}
	}
	return first;
}
