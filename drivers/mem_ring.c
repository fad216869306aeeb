/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/mem_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Refill only so many slots at once (or a quarter of the ring): one store to the shared line for
 * all. */
#define REFILL_BATCH 32u

struct rill_mem_ring *rill_mem_ring_create(void)
{
	struct rill_mem_ring *r = aligned_alloc(RILL_CACHE_LINE, sizeof(*r));

	if (!r)
		return NULL;
	memset(r, 0, sizeof(*r));
	r->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (r->fd < 0) {
		free(r);
		return NULL;
	}
	return r;
}

void rill_mem_ring_destroy(struct rill_mem_ring *r)
{
	if (!r)
		return;
	RILL_ASSERT(!r->slots);
	close(r->fd);
	free(r);
}

int rill_mem_ring_open(struct rill_mem_ring *r, uint32_t slot_count, uint32_t frame_len_max)
{
	struct rill_buf **slots = calloc(slot_count, sizeof(*slots));

	RILL_ASSERT(slot_count > 0 && (slot_count & (slot_count - 1)) == 0);
	if (!slots)
		return -ENOMEM;
	rill_spin_lock(&r->lock);
	RILL_ASSERT(!r->slots);
	r->slots = slots;
	r->mask = slot_count - 1;
	r->frame_len_max = frame_len_max;
	r->next = 0;
	r->posted_seen = 0;
	rill_store_relaxed(&r->taken, 0);
	rill_store_relaxed(&r->short_of_bufs, false);
	/* A write to fd may be left over from the last user. */
	r->drain_owed = true;
	rill_store_relaxed(&r->posted, 0);
	rill_store_relaxed(&r->filled, 0);
	rill_store_relaxed(&r->armed, 0);
	rill_store_relaxed(&r->dropped, 0);
	rill_spin_unlock(&r->lock);
	return 0;
}

void rill_mem_ring_close(struct rill_mem_ring *r)
{
	rill_spin_lock(&r->lock);
	struct rill_buf **slots = r->slots;

	r->slots = NULL;
	rill_store_relaxed(&r->armed, 0);
	rill_spin_unlock(&r->lock);
	free(slots);
}

unsigned rill_mem_ring_take(struct rill_mem_ring *r, struct rill_buf **bufs, unsigned n)
{
	/* acquire: R2 */
	uint32_t filled = rill_load_acquire(&r->filled);
	uint32_t taken = rill_load_relaxed(&r->taken);
	unsigned count = RILL_MIN(n, filled - taken);

	for (unsigned i = 0; i < count; i++)
		bufs[i] = r->slots[(taken + i) & r->mask];
	/* relaxed: read elsewhere only as a hint */
	rill_store_relaxed(&r->taken, taken + count);
	return count;
}

void rill_mem_ring_refill(struct rill_mem_ring *r, struct rill_buf_pool *pool)
{
	uint32_t size = r->mask + 1;
	uint32_t posted = rill_load_relaxed(&r->posted);
	uint32_t empty = size - (posted - rill_load_relaxed(&r->taken));
	uint32_t want = empty;

	if (want < RILL_MIN(REFILL_BATCH, size / 4))
		return;
	/* Asked beforehand, for a dry pool is no failure here: the slots stay empty until the next
	 * time. */
	if (pool->available < want)
		want = RILL_MIN(want, rill_buf_pool_reclaim(pool));
	for (uint32_t i = 0; i < want; i++)
		r->slots[(posted + i) & r->mask] = rill_buf_alloc(pool);
	rill_store_relaxed(&r->short_of_bufs, want < empty);
	/* release: R1 */
	rill_store_release(&r->posted, posted + want);
}

struct rill_buf *rill_mem_ring_fill_locked(struct rill_mem_ring *r, const uint8_t *data,
					   uint32_t len)
{
	if (!r->slots)
		return NULL;
	if (r->next == r->posted_seen) {
		/* acquire: R1 */
		r->posted_seen = rill_load_acquire(&r->posted);
	}
	if (r->next == r->posted_seen || len > r->frame_len_max) {
		rill_counter_add(&r->dropped, 1);
		return NULL;
	}
	struct rill_buf *b = r->slots[r->next++ & r->mask];

	/* Its receiver had it last. */
	if (r->next != r->posted_seen)
		__builtin_prefetch(r->slots[r->next & r->mask], 1);
	memcpy(b->data, data, len);
	b->len = len;
	return b;
}

static void wake(struct rill_mem_ring *r)
{
	uint64_t one = 1;

	/* It fails only when the counter is full, and then fd is readable anyway. */
	ssize_t n = write(r->fd, &one, sizeof(one));

	(void)n;
}

void rill_mem_ring_unlock(struct rill_mem_ring *r)
{
	bool news = r->slots && r->next != rill_load_relaxed(&r->filled);

	/* seq_cst: R2, R3 */
	if (news)
		rill_publish(&r->filled, r->next);
	rill_spin_unlock(&r->lock);
	if (news)
		rill_mem_ring_kick(r);
}

void rill_mem_ring_kick(struct rill_mem_ring *r)
{
	/* seq_cst: R3. The exchange, so that one sender alone makes the syscall. */
	if (rill_load_seq_cst(&r->armed) && rill_exchange_seq_cst(&r->armed, 0))
		wake(r);
}

/* True when no sender has taken the flag, so that no write to fd is due. */
static bool take_back_armed(struct rill_mem_ring *r)
{
	/* seq_cst, as all accesses to armed: R3 */
	return rill_exchange_seq_cst(&r->armed, 0) != 0;
}

bool rill_mem_ring_arm(struct rill_mem_ring *r)
{
	/* seq_cst: R3 */
	rill_publish(&r->armed, 1);
	/* seq_cst: R3 */
	if (rill_load_seq_cst(&r->filled) == rill_load_relaxed(&r->taken))
		return true;
	if (!take_back_armed(r))
		r->drain_owed = true;
	return false;
}

void rill_mem_ring_disarm(struct rill_mem_ring *r)
{
	uint64_t count;

	/* A flag that was not set is one that a sender took, or that arm took back: draining is
	 * harmless. */
	if (!take_back_armed(r))
		r->drain_owed = true;
	/* The write may come later than this: then it is owed until the next time, and one wake-up
	 * is spurious. */
	if (r->drain_owed && read(r->fd, &count, sizeof(count)) == sizeof(count))
		r->drain_owed = false;
}
