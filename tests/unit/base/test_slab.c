/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct counted {
	size_t bytes;
	unsigned chunks;
	bool dry;
};

static void *counted_alloc(void *ctx, size_t size)
{
	struct counted *c = ctx;

	if (c->dry)
		return NULL;
	c->bytes += size;
	c->chunks++;
	return rill_memory_heap.alloc(NULL, size);
}

static void counted_free(void *ctx, void *p, size_t size)
{
	struct counted *c = ctx;

	c->bytes -= size;
	c->chunks--;
	rill_memory_heap.free(NULL, p, size);
}

static void objects_are_apart_and_reused(void **state)
{
	struct counted c = {0};
	struct rill_memory memory = {counted_alloc, counted_free, &c};
	struct rill_slab s;
	unsigned char *p[1000];

	rill_slab_init(&s, &memory, 200, 0);
	for (unsigned i = 0; i < 1000; i++) {
		p[i] = rill_slab_alloc(&s);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % 16, 0);
		memset(p[i], (int)i, 200);
	}
	for (unsigned i = 0; i < 1000; i++)
		for (unsigned k = 0; k < 200; k++)
			assert_int_equal(p[i][k], i & 0xff);
	assert_int_equal(s.used, 1000);
	unsigned chunks = c.chunks;

	rill_slab_free(&s, p[7]);
	assert_ptr_equal(rill_slab_alloc(&s), p[7]);
	for (unsigned i = 0; i < 1000; i++)
		rill_slab_free(&s, p[i]);
	for (unsigned i = 0; i < 1000; i++)
		assert_non_null(rill_slab_alloc(&s));
	assert_int_equal(c.chunks, chunks);
	rill_slab_fini(&s);
	assert_int_equal(c.bytes, 0);
}

/* Past the first chunks they are huge pages, which are made when they are full. */
static void many_objects(void **state)
{
	enum { MANY = 60000 };
	uint32_t **p = calloc(MANY, sizeof(*p));
	struct rill_slab s;

	rill_slab_init(&s, &rill_memory_heap, 112, 0);
	for (uint32_t i = 0; i < MANY; i++) {
		p[i] = rill_slab_alloc(&s);
		assert_non_null(p[i]);
		p[i][0] = i;
		p[i][112 / 4 - 1] = ~i;
	}
	for (uint32_t i = 0; i < MANY; i++) {
		assert_int_equal(p[i][0], i);
		assert_int_equal(p[i][112 / 4 - 1], ~i);
	}
	assert_int_equal(s.used, MANY);
	assert_true(s.size >= MANY);
	uint32_t size = s.size;

	for (uint32_t i = 0; i < MANY; i++)
		rill_slab_free(&s, p[i]);
	for (uint32_t i = MANY; i-- > 0;)
		assert_ptr_equal(rill_slab_alloc(&s), p[i]);
	assert_int_equal(s.size, size);
	rill_slab_fini(&s);
	free(p);
}

static void bounds(void **state)
{
	struct counted c = {0};
	struct rill_memory memory = {counted_alloc, counted_free, &c};
	struct rill_slab s;
	void *p;

	rill_slab_init(&s, &memory, 100000, 2); /* larger than a chunk */
	p = rill_slab_alloc(&s);
	assert_non_null(p);
	assert_non_null(rill_slab_alloc(&s));
	assert_null(rill_slab_alloc(&s));
	rill_slab_free(&s, p);
	assert_ptr_equal(rill_slab_alloc(&s), p);
	rill_slab_free(&s, NULL);
	rill_slab_fini(&s);
	rill_slab_init(&s, &memory, 64, 0);
	c.dry = true;
	assert_null(rill_slab_alloc(&s));
	c.dry = false;
	assert_non_null(rill_slab_alloc(&s));
	rill_slab_fini(&s);
	assert_int_equal(c.chunks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_apart_and_reused),
		cmocka_unit_test(many_objects),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
