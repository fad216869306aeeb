/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of a core while they grow: flows, and ports. */
#include "netstack/core/conn.h"
#include "netstack/core/port.h"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define FLOWS 5000

static const struct rill_hash_key secret = {{1, 2}};
static struct rill_conn *conns;
static size_t allocated;
static size_t alloc_limit;

static void *limited_alloc(void *ctx, size_t size)
{
	(void)ctx;
	if (alloc_limit && allocated + size > alloc_limit)
		return NULL;
	allocated += size;
	return rill_memory_heap.alloc(NULL, size);
}

static void limited_free(void *ctx, void *p, size_t size)
{
	(void)ctx;
	allocated -= size;
	rill_memory_heap.free(NULL, p, size);
}

static const struct rill_memory memory = {.alloc = limited_alloc, .free = limited_free};

static struct rill_flow_key key_of(const struct rill_conn *c)
{
	return (struct rill_flow_key){&c->tcb.remote.ip, &c->tcb.local.ip, c->tcb.remote.port,
				      c->tcb.local.port};
}

/* A few hosts, many ports, some own addresses. */
static void make_conns(void)
{
	conns = calloc(FLOWS, sizeof(*conns));
	for (uint32_t i = 0; i < FLOWS; i++) {
		struct rill_conn *c = &conns[i];

		c->tcb.remote.ip =
			(struct rill_ip){RILL_AF_IP4, {198, 18, 0, (uint8_t)(i / 3 % 7)}};
		c->tcb.remote.port = (uint16_t)(1000 + i / 21);
		c->tcb.local.ip = (struct rill_ip){RILL_AF_IP4, {198, 18, 1, (uint8_t)(i % 3)}};
		c->tcb.local.port = 80;
	}
}

/* By lookup, too: twice, for the second time it is the one found last. */
static void check_all(struct rill_flow_table *t, uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < FLOWS; i++) {
		struct rill_flow_key key = key_of(&conns[i]);
		uint32_t hash = rill_flow_hash_of(&secret, &conns[i]);
		struct rill_conn *found = rill_flow_find(t, hash, &key);

		assert_int_equal(hash, rill_flow_hash(&secret, &key));

		assert_ptr_equal(found, i >= from && i < to ? &conns[i] : NULL);
		assert_ptr_equal(rill_flow_lookup(t, &key), found);
		assert_ptr_equal(rill_flow_lookup(t, &key), found);
	}
}

static void count_one(struct rill_conn *c, void *ctx)
{
	assert_true(c >= conns && c < conns + FLOWS);
	++*(uint32_t *)ctx;
}

static void remove_one(struct rill_conn *c, void *ctx)
{
	rill_flow_remove(ctx, c);
}

static void grow_and_check(uint32_t step)
{
	struct rill_flow_table t;
	uint32_t count = 0;

	make_conns();
	assert_int_equal(rill_flow_table_init(&t, &secret, &memory), 0);
	for (uint32_t i = 0; i < FLOWS; i++) {
		rill_flow_insert(&t, rill_flow_hash_of(&secret, &conns[i]), &conns[i]);
		if (i % step == 0)
			check_all(&t, 0, i + 1);
	}
	check_all(&t, 0, FLOWS);
	for (uint32_t i = 0; i < FLOWS / 2; i++)
		rill_flow_remove(&t, &conns[i]);
	check_all(&t, FLOWS / 2, FLOWS);
	rill_flow_for_each(&t, count_one, &count);
	assert_int_equal(count, FLOWS - FLOWS / 2);
	assert_int_equal(t.count, count);
	rill_flow_for_each(&t, remove_one, &t);
	assert_int_equal(t.count, 0);
	rill_flow_table_fini(&t);
	assert_int_equal(allocated, 0);
	free(conns);
}

static void flows(void **state)
{
	(void)state;
	grow_and_check(97);
}

/* Without memory for more buckets it works on, with longer chains. */
static void flows_without_memory(void **state)
{
	(void)state;
	alloc_limit = 1024 * sizeof(void *);
	grow_and_check(499);
	alloc_limit = 256 * sizeof(void *) - 1;
	struct rill_flow_table t;

	assert_true(rill_flow_table_init(&t, &secret, &memory) < 0);
	alloc_limit = 0;
}

static void ports(void **state)
{
	enum { PORTS = 3000 };
	struct rill_port *bound = calloc(PORTS, sizeof(*bound));
	struct rill_port_table t;

	(void)state;
	assert_int_equal(rill_port_table_init(&t, &memory), 0);
	for (uint32_t i = 0; i < PORTS; i++) {
		bound[i].port = (uint16_t)(i * 21 + 1);
		assert_null(rill_port_find(&t, 1, bound[i].port));
		rill_port_insert(&t, &bound[i]);
	}
	for (uint32_t i = 0; i < PORTS; i++)
		assert_ptr_equal(rill_port_find(&t, 1, bound[i].port), &bound[i]);
	for (uint32_t i = 0; i < PORTS; i += 2)
		rill_port_remove(&t, &bound[i]);
	for (uint32_t i = 0; i < PORTS; i++)
		assert_ptr_equal(rill_port_find(&t, 1, bound[i].port), i % 2 ? &bound[i] : NULL);
	assert_int_equal(t.count, PORTS / 2);
	rill_port_table_fini(&t);
	assert_int_equal(allocated, 0);
	free(bound);
}

/* A flow has another member only when its own has gone, or when a new one is better. */
static void groups_keep_their_flows(void **state)
{
	enum { MEMBERS = 5, HASHES = 5000 };
	struct rill_port members[MEMBERS];
	struct rill_port *before[HASHES];
	unsigned got[MEMBERS] = {0};
	struct rill_port_table t;

	(void)state;
	assert_int_equal(rill_port_table_init(&t, &memory), 0);
	for (uint32_t i = 0; i < MEMBERS; i++) {
		members[i] = (struct rill_port){.id = i + 1, .port = 80, .shared = true};
		assert_false(rill_port_conflicts(&t, &members[i]));
		rill_port_insert(&t, &members[i]);
	}
	for (uint32_t i = 0; i < HASHES; i++) {
		before[i] = rill_port_choose(rill_port_find(&t, 1, 80), i);
		got[before[i] - members]++;
	}
	for (uint32_t i = 0; i < MEMBERS; i++)
		assert_in_range(got[i], HASHES / MEMBERS * 9 / 10, HASHES / MEMBERS * 11 / 10);
	rill_port_remove(&t, &members[2]);
	for (uint32_t i = 0; i < HASHES; i++) {
		struct rill_port *now = rill_port_choose(rill_port_find(&t, 1, 80), i);

		if (before[i] == &members[2])
			assert_ptr_not_equal(now, before[i]);
		else
			assert_ptr_equal(now, before[i]);
	}
	rill_port_insert(&t, &members[2]);
	for (uint32_t i = 0; i < HASHES; i++)
		assert_ptr_equal(rill_port_choose(rill_port_find(&t, 1, 80), i), before[i]);
	rill_port_table_fini(&t);
}

static void who_is_in_the_way(void **state)
{
	static const struct {
		uint32_t ip, other;
		bool shared, other_shared, conflict;
	} rows[] = {
		{1, 1, false, false, true},  {1, 1, true, false, true},	 {1, 1, true, true, false},
		{0, 1, false, false, true},  {1, 0, false, true, true},	 {0, 1, true, true, false},
		{1, 2, false, false, false}, {0, 0, false, false, true}, {0, 0, true, true, false},
	};

	(void)state;
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(rows); i++) {
		struct rill_port p = {.ip = rows[i].ip, .port = 80, .shared = rows[i].shared};
		struct rill_port q = {
			.ip = rows[i].other, .port = 80, .shared = rows[i].other_shared};
		struct rill_port_table t;

		assert_int_equal(rill_port_table_init(&t, &memory), 0);
		rill_port_insert(&t, &p);
		assert_int_equal(rill_port_conflicts(&t, &q), rows[i].conflict);
		q.port = 80 + 64; /* the same bucket */
		assert_false(rill_port_conflicts(&t, &q));
		rill_port_table_fini(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows),
		cmocka_unit_test(flows_without_memory),
		cmocka_unit_test(ports),
		cmocka_unit_test(groups_keep_their_flows),
		cmocka_unit_test(who_is_in_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
