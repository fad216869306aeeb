/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/histogram.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rand.h"

static struct rill_histogram make(uint64_t min, uint64_t max, unsigned precision)
{
	struct rill_histogram h;

	assert_int_equal(rill_histogram_init(&h, min, max, precision), 0);
	return h;
}

static void check_range(const struct rill_histogram *h, unsigned i, uint64_t low, uint64_t high)
{
	uint64_t ret_low, ret_high;

	rill_histogram_range(h, i, &ret_low, &ret_high);
	assert_true(ret_low == low);
	assert_true(ret_high == high);
}

/* Eight to sixteen in quarters, sixteen to thirty-two in quarters, and the ends. */
static void test_edges_by_hand(void **state)
{
	static const uint64_t edges[] = {0, 8, 10, 12, 14, 16, 20, 24, 28, 32};
	const unsigned n = sizeof(edges) / sizeof(edges[0]);
	struct rill_histogram h = make(8, 32, 2);

	assert_int_equal(h.buckets, n);
	for (unsigned i = 0; i + 1 < n; i++)
		check_range(&h, i, edges[i], edges[i + 1]);
	check_range(&h, n - 1, 32, UINT64_MAX);
	rill_histogram_fini(&h);
}

static void test_ends_are_rounded_outwards(void **state)
{
	struct rill_histogram h = make(9, 29, 2);

	check_range(&h, 0, 0, 8);
	check_range(&h, 1, 8, 10);
	check_range(&h, h.buckets - 2, 28, 32);
	check_range(&h, h.buckets - 1, 32, UINT64_MAX);
	rill_histogram_fini(&h);
	/* an edge is its own: max 28 does not open the bucket of 28 */
	h = make(8, 28, 2);
	check_range(&h, h.buckets - 1, 28, UINT64_MAX);
	rill_histogram_fini(&h);
}

/* 100 ns to 60 s at precision 2, the runtime's defaults. */
static void test_defaults(void **state)
{
	struct rill_histogram h = make(100, UINT64_C(60000000000), 2);

	check_range(&h, 0, 0, 96);
	check_range(&h, 1, 96, 112);
	check_range(&h, 2, 112, 128);
	check_range(&h, 3, 128, 160);
	assert_int_equal(h.buckets, 119);
	check_range(&h, 117, UINT64_C(51539607552), UINT64_C(60129542144));
	check_range(&h, 118, UINT64_C(60129542144), UINT64_MAX);
	rill_histogram_fini(&h);
}

static void test_refused(void **state)
{
	struct rill_histogram h;

	assert_int_equal(rill_histogram_init(&h, 0, 10, 2), -EINVAL);
	assert_int_equal(rill_histogram_init(&h, 10, 10, 2), -EINVAL);
	assert_int_equal(rill_histogram_init(&h, 11, 10, 2), -EINVAL);
	assert_int_equal(rill_histogram_init(&h, 1, RILL_HISTOGRAM_MAX + 1, 0), -EINVAL);
	assert_int_equal(rill_histogram_init(&h, 1, 10, RILL_HISTOGRAM_PRECISION_MAX + 1), -EINVAL);
}

/* Every bucket takes both of its edges and nothing beyond; buckets lie side by side. */
static void check_all_buckets(struct rill_histogram *h)
{
	uint64_t end = 0;

	for (unsigned i = 0; i < h->buckets; i++) {
		uint64_t low, high;

		rill_histogram_range(h, i, &low, &high);
		assert_true(low == end);
		assert_true(high > low);
		assert_int_equal(rill_histogram_bucket(h, low), i);
		assert_int_equal(rill_histogram_bucket(h, high - 1), i);
		if (i + 1 < h->buckets)
			assert_int_equal(rill_histogram_bucket(h, high), i + 1);
		/* the promised precision */
		if (i > 0 && i + 1 < h->buckets && low >> h->precision)
			assert_true((high - low) <= low >> h->precision);
		end = high;
	}
	assert_true(end == UINT64_MAX);
	assert_int_equal(rill_histogram_bucket(h, UINT64_MAX), h->buckets - 1);
}

static void test_every_bucket(void **state)
{
	static const uint64_t mins[] = {1, 2, 3, 7, 64, 100, 1000003};
	static const uint64_t maxs[] = {1000004, UINT64_C(60000000000), RILL_HISTOGRAM_MAX};

	for (unsigned p = 0; p <= RILL_HISTOGRAM_PRECISION_MAX; p++)
		for (unsigned i = 0; i < sizeof(mins) / sizeof(mins[0]); i++)
			for (unsigned j = 0; j < sizeof(maxs) / sizeof(maxs[0]); j++) {
				struct rill_histogram h = make(mins[i], maxs[j], p);

				check_all_buckets(&h);
				rill_histogram_fini(&h);
			}
}

static void test_records(void **state)
{
	struct rill_histogram h = make(8, 32, 2);

	assert_int_equal(rill_histogram_count(&h), 0);
	for (uint64_t v = 0; v < 40; v++)
		rill_histogram_record(&h, v);
	static const uint64_t want[] = {8, 2, 2, 2, 2, 4, 4, 4, 4, 8};

	for (unsigned i = 0; i < h.buckets; i++)
		assert_int_equal(h.counts[i], want[i]);
	assert_int_equal(rill_histogram_count(&h), 40);
	assert_int_equal(h.sum, 39 * 40 / 2);
	assert_int_equal(h.max, 39);
	rill_histogram_fini(&h);
}

static void test_percentiles(void **state)
{
	struct rill_histogram h = make(1, 1024, RILL_HISTOGRAM_PRECISION_MAX);

	assert_int_equal(rill_histogram_percentile(&h, 0.5), 0);
	/* below 128 every value has a bucket of its own */
	for (uint64_t v = 1; v <= 100; v++)
		rill_histogram_record(&h, v);
	assert_int_equal(rill_histogram_percentile(&h, 0), 1);
	assert_int_equal(rill_histogram_percentile(&h, 0.01), 1);
	assert_int_equal(rill_histogram_percentile(&h, 0.5), 50);
	assert_int_equal(rill_histogram_percentile(&h, 0.501), 51);
	assert_int_equal(rill_histogram_percentile(&h, 0.99), 99);
	assert_int_equal(rill_histogram_percentile(&h, 1), 100);
	/* beyond max only the highest is known */
	rill_histogram_record(&h, 5000);
	assert_int_equal(rill_histogram_percentile(&h, 1), 5000);
	rill_histogram_fini(&h);
	/* the upper edge of a wide bucket, but never more than was seen */
	h = make(8, 32, 2);
	rill_histogram_record(&h, 20);
	rill_histogram_record(&h, 24);
	assert_int_equal(rill_histogram_percentile(&h, 0.5), 23);
	assert_int_equal(rill_histogram_percentile(&h, 1), 24);
	rill_histogram_fini(&h);
}

static void test_merge(void **state)
{
	struct rill_histogram a = make(8, 1000, 3);
	struct rill_histogram b = make(8, 1000, 3);
	struct rill_histogram both = make(8, 1000, 3);
	struct rill_histogram sum;
	struct rill_rand rand;

	rill_rand_init(&rand, 7);
	for (int i = 0; i < 1000; i++) {
		uint64_t v = rill_rand_below(&rand, 2000);

		rill_histogram_record(i % 3 ? &a : &b, v);
		rill_histogram_record(&both, v);
	}
	assert_int_equal(rill_histogram_init_like(&sum, &a), 0);
	assert_int_equal(rill_histogram_count(&sum), 0);
	rill_histogram_merge(&sum, &a);
	rill_histogram_merge(&sum, &b);
	for (unsigned i = 0; i < sum.buckets; i++)
		assert_int_equal(sum.counts[i], both.counts[i]);
	assert_int_equal(sum.sum, both.sum);
	assert_int_equal(sum.max, both.max);
	rill_histogram_fini(&a);
	rill_histogram_fini(&b);
	rill_histogram_fini(&both);
	rill_histogram_fini(&sum);
}

#define RECORDS 100000

static void *write_many(void *arg)
{
	for (uint64_t i = 0; i < RECORDS; i++)
		rill_histogram_record(arg, i % 512);
	return NULL;
}

/* A reader next to the writer sees numbers that only grow. */
static void test_read_while_written(void **state)
{
	struct rill_histogram h = make(1, 512, 2);
	uint64_t last = 0;
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, write_many, &h), 0);
	while (last < RECORDS) {
		uint64_t n = rill_histogram_count(&h);

		assert_true(n >= last && n <= RECORDS);
		assert_true(rill_histogram_percentile(&h, 1) < 512);
		last = n;
	}
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(rill_load_relaxed(&h.max), 511);
	rill_histogram_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edges_by_hand),
		cmocka_unit_test(test_ends_are_rounded_outwards),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_every_bucket),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_read_while_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
