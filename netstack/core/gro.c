/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/core/gro.h"

#include "netstack/core/conn.h"
#include "netstack/tcp/mem.h"
#include "netstack/tcp/options.h"
#include "netstack/tcp/seq.h"
#include "netstack/wire/chain.h"

#include <string.h>

/* From the IP header, which has no options. */
#define TCP RILL_IP4_LEN
#define OPTIONS (TCP + RILL_TCP_HEADER_LEN)
#define HEADERS_STAMPED (OPTIONS + RILL_TCP_TIMESTAMPS_LEN)
/* Two no-operations, kind 8, length 10. */
#define STAMP 0x0101080a
/* Frames that are more, or less, than their bytes. */
#define NOT_PLAIN (RILL_BUF_CHAIN | RILL_BUF_GSO | RILL_BUF_VLAN)
/* Buffers of one frame that are looked at. */
#define PIECES_MAX RILL_BUF_SEGS_MAX

/* A run as its first segment describes it. */
struct run {
	struct rill_ip src, dst;
	uint32_t link;	  /* bytes in front of the IP header */
	uint32_t headers; /* IP and TCP */
	uint32_t pseudo;  /* sum of the pseudo header without the length */
	struct rill_conn *conn;
	struct rill_tcp_seg seg;
};

/* Bits in which a and b differ, in bytes at and behind at. */
static inline uint64_t differ8(const uint8_t *a, const uint8_t *b, uint32_t at)
{
	uint64_t x, y;

	memcpy(&x, a + at, sizeof(x));
	memcpy(&y, b + at, sizeof(y));
	return x ^ y;
}

static inline uint32_t differ4(const uint8_t *a, const uint8_t *b, uint32_t at)
{
	uint32_t x, y;

	memcpy(&x, a + at, sizeof(x));
	memcpy(&y, b + at, sizeof(y));
	return x ^ y;
}

static inline uint32_t differ2(const uint8_t *a, const uint8_t *b, uint32_t at)
{
	return (uint32_t)rill_load_raw16(a + at) ^ rill_load_raw16(b + at);
}

/* Of two Ethernet headers. */
static inline bool same_link(const uint8_t *a, const uint8_t *b)
{
	return (differ8(a, b, 0) | differ4(a, b, 8) | differ2(a, b, 12)) == 0;
}

/*
 * Of two segments: version and TOS; fragments, TTL and protocol; addresses; ports; ACK, offset,
 * window. Not the flags of TCP.
 */
static inline bool same_headers(const uint8_t *p, const uint8_t *q)
{
	uint64_t diff = differ2(p, q, 0) | differ4(p, q, 6) | differ8(p, q, 12) |
			differ4(p, q, TCP) | differ4(p, q, TCP + 8) | differ2(p, q, TCP + 14);

	return diff == 0 && p[TCP + 12] == q[TCP + 12];
}

static inline bool same_stamps(const uint8_t *p, const uint8_t *q)
{
	return (differ8(p, q, OPTIONS) | differ4(p, q, OPTIONS + 8)) == 0;
}

static inline uint16_t flags_of(const uint8_t *ip)
{
	return (uint16_t)(ip[TCP + 13] | (ip[TCP + 12] & 1) << 8);
}

static inline uint32_t headers_of(const uint8_t *ip)
{
	return TCP + (uint32_t)(ip[TCP + 12] >> 4) * 4;
}

/* What the segment has of payload; its length was checked. */
static inline uint32_t payload_of(const uint8_t *ip)
{
	return rill_load_be16(ip + 2) - headers_of(ip);
}

/* ---- which frames are a run ---- */

/* Whether ip, of which len bytes are there and room in all, is a plain segment with data, to us. */
static bool is_plain(const struct rill_core *core, const uint8_t *ip, uint32_t len, uint32_t room)
{
	uint32_t total;

	if (len < OPTIONS || ip[0] != 0x45 || ip[9] != RILL_IP_TCP)
		return false;
	if (!rill_l3_owns(&core->l3, rill_load_be32(ip + 16)) ||
	    (rill_load_be16(ip + 6) & (RILL_IP4_MF | RILL_IP4_OFFSET_MASK)) != 0)
		return false;
	total = rill_load_be16(ip + 2);
	if (total > room || total <= headers_of(ip) || headers_of(ip) > len)
		return false;
	if (headers_of(ip) == OPTIONS)
		return true;
	return headers_of(ip) == HEADERS_STAMPED && rill_load_be32(ip + OPTIONS) == STAMP;
}

static bool is_to_us(const struct rill_core *core, const struct rill_buf *b, uint32_t link)
{
	if (b->len < link + OPTIONS)
		return false;
	return link == 0 || (rill_eth_equal(b->data, core->l3.mac) &&
			     rill_load_be16(b->data + 12) == RILL_ETH_IP4);
}

/* Whether next, of the same burst, goes on where prev ends and says nothing new. */
static bool follows(const struct rill_buf *prev, const struct rill_buf *next, uint32_t link)
{
	const uint8_t *p = prev->data + link, *q = next->data + link;
	uint32_t headers = headers_of(p);

	if (next->len < link + headers + 1 || (next->flags & NOT_PLAIN) != 0)
		return false;
	if (!same_headers(p, q) || (link != 0 && !same_link(prev->data, next->data)))
		return false;
	if (flags_of(p) != RILL_TCP_ACK || (flags_of(q) & ~(uint32_t)RILL_TCP_PSH) != RILL_TCP_ACK)
		return false;
	if (headers == HEADERS_STAMPED && !same_stamps(p, q))
		return false;
	uint32_t total = rill_load_be16(q + 2);

	return total <= next->len - link && total > headers &&
	       rill_load_be32(q + TCP + 4) == rill_load_be32(p + TCP + 4) + payload_of(p);
}

/* ---- taking it ---- */

/* Both checksums of a frame in one buffer. */
static bool sums_right(const struct run *r, struct rill_buf *b)
{
	const uint8_t *ip = b->data + r->link;
	uint32_t len = (uint32_t)rill_load_be16(ip + 2) - TCP;

	if (rill_ip4_csum(ip, RILL_IP4_LEN) != 0)
		return false;
	if (b->flags & RILL_BUF_CSUM_OK)
		return true;
	uint32_t sum = rill_csum_fold_wide((uint64_t)r->pseudo + RILL_BE32(len));

	if (rill_csum_fold(rill_csum_add(sum, ip + TCP, len)) != 0)
		return false;
	b->flags |= RILL_BUF_CSUM_OK;
	return true;
}

/* Whom it is for. False: nobody who has waited for just this. */
static bool find_conn(struct rill_core *core, const struct rill_buf *b, struct run *r)
{
	const uint8_t *ip = b->data + r->link;
	struct rill_tcp_seg *seg = &r->seg;

	rill_ip4_set(&r->src, rill_load_be32(ip + 12));
	rill_ip4_set(&r->dst, rill_load_be32(ip + 16));
	seg->src = &r->src;
	seg->dst = &r->dst;
	seg->src_port = rill_load_be16(ip + TCP);
	seg->dst_port = rill_load_be16(ip + TCP + 2);
	seg->seq = rill_load_be32(ip + TCP + 4);
	struct rill_flow_key key = {seg->src, seg->dst, seg->src_port, seg->dst_port};

	r->conn = rill_conn_find(core, &key);
	if (!r->conn || r->conn->tcb.state != RILL_TCP_ESTABLISHED ||
	    r->conn->tcb.rcv_nxt != seg->seq)
		return false;
	r->headers = headers_of(ip);
	r->pseudo = rill_csum_pseudo(&r->src, &r->dst, RILL_IP_TCP, 0);
	return true;
}

/* The rest of the first segment's header, for all. */
static void parse_common(const struct rill_buf *b, struct run *r)
{
	const uint8_t *ip = b->data + r->link;
	struct rill_tcp_seg *seg = &r->seg;

	seg->ack = rill_load_be32(ip + TCP + 8);
	seg->flags = flags_of(ip);
	seg->wnd = rill_load_be16(ip + TCP + 14);
	seg->urg = rill_load_be16(ip + TCP + 18);
	seg->ecn = ip[1] & 3;
	rill_tcp_options_parse(ip + OPTIONS, r->headers - OPTIONS, &seg->opt);
}

/* Gives payloads to the connection, and takes account of frames frames if it took any. */
static unsigned input(struct rill_core *core, struct run *r, struct rill_tcp_run *payloads,
		      uint32_t frames)
{
	struct rill_conn *c = r->conn;
	uint32_t una = c->tcb.snd_una;
	unsigned taken = rill_tcb_input_run(&c->tcb, &core->env, &r->seg, payloads, core->now_ns);

	if (taken == 0)
		return 0;
	frames = frames ? frames : taken;
	rill_counter_add(&core->env.stats.segs_in, frames);
	core->l3.rx_frames += frames;
	rill_l3_rx_done(&core->l3, NULL, frames, RILL_DROP_NONE);
	if (c->tcb.snd_una != una)
		rill_l3_neigh_confirm(&core->l3, &c->dst, core->now_ns);
	rill_conn_touch(c);
	return taken;
}

static unsigned take_run(struct rill_core *core, struct run *r, struct rill_buf **bufs, unsigned n)
{
	struct rill_tcp_run payloads = {.bufs = bufs};
	uint32_t headers = r->link + r->headers;
	unsigned taken;

	while (payloads.count < n && sums_right(r, bufs[payloads.count]))
		payloads.count++;
	if (payloads.count == 0)
		return 0;
	parse_common(bufs[0], r);
	payloads.last_flags = flags_of(bufs[payloads.count - 1]->data + r->link);
	for (unsigned i = 0; i < payloads.count; i++) {
		bufs[i]->len = r->link + rill_load_be16(bufs[i]->data + r->link + 2);
		rill_buf_pull(bufs[i], headers);
		bufs[i]->next = NULL;
	}
	taken = input(core, r, &payloads, 0);
	for (unsigned i = taken; i < payloads.count; i++)
		rill_buf_push(bufs[i], headers);
	return taken;
}

/* ---- frames of several buffers, or of several segments ---- */

/* The buffers behind the headers; 0: more than PIECES_MAX, or none. */
static unsigned pieces_of(struct rill_buf *b, uint32_t headers, struct rill_buf **pieces)
{
	unsigned n = 0;

	for (struct rill_buf *p = b; p; p = p->next) {
		if (p->len == (p == b ? headers : 0))
			continue;
		if (n == PIECES_MAX)
			return 0;
		pieces[n++] = p;
	}
	return n;
}

static bool chain_sums_right(const struct run *r, struct rill_buf *b)
{
	const uint8_t *ip = b->data + r->link;
	uint32_t len = (uint32_t)rill_load_be16(ip + 2) - TCP;
	uint32_t sum = rill_csum_fold_wide((uint64_t)r->pseudo + RILL_BE32(len));
	uint32_t skip = r->link + TCP;

	if (rill_ip4_csum(ip, RILL_IP4_LEN) != 0)
		return false;
	if (b->flags & RILL_BUF_CSUM_OK)
		return true;
	rill_buf_pull(b, skip);
	sum = rill_chain_csum(sum, b, len);
	rill_buf_push(b, skip);
	return rill_csum_fold(sum) == 0;
}

/* The frame is payload, which is bytes long, from here on; what is not among pieces goes. */
static void dissolve(struct rill_core *core, struct rill_buf *b, uint32_t headers)
{
	bool empty = b->len == headers;

	b->flags &= (uint16_t) ~(RILL_BUF_CHAIN | RILL_BUF_GSO);
	for (struct rill_buf *p = b, *next; p; p = next) {
		next = p->next;
		p->next = NULL;
		if (p == b ? empty : p->len == 0)
			rill_core_put(core, p);
		else if (p == b)
			rill_buf_pull(b, headers);
	}
}

/* None of it will be refused: there would be no segment to tell the peer of. */
static bool has_memory(struct rill_core *core, const struct rill_tcp_run *payloads)
{
	struct rill_tcp_env *env = &core->env;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < payloads->count; i++)
		bytes += rill_tcp_mem_of(payloads->bufs[i]);
	if (env->params.mem_max != 0 && env->mem_used + bytes >= env->params.mem_max)
		return false;
	return rill_quota_reserve(&env->mem_share, env->mem_used, bytes);
}

static unsigned take_frame(struct rill_core *core, struct rill_buf *b, uint32_t link)
{
	struct rill_buf *pieces[PIECES_MAX];
	struct rill_tcp_run payloads = {.bufs = pieces};
	struct run r = {.link = link};
	const uint8_t *ip = b->data + link;
	uint32_t len = rill_buf_frame_len(b);
	uint32_t segments = 1;

	if ((b->flags & RILL_BUF_CHAIN) == 0)
		b->next = NULL;
	if (!is_to_us(core, b, link) || !is_plain(core, ip, b->len - link, len - link) ||
	    len - link != rill_load_be16(ip + 2) || (b->flags & RILL_BUF_VLAN) != 0)
		return 0;
	if (!find_conn(core, b, &r) || !chain_sums_right(&r, b))
		return 0;
	parse_common(b, &r);
	r.seg.len = payload_of(ip);
	if ((b->flags & RILL_BUF_GSO) != 0 && rill_buf_meta(b)->gso_size != 0)
		segments += (r.seg.len - 1) / rill_buf_meta(b)->gso_size;
	payloads.segments = segments;
	payloads.last_flags = r.seg.flags;
	payloads.count = pieces_of(b, link + r.headers, pieces);
	if (payloads.count == 0 || !rill_tcb_predicts(&r.conn->tcb, &r.seg) ||
	    !has_memory(core, &payloads))
		return 0;
	r.seg.flags &= (uint16_t)~RILL_TCP_PSH;
	dissolve(core, b, link + r.headers);
	for (unsigned i = input(core, &r, &payloads, segments); i < payloads.count; i++)
		rill_core_put(core, pieces[i]);
	return 1;
}

/* ---- bursts ---- */

unsigned rill_gro_take(struct rill_core *core, struct rill_buf **bufs, unsigned n)
{
	uint32_t link = core->l3.no_link ? 0 : RILL_ETH_LEN;
	struct rill_buf *b = bufs[0];
	struct run r;
	unsigned count = 1;

	if (RILL_UNLIKELY((b->flags & (RILL_BUF_CHAIN | RILL_BUF_GSO)) != 0))
		return take_frame(core, b, link);
	if (n < 2 || (b->flags & NOT_PLAIN) != 0 || !is_to_us(core, b, link) ||
	    !is_plain(core, b->data + link, b->len - link, b->len - link))
		return 0;
	/* Whether there is a run at all first: how long it is takes longer. */
	r.link = link;
	if (!follows(b, bufs[1], link) || !find_conn(core, b, &r))
		return 0;
	while (count < n && follows(bufs[count - 1], bufs[count], link))
		count++;
	return take_run(core, &r, bufs, count);
}
