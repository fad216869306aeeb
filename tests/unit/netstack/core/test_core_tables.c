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
	return (struct rill_flow_key){&c->tcb.remote.ip, c->tcb.remote.port, c->tcb.local.port};
}

/* A few hosts, many ports. */
static void make_conns(void)
{
	conns = calloc(FLOWS, sizeof(*conns));
	for (uint32_t i = 0; i < FLOWS; i++) {
		struct rill_conn *c = &conns[i];
		struct rill_flow_key key;

		c->tcb.remote.ip = (struct rill_ip){RILL_AF_IP4, {198, 18, 0, (uint8_t)(i % 7)}};
		c->tcb.remote.port = (uint16_t)(1000 + i / 7);
		c->tcb.local.port = 80;
		key = key_of(c);
		c->flow_hash = rill_flow_hash(&secret, &key);
	}
}

/* By lookup, too: twice, for the second time it is the one found last. */
static void check_all(struct rill_flow_table *t, uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < FLOWS; i++) {
		struct rill_flow_key key = key_of(&conns[i]);
		struct rill_conn *found = rill_flow_find(t, conns[i].flow_hash, &key);

		assert_ptr_equal(found, i >= from && i < to ? &conns[i] : NULL);
		assert_ptr_equal(rill_flow_lookup(t, &secret, &key), found);
		assert_ptr_equal(rill_flow_lookup(t, &secret, &key), found);
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
	assert_int_equal(rill_flow_table_init(&t, &memory), 0);
	for (uint32_t i = 0; i < FLOWS; i++) {
		rill_flow_insert(&t, &conns[i]);
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

	assert_true(rill_flow_table_init(&t, &memory) < 0);
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
		assert_null(rill_port_find(&t, bound[i].port));
		rill_port_insert(&t, &bound[i]);
	}
	for (uint32_t i = 0; i < PORTS; i++)
		assert_ptr_equal(rill_port_find(&t, bound[i].port), &bound[i]);
	for (uint32_t i = 0; i < PORTS; i += 2)
		rill_port_remove(&t, &bound[i]);
	for (uint32_t i = 0; i < PORTS; i++)
		assert_ptr_equal(rill_port_find(&t, bound[i].port), i % 2 ? &bound[i] : NULL);
	assert_int_equal(t.count, PORTS / 2);
	rill_port_table_fini(&t);
	assert_int_equal(allocated, 0);
	free(bound);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows),
		cmocka_unit_test(flows_without_memory),
		cmocka_unit_test(ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
