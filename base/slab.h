/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Objects of one size in slabs, for one owner who serialises the calls: allocation is a pop, and
 * nothing is spent on a header. Memory comes from the owner's source and goes back there with
 * rill_slab_fini(); free objects are reused, youngest first (their cache lines are warm). With many
 * objects the chunks are huge pages, see huge.h.
 */
#ifndef RILL_BASE_SLAB_H
#define RILL_BASE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where memory comes from. alloc: size bytes, aligned to a cache line, or NULL. */
struct rill_memory {
	void *(*alloc)(void *ctx, size_t size);
	void (*free)(void *ctx, void *p, size_t size);
	void *ctx;
};

/* The C library's heap. */
extern const struct rill_memory rill_memory_heap;

struct rill_slab_chunk;

struct rill_slab {
	const struct rill_memory *memory;
	void *free;  /* linked by their first word */
	char *fresh; /* objects at the end of the newest chunk that nobody has had */
	uint32_t fresh_count;
	struct rill_slab_chunk *chunks;
	uint32_t object_bytes; /* rounded up to 16 */
	uint32_t used;	       /* objects handed out */
	uint32_t max;	       /* of them at most; 0: no bound */
	uint32_t size;	       /* objects in all chunks */
};

void rill_slab_init(struct rill_slab *s, const struct rill_memory *memory, size_t object_bytes,
		    uint32_t max);
/* Gives every chunk back, whoever holds an object. */
void rill_slab_fini(struct rill_slab *s);
/* An object with undefined contents, or NULL: max, or no memory. */
void *rill_slab_alloc(struct rill_slab *s);
/* NULL is allowed. */
void rill_slab_free(struct rill_slab *s, void *object);

#endif
