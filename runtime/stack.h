/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Task memory: slabs of equal stacks, each with a guard at its low end and a struct rill_task at
 * its top. Slabs are mapped as needed and unmapped with the pool. Page faults are dear (a fresh
 * stack costs microseconds), so free stacks are kept and reused, youngest first.
 */
#ifndef RILL_RUNTIME_STACK_H
#define RILL_RUNTIME_STACK_H

#include <stddef.h>

#include "base/spinlock.h"
#include "runtime/task.h"

/* The smallest size of a class of stacks. */
#define RILL_STACK_CLASS_MIN ((size_t)16 << 10)

struct rill_stack_slab {
	struct rill_stack_slab *next;
	uint8_t *base;
};

struct rill_stack_pool {
	size_t stack_size;    /* guard included */
	unsigned slab_stacks; /* per slab */
	struct rill_spinlock lock;
	struct rill_waiter *free;		     /* idle tasks, linked by waiter.next */
	struct rill_waiter *cold;		     /* the same, trimmed */
	uint64_t free_count;			     /* in free; lock */
	uint64_t free_low;			     /* the least of it since the last trim; lock */
	uint64_t tended_ns;			     /* see rill_stack_tend(); its caller's */
	unsigned to_trim;			     /* the same */
	RILL_ATOMIC(struct rill_stack_slab *) slabs; /* newest first; only grows */
	RILL_ATOMIC(uint64_t) count;		     /* stacks in all */
	RILL_ATOMIC(uint64_t) trimmed;		     /* times one was */
	RILL_ATOMIC(uint64_t) high_water;	     /* the most bytes found touched in one */
};

/* A worker's own few. */
#define RILL_STACK_CACHE 64
struct rill_stack_cache {
	struct rill_task *tasks[RILL_STACK_CACHE];
	unsigned count;
};

/* What a stack of so many usable bytes takes of the address space, its guard included. */
size_t rill_stack_bytes(size_t usable);

void rill_stack_pool_init(struct rill_stack_pool *p, size_t stack_size);
void rill_stack_pool_fini(struct rill_stack_pool *p);

struct rill_task *rill_stack_get_slow(struct rill_stack_pool *p);
void rill_stack_put_slow(struct rill_stack_pool *p, struct rill_stack_cache *cache,
			 struct rill_task *t);

/* An idle task with its stack, or NULL. cache is the caller's worker's, or NULL. */
static inline struct rill_task *rill_stack_get(struct rill_stack_pool *p,
					       struct rill_stack_cache *cache)
{
	if (RILL_LIKELY(cache && cache->count > 0))
		return cache->tasks[--cache->count];
	return rill_stack_get_slow(p);
}

static inline void rill_stack_put(struct rill_stack_pool *p, struct rill_stack_cache *cache,
				  struct rill_task *t)
{
	if (RILL_LIKELY(cache && cache->count < RILL_STACK_CACHE))
		cache->tasks[cache->count++] = t;
	else
		rill_stack_put_slow(p, cache, t);
}

/*
 * Gives memory back: of stacks that have not been needed since the last call, at most max, all but
 * the page with the task. Any thread, now and then. How many were trimmed.
 */
unsigned rill_stack_trim(struct rill_stack_pool *p, unsigned max);

/* The same for each pool of rt, not more often than makes sense. One thread, with the time now and
 * then. */
void rill_stack_tend(struct rill_runtime *rt, uint64_t now_ns);

/* Bytes that have been touched from the top down, in pages. A system call. */
size_t rill_stack_touched(const struct rill_task *t);

/* Calls visit for every task there is, idle ones included. */
void rill_stack_for_each(struct rill_stack_pool *p, void (*visit)(struct rill_task *, void *),
			 void *ctx);

#endif
