/* SPDX-License-Identifier: BSD-3-Clause */
/* What is done to a packet whose NIC lacks something. */
#include <string.h>

#include "netstack/wire/checksum.h"
#include "netstack/wire/gso.h"
#include "ports/port.h"

#define MACS_LEN 12
#define VLAN_LEN 4
#define UDP_CSUM_OFFSET 6
#define ETHERTYPE_VLAN 0x8100

/*
 * All of b in one buffer of the queue's own, whose only holder we are. Without the headroom for
 * headers, which are there already, but with that for a tag.
 */
static struct rill_buf *flatten(struct rill_port_queue *q, struct rill_buf *b)
{
	struct rill_buf_seg segs[RILL_BUF_SEGS_MAX];
	unsigned count = rill_buf_segs(b, segs, RILL_BUF_SEGS_MAX);
	struct rill_buf *copy = rill_buf_alloc(q->nicq->pool);

	if (!copy) {
		rill_counter_add(&q->counts.tx_no_packet, 1);
		rill_buf_put(b);
		return NULL;
	}
	copy->data = copy->head + VLAN_LEN;
	if (count == 0 || rill_buf_frame_len(b) > rill_buf_tailroom(copy)) {
		rill_counter_add(&q->counts.tx_too_long, 1);
		rill_buf_put_owner(q->nicq->pool, copy);
		rill_buf_put(b);
		return NULL;
	}
	for (unsigned i = 0; i < count; i++)
		memcpy(rill_buf_append(copy, segs[i].len), segs[i].data, segs[i].len);
	copy->flags = b->flags & (uint16_t) ~(RILL_BUF_CHAIN | RILL_BUF_PARTS);
	copy->csum_start = b->csum_start;
	copy->csum_offset = b->csum_offset;
	*rill_buf_meta(copy) = *rill_buf_meta(b);
	rill_buf_put(b);
	return copy;
}

static struct rill_buf *make_writable(struct rill_port_queue *q, struct rill_buf *b)
{
	bool whole = !(b->flags & (RILL_BUF_CHAIN | RILL_BUF_PARTS));

	return rill_buf_exclusive(b) && whole && rill_buf_headroom(b) >= VLAN_LEN ? b
										  : flatten(q, b);
}

static void put_tag(struct rill_buf *b)
{
	uint16_t tci = rill_buf_meta(b)->vlan_tci;
	const uint8_t tag[VLAN_LEN] = {ETHERTYPE_VLAN >> 8, ETHERTYPE_VLAN & 0xff,
				       (uint8_t)(tci >> 8), (uint8_t)tci};

	b->flags &= (uint16_t)~RILL_BUF_VLAN;
	if (b->len < MACS_LEN)
		return; /* no frame at all: the NIC refuses it */
	rill_buf_push(b, VLAN_LEN);
	memmove(b->data, b->data + VLAN_LEN, MACS_LEN);
	memcpy(b->data + MACS_LEN, tag, VLAN_LEN);
	b->csum_start = (uint16_t)(b->csum_start + VLAN_LEN);
}

/* Bytes of a packet are anybody's: what it says of itself may be wrong. */
static void put_checksum(struct rill_buf *b)
{
	uint32_t field = (uint32_t)b->csum_start + b->csum_offset;
	uint16_t sum;

	b->flags &= (uint16_t)~RILL_BUF_CSUM_PARTIAL;
	if (field + 2 > b->len)
		return;
	sum = rill_csum_fold(
		rill_csum_add(0, b->data + b->csum_start, (size_t)b->len - b->csum_start));
	/* In UDP 0 says that there is none (RFC 768); 0xffff is the same number. */
	if (sum == 0 && b->csum_offset == UDP_CSUM_OFFSET)
		sum = 0xffff;
	memcpy(b->data + field, &sum, sizeof(sum));
}

struct rill_buf *rill_port_fit(struct rill_port_queue *q, struct rill_buf *b)
{
	uint16_t lacking = (uint16_t)(b->flags & ~q->port->tx_able);

	if (!(lacking & (RILL_BUF_CHAIN | RILL_BUF_PARTS | RILL_BUF_VLAN | RILL_BUF_CSUM_PARTIAL)))
		return b;
	b = make_writable(q, b);
	if (!b)
		return NULL;
	rill_counter_add(&q->counts.tx_fixed, 1);
	if (lacking & RILL_BUF_VLAN)
		put_tag(b);
	if (lacking & RILL_BUF_CSUM_PARTIAL)
		put_checksum(b);
	return b;
}

static struct rill_buf *alloc_of(void *ctx)
{
	struct rill_port_queue *q = ctx;

	return rill_buf_alloc(q->nicq->pool);
}

bool rill_port_cut(struct rill_port_queue *q, struct rill_buf *b, struct rill_buf_queue *ret)
{
	const struct rill_gso_config config = {
		.alloc = alloc_of,
		.ctx = q,
		.csum = q->port->tx_able & RILL_BUF_CSUM_PARTIAL ? RILL_GSO_CSUM_PARTIAL
								 : RILL_GSO_CSUM_FULL,
	};

	if (rill_gso_cut(b, &config, ret) < 0) {
		rill_counter_add(&q->counts.tx_gso, 1);
		return false;
	}
	rill_counter_add(&q->counts.tx_fixed, 1);
	return true;
}
