/* SPDX-License-Identifier: BSD-3-Clause */
#include "l3_fixture.h"

#include <errno.h>

static struct rill_buf *datagram(struct fixture *f, size_t payload, struct rill_ip_meta *m)
{
	struct rill_buf *b = fixture_payload(f, payload + 8);

	udp_bytes(b->data, PEER, US, OPEN_PORT, payload);
	*m = (struct rill_ip_meta){.proto = RILL_IP_UDP};
	rill_ip4_set(&m->src, PEER);
	rill_ip4_set(&m->dst, US);
	return b;
}

static void test_input(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_ip_meta m;
	struct rill_udp_hdr udp;
	struct rill_buf *b = datagram(f, 100, &m);

	assert_int_equal(rill_udp_input(b, &m, &udp), 0);
	assert_int_equal(udp.dst_port, OPEN_PORT);
	assert_int_equal(udp.len, 108);
	assert_int_equal(b->len, 108);
	/* What follows the datagram in the packet is cut off, and is no part of the checksum. */
	memset(rill_buf_append(b, 5), 0xff, 5);
	assert_int_equal(rill_udp_input(b, &m, &udp), 0);
	rill_udp_strip(b, &udp);
	assert_int_equal(b->len, 100);
	assert_int_equal(b->data[99], (uint8_t)(99 * 7));
	fixture_put(f, b);
	fixture_close(f);
}

static void test_checksum(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_ip_meta m;
	struct rill_udp_hdr udp;
	struct rill_buf *b = datagram(f, 33, &m);

	b->data[20] ^= 1;
	assert_int_equal(rill_udp_input(b, &m, &udp), RILL_DROP_UDP_CSUM);
	b->flags = RILL_BUF_CSUM_OK;
	assert_int_equal(rill_udp_input(b, &m, &udp), 0);
	b->flags = 0;
	rill_store_be16(b->data + 6, 0);
	assert_int_equal(rill_udp_input(b, &m, &udp), 0);
	b->data[20] ^= 1;
	udp_bytes(b->data, PEER, OTHER, OPEN_PORT, 33);
	assert_int_equal(rill_udp_input(b, &m, &udp), RILL_DROP_UDP_CSUM);
	fixture_put(f, b);
	fixture_close(f);
}

static void test_lengths(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_ip_meta m;
	struct rill_udp_hdr udp;
	struct rill_buf *b = datagram(f, 10, &m);

	for (uint32_t len = 0; len < 18; len++) {
		b->len = len;
		assert_int_equal(rill_udp_input(b, &m, &udp),
				 len < 8 ? RILL_DROP_UDP_SHORT : RILL_DROP_UDP_LEN);
	}
	b->len = 18;
	for (uint16_t field = 0; field < 8; field++) {
		rill_store_be16(b->data + 4, field);
		assert_int_equal(rill_udp_input(b, &m, &udp), RILL_DROP_UDP_LEN);
	}
	rill_store_be16(b->data + 4, 19);
	assert_int_equal(rill_udp_input(b, &m, &udp), RILL_DROP_UDP_LEN);
	fixture_put(f, b);
	fixture_close(f);
}

/* Splits the payload over two buffers, the first of an odd length. */
static struct rill_buf *two(struct fixture *f, size_t len, size_t at)
{
	struct rill_buf *a = fixture_payload(f, at), *b = fixture_payload(f, len - at);

	a->next = b;
	return a;
}

static void test_output_is_what_input_accepts(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_udp_out o = {.src_port = 5, .dst_port = OPEN_PORT, .payload_max = 1480};
	struct rill_udp_hdr udp;
	struct rill_ip_meta m = {.proto = RILL_IP_UDP};

	rill_ip4_set(&o.src, PEER);
	rill_ip4_set(&o.dst, US);
	m.src = o.src;
	m.dst = o.dst;
	for (size_t at = 0; at < 200; at += 37) {
		struct rill_buf *b = two(f, 200, at);

		assert_int_equal(rill_udp_output(b, &o), 0);
		assert_int_equal(rill_udp_input(b, &m, &udp), 0);
		assert_true(udp.has_csum);
		assert_int_equal(udp.len, 208);
		rill_l3_put_chain(&f->l3, b);
	}
	fixture_close(f);
}

static void test_zero_checksum_goes_out_as_ffff(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_udp_out o = {.src_port = 5, .dst_port = OPEN_PORT};
	struct rill_buf *b = fixture_payload(f, 2);

	rill_ip4_set(&o.src, PEER);
	rill_ip4_set(&o.dst, US);
	memset(b->data, 0, 2);
	assert_int_equal(rill_udp_output(b, &o), 0);
	uint16_t csum = rill_load_raw16(b->data + 6);

	/* A payload that equals the checksum of the rest makes the sum all ones. */
	rill_buf_pull(b, 8);
	rill_store_raw16(b->data, csum);
	assert_int_equal(rill_udp_output(b, &o), 0);
	assert_int_equal(rill_load_be16(b->data + 6), 0xffff);
	fixture_put(f, b);
	fixture_close(f);
}

static void test_offload(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_udp_out o = {
		.src_port = 5, .dst_port = 6, .offload = true, .payload_max = 1480};
	struct rill_buf *b = fixture_payload(f, 100);

	rill_ip4_set(&o.src, US);
	rill_ip4_set(&o.dst, PEER);
	assert_int_equal(rill_udp_output(b, &o), 0);
	assert_int_equal(b->flags, RILL_BUF_CSUM_PARTIAL);
	/* What the NIC does gives what software gives. */
	uint16_t nic = rill_csum_fold(rill_csum_add(0, b->data + b->csum_start, b->len));

	rill_buf_pull(b, 8);
	b->flags = 0;
	o.offload = false;
	assert_int_equal(rill_udp_output(b, &o), 0);
	assert_int_equal(rill_load_raw16(b->data + 6), nic);
	fixture_put(f, b);
	/* What will be fragmented is summed here. */
	o.offload = true;
	b = fixture_payload(f, 1473);
	assert_int_equal(rill_udp_output(b, &o), 0);
	assert_int_equal(b->flags, 0);
	fixture_put(f, b);
	fixture_close(f);
}

static void test_too_long(void **state)
{
	struct fixture *f = fixture_open();
	struct rill_udp_out o = {.src_port = 5, .dst_port = 6};
	struct rill_buf *first = NULL;

	rill_ip4_set(&o.src, US);
	rill_ip4_set(&o.dst, PEER);
	for (size_t left = RILL_UDP_PAYLOAD_MAX + 1; left;) {
		size_t n = RILL_MIN(left, (size_t)1500);
		struct rill_buf *b = fixture_payload(f, n);

		b->next = first;
		first = b;
		left -= n;
	}
	assert_int_equal(rill_udp_output(first, &o), -EMSGSIZE);
	first->len--;
	assert_int_equal(rill_udp_output(first, &o), 0);
	rill_l3_put_chain(&f->l3, first);
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_input),
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_output_is_what_input_accepts),
		cmocka_unit_test(test_zero_checksum_goes_out_as_ffff),
		cmocka_unit_test(test_offload),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
