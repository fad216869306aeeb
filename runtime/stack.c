/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/stack.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef RILL_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#endif

/* Linux 6.13: guard pages as page-table markers, which cost no VMA. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define SLAB_STACKS 64

/*
 * Tops of stacks at one alignment fall into the same few sets of the L1 cache, so each is shifted
 * by its own multiple of a line; within 2 KiB, so that task and first frames still fit one page.
 */
#define COLOURS 32
#define COLOUR_BYTES 64

void rill_stack_pool_init(struct rill_stack_pool *p, size_t stack_size)
{
	memset(p, 0, sizeof(*p));
	p->stack_size = stack_size;
}

static struct rill_task *task_at(const struct rill_stack_pool *p, const struct rill_stack_slab *s,
				 unsigned i)
{
	uint8_t *top = s->base + (i + 1) * p->stack_size;
	size_t size = (sizeof(struct rill_task) + 63) & ~(size_t)63;

	return (struct rill_task *)(top - (i % COLOURS) * COLOUR_BYTES - size);
}

static void slab_free(struct rill_stack_pool *p, struct rill_stack_slab *s)
{
	for (unsigned i = 0; i < SLAB_STACKS; i++)
		rill_fiber_fini(&task_at(p, s, i)->fiber);
	munmap(s->base, SLAB_STACKS * p->stack_size);
	free(s);
}

void rill_stack_pool_fini(struct rill_stack_pool *p)
{
	struct rill_stack_slab *s = p->slabs;

	while (s) {
		struct rill_stack_slab *next = s->next;

		slab_free(p, s);
		s = next;
	}
	p->slabs = NULL;
	p->free = NULL;
}

static int guard_install(uint8_t *at, size_t page)
{
	if (madvise(at, page, MADV_GUARD_INSTALL) == 0)
		return 0;
	return mprotect(at, page, PROT_NONE);
}

static void task_prepare(struct rill_stack_pool *p, struct rill_stack_slab *s, unsigned i,
			 size_t page)
{
	struct rill_task *t = task_at(p, s, i);
	uint8_t *low = s->base + i * p->stack_size + page;

	/* Fresh pages are zero, so live is false. A state of NOTIFIED ignores wakes. */
	t->waiter.is_task = true;
	rill_store_relaxed(&t->waiter.state, RILL_WAITER_NOTIFIED | RILL_WAITER_PARKED);
	t->stack_low = low;
	rill_fiber_init(&t->fiber, low, (size_t)((uint8_t *)t - low));
	rill_timer_init(&t->timer);
#ifdef RILL_HAVE_VALGRIND
	(void)VALGRIND_STACK_REGISTER(low, t);
#endif
}

static struct rill_stack_slab *slab_map(struct rill_stack_pool *p)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t len = SLAB_STACKS * p->stack_size;
	struct rill_stack_slab *s = malloc(sizeof(*s));

	if (!s)
		return NULL;
	s->base = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (s->base == MAP_FAILED)
		goto err_free;
	/* A huge page would make every idle task cost 2 MiB. */
	madvise(s->base, len, MADV_NOHUGEPAGE);
	for (unsigned i = 0; i < SLAB_STACKS; i++)
		if (guard_install(s->base + i * p->stack_size, page) != 0)
			goto err_unmap;
	for (unsigned i = 0; i < SLAB_STACKS; i++)
		task_prepare(p, s, i, page);
	return s;

err_unmap:
	munmap(s->base, len);
err_free:
	free(s);
	return NULL;
}

static struct rill_task *pool_pop(struct rill_stack_pool *p)
{
	struct rill_waiter *w;

	rill_spin_lock(&p->lock);
	w = p->free;
	if (w)
		p->free = w->next;
	rill_spin_unlock(&p->lock);
	return w ? rill_task_of(w) : NULL;
}

static void pool_push(struct rill_stack_pool *p, struct rill_task *t)
{
	rill_spin_lock(&p->lock);
	t->waiter.next = p->free;
	p->free = &t->waiter;
	rill_spin_unlock(&p->lock);
}

static struct rill_task *pool_grow(struct rill_stack_pool *p)
{
	struct rill_stack_slab *s = slab_map(p);

	if (!s)
		return NULL;
	rill_spin_lock(&p->lock);
	s->next = rill_load_relaxed(&p->slabs);
	/* release: pairs with the acquire in rill_stack_for_each() */
	rill_store_release(&p->slabs, s);
	for (unsigned i = 1; i < SLAB_STACKS; i++) {
		struct rill_task *t = task_at(p, s, i);

		t->waiter.next = p->free;
		p->free = &t->waiter;
	}
	rill_counter_add(&p->count, SLAB_STACKS);
	rill_spin_unlock(&p->lock);
	return task_at(p, s, 0);
}

struct rill_task *rill_stack_get(struct rill_stack_pool *p, struct rill_stack_cache *cache)
{
	if (RILL_LIKELY(cache && cache->count > 0))
		return cache->tasks[--cache->count];
	struct rill_task *t = pool_pop(p);

	return t ? t : pool_grow(p);
}

void rill_stack_put(struct rill_stack_pool *p, struct rill_stack_cache *cache, struct rill_task *t)
{
	if (!cache) {
		pool_push(p, t);
		return;
	}
	/* Full: the older half goes to the pool, where other workers find it. */
	if (RILL_UNLIKELY(cache->count == RILL_STACK_CACHE)) {
		for (unsigned i = 0; i < RILL_STACK_CACHE / 2; i++)
			pool_push(p, cache->tasks[i]);
		cache->count -= RILL_STACK_CACHE / 2;
		memmove(cache->tasks, cache->tasks + RILL_STACK_CACHE / 2,
			cache->count * sizeof(cache->tasks[0]));
	}
	cache->tasks[cache->count++] = t;
}

void rill_stack_for_each(struct rill_stack_pool *p, void (*visit)(struct rill_task *, void *),
			 void *ctx)
{
	/* acquire: pairs with the release in pool_grow() */
	for (struct rill_stack_slab *s = rill_load_acquire(&p->slabs); s; s = s->next)
		for (unsigned i = 0; i < SLAB_STACKS; i++)
			visit(task_at(p, s, i), ctx);
}
