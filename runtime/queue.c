/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/queue.h"

#define MASK (RILL_QUEUE_CAP - 1)

RILL_STATIC_ASSERT((RILL_QUEUE_CAP & MASK) == 0, "indices wrap by masking");

static uint64_t pack(uint32_t steal, uint32_t real)
{
	return (uint64_t)steal << 32 | real;
}

static uint32_t steal_of(uint64_t head)
{
	return (uint32_t)(head >> 32);
}

static uint32_t real_of(uint64_t head)
{
	return (uint32_t)head;
}

void rill_queue_init(struct rill_queue *q)
{
	q->head = 0;
	q->tail = 0;
}

/* Takes out the younger half; false when a thief came first. The queue was full when head was read.
 */
static bool overflow(struct rill_queue *q, uint64_t head, uint32_t tail, struct rill_task **batch)
{
	uint64_t empty = pack(tail, tail);
	const uint32_t half = RILL_QUEUE_CAP / 2;

	/* Claiming everything keeps thieves out. release: pairs with the acquire of head in
	 * steal_into() */
	if (!rill_cas_release(&q->head, &head, empty))
		return false;
	for (uint32_t i = 0; i < half; i++)
		batch[i] = rill_load_relaxed(&q->slots[(tail + half + i) & MASK]);
	/*
	 * The older half is still in its slots: one capacity further they are the same slots.
	 * release: pairs with the acquire of tail in steal_into()
	 */
	rill_store_release(&q->tail, tail + half);
	return true;
}

enum rill_queue_push rill_queue_push_back(struct rill_queue *q, struct rill_task *t,
					  struct rill_task **batch)
{
	uint32_t tail = rill_load_relaxed(&q->tail);

	for (;;) {
		/* acquire: pairs with the thief's release in steal_into(): its copying is over */
		uint64_t head = rill_load_acquire(&q->head);

		if (tail - steal_of(head) < RILL_QUEUE_CAP)
			break;
		if (steal_of(head) != real_of(head))
			return RILL_QUEUE_BUSY;
		if (overflow(q, head, tail, batch))
			return RILL_QUEUE_OVERFLOW;
	}
	rill_store_relaxed(&q->slots[tail & MASK], t);
	/* release: pairs with the acquire of tail in steal_into() */
	rill_store_release(&q->tail, tail + 1);
	return RILL_QUEUE_PUSHED;
}

struct rill_task *rill_queue_pop(struct rill_queue *q)
{
	uint32_t tail = rill_load_relaxed(&q->tail);
	/* acquire: nothing to pair with for the owner's own pushes; head only moves by RMWs */
	uint64_t head = rill_load_acquire(&q->head);

	for (;;) {
		uint32_t real = real_of(head);
		uint64_t next;

		if (real == tail)
			return NULL;
		/* Without a thief both indices move together; with one, steal stays until it is
		 * done. */
		if (steal_of(head) == real)
			next = pack(real + 1, real + 1);
		else
			next = pack(steal_of(head), real + 1);
		/* acq_rel: orders this taking with those of thieves, which CAS the same word */
		if (rill_cas_acq_rel(&q->head, &head, next))
			return rill_load_relaxed(&q->slots[real & MASK]);
	}
}

/* Claims half of src for copying: how many, from *ret_first on. */
static uint32_t claim(struct rill_queue *src, uint32_t *ret_first)
{
	/* acquire: pairs with the release of head by other takers */
	uint64_t head = rill_load_acquire(&src->head);

	for (;;) {
		/* acquire: pairs with the release of tail in push_back(): the slots are written */
		uint32_t tail = rill_load_acquire(&src->tail);
		uint32_t real = real_of(head);
		uint32_t n = tail - real;

		if (steal_of(head) != real)
			return 0;
		n -= n / 2;
		/* head may be older than tail, so that the difference means nothing: the CAS will
		 * tell */
		if (n == 0 || n > RILL_QUEUE_CAP)
			return 0;
		/* acq_rel: as in pop() */
		if (rill_cas_acq_rel(&src->head, &head, pack(real, real + n))) {
			*ret_first = real;
			return n;
		}
	}
}

struct rill_task *rill_queue_steal_into(struct rill_queue *src, struct rill_queue *dst,
					uint32_t *ret_stolen)
{
	uint32_t dst_tail = rill_load_relaxed(&dst->tail);
	uint32_t first = 0;

	if (rill_queue_room(dst) < RILL_QUEUE_CAP / 2)
		return NULL;
	uint32_t n = claim(src, &first);

	if (n == 0)
		return NULL;
	for (uint32_t i = 0; i < n; i++)
		rill_store_relaxed(&dst->slots[(dst_tail + i) & MASK],
				   rill_load_relaxed(&src->slots[(first + i) & MASK]));

	/* acquire: only to learn real, which the owner may have moved meanwhile */
	uint64_t head = rill_load_acquire(&src->head);

	/* release: our reads of the slots are over; pairs with the acquire in push_back() */
	while (!rill_cas_acq_rel(&src->head, &head, pack(real_of(head), real_of(head))))
		;
	*ret_stolen = n;
	n--;
	/* release: pairs with the acquire of tail in claim() */
	if (n > 0)
		rill_store_release(&dst->tail, dst_tail + n);
	return rill_load_relaxed(&dst->slots[(dst_tail + n) & MASK]);
}
