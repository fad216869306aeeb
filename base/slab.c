/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/slab.h"

#include "base/assert.h"
#include "base/compiler.h"

#include <stdlib.h>

/* Large enough that the chunk's head is nothing, small enough for an embedded stack. */
#define CHUNK_BYTES 65536
#define OBJECT_ALIGN 16
#define CACHE_LINE 64

struct rill_slab_chunk {
	struct rill_slab_chunk *next;
	size_t bytes;
} __attribute__((aligned(CACHE_LINE)));

static void *heap_alloc(void *ctx, size_t size)
{
	(void)ctx;
	return aligned_alloc(CACHE_LINE, (size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1));
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
	s->used = 0;
	s->size = 0;
}

static void put_free(struct rill_slab *s, void *object)
{
	*(void **)object = s->free;
	s->free = object;
}

static bool grow(struct rill_slab *s)
{
	size_t count = (CHUNK_BYTES - sizeof(struct rill_slab_chunk)) / s->object_bytes;
	struct rill_slab_chunk *c;
	size_t bytes;

	count = count ? count : 1;
	bytes = sizeof(*c) + count * s->object_bytes;
	c = s->memory->alloc(s->memory->ctx, bytes);
	if (!c)
		return false;
	c->next = s->chunks;
	c->bytes = bytes;
	s->chunks = c;
	s->size += (uint32_t)count;
	/* From the end, so that they are handed out in the order of their addresses. */
	while (count-- > 0)
		put_free(s, (char *)(c + 1) + count * s->object_bytes);
	return true;
}

void *rill_slab_alloc(struct rill_slab *s)
{
	void *object;

	if (s->max && s->used >= s->max)
		return NULL;
	if (RILL_UNLIKELY(!s->free) && !grow(s))
		return NULL;
	object = s->free;
	s->free = *(void **)object;
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
