/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A log-linear histogram of 64-bit values: each power of two falls into 2^precision equal buckets,
 * so that a bucket is at most 2^-precision of its lower edge wide. One bucket takes all that is
 * below min, one all that is not below max; min is rounded down and max up to an edge.
 *
 * One writer; any thread reads, and sees every number whole, though not all of one moment. The
 * number of values is the sum of the buckets, so the two always agree.
 */
#ifndef RILL_BASE_HISTOGRAM_H
#define RILL_BASE_HISTOGRAM_H

#include "base/atomic.h"

#define RILL_HISTOGRAM_PRECISION_MAX 6
/* The highest max: beyond it an edge would be no number. */
#define RILL_HISTOGRAM_MAX (UINT64_C(1) << 63)

struct rill_histogram {
	unsigned precision;
	unsigned first;	  /* place of bucket 1 among the buckets of all 64-bit values */
	unsigned buckets; /* the two at the ends included */
	RILL_ATOMIC(uint64_t) sum;
	RILL_ATOMIC(uint64_t) max;
	RILL_ATOMIC(uint64_t) * counts;
};

/* -EINVAL: not 0 < min < max <= RILL_HISTOGRAM_MAX, or too high a precision; -ENOMEM. */
int rill_histogram_init(struct rill_histogram *h, uint64_t min, uint64_t max, unsigned precision);
/* An empty one with the buckets of another. -ENOMEM. */
int rill_histogram_init_like(struct rill_histogram *h, const struct rill_histogram *other);
void rill_histogram_fini(struct rill_histogram *h);

/* Where v lies when nothing is cut off at the ends: values below 2^precision have one each. */
static inline unsigned rill_histogram_place(uint64_t v, unsigned precision)
{
	unsigned top = 63 - (unsigned)__builtin_clzll(v | 1);

	if (top < precision)
		return (unsigned)v;
	return ((top - precision) << precision) + (unsigned)(v >> (top - precision));
}

static inline unsigned rill_histogram_bucket(const struct rill_histogram *h, uint64_t v)
{
	unsigned place = rill_histogram_place(v, h->precision);
	unsigned last = h->buckets - 1;

	if (place < h->first)
		return 0;
	return place - h->first + 1 < last ? place - h->first + 1 : last;
}

/* By the one writer. */
static inline void rill_histogram_record(struct rill_histogram *h, uint64_t v)
{
	rill_counter_add(&h->counts[rill_histogram_bucket(h, v)], 1);
	rill_counter_add(&h->sum, v);
	if (v > rill_load_relaxed(&h->max))
		rill_store_relaxed(&h->max, v);
}

/* Bucket i takes low <= v < high; the last one everything from low on, with high UINT64_MAX. */
void rill_histogram_range(const struct rill_histogram *h, unsigned i, uint64_t *ret_low,
			  uint64_t *ret_high);
uint64_t rill_histogram_count(const struct rill_histogram *h);

/*
 * A value that the share q (0 to 1) of the recorded ones do not exceed: the highest of its bucket,
 * or the highest recorded. 0 when there is none.
 */
uint64_t rill_histogram_percentile(const struct rill_histogram *h, double q);

/* Adds from to into, whose writer the caller is; both have the same buckets. */
void rill_histogram_merge(struct rill_histogram *into, const struct rill_histogram *from);

#endif
