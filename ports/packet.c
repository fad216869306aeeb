/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets by themselves. */
#include "ports/port.h"

#include <string.h>

#define SAME(pkt_field, buf_field)                                                                 \
	RILL_STATIC_ASSERT(offsetof(struct rill_pkt, pkt_field) ==                                 \
					   offsetof(struct rill_buf, buf_field) &&                 \
				   sizeof(((struct rill_pkt *)0)->pkt_field) ==                    \
					   sizeof(((struct rill_buf *)0)->buf_field),              \
			   #pkt_field " is where the buffer has it")

SAME(data, data);
SAME(len, len);
SAME(internal_refs, refs);
SAME(head, head);
SAME(end, end);
SAME(next, next);
SAME(internal_pool, pool);
SAME(flags, flags);
SAME(csum_start, csum_start);
SAME(csum_offset, csum_offset);
SAME(queue, queue);
SAME(time_ns, time_ns);

#define SAME_META(field)                                                                           \
	RILL_STATIC_ASSERT(offsetof(struct rill_pkt_meta, field) ==                                \
				   offsetof(struct rill_buf_meta, field),                          \
			   #field " is where drivers put it")

SAME_META(hash);
SAME_META(vlan_tci);
SAME_META(gso_size);
SAME_META(header_len);
SAME_META(tx_at_ns);

RILL_STATIC_ASSERT(offsetof(struct rill_pkt, meta) == offsetof(struct rill_buf, cookie) &&
			   sizeof(struct rill_pkt_meta) == sizeof(struct rill_buf_meta) &&
			   sizeof(struct rill_pkt) == sizeof(struct rill_buf),
		   "a packet is a buffer");
RILL_STATIC_ASSERT((int)RILL_PKT_CSUM_OK == RILL_BUF_CSUM_OK &&
			   (int)RILL_PKT_CSUM_PARTIAL == RILL_BUF_CSUM_PARTIAL &&
			   (int)RILL_PKT_CHAIN == RILL_BUF_CHAIN &&
			   (int)RILL_PKT_HASH == RILL_BUF_HASH &&
			   (int)RILL_PKT_VLAN == RILL_BUF_VLAN &&
			   (int)RILL_PKT_GSO == RILL_BUF_GSO &&
			   (int)RILL_PKT_HW_TIME == RILL_BUF_HW_TIME &&
			   (int)RILL_PKT_TX_AT == RILL_BUF_TX_AT,
		   "flags are the drivers'");

uint32_t rill_pkt_frame_len(const struct rill_pkt *p)
{
	return rill_buf_frame_len(rill_buf_of_pkt(p));
}

bool rill_pkt_is_sole(const struct rill_pkt *p)
{
	return rill_buf_exclusive(rill_buf_of_pkt(p));
}

struct rill_pkt *rill_pkt_clone(struct rill_pkt *p)
{
	rill_buf_get(rill_buf_of_pkt(p));
	return p;
}

void rill_pkt_chain(struct rill_pkt *head, struct rill_pkt *tail)
{
	struct rill_pkt *last = head;

	while ((head->flags & RILL_PKT_CHAIN) && last->next)
		last = last->next;
	last->next = tail;
	if (!(tail->flags & RILL_PKT_CHAIN))
		tail->next = NULL;
	tail->flags &= (uint16_t)~RILL_PKT_CHAIN;
	head->flags |= RILL_PKT_CHAIN;
}

/* ---- giving back ---- */

/* Free packets of one pool, which go back to it at once. */
struct run {
	struct rill_buf_pool *pool;
	struct rill_buf *first, *last;
};

static void run_end(struct run *run)
{
	struct rill_buf *head;

	if (!run->pool)
		return;
	head = rill_load_relaxed(&run->pool->returned);
	do {
		run->last->next = head;
		/* release: pairs with the acquire in rill_buf_pool_reclaim() */
	} while (!rill_cas_release(&run->pool->returned, &head, run->first));
	run->pool = NULL;
}

static void run_add(struct run *run, struct rill_buf *b)
{
	/* As in rill_buf_put(): so that one put too many is noticed. */
	rill_store_relaxed(&b->refs, 0);
	if (run->pool != b->pool) {
		run_end(run);
		run->pool = b->pool;
		run->last = b;
		run->first = NULL;
	}
	b->next = run->first;
	run->first = b;
}

/* Nothing but a free buffer remains of it, and that goes to a list. */
static bool is_plain(const struct rill_buf *b)
{
	return rill_buf_exclusive(b) && !(b->flags & (RILL_BUF_CHAIN | RILL_BUF_PARTS)) &&
	       !b->pool->release;
}

void rill_pkt_free(struct rill_pkt **pkts, unsigned n)
{
	struct run run = {0};

	for (unsigned i = 0; i < n; i++) {
		struct rill_buf *b = rill_buf_of_pkt(pkts[i]);

		if (b && is_plain(b))
			run_add(&run, b);
		else
			rill_buf_put(b);
	}
	run_end(&run);
}

/* ---- new ones ---- */

unsigned rill_port_alloc(struct rill_port *port, unsigned queue, struct rill_pkt **ret_pkts,
			 unsigned n)
{
	struct rill_port_queue *q = rill_port_queue(port, queue);
	unsigned i = 0;

	if (!q)
		return 0;
	rill_port_take_turn(q);
	for (; i < n; i++) {
		struct rill_buf *b = rill_buf_alloc(q->nicq->pool);

		if (!b)
			break;
		b->queue = q->nicq->index;
		ret_pkts[i] = rill_pkt_of_buf(b);
	}
	rill_port_end_turn(q);
	return i;
}

struct rill_pkt *rill_port_copy(struct rill_port *port, unsigned queue, const struct rill_pkt *p)
{
	struct rill_buf_seg segs[RILL_BUF_SEGS_MAX];
	struct rill_buf *from = rill_buf_of_pkt(p);
	unsigned count = rill_buf_segs(from, segs, RILL_BUF_SEGS_MAX);
	struct rill_pkt *copy;

	if (count == 0 || rill_port_alloc(port, queue, &copy, 1) == 0)
		return NULL;
	if (rill_buf_frame_len(from) > rill_pkt_tailroom(copy)) {
		rill_pkt_free(&copy, 1);
		return NULL;
	}
	for (unsigned i = 0; i < count; i++)
		memcpy(rill_pkt_append(copy, segs[i].len), segs[i].data, segs[i].len);
	copy->flags = p->flags & (uint16_t) ~(RILL_BUF_CHAIN | RILL_BUF_PARTS);
	copy->csum_start = p->csum_start;
	copy->csum_offset = p->csum_offset;
	copy->queue = p->queue;
	copy->time_ns = p->time_ns;
	copy->meta = p->meta;
	return copy;
}
