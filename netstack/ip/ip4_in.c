/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/ip/ip4_in.h"

#include "netstack/ip/icmp.h"
#include "netstack/ip/l3.h"
#include "netstack/ip/reass.h"
#include "netstack/wire/chain.h"
#include "netstack/wire/ip4.h"

/* What UDP and ICMP have in front of anything else. */
#define TRANSPORT_MIN 8u

/* RFC 1122, 3.2.1.3: addresses that no other host can have. */
static enum rill_drop check_source(const struct rill_l3 *l3, uint32_t src)
{
	if (RILL_UNLIKELY(rill_ip4_is_bad_source(src) || rill_l3_owns(l3, src)))
		return RILL_DROP_IP4_SOURCE;
	/* On our own link the subnet's ends are no hosts either. */
	if (RILL_UNLIKELY(rill_l3_is_onlink(l3, src) && !rill_l3_is_neighbour(l3, src)))
		return RILL_DROP_IP4_SOURCE;
	return RILL_DROP_NONE;
}

static enum rill_drop check_destination(const struct rill_l3 *l3, uint32_t dst,
					const struct rill_eth *eth, bool *ret_broadcast)
{
	*ret_broadcast = false;
	if (RILL_LIKELY(rill_l3_owns(l3, dst))) {
		/* RFC 1122, 3.3.6: a unicast packet in a broadcast frame is somebody's mistake or
		 * attack. */
		return rill_eth_is_group(eth->dst) ? RILL_DROP_IP4_DEST : RILL_DROP_NONE;
	}
	*ret_broadcast = rill_l3_is_broadcast(l3, dst);
	return *ret_broadcast ? RILL_DROP_NONE : RILL_DROP_IP4_DEST;
}

/* One buffer where several were: TCP wants its segments contiguous. */
static enum rill_drop deliver_tcp(struct rill_l3 *l3, struct rill_buf *b,
				  const struct rill_ip_meta *m)
{
	enum rill_drop drop = RILL_DROP_NONE;

	if (RILL_UNLIKELY(m->broadcast))
		return RILL_DROP_IP4_BROADCAST;
	if (RILL_LIKELY(!b->next))
		return l3->ops->tcp(l3->ctx, b, m);
	struct rill_buf *single = rill_l3_copy(l3, b, rill_chain_len(b), &drop);

	if (!single)
		return drop;
	drop = l3->ops->tcp(l3->ctx, single, m);
	if (drop) {
		l3->ops->put(l3->ctx, single);
		return drop;
	}
	rill_l3_put_chain(l3, b);
	return RILL_DROP_NONE;
}

static enum rill_drop deliver_udp(struct rill_l3 *l3, struct rill_buf *b, const struct rill_ip4 *h,
				  const struct rill_ip_meta *m, uint64_t now)
{
	enum rill_drop drop = l3->ops->udp(l3->ctx, b, m);

	if (drop == RILL_DROP_UDP_NO_PORT)
		rill_icmp_send_error(l3, b, h, RILL_ICMP4_UNREACHABLE, RILL_ICMP4_PORT, now);
	return drop;
}

static inline struct rill_ip_meta meta_of(const struct rill_ip4 *h, bool broadcast)
{
	struct rill_ip_meta m = {
		.proto = h->proto, .ttl = h->ttl, .tos = h->tos, .broadcast = broadcast};

	rill_ip4_set(&m.src, h->src);
	rill_ip4_set(&m.dst, h->dst);
	return m;
}

/* b: a chain at the transport header, of frames received frames. */
static RILL_NOINLINE void deliver(struct rill_l3 *l3, struct rill_buf *b, uint32_t frames,
				  const struct rill_ip4 *h, bool broadcast, uint64_t now)
{
	struct rill_ip_meta m = meta_of(h, broadcast);
	enum rill_drop drop;

	switch (h->proto) {
	case RILL_IP_TCP:
		drop = deliver_tcp(l3, b, &m);
		break;
	case RILL_IP_UDP:
		drop = deliver_udp(l3, b, h, &m, now);
		break;
	case RILL_IP_ICMP:
		drop = rill_icmp_input(l3, b, &m, now);
		break;
	default:
		rill_icmp_send_error(l3, b, h, RILL_ICMP4_UNREACHABLE, RILL_ICMP4_PROTOCOL, now);
		drop = RILL_DROP_IP4_PROTO;
	}
	rill_l3_rx_done(l3, b, frames, drop);
}

static RILL_NOINLINE void input_fragment(struct rill_l3 *l3, struct rill_buf *b,
					 const struct rill_ip4 *h, bool broadcast, uint64_t now)
{
	struct rill_reass_result whole;

	rill_reass_input(l3, b, h, now, &whole);
	if (whole.chain)
		deliver(l3, whole.chain, whole.frags, &whole.ip, broadcast, now);
}

/* A packet of len bytes, of which b has the header. */
static inline enum rill_drop check_packet(const struct rill_l3 *l3, const struct rill_buf *b,
					  uint32_t len, const struct rill_eth *eth,
					  struct rill_ip4 *ret_h, bool *ret_broadcast)
{
	enum rill_drop drop = rill_ip4_check(b->data, len);

	if (RILL_UNLIKELY(drop))
		return drop;
	rill_ip4_parse(b->data, ret_h);
	drop = check_source(l3, ret_h->src);
	if (RILL_UNLIKELY(drop))
		return drop;
	drop = check_destination(l3, ret_h->dst, eth, ret_broadcast);
	if (RILL_UNLIKELY(drop))
		return drop;
	if (RILL_UNLIKELY(ret_h->header_len > RILL_IP4_LEN && rill_ip4_has_source_route(b->data)))
		return RILL_DROP_IP4_SOURCE_ROUTE;
	return RILL_DROP_NONE;
}

void rill_ip4_input(struct rill_l3 *l3, struct rill_buf *b, const struct rill_eth *eth,
		    uint64_t now)
{
	struct rill_ip4 h;
	bool broadcast;
	enum rill_drop drop = check_packet(l3, b, b->len, eth, &h, &broadcast);

	if (RILL_UNLIKELY(drop)) {
		rill_l3_rx_done(l3, b, 1, drop);
		return;
	}
	/* What Ethernet padded short frames with goes. */
	b->len = h.total_len;
	rill_buf_pull(b, h.header_len);
	b->next = NULL;
	if (RILL_LIKELY(h.proto == RILL_IP_TCP && !h.more_fragments && !h.frag_offset)) {
		struct rill_ip_meta m = meta_of(&h, broadcast);

		rill_l3_rx_done(l3, b, 1, deliver_tcp(l3, b, &m));
		return;
	}
	/* A copy, so that h itself need not be in memory. */
	struct rill_ip4 copy = h;

	if (h.more_fragments || h.frag_offset)
		input_fragment(l3, b, &copy, broadcast, now);
	else
		deliver(l3, b, 1, &copy, broadcast, now);
}

void rill_ip4_input_chain(struct rill_l3 *l3, struct rill_buf *b, const struct rill_eth *eth,
			  uint64_t now)
{
	enum rill_drop drop = rill_ip4_check_embedded(b->data, b->len);
	struct rill_ip4 h;
	bool broadcast;

	if (!drop)
		drop = check_packet(l3, b, (uint32_t)rill_chain_len(b), eth, &h, &broadcast);
	/* Fragments wait in single buffers. */
	if (!drop && (h.more_fragments || h.frag_offset))
		drop = RILL_DROP_FRAG_TOO_BIG;
	if (!drop && b->len < h.header_len + TRANSPORT_MIN)
		drop = RILL_DROP_IP4_SHORT;
	if (drop) {
		rill_l3_rx_done(l3, b, 1, drop);
		return;
	}
	rill_chain_trim(b, h.total_len);
	rill_buf_pull(b, h.header_len);
	deliver(l3, b, 1, &h, broadcast, now);
}
