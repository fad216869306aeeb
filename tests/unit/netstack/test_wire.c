/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/wire/checksum.h"

#include <rill/net.h>

#include "base/compiler.h"
#include "base/rand.h"
#include "drivers/buf.h"
#include "netstack/wire/arp.h"
#include "netstack/wire/bytes.h"
#include "netstack/wire/chain.h"
#include "netstack/wire/eth.h"
#include "netstack/wire/icmp4.h"
#include "netstack/wire/ip4.h"
#include "netstack/wire/udp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 1071 word for word: big-endian words, one at a time. */
static uint16_t reference(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint64_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint16_t host(uint16_t raw)
{
	return RILL_BE16(raw);
}

static void test_rfc1071_example(void **state)
{
	const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	/* RFC 1071, 3: the sum is ddf2 */
	assert_int_equal(host(rill_csum_fold(rill_csum_add(0, data, sizeof(data)))),
			 0xffff & ~0xddf2);
}

static void test_every_alignment_and_length(void **state)
{
	static uint8_t buf[2100];
	struct rill_rand r;

	rill_rand_init(&r, 1);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)rill_rand_next(&r);
	for (size_t at = 0; at < 16; at++)
		for (size_t len = 0; len < 2050; len++)
			assert_int_equal(host(rill_csum_fold(rill_csum_add(0, buf + at, len))),
					 reference(buf + at, len));
}

static void test_carries(void **state)
{
	static uint8_t ones[65536];

	memset(ones, 0xff, sizeof(ones));
	for (size_t len = 0; len < sizeof(ones); len += 97)
		assert_int_equal(host(rill_csum_fold(rill_csum_add(0, ones, len))),
				 reference(ones, len));
	assert_int_equal(rill_csum_fold(rill_csum_add(UINT32_MAX, ones, 64)), 0);
	assert_int_equal(rill_csum_fold(UINT32_MAX), 0);
}

static void test_split_anywhere(void **state)
{
	uint8_t buf[201];
	struct rill_rand r;

	rill_rand_init(&r, 2);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)rill_rand_next(&r);
	for (size_t at = 0; at <= sizeof(buf); at++) {
		uint32_t sum = rill_csum_add(0, buf, at);

		sum = at % 2 ? rill_csum_add_odd(sum, buf + at, sizeof(buf) - at)
			     : rill_csum_add(sum, buf + at, sizeof(buf) - at);
		assert_int_equal(host(rill_csum_fold(sum)), reference(buf, sizeof(buf)));
	}
}

static void test_sum_while_copying(void **state)
{
	uint8_t from[300], to[300 + 2];
	struct rill_rand r;

	rill_rand_init(&r, 5);
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)rill_rand_next(&r);
	for (size_t len = 0; len < sizeof(from); len++) {
		uint32_t seed = (uint32_t)rill_rand_next(&r);

		memset(to, 0x5a, sizeof(to));
		assert_int_equal(rill_csum_fold(rill_csum_copy(seed, to + 1, from, len)),
				 rill_csum_fold(rill_csum_add(seed, from, len)));
		assert_memory_equal(to + 1, from, len);
		assert_int_equal(to[0], 0x5a);
		assert_int_equal(to[len + 1], 0x5a);
	}
}

/* All ones, and so long that sums of 64-bit words overflow. */
static void test_long_sums_carry(void **state)
{
	enum { LEN = 1 << 20 };
	uint8_t *p = malloc(LEN), *to = malloc(LEN);

	memset(p, 0xff, LEN);
	assert_int_equal(rill_csum_fold(rill_csum_add(0, p, LEN)), 0);
	p[LEN - 1] = 0xfe;
	assert_int_equal(host(rill_csum_fold(rill_csum_add(0, p, LEN))), 1);
	assert_int_equal(host(rill_csum_fold(rill_csum_copy(0, to, p, LEN))), 1);
	assert_memory_equal(p, to, LEN);
	free(p);
	free(to);
}

static void test_pseudo_header(void **state)
{
	struct rill_ip s4 = {RILL_AF_IP4, {198, 18, 0, 1}}, d4 = {RILL_AF_IP4, {198, 18, 255, 254}};
	const uint8_t h4[] = {198, 18, 0, 1, 198, 18, 255, 254, 0, 17, 0xab, 0xcd};
	struct rill_ip s6 = {RILL_AF_IP6, {0x20, 1, 0xd, 0xb8, 1}},
		       d6 = {RILL_AF_IP6, {0xfe, 0x80, 2}};
	uint8_t h6[40] = {0};

	assert_int_equal(host(rill_csum_fold(rill_csum_pseudo(&s4, &d4, 17, 0xabcd))),
			 reference(h4, sizeof(h4)));
	memcpy(h6, s6.bytes, 16);
	memcpy(h6 + 16, d6.bytes, 16);
	rill_store_be32(h6 + 32, 0x12345);
	h6[39] = 6;
	assert_int_equal(host(rill_csum_fold(rill_csum_pseudo(&s6, &d6, 6, 0x12345))),
			 reference(h6, sizeof(h6)));
}

static void test_incremental_update(void **state)
{
	uint8_t h[20];
	struct rill_rand r;

	rill_rand_init(&r, 3);
	for (int round = 0; round < 10000; round++) {
		for (size_t i = 0; i < sizeof(h); i++)
			h[i] = (uint8_t)rill_rand_next(&r);
		uint16_t before = rill_csum_fold(rill_csum_add(0, h, sizeof(h)));
		uint16_t old = rill_load_raw16(h + 8);

		rill_store_be16(h + 8, (uint16_t)rill_rand_next(&r));
		assert_int_equal(rill_csum_update16(before, old, rill_load_raw16(h + 8)),
				 rill_csum_fold(rill_csum_add(0, h, sizeof(h))));
	}
}

static void test_ip4_round_trip(void **state)
{
	struct rill_rand r;

	rill_rand_init(&r, 4);
	for (int round = 0; round < 20000; round++) {
		struct rill_ip4 in = {
			.src = (uint32_t)rill_rand_next(&r),
			.dst = (uint32_t)rill_rand_next(&r),
			.id = (uint16_t)rill_rand_next(&r),
			.total_len = (uint16_t)(20 + rill_rand_below(&r, 40)),
			.frag_offset = (uint16_t)(rill_rand_below(&r, 8192) * 8),
			.header_len = 20,
			.tos = (uint8_t)rill_rand_next(&r),
			.ttl = (uint8_t)rill_rand_next(&r),
			.proto = (uint8_t)rill_rand_next(&r),
			.dont_fragment = rill_rand_next(&r) & 1,
			.more_fragments = rill_rand_next(&r) & 1,
		};
		struct rill_ip4 out;
		uint8_t p[60] = {0};

		rill_ip4_emit(p, &in);
		assert_int_equal(rill_ip4_check(p, sizeof(p)), 0);
		rill_ip4_parse(p, &out);
		assert_int_equal(out.src, in.src);
		assert_int_equal(out.dst, in.dst);
		assert_int_equal(out.id, in.id);
		assert_int_equal(out.total_len, in.total_len);
		assert_int_equal(out.frag_offset, in.frag_offset);
		assert_int_equal(out.header_len, 20);
		assert_int_equal(out.tos, in.tos);
		assert_int_equal(out.ttl, in.ttl);
		assert_int_equal(out.proto, in.proto);
		assert_int_equal(out.dont_fragment, in.dont_fragment);
		assert_int_equal(out.more_fragments, in.more_fragments);
	}
}

static void test_known_ip4_header(void **state)
{
	/* As Linux sent it. */
	const uint8_t p[20] = {0x45, 0,	   0,	 0x3c, 0x1c, 0x46, 0x40, 0,    0x40, 6,
			       0xb1, 0xe6, 0xac, 0x10, 0x0a, 0x63, 0xac, 0x10, 0x0a, 0x0c};
	uint8_t q[20];
	struct rill_ip4 h;

	assert_int_equal(rill_ip4_check(p, 60), 0);
	rill_ip4_parse(p, &h);
	rill_ip4_emit(q, &h);
	assert_memory_equal(p, q, 20);
}

static void test_print(void **state)
{
	struct rill_eth eth = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, RILL_ETH_IP4};
	struct rill_arp arp = {
		.op = RILL_ARP_REQUEST, .sender_ip = 0xc6120002, .target_ip = 0xc6120001};
	struct rill_ip4 ip = {.src = 0xc6120002,
			      .dst = 0xc6120001,
			      .total_len = 40,
			      .ttl = 64,
			      .proto = 6,
			      .dont_fragment = true};
	struct rill_icmp4 icmp = {.type = 3, .code = 1, .rest = 0x578};
	struct rill_udp_hdr udp = {.src_port = 1, .dst_port = 2, .len = 8};
	char buf[160];

	rill_eth_print(&eth, buf, sizeof(buf));
	assert_string_equal(buf, "02:00:00:00:00:02 > 02:00:00:00:00:01 type 0x0800");
	rill_arp_print(&arp, buf, sizeof(buf));
	assert_string_equal(buf, "ARP who-has 198.18.0.1 tell 198.18.0.2");
	arp.op = RILL_ARP_REPLY;
	rill_arp_print(&arp, buf, sizeof(buf));
	assert_string_equal(buf, "ARP 198.18.0.2 is-at 00:00:00:00:00:00");
	rill_ip4_print(&ip, buf, sizeof(buf));
	assert_string_equal(buf,
			    "IPv4 198.18.0.2 > 198.18.0.1 proto 6 len 40 ttl 64 id 0 DF offset 0");
	rill_icmp4_print(&icmp, buf, sizeof(buf));
	assert_string_equal(buf, "ICMP type 3 code 1 rest 0x00000578");
	rill_udp_print(&udp, buf, sizeof(buf));
	assert_string_equal(buf, "UDP 1 > 2 len 8 no checksum");
}

static void test_chain(void **state)
{
	uint8_t bytes[100], copy[100];
	struct rill_buf bufs[4] = {0};
	const uint32_t lens[4] = {3, 0, 46, 51};
	struct rill_rand r;
	uint8_t *at = bytes;

	rill_rand_init(&r, 5);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)rill_rand_next(&r);
	for (unsigned i = 0; i < 4; i++) {
		bufs[i].data = at;
		bufs[i].len = lens[i];
		bufs[i].next = i < 3 ? &bufs[i + 1] : NULL;
		at += lens[i];
	}
	assert_int_equal(rill_chain_len(bufs), 100);
	for (size_t len = 0; len <= 100; len++)
		assert_int_equal(host(rill_csum_fold(rill_chain_csum(0, bufs, len))),
				 reference(bytes, len));
	for (size_t step = 1; step < 100; step++) {
		struct rill_chain_cursor c = {.b = bufs};
		size_t done = 0, n;

		while ((n = rill_chain_read(&c, copy + done, RILL_MIN(step, 100 - done))))
			done += n;
		assert_int_equal(done, 100);
		assert_memory_equal(copy, bytes, 100);
	}
	rill_chain_trim(bufs, 20);
	assert_int_equal(rill_chain_len(bufs), 20);
	assert_int_equal(bufs[2].len, 17);
	assert_int_equal(bufs[3].len, 0);
}

static void test_drop_names(void **state)
{
	for (unsigned i = 0; i < RILL_DROP_COUNT; i++) {
		assert_string_not_equal(rill_drop_name((enum rill_drop)i), "unknown");
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(rill_drop_name((enum rill_drop)i),
						rill_drop_name((enum rill_drop)k));
	}
	assert_string_equal(rill_drop_name(RILL_DROP_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc1071_example),
		cmocka_unit_test(test_every_alignment_and_length),
		cmocka_unit_test(test_carries),
		cmocka_unit_test(test_split_anywhere),
		cmocka_unit_test(test_sum_while_copying),
		cmocka_unit_test(test_long_sums_carry),
		cmocka_unit_test(test_pseudo_header),
		cmocka_unit_test(test_incremental_update),
		cmocka_unit_test(test_ip4_round_trip),
		cmocka_unit_test(test_known_ip4_header),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_drop_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
