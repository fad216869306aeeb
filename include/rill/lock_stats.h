/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long locks are waited for and held. One object measures one lock or a class of many, for as
 * long as it is attached by rill_mutex_measure(), rill_rwlock_measure() or
 * rill_semaphore_measure(). A lock that is not measured pays nothing; one that is reads the clock
 * (rill_now()) when it is taken and when it is given back.
 */
#ifndef RILL_LOCK_STATS_H
#define RILL_LOCK_STATS_H

#include <rill/metrics.h>

RILL_BEGIN_DECLS

struct rill_lock_stats;

struct rill_lock_stats_options {
	size_t size;	    /* sizeof, by RILL_OPTIONS */
	uint64_t min_ns;    /* shorter times share a bucket; 0: 64 ns */
	uint64_t max_ns;    /* so do those not shorter than this; 0: about a minute */
	unsigned precision; /* buckets are at most 2^-precision wide; 0: 3; at most 6 */
	unsigned holders;   /* so many at a time are timed, the latest ones; 0: 256 */
};

/* o may be NULL. -EINVAL, -ENOMEM. */
RILL_API int rill_lock_stats_create(const struct rill_lock_stats_options *o,
				    struct rill_lock_stats **ret_stats);
/* When no lock is measured by it any more. NULL is fine. */
RILL_API void rill_lock_stats_destroy(struct rill_lock_stats *stats);

enum rill_lock_time {
	RILL_LOCK_WAIT, /* of those who had to wait and got it, until they went on */
	/* From then until it was given back: by anybody, if held by one, else by the same one. */
	RILL_LOCK_HOLD,
};

struct rill_lock_report {
	uint64_t taken; /* times, also without a wait */
	/* Given back without a time: there were too many holders since, or it was another's. */
	uint64_t untimed;
	struct rill_histogram_summary wait; /* its count: how often it was waited for */
	struct rill_histogram_summary hold;
};

/* While the locks are in use, from any thread; each number is whole. -ENOMEM. */
RILL_API int rill_lock_stats_read(const struct rill_lock_stats *stats,
				  struct rill_lock_report *ret_report);

RILL_API unsigned rill_lock_stats_buckets(const struct rill_lock_stats *stats);
/* Bucket takes low <= t < high; the last one all from low on, high being UINT64_MAX. -EINVAL. */
RILL_API int rill_lock_stats_range(const struct rill_lock_stats *stats, unsigned bucket,
				   uint64_t *ret_low_ns, uint64_t *ret_high_ns);
/* -EINVAL: no such bucket. */
RILL_API int rill_lock_stats_count(const struct rill_lock_stats *stats, enum rill_lock_time kind,
				   unsigned bucket, uint64_t *ret_count);

RILL_END_DECLS

#endif
