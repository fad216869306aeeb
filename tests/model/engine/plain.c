/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Races: two accesses to the same bytes, one of them a write, one of them not atomic, and neither
 * happens before the other. Plain accesses are no steps of the search: whether they are ordered
 * does not depend on when they are made, but on the atomic operations around them.
 */
#include <string.h>

#include "tests/model/engine/engine.h"

#define TABLE_SIZE 16384u

enum mode {
	PLAIN_READ,
	PLAIN_WRITE,
	ATOMIC_READ,
	ATOMIC_WRITE,
	MODES,
};

/* The accesses to some bytes of one 8-byte word, by who made them last. */
struct cell {
	struct cell *next;
	uint8_t bytes;
	uint8_t threads; /* who has accessed them */
	uint32_t stamp[MODES][RILL_MODEL_CLOCKS];
	const void *from[MODES][RILL_MODEL_CLOCKS];
	const char *what[MODES][RILL_MODEL_CLOCKS];
};

static struct {
	uint32_t generation;
	uintptr_t word;
	struct cell *cells;
} table[TABLE_SIZE];
static uint32_t generation;
static unsigned word_count;

#define EXCLUSIVE_MAX 8
static struct {
	uintptr_t at;
	size_t len;
} exclusive[EXCLUSIVE_MAX];
static unsigned exclusive_count;

void rill_model_plain_reset(void)
{
	generation++;
	word_count = 0;
	exclusive_count = 0;
}

void rill_model_exclusive(const volatile void *p, size_t len)
{
	if (exclusive_count == EXCLUSIVE_MAX)
		rill_model_fail("engine", "too many exclusive ranges");
	exclusive[exclusive_count].at = (uintptr_t)p;
	exclusive[exclusive_count++].len = len;
}

static bool is_exclusive(const volatile void *p)
{
	for (unsigned i = 0; i < exclusive_count; i++)
		if ((uintptr_t)p - exclusive[i].at < exclusive[i].len)
			return true;
	return false;
}

static unsigned slot_of(uintptr_t word)
{
	/* neighbours stay neighbours, for the cache's sake */
	unsigned i = (unsigned)(word >> 3) % TABLE_SIZE;

	while (table[i].generation == generation && table[i].word != word)
		i = (i + 1) % TABLE_SIZE;
	return i;
}

static bool conflict(enum mode a, enum mode b)
{
	bool write = a == PLAIN_WRITE || a == ATOMIC_WRITE || b == PLAIN_WRITE || b == ATOMIC_WRITE;
	bool plain = a < ATOMIC_READ || b < ATOMIC_READ;

	return write && plain;
}

static const char *mode_name(enum mode m)
{
	static const char *const names[] = {"read", "write", "atomic read", "atomic write"};

	return names[m];
}

static void check(const struct cell *c, enum mode mode, const void *from, const char *what)
{
	const struct rill_model_thread *self = rill_model_thread();

	for (unsigned m = 0; m < MODES; m++) {
		if (!conflict(mode, (enum mode)m))
			continue;
		for (unsigned i = 1; i < rill_model.thread_count; i++) {
			if (i == rill_model.self || c->stamp[m][i] <= self->clock.at[i])
				continue;
			rill_model.racing[0] = c->from[m][i];
			rill_model.racing[1] = from;
			rill_model_fail("race", "%s by %c (%s), then %s by %c (%s), unordered",
					mode_name((enum mode)m), rill_model_letter(i),
					c->what[m][i] ? c->what[m][i] : "see below",
					mode_name(mode), rill_model_letter(rill_model.self),
					what ? what : "see below");
		}
	}
}

static struct cell *cell_of(unsigned slot, uint8_t bytes)
{
	for (struct cell *c = table[slot].cells; c; c = c->next)
		if (c->bytes == bytes)
			return c;
	struct cell *c = rill_model_alloc(sizeof(*c));

	c->bytes = bytes;
	c->next = table[slot].cells;
	table[slot].cells = c;
	return c;
}

static void access_word(uintptr_t word, uint8_t bytes, enum mode mode, uint32_t stamp,
			const void *from, const char *what)
{
	uint8_t self = (uint8_t)(1u << rill_model.self);
	unsigned slot = slot_of(word);

	if (table[slot].generation != generation) {
		if (++word_count > TABLE_SIZE / 2)
			rill_model_fail("engine", "too much plain memory");
		table[slot].generation = generation;
		table[slot].word = word;
		table[slot].cells = NULL;
	}
	for (const struct cell *c = table[slot].cells; c; c = c->next)
		if (c->bytes & bytes && c->threads & ~self)
			check(c, mode, from, what);
	struct cell *c = cell_of(slot, bytes);

	c->threads |= self;

	c->stamp[mode][rill_model.self] = stamp;
	c->from[mode][rill_model.self] = from;
	c->what[mode][rill_model.self] = what;
}

static void access_range(const volatile void *p, size_t size, enum mode mode, uint32_t stamp,
			 const void *from, const char *what)
{
	uintptr_t at = (uintptr_t)p;
	uintptr_t end = at + size;

	while (at < end) {
		uintptr_t word = at & ~(uintptr_t)7;
		unsigned first = (unsigned)(at - word);
		unsigned last = (unsigned)RILL_MIN(end - word, (uintptr_t)8);

		access_word(word, (uint8_t)((1u << last) - (1u << first)), mode, stamp, from, what);
		at = word + 8;
	}
}

void rill_model_plain(const volatile void *p, size_t size, bool write, const void *from,
		      const struct rill_model_site *site)
{
	if (!rill_model.parallel && !rill_model.starting)
		return;
	/* As new as the next step: the last one has given its clock away already. */
	access_range(p, size, write ? PLAIN_WRITE : PLAIN_READ,
		     rill_model_thread()->clock.at[rill_model.self] + 1, from,
		     site ? site->what : NULL);
}

void rill_model_plain_atomic(const volatile void *p, unsigned size, bool write, const char *what)
{
	enum mode mode = write ? ATOMIC_WRITE : ATOMIC_READ;

	if (is_exclusive(p))
		mode = write ? PLAIN_WRITE : PLAIN_READ;
	access_range(p, size, mode, rill_model_thread()->clock.at[rill_model.self], NULL, what);
}
