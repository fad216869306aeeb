/* SPDX-License-Identifier: BSD-3-Clause */
#include "l3_fixture.h"

#include <errno.h>

static void test_delivers_tcp_trimmed(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_ip4 h = header(RILL_IP_TCP, PEER, US);
	struct frame fr;

	h.tos = 0x10;
	h.ttl = 1; /* RFC 1122: fine for a host that is the destination */
	fr = frame_ip(h, "twenty bytes of a TCP", 21);
	fr.len = 60; /* Ethernet's padding */
	fixture_expect(f, &fr, RILL_DROP_NONE);
	assert_int_equal(f->tcp_count, 1);
	assert_int_equal(f->up_len, 21);
	assert_memory_equal(f->up, "twenty bytes of a TCP", 21);
	assert_int_equal(rill_ip4_get(&f->meta.src), PEER);
	assert_int_equal(rill_ip4_get(&f->meta.dst), US);
	assert_int_equal(f->meta.tos, 0x10);
	assert_int_equal(f->meta.ttl, 1);
	assert_false(f->meta.broadcast);
	fixture_close(f);
}

static void test_refused_by_tcp_is_counted_and_put_back(void **state)
{
	struct fixture *f = fixture_open();
	struct frame fr = frame_ip(header(RILL_IP_TCP, PEER, US), "x", 1);

	f->tcp_answer = RILL_DROP_NO_BUFFER;
	fixture_expect(f, &fr, RILL_DROP_NO_BUFFER);
	fixture_close(f);
}

static void test_bad_sources(void **state)
{
	const uint32_t bad[] = {
		IP(127, 0, 0, 1),	IP(0, 0, 0, 0),	  IP(0, 1, 2, 3), IP(224, 0, 0, 1),
		IP(239, 255, 255, 255), IP(240, 0, 0, 1), UINT32_MAX,	  US,
		SUBNET_BROADCAST,	IP(198, 18, 0, 0)};
	struct fixture *f = fixture_open();

	for (size_t i = 0; i < RILL_ARRAY_SIZE(bad); i++) {
		struct frame fr = frame_udp(bad[i], US, OPEN_PORT, 10);

		fixture_expect(f, &fr, RILL_DROP_IP4_SOURCE);
	}
	fixture_close(f);
}

static void test_destinations(void **state)
{
	struct fixture *f = fixture_open();
	struct frame fr = frame_udp(PEER, OTHER, OPEN_PORT, 10);

	fixture_expect(f, &fr, RILL_DROP_IP4_DEST);
	fr = frame_udp(PEER, IP(224, 0, 0, 1), OPEN_PORT, 10);
	fixture_expect(f, &fr, RILL_DROP_IP4_DEST);
	fr = frame_udp(PEER, SUBNET_BROADCAST, OPEN_PORT, 10);
	memcpy(fr.bytes, rill_eth_broadcast, 6);
	fixture_expect(f, &fr, RILL_DROP_NONE);
	assert_true(f->meta.broadcast);
	fr = frame_udp(PEER, UINT32_MAX, OPEN_PORT, 10);
	memcpy(fr.bytes, rill_eth_broadcast, 6);
	fixture_expect(f, &fr, RILL_DROP_NONE);
	assert_int_equal(f->udp_count, 2);
	/* Unicast inside a broadcast frame; TCP to a broadcast address. */
	fr = frame_udp(PEER, US, OPEN_PORT, 10);
	memcpy(fr.bytes, rill_eth_broadcast, 6);
	fixture_expect(f, &fr, RILL_DROP_IP4_DEST);
	fr = frame_ip(header(RILL_IP_TCP, PEER, SUBNET_BROADCAST), "x", 1);
	fixture_expect(f, &fr, RILL_DROP_IP4_BROADCAST);
	fixture_close(f);
}

/* A packet with 20 bytes of options in front of a UDP datagram. */
static struct frame with_options(const uint8_t *options, size_t len)
{
	uint8_t payload[20 + 8 + 10] = {0};
	struct frame fr;

	memcpy(payload, options, len);
	udp_bytes(payload + 20, PEER, US, OPEN_PORT, 10);
	fr = frame_ip(header(RILL_IP_UDP, PEER, US), payload, sizeof(payload));
	fr.bytes[RILL_ETH_LEN] = 0x4a;
	frame_fix_ip_csum(&fr);
	return fr;
}

static void test_options(void **state)
{
	struct fixture *f = fixture_open();
	const uint8_t timestamp[] = {1, 1, 68, 8, 5, 0, 0, 0, 0, 0, 0};
	const uint8_t lsrr[] = {1, 131, 7, 4, 10, 0, 0, 1, 0};
	const uint8_t ssrr[] = {68, 4, 5, 0, 137, 3, 4};
	const uint8_t after_end[] = {0, 131, 3, 4};
	const uint8_t broken[] = {68, 0, 131, 3};
	const uint8_t past_end[] = {68, 255};
	struct frame fr = with_options(timestamp, sizeof(timestamp));

	fixture_expect(f, &fr, RILL_DROP_NONE);
	assert_int_equal(f->up_len, 10);
	fr = with_options(after_end, sizeof(after_end));
	fixture_expect(f, &fr, RILL_DROP_NONE);
	fr = with_options(broken, sizeof(broken));
	fixture_expect(f, &fr, RILL_DROP_NONE);
	fr = with_options(past_end, sizeof(past_end));
	fixture_expect(f, &fr, RILL_DROP_NONE);
	fr = with_options(lsrr, sizeof(lsrr));
	fixture_expect(f, &fr, RILL_DROP_IP4_SOURCE_ROUTE);
	fr = with_options(ssrr, sizeof(ssrr));
	fixture_expect(f, &fr, RILL_DROP_IP4_SOURCE_ROUTE);
	fixture_close(f);
}

static void test_routes(void **state)
{
	const uint8_t gateway_mac[6] = {2, 0, 0, 0, 0, 0xfe};
	const uint8_t group_mac[6] = {1, 0, 0x5e, 0x7f, 1, 2};
	struct fixture *f = fixture_open();
	struct rill_ip4 h;
	struct rill_buf *b;

	fixture_know(f, GATEWAY, gateway_mac);
	assert_int_equal(fixture_send(f, FAR, 10, NULL), 0);
	struct rill_arp arp;

	fixture_sent_arp(f, &arp, gateway_mac);
	b = fixture_sent_ip(f, &h);
	assert_memory_equal(b->data, gateway_mac, 6);
	assert_int_equal(h.dst, FAR);
	assert_int_equal(h.ttl, RILL_IP_TTL_DEFAULT);
	fixture_put(f, b);
	assert_int_equal(fixture_send(f, SUBNET_BROADCAST, 10, NULL), 0);
	b = fixture_sent_ip(f, &h);
	assert_memory_equal(b->data, rill_eth_broadcast, 6);
	fixture_put(f, b);
	assert_int_equal(fixture_send(f, IP(239, 255, 1, 2), 10, NULL), 0);
	b = fixture_sent_ip(f, &h);
	assert_memory_equal(b->data, group_mac, 6);
	fixture_put(f, b);
	assert_int_equal(fixture_send(f, US, 10, NULL), -ENETUNREACH);
	assert_int_equal(fixture_send(f, 0, 10, NULL), -ENETUNREACH);
	assert_int_equal(fixture_send(f, IP(127, 0, 0, 1), 10, NULL), -ENETUNREACH);
	assert_int_equal(fixture_send(f, IP(198, 18, 0, 0), 10, NULL), -ENETUNREACH);
	f->l3.gateway = 0;
	assert_int_equal(fixture_send(f, FAR, 10, NULL), -ENETUNREACH);
	fixture_close(f);
}

static void test_too_long(void **state)
{
	struct fixture *f = fixture_open();

	fixture_know(f, PEER, peer_mac);
	assert_int_equal(fixture_send(f, PEER, 1481, NULL), -EMSGSIZE);
	assert_int_equal(fixture_send(f, PEER, 1480, NULL), 0);
	fixture_close(f);
}

static struct rill_buf *make_chain(struct fixture *f, size_t len, size_t piece)
{
	struct rill_buf *first = NULL, **link = &first;

	for (size_t at = 0; at < len; at += piece) {
		size_t n = RILL_MIN(piece, len - at);
		struct rill_buf *b = fixture_payload(f, n);

		for (size_t i = 0; i < n; i++)
			b->data[i] = (uint8_t)((at + i) * 31 + ((at + i) >> 8));
		*link = b;
		link = &b->next;
	}
	return first;
}

static void check_pieces(struct fixture *f, size_t len, uint16_t *ret_id)
{
	struct rill_ip4 h;
	size_t at = 0;

	while (at < len) {
		struct rill_buf *b = fixture_sent_ip(f, &h);
		size_t n = h.total_len - RILL_IP4_LEN;

		assert_int_equal(h.frag_offset, at);
		assert_true(b->len <= 1514);
		assert_false(h.dont_fragment);
		if (at)
			assert_int_equal(h.id, *ret_id);
		*ret_id = h.id;
		for (size_t i = 0; i < n; i++)
			assert_int_equal(b->data[34 + i],
					 (uint8_t)((at + i) * 31 + ((at + i) >> 8)));
		at += n;
		assert_int_equal(h.more_fragments, at < len);
		fixture_put(f, b);
	}
	assert_int_equal(f->sent.count, 0);
}

static void test_fragments(void **state)
{
	const size_t lens[] = {1, 1480, 1481, 2960, 3001, 65515};
	const size_t pieces[] = {1500, 333, 1024};
	struct fixture *f = fixture_open();
	struct rill_ip_out o = {.proto = RILL_IP_UDP, .chain = true};
	uint16_t id = 0, last = 0;

	rill_ip4_set(&o.dst, PEER);
	fixture_know(f, PEER, peer_mac);
	assert_int_equal(fixture_send(f, PEER, 1, NULL), 0);
	fixture_drain(f);
	for (size_t i = 0; i < RILL_ARRAY_SIZE(lens); i++)
		for (size_t j = 0; j < RILL_ARRAY_SIZE(pieces); j++) {
			struct rill_buf *b = make_chain(f, lens[i], pieces[j]);

			assert_int_equal(rill_l3_output(&f->l3, b, &o, NULL, f->now), 0);
			check_pieces(f, lens[i], &id);
			assert_int_not_equal(id, last);
			last = id;
		}
	assert_int_equal(rill_l3_output(&f->l3, make_chain(f, 65516, 1500), &o, NULL, f->now),
			 -EMSGSIZE);
	fixture_close(f);
}

static void test_pool_runs_dry_while_fragmenting(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_ip_out o = {.proto = RILL_IP_UDP, .chain = true};
	struct rill_buf *b;
	struct rill_buf_queue hogs = {0};

	rill_ip4_set(&o.dst, PEER);
	fixture_know(f, PEER, peer_mac);
	struct rill_buf *chain = make_chain(f, 20000, 1500);

	while (f->pool.available > 5)
		rill_buf_queue_push(&hogs, rill_buf_alloc(&f->pool));
	assert_int_equal(rill_l3_output(&f->l3, chain, &o, NULL, f->now), -ENOBUFS);
	assert_int_equal(f->l3.drops[RILL_DROP_NO_BUFFER], 1);
	while ((b = rill_buf_queue_pop(&hogs)))
		fixture_put(f, b);
	fixture_close(f);
}

static void test_ids_of_shards_are_disjoint(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_l3_config c = fixture_config();
	static uint8_t seen[65536];

	memset(seen, 0, sizeof(seen));
	c.shards = 4;
	for (c.shard = 0; c.shard < c.shards; c.shard++) {
		struct rill_ip_out o = {.proto = RILL_IP_UDP};

		rill_l3_fini(&f->l3);
		assert_int_equal(rill_l3_init(&f->l3, &c, &fixture_ops, f, f->now), 0);
		rill_ip4_set(&o.dst, UINT32_MAX);
		for (unsigned i = 0; i < 65536 / 4; i++) {
			struct rill_ip4 h;

			assert_int_equal(
				rill_l3_output(&f->l3, fixture_payload(f, 1), &o, NULL, f->now), 0);
			fixture_put(f, fixture_sent_ip(f, &h));
			assert_int_equal(seen[h.id]++, 0);
		}
	}
	fixture_close(f);
}

static void test_partial_checksum_moves_with_the_headers(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_l3_dst cache = {0};

	fixture_know(f, PEER, peer_mac);
	for (unsigned i = 0; i < 3; i++) {
		struct rill_ip_out o = {.proto = RILL_IP_TCP, .dont_fragment = true};
		struct rill_buf *b = fixture_payload(f, 40);

		/* By broadcast, through the table, by the cache. */
		rill_ip4_set(&o.dst, i ? PEER : UINT32_MAX);
		b->flags = RILL_BUF_CSUM_PARTIAL;
		b->csum_start = 0;
		b->csum_offset = 16;
		assert_int_equal(rill_l3_output(&f->l3, b, &o, i ? &cache : NULL, f->now), 0);
		assert_int_equal(b->csum_start, 34);
		assert_int_equal(b->csum_offset, 16);
		fixture_drain(f);
	}
	fixture_close(f);
}

static void test_config(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_l3_config good = fixture_config(), c = good;
	static struct rill_l3 l3;

	assert_int_equal(rill_l3_init(&l3, &c, &fixture_ops, f, 0), 0);
	c.mtu = 67;
	assert_int_equal(rill_l3_init(&l3, &c, &fixture_ops, f, 0), -EINVAL);
	c = good;
	c.prefix = 33;
	assert_int_equal(rill_l3_init(&l3, &c, &fixture_ops, f, 0), -EINVAL);
	c = good;
	rill_ip4_set(&c.gateway, FAR);
	assert_int_equal(rill_l3_init(&l3, &c, &fixture_ops, f, 0), -EINVAL);
	c = good;
	rill_ip4_set(&c.ip, SUBNET_BROADCAST);
	assert_int_equal(rill_l3_init(&l3, &c, &fixture_ops, f, 0), -EINVAL);
	c = good;
	c.ip.family = RILL_AF_IP6;
	assert_int_equal(rill_l3_init(&l3, &c, &fixture_ops, f, 0), -EINVAL);
	c = good;
	c.shard = c.shards = 2;
	assert_int_equal(rill_l3_init(&l3, &c, &fixture_ops, f, 0), -EINVAL);
	/* RFC 3021: both addresses of a /31 are hosts. */
	c = good;
	c.prefix = 31;
	rill_ip4_set(&c.ip, IP(198, 18, 0, 1));
	rill_ip4_set(&c.gateway, IP(198, 18, 0, 0));
	assert_int_equal(rill_l3_init(&l3, &c, &fixture_ops, f, 0), 0);
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delivers_tcp_trimmed),
		cmocka_unit_test(test_refused_by_tcp_is_counted_and_put_back),
		cmocka_unit_test(test_bad_sources),
		cmocka_unit_test(test_destinations),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_pool_runs_dry_while_fragmenting),
		cmocka_unit_test(test_ids_of_shards_are_disjoint),
		cmocka_unit_test(test_partial_checksum_moves_with_the_headers),
		cmocka_unit_test(test_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
