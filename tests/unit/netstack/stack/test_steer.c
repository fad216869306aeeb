/* SPDX-License-Identifier: BSD-3-Clause */
/* Foretelling a NIC's receive queues: learning, believing, and giving up. */
#include "netstack/stack/steer_map.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rand.h"
#include "netstack/stack/net.h"
#include "netstack/stack/shard.h"
#include "netstack/wire/bytes.h"
#include "netstack/wire/eth.h"
#include "netstack/wire/ip4.h"

/* ---- learning ---- */

/* Any linear function with a constant. */
struct linear {
	uint32_t of_bit[RILL_LEARN_BITS];
};

static uint32_t apply(const struct linear *f, rill_learn_input_bits input)
{
	uint32_t output = 0;

	for (unsigned i = 0; i < RILL_LEARN_BITS; i++)
		if (input >> i & 1)
			output ^= f->of_bit[i];
	return output;
}

static rill_learn_input_bits random_input(struct rill_rand *rand)
{
	uint64_t a = rill_rand_next(rand), b = rill_rand_next(rand);

	return rill_learn_input((uint32_t)a, (uint32_t)(a >> 32), (uint16_t)b, (uint16_t)(b >> 16));
}

static void test_linear_functions_are_learned_from_as_many_sights_as_bits(void **state)
{
	struct rill_learn *l = calloc(1, sizeof(*l));
	struct rill_rand rand;
	struct linear f;

	rill_rand_init(&rand, 1);
	for (unsigned i = 0; i < RILL_LEARN_BITS; i++)
		f.of_bit[i] = (uint32_t)rill_rand_next(&rand);
	for (unsigned i = 0; i < 1000; i++) {
		rill_learn_input_bits input = random_input(&rand);
		int64_t predicted = rill_learn_predict(l, input);
		enum rill_learned r = rill_learn_observe(l, input, apply(&f, input));

		assert_true(predicted < 0 || predicted == apply(&f, input));
		assert_int_equal(r, predicted < 0 ? RILL_LEARN_NEW : RILL_LEARN_KNEW);
	}
	assert_int_equal(l->rank, RILL_LEARN_BITS);
	free(l);
}

/* Flows of one peer to one port differ in sixteen bits. */
static void test_one_peer_is_known_after_seventeen_flows(void **state)
{
	struct rill_learn *l = calloc(1, sizeof(*l));
	struct linear f;
	struct rill_rand rand;

	rill_rand_init(&rand, 2);
	for (unsigned i = 0; i < RILL_LEARN_BITS; i++)
		f.of_bit[i] = (uint32_t)rill_rand_next(&rand);
	for (unsigned i = 0; i < 60000; i++) {
		rill_learn_input_bits input =
			rill_learn_input(0xc6120001, 0xc6120002, 80, (uint16_t)(i * 40503));

		assert_int_not_equal(rill_learn_observe(l, input, apply(&f, input)),
				     RILL_LEARN_CONTRADICTION);
	}
	assert_int_equal(l->rank, 17);
	free(l);
}

static void test_what_is_not_linear_contradicts_itself(void **state)
{
	struct rill_learn *l = calloc(1, sizeof(*l));
	struct rill_rand rand;
	unsigned contradictions = 0;

	rill_rand_init(&rand, 3);
	for (unsigned i = 0; i < 200; i++) {
		rill_learn_input_bits input = random_input(&rand);
		uint64_t mixed = (uint64_t)input * UINT64_C(0x9e3779b97f4a7c15);

		contradictions += rill_learn_observe(l, input, (uint32_t)(mixed >> 62)) ==
				  RILL_LEARN_CONTRADICTION;
	}
	assert_in_range(contradictions, 40, 103);
	free(l);
}

/* ---- a NIC ---- */

struct toy {
	struct rill_nic base;
	bool tells_queue, tells_key, tells_table;
	uint16_t table[128];
};

static struct rill_toeplitz toeplitz;
static const struct rill_addr server = {{RILL_AF_IP4, {198, 18, 0, 1}}, 57000};

static const struct toy *toy_of(const struct rill_nic *nic)
{
	return RILL_CONTAINER_OF(nic, const struct toy, base);
}

static uint32_t hash_of(const struct rill_addr *from, const struct rill_addr *to)
{
	uint8_t input[RILL_TOEPLITZ_INPUT_MAX];

	return rill_toeplitz_hash(&toeplitz, input, rill_toeplitz_input(from, to, true, input));
}

static int toy_queue_of(const struct rill_nic *nic, uint8_t proto, const struct rill_addr *from,
			const struct rill_addr *to)
{
	return toy_of(nic)->tells_queue ? toy_of(nic)->table[hash_of(from, to) % 128] : -1;
}

static int toy_rss(struct rill_nic *nic, struct rill_nic_rss *rss)
{
	const struct toy *toy = toy_of(nic);

	if (!toy->tells_table)
		return -EOPNOTSUPP;
	*rss = (struct rill_nic_rss){.table_len = 128, .hashes_ports_tcp = true};
	memcpy(rss->table, toy->table, sizeof(toy->table));
	if (toy->tells_key) {
		rss->key_len = RILL_TOEPLITZ_KEY_LEN;
		memcpy(rss->key, rill_toeplitz_key_msft, RILL_TOEPLITZ_KEY_LEN);
	}
	return 0;
}

static const struct rill_driver toy_driver = {
	.name = "toy",
	.rx_queue_of = toy_queue_of,
	.rss = toy_rss,
};

static void toy_init(struct toy *toy, unsigned queues)
{
	*toy = (struct toy){.base = {.driver = &toy_driver, .queue_count = queues}};
	for (unsigned i = 0; i < 128; i++)
		toy->table[i] = (uint16_t)(i % queues);
	assert_int_equal(
		rill_toeplitz_init(&toeplitz, rill_toeplitz_key_msft, RILL_TOEPLITZ_KEY_LEN), 0);
}

/* Of n flows: how many came where foretold, elsewhere, and unforetold. */
struct tally {
	unsigned right, wrong, unknown;
};

static struct tally show(struct rill_steer_map *m, unsigned first, unsigned n,
			 void (*make)(struct rill_steer_sight *s))
{
	struct tally t = {0};

	for (unsigned i = first; i < first + n; i++) {
		struct rill_steer_sight s = {.from = server, .to = server};

		s.to.ip.bytes[3] = 2;
		s.to.port = (uint16_t)(49152 + i * 40503u % 16384);
		make(&s);
		int told = rill_steer_map_queue(m, &s.from, &s.to);
		struct rill_steer_found found = rill_steer_map_saw(m, &s);

		assert_int_equal(found.predicted, told);
		t.unknown += told < 0;
		t.right += told == s.queue;
		t.wrong += told >= 0 && told != s.queue;
	}
	return t;
}

static void plain4(struct rill_steer_sight *s)
{
	s->queue = hash_of(&s->from, &s->to) % 128 % 4;
}

static void sorted4(struct rill_steer_sight *s)
{
	struct rill_addr a = s->from, b = s->to;

	if (a.port > b.port) {
		a.port = s->to.port;
		b.port = s->from.port;
	}
	s->queue = hash_of(&a, &b) % 128 % 4;
}

/* 16 bits of another hash, which the NIC shows, over three queues. */
static void narrow3(struct rill_steer_sight *s)
{
	s->has_hash = true;
	s->hash = hash_of(&s->from, &s->to) >> 16;
	s->queue = s->hash % 128 % 3;
}

static void spray4(struct rill_steer_sight *s)
{
	static struct rill_rand rand = {{1, 2, 3, 4}};

	s->queue = (uint16_t)rill_rand_below(&rand, 4);
}

static void expect_text(struct rill_steer_map *m, const char *part)
{
	char text[160];

	rill_steer_map_describe(m, text, sizeof(text));
	if (!strstr(text, part))
		fail_msg("'%s' lacks '%s'", text, part);
}

static void test_a_told_key_is_always_right(void **state)
{
	struct toy toy;

	toy_init(&toy, 4);
	toy.tells_table = toy.tells_key = true;
	struct rill_steer_map *m = rill_steer_map_create(&toy.base);
	struct tally t = show(m, 0, 1000, plain4);

	assert_int_equal(t.right, 1000);
	assert_int_equal(rill_steer_map_by(m), RILL_STEER_BY_KEY);
	expect_text(m, "key and table");
	rill_steer_map_destroy(m);
}

static void test_the_driver_is_asked_first(void **state)
{
	struct toy toy;

	toy_init(&toy, 4);
	toy.tells_table = toy.tells_key = toy.tells_queue = true;
	struct rill_steer_map *m = rill_steer_map_create(&toy.base);
	struct tally t = show(m, 0, 100, plain4);

	assert_int_equal(t.right, 100);
	assert_int_equal(rill_steer_map_by(m), RILL_STEER_BY_QUEUE);
	rill_steer_map_destroy(m);
}

static void test_an_unknown_key_is_learned(void **state)
{
	struct toy toy;

	toy_init(&toy, 4);
	struct rill_steer_map *m = rill_steer_map_create(&toy.base);
	struct tally t = show(m, 0, 1000, plain4);

	assert_int_equal(t.wrong, 0);
	assert_in_range(t.unknown, 1, 17);
	assert_int_equal(rill_steer_map_by(m), RILL_STEER_BY_LEARNING);
	rill_steer_map_destroy(m);
}

static void test_a_symmetric_hash_is_learned_against_what_was_told(void **state)
{
	struct toy toy;

	toy_init(&toy, 4);
	toy.tells_table = toy.tells_key = true;
	struct rill_steer_map *m = rill_steer_map_create(&toy.base);
	struct tally first = show(m, 0, 200, sorted4), then = show(m, 200, 1000, sorted4);

	assert_in_range(first.wrong, 4, 100);
	assert_int_equal(then.right, 1000);
	assert_int_equal(rill_steer_map_by(m), RILL_STEER_BY_LEARNING);
	expect_text(m, "not what it told");
	rill_steer_map_destroy(m);
}

/* The number of queues is no power of two: only what the NIC writes into packets helps. */
static void test_a_narrow_hash_is_learned_from_packets(void **state)
{
	struct toy toy;

	toy_init(&toy, 3);
	toy.tells_table = toy.tells_key = true;
	toy.base.caps = RILL_NIC_RX_HASH;
	struct rill_steer_map *m = rill_steer_map_create(&toy.base);

	show(m, 0, 100, narrow3);
	struct tally then = show(m, 100, 1000, narrow3);

	assert_int_equal(then.right, 1000);
	expect_text(m, "not what its key gives");
	rill_steer_map_destroy(m);
}

static void test_no_hash_at_all_is_given_up(void **state)
{
	struct toy toy;

	toy_init(&toy, 4);
	toy.tells_table = toy.tells_key = true;
	struct rill_steer_map *m = rill_steer_map_create(&toy.base);

	show(m, 0, 2000, spray4);
	assert_int_equal(rill_steer_map_by(m), RILL_STEER_BY_NOTHING);
	struct tally then = show(m, 2000, 100, spray4);

	assert_int_equal(then.unknown, 100);
	expect_text(m, "cannot be foretold");
	/* The link comes back: perhaps it is another NIC. */
	rill_steer_map_restart(m);
	then = show(m, 0, 100, plain4);
	assert_int_equal(then.right, 100);
	rill_steer_map_destroy(m);
}

/* Some frames go astray on the wire, or somebody made them up: no reason to disbelieve. */
static void flip_some(struct rill_steer_sight *s)
{
	static unsigned n;

	plain4(s);
	if (++n % 50 == 0)
		s->queue = (uint16_t)((s->queue + 1) % 4);
}

static void test_a_few_that_are_wrong_change_nothing(void **state)
{
	struct toy toy;

	toy_init(&toy, 4);
	toy.tells_table = toy.tells_key = true;
	struct rill_steer_map *m = rill_steer_map_create(&toy.base);
	struct tally t = show(m, 0, 10000, flip_some);

	assert_int_equal(t.wrong, 200);
	assert_int_equal(t.right, 9800);
	assert_int_equal(rill_steer_map_by(m), RILL_STEER_BY_KEY);
	rill_steer_map_destroy(m);
}

/* ---- what is looked at ---- */

static void make_syn(struct rill_buf *b, uint16_t port)
{
	struct rill_ip4 h = {.src = 0xc6120002,
			     .dst = 0xc6120001,
			     .total_len = 40,
			     .ttl = 64,
			     .proto = RILL_IP_TCP};
	uint8_t *f = rill_buf_append(b, RILL_ETH_LEN + 40);

	memset(f, 0, b->len);
	rill_store_be16(f + 12, RILL_ETH_IP4);
	rill_ip4_emit(f + RILL_ETH_LEN, &h);
	rill_store_be16(f + RILL_ETH_LEN + 20, port);
	rill_store_be16(f + RILL_ETH_LEN + 22, 57000);
	f[RILL_ETH_LEN + 33] = 0x02;
}

/* Somebody sends what NICs put anywhere: it says nothing of what they do with others. */
static void test_only_whole_segments_are_looked_at(void **state)
{
	/* A byte of the IP header that is not as it should be: version, length, checksum. */
	static const struct {
		unsigned at;
		uint8_t bits;
	} spoilt[] = {{0, 0x20}, {0, 0x02}, {10, 0x01}};
	struct rill_shard *sh = aligned_alloc(RILL_CACHE_LINE, sizeof(*sh));
	struct rill_net *net = calloc(1, sizeof(*net));
	struct rill_buf_pool pool;
	struct toy toy;

	toy_init(&toy, 4);
	toy.tells_table = toy.tells_key = true;
	memset(sh, 0, sizeof(*sh));
	sh->net = net;
	net->steer.map = rill_steer_map_create(&toy.base);
	assert_int_equal(rill_buf_pool_init_heap(&pool, 1, 2048), 0);
	for (unsigned i = 0; i < 4000; i++) {
		struct rill_buf *b = rill_buf_alloc(&pool);

		make_syn(b, (uint16_t)(i + 1));
		if (i % 4 != 0)
			b->data[RILL_ETH_LEN + spoilt[i % 4 - 1].at] ^= spoilt[i % 4 - 1].bits;
		sh->index = i % 4 ? 0 : 3;
		rill_steer_observe(sh, b);
		rill_buf_put_owner(&pool, b);
	}
	assert_int_equal(sh->stats.rss_right + sh->stats.rss_wrong + sh->stats.rss_unknown, 1000);
	rill_buf_pool_fini_heap(&pool);
	rill_steer_map_destroy(net->steer.map);
	free(net);
	free(sh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linear_functions_are_learned_from_as_many_sights_as_bits),
		cmocka_unit_test(test_one_peer_is_known_after_seventeen_flows),
		cmocka_unit_test(test_what_is_not_linear_contradicts_itself),
		cmocka_unit_test(test_a_told_key_is_always_right),
		cmocka_unit_test(test_the_driver_is_asked_first),
		cmocka_unit_test(test_an_unknown_key_is_learned),
		cmocka_unit_test(test_a_symmetric_hash_is_learned_against_what_was_told),
		cmocka_unit_test(test_a_narrow_hash_is_learned_from_packets),
		cmocka_unit_test(test_no_hash_at_all_is_given_up),
		cmocka_unit_test(test_a_few_that_are_wrong_change_nothing),
		cmocka_unit_test(test_only_whole_segments_are_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
