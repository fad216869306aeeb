/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/histogram.h"

#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"

/* The least value at a place: the inverse of rill_histogram_place(). */
static uint64_t low_of(unsigned place, unsigned precision)
{
	unsigned group = place >> precision;

	if (group == 0)
		return place;
	uint64_t digits = (UINT64_C(1) << precision) + (place & ((1u << precision) - 1));

	return digits << (group - 1);
}

int rill_histogram_init(struct rill_histogram *h, uint64_t min, uint64_t max, unsigned precision)
{
	if (min == 0 || min >= max || max > RILL_HISTOGRAM_MAX ||
	    precision > RILL_HISTOGRAM_PRECISION_MAX)
		return -EINVAL;
	unsigned first = rill_histogram_place(min, precision);
	/* that of the highest value below max */
	unsigned last = rill_histogram_place(max - 1, precision);
	const struct rill_histogram shape = {
		.precision = precision, .first = first, .buckets = last - first + 3};

	return rill_histogram_init_like(h, &shape);
}

int rill_histogram_init_like(struct rill_histogram *h, const struct rill_histogram *other)
{
	uint64_t *counts = calloc(other->buckets, sizeof(*counts));

	if (!counts)
		return -ENOMEM;
	*h = (struct rill_histogram){
		.precision = other->precision,
		.first = other->first,
		.buckets = other->buckets,
		.counts = counts,
	};
	return 0;
}

void rill_histogram_fini(struct rill_histogram *h)
{
	free(h->counts);
	h->counts = NULL;
	h->buckets = 0;
}

void rill_histogram_range(const struct rill_histogram *h, unsigned i, uint64_t *ret_low,
			  uint64_t *ret_high)
{
	RILL_ASSERT_CMP(i, <, h->buckets);
	*ret_low = i == 0 ? 0 : low_of(h->first + i - 1, h->precision);
	*ret_high = i + 1 == h->buckets ? UINT64_MAX : low_of(h->first + i, h->precision);
}

uint64_t rill_histogram_count(const struct rill_histogram *h)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < h->buckets; i++)
		n += rill_load_relaxed(&h->counts[i]);
	return n;
}

/* How many of n values the share q is, rounded up; at least one. */
static uint64_t rank_of(uint64_t n, double q)
{
	double exact = q * (double)n;
	uint64_t rank = exact >= (double)n ? n : (uint64_t)exact;

	if (rank < n && (double)rank < exact)
		rank++;
	return rank ? rank : 1;
}

uint64_t rill_histogram_percentile(const struct rill_histogram *h, double q)
{
	uint64_t max = rill_load_relaxed(&h->max);
	uint64_t n = rill_histogram_count(h);
	uint64_t seen = 0;

	RILL_ASSERT(q >= 0 && q <= 1);
	if (n == 0)
		return 0;
	/* The counts only grow, so the rank is reached. */
	for (unsigned i = 0; i + 1 < h->buckets; i++) {
		uint64_t low, high;

		seen += rill_load_relaxed(&h->counts[i]);
		if (seen < rank_of(n, q))
			continue;
		rill_histogram_range(h, i, &low, &high);
		return high - 1 < max ? high - 1 : max;
	}
	return max;
}

void rill_histogram_merge(struct rill_histogram *into, const struct rill_histogram *from)
{
	uint64_t max = rill_load_relaxed(&from->max);

	RILL_ASSERT_CMP(into->buckets, ==, from->buckets);
	RILL_ASSERT_CMP(into->first, ==, from->first);
	for (unsigned i = 0; i < into->buckets; i++)
		rill_counter_add(&into->counts[i], rill_load_relaxed(&from->counts[i]));
	rill_counter_add(&into->sum, rill_load_relaxed(&from->sum));
	if (max > rill_load_relaxed(&into->max))
		rill_store_relaxed(&into->max, max);
}
