/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/wire/gso.h"

#include "netstack/wire/bytes.h"
#include "netstack/wire/checksum.h"
#include "netstack/wire/eth.h"
#include "netstack/wire/ip4.h"
#include "netstack/wire/udp.h"
#include "netstack/wire/vlan.h"

#include <errno.h>
#include <netinet/in.h>

#define ETH_IP6 0x86dd
#define IP6_LEN 40
#define IP6_EXTENSIONS_MAX 8
#define TCP_LEN 20
#define TCP_SEQ_AT 4
#define TCP_FLAGS_AT 13
#define TCP_CSUM_AT 16
#define UDP_CSUM_AT 6
#define FIN 1
#define PSH 8
#define CWR 128

/* Where things are in the frame. */
struct layout {
	uint32_t l3, l4;
	uint32_t header_len; /* up to the payload */
	uint32_t payload_len;
	uint32_t unit;
	uint8_t proto;
	bool ip6;
	bool no_csum; /* UDP over IPv4 that has none */
	struct rill_ip src, dst;
};

/* Pieces, and how far they were read. */
struct cursor {
	struct rill_buf_seg segs[RILL_BUF_SEGS_MAX];
	unsigned count, at;
	uint32_t offset;
};

/* ---- taking it apart ---- */

/* Past the Ethernet header and the tags behind it; its type. */
static int parse_link(const struct rill_buf *b, const struct rill_gso_config *config,
		      struct layout *l)
{
	uint32_t at = 2 * RILL_ETH_ADDR_LEN;
	uint16_t type;

	l->l3 = 0;
	if (config->no_link)
		return b->len > 0 && b->data[0] >> 4 == 6 ? ETH_IP6 : RILL_ETH_IP4;
	for (;;) {
		if (b->len < at + 2)
			return -EINVAL;
		type = rill_load_be16(b->data + at);
		if (!rill_vlan_is_tag(type))
			break;
		at += RILL_VLAN_LEN;
	}
	l->l3 = at + 2;
	return type;
}

static int parse_ip4(const struct rill_buf *b, struct layout *l, uint32_t *ret_len)
{
	const uint8_t *p = b->data + l->l3;

	if (rill_ip4_check_embedded(p, b->len - l->l3) != RILL_DROP_NONE)
		return -EINVAL;
	l->l4 = l->l3 + (p[0] & 15) * 4u;
	l->proto = p[9];
	*ret_len = l->l3 + rill_load_be16(p + 2);
	rill_ip4_set(&l->src, rill_load_be32(p + 12));
	rill_ip4_set(&l->dst, rill_load_be32(p + 16));
	/* Fragments are no frames to be cut. */
	return (rill_load_be16(p + 6) & (RILL_IP4_MF | RILL_IP4_OFFSET_MASK)) == 0 ? 0 : -EINVAL;
}

static int parse_ip6(const struct rill_buf *b, struct layout *l, uint32_t *ret_len)
{
	const uint8_t *p = b->data + l->l3;

	if (b->len < l->l3 + IP6_LEN || p[0] >> 4 != 6)
		return -EINVAL;
	l->ip6 = true;
	l->proto = p[6];
	l->l4 = l->l3 + IP6_LEN;
	*ret_len = l->l4 + rill_load_be16(p + 4);
	l->src.family = RILL_AF_IP6;
	l->dst.family = RILL_AF_IP6;
	memcpy(l->src.bytes, p + 8, 16);
	memcpy(l->dst.bytes, p + 24, 16);
	for (unsigned i = 0; i < IP6_EXTENSIONS_MAX; i++) {
		if (l->proto != IPPROTO_HOPOPTS && l->proto != IPPROTO_DSTOPTS &&
		    l->proto != IPPROTO_ROUTING)
			return 0;
		if (b->len < l->l4 + 8)
			return -EINVAL;
		l->proto = b->data[l->l4];
		l->l4 += (b->data[l->l4 + 1] + 1u) * 8;
	}
	return -EINVAL;
}

static int parse_transport(const struct rill_buf *b, struct layout *l)
{
	const uint8_t *p = b->data + l->l4;

	if (l->proto == RILL_IP_UDP) {
		l->header_len = l->l4 + RILL_UDP_LEN;
		if (b->len < l->header_len)
			return -EINVAL;
		l->no_csum = !l->ip6 && (b->flags & RILL_BUF_CSUM_PARTIAL) == 0 &&
			     rill_load_raw16(p + UDP_CSUM_AT) == 0;
		return 0;
	}
	if (l->proto != RILL_IP_TCP || b->len < l->l4 + TCP_LEN)
		return -EINVAL;
	l->header_len = l->l4 + (uint32_t)(p[12] >> 4) * 4;
	return l->header_len >= l->l4 + TCP_LEN && l->header_len <= b->len ? 0 : -EINVAL;
}

static int parse(struct rill_buf *b, const struct rill_gso_config *config, struct layout *l)
{
	uint32_t frame_len = rill_buf_frame_len(b);
	uint32_t len = 0;
	int type = parse_link(b, config, l);
	int err = -EINVAL;

	if (type == RILL_ETH_IP4)
		err = parse_ip4(b, l, &len);
	else if (type == ETH_IP6)
		err = parse_ip6(b, l, &len);
	if (!err)
		err = parse_transport(b, l);
	if (err)
		return err;
	/* Padding behind it does not count. */
	if (len < l->header_len || len > frame_len)
		return -EINVAL;
	l->payload_len = len - l->header_len;
	l->unit = config->gso_size;
	if (l->unit == 0 && (b->flags & RILL_BUF_GSO) != 0)
		l->unit = rill_buf_meta(b)->gso_size;
	/* The boundaries of datagrams are not ours to choose. */
	if (l->unit == 0 || (l->proto == RILL_IP_UDP && config->gso_size != 0))
		return -EINVAL;
	return 0;
}

/* ---- putting frames together ---- */

static void read_payload(struct cursor *c, uint8_t *to, uint32_t len)
{
	while (len > 0 && c->at < c->count) {
		const struct rill_buf_seg *s = &c->segs[c->at];
		uint32_t n = RILL_MIN(len, s->len - c->offset);

		memcpy(to, s->data + c->offset, n);
		to += n;
		len -= n;
		c->offset += n;
		if (c->offset == s->len) {
			c->at++;
			c->offset = 0;
		}
	}
}

static void fix_ip(uint8_t *p, const struct layout *l, uint32_t len, uint32_t index)
{
	if (l->ip6) {
		rill_store_be16(p + 4, (uint16_t)(len - IP6_LEN));
		return;
	}
	rill_store_be16(p + 2, (uint16_t)len);
	if ((rill_load_be16(p + 6) & RILL_IP4_DF) == 0)
		rill_store_be16(p + 4, (uint16_t)(rill_load_be16(p + 4) + index));
	rill_store_raw16(p + 10, 0);
	rill_store_raw16(p + 10, rill_ip4_csum(p, l->l4 - l->l3));
}

static void fix_tcp(uint8_t *p, uint32_t at, bool first, bool last)
{
	rill_store_be32(p + TCP_SEQ_AT, rill_load_be32(p + TCP_SEQ_AT) + at);
	if (!first)
		p[TCP_FLAGS_AT] &= (uint8_t)~CWR;
	if (!last)
		p[TCP_FLAGS_AT] &= (uint8_t) ~(FIN | PSH);
}

static void put_csum(struct rill_buf *b, const struct layout *l, enum rill_gso_csum csum)
{
	uint32_t at = l->proto == RILL_IP_TCP ? TCP_CSUM_AT : UDP_CSUM_AT;
	uint8_t *p = b->data + l->l4;
	uint32_t len = b->len - l->l4;
	uint32_t sum = rill_csum_pseudo(&l->src, &l->dst, l->proto, len);

	if (csum == RILL_GSO_CSUM_TRUSTED) {
		b->flags |= RILL_BUF_CSUM_OK;
		return;
	}
	if (l->no_csum)
		return;
	if (csum == RILL_GSO_CSUM_PARTIAL) {
		b->flags |= RILL_BUF_CSUM_PARTIAL;
		b->csum_start = (uint16_t)l->l4;
		b->csum_offset = (uint16_t)at;
		rill_store_raw16(p + at, rill_csum_fold_partial(sum));
		return;
	}
	rill_store_raw16(p + at, 0);
	sum = rill_csum_add(sum, p, len);
	if (l->proto == RILL_IP_UDP)
		rill_udp_emit_csum(p, sum);
	else
		rill_store_raw16(p + at, rill_csum_fold(sum));
}

static int make_frame(struct rill_buf *frame, const struct layout *l,
		      const struct rill_gso_config *config, struct cursor *c, uint32_t at,
		      struct rill_buf **ret_b)
{
	uint32_t n = RILL_MIN(l->unit, l->payload_len - at);
	struct rill_buf *b = config->alloc(config->ctx);
	uint8_t *p;

	if (!b)
		return -ENOBUFS;
	if (rill_buf_tailroom(b) < l->header_len + n) {
		rill_buf_put(b);
		return -EMSGSIZE;
	}
	p = rill_buf_append(b, l->header_len + n);
	memcpy(p, frame->data, l->header_len);
	read_payload(c, p + l->header_len, n);
	fix_ip(p + l->l3, l, b->len - l->l3, at / l->unit);
	if (l->proto == RILL_IP_TCP)
		fix_tcp(p + l->l4, at, at == 0, at + n == l->payload_len);
	else
		rill_store_be16(p + l->l4 + 4, (uint16_t)(b->len - l->l4));
	put_csum(b, l, config->csum);
	b->queue = frame->queue;
	b->time_ns = frame->time_ns;
	if (frame->flags & RILL_BUF_VLAN) {
		b->flags |= RILL_BUF_VLAN;
		rill_buf_meta(b)->vlan_tci = rill_buf_meta(frame)->vlan_tci;
	}
	*ret_b = b;
	return 0;
}

int rill_gso_cut(struct rill_buf *frame, const struct rill_gso_config *config,
		 struct rill_buf_queue *ret)
{
	struct rill_buf_queue made = {0};
	struct layout l = {0};
	struct cursor c = {0};
	struct rill_buf *b;
	uint32_t at = 0;
	int err = parse(frame, config, &l);

	if (err)
		return err;
	c.count = rill_buf_segs(frame, c.segs, RILL_BUF_SEGS_MAX);
	c.offset = l.header_len;
	if (c.count == 0)
		return -EINVAL;
	/* A frame without payload is one frame. */
	do {
		err = make_frame(frame, &l, config, &c, at, &b);
		if (err)
			break;
		rill_buf_queue_push(&made, b);
		at += l.unit;
	} while (at < l.payload_len);
	while ((b = rill_buf_queue_pop(&made))) {
		if (err)
			rill_buf_put(b);
		else
			rill_buf_queue_push(ret, b);
	}
	return err;
}
