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

struct rill_stack_slab {
	struct rill_stack_slab *next;
	uint8_t *base;
};

struct rill_stack_pool {
	size_t stack_size; /* guard included */
	struct rill_spinlock lock;
	struct rill_waiter *free;		     /* idle tasks, linked by waiter.next */
	RILL_ATOMIC(struct rill_stack_slab *) slabs; /* newest first; only grows */
	RILL_ATOMIC(uint64_t) count;		     /* stacks in all */
};

/* A worker's own few. */
#define RILL_STACK_CACHE 64
struct rill_stack_cache {
	struct rill_task *tasks[RILL_STACK_CACHE];
	unsigned count;
};

void rill_stack_pool_init(struct rill_stack_pool *p, size_t stack_size);
void rill_stack_pool_fini(struct rill_stack_pool *p);

/* An idle task with its stack, or NULL. cache is the caller's worker's, or NULL. */
struct rill_task *rill_stack_get(struct rill_stack_pool *p, struct rill_stack_cache *cache);
void rill_stack_put(struct rill_stack_pool *p, struct rill_stack_cache *cache, struct rill_task *t);

/* Calls visit for every task there is, idle ones included. */
void rill_stack_for_each(struct rill_stack_pool *p, void (*visit)(struct rill_task *, void *),
			 void *ctx);

#endif
