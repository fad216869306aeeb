/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* xoshiro256++ from the state 1, 2, 3, 4: the first values worked out by hand from the paper's
 * recurrence. */
static void test_recurrence(void **state)
{
	struct rill_rand r = {.s = {1, 2, 3, 4}};

	/* rotl(1 + 4, 23) + 1 */
	assert_int_equal(rill_rand_next(&r), (UINT64_C(5) << 23) + 1);
	assert_int_equal(r.s[0], 1 ^ 4 ^ 2);
	assert_int_equal(r.s[1], 2 ^ 3 ^ 1);
	assert_int_equal(r.s[2], 3 ^ 1 ^ (2 << 17));
	assert_int_equal(r.s[3], UINT64_C(6) << 45);
}

/* splitmix64 from 0; its first four values are the state. */
static void test_seeding(void **state)
{
	struct rill_rand r;

	rill_rand_init(&r, 0);
	assert_int_equal(r.s[0], UINT64_C(0xe220a8397b1dcdaf));
	assert_int_equal(r.s[1], UINT64_C(0x6e789e6aa1b965f4));
	assert_int_equal(r.s[2], UINT64_C(0x06c45d188009454f));
	assert_int_equal(r.s[3], UINT64_C(0xf88bb8a8724c81ec));
}

static void test_same_seed_same_sequence(void **state)
{
	struct rill_rand a, b, c;
	unsigned same = 0;

	rill_rand_init(&a, 42);
	rill_rand_init(&b, 42);
	rill_rand_init(&c, 43);
	for (int i = 0; i < 1000; i++) {
		uint64_t v = rill_rand_next(&a);

		assert_int_equal(v, rill_rand_next(&b));
		same += v == rill_rand_next(&c);
	}
	assert_int_equal(same, 0);
}

/* In range, and every value about as often as the others. */
static void test_below(void **state)
{
	const uint32_t sizes[] = {1, 2, 3, 7, 64, 1000};
	struct rill_rand r;

	rill_rand_init(&r, 7);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned seen[1000] = {0};

		for (unsigned k = 0; k < sizes[i] * 1000; k++) {
			uint32_t v = rill_rand_below(&r, sizes[i]);

			assert_true(v < sizes[i]);
			seen[v]++;
		}
		/* 1000 expected with a deviation of 32: six of those */
		for (uint32_t v = 0; v < sizes[i]; v++)
			assert_in_range(seen[v], 800, 1200);
	}
	for (int i = 0; i < 1000; i++)
		assert_true(rill_rand_below(&r, UINT32_MAX) < UINT32_MAX);
}

/* Fills just what it was given: all of it. */
static void test_secret(void **state)
{
	unsigned char buf[80];
	unsigned zeros = 0;

	memset(buf, 0, sizeof(buf));
	rill_rand_secret(buf + 8, 64);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(buf[i] | buf[72 + i], 0);
	for (unsigned i = 8; i < 72; i++)
		zeros += buf[i] == 0;
	/* 32 zeros in 64 random bytes: once in 10^58 runs */
	assert_true(zeros < 32);
	rill_rand_secret(buf, 0);
}

/* As a simulation has it: the same secrets for the same seed, until it ends. */
static void test_secret_from(void **state)
{
	unsigned char a[40], b[40], c[40];
	struct rill_rand r;

	rill_rand_init(&r, 7);
	rill_rand_secret_from(&r);
	rill_rand_secret(a, sizeof(a));
	rill_rand_init(&r, 7);
	rill_rand_secret(b, sizeof(b));
	rill_rand_init(&r, 7);
	rill_rand_secret_from(NULL);
	rill_rand_secret(c, sizeof(c));
	assert_memory_equal(a, b, sizeof(a));
	assert_memory_not_equal(a, c, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recurrence),
		cmocka_unit_test(test_seeding),
		cmocka_unit_test(test_same_seed_same_sequence),
		cmocka_unit_test(test_below),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_secret_from),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
