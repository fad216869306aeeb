/* SPDX-License-Identifier: BSD-3-Clause */
/* One network layer between a buffer pool and two lists: what it sent, and what it passed up. */
#ifndef TESTS_L3_FIXTURE_H
#define TESTS_L3_FIXTURE_H

#include "netstack/ip/l3.h"

#include "netstack/udp/datagram.h"
#include "netstack/wire/chain.h"
#include "netstack/wire/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Under ASan the bytes after a received frame are poisoned, as its buffer is larger than it is. */
#ifdef RILL_ASAN
#include <sanitizer/asan_interface.h>
#define FIXTURE_POISON(p, n) __asan_poison_memory_region((p), (n))
#define FIXTURE_UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define FIXTURE_POISON(p, n) ((void)(p), (void)(n))
#define FIXTURE_UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define T0 (1000 * RILL_SEC)
#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define US IP(198, 18, 0, 1)
#define PEER IP(198, 18, 0, 2)
#define OTHER IP(198, 18, 0, 3)
#define GATEWAY IP(198, 18, 0, 254)
#define SUBNET_BROADCAST IP(198, 18, 0, 255)
#define FAR IP(203, 0, 113, 9)
#define OPEN_PORT 7000
#define FIXTURE_BUFS 600

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 3};

struct fixture {
	struct rill_l3 l3;
	struct rill_buf_pool pool;
	struct rill_buf_queue sent; /* frames */
	bool discard_sent;	    /* put them back at once */
	unsigned tcp_count, udp_count, error_count, unreachable_count;
	enum rill_drop tcp_answer;
	uint8_t up[65536]; /* the last thing passed up */
	size_t up_len;
	bool up_chained;
	struct rill_ip_meta meta;
	struct rill_icmp_error error;
	struct rill_ip unreachable;
	uint64_t now;
};

static inline void fixture_keep(struct fixture *f, struct rill_buf *b, const struct rill_ip_meta *m)
{
	struct rill_chain_cursor cursor = {.b = b};

	f->up_chained = b->next != NULL;
	f->up_len = rill_chain_read(&cursor, f->up, sizeof(f->up));
	f->meta = *m;
	rill_l3_put_chain(&f->l3, b);
}

static inline enum rill_drop fixture_tcp(void *ctx, struct rill_buf *b,
					 const struct rill_ip_meta *m)
{
	struct fixture *f = ctx;

	if (f->tcp_answer)
		return f->tcp_answer;
	assert_null(b->next);
	f->tcp_count++;
	fixture_keep(f, b, m);
	return RILL_DROP_NONE;
}

static inline enum rill_drop fixture_udp(void *ctx, struct rill_buf *b,
					 const struct rill_ip_meta *m)
{
	struct fixture *f = ctx;
	struct rill_udp_hdr udp;
	enum rill_drop drop = rill_udp_input(b, m, &udp);

	if (drop)
		return drop;
	if (udp.dst_port != OPEN_PORT)
		return RILL_DROP_UDP_NO_PORT;
	rill_udp_strip(b, &udp);
	f->udp_count++;
	fixture_keep(f, b, m);
	return RILL_DROP_NONE;
}

static inline void fixture_icmp_error(void *ctx, const struct rill_icmp_error *e)
{
	struct fixture *f = ctx;

	f->error_count++;
	f->error = *e;
}

static inline void fixture_unreachable(void *ctx, const struct rill_ip *dst)
{
	struct fixture *f = ctx;

	f->unreachable_count++;
	f->unreachable = *dst;
}

static inline struct rill_buf *fixture_alloc(void *ctx)
{
	struct fixture *f = ctx;

	return rill_buf_alloc(&f->pool);
}

static inline void fixture_put(void *ctx, struct rill_buf *b)
{
	struct fixture *f = ctx;

	FIXTURE_UNPOISON(b->head, (size_t)(b->end - b->head));
	rill_buf_put_owner(&f->pool, b);
}

static inline void fixture_tx(void *ctx, struct rill_buf *b)
{
	struct fixture *f = ctx;

	if (f->discard_sent)
		fixture_put(f, b);
	else
		rill_buf_queue_push(&f->sent, b);
}

static const struct rill_l3_ops fixture_ops = {
	.tcp = fixture_tcp,
	.udp = fixture_udp,
	.icmp_error = fixture_icmp_error,
	.unreachable = fixture_unreachable,
	.alloc = fixture_alloc,
	.tx = fixture_tx,
	.put = fixture_put,
};

static inline struct rill_l3_config fixture_config(void)
{
	struct rill_l3_config c = {.prefix = 24, .mtu = 1500, .seed = 7};

	memcpy(c.mac, our_mac, 6);
	rill_ip4_set(&c.ip, US);
	rill_ip4_set(&c.gateway, GATEWAY);
	return c;
}

static inline struct fixture *fixture_open(void)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct rill_l3_config c = fixture_config();

	assert_non_null(f);
	assert_int_equal(rill_buf_pool_init_heap(&f->pool, FIXTURE_BUFS, 2048), 0);
	f->now = T0;
	assert_int_equal(rill_l3_init(&f->l3, &c, &fixture_ops, f, f->now), 0);
	return f;
}

static inline void fixture_drain(struct fixture *f)
{
	struct rill_buf *b;

	while ((b = rill_buf_queue_pop(&f->sent)))
		fixture_put(f, b);
}

/* Every test ends here: nothing leaked, every frame and drop accounted for. */
static inline void fixture_close(struct fixture *f)
{
	assert_true(rill_l3_valid(&f->l3));
	fixture_drain(f);
	rill_l3_fini(&f->l3);
	assert_true(rill_l3_valid(&f->l3));
	assert_int_equal(f->l3.reass.held, 0);
	assert_int_equal(f->l3.neigh.queued, 0);
	assert_int_equal(rill_buf_pool_reclaim(&f->pool), FIXTURE_BUFS);
	rill_buf_pool_fini_heap(&f->pool);
	free(f);
}

static inline void fixture_advance(struct fixture *f, uint64_t ns)
{
	f->now += ns;
	rill_l3_on_timer(&f->l3, f->now);
}

/* ---- frames ---- */

struct frame {
	uint8_t bytes[2000];
	size_t len;
};

static inline void fixture_input(struct fixture *f, const struct frame *fr)
{
	struct rill_buf *b = rill_buf_alloc(&f->pool);

	assert_non_null(b);
	memcpy(rill_buf_append(b, (uint32_t)fr->len), fr->bytes, fr->len);
	FIXTURE_POISON(b->data + b->len, rill_buf_tailroom(b));
	rill_l3_input(&f->l3, b, f->now);
}

/* Feeds a frame that must be dropped for exactly this reason. */
static inline void fixture_expect(struct fixture *f, const struct frame *fr, enum rill_drop drop)
{
	uint64_t accepted = f->l3.rx_accepted, dropped = f->l3.rx_dropped,
		 before = f->l3.drops[drop];

	fixture_input(f, fr);
	if (drop == RILL_DROP_NONE) {
		assert_int_equal(f->l3.rx_accepted, accepted + 1);
		return;
	}
	if (f->l3.drops[drop] != before + 1)
		for (unsigned i = 0; i < RILL_DROP_COUNT; i++)
			if (f->l3.drops[i])
				print_message("expected %s, counted %s\n", rill_drop_name(drop),
					      rill_drop_name((enum rill_drop)i));
	assert_int_equal(f->l3.drops[drop], before + 1);
	assert_int_equal(f->l3.rx_dropped, dropped + 1);
	assert_int_equal(f->l3.rx_accepted, accepted);
}

static inline struct frame frame_arp(uint16_t op, const uint8_t *mac, uint32_t from,
				     uint32_t target)
{
	struct frame fr = {.len = 60};
	struct rill_arp arp = {.op = op, .sender_ip = from, .target_ip = target};

	memcpy(arp.sender_mac, mac, 6);
	if (op == RILL_ARP_REPLY)
		memcpy(arp.target_mac, our_mac, 6);
	rill_eth_emit(fr.bytes, op == RILL_ARP_REPLY ? our_mac : rill_eth_broadcast, mac,
		      RILL_ETH_ARP);
	rill_arp_emit(fr.bytes + RILL_ETH_LEN, &arp);
	return fr;
}

static inline struct rill_ip4 header(uint8_t proto, uint32_t src, uint32_t dst)
{
	return (struct rill_ip4){.proto = proto, .src = src, .dst = dst, .ttl = 64, .id = 77};
}

/* From the peer to us; total_len is filled in. */
static inline struct frame frame_ip(struct rill_ip4 h, const void *payload, size_t len)
{
	struct frame fr = {.len = RILL_ETH_LEN + RILL_IP4_LEN + len};

	h.total_len = (uint16_t)(RILL_IP4_LEN + len);
	rill_eth_emit(fr.bytes, our_mac, peer_mac, RILL_ETH_IP4);
	rill_ip4_emit(fr.bytes + RILL_ETH_LEN, &h);
	if (len)
		memcpy(fr.bytes + RILL_ETH_LEN + RILL_IP4_LEN, payload, len);
	return fr;
}

static inline void frame_fix_ip_csum(struct frame *fr)
{
	uint8_t *p = fr->bytes + RILL_ETH_LEN;
	size_t len = (p[0] & 15) * 4u;

	rill_store_raw16(p + 10, 0);
	rill_store_raw16(p + 10, rill_csum_fold(rill_csum_add(0, p, len)));
}

/* A UDP datagram in buf (room for len + 8); its length. */
static inline size_t udp_bytes(uint8_t *buf, uint32_t src, uint32_t dst, uint16_t port, size_t len)
{
	struct rill_udp_hdr udp = {.src_port = 999, .dst_port = port, .len = (uint16_t)(len + 8)};
	struct rill_ip s, d;

	rill_ip4_set(&s, src);
	rill_ip4_set(&d, dst);
	for (size_t i = 0; i < len; i++)
		buf[8 + i] = (uint8_t)(i * 7 + (i >> 8));
	rill_udp_emit(buf, &udp);
	rill_udp_emit_csum(
		buf, rill_csum_add(rill_csum_pseudo(&s, &d, RILL_IP_UDP, udp.len), buf, len + 8));
	return len + 8;
}

static inline struct frame frame_udp(uint32_t src, uint32_t dst, uint16_t port, size_t len)
{
	uint8_t buf[1600];

	return frame_ip(header(RILL_IP_UDP, src, dst), buf, udp_bytes(buf, src, dst, port, len));
}

/* An ICMP message in buf: header and len bytes that are there already; its length. */
static inline size_t icmp_bytes(uint8_t *buf, uint8_t type, uint8_t code, uint32_t rest, size_t len)
{
	struct rill_icmp4 icmp = {.type = type, .code = code, .rest = rest};

	rill_icmp4_emit(buf, &icmp, rill_csum_add(0, buf + 8, len));
	return len + 8;
}

static inline struct frame frame_echo(uint32_t src, uint32_t dst, size_t len)
{
	uint8_t buf[1600];

	for (size_t i = 0; i < len; i++)
		buf[8 + i] = (uint8_t)i;
	return frame_ip(header(RILL_IP_ICMP, src, dst), buf,
			icmp_bytes(buf, RILL_ICMP4_ECHO, 0, 0x12340001, len));
}

/* Makes a neighbour known and forgets the ARP traffic. */
static inline void fixture_know(struct fixture *f, uint32_t ip, const uint8_t *mac)
{
	struct frame fr = frame_arp(RILL_ARP_REQUEST, mac, ip, US);

	fixture_expect(f, &fr, RILL_DROP_NONE);
	fixture_drain(f);
}

static inline struct rill_buf *fixture_payload(struct fixture *f, size_t len)
{
	struct rill_buf *b = rill_buf_alloc(&f->pool);

	assert_non_null(b);
	uint8_t *p = rill_buf_append(b, (uint32_t)len);

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 13);
	return b;
}

static inline int fixture_send(struct fixture *f, uint32_t dst, size_t len,
			       struct rill_l3_dst *cache)
{
	struct rill_ip_out o = {.proto = RILL_IP_TCP, .dont_fragment = true};

	rill_ip4_set(&o.dst, dst);
	return rill_l3_output(&f->l3, fixture_payload(f, len), &o, cache, f->now);
}

/* The next frame sent, as a validated IPv4 packet of ours. The caller puts it back. */
static inline struct rill_buf *fixture_sent_ip(struct fixture *f, struct rill_ip4 *h)
{
	struct rill_buf *b = rill_buf_queue_pop(&f->sent);

	assert_non_null(b);
	assert_int_equal(rill_load_be16(b->data + 12), RILL_ETH_IP4);
	assert_memory_equal(b->data + 6, our_mac, 6);
	assert_int_equal(rill_ip4_check(b->data + RILL_ETH_LEN, b->len - RILL_ETH_LEN), 0);
	rill_ip4_parse(b->data + RILL_ETH_LEN, h);
	assert_int_equal(h->src, US);
	assert_int_equal(h->total_len, b->len - RILL_ETH_LEN);
	return b;
}

static inline void fixture_sent_arp(struct fixture *f, struct rill_arp *arp, const uint8_t *to)
{
	struct rill_buf *b = rill_buf_queue_pop(&f->sent);

	assert_non_null(b);
	assert_memory_equal(b->data, to, 6);
	assert_int_equal(rill_load_be16(b->data + 12), RILL_ETH_ARP);
	assert_int_equal(rill_arp_check(b->data + RILL_ETH_LEN, b->len - RILL_ETH_LEN), 0);
	rill_arp_parse(b->data + RILL_ETH_LEN, arp);
	fixture_put(f, b);
}

#endif
