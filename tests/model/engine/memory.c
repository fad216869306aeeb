/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * C11's memory, with the modification order of a location being the order in which its stores are
 * executed. A load may read any store that coherence and happens-before leave it:
 *
 *   nothing older than a store that happens before the load,
 *   nothing older than a store that was read by something that happens before the load,
 *   if both are seq_cst: nothing older than what an earlier seq_cst operation wrote or read.
 *
 * Happens-before is kept in vector clocks: each event moves its thread's own clock on.
 */
#include <string.h>

#include "tests/model/engine/engine.h"

#define ARENA_SIZE (64u << 20)
#define TABLE_SIZE 8192u

static struct {
	uint8_t bytes[ARENA_SIZE] __attribute__((aligned(64)));
	size_t used;
} arena;

/* By address; a slot counts in its own generation only. */
static struct {
	uint32_t generation;
	struct rill_model_location *location;
} table[TABLE_SIZE];
static uint32_t generation;
static unsigned location_count;

void *rill_model_alloc(size_t size)
{
	void *p = arena.bytes + arena.used;

	size = (size + 15) & ~(size_t)15;
	if (arena.used + size > ARENA_SIZE)
		rill_model_fail("engine", "out of memory");
	arena.used += size;
	return memset(p, 0, size);
}

void rill_model_memory_reset(void)
{
	arena.used = 0;
	generation++;
	location_count = 0;
}

static uint64_t plain_load(const volatile void *p, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, (const void *)p, size);
	return v;
}

/* A store by nobody, before everything. */
static void begin_anew(struct rill_model_location *l)
{
	struct rill_model_value *v = rill_model_alloc(sizeof(*v));

	v->value = plain_load(l->addr, l->size);
	l->newest = v;
	l->seq_cst_floor = 0;
}

static unsigned hash(const volatile void *p)
{
	return (unsigned)(((uintptr_t)p * UINT64_C(0x9e3779b97f4a7c15)) >> 40) % TABLE_SIZE;
}

static struct rill_model_location *find(const volatile void *p, unsigned *ret_slot)
{
	unsigned i = hash(p);

	while (table[i].generation == generation && table[i].location->addr != p)
		i = (i + 1) % TABLE_SIZE;
	*ret_slot = i;
	return table[i].generation == generation ? table[i].location : NULL;
}

struct rill_model_location *rill_model_location(const volatile void *p, unsigned size)
{
	unsigned slot;
	struct rill_model_location *l = find(p, &slot);

	if (!l) {
		l = rill_model_alloc(sizeof(*l));
		l->addr = p;
		l->size = size;
		l->id = location_count++;
		table[slot].generation = generation;
		table[slot].location = l;
		if (location_count > TABLE_SIZE / 2)
			rill_model_fail("engine", "too many atomic locations");
		begin_anew(l);
	}
	if (l->size != size) {
		l->size = size;
		begin_anew(l);
	}
	/* Somebody has initialised it by a plain store: another life of the same memory. */
	if (plain_load(p, size) != l->newest->value)
		begin_anew(l);
	return l;
}

uint64_t rill_model_peek(const volatile void *p, unsigned size)
{
	return plain_load(p, size);
}

/* ---- loads ---- */

/* Does what v stands for, or a reading of it, happen before the thread's next event? */
static bool bounds(const struct rill_model_value *v, const struct rill_model_thread *t)
{
	/* What a spinning loop has waited for is seen in the end. */
	if (v->stamp <= t->clock.at[v->thread] || v->seq <= t->round)
		return true;
	for (unsigned i = 0; i < rill_model.thread_count; i++)
		if (v->first_read[i] != 0 && v->first_read[i] <= t->clock.at[i])
			return true;
	return false;
}

/* Fences: a seq_cst store before our last seq_cst fence; a store with such a fence after it. */
static bool fenced(const struct rill_model_value *v, const struct rill_model_thread *t,
		   bool seq_cst)
{
	if (v->seq_cst && v->seq <= t->seq_cst_fence)
		return true;
	return seq_cst && v->seq <= rill_model.threads[v->thread].seq_cst_fence;
}

unsigned rill_model_candidates(const struct rill_model_location *l, int order,
			       struct rill_model_value **ret_values, bool *ret_free)
{
	const struct rill_model_thread *t = rill_model_thread();
	bool seq_cst = order == __ATOMIC_SEQ_CST;
	unsigned n = 0;

	*ret_free = false;
	for (struct rill_model_value *v = l->newest; v && n < RILL_MODEL_CANDIDATES; v = v->older) {
		ret_values[n++] = v;
		if (bounds(v, t) || fenced(v, t, seq_cst))
			break;
		*ret_free = true;
		if (seq_cst && v->index <= l->seq_cst_floor)
			break;
	}
	return n;
}

static bool acquires(int order)
{
	return order != __ATOMIC_RELAXED && order != __ATOMIC_RELEASE;
}

static bool releases(int order)
{
	return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

uint64_t rill_model_read(struct rill_model_location *l, struct rill_model_value *v, int order)
{
	struct rill_model_thread *t = rill_model_thread();
	uint32_t now = t->clock.at[rill_model.self];

	if (v->first_read[rill_model.self] == 0)
		v->first_read[rill_model.self] = now;
	rill_model_clock_join(acquires(order) ? &t->clock : &t->unacquired, &v->message);
	if (order == __ATOMIC_SEQ_CST && v->index > l->seq_cst_floor)
		l->seq_cst_floor = v->index;
	return v->value;
}

/* ---- stores ---- */

static void plain_store(const volatile void *p, unsigned size, uint64_t value)
{
	memcpy((void *)(uintptr_t)p, &value, size);
}

void rill_model_write(struct rill_model_location *l, uint64_t value, int order,
		      const struct rill_model_value *from)
{
	struct rill_model_thread *t = rill_model_thread();
	struct rill_model_value *v = rill_model_alloc(sizeof(*v));

	plain_store(l->addr, l->size, value);
	v->value = plain_load(l->addr, l->size);
	v->older = l->newest;
	v->index = l->newest->index + 1;
	v->seq = t->stored = ++rill_model.seq;
	v->thread = (uint8_t)rill_model.self;
	v->stamp = rill_model.parallel ? t->clock.at[rill_model.self] : 0;
	v->seq_cst = order == __ATOMIC_SEQ_CST;
	v->message = releases(order) ? t->clock : t->release_fence;
	/* A read-modify-write continues the release sequence of what it read. */
	if (from)
		rill_model_clock_join(&v->message, &from->message);
	if (v->seq_cst)
		l->seq_cst_floor = v->index;
	l->newest = v;
}
