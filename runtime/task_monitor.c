/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/task_monitor.h"

#include <errno.h>
#include <rill/metrics.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"

#define SLOW_NS_DEFAULT 50000
#define LONG_NS_DEFAULT 50000

/* What is counted; the rest of struct rill_task_metrics are sums of two. */
#define COUNTED(X)                                                                                 \
	X(instrumented)                                                                            \
	X(dropped)                                                                                 \
	X(first_runs)                                                                              \
	X(first_run_delay_ns)                                                                      \
	X(idled)                                                                                   \
	X(idle_ns)                                                                                 \
	X(short_delays)                                                                            \
	X(short_delay_ns)                                                                          \
	X(long_delays)                                                                             \
	X(long_delay_ns)                                                                           \
	X(fast_slices)                                                                             \
	X(fast_slice_ns)                                                                           \
	X(slow_slices)                                                                             \
	X(slow_slice_ns)

struct rill_task_monitor {
	RILL_ATOMIC(uint32_t) refs;
	uint64_t slow_ns;
	uint64_t long_ns;
	struct rill_task_metrics m; /* by atomic additions; the sums are not kept */
};

int rill_task_monitor_create(const struct rill_task_monitor_options *in,
			     struct rill_task_monitor **ret_monitor)
{
	struct rill_task_monitor_options o = {0};

	if (in && in->size == 0)
		return -EINVAL;
	if (in)
		memcpy(&o, in, RILL_MIN(in->size, sizeof(o)));
	struct rill_task_monitor *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->refs = 1;
	m->slow_ns = o.slow_slice_ns ? o.slow_slice_ns : SLOW_NS_DEFAULT;
	m->long_ns = o.long_delay_ns ? o.long_delay_ns : LONG_NS_DEFAULT;
	*ret_monitor = m;
	return 0;
}

static void drop_ref(struct rill_task_monitor *m)
{
	/* acq_rel: the last one frees what the others have written */
	if (rill_fetch_sub_acq_rel(&m->refs, 1) == 1)
		free(m);
}

void rill_task_monitor_destroy(struct rill_task_monitor *m)
{
	if (m)
		drop_ref(m);
}

void rill_task_monitor_get(struct rill_task_monitor *m)
{
	rill_fetch_add_relaxed(&m->refs, 1);
	rill_fetch_add_relaxed(&m->m.instrumented, 1);
}

void rill_task_monitor_put(struct rill_task_monitor *m)
{
	rill_fetch_add_relaxed(&m->m.dropped, 1);
	drop_ref(m);
}

static void count(uint64_t *times, uint64_t *sum_ns, uint64_t ns)
{
	rill_fetch_add_relaxed(times, 1);
	rill_fetch_add_relaxed(sum_ns, ns);
}

void rill_task_monitor_idled(struct rill_task_monitor *m, uint64_t ns)
{
	uint64_t max = rill_load_relaxed(&m->m.max_idle_ns);

	count(&m->m.idled, &m->m.idle_ns, ns);
	while (ns > max && !rill_cas_relaxed(&m->m.max_idle_ns, &max, ns))
		;
}

void rill_task_monitor_scheduled(struct rill_task_monitor *m, uint64_t ns, bool first)
{
	if (first)
		count(&m->m.first_runs, &m->m.first_run_delay_ns, ns);
	else if (ns > m->long_ns)
		count(&m->m.long_delays, &m->m.long_delay_ns, ns);
	else
		count(&m->m.short_delays, &m->m.short_delay_ns, ns);
}

void rill_task_monitor_ran(struct rill_task_monitor *m, uint64_t ns)
{
	if (ns > m->slow_ns)
		count(&m->m.slow_slices, &m->m.slow_slice_ns, ns);
	else
		count(&m->m.fast_slices, &m->m.fast_slice_ns, ns);
}

/* ---- what follows ---- */

static void fill_sums(struct rill_task_metrics *m)
{
	m->scheduled = m->short_delays + m->long_delays;
	m->scheduled_ns = m->short_delay_ns + m->long_delay_ns;
	m->slices = m->fast_slices + m->slow_slices;
	m->slice_ns = m->fast_slice_ns + m->slow_slice_ns;
}

void rill_task_monitor_read(const struct rill_task_monitor *monitor,
			    struct rill_task_metrics *ret_metrics)
{
	struct rill_task_metrics m = {.max_idle_ns = rill_load_relaxed(&monitor->m.max_idle_ns)};

#define X(field) m.field = rill_load_relaxed(&monitor->m.field);
	COUNTED(X)
#undef X
	fill_sums(&m);
	*ret_metrics = m;
}

void rill_task_metrics_since(const struct rill_task_metrics *now,
			     const struct rill_task_metrics *before,
			     struct rill_task_metrics *ret_difference)
{
	struct rill_task_metrics m = {.max_idle_ns = now->max_idle_ns};

#define X(field) m.field = now->field - before->field;
	COUNTED(X)
#undef X
	fill_sums(&m);
	*ret_difference = m;
}

static uint64_t mean(uint64_t sum, uint64_t n)
{
	return n ? sum / n : 0;
}

static double ratio(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

void rill_task_metrics_means(const struct rill_task_metrics *m, struct rill_task_means *ret_means)
{
	*ret_means = (struct rill_task_means){
		.first_run_delay_ns = mean(m->first_run_delay_ns, m->first_runs),
		.idle_ns = mean(m->idle_ns, m->idled),
		.scheduled_ns = mean(m->scheduled_ns, m->scheduled),
		.short_delay_ns = mean(m->short_delay_ns, m->short_delays),
		.long_delay_ns = mean(m->long_delay_ns, m->long_delays),
		.slice_ns = mean(m->slice_ns, m->slices),
		.fast_slice_ns = mean(m->fast_slice_ns, m->fast_slices),
		.slow_slice_ns = mean(m->slow_slice_ns, m->slow_slices),
		.slow_slice_ratio = ratio(m->slow_slices, m->slices),
		.long_delay_ratio = ratio(m->long_delays, m->scheduled),
	};
}
