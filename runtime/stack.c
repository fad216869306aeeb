/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/stack.h"

#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef RILL_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#endif

/* Linux 6.13: guard pages as page-table markers, which cost no VMA. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* In place of a pidfd: the caller's own process. */
#ifndef PIDFD_SELF_THREAD
#define PIDFD_SELF_THREAD (-10000)
#endif

/* Memory is given back so often, and of so many stacks: each costs a system call and makes all CPUs
 * of the process look at their TLBs. So few at a time. */
#define TEND_NS (UINT64_C(100) * 1000 * 1000)
#define TEND_MAX 256u
#define TEND_AT_ONCE 16u

/* How many a worker with a full cache gives away. */
#define SPILL (RILL_STACK_CACHE / 2)

/* Stacks per slab, fewer when they are large. */
#define SLAB_STACKS 64u
#define SLAB_BYTES_MAX ((size_t)64 << 20)

/*
 * Tops of stacks at one alignment fall into the same few sets of the L1 cache, so each is shifted
 * by its own multiple of a line; within 2 KiB, so that task and first frames still fit one page.
 */
#define COLOURS 32
#define COLOUR_BYTES 64

/* Sanitizers make frames several times as large. */
#if defined(RILL_ASAN) || defined(RILL_TSAN)
#define STACK_FACTOR 8
#else
#define STACK_FACTOR 1
#endif

size_t rill_stack_bytes(size_t usable)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return ((usable + page - 1) & ~(page - 1)) * STACK_FACTOR + page;
}

void rill_stack_pool_init(struct rill_stack_pool *p, size_t stack_size)
{
	memset(p, 0, sizeof(*p));
	p->stack_size = stack_size;
	p->slab_stacks = (unsigned)RILL_MIN(RILL_MAX(SLAB_BYTES_MAX / stack_size, (size_t)1),
					    (size_t)SLAB_STACKS);
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
	for (unsigned i = 0; i < p->slab_stacks; i++)
		rill_fiber_fini(&task_at(p, s, i)->fiber);
	munmap(s->base, p->slab_stacks * p->stack_size);
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
	p->cold = NULL;
}

/* All guards of a slab by one system call, which Linux 6.14 has. False: not all are there. */
static bool guards_at_once(struct rill_stack_pool *p, uint8_t *base, size_t page)
{
	struct iovec guards[SLAB_STACKS];
	size_t len = p->slab_stacks * page;

	for (unsigned i = 0; i < p->slab_stacks; i++)
		guards[i] = (struct iovec){base + i * p->stack_size, page};
	return process_madvise(PIDFD_SELF_THREAD, guards, p->slab_stacks, MADV_GUARD_INSTALL, 0) ==
	       (ssize_t)len;
}

static int guard_install(uint8_t *at, size_t page)
{
	if (madvise(at, page, MADV_GUARD_INSTALL) == 0)
		return 0;
	return mprotect(at, page, PROT_NONE);
}

static int guards_install(struct rill_stack_pool *p, uint8_t *base, size_t page)
{
	int r = 0;

	if (guards_at_once(p, base, page))
		return 0;
	for (unsigned i = 0; i < p->slab_stacks && r == 0; i++)
		r = guard_install(base + i * p->stack_size, page);
	return r;
}

static void task_prepare(struct rill_stack_pool *p, struct rill_stack_slab *s, unsigned i,
			 size_t page)
{
	struct rill_task *t = task_at(p, s, i);
	uint8_t *low = s->base + i * p->stack_size + page;

	/* Fresh pages are zero, so live is false. A state of NOTIFIED ignores wakes. */
	t->waiter.is_task = true;
	rill_store_relaxed(&t->waiter.state, RILL_WAITER_NOTIFIED | RILL_WAITER_PARKED);
	t->changed = true;
	t->stack_low = low;
	t->pool = p;
	rill_fiber_init(&t->fiber, low, (size_t)((uint8_t *)t - low));
	rill_timer_init(&t->timer);
#ifdef RILL_HAVE_VALGRIND
	(void)VALGRIND_STACK_REGISTER(low, t);
#endif
}

static struct rill_stack_slab *slab_map(struct rill_stack_pool *p)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t len = p->slab_stacks * p->stack_size;
	struct rill_stack_slab *s = malloc(sizeof(*s));

	if (!s)
		return NULL;
	s->base = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (s->base == MAP_FAILED)
		goto err_free;
	/* A huge page would make every idle task cost 2 MiB. */
	madvise(s->base, len, MADV_NOHUGEPAGE);
	if (guards_install(p, s->base, page) != 0)
		goto err_unmap;
	for (unsigned i = 0; i < p->slab_stacks; i++)
		task_prepare(p, s, i, page);
	return s;

err_unmap:
	munmap(s->base, len);
err_free:
	free(s);
	return NULL;
}

/*
 * The next to be taken out is being brought into the cache: it has rested for long, and each of its
 * lines, and the way to its page, would have to be waited for in turn. What a plain task needs of
 * it, and the top of the stack, where its first function writes.
 */
static void warm_up(const struct rill_waiter *next)
{
	const char *hot = (const char *)next;

	if (!next)
		return;
	__builtin_prefetch(hot - 64, 1);
	for (size_t at = 0; at < offsetof(struct rill_task, timer_worker); at += 64)
		__builtin_prefetch(hot + at, 1);
}

static struct rill_task *pop_locked(struct rill_stack_pool *p, struct rill_waiter **list)
{
	struct rill_waiter *w = *list;

	if (w) {
		*list = w->next;
		warm_up(w->next);
	}
	if (w && list == &p->free && --p->free_count < p->free_low)
		p->free_low = p->free_count;
	return w ? rill_task_of(w) : NULL;
}

/* A warm one if there is one. */
static struct rill_task *pool_pop(struct rill_stack_pool *p)
{
	rill_spin_lock(&p->lock);
	struct rill_task *t = pop_locked(p, &p->free);

	if (!t)
		t = pop_locked(p, &p->cold);
	rill_spin_unlock(&p->lock);
	return t;
}

/* A list of n, linked from first to last. */
static void pool_push(struct rill_stack_pool *p, struct rill_task *last, struct rill_task *first,
		      unsigned n)
{
	rill_spin_lock(&p->lock);
	last->waiter.next = p->free;
	p->free = &first->waiter;
	p->free_count += n;
	rill_spin_unlock(&p->lock);
}

static struct rill_task *pool_grow(struct rill_stack_pool *p)
{
	struct rill_stack_slab *s = slab_map(p);

	if (!s)
		return NULL;
	rill_spin_lock(&p->lock);
	s->next = rill_load_relaxed(&p->slabs);
	/* seq_cst: before live and closing in may_spawn(); pairs with rill_stack_for_each() */
	rill_store_seq_cst(&p->slabs, s);
	for (unsigned i = 1; i < p->slab_stacks; i++) {
		struct rill_task *t = task_at(p, s, i);

		t->waiter.next = p->free;
		p->free = &t->waiter;
	}
	p->free_count += p->slab_stacks - 1;
	rill_counter_add(&p->count, p->slab_stacks);
	rill_spin_unlock(&p->lock);
	return task_at(p, s, 0);
}

struct rill_task *rill_stack_get_slow(struct rill_stack_pool *p)
{
	struct rill_task *t = pool_pop(p);

	return t ? t : pool_grow(p);
}

void rill_stack_put_slow(struct rill_stack_pool *p, struct rill_stack_cache *cache,
			 struct rill_task *t)
{
	if (!cache) {
		pool_push(p, t, t, 1);
		return;
	}
	/* Full: the older half goes to the pool, where other workers find it. */
	for (unsigned i = 0; i + 1 < SPILL; i++)
		cache->tasks[i + 1]->waiter.next = &cache->tasks[i]->waiter;
	pool_push(p, cache->tasks[0], cache->tasks[SPILL - 1], SPILL);
	cache->count -= SPILL;
	memmove(cache->tasks, cache->tasks + SPILL, cache->count * sizeof(cache->tasks[0]));
	cache->tasks[cache->count++] = t;
}

void rill_stack_for_each(struct rill_stack_pool *p, void (*visit)(struct rill_task *, void *),
			 void *ctx)
{
	/* seq_cst: after closing, in shutdown; pairs with pool_grow() */
	for (struct rill_stack_slab *s = rill_load_seq_cst(&p->slabs); s; s = s->next)
		for (unsigned i = 0; i < p->slab_stacks; i++)
			visit(task_at(p, s, i), ctx);
}

/* ---- what is touched, and giving it back ---- */

static uintptr_t page_of(const void *at, size_t page)
{
	return (uintptr_t)at & ~(uintptr_t)(page - 1);
}

/* How many stacks nobody has needed since the last call, at most max. */
static unsigned take_idle(struct rill_stack_pool *p, unsigned max)
{
	rill_spin_lock(&p->lock);
	unsigned idle = (unsigned)RILL_MIN(p->free_low, (uint64_t)max);

	p->free_low = p->free_count;
	rill_spin_unlock(&p->lock);
	return idle;
}

static void note_touched(struct rill_stack_pool *p, size_t bytes)
{
	uint64_t most = rill_load_relaxed(&p->high_water);

	while (bytes > most && !rill_cas_relaxed(&p->high_water, &most, (uint64_t)bytes))
		;
}

static bool trim_one(struct rill_stack_pool *p)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	rill_spin_lock(&p->lock);
	struct rill_task *t = pop_locked(p, &p->free);

	rill_spin_unlock(&p->lock);
	if (!t)
		return false;
	note_touched(p, rill_stack_touched(t));
	/* The task stays: its state word has to be there for a late wake. */
	madvise(t->stack_low, page_of(t, page) - (uintptr_t)t->stack_low, MADV_DONTNEED);
	rill_spin_lock(&p->lock);
	t->waiter.next = p->cold;
	p->cold = &t->waiter;
	rill_spin_unlock(&p->lock);
	rill_fetch_add_relaxed(&p->trimmed, 1);
	return true;
}

unsigned rill_stack_trim(struct rill_stack_pool *p, unsigned max)
{
	unsigned idle = take_idle(p, max);
	unsigned n = 0;

	while (n < idle && trim_one(p))
		n++;
	return n;
}

static void tend(struct rill_stack_pool *p, uint64_t now_ns)
{
	if (now_ns - p->tended_ns >= TEND_NS) {
		p->tended_ns = now_ns;
		p->to_trim = take_idle(p, TEND_MAX);
	}
	for (unsigned i = 0; p->to_trim > 0 && i < TEND_AT_ONCE; i++)
		p->to_trim = trim_one(p) ? p->to_trim - 1 : 0;
}

void rill_stack_tend(struct rill_runtime *rt, uint64_t now_ns)
{
	tend(&rt->stacks, now_ns);
	for (unsigned i = 0; i < RILL_STACK_CLASSES; i++)
		tend(&rt->stack_classes[i], now_ns);
}

size_t rill_stack_touched(const struct rill_task *t)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t top = page_of((const char *)t + sizeof(*t) - 1, page) + page;
	uintptr_t at = (uintptr_t)t->stack_low;
	unsigned char resident[64];

	/* From the bottom: the first page that is there was the deepest. */
	while (at < top) {
		size_t pages = RILL_MIN((top - at) / page, sizeof(resident));

		if (mincore((void *)at, pages * page, resident) != 0)
			return 0;
		for (size_t i = 0; i < pages; i++)
			if (resident[i] & 1)
				return top - (at + i * page);
		at += pages * page;
	}
	return 0;
}

size_t rill_stack_high_water(const struct rill_task *t)
{
	size_t bytes = rill_stack_touched(t);

	note_touched(t->pool, bytes);
	return bytes;
}

size_t rill_stack_left(void)
{
	struct rill_task *t = rill_task_current();
	char here;

	return t ? (size_t)(&here - (char *)t->stack_low) : 0;
}
