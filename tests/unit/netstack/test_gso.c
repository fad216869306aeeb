/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segmentation in software, beside a reference that makes each frame by itself with the plainest
 * means; and VLAN tags in and beside frames.
 */
#include "netstack/wire/gso.h"

#include "base/rand.h"
#include "netstack/wire/bytes.h"
#include "netstack/wire/vlan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define POOL 256
#define BUF_BYTES 2048
#define FRAME_MAX 66000
#define CASES 3000

static struct rill_buf_pool pool, big;

static struct rill_buf *alloc(void *ctx)
{
	return rill_buf_alloc(ctx);
}

static int open_pools(void **state)
{
	(void)state;
	assert_int_equal(rill_buf_pool_init_heap(&pool, POOL, BUF_BYTES), 0);
	assert_int_equal(rill_buf_pool_init_heap(&big, 4, FRAME_MAX + 4096), 0);
	return 0;
}

static int close_pools(void **state)
{
	(void)state;
	assert_int_equal(rill_buf_pool_reclaim(&pool), POOL);
	assert_int_equal(rill_buf_pool_reclaim(&big), 4);
	rill_buf_pool_fini_heap(&pool);
	rill_buf_pool_fini_heap(&big);
	return 0;
}

/* ---- the reference ---- */

struct shape {
	bool ip6, tcp;
	unsigned tags, ip_options, tcp_options, extensions;
	uint32_t l3, l4, header_len, payload_len;
	uint16_t gso_size;
};

static uint32_t sum_bytes(uint32_t sum, const uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint32_t pseudo(const struct shape *s, const uint8_t *frame, uint32_t len)
{
	uint32_t sum = (s->tcp ? 6u : 17u) + (len >> 16) + (len & 0xffff);

	return s->ip6 ? sum_bytes(sum, frame + s->l3 + 8, 32)
		      : sum_bytes(sum, frame + s->l3 + 12, 8);
}

static void fill(struct rill_rand *r, uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		p[i] = (uint8_t)rill_rand_next(r);
}

/* The header of the frame to be cut; everything that nobody prescribes is random. */
static void make_header(struct rill_rand *r, struct shape *s, uint8_t *f)
{
	uint32_t at = 12;

	fill(r, f, s->header_len);
	for (unsigned i = 0; i < s->tags; i++, at += 4)
		rill_store_be16(f + at, i + 1 < s->tags ? 0x88a8 : 0x8100);
	rill_store_be16(f + at, s->ip6 ? 0x86dd : 0x0800);
	uint8_t *ip = f + s->l3;
	uint8_t *next;

	if (s->ip6) {
		ip[0] = (uint8_t)(0x60 | (ip[0] & 15));
		rill_store_be16(ip + 4, (uint16_t)(s->header_len - s->l3 - 40 + s->payload_len));
		next = ip + 6;
		for (unsigned i = 0; i < s->extensions; i++) {
			uint8_t *e = ip + 40 + i * 8;

			*next = i % 2 ? 60 : 0;
			e[1] = 0;
			next = e;
		}
	} else {
		ip[0] = (uint8_t)(0x40 | (5 + s->ip_options / 4));
		rill_store_be16(ip + 2, (uint16_t)(s->header_len - s->l3 + s->payload_len));
		rill_store_be16(ip + 6, rill_rand_below(r, 2) ? 0x4000 : 0);
		next = ip + 9;
	}
	*next = s->tcp ? 6 : 17;
	if (s->tcp)
		f[s->l4 + 12] = (uint8_t)((5 + s->tcp_options / 4) << 4);
	else
		rill_store_be16(f + s->l4 + 4, (uint16_t)(8 + s->payload_len));
}

/* The frame that has the payload from at on, made from the header of the whole. */
static uint32_t reference(const struct shape *s, const uint8_t *whole, uint32_t at, uint8_t *f)
{
	uint32_t n = s->payload_len - at < s->gso_size ? s->payload_len - at : s->gso_size;
	uint32_t len = s->header_len + n;
	uint8_t *ip = f + s->l3, *t = f + s->l4;

	memcpy(f, whole, s->header_len);
	memcpy(f + s->header_len, whole + s->header_len + at, n);
	if (s->ip6) {
		rill_store_be16(ip + 4, (uint16_t)(len - s->l3 - 40));
	} else {
		rill_store_be16(ip + 2, (uint16_t)(len - s->l3));
		if ((ip[6] & 0x40) == 0)
			rill_store_be16(ip + 4,
					(uint16_t)(rill_load_be16(ip + 4) + at / s->gso_size));
		rill_store_be16(ip + 10, 0);
		rill_store_be16(ip + 10, fold(sum_bytes(0, ip, s->l4 - s->l3)));
	}
	if (s->tcp) {
		rill_store_be32(t + 4, rill_load_be32(t + 4) + at);
		if (at > 0)
			t[13] &= 0x7f;
		if (at + n < s->payload_len)
			t[13] &= 0xf6;
	} else {
		rill_store_be16(t + 4, (uint16_t)(8 + n));
	}
	uint8_t *csum = t + (s->tcp ? 16 : 6);

	rill_store_be16(csum, 0);
	uint16_t sum = fold(sum_bytes(pseudo(s, f, len - s->l4), t, len - s->l4));

	rill_store_be16(csum, sum == 0 && !s->tcp ? 0xffff : sum);
	return len;
}

/* ---- cutting ---- */

static struct shape random_shape(struct rill_rand *r)
{
	struct shape s = {
		.ip6 = rill_rand_below(r, 2),
		.tcp = rill_rand_below(r, 3) > 0,
		.tags = rill_rand_below(r, 3),
		.ip_options = rill_rand_below(r, 3) * 4,
		.tcp_options = rill_rand_below(r, 11) * 4,
		.extensions = rill_rand_below(r, 3),
		.gso_size = (uint16_t)(1 + rill_rand_below(r, 1460)),
	};

	s.l3 = 14 + 4 * s.tags;
	s.l4 = s.l3 + (s.ip6 ? 40 + 8 * s.extensions : 20 + s.ip_options);
	s.header_len = s.l4 + (s.tcp ? 20 + s.tcp_options : 8);
	s.payload_len = rill_rand_below(r, rill_rand_below(r, 4) ? 20000 : 65000);
	/* So many buffers there are. */
	if (s.payload_len / s.gso_size > POOL / 2)
		s.payload_len = s.gso_size * POOL / 2;
	return s;
}

/* The frame in one big buffer, as a chain, or with the payload in parts. */
static struct rill_buf *make_frame(struct rill_rand *r, const struct shape *s, const uint8_t *whole)
{
	uint32_t len = s->header_len + s->payload_len;
	uint32_t at = s->header_len;
	struct rill_buf *b = rill_buf_alloc(&big);
	unsigned kind = rill_rand_below(r, 3);
	struct rill_buf *last = b;

	assert_non_null(b);
	if (kind == 0) {
		memcpy(rill_buf_append(b, len), whole, len);
		at = len;
	} else {
		at += rill_rand_below(r, s->payload_len + 1) / 8;
		memcpy(rill_buf_append(b, at), whole, at);
	}
	for (unsigned i = 0; at < len; i++) {
		uint32_t n = 1 + rill_rand_below(r, BUF_BYTES - 200);
		struct rill_buf *p = rill_buf_alloc(i < 40 ? &pool : &big);

		n = i < 40 ? RILL_MIN(n, len - at) : len - at;
		assert_non_null(p);
		memcpy(rill_buf_append(p, n), whole + at, n);
		at += n;
		if (kind == 2) {
			assert_true(rill_buf_add_part(b, p, p->data, p->len));
			rill_buf_put(p);
			continue;
		}
		b->flags |= RILL_BUF_CHAIN;
		last->next = p;
		last = p;
	}
	b->flags |= RILL_BUF_GSO;
	rill_buf_meta(b)->gso_size = s->gso_size;
	rill_buf_meta(b)->header_len = (uint16_t)s->header_len;
	assert_int_equal(rill_buf_frame_len(b), len);
	return b;
}

static void cut_and_compare(struct rill_rand *r)
{
	static uint8_t whole[FRAME_MAX + 200], expected[BUF_BYTES];
	struct rill_gso_config config = {.alloc = alloc, .ctx = &pool};
	struct rill_buf_queue q = {0};
	struct shape s = random_shape(r);
	struct rill_buf *b;
	uint32_t at = 0;

	make_header(r, &s, whole);
	fill(r, whole + s.header_len, s.payload_len);
	/* No sum in UDP over IPv4 is said by a zero, which stays. */
	if (!s.tcp && !s.ip6 && rill_load_be16(whole + s.l4 + 6) == 0)
		whole[s.l4 + 6] = 1;
	struct rill_buf *frame = make_frame(r, &s, whole);

	assert_int_equal(rill_gso_cut(frame, &config, &q), 0);
	do {
		uint32_t len = reference(&s, whole, at, expected);

		b = rill_buf_queue_pop(&q);
		assert_non_null(b);
		assert_int_equal(b->len, len);
		assert_memory_equal(b->data, expected, len);
		rill_buf_put(b);
		at += s.gso_size;
	} while (at < s.payload_len);
	assert_int_equal(q.count, 0);
	rill_buf_put(frame);
}

static void frames_are_as_made_one_by_one(void **state)
{
	struct rill_rand r;

	(void)state;
	rill_rand_init(&r, 1);
	for (unsigned i = 0; i < CASES; i++)
		cut_and_compare(&r);
}

/* ---- what cannot be cut ---- */

static struct rill_buf *simple_frame(struct shape *s, uint8_t *whole)
{
	struct rill_rand r;
	struct rill_buf *b;

	rill_rand_init(&r, 7);
	*s = (struct shape){.tcp = true,
			    .l3 = 14,
			    .l4 = 34,
			    .header_len = 54,
			    .payload_len = 3000,
			    .gso_size = 1000};
	make_header(&r, s, whole);
	fill(&r, whole + 54, 3000);
	b = rill_buf_alloc(&big);
	memcpy(rill_buf_append(b, 3054), whole, 3054);
	b->flags |= RILL_BUF_GSO;
	rill_buf_meta(b)->gso_size = s->gso_size;
	return b;
}

static void refused(struct rill_buf *b, const struct rill_gso_config *c, int error)
{
	struct rill_buf_queue q = {0};
	uint32_t free = rill_buf_pool_reclaim(&pool);

	assert_int_equal(rill_gso_cut(b, c, &q), error);
	assert_int_equal(q.count, 0);
	assert_int_equal(rill_buf_pool_reclaim(&pool), free);
}

static void what_is_no_such_frame_is_refused(void **state)
{
	const struct rill_gso_config c = {.alloc = alloc, .ctx = &pool};
	static uint8_t whole[FRAME_MAX];
	struct shape s;
	struct rill_buf *b = simple_frame(&s, whole);
	const struct {
		unsigned at;
		uint8_t value;
	} wrong[] = {{12, 9},	 {14, 0x55}, {14, 0x44}, {17, 0xff}, {16, 0xff},
		     {20, 0x20}, {23, 50},   {46, 0x40}, {21, 1}};

	(void)state;
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(wrong); i++) {
		uint8_t right = b->data[wrong[i].at];

		b->data[wrong[i].at] = wrong[i].value;
		refused(b, &c, -EINVAL);
		b->data[wrong[i].at] = right;
	}
	for (uint32_t len = 0; len < s.header_len; len++) {
		b->len = len;
		refused(b, &c, -EINVAL);
	}
	b->len = 3054;
	rill_buf_meta(b)->gso_size = 0;
	refused(b, &c, -EINVAL);
	rill_buf_meta(b)->gso_size = 2500;
	refused(b, &c, -EMSGSIZE);
	rill_buf_put(b);
}

static void without_buffers_nothing_is_lost(void **state)
{
	const struct rill_gso_config c = {.alloc = alloc, .ctx = &pool};
	static uint8_t whole[FRAME_MAX];
	struct rill_buf *taken[POOL];
	struct shape s;
	struct rill_buf *b = simple_frame(&s, whole);

	(void)state;
	rill_buf_pool_reclaim(&pool);
	for (unsigned i = 0; i < POOL - 2; i++)
		taken[i] = rill_buf_alloc(&pool);
	refused(b, &c, -ENOBUFS);
	for (unsigned i = 0; i < POOL - 2; i++)
		rill_buf_put(taken[i]);
	rill_buf_put(b);
}

/* The three ways in which a checksum may be left differ in nothing but the sum. */
static void checksums_may_be_left(void **state)
{
	struct rill_gso_config c = {.alloc = alloc, .ctx = &pool};
	static uint8_t whole[FRAME_MAX];
	struct rill_buf_queue full = {0}, partial = {0}, trusted = {0};
	struct shape s;
	struct rill_buf *b = simple_frame(&s, whole);

	(void)state;
	assert_int_equal(rill_gso_cut(b, &c, &full), 0);
	c.csum = RILL_GSO_CSUM_PARTIAL;
	assert_int_equal(rill_gso_cut(b, &c, &partial), 0);
	c.csum = RILL_GSO_CSUM_TRUSTED;
	assert_int_equal(rill_gso_cut(b, &c, &trusted), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct rill_buf *f = rill_buf_queue_pop(&full), *p = rill_buf_queue_pop(&partial);
		struct rill_buf *t = rill_buf_queue_pop(&trusted);

		assert_int_equal(p->flags, RILL_BUF_CSUM_PARTIAL);
		assert_int_equal(p->csum_start, 34);
		assert_int_equal(p->csum_offset, 16);
		rill_store_be16(p->data + 50, fold(sum_bytes(0, p->data + 34, p->len - 34)));
		assert_memory_equal(f->data, p->data, f->len);
		assert_int_equal(t->flags, RILL_BUF_CSUM_OK);
		memcpy(t->data + 50, f->data + 50, 2);
		assert_memory_equal(f->data, t->data, f->len);
		rill_buf_put(f);
		rill_buf_put(p);
		rill_buf_put(t);
	}
	rill_buf_put(b);
}

/* ---- VLAN ---- */

static void vlan_tags_go_in_and_come_out(void **state)
{
	struct rill_buf *b = rill_buf_alloc(&pool);
	uint8_t plain[100], tagged[104];
	struct rill_rand r;

	(void)state;
	rill_rand_init(&r, 3);
	fill(&r, plain, sizeof(plain));
	rill_store_be16(plain + 12, 0x0800);
	memcpy(tagged, plain, 12);
	rill_store_be16(tagged + 12, 0x8100);
	rill_store_be16(tagged + 14, 0xe123);
	memcpy(tagged + 16, plain + 12, 88);

	memcpy(rill_buf_append(b, 100), plain, 100);
	assert_false(rill_vlan_insert(b));
	assert_false(rill_vlan_strip(b));
	b->flags = RILL_BUF_VLAN | RILL_BUF_CSUM_PARTIAL | RILL_BUF_GSO;
	b->csum_start = 34;
	rill_buf_meta(b)->vlan_tci = 0xe123;
	rill_buf_meta(b)->header_len = 54;
	assert_true(rill_vlan_insert(b));
	assert_int_equal(b->len, 104);
	assert_memory_equal(b->data, tagged, 104);
	assert_int_equal(b->flags, RILL_BUF_CSUM_PARTIAL | RILL_BUF_GSO);
	assert_int_equal(b->csum_start, 38);
	assert_int_equal(rill_buf_meta(b)->header_len, 58);

	rill_buf_meta(b)->vlan_tci = 0;
	assert_true(rill_vlan_strip(b));
	assert_int_equal(b->len, 100);
	assert_memory_equal(b->data, plain, 100);
	assert_int_equal(rill_buf_meta(b)->vlan_tci, 0xe123);
	assert_int_equal(b->flags, RILL_BUF_VLAN | RILL_BUF_CSUM_PARTIAL | RILL_BUF_GSO);
	assert_int_equal(b->csum_start, 34);
	assert_int_equal(rill_buf_meta(b)->header_len, 54);

	/* Shared, it is only read. */
	rill_buf_get(b);
	assert_false(rill_vlan_insert(b));
	assert_int_equal(b->len, 100);
	rill_buf_put(b);
	b->data = b->head + 3;
	assert_false(rill_vlan_insert(b));
	rill_buf_put(b);
}

/* Cut first and tagged then, or the other way round. */
static void vlan_beside_a_frame_to_be_cut(void **state)
{
	const struct rill_gso_config c = {.alloc = alloc, .ctx = &pool};
	static uint8_t whole[FRAME_MAX];
	struct rill_buf_queue beside = {0}, inside = {0};
	struct shape s;
	struct rill_buf *b = simple_frame(&s, whole);

	(void)state;
	b->flags |= RILL_BUF_VLAN;
	rill_buf_meta(b)->vlan_tci = 42;
	assert_int_equal(rill_gso_cut(b, &c, &beside), 0);
	assert_true(rill_vlan_insert(b));
	assert_int_equal(rill_gso_cut(b, &c, &inside), 0);
	assert_int_equal(beside.count, 3);
	assert_int_equal(inside.count, 3);
	for (unsigned i = 0; i < 3; i++) {
		struct rill_buf *p = rill_buf_queue_pop(&beside), *q = rill_buf_queue_pop(&inside);

		assert_true(rill_vlan_insert(p));
		assert_int_equal(p->len, q->len);
		assert_memory_equal(p->data, q->data, p->len);
		rill_buf_put(p);
		rill_buf_put(q);
	}
	rill_buf_put(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_as_made_one_by_one),
		cmocka_unit_test(what_is_no_such_frame_is_refused),
		cmocka_unit_test(without_buffers_nothing_is_lost),
		cmocka_unit_test(checksums_may_be_left),
		cmocka_unit_test(vlan_tags_go_in_and_come_out),
		cmocka_unit_test(vlan_beside_a_frame_to_be_cut),
	};

	return cmocka_run_group_tests(tests, open_pools, close_pools);
}
