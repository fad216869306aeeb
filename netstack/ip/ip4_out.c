/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/ip/l3.h"

#include "netstack/wire/bytes.h"
#include "netstack/wire/chain.h"
#include "netstack/wire/ip4.h"

#include <errno.h>
#include <string.h>

/* Where a packet goes next. */
struct route {
	uint32_t next_hop; /* 0: straight to the group address mac */
	uint8_t mac[RILL_ETH_ADDR_LEN];
};

static int find_route(const struct rill_l3 *l3, uint32_t dst, struct route *ret_route)
{
	*ret_route = (struct route){0};
	if (rill_l3_is_broadcast(l3, dst)) {
		memcpy(ret_route->mac, rill_eth_broadcast, RILL_ETH_ADDR_LEN);
		return 0;
	}
	if (rill_ip4_is_multicast(dst)) {
		/* RFC 1112, 6.4: the low 23 bits. */
		rill_store_be32(ret_route->mac + 2, 0x5e000000u | (dst & 0x7fffff));
		ret_route->mac[0] = 0x01;
		return 0;
	}
	if (rill_ip4_is_bad_source(dst) || rill_l3_owns(l3, dst))
		return -ENETUNREACH;
	if (l3->no_link) {
		ret_route->next_hop = dst;
		return 0;
	}
	if (rill_l3_is_onlink(l3, dst)) {
		ret_route->next_hop = dst;
		return rill_l3_is_neighbour(l3, dst) ? 0 : -ENETUNREACH;
	}
	ret_route->next_hop = l3->gateway;
	return l3->gateway ? 0 : -ENETUNREACH;
}

bool rill_l3_has_route(const struct rill_l3 *l3, const struct rill_ip *dst)
{
	struct route route;

	/* The way to many has no next hop. */
	return dst->family == RILL_AF_IP4 &&
	       find_route(l3, rill_load_be32(dst->bytes), &route) == 0 && route.next_hop != 0;
}

/*
 * RFC 6864: IDs of datagrams that may be fragmented do not repeat within a datagram's life as far
 * as 16 bits allow; those of atomic ones mean nothing and are 0. Shards draw from disjoint parts.
 */
static uint16_t next_id(struct rill_l3 *l3)
{
	uint16_t id = (uint16_t)(l3->id_base + l3->id_next++);

	if (l3->id_next == l3->id_count)
		l3->id_next = 0;
	return id;
}

static inline struct rill_ip4 header_of(const struct rill_l3 *l3, const struct rill_ip_out *o)
{
	return (struct rill_ip4){
		.src = o->src ? o->src : l3->ip,
		.dst = rill_ip4_get(&o->dst),
		.tos = o->tos,
		.ttl = o->ttl ? o->ttl : RILL_IP_TTL_DEFAULT,
		.proto = o->proto,
		.dont_fragment = o->dont_fragment,
	};
}

/* n bytes were put in front of b. */
static inline void moved(struct rill_buf *b, uint16_t n)
{
	if (b->flags & RILL_BUF_CSUM_PARTIAL)
		b->csum_start = (uint16_t)(b->csum_start + n);
	if (RILL_UNLIKELY(b->flags & RILL_BUF_GSO))
		rill_buf_meta(b)->header_len = (uint16_t)(rill_buf_meta(b)->header_len + n);
}

static inline void push_ip4(struct rill_buf *b, struct rill_ip4 *h)
{
	uint32_t len = b->len;

	if (RILL_UNLIKELY(b->flags & RILL_BUF_PARTS))
		len = rill_buf_frame_len(b);
	h->total_len = (uint16_t)(len + RILL_IP4_LEN);
	rill_ip4_emit(rill_buf_push(b, RILL_IP4_LEN), h);
	moved(b, RILL_IP4_LEN);
}

void rill_l3_push_eth(struct rill_buf *b, const uint8_t *dst, const uint8_t *src)
{
	rill_eth_emit(rill_buf_push(b, RILL_ETH_LEN), dst, src, RILL_ETH_IP4);
	moved(b, RILL_ETH_LEN);
}

static int send_packet(struct rill_l3 *l3, struct rill_buf *b, const struct route *route,
		       struct rill_l3_dst *cache, uint64_t now)
{
	if (l3->no_link) {
		rill_l3_tx(l3, b);
		return 0;
	}
	if (route->next_hop)
		return rill_neigh_output(l3, b, route->next_hop, cache, now);
	rill_l3_push_eth(b, route->mac, l3->mac);
	rill_l3_tx(l3, b);
	return 0;
}

/* Sends len bytes of a chain in new buffers, as many as it takes, perhaps one. The chain is only
 * read. */
static int send_pieces(struct rill_l3 *l3, const struct rill_buf *chain, size_t len,
		       struct rill_ip4 *h, const struct route *route, uint64_t now)
{
	struct rill_chain_cursor cursor = {.b = chain};
	size_t at = 0;

	do {
		struct rill_buf *b = rill_l3_alloc(l3);

		if (!b)
			return -ENOBUFS;
		size_t room = RILL_MIN((size_t)l3->payload_max, rill_buf_tailroom(b));
		size_t n = len - at;

		/* RFC 791: all but the last end on a multiple of 8. */
		if (n > room)
			n = room & ~(size_t)7;
		rill_chain_read(&cursor, rill_buf_append(b, (uint32_t)n), n);
		h->frag_offset = (uint16_t)at;
		at += n;
		h->more_fragments = at < len;
		push_ip4(b, h);
		int r = send_packet(l3, b, route, NULL, now);

		if (r)
			return r;
	} while (at < len);
	return 0;
}

static int output_slow(struct rill_l3 *l3, struct rill_buf *b, const struct rill_ip_out *o,
		       struct rill_l3_dst *cache, uint64_t now)
{
	struct rill_ip4 h = header_of(l3, o);
	bool chained = o->chain && b->next;
	size_t len = chained ? rill_chain_len(b) : b->len;
	bool too_long = len > l3->payload_max;
	struct route route;
	int r = find_route(l3, h.dst, &route);

	if (!r && (len > RILL_IP4_TOTAL_MAX - RILL_IP4_LEN || (too_long && o->dont_fragment)))
		r = -EMSGSIZE;
	if (!r && !o->dont_fragment)
		h.id = next_id(l3);
	if (!r && !chained && !too_long) {
		push_ip4(b, &h);
		return send_packet(l3, b, &route, cache, now);
	}
	if (!r) {
		/* The NIC cannot sum across packets. */
		RILL_ASSERT(!(b->flags & RILL_BUF_CSUM_PARTIAL));
		r = send_pieces(l3, b, len, &h, &route, now);
	}
	if (chained)
		rill_l3_put_chain(l3, b);
	else
		l3->ops->put(l3->ctx, b);
	return r;
}

int rill_l3_output(struct rill_l3 *l3, struct rill_buf *b, const struct rill_ip_out *o,
		   struct rill_l3_dst *cache, uint64_t now)
{
	if (RILL_UNLIKELY(!cache || cache->generation != l3->neigh.generation ||
			  b->len > l3->payload_max || o->chain))
		return output_slow(l3, b, o, cache, now);
	struct rill_ip4 h = header_of(l3, o);

	if (!h.dont_fragment)
		h.id = next_id(l3);
	push_ip4(b, &h);
	rill_l3_push_eth(b, l3->neigh.entries[cache->neigh].mac, l3->mac);
	rill_l3_tx(l3, b);
	return 0;
}

/* Packets of one length have the same two headers: there is nothing in them to tell them apart. */
static void output_alike(struct rill_l3 *l3, struct rill_buf **bufs, unsigned count,
			 const struct rill_ip_out *o, const struct rill_l3_dst *cache)
{
	struct rill_ip4 h = header_of(l3, o);
	uint8_t header[RILL_ETH_LEN + RILL_IP4_LEN];

	rill_eth_emit(header, l3->neigh.entries[cache->neigh].mac, l3->mac, RILL_ETH_IP4);
	h.total_len = (uint16_t)(bufs[0]->len + RILL_IP4_LEN);
	rill_ip4_emit(header + RILL_ETH_LEN, &h);
	for (unsigned i = 0; i < count; i++) {
		memcpy(rill_buf_push(bufs[i], sizeof(header)), header, sizeof(header));
		if (bufs[i]->flags & RILL_BUF_CSUM_PARTIAL)
			bufs[i]->csum_start = (uint16_t)(bufs[i]->csum_start + sizeof(header));
		rill_l3_tx(l3, bufs[i]);
	}
}

void rill_l3_output_burst(struct rill_l3 *l3, struct rill_buf **bufs, unsigned count,
			  const struct rill_ip_out *o, struct rill_l3_dst *cache, uint64_t now)
{
	unsigned n;

	for (unsigned i = 0; i < count; i += n) {
		n = 1;
		if (RILL_UNLIKELY(!cache || cache->generation != l3->neigh.generation ||
				  bufs[i]->len > l3->payload_max)) {
			rill_l3_output(l3, bufs[i], o, cache, now);
			continue;
		}
		while (i + n < count && bufs[i + n]->len == bufs[i]->len)
			n++;
		output_alike(l3, bufs + i, n, o, cache);
	}
}
