/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/buf.h"

#include "base/huge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096

void rill_buf_pool_add(struct rill_buf_pool *p, struct rill_buf *b, uint8_t *head, uint8_t *end)
{
	memset(b, 0, sizeof(*b));
	b->head = head;
	b->end = end;
	b->pool = p;
	b->next = p->free;
	p->free = b;
	p->size++;
	p->available++;
	p->buf_bytes = (uint32_t)(end - head);
}

int rill_buf_pool_init_heap(struct rill_buf_pool *p, uint32_t count, uint32_t buf_bytes)
{
	size_t stride = (RILL_BUF_HEADER_SIZE + (size_t)buf_bytes + 127) & ~(size_t)127;

	memset(p, 0, sizeof(*p));
	p->memory_len = stride * count;
	/* With a header on every page all of it is touched right now. */
	p->memory = stride <= PAGE_BYTES ? rill_huge_alloc(128, p->memory_len)
					 : aligned_alloc(128, p->memory_len);
	if (!p->memory)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *at = (uint8_t *)p->memory + i * stride;

		rill_buf_pool_add(p, (struct rill_buf *)at, at + RILL_BUF_HEADER_SIZE, at + stride);
	}
	return 0;
}

void rill_buf_pool_fini_heap(struct rill_buf_pool *p)
{
	free(p->memory);
	memset(p, 0, sizeof(*p));
}

uint32_t rill_buf_pool_reclaim(struct rill_buf_pool *p)
{
	if (!rill_load_relaxed(&p->returned))
		return p->available;
	/* acquire: pairs with the release in rill_buf_put(), so that the returner's last use is
	 * over */
	struct rill_buf *b = rill_exchange_acquire(&p->returned, NULL);

	while (b) {
		struct rill_buf *next = b->next;

		b->next = p->free;
		p->free = b;
		p->available++;
		b = next;
	}
	return p->available;
}

static bool has_free(struct rill_buf_pool *p)
{
	if (rill_buf_pool_reclaim(p) > 0)
		return true;
	if (p->refill)
		p->refill(p);
	return p->free != NULL;
}

struct rill_buf *rill_buf_alloc(struct rill_buf_pool *p)
{
	if (RILL_UNLIKELY(!p->free) && !has_free(p)) {
		p->alloc_failures++;
		return NULL;
	}
	struct rill_buf *b = p->free;

	p->free = b->next;
	/* The next one's: it may have been away for long. */
	__builtin_prefetch(p->free, 1);
	p->available--;
	b->next = NULL;
	b->data = b->head + RILL_BUF_HEADROOM;
	b->len = 0;
	b->flags = 0;
	b->time_ns = 0;
	rill_store_relaxed(&b->refs, 1);
	return b;
}

/* True when the caller's reference was the last. */
static bool drop_ref(struct rill_buf *b)
{
	RILL_DEBUG_ASSERT(rill_load_relaxed(&b->refs) > 0);
	/* A sole holder needs no read-modify-write: nobody else can be adding a reference. */
	if (rill_buf_exclusive(b))
		return true;
	/* release: our use ends here; acquire: for the one who frees, everybody's use has ended */
	return rill_fetch_sub_acq_rel(&b->refs, 1) == 1;
}

/* ---- pieces ---- */

/* The list is at the end of the head's memory and grows downwards. */
static struct rill_buf_seg *part_at(const struct rill_buf *b, unsigned i)
{
	uintptr_t end = (uintptr_t)b->end & ~(uintptr_t)(sizeof(void *) - 1);

	return (struct rill_buf_seg *)end - 1 - i;
}

bool rill_buf_add_part(struct rill_buf *b, struct rill_buf *buf, uint8_t *data, uint32_t len)
{
	struct rill_buf_meta *m = rill_buf_meta(b);
	unsigned count = b->flags & RILL_BUF_PARTS ? m->part_count : 0;
	struct rill_buf_seg *part = part_at(b, count);

	RILL_DEBUG_ASSERT((b->flags & RILL_BUF_CHAIN) == 0);
	if (count + 1 == RILL_BUF_SEGS_MAX || (uint8_t *)part < b->data + b->len)
		return false;
	if (count == 0)
		m->part_bytes = 0;
	b->flags |= RILL_BUF_PARTS;
	rill_buf_get(buf);
	*part = (struct rill_buf_seg){buf, data, len};
	m->part_count = (uint16_t)(count + 1);
	m->part_bytes += len;
	return true;
}

unsigned rill_buf_segs(struct rill_buf *b, struct rill_buf_seg *segs, unsigned max)
{
	unsigned n = 1;

	segs[0] = (struct rill_buf_seg){b, b->data, b->len};
	if (b->flags & RILL_BUF_PARTS) {
		for (unsigned i = 0; i < rill_buf_meta(b)->part_count; i++) {
			if (n == max)
				return 0;
			segs[n++] = *part_at(b, i);
		}
	}
	if (b->flags & RILL_BUF_CHAIN) {
		for (struct rill_buf *p = b->next; p; p = p->next) {
			if (n == max)
				return 0;
			segs[n++] = (struct rill_buf_seg){p, p->data, p->len};
		}
	}
	return n;
}

uint32_t rill_buf_frame_len(const struct rill_buf *b)
{
	uint32_t len = b->len;

	if (b->flags & RILL_BUF_PARTS)
		len += rill_buf_meta((struct rill_buf *)b)->part_bytes;
	if (b->flags & RILL_BUF_CHAIN)
		for (const struct rill_buf *p = b->next; p; p = p->next)
			len += p->len;
	return len;
}

/* The last reference to a frame's head is gone: its pieces' go with it. */
static RILL_NOINLINE void put_pieces(struct rill_buf *b)
{
	if (b->flags & RILL_BUF_PARTS)
		for (unsigned i = 0; i < rill_buf_meta(b)->part_count; i++)
			rill_buf_put(part_at(b, i)->buf);
	if (b->flags & RILL_BUF_CHAIN) {
		for (struct rill_buf *p = b->next, *next; p; p = next) {
			next = p->next;
			rill_buf_put(p);
		}
	}
	b->flags = 0;
}

/* ---- giving back ---- */

static inline void free_begin(struct rill_buf *b)
{
	if (RILL_UNLIKELY(b->flags & (RILL_BUF_PARTS | RILL_BUF_CHAIN)))
		put_pieces(b);
	/* So that one put too many is noticed; nobody else looks at a free buffer. */
	rill_store_relaxed(&b->refs, 0);
}

void rill_buf_put(struct rill_buf *b)
{
	if (!b || !drop_ref(b))
		return;
	struct rill_buf_pool *p = b->pool;

	free_begin(b);
	if (RILL_UNLIKELY(p->release)) {
		p->release(b);
		return;
	}
	struct rill_buf *head = rill_load_relaxed(&p->returned);

	do {
		b->next = head;
		/* release: pairs with the acquire in rill_buf_pool_reclaim() */
	} while (!rill_cas_release(&p->returned, &head, b));
}

void rill_buf_put_owner(struct rill_buf_pool *owner, struct rill_buf *b)
{
	if (!b)
		return;
	if (b->pool != owner) {
		rill_buf_put(b);
		return;
	}
	if (!drop_ref(b))
		return;
	free_begin(b);
	if (RILL_UNLIKELY(owner->release)) {
		owner->release(b);
		return;
	}
	b->next = owner->free;
	owner->free = b;
	owner->available++;
}
