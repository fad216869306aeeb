/* SPDX-License-Identifier: BSD-3-Clause */
#include "l3_fixture.h"

#include "base/rand.h"

static uint8_t datagram[65536];

/* Bytes [from, to) of a payload of len bytes. */
static struct frame piece(uint8_t proto, uint16_t id, const uint8_t *p, size_t len, size_t from,
			  size_t to)
{
	struct rill_ip4 h = header(proto, PEER, US);

	h.id = id;
	h.frag_offset = (uint16_t)from;
	h.more_fragments = to < len;
	return frame_ip(h, p + from, to - from);
}

static void feed(struct fixture *f, uint16_t id, size_t len, size_t from, size_t to)
{
	struct frame fr = piece(RILL_IP_UDP, id, datagram, len, from, to);

	fixture_input(f, &fr);
}

static void check_up(struct fixture *f, size_t payload)
{
	assert_int_equal(f->up_len, payload);
	assert_memory_equal(f->up, datagram + 8, payload);
}

static void test_every_order(void **state)
{
	static const unsigned orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
					      {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	const size_t cuts[4] = {0, 1480, 2960, 4001};
	struct fixture *f = fixture_open();

	udp_bytes(datagram, PEER, US, OPEN_PORT, 4001 - 8);
	for (unsigned o = 0; o < 6; o++) {
		for (unsigned i = 0; i < 3; i++) {
			unsigned k = orders[o][i];

			assert_int_equal(f->udp_count, o);
			feed(f, (uint16_t)o, 4001, cuts[k], cuts[k + 1]);
		}
		assert_int_equal(f->udp_count, o + 1);
		assert_true(f->up_chained);
		check_up(f, 4001 - 8);
	}
	assert_int_equal(f->l3.rx_accepted, 18);
	assert_int_equal(f->l3.reass.held, 0);
	assert_int_equal(rill_l3_next_deadline(&f->l3), UINT64_MAX);
	fixture_close(f);
}

static void test_random_cuts_and_order(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_rand r;

	rill_rand_init(&r, 11);
	for (unsigned round = 0; round < 300; round++) {
		size_t len = 8 + rill_rand_below(&r, 20000), cuts[RILL_REASS_FRAGS_MAX + 1];
		unsigned n = 0, order[RILL_REASS_FRAGS_MAX];

		udp_bytes(datagram, PEER, US, OPEN_PORT, len - 8);
		for (size_t at = 0; at < len; n++) {
			cuts[n] = at;
			order[n] = n;
			at += 8 * (20 + rill_rand_below(&r, 160));
		}
		cuts[n] = len;
		if (n == 1)
			continue; /* not a fragment */
		for (unsigned i = n - 1; i > 0; i--) {
			unsigned k = rill_rand_below(&r, i + 1), t = order[i];

			order[i] = order[k];
			order[k] = t;
		}
		for (unsigned i = 0; i < n; i++)
			feed(f, (uint16_t)round, len, cuts[order[i]], cuts[order[i] + 1]);
		check_up(f, len - 8);
		assert_int_equal(f->l3.reass.held, 0);
	}
	assert_int_equal(f->l3.rx_dropped, 0);
	fixture_close(f);
}

static void test_largest_datagram(void **state)
{
	struct fixture *f = fixture_open();
	size_t len = 65515;

	udp_bytes(datagram, PEER, US, OPEN_PORT, len - 8);
	for (size_t at = 0; at < len; at += 1480)
		feed(f, 1, len, at, RILL_MIN(at + 1480, len));
	check_up(f, len - 8);
	fixture_close(f);
}

static void test_tcp_is_made_contiguous(void **state)
{
	struct fixture *f = fixture_open();
	struct frame fr;

	for (size_t i = 0; i < 3000; i++)
		datagram[i] = (uint8_t)(i * 3);
	fr = piece(RILL_IP_TCP, 1, datagram, 1400, 0, 8);
	fixture_input(f, &fr);
	fr = piece(RILL_IP_TCP, 1, datagram, 1400, 8, 1400);
	fixture_input(f, &fr);
	assert_int_equal(f->tcp_count, 1);
	assert_int_equal(f->up_len, 1400);
	assert_memory_equal(f->up, datagram, 1400);
	/* More than a buffer holds. */
	fr = piece(RILL_IP_TCP, 2, datagram, 2500, 0, 1480);
	fixture_input(f, &fr);
	fr = piece(RILL_IP_TCP, 2, datagram, 2500, 1480, 2500);
	fixture_input(f, &fr);
	assert_int_equal(f->l3.drops[RILL_DROP_FRAG_TOO_BIG], 2);
	assert_int_equal(f->tcp_count, 1);
	fixture_close(f);
}

static void test_overlap_drops_all_of_it(void **state)
{
	/* Second fragment against a first of [1000, 2000): duplicate, within, around, left, right.
	 */
	static const size_t cuts[][2] = {
		{1000, 2000}, {1200, 1208}, {992, 2008}, {992, 1008}, {1992, 2008}};
	struct fixture *f = fixture_open();

	udp_bytes(datagram, PEER, US, OPEN_PORT, 4000);
	for (uint16_t i = 0; i < RILL_ARRAY_SIZE(cuts); i++) {
		uint64_t before = f->l3.drops[RILL_DROP_FRAG_OVERLAP];

		feed(f, i, 4008, 1000, 2000);
		feed(f, i, 4008, cuts[i][0], cuts[i][1]);
		assert_int_equal(f->l3.drops[RILL_DROP_FRAG_OVERLAP], before + 2);
		/* What is still to come is refused at once. */
		feed(f, i, 4008, 0, 1000);
		feed(f, i, 4008, 1000, 2000);
		assert_int_equal(f->l3.drops[RILL_DROP_FRAG_OVERLAP], before + 4);
		assert_int_equal(f->l3.reass.held, 0);
	}
	assert_int_equal(f->udp_count, 0);
	fixture_advance(f, RILL_REASS_TIMEOUT_NS + RILL_MS);
	assert_int_equal(rill_l3_next_deadline(&f->l3), UINT64_MAX);
	fixture_close(f);
}

static void test_ends_that_disagree(void **state)
{
	struct fixture *f = fixture_open();

	feed(f, 1, 3000, 2000, 3000);
	feed(f, 1, 3500, 3000, 3500); /* a second end */
	assert_int_equal(f->l3.drops[RILL_DROP_FRAG_OVERLAP], 2);
	feed(f, 2, 3000, 2000, 3000);
	feed(f, 2, 5000, 3000, 4000); /* past the end */
	assert_int_equal(f->l3.drops[RILL_DROP_FRAG_OVERLAP], 4);
	feed(f, 3, 5000, 3000, 4000);
	feed(f, 3, 3000, 2000, 3000); /* an end before what is there */
	assert_int_equal(f->l3.drops[RILL_DROP_FRAG_OVERLAP], 6);
	fixture_close(f);
}

static void test_timeout_reports_with_fragment_0_only(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_ip4 h;
	struct rill_icmp4 icmp;

	udp_bytes(datagram, PEER, US, OPEN_PORT, 4000);
	fixture_know(f, PEER, peer_mac);
	fixture_advance(f, RILL_SEC);
	feed(f, 1, 4008, 0, 1000);
	feed(f, 2, 4008, 1000, 2000);
	fixture_advance(f, RILL_REASS_TIMEOUT_NS - RILL_SEC);
	assert_int_equal(f->l3.reass.held, 2);
	fixture_advance(f, RILL_SEC + RILL_MS);
	assert_int_equal(f->l3.drops[RILL_DROP_FRAG_TIMEOUT], 2);
	assert_int_equal(f->sent.count, 2); /* one error, and the check of the stale neighbour */
	struct rill_arp arp;

	fixture_sent_arp(f, &arp, peer_mac);
	struct rill_buf *b = fixture_sent_ip(f, &h);

	assert_int_equal(rill_icmp4_check(b->len - 34, rill_csum_add(0, b->data + 34, b->len - 34)),
			 0);
	rill_icmp4_parse(b->data + 34, &icmp);
	assert_int_equal(icmp.type, RILL_ICMP4_TIME_EXCEEDED);
	assert_int_equal(icmp.code, RILL_ICMP4_REASSEMBLY);
	assert_int_equal(h.dst, PEER);
	assert_int_equal(h.total_len, RILL_ICMP_ERROR_MAX);
	assert_memory_equal(b->data + 34 + 8 + 20, datagram, 100);
	fixture_put(f, b);
	fixture_close(f);
}

static void test_bounded(void **state)
{
	struct fixture *f = fixture_open();

	/* Datagrams: the oldest give way. */
	for (uint16_t id = 0; id < 3 * RILL_REASS_MAX; id++)
		feed(f, id, 4008, 1000, 2000);
	assert_int_equal(f->l3.reass.held, RILL_REASS_MAX);
	assert_int_equal(f->l3.drops[RILL_DROP_FRAG_LIMIT], 2 * RILL_REASS_MAX);
	/* Buffers. */
	for (uint16_t id = 0; id < 10; id++)
		for (size_t i = 0; i < 100; i++)
			feed(f, (uint16_t)(1000 + id), 60000, 8 * i, 8 * i + 8);
	assert_true(f->l3.reass.held <= RILL_REASS_BUFS_DEFAULT);
	assert_true(rill_l3_valid(&f->l3));
	/* Fragments of one. */
	uint64_t before = f->l3.drops[RILL_DROP_FRAG_LIMIT];

	for (size_t i = 0; i <= RILL_REASS_FRAGS_MAX; i++)
		feed(f, 5000, 60000, 8 * i, 8 * i + 8);
	assert_true(f->l3.drops[RILL_DROP_FRAG_LIMIT] >= before + RILL_REASS_FRAGS_MAX + 1);
	fixture_close(f);
}

static void test_datagrams_are_told_apart(void **state)
{
	struct fixture *f = fixture_open();

	udp_bytes(datagram, PEER, US, OPEN_PORT, 1992);
	for (uint16_t id = 0; id < 20; id++)
		feed(f, id, 2000, 0, 1000);
	for (uint16_t id = 0; id < 20; id++)
		feed(f, id, 2000, 1000, 2000);
	assert_int_equal(f->udp_count, 20);
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_order),
		cmocka_unit_test(test_random_cuts_and_order),
		cmocka_unit_test(test_largest_datagram),
		cmocka_unit_test(test_tcp_is_made_contiguous),
		cmocka_unit_test(test_overlap_drops_all_of_it),
		cmocka_unit_test(test_ends_that_disagree),
		cmocka_unit_test(test_timeout_reports_with_fragment_0_only),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_datagrams_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
