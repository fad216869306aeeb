/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that are wrong in each way there is a drop reason for, and random mutations of right ones.
 * After each frame: accepted + dropped + waiting fragments == received; at the end no buffer is
 * missing.
 *
 * RILL_MUTATIONS sets the number of mutations, RILL_SEED what they are.
 */
#include "l3_fixture.h"

#include "base/rand.h"

#define IP_AT RILL_ETH_LEN
#define L4_AT (RILL_ETH_LEN + RILL_IP4_LEN)

/* ---- the corpus ---- */

static void test_truncated_everywhere(void **state)
{
	struct fixture *f = fixture_open();
	struct frame udp = frame_udp(PEER, US, OPEN_PORT, 20);
	struct frame arp = frame_arp(RILL_ARP_REQUEST, peer_mac, PEER, US);
	size_t whole = udp.len;

	for (size_t len = 0; len < whole; len++) {
		udp.len = len;
		fixture_expect(f, &udp,
			       len < IP_AT   ? RILL_DROP_ETH_SHORT
			       : len < L4_AT ? RILL_DROP_IP4_SHORT
					     : RILL_DROP_IP4_TOTAL_LEN);
	}
	for (size_t len = 0; len < IP_AT + RILL_ARP_LEN; len++) {
		arp.len = len;
		fixture_expect(f, &arp, len < IP_AT ? RILL_DROP_ETH_SHORT : RILL_DROP_ARP_SHORT);
	}
	/* The packet itself ends early, and says so: every transport header is cut off. */
	for (size_t len = 0; len < 28; len++) {
		struct frame fr = frame_ip(header(RILL_IP_UDP, PEER, US), udp.bytes + L4_AT, len);

		fixture_expect(f, &fr, len < 8 ? RILL_DROP_UDP_SHORT : RILL_DROP_UDP_LEN);
		if (len >= 8)
			continue;
		fr = frame_ip(header(RILL_IP_ICMP, PEER, US), "\0\0\0\0\0\0\0\0", len);
		fixture_expect(f, &fr, RILL_DROP_ICMP_SHORT);
	}
	assert_int_equal(f->udp_count, 0);
	fixture_close(f);
}

static void test_ethernet(void **state)
{
	struct fixture *f = fixture_open();
	struct frame fr = frame_udp(PEER, US, OPEN_PORT, 20);

	fr.bytes[5] ^= 0x10;
	fixture_expect(f, &fr, RILL_DROP_ETH_DEST);
	memcpy(fr.bytes, "\x01\x00\x5e\x00\x00\x01", 6);
	fixture_expect(f, &fr, RILL_DROP_ETH_DEST);
	fr = frame_udp(PEER, US, OPEN_PORT, 20);
	rill_store_be16(fr.bytes + 12, 0x86dd);
	fixture_expect(f, &fr, RILL_DROP_ETH_TYPE);
	rill_store_be16(fr.bytes + 12, 46); /* an IEEE 802.3 length */
	fixture_expect(f, &fr, RILL_DROP_ETH_TYPE);
	fixture_close(f);
}

static void test_arp_fields(void **state)
{
	/* Offset and value that make it another protocol, or nonsense. */
	static const struct {
		size_t at;
		uint8_t value;
		enum rill_drop drop;
	} cases[] = {
		{1, 6, RILL_DROP_ARP_FORMAT},	 {0, 1, RILL_DROP_ARP_FORMAT},
		{2, 0x86, RILL_DROP_ARP_FORMAT}, {3, 6, RILL_DROP_ARP_FORMAT},
		{4, 0, RILL_DROP_ARP_FORMAT},	 {4, 8, RILL_DROP_ARP_FORMAT},
		{5, 16, RILL_DROP_ARP_FORMAT},	 {5, 0, RILL_DROP_ARP_FORMAT},
		{7, 0, RILL_DROP_ARP_OP},	 {7, 3, RILL_DROP_ARP_OP},
		{6, 1, RILL_DROP_ARP_OP},
	};
	struct fixture *f = fixture_open();

	for (size_t i = 0; i < RILL_ARRAY_SIZE(cases); i++) {
		struct frame fr = frame_arp(RILL_ARP_REQUEST, peer_mac, PEER, US);

		fr.bytes[IP_AT + cases[i].at] = cases[i].value;
		fixture_expect(f, &fr, cases[i].drop);
	}
	assert_int_equal(f->sent.count, 0);
	fixture_close(f);
}

static void test_ip_fields(void **state)
{
	struct fixture *f = fixture_open();
	struct frame fr;

	for (unsigned v = 0; v < 256; v++) {
		fr = frame_udp(PEER, US, OPEN_PORT, 20);
		if (v == 0x45)
			continue;
		fr.bytes[IP_AT] = (uint8_t)v;
		enum rill_drop drop = v >> 4 != 4	   ? RILL_DROP_IP4_VERSION
				      : (v & 15) < 5	   ? RILL_DROP_IP4_HEADER_LEN
				      : (v & 15) * 4 > 48u ? RILL_DROP_IP4_HEADER_LEN
							   : RILL_DROP_IP4_CSUM;

		fixture_expect(f, &fr, drop);
	}
	for (uint16_t len = 0; len < 20; len++) {
		fr = frame_udp(PEER, US, OPEN_PORT, 20);
		rill_store_be16(fr.bytes + IP_AT + 2, len);
		frame_fix_ip_csum(&fr);
		fixture_expect(f, &fr, RILL_DROP_IP4_HEADER_LEN);
	}
	fr = frame_udp(PEER, US, OPEN_PORT, 20);
	rill_store_be16(fr.bytes + IP_AT + 2, 49);
	frame_fix_ip_csum(&fr);
	fixture_expect(f, &fr, RILL_DROP_IP4_TOTAL_LEN);
	rill_store_be16(fr.bytes + IP_AT + 2, 65535);
	frame_fix_ip_csum(&fr);
	fixture_expect(f, &fr, RILL_DROP_IP4_TOTAL_LEN);
	/* Every single bit of the header is covered by its checksum, or by a check before that. */
	for (size_t bit = 0; bit < 160; bit++) {
		uint64_t dropped = f->l3.rx_dropped;

		fr = frame_udp(PEER, US, OPEN_PORT, 20);
		fr.bytes[IP_AT + bit / 8] ^= (uint8_t)(1 << bit % 8);
		fixture_input(f, &fr);
		assert_int_equal(f->l3.rx_dropped, dropped + 1);
	}
	fixture_close(f);
}

static void test_transport_bits(void **state)
{
	struct fixture *f = fixture_open();
	struct frame good = frame_udp(PEER, US, OPEN_PORT, 20);
	struct frame echo = frame_echo(PEER, US, 20);

	f->discard_sent = true;
	for (size_t bit = 0; bit < 28 * 8; bit++) {
		struct frame fr = good;
		uint64_t dropped = f->l3.rx_dropped;

		fr.bytes[L4_AT + bit / 8] ^= (uint8_t)(1 << bit % 8);
		fixture_input(f, &fr);
		assert_int_equal(f->l3.rx_dropped, dropped + 1);
		fr = echo;
		fr.bytes[L4_AT + bit / 8] ^= (uint8_t)(1 << bit % 8);
		fixture_expect(f, &fr, RILL_DROP_ICMP_CSUM);
	}
	fixture_close(f);
}

static struct frame fragment(uint16_t id, size_t offset, size_t len, bool more)
{
	static const uint8_t zero[1480];
	struct rill_ip4 h = header(RILL_IP_UDP, PEER, US);

	h.id = id;
	h.frag_offset = (uint16_t)offset;
	h.more_fragments = more;
	return frame_ip(h, zero, len);
}

static void test_fragments(void **state)
{
	struct fixture *f = fixture_open();
	struct frame fr;

	fr = fragment(1, 0, 0, true);
	fixture_expect(f, &fr, RILL_DROP_FRAG_LEN);
	fr = fragment(1, 800, 0, false);
	fixture_expect(f, &fr, RILL_DROP_FRAG_LEN);
	for (size_t len = 1; len < 8; len++) {
		fr = fragment(1, 0, 1000 + len, true);
		fixture_expect(f, &fr, RILL_DROP_FRAG_LEN);
	}
	/* Ping of death: the last fragment reaches past 65,535. */
	fr = fragment(2, 65528, 1480, false);
	fixture_expect(f, &fr, RILL_DROP_FRAG_PAST_END);
	fr = fragment(2, 65512, 4, false);
	fixture_expect(f, &fr, RILL_DROP_FRAG_PAST_END);
	fr = fragment(2, 65512, 3, false);
	fixture_input(f, &fr);
	assert_int_equal(f->l3.reass.held, 1);
	/* Teardrop: the second lies within the first. */
	fr = fragment(3, 0, 36 / 8 * 8, true);
	fixture_input(f, &fr);
	fr = fragment(3, 24, 4, false);
	fixture_input(f, &fr);
	assert_int_equal(f->l3.drops[RILL_DROP_FRAG_OVERLAP], 2);
	fixture_close(f);
}

static void test_icmp(void **state)
{
	struct fixture *f = fixture_open();
	uint8_t buf[100] = {0};
	struct rill_ip4 inner = header(RILL_IP_ICMP, US, PEER);
	struct frame fr;

	fixture_know(f, PEER, peer_mac);
	/* Unknown types, some of which will be errors one day. */
	for (unsigned type = 0; type < 256; type++) {
		if (type == 3 || type == 8 || type == 11 || type == 12)
			continue;
		size_t len = icmp_bytes(buf, (uint8_t)type, 0, 0, 40);

		fr = frame_ip(header(RILL_IP_ICMP, PEER, US), buf, len);
		fixture_expect(f, &fr, RILL_DROP_ICMP_TYPE);
	}
	/* An error about an error of ours is passed up, never answered. */
	rill_ip4_emit(buf + 8, &inner);
	buf[28] = RILL_ICMP4_UNREACHABLE;
	fr = frame_ip(header(RILL_IP_ICMP, PEER, US), buf, icmp_bytes(buf, 3, 3, 0, 28));
	fixture_expect(f, &fr, RILL_DROP_NONE);
	/* Garbage for an embedded packet. */
	memset(buf + 8, 0xff, 60);
	fr = frame_ip(header(RILL_IP_ICMP, PEER, US), buf, icmp_bytes(buf, 3, 3, 0, 60));
	fixture_expect(f, &fr, RILL_DROP_ICMP_EMBEDDED);
	memset(buf + 8, 0x4f, 60);
	fr = frame_ip(header(RILL_IP_ICMP, PEER, US), buf, icmp_bytes(buf, 11, 0, 0, 60));
	fixture_expect(f, &fr, RILL_DROP_ICMP_EMBEDDED);
	assert_int_equal(f->sent.count, 0);
	fixture_close(f);
}

static void test_pool_empty(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_buf_queue hogs = {0};
	struct frame fr = frame_arp(RILL_ARP_REQUEST, peer_mac, PEER, US);
	struct rill_buf *b;

	while (f->pool.available > 1)
		rill_buf_queue_push(&hogs, rill_buf_alloc(&f->pool));
	/* It is heard; only the answer has no buffer. */
	fixture_input(f, &fr);
	assert_int_equal(f->l3.rx_accepted, 1);
	assert_int_equal(f->l3.drops[RILL_DROP_NO_BUFFER], 1);
	assert_int_equal(f->l3.tx_dropped, 1);
	fr = frame_udp(PEER, US, 1, 10);
	fixture_input(f, &fr);
	assert_int_equal(f->l3.drops[RILL_DROP_UDP_NO_PORT], 1);
	assert_int_equal(f->l3.drops[RILL_DROP_NO_BUFFER], 2);
	while ((b = rill_buf_queue_pop(&hogs)))
		fixture_put(f, b);
	fixture_close(f);
}

/* ---- mutations ---- */

#define SEEDS 16

static unsigned make_seeds(struct frame *seeds)
{
	static uint8_t big[4096];
	uint8_t buf[100] = {0};
	struct rill_ip4 h = header(RILL_IP_UDP, PEER, US);
	unsigned n = 0;

	seeds[n++] = frame_arp(RILL_ARP_REQUEST, peer_mac, PEER, US);
	seeds[n++] = frame_arp(RILL_ARP_REPLY, other_mac, OTHER, US);
	seeds[n++] = frame_arp(RILL_ARP_REQUEST, other_mac, OTHER, PEER);
	seeds[n++] = frame_echo(PEER, US, 56);
	seeds[n++] = frame_echo(FAR, US, 0);
	seeds[n++] = frame_udp(PEER, US, OPEN_PORT, 30);
	seeds[n++] = frame_udp(PEER, US, 1, 30);
	seeds[n++] = frame_udp(OTHER, SUBNET_BROADCAST, OPEN_PORT, 18);
	seeds[n++] = frame_ip(header(RILL_IP_TCP, PEER, US), big, 40);
	seeds[n++] = frame_ip(header(99, PEER, US), big, 40);
	h = header(RILL_IP_TCP, US, FAR);
	rill_ip4_emit(buf + 8, &h);
	seeds[n++] =
		frame_ip(header(RILL_IP_ICMP, GATEWAY, US), buf, icmp_bytes(buf, 3, 4, 1400, 28));
	/* A datagram of four fragments. */
	udp_bytes(big, PEER, US, OPEN_PORT, 392);
	h = header(RILL_IP_UDP, PEER, US);
	for (unsigned i = 0; i < 4; i++) {
		h.frag_offset = (uint16_t)(i * 104);
		h.more_fragments = i < 3;
		seeds[n++] = frame_ip(h, big + i * 104, i < 3 ? 104 : 88);
	}
	/* Options. */
	memset(buf, 1, 20);
	udp_bytes(buf + 20, PEER, US, OPEN_PORT, 20);
	seeds[n] = frame_ip(header(RILL_IP_UDP, PEER, US), buf, 48);
	seeds[n].bytes[IP_AT] = 0x4a;
	frame_fix_ip_csum(&seeds[n++]);
	assert_int_equal(n, SEEDS);
	return n;
}

/* Most of the interesting bytes are the first ones. */
static size_t pick_offset(struct rill_rand *r, size_t len)
{
	uint32_t limit = (uint32_t)(rill_rand_below(r, 4) ? RILL_MIN(len, (size_t)64) : len);

	return rill_rand_below(r, limit);
}

static void mutate_once(struct rill_rand *r, struct frame *fr)
{
	static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff, 0x45, 0x20, 8};
	size_t at = fr->len ? pick_offset(r, fr->len) : 0;

	switch (fr->len ? rill_rand_below(r, 6) : 5) {
	case 0:
		fr->bytes[at] ^= (uint8_t)(1 << rill_rand_below(r, 8));
		break;
	case 1:
		fr->bytes[at] = values[rill_rand_below(r, sizeof(values))];
		break;
	case 2:
		fr->bytes[at] = (uint8_t)rill_rand_next(r);
		break;
	case 3:
		if (at + 2 <= fr->len)
			rill_store_be16(fr->bytes + at, (uint16_t)rill_rand_below(r, 2000));
		break;
	case 4:
		fr->len = rill_rand_below(r, (uint32_t)fr->len + 1);
		break;
	case 5:
		fr->len = RILL_MIN(fr->len + rill_rand_below(r, 64), (size_t)1514);
		break;
	}
}

/* Right checksums open the way to what lies behind the check. */
static void repair(struct rill_rand *r, struct frame *fr)
{
	uint8_t *p = fr->bytes + IP_AT;
	size_t len = fr->len - IP_AT;

	if (fr->len < L4_AT || rill_load_be16(fr->bytes + 12) != RILL_ETH_IP4)
		return;
	size_t header_len = (p[0] & 15) * 4u;

	if (header_len < 20 || header_len > len)
		return;
	if (rill_rand_below(r, 4) == 0)
		rill_store_be16(p + 2, (uint16_t)len);
	frame_fix_ip_csum(fr);
	uint16_t total = rill_load_be16(p + 2);

	if (p[9] != RILL_IP_ICMP || total > len || total < header_len + 8u)
		return;
	rill_store_raw16(p + header_len + 2, 0);
	rill_store_raw16(p + header_len + 2,
			 rill_csum_fold(rill_csum_add(0, p + header_len, total - header_len)));
}

static uint64_t env_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_mutations(void **state)
{
	struct fixture *f = fixture_open();
	uint64_t count = env_number("RILL_MUTATIONS", 200000);
	struct rill_l3 *l3 = &f->l3;
	static struct frame seeds[SEEDS];
	unsigned n = make_seeds(seeds), reasons = 0;
	struct rill_rand r;

	rill_rand_init(&r, env_number("RILL_SEED", 1));
	f->discard_sent = true;
	for (uint64_t i = 0; i < count; i++) {
		struct frame *seed = &seeds[rill_rand_below(&r, n)];
		struct frame fr;

		fr.len = seed->len;
		memcpy(fr.bytes, seed->bytes, seed->len);
		memset(fr.bytes + seed->len, 0, 256);
		for (uint32_t m = rill_rand_below(&r, 4); m; m--)
			mutate_once(&r, &fr);
		if (rill_rand_below(&r, 2))
			repair(&r, &fr);
		fixture_input(f, &fr);
		assert_int_equal(l3->rx_frames, l3->rx_accepted + l3->rx_dropped + l3->reass.held);
		if (i % 16 == 0)
			fixture_send(f, IP(198, 18, 0, 0) + rill_rand_below(&r, 256), 10, NULL);
		if (i % 64 == 0)
			fixture_advance(f, rill_rand_below(&r, 100) * RILL_MS);
		if (i % 65536 == 0)
			assert_true(rill_l3_valid(l3));
	}
	for (unsigned i = 0; i < RILL_DROP_COUNT; i++)
		reasons += l3->drops[i] != 0;
	print_message("%llu mutations: %llu accepted, %llu dropped for %u reasons\n",
		      (unsigned long long)count, (unsigned long long)l3->rx_accepted,
		      (unsigned long long)l3->rx_dropped, reasons);
	/* The mutations do reach nearly everything. */
	assert_true(count < 100000 || reasons >= 28);
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truncated_everywhere),
		cmocka_unit_test(test_ethernet),
		cmocka_unit_test(test_arp_fields),
		cmocka_unit_test(test_ip_fields),
		cmocka_unit_test(test_transport_bits),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_pool_empty),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
