/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/slab.h"

#include "base/assert.h"
#include "base/compiler.h"
#include "base/huge.h"

#include <stdlib.h>

/* Large enough that the chunk's head is nothing, small enough for an embedded stack. */
#define CHUNK_BYTES 65536
/* With so many bytes there already a chunk is a huge page. */
#define LARGE_AFTER ((uint64_t)1 << 17)
#define OBJECT_ALIGN 16
#define CACHE_LINE 64

struct rill_slab_chunk {
	struct rill_slab_chunk *next;
	size_t bytes;
} __attribute__((aligned(CACHE_LINE)));

static void *heap_alloc(void *ctx, size_t size)
{
	(void)ctx;
	return rill_huge_reserve(CACHE_LINE, size);
}

static void heap_free(void *ctx, void *p, size_t size)
{
	(void)ctx, (void)size;
	free(p);
}

const struct rill_memory rill_memory_heap = {.alloc = heap_alloc, .free = heap_free};

void rill_slab_init(struct rill_slab *s, const struct rill_memory *memory, size_t object_bytes,
		    uint32_t max)
{
	*s = (struct rill_slab){
		.memory = memory,
		.object_bytes =
			(uint32_t)((object_bytes + OBJECT_ALIGN - 1) & ~(size_t)(OBJECT_ALIGN - 1)),
		.max = max,
	};
}

void rill_slab_fini(struct rill_slab *s)
{
	struct rill_slab_chunk *next;

	for (struct rill_slab_chunk *c = s->chunks; c; c = next) {
		next = c->next;
		s->memory->free(s->memory->ctx, c, c->bytes);
	}
	s->chunks = NULL;
	s->free = NULL;
	s->fresh_count = 0;
	s->used = 0;
	s->size = 0;
}

static void put_free(struct rill_slab *s, void *object)
{
	*(void **)object = s->free;
	s->free = object;
}

/* Of our own memory only: what others give us is theirs to arrange, and perhaps scarce. */
static bool is_large(const struct rill_slab *s)
{
	return s->memory == &rill_memory_heap &&
	       (uint64_t)s->size * s->object_bytes >= LARGE_AFTER &&
	       s->object_bytes <= RILL_HUGE_PAGE / 2;
}

/* The last chunk is all in use now: before that a huge page would be memory for nobody. */
static void collapse(struct rill_slab *s)
{
	if (s->chunks && s->chunks->bytes == RILL_HUGE_PAGE)
		rill_huge_collapse(s->chunks, RILL_HUGE_PAGE);
}

static bool grow(struct rill_slab *s)
{
	bool large = is_large(s);
	size_t head = sizeof(struct rill_slab_chunk);
	size_t room = (large ? RILL_HUGE_PAGE : CHUNK_BYTES) - head;
	size_t count = RILL_MAX(room / s->object_bytes, (size_t)1);
	size_t bytes = large ? RILL_HUGE_PAGE : head + count * s->object_bytes;
	struct rill_slab_chunk *c;

	collapse(s);
	c = s->memory->alloc(s->memory->ctx, bytes);
	if (!c)
		return false;
	c->next = s->chunks;
	c->bytes = bytes;
	s->chunks = c;
	s->size += (uint32_t)count;
	s->fresh = (char *)(c + 1);
	s->fresh_count = (uint32_t)count;
	return true;
}

/* Nobody had it before; its memory was not even touched. */
static void *take_fresh(struct rill_slab *s)
{
	void *object = s->fresh;

	s->fresh += s->object_bytes;
	s->fresh_count--;
	return object;
}

void *rill_slab_alloc(struct rill_slab *s)
{
	void *object = s->free;

	if (s->max && s->used >= s->max)
		return NULL;
	if (RILL_LIKELY(object)) {
		s->free = *(void **)object;
	} else {
		if (s->fresh_count == 0 && !grow(s))
			return NULL;
		object = take_fresh(s);
	}
	s->used++;
	return object;
}

void rill_slab_free(struct rill_slab *s, void *object)
{
	if (!object)
		return;
	RILL_DEBUG_ASSERT(s->used > 0);
	s->used--;
	put_free(s, object);
}
