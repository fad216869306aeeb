/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/ip/pieces.h"

#include "netstack/ip/ip4_in.h"
#include "netstack/ip/l3.h"
#include "netstack/wire/chain.h"
#include "netstack/wire/checksum.h"
#include "netstack/wire/gso.h"

#include <errno.h>
#include <string.h>

/* Ethernet, IPv4 and TCP with all options. */
#define HEADERS_MAX (RILL_ETH_LEN + 60 + 60)

static struct rill_buf *alloc(void *ctx)
{
	struct rill_l3 *l3 = ctx;

	return l3->ops->alloc(l3->ctx);
}

/* One frame less, and why. */
static void drop_frame(struct rill_l3 *l3, struct rill_buf *frame, enum rill_drop drop)
{
	l3->rx_frames++;
	rill_l3_rx_done(l3, NULL, 1, drop);
	l3->ops->put(l3->ctx, frame);
}

static enum rill_drop drop_of(int error)
{
	switch (error) {
	case -ENOBUFS:
		return RILL_DROP_NO_BUFFER;
	case -EMSGSIZE:
		return RILL_DROP_FRAG_TOO_BIG;
	default:
		return RILL_DROP_IP4_TOTAL_LEN;
	}
}

static uint32_t link_len(const struct rill_l3 *l3)
{
	return l3->no_link ? 0 : RILL_ETH_LEN;
}

/* The IPv4 header, whole in the first buffer, or NULL. */
static const uint8_t *ip4_of(const struct rill_l3 *l3, const struct rill_buf *b)
{
	uint32_t link = link_len(l3);
	const uint8_t *ip = b->data + link;

	if (b->len < link + RILL_IP4_LEN ||
	    rill_ip4_check_embedded(ip, b->len - link) != RILL_DROP_NONE)
		return NULL;
	if (link != 0 && rill_load_be16(b->data + 12) != RILL_ETH_IP4)
		return NULL;
	return ip;
}

/* TCP over IPv4 whose headers are in the first buffer. */
static bool is_tcp(const struct rill_l3 *l3, const struct rill_buf *b)
{
	const uint8_t *ip = ip4_of(l3, b);

	return ip && ip[9] == RILL_IP_TCP &&
	       (rill_load_be16(ip + 6) & (RILL_IP4_MF | RILL_IP4_OFFSET_MASK)) == 0;
}

/* What is cut gets IP headers of its own, whose checksums are right. */
static bool ip_sum_wrong(const struct rill_l3 *l3, const struct rill_buf *b)
{
	const uint8_t *ip = ip4_of(l3, b);

	return ip && rill_ip4_csum(ip, (ip[0] & 15) * 4u) != 0;
}

/* Of a frame for which is_tcp() is true: what is cut gets a checksum of its own. */
static bool sum_right(const struct rill_l3 *l3, struct rill_buf *b)
{
	uint32_t link = link_len(l3);
	const uint8_t *ip = b->data + link;
	uint32_t header_len = (ip[0] & 15) * 4u;
	uint32_t total = rill_load_be16(ip + 2);
	struct rill_ip src, dst;
	uint32_t sum;

	if (b->flags & RILL_BUF_CSUM_OK)
		return true;
	if (total < header_len || link + total > rill_buf_frame_len(b))
		return false;
	rill_ip4_set(&src, rill_load_be32(ip + 12));
	rill_ip4_set(&dst, rill_load_be32(ip + 16));
	sum = rill_csum_pseudo(&src, &dst, RILL_IP_TCP, total - header_len);
	rill_buf_pull(b, link + header_len);
	sum = rill_chain_csum(sum, b, total - header_len);
	rill_buf_push(b, link + header_len);
	return rill_csum_fold(sum) == 0;
}

/* unit: 0: the frame's own. */
static void input_cut(struct rill_l3 *l3, struct rill_buf *frame, uint16_t unit, uint64_t now)
{
	const struct rill_gso_config config = {
		.alloc = alloc,
		.ctx = l3,
		.csum = RILL_GSO_CSUM_TRUSTED,
		.no_link = l3->no_link,
		.gso_size = unit,
	};
	struct rill_buf_queue frames = {0};
	struct rill_buf *b;
	int err;

	if (ip_sum_wrong(l3, frame)) {
		drop_frame(l3, frame, RILL_DROP_IP4_CSUM);
		return;
	}
	err = rill_gso_cut(frame, &config, &frames);
	if (err) {
		drop_frame(l3, frame, drop_of(err));
		return;
	}
	l3->ops->put(l3->ctx, frame);
	while ((b = rill_buf_queue_pop(&frames)))
		rill_l3_input(l3, b, now);
}

/* Payload for which there is room in buffers like the frame's, all of which are of one size. */
static uint16_t unit_of(const struct rill_buf *frame)
{
	size_t room = (size_t)(frame->end - frame->head) - RILL_BUF_HEADROOM;

	return room > HEADERS_MAX ? (uint16_t)RILL_MIN(room - HEADERS_MAX, (size_t)UINT16_MAX) : 1;
}

/* What is above takes chains. */
static void input_long(struct rill_l3 *l3, struct rill_buf *frame, uint64_t now)
{
	struct rill_eth eth = {.type = RILL_ETH_IP4};
	enum rill_drop drop = RILL_DROP_NONE;

	frame->flags &= (uint16_t)~RILL_BUF_CHAIN;
	l3->rx_frames++;
	memcpy(eth.dst, l3->mac, RILL_ETH_ADDR_LEN);
	if (!l3->no_link) {
		drop = rill_eth_check(frame->len);
		if (!drop)
			rill_eth_parse(frame->data, &eth);
		if (!drop && !rill_eth_equal(eth.dst, l3->mac) &&
		    !rill_eth_equal(eth.dst, rill_eth_broadcast))
			drop = RILL_DROP_ETH_DEST;
		if (!drop && eth.type != RILL_ETH_IP4)
			drop = RILL_DROP_ETH_TYPE;
	}
	if (drop) {
		rill_l3_rx_done(l3, frame, 1, drop);
		return;
	}
	rill_buf_pull(frame, link_len(l3));
	rill_ip4_input_chain(l3, frame, &eth, now);
}

static void input_chain(struct rill_l3 *l3, struct rill_buf *frame, uint64_t now)
{
	uint32_t len = rill_buf_frame_len(frame);
	enum rill_drop drop = RILL_DROP_NONE;
	struct rill_buf *single = rill_l3_copy(l3, frame, len, &drop);

	if (single) {
		single->flags &= (uint16_t)~RILL_BUF_CHAIN;
		l3->ops->put(l3->ctx, frame);
		rill_l3_input(l3, single, now);
	} else if (drop == RILL_DROP_NO_BUFFER) {
		drop_frame(l3, frame, drop);
	} else if (!is_tcp(l3, frame)) {
		input_long(l3, frame, now);
	} else if (!sum_right(l3, frame)) {
		drop_frame(l3, frame, RILL_DROP_TCP_CHECKSUM);
	} else {
		input_cut(l3, frame, unit_of(frame), now);
	}
}

void rill_l3_input_pieces(struct rill_l3 *l3, struct rill_buf *frame, uint64_t now)
{
	if (frame->flags & RILL_BUF_VLAN)
		drop_frame(l3, frame, RILL_DROP_ETH_TYPE);
	else if ((frame->flags & RILL_BUF_GSO) == 0)
		input_chain(l3, frame, now);
	else if ((frame->flags & RILL_BUF_CSUM_OK) == 0)
		drop_frame(l3, frame, RILL_DROP_TCP_CHECKSUM);
	else
		input_cut(l3, frame, 0, now);
}
