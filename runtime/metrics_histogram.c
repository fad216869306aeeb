/* SPDX-License-Identifier: BSD-3-Clause */
/* The workers' histograms, one by one and together. */
#include "runtime/metrics.h"

#include <errno.h>

#include "runtime/runtime.h"

const struct rill_histogram_name rill_histogram_names[RILL_HISTOGRAM_KINDS] = {
	[RILL_HISTOGRAM_RUN] = {"slice_duration_ns", "Lengths of slices"},
	[RILL_HISTOGRAM_LATENCY] = {"schedule_latency_ns", "Time from wake to run"},
};

const struct rill_histogram *rill_metrics_histogram(const struct rill_runtime *rt,
						    enum rill_histogram_kind kind, unsigned worker)
{
	const struct rill_worker_watch *watch = &rt->workers[worker].watch;
	const struct rill_histogram *h = kind == RILL_HISTOGRAM_RUN ? &watch->run : &watch->latency;

	return h->counts ? h : NULL;
}

unsigned rill_runtime_histogram_buckets(const struct rill_runtime *rt,
					enum rill_histogram_kind kind)
{
	const struct rill_histogram *h = rill_metrics_histogram(rt, kind, 0);

	return h ? h->buckets : 0;
}

int rill_runtime_histogram_range(const struct rill_runtime *rt, enum rill_histogram_kind kind,
				 unsigned bucket, uint64_t *ret_low_ns, uint64_t *ret_high_ns)
{
	if (bucket >= rill_runtime_histogram_buckets(rt, kind))
		return -EINVAL;
	rill_histogram_range(rill_metrics_histogram(rt, kind, 0), bucket, ret_low_ns, ret_high_ns);
	return 0;
}

int rill_runtime_histogram_count(const struct rill_runtime *rt, enum rill_histogram_kind kind,
				 uint32_t worker, unsigned bucket, uint64_t *ret_count)
{
	uint64_t n = 0;

	if (bucket >= rill_runtime_histogram_buckets(rt, kind) ||
	    (worker != RILL_ALL_WORKERS && worker >= rt->worker_count))
		return -EINVAL;
	for (unsigned i = 0; i < rt->worker_count; i++)
		if (worker == RILL_ALL_WORKERS || worker == i)
			n += rill_load_relaxed(
				&rill_metrics_histogram(rt, kind, i)->counts[bucket]);
	*ret_count = n;
	return 0;
}

int rill_metrics_histogram_copy(const struct rill_runtime *rt, enum rill_histogram_kind kind,
				uint32_t worker, struct rill_histogram *ret_histogram)
{
	const struct rill_histogram *first = rill_metrics_histogram(rt, kind, 0);

	if (!first || (worker != RILL_ALL_WORKERS && worker >= rt->worker_count))
		return -EINVAL;
	int r = rill_histogram_init_like(ret_histogram, first);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < rt->worker_count; i++)
		if (worker == RILL_ALL_WORKERS || worker == i)
			rill_histogram_merge(ret_histogram, rill_metrics_histogram(rt, kind, i));
	return 0;
}

void rill_metrics_summarize(const struct rill_histogram *h,
			    struct rill_histogram_summary *ret_summary)
{
	*ret_summary = (struct rill_histogram_summary){
		.count = rill_histogram_count(h),
		.sum_ns = h->sum,
		.max_ns = h->max,
		.p50_ns = rill_histogram_percentile(h, 0.5),
		.p90_ns = rill_histogram_percentile(h, 0.9),
		.p99_ns = rill_histogram_percentile(h, 0.99),
		.p999_ns = rill_histogram_percentile(h, 0.999),
	};
}

int rill_runtime_histogram_summary(const struct rill_runtime *rt, enum rill_histogram_kind kind,
				   uint32_t worker, struct rill_histogram_summary *ret_summary)
{
	struct rill_histogram h;
	int r = rill_metrics_histogram_copy(rt, kind, worker, &h);

	if (r < 0)
		return r;
	rill_metrics_summarize(&h, ret_summary);
	rill_histogram_fini(&h);
	return 0;
}
