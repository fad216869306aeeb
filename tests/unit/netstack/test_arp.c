/* SPDX-License-Identifier: BSD-3-Clause */
#include "l3_fixture.h"

#include <errno.h>

#include "netstack/ip/arp.h"

static struct rill_neigh *entry(struct fixture *f, uint32_t ip)
{
	return rill_neigh_find(&f->l3.neigh, ip);
}

static void answer(struct fixture *f, uint32_t ip, const uint8_t *mac)
{
	struct frame fr = frame_arp(RILL_ARP_REPLY, mac, ip, US);

	fixture_expect(f, &fr, RILL_DROP_NONE);
}

static void test_answers_requests_and_learns(void **state)
{
	struct fixture *f = fixture_open();
	struct frame fr = frame_arp(RILL_ARP_REQUEST, peer_mac, PEER, US);
	struct rill_arp arp;

	fixture_expect(f, &fr, RILL_DROP_NONE);
	fixture_sent_arp(f, &arp, peer_mac);
	assert_int_equal(arp.op, RILL_ARP_REPLY);
	assert_int_equal(arp.sender_ip, US);
	assert_int_equal(arp.target_ip, PEER);
	assert_memory_equal(arp.sender_mac, our_mac, 6);
	assert_memory_equal(arp.target_mac, peer_mac, 6);
	assert_int_equal(entry(f, PEER)->state, RILL_NEIGH_STALE);

	/* Somebody else's question creates nothing, but corrects what is there (RFC 826). */
	fr = frame_arp(RILL_ARP_REQUEST, other_mac, OTHER, PEER);
	fixture_expect(f, &fr, RILL_DROP_NONE);
	assert_null(entry(f, OTHER));
	fr = frame_arp(RILL_ARP_REQUEST, other_mac, PEER, OTHER);
	fixture_expect(f, &fr, RILL_DROP_NONE);
	assert_memory_equal(entry(f, PEER)->mac, other_mac, 6);
	assert_int_equal(f->sent.count, 0);
	fixture_close(f);
}

static void test_probe_is_answered_without_learning(void **state)
{
	struct fixture *f = fixture_open();
	struct frame fr = frame_arp(RILL_ARP_REQUEST, peer_mac, 0, US);
	struct rill_arp arp;

	fixture_expect(f, &fr, RILL_DROP_NONE);
	fixture_sent_arp(f, &arp, peer_mac);
	assert_int_equal(f->l3.neigh.count, 0);
	fixture_close(f);
}

static void test_resolves_and_flushes_in_order(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_arp arp;
	struct rill_ip4 h;

	for (size_t i = 1; i <= 3; i++)
		assert_int_equal(fixture_send(f, PEER, i * 10, NULL), 0);
	fixture_sent_arp(f, &arp, rill_eth_broadcast);
	assert_int_equal(arp.op, RILL_ARP_REQUEST);
	assert_int_equal(arp.target_ip, PEER);
	assert_int_equal(f->sent.count, 0);
	answer(f, PEER, peer_mac);
	assert_int_equal(f->sent.count, 3);
	for (size_t i = 1; i <= 3; i++) {
		struct rill_buf *b = fixture_sent_ip(f, &h);

		assert_memory_equal(b->data, peer_mac, 6);
		assert_int_equal(h.total_len, 20 + i * 10);
		fixture_put(f, b);
	}
	assert_int_equal(entry(f, PEER)->state, RILL_NEIGH_REACHABLE);
	fixture_close(f);
}

static void test_one_request_per_second_then_unreachable(void **state)
{
	struct fixture *f = fixture_open();
	uint64_t before;

	assert_int_equal(fixture_send(f, FAR, 10, NULL), 0);
	for (unsigned s = 0; s < 3; s++) {
		assert_int_equal(fixture_send(f, FAR, 10, NULL), 0);
		assert_int_equal(f->sent.count, 1);
		fixture_drain(f);
		assert_int_equal(f->unreachable_count, 0);
		assert_true(rill_l3_next_deadline(&f->l3) <= f->now + RILL_SEC + 2000);
		fixture_advance(f, RILL_SEC / 2);
		assert_int_equal(f->sent.count, 0);
		fixture_advance(f, RILL_SEC / 2 + 2000);
	}
	/* The gateway did not answer; what is told is the destination. */
	assert_int_equal(f->unreachable_count, 1);
	assert_int_equal(rill_ip4_get(&f->unreachable), FAR);
	assert_int_equal(f->l3.drops[RILL_DROP_NEIGH_FAILED], 4);
	assert_null(entry(f, GATEWAY));
	assert_int_equal(rill_l3_next_deadline(&f->l3), UINT64_MAX);
	before = f->l3.tx_frames;
	assert_int_equal(fixture_send(f, FAR, 10, NULL), 0);
	assert_int_equal(f->l3.tx_frames, before + 1);
	fixture_close(f);
}

static void test_queue_keeps_the_latest(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_ip4 h;

	for (size_t i = 0; i < RILL_NEIGH_QUEUE_MAX + 5; i++)
		assert_int_equal(fixture_send(f, PEER, 100 + i, NULL), 0);
	assert_int_equal(f->l3.drops[RILL_DROP_NEIGH_QUEUE_FULL], 5);
	fixture_drain(f);
	answer(f, PEER, peer_mac);
	assert_int_equal(f->sent.count, RILL_NEIGH_QUEUE_MAX);
	fixture_put(f, fixture_sent_ip(f, &h));
	assert_int_equal(h.total_len, 20 + 105);
	fixture_close(f);
}

static void test_queues_are_bounded_together(void **state)
{
	struct fixture *f = fixture_open();
	int r = 0;

	f->discard_sent = true;
	for (unsigned host = 0; host < 40; host++)
		for (unsigned i = 0; i < 8; i++)
			r |= fixture_send(f, IP(198, 18, 0, 10 + host), 10, NULL);
	assert_int_equal(r, -ENOBUFS);
	assert_int_equal(f->l3.neigh.queued, RILL_NEIGH_QUEUED_MAX);
	assert_int_equal(f->l3.drops[RILL_DROP_NEIGH_QUEUE_FULL], 40 * 8 - RILL_NEIGH_QUEUED_MAX);
	assert_true(rill_l3_valid(&f->l3));
	fixture_close(f);
}

static void test_stale_entry_is_probed_by_unicast(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_arp arp;
	struct rill_ip4 h;

	assert_int_equal(fixture_send(f, PEER, 10, NULL), 0);
	answer(f, PEER, peer_mac);
	fixture_drain(f);
	fixture_advance(f, RILL_NEIGH_REACHABLE_NS + RILL_MS);
	assert_int_equal(entry(f, PEER)->state, RILL_NEIGH_STALE);
	assert_int_equal(fixture_send(f, PEER, 10, NULL), 0);
	fixture_sent_arp(f, &arp, peer_mac);
	fixture_put(f, fixture_sent_ip(f, &h));
	assert_int_equal(entry(f, PEER)->state, RILL_NEIGH_PROBE);
	answer(f, PEER, peer_mac);
	assert_int_equal(entry(f, PEER)->state, RILL_NEIGH_REACHABLE);

	/* And forgotten when it does not answer. */
	fixture_advance(f, RILL_NEIGH_REACHABLE_NS + RILL_MS);
	assert_int_equal(fixture_send(f, PEER, 10, NULL), 0);
	for (unsigned i = 0; i < 3; i++)
		fixture_advance(f, RILL_SEC + 2000);
	assert_null(entry(f, PEER));
	fixture_close(f);
}

static void test_unused_entry_is_forgotten(void **state)
{
	struct fixture *f = fixture_open();

	fixture_know(f, PEER, peer_mac);
	fixture_advance(f, RILL_NEIGH_STALE_NS - RILL_SEC);
	assert_non_null(entry(f, PEER));
	fixture_advance(f, 2 * RILL_SEC);
	assert_null(entry(f, PEER));
	fixture_close(f);
}

static void test_cache_follows_the_generation(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_l3_dst cache = {0};
	struct frame fr;
	struct rill_ip4 h;

	fixture_know(f, PEER, peer_mac);
	assert_int_equal(fixture_send(f, PEER, 10, &cache), 0);
	fixture_drain(f);
	assert_int_equal(cache.generation, f->l3.neigh.generation);
	assert_memory_equal(f->l3.neigh.entries[cache.neigh].mac, peer_mac, 6);
	answer(f, PEER, peer_mac);
	assert_int_equal(cache.generation, f->l3.neigh.generation);
	assert_int_equal(fixture_send(f, PEER, 10, &cache), 0);
	struct rill_buf *b = fixture_sent_ip(f, &h);

	assert_memory_equal(b->data, peer_mac, 6);
	assert_true(h.dont_fragment);
	assert_int_equal(h.id, 0);
	fixture_put(f, b);

	/* The peer moves: the cache is void, and the next packet goes to the new place. */
	fr = frame_arp(RILL_ARP_REQUEST, other_mac, PEER, US);
	fixture_expect(f, &fr, RILL_DROP_NONE);
	fixture_drain(f);
	assert_int_not_equal(cache.generation, f->l3.neigh.generation);
	assert_int_equal(fixture_send(f, PEER, 10, &cache), 0);
	assert_memory_equal(f->l3.neigh.entries[cache.neigh].mac, other_mac, 6);
	fixture_close(f);
}

static void test_confirmation_keeps_it_reachable(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_l3_dst cache = {0};

	fixture_know(f, PEER, peer_mac);
	assert_int_equal(fixture_send(f, PEER, 10, &cache), 0);
	assert_int_equal(entry(f, PEER)->state, RILL_NEIGH_PROBE);
	rill_l3_neigh_confirm(&f->l3, &cache, f->now);
	assert_int_equal(entry(f, PEER)->state, RILL_NEIGH_REACHABLE);
	for (unsigned i = 0; i < 10; i++) {
		fixture_advance(f, 20 * RILL_SEC);
		rill_l3_neigh_confirm(&f->l3, &cache, f->now);
		assert_int_equal(entry(f, PEER)->state, RILL_NEIGH_REACHABLE);
	}
	assert_int_equal(cache.generation, f->l3.neigh.generation);
	fixture_close(f);
}

static void test_table_is_bounded(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_l3_config c = fixture_config();

	c.prefix = 16;
	rill_l3_fini(&f->l3);
	assert_int_equal(rill_l3_init(&f->l3, &c, &fixture_ops, f, f->now), 0);
	f->discard_sent = true;
	for (uint32_t i = 0; i < 3 * RILL_NEIGH_MAX; i++) {
		uint32_t ip = IP(198, 18, 1, 0) + i;
		struct frame fr = frame_arp(RILL_ARP_REQUEST, peer_mac, ip, US);

		fixture_expect(f, &fr, RILL_DROP_NONE);
		assert_non_null(entry(f, ip));
	}
	assert_int_equal(f->l3.neigh.count, RILL_NEIGH_MAX);
	/* Unresolved ones take only their part. */
	for (uint32_t i = 0; i < 2 * RILL_NEIGH_INCOMPLETE_MAX; i++)
		fixture_send(f, IP(198, 18, 200, 0) + i, 10, NULL);
	assert_int_equal(f->l3.neigh.incomplete, RILL_NEIGH_INCOMPLETE_MAX);
	assert_int_equal(f->l3.neigh.count, RILL_NEIGH_MAX);
	assert_int_equal(f->l3.drops[RILL_DROP_NEIGH_TABLE_FULL], RILL_NEIGH_INCOMPLETE_MAX);
	fixture_close(f);
}

static void test_shared_packet_is_copied_to_wait(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_buf *b = fixture_payload(f, 50);
	struct rill_buf *mine = fixture_payload(f, 1);
	struct rill_ip_out o = {.proto = RILL_IP_TCP, .dont_fragment = true};
	struct rill_ip4 h;

	rill_ip4_set(&o.dst, PEER);
	b->next = mine;
	rill_buf_get(b);
	assert_int_equal(rill_l3_output(&f->l3, b, &o, NULL, f->now), 0);
	assert_ptr_equal(b->next, mine);
	assert_int_equal(b->refs, 1);
	fixture_drain(f);
	answer(f, PEER, peer_mac);
	struct rill_buf *sent = fixture_sent_ip(f, &h);

	assert_int_equal(h.total_len, 70);
	assert_ptr_not_equal(sent, b);
	fixture_put(f, sent);
	fixture_put(f, mine);
	fixture_put(f, b);
	fixture_close(f);
}

static void test_bad_senders(void **state)
{
	struct fixture *f = fixture_open();
	const uint8_t group[6] = {1, 0, 0, 0, 0, 1};
	struct frame fr;

	fr = frame_arp(RILL_ARP_REQUEST, group, PEER, US);
	fixture_expect(f, &fr, RILL_DROP_ARP_SENDER);
	fr = frame_arp(RILL_ARP_REQUEST, rill_eth_zero, PEER, US);
	fixture_expect(f, &fr, RILL_DROP_ARP_SENDER);
	fr = frame_arp(RILL_ARP_REQUEST, rill_eth_broadcast, PEER, US);
	fixture_expect(f, &fr, RILL_DROP_ARP_SENDER);
	fr = frame_arp(RILL_ARP_REQUEST, our_mac, PEER, US);
	fixture_expect(f, &fr, RILL_DROP_ARP_SENDER);
	fr = frame_arp(RILL_ARP_REPLY, peer_mac, US, US);
	fixture_expect(f, &fr, RILL_DROP_ARP_CONFLICT);
	fr = frame_arp(RILL_ARP_REQUEST, peer_mac, FAR, US);
	fixture_expect(f, &fr, RILL_DROP_ARP_SENDER);
	fr = frame_arp(RILL_ARP_REQUEST, peer_mac, SUBNET_BROADCAST, US);
	fixture_expect(f, &fr, RILL_DROP_ARP_SENDER);
	assert_int_equal(f->l3.neigh.count, 0);
	assert_int_equal(f->sent.count, 0);
	fixture_close(f);
}

/* ---- several addresses ---- */

#define SECOND IP(198, 18, 0, 7)
#define THIRD IP(198, 18, 1, 1)

static struct fixture *open_with_three(void)
{
	struct fixture *f = fixture_open();
	struct rill_ip ip;

	rill_ip4_set(&ip, SECOND);
	assert_int_equal(rill_l3_add_addr(&f->l3, &ip, 24), 0);
	rill_ip4_set(&ip, THIRD);
	assert_int_equal(rill_l3_add_addr(&f->l3, &ip, 24), 0);
	return f;
}

static void test_answers_for_each_address(void **state)
{
	static const uint32_t own[] = {US, SECOND, THIRD};
	struct fixture *f = open_with_three();
	struct rill_arp arp;
	struct rill_ip ip;
	struct frame fr;

	for (unsigned i = 0; i < 3; i++) {
		fr = frame_arp(RILL_ARP_REQUEST, peer_mac, PEER, own[i]);
		fixture_expect(f, &fr, RILL_DROP_NONE);
		fixture_sent_arp(f, &arp, peer_mac);
		assert_int_equal(arp.sender_ip, own[i]);
		assert_int_equal(arp.target_ip, PEER);
		fr = frame_arp(RILL_ARP_REQUEST, peer_mac, own[i], PEER);
		fixture_expect(f, &fr, RILL_DROP_ARP_CONFLICT);
		fr = frame_echo(PEER, own[i], 8);
		fixture_expect(f, &fr, RILL_DROP_NONE);
		fr = frame_echo(own[i], US, 8);
		fixture_expect(f, &fr, RILL_DROP_IP4_SOURCE);
		fixture_drain(f);
	}
	/* One that went away is nobody's here. */
	rill_ip4_set(&ip, SECOND);
	assert_int_equal(rill_l3_del_addr(&f->l3, &ip), 0);
	fr = frame_arp(RILL_ARP_REQUEST, peer_mac, PEER, SECOND);
	fixture_expect(f, &fr, RILL_DROP_NONE);
	fr = frame_echo(PEER, SECOND, 8);
	fixture_expect(f, &fr, RILL_DROP_IP4_DEST);
	assert_int_equal(f->sent.count, 0);
	fixture_close(f);
}

/* The question comes from the address on that subnet; so does the answer to it count. */
static void test_asks_from_the_subnet(void **state)
{
	static const uint32_t peers[] = {PEER, IP(198, 18, 1, 2)}, own[] = {US, THIRD};
	struct fixture *f = open_with_three();
	struct rill_arp arp;
	struct frame fr;

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(fixture_send(f, peers[i], 10, NULL), 0);
		fixture_sent_arp(f, &arp, rill_eth_broadcast);
		assert_int_equal(arp.sender_ip, own[i]);
		fr = frame_arp(RILL_ARP_REPLY, peer_mac, peers[i], own[i]);
		fixture_expect(f, &fr, RILL_DROP_NONE);
		assert_int_equal(entry(f, peers[i])->state, RILL_NEIGH_REACHABLE);
		fixture_drain(f);
	}
	fixture_close(f);
}

/* RFC 5227, 2.3: who knew another host by it learns better. */
static void test_announces_an_address(void **state)
{
	struct fixture *f = open_with_three();
	struct rill_arp arp;

	rill_arp_announce(&f->l3, SECOND);
	fixture_sent_arp(f, &arp, rill_eth_broadcast);
	assert_int_equal(arp.op, RILL_ARP_REQUEST);
	assert_int_equal(arp.sender_ip, SECOND);
	assert_int_equal(arp.target_ip, SECOND);
	assert_memory_equal(arp.sender_mac, our_mac, 6);
	fixture_close(f);
}

static void test_which_addresses_there_may_be(void **state)
{
	static const struct {
		const char *cidr;
		int result;
	} rows[] = {
		{"198.18.0.7/24", -EEXIST},   {"198.18.0.1/16", -EEXIST},
		{"198.18.0.8/32", 0},	      {"198.18.2.255/24", -EINVAL},
		{"198.18.2.0/24", -EINVAL},   {"198.18.2.0/31", 0},
		{"127.0.0.1/8", -EINVAL},     {"224.0.0.1/24", -EINVAL},
		{"198.18.0.254/24", -EINVAL},
	};
	struct fixture *f = open_with_three();
	struct rill_l3_cidr cidrs[RILL_L3_ADDRS_MAX];
	struct rill_ip ip;

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(rows); i++) {
		assert_int_equal(rill_l3_cidrs_parse(rows[i].cidr, cidrs), 1);
		assert_int_equal(rill_l3_add_addr(&f->l3, &cidrs[0].ip, cidrs[0].prefix),
				 rows[i].result);
	}
	for (unsigned i = f->l3.addr_count; i < RILL_L3_ADDRS_MAX; i++) {
		rill_ip4_set(&ip, IP(198, 18, 3, i));
		assert_int_equal(rill_l3_add_addr(&f->l3, &ip, 24), 0);
	}
	rill_ip4_set(&ip, IP(198, 18, 4, 1));
	assert_int_equal(rill_l3_add_addr(&f->l3, &ip, 24), -ENOSPC);
	assert_int_equal(rill_l3_del_addr(&f->l3, &ip), -ENOENT);
	rill_ip4_set(&ip, US);
	assert_int_equal(rill_l3_del_addr(&f->l3, &ip), -EBUSY);
	assert_int_equal(rill_l3_cidrs_parse("198.18.0.1/24,198.18.0.7/24", cidrs), 2);
	assert_int_equal(rill_ip4_get(&cidrs[1].ip), SECOND);
	assert_int_equal(rill_l3_cidrs_parse("198.18.0.1/24,", cidrs), -EINVAL);
	assert_int_equal(rill_l3_cidrs_parse("198.18.0.1/24,,198.18.0.7/24", cidrs), -EINVAL);
	assert_int_equal(rill_l3_cidrs_parse("", cidrs), -EINVAL);
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_for_each_address),
		cmocka_unit_test(test_asks_from_the_subnet),
		cmocka_unit_test(test_announces_an_address),
		cmocka_unit_test(test_which_addresses_there_may_be),
		cmocka_unit_test(test_answers_requests_and_learns),
		cmocka_unit_test(test_probe_is_answered_without_learning),
		cmocka_unit_test(test_resolves_and_flushes_in_order),
		cmocka_unit_test(test_one_request_per_second_then_unreachable),
		cmocka_unit_test(test_queue_keeps_the_latest),
		cmocka_unit_test(test_queues_are_bounded_together),
		cmocka_unit_test(test_stale_entry_is_probed_by_unicast),
		cmocka_unit_test(test_unused_entry_is_forgotten),
		cmocka_unit_test(test_cache_follows_the_generation),
		cmocka_unit_test(test_confirmation_keeps_it_reachable),
		cmocka_unit_test(test_table_is_bounded),
		cmocka_unit_test(test_shared_packet_is_copied_to_wait),
		cmocka_unit_test(test_bad_senders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
