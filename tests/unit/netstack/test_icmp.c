/* SPDX-License-Identifier: BSD-3-Clause */
#include "l3_fixture.h"

static uint8_t message[65536];

static void test_echo(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_ip4 h;

	fixture_know(f, PEER, peer_mac);
	fixture_send(f, PEER, 1, NULL); /* so that the check of the stale entry is over */
	fixture_drain(f);
	for (size_t len = 0; len <= 1472; len += 23) {
		struct frame fr = frame_echo(PEER, US, len);

		fixture_expect(f, &fr, RILL_DROP_NONE);
		struct rill_buf *b = fixture_sent_ip(f, &h);

		assert_memory_equal(b->data, peer_mac, 6);
		assert_int_equal(h.dst, PEER);
		assert_int_equal(h.proto, RILL_IP_ICMP);
		assert_int_equal(b->len, fr.len);
		assert_int_equal(b->data[34], RILL_ICMP4_ECHO_REPLY);
		assert_memory_equal(b->data + 38, fr.bytes + 38, len + 4);
		assert_int_equal(rill_csum_fold(rill_csum_add(0, b->data + 34, len + 8)), 0);
		fixture_put(f, b);
	}
	fixture_close(f);
}

static void test_large_fragmented_echo(void **state)
{
	struct fixture *f = fixture_open();
	static uint8_t reply[65536];
	size_t len = 60000, at = 0;
	struct rill_ip4 h = header(RILL_IP_ICMP, PEER, US);

	fixture_know(f, PEER, peer_mac);
	fixture_send(f, PEER, 1, NULL);
	fixture_drain(f);
	for (size_t i = 0; i < len; i++)
		message[8 + i] = (uint8_t)(i ^ i >> 8);
	icmp_bytes(message, RILL_ICMP4_ECHO, 0, 0xabcd, len);
	for (size_t from = 0; from < len + 8; from += 1480) {
		size_t n = RILL_MIN((size_t)1480, len + 8 - from);

		h.frag_offset = (uint16_t)from;
		h.more_fragments = from + n < len + 8;
		struct frame fr = frame_ip(h, message + from, n);

		fixture_input(f, &fr);
	}
	while (f->sent.count) {
		struct rill_ip4 r;
		struct rill_buf *b = fixture_sent_ip(f, &r);

		assert_int_equal(r.frag_offset, at);
		memcpy(reply + at, b->data + 34, b->len - 34);
		at += b->len - 34;
		fixture_put(f, b);
	}
	assert_int_equal(at, len + 8);
	assert_int_equal(reply[0], RILL_ICMP4_ECHO_REPLY);
	assert_memory_equal(reply + 4, message + 4, len + 4);
	assert_int_equal(rill_csum_fold(rill_csum_add(0, reply, len + 8)), 0);
	fixture_close(f);
}

static void test_no_answer_to_broadcast(void **state)
{
	struct fixture *f = fixture_open();
	struct frame fr = frame_echo(PEER, SUBNET_BROADCAST, 10);

	fixture_know(f, PEER, peer_mac);
	fixture_expect(f, &fr, RILL_DROP_ICMP_BROADCAST);
	fr = frame_udp(PEER, SUBNET_BROADCAST, 1, 10);
	fixture_expect(f, &fr, RILL_DROP_UDP_NO_PORT);
	fr = frame_ip(header(99, PEER, UINT32_MAX), "x", 1);
	fixture_expect(f, &fr, RILL_DROP_IP4_PROTO);
	assert_int_equal(f->sent.count, 0);
	fixture_close(f);
}

static void expect_error(struct fixture *f, const struct frame *about, uint8_t code)
{
	struct rill_ip4 h;
	struct rill_buf *b;
	struct rill_icmp4 icmp;
	size_t quoted = RILL_MIN(about->len - 14, (size_t)(RILL_ICMP_ERROR_MAX - 28));

	if (rill_load_be16(f->sent.first->data + 12) == RILL_ETH_ARP)
		fixture_put(f, rill_buf_queue_pop(&f->sent));
	b = fixture_sent_ip(f, &h);
	assert_int_equal(h.dst, PEER);
	assert_int_equal(h.total_len, 28 + quoted);
	assert_int_equal(rill_csum_fold(rill_csum_add(0, b->data + 34, b->len - 34)), 0);
	rill_icmp4_parse(b->data + 34, &icmp);
	assert_int_equal(icmp.type, RILL_ICMP4_UNREACHABLE);
	assert_int_equal(icmp.code, code);
	assert_memory_equal(b->data + 42, about->bytes + 14, quoted);
	fixture_put(f, b);
}

static void test_unreachable(void **state)
{
	struct fixture *f = fixture_open();
	struct frame fr = frame_udp(PEER, US, 1, 10);

	fixture_know(f, PEER, peer_mac);
	fixture_expect(f, &fr, RILL_DROP_UDP_NO_PORT);
	expect_error(f, &fr, RILL_ICMP4_PORT);
	fr = frame_udp(PEER, US, 1, 1400);
	fixture_expect(f, &fr, RILL_DROP_UDP_NO_PORT);
	expect_error(f, &fr, RILL_ICMP4_PORT);
	fr = frame_ip(header(99, PEER, US), "payload", 7);
	fixture_expect(f, &fr, RILL_DROP_IP4_PROTO);
	expect_error(f, &fr, RILL_ICMP4_PROTOCOL);
	fixture_close(f);
}

static void test_rate_limit(void **state)
{
	struct fixture *f = fixture_open();
	struct frame fr = frame_udp(PEER, US, 1, 10);

	fixture_know(f, PEER, peer_mac);
	f->discard_sent = true;
	for (unsigned i = 0; i < 200; i++)
		fixture_expect(f, &fr, RILL_DROP_UDP_NO_PORT);
	assert_int_equal(f->l3.drops[RILL_DROP_ICMP_RATE], 200 - RILL_ICMP_BURST);
	f->now += 10 * RILL_MS;
	for (unsigned i = 0; i < 20; i++)
		fixture_expect(f, &fr, RILL_DROP_UDP_NO_PORT);
	assert_int_equal(f->l3.drops[RILL_DROP_ICMP_RATE], 200 - RILL_ICMP_BURST + 10);
	fixture_close(f);
}

/* An ICMP error about a packet of ours: its header and 8 bytes. */
static struct frame frame_error(uint8_t type, uint8_t code, uint32_t rest, struct rill_ip4 inner,
				size_t inner_len)
{
	uint8_t buf[100] = {0};

	inner.total_len = 1500;
	rill_ip4_emit(buf + 8, &inner);
	rill_store_be16(buf + 28, 4321);
	rill_store_be16(buf + 30, 80);
	rill_store_be32(buf + 32, 0xdeadbeef);
	return frame_ip(header(RILL_IP_ICMP, GATEWAY, US), buf,
			icmp_bytes(buf, type, code, rest, inner_len));
}

static void test_errors_go_up(void **state)
{
	struct fixture *f = fixture_open();
	struct frame fr = frame_error(RILL_ICMP4_UNREACHABLE, RILL_ICMP4_FRAG_NEEDED, 1400,
				      header(RILL_IP_TCP, US, FAR), 28);

	fixture_expect(f, &fr, RILL_DROP_NONE);
	assert_int_equal(f->error_count, 1);
	assert_int_equal(f->error.type, RILL_ICMP4_UNREACHABLE);
	assert_int_equal(f->error.code, RILL_ICMP4_FRAG_NEEDED);
	assert_int_equal(f->error.proto, RILL_IP_TCP);
	assert_int_equal(f->error.mtu, 1400);
	assert_int_equal(rill_ip4_get(&f->error.local), US);
	assert_int_equal(rill_ip4_get(&f->error.remote), FAR);
	assert_int_equal(rill_ip4_get(&f->error.from), GATEWAY);
	assert_int_equal(f->error.local_port, 4321);
	assert_int_equal(f->error.remote_port, 80);
	assert_int_equal(f->error.tcp_seq, 0xdeadbeef);
	fr = frame_error(RILL_ICMP4_TIME_EXCEEDED, 0, 0, header(RILL_IP_UDP, US, FAR), 28);
	fixture_expect(f, &fr, RILL_DROP_NONE);
	assert_int_equal(f->error.tcp_seq, 0);
	assert_int_equal(f->error.mtu, 0);
	assert_int_equal(f->error_count, 2);
	fixture_close(f);
}

static void test_errors_that_are_not_ours(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_ip4 inner = header(RILL_IP_TCP, US, FAR);
	struct frame fr;

	fr = frame_error(3, 1, 0, header(RILL_IP_TCP, OTHER, FAR), 28);
	fixture_expect(f, &fr, RILL_DROP_ICMP_EMBEDDED);
	fr = frame_error(3, 1, 0, header(RILL_IP_TCP, US, SUBNET_BROADCAST), 28);
	fixture_expect(f, &fr, RILL_DROP_ICMP_EMBEDDED);
	for (size_t len = 0; len < 28; len++) {
		fr = frame_error(3, 1, 0, inner, len);
		fixture_expect(f, &fr, RILL_DROP_ICMP_EMBEDDED);
	}
	inner.frag_offset = 8;
	fr = frame_error(3, 1, 0, inner, 28);
	fixture_expect(f, &fr, RILL_DROP_ICMP_EMBEDDED);
	/* Redirect and source quench. */
	inner.frag_offset = 0;
	fr = frame_error(RILL_ICMP4_REDIRECT, 1, 0, inner, 28);
	fixture_expect(f, &fr, RILL_DROP_ICMP_TYPE);
	fr = frame_error(RILL_ICMP4_SOURCE_QUENCH, 0, 0, inner, 28);
	fixture_expect(f, &fr, RILL_DROP_ICMP_TYPE);
	assert_int_equal(f->error_count, 0);
	assert_int_equal(f->sent.count, 0);
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_large_fragmented_echo),
		cmocka_unit_test(test_no_answer_to_broadcast),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_rate_limit),
		cmocka_unit_test(test_errors_go_up),
		cmocka_unit_test(test_errors_that_are_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
