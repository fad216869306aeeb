/* SPDX-License-Identifier: BSD-3-Clause */
/* Ephemeral ports (RFC 6056). */
#include "harness.h"

#include "netstack/tcp/portsel.h"

#include <errno.h>

#define FIRST 32768
#define SIZE 28232

struct fixture {
	struct rill_ports p;
	struct rill_memory memory;
	size_t bytes;
	struct rill_ip sources[3];
	struct rill_addr remote;
	struct rill_port_request req;
	/* of fit() */
	uint16_t modulus, taken_below;
	unsigned offered;
};

static void *count_alloc(void *ctx, size_t size)
{
	((struct fixture *)ctx)->bytes += size;
	return rill_memory_heap.alloc(NULL, size);
}

static void count_free(void *ctx, void *p, size_t size)
{
	((struct fixture *)ctx)->bytes -= size;
	rill_memory_heap.free(NULL, p, size);
}

static struct fixture *fixture_new(uint64_t seed, uint16_t first, uint16_t size)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct rill_hash_key key = {{seed, ~seed}};

	assert_non_null(f);
	f->memory = (struct rill_memory){count_alloc, count_free, f};
	for (unsigned i = 0; i < 3; i++)
		f->sources[i] = th_addr((uint8_t)(10 + i), 0).ip;
	f->remote = th_addr(2, 443);
	f->req = (struct rill_port_request){
		.sources = f->sources, .source_count = 1, .remote = &f->remote};
	rill_ports_init(&f->p, &f->memory, &key, first, size);
	return f;
}

static void fixture_free(struct fixture *f)
{
	rill_ports_fini(&f->p);
	assert_int_equal(f->bytes, 0);
	free(f);
}

static uint16_t get(struct fixture *f)
{
	struct rill_addr local;

	assert_int_equal(rill_ports_get(&f->p, &f->req, &local), 0);
	assert_in_range(local.port, f->p.first, f->p.first + f->p.size - 1);
	return local.port;
}

static void put(struct fixture *f, unsigned source, uint16_t port)
{
	rill_ports_put(&f->p, &(struct rill_addr){f->sources[source], port}, &f->remote);
}

static void every_port_once_then_none(void **state)
{
	struct fixture *f = fixture_new(1, FIRST, SIZE);
	bool *seen = calloc(65536, sizeof(bool));
	struct rill_addr local;

	for (unsigned i = 0; i < SIZE; i++) {
		uint16_t port = get(f);

		assert_false(seen[port]);
		seen[port] = true;
	}
	for (unsigned i = 0; i < 1000000; i++)
		assert_int_equal(rill_ports_get(&f->p, &f->req, &local), -EADDRNOTAVAIL);
	assert_int_equal(f->p.exhausted, 1000000);
	/* One comes back, and is found however far away it is. */
	put(f, 0, 40000);
	assert_int_equal(get(f), 40000);
	/* Another destination has all of them. */
	f->remote.port = 80;
	get(f);
	put(f, 0, 40001);
	free(seen);
	fixture_free(f);
}

static void memory_follows_use(void **state)
{
	struct fixture *f = fixture_new(2, FIRST, SIZE);
	uint16_t ports[500];
	size_t bytes;

	/* A hundred thousand destinations with a connection each need no bitmaps. */
	for (unsigned i = 0; i < 100000; i++) {
		memcpy(f->remote.ip.bytes, &i, 4);
		ports[0] = get(f);
	}
	assert_int_equal(f->p.count, 100000);
	assert_true(f->bytes < 100000 * 200);
	for (unsigned i = 0; i < 500; i++)
		ports[i] = get(f);
	bytes = f->bytes;
	for (unsigned i = 0; i < 500; i++)
		put(f, 0, ports[i]);
	/* One is left, in the bitmap. */
	assert_int_equal(rill_ports_used(&f->p, &f->sources[0], &f->remote), 1);
	assert_int_equal(f->bytes, bytes);
	fixture_free(f);
}

static void given_back_is_free_and_nothing_else(void **state)
{
	struct fixture *f = fixture_new(3, FIRST, SIZE);
	uint16_t ports[100];

	for (unsigned n = 1; n <= 100; n++) {
		for (unsigned i = 0; i < n; i++)
			ports[i] = get(f);
		assert_int_equal(f->p.used, n);
		put(f, 1, ports[0]); /* of another source: not given out */
		put(f, 0, 80);
		put(f, 0, (uint16_t)(FIRST + SIZE));
		assert_int_equal(f->p.used, n);
		for (unsigned i = n; i-- > 0;) {
			put(f, 0, ports[i % 2 ? i : n - 1 - (n - 1 - i)]);
			put(f, 0, ports[i]); /* twice is harmless */
		}
		assert_int_equal(f->p.used, 0);
		assert_int_equal(f->p.count, 0);
	}
	fixture_free(f);
}

/* RFC 6056, 3.3.4: no two in a row from one destination tell the next, nor another's. */
static void ports_are_not_told_by_others(void **state)
{
	struct fixture *f = fixture_new(4, FIRST, SIZE), *g = fixture_new(5, FIRST, SIZE);
	unsigned same = 0, steps_of_one = 0, low = 0;
	uint16_t last = 0;

	for (unsigned i = 0; i < 1000; i++) {
		uint16_t port = get(f);

		steps_of_one += (uint16_t)(port - last) == 1;
		last = port;
	}
	assert_true(steps_of_one < 250);
	for (unsigned i = 0; i < 1000; i++) {
		f->remote.port = (uint16_t)(1 + i);
		g->remote.port = (uint16_t)(1 + i);
		last = get(f);
		same += last == get(g);
		low += last < FIRST + SIZE / 2;
	}
	assert_true(same < 5);
	assert_in_range(low, 400, 600);
	fixture_free(f);
	fixture_free(g);
}

/* A port that was just given back is not the next one: the peer may be in TIME-WAIT. */
static void ports_are_reused_late(void **state)
{
	struct fixture *f = fixture_new(6, FIRST, SIZE);
	bool *seen = calloc(65536, sizeof(bool));

	for (unsigned i = 0; i < SIZE / 10; i++) {
		uint16_t port = get(f);

		assert_false(seen[port]);
		seen[port] = true;
		put(f, 0, port);
	}
	free(seen);
	fixture_free(f);
}

static enum rill_port_fit fit(void *ctx, const struct rill_addr *local)
{
	struct fixture *f = ctx;

	f->offered++;
	if (local->port < f->taken_below)
		return RILL_PORT_TAKEN;
	if (f->modulus == 0)
		return RILL_PORT_USABLE;
	return local->port % f->modulus ? RILL_PORT_USABLE : RILL_PORT_SUITS;
}

static void ports_suit_the_home_shard(void **state)
{
	struct fixture *f = fixture_new(7, FIRST, SIZE);

	f->req.fit = fit;
	f->req.ctx = f;
	f->modulus = 16;
	for (unsigned i = 0; i < SIZE / 16 - 40; i++)
		assert_int_equal(get(f) % 16, 0);
	/* Few that suit are left: the search is bounded, and any will do. */
	for (unsigned i = 0; i < 1000; i++) {
		f->offered = 0;
		get(f);
		assert_true(f->offered <= RILL_PORTS_OFFERS);
	}
	f->modulus = 0;
	f->offered = 0;
	get(f);
	assert_int_equal(f->offered, RILL_PORTS_OFFERS);
	fixture_free(f);
}

static void ports_of_others_are_passed_over(void **state)
{
	struct fixture *f = fixture_new(8, 1000, 64);
	struct rill_addr local;

	f->req.fit = fit;
	f->req.ctx = f;
	f->modulus = 1;
	f->taken_below = 1060;
	for (unsigned i = 0; i < 4; i++)
		assert_true(get(f) >= 1060);
	f->offered = 0;
	assert_int_equal(rill_ports_get(&f->p, &f->req, &local), -EADDRNOTAVAIL);
	assert_int_equal(f->offered, 60);
	f->taken_below = 0;
	for (unsigned i = 0; i < 60; i++)
		assert_true(get(f) < 1060);
	/* Nothing stays of a destination that had no port to give. */
	f->taken_below = 2000;
	f->remote.port = 1;
	assert_int_equal(rill_ports_get(&f->p, &f->req, &local), -EADDRNOTAVAIL);
	assert_int_equal(f->p.count, 1);
	fixture_free(f);
}

static void several_sources(void **state)
{
	struct fixture *f = fixture_new(9, 1000, 100);
	unsigned by_source[3] = {0};
	struct rill_addr local;

	f->req.source_count = 3;
	for (unsigned i = 0; i < 300; i++) {
		assert_int_equal(rill_ports_get(&f->p, &f->req, &local), 0);
		by_source[local.ip.bytes[3] - 10]++;
		if (i == 149)
			assert_true(by_source[0] > 20 && by_source[1] > 20 && by_source[2] > 20);
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(by_source[i], 100);
	assert_int_equal(rill_ports_get(&f->p, &f->req, &local), -EADDRNOTAVAIL);
	put(f, 1, 1050);
	assert_int_equal(rill_ports_get(&f->p, &f->req, &local), 0);
	assert_int_equal(local.port, 1050);
	assert_int_equal(local.ip.bytes[3], 11);
	fixture_free(f);
}

/* Against a table of what is out. */
static void any_order(void **state)
{
	struct fixture *f = fixture_new(10, 5000, 300);
	bool out[4][300] = {{false}};
	unsigned used = 0;
	struct rill_rand rand;

	rill_rand_init(&rand, 1);
	for (unsigned i = 0; i < 300000; i++) {
		uint32_t d = rill_rand_below(&rand, 4), port = rill_rand_below(&rand, 300);
		struct rill_addr local;

		f->remote.port = (uint16_t)(1 + d);
		if (rill_rand_below(&rand, 1000) < 400 + i / 1000) {
			int r = rill_ports_get(&f->p, &f->req, &local);

			if (r == 0) {
				assert_false(out[d][local.port - 5000]);
				out[d][local.port - 5000] = true;
				used++;
			} else {
				assert_int_equal(r, -EADDRNOTAVAIL);
				for (unsigned k = 0; k < 300; k++)
					assert_true(out[d][k]);
			}
		} else {
			put(f, 0, (uint16_t)(5000 + port));
			used -= out[d][port];
			out[d][port] = false;
		}
		assert_int_equal(f->p.used, used);
	}
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_port_once_then_none),
		cmocka_unit_test(memory_follows_use),
		cmocka_unit_test(given_back_is_free_and_nothing_else),
		cmocka_unit_test(ports_are_not_told_by_others),
		cmocka_unit_test(ports_are_reused_late),
		cmocka_unit_test(ports_suit_the_home_shard),
		cmocka_unit_test(ports_of_others_are_passed_over),
		cmocka_unit_test(several_sources),
		cmocka_unit_test(any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
