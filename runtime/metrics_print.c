/* SPDX-License-Identifier: BSD-3-Clause */
/* All metrics as OpenMetrics text: families one after the other, each with its samples. */
#include "runtime/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "runtime/runtime.h"

static const char *type_name(const struct rill_metric *m)
{
	return m->type == RILL_METRIC_COUNTER ? "counter" : "gauge";
}

static const char *suffix(const struct rill_metric *m)
{
	return m->type == RILL_METRIC_COUNTER ? "_total" : "";
}

static void print_runtime(const struct rill_metrics_snapshot *s, FILE *out)
{
	for (size_t i = 0; i < rill_runtime_metric_count; i++) {
		const struct rill_metric *m = &rill_runtime_metric_table[i];

		fprintf(out, "# TYPE rill_%s %s\n# HELP rill_%s %s.\n", m->name, type_name(m),
			m->name, m->help);
		fprintf(out, "rill_%s%s %" PRIu64 "\n", m->name, suffix(m),
			rill_metric_value(m, &s->rt));
	}
}

static void print_workers(const struct rill_metrics_snapshot *s, FILE *out)
{
	for (size_t i = 0; i < rill_worker_metric_count; i++) {
		const struct rill_metric *m = &rill_worker_metric_table[i];

		fprintf(out, "# TYPE rill_worker_%s %s\n# HELP rill_worker_%s %s.\n", m->name,
			type_name(m), m->name, m->help);
		for (unsigned w = 0; w < s->worker_count; w++)
			fprintf(out, "rill_worker_%s%s{worker=\"%u\"} %" PRIu64 "\n", m->name,
				suffix(m), w, rill_metric_value(m, &s->workers[w]));
	}
}

/* Cumulative, by the highest value that a bucket takes. */
static void print_buckets(const struct rill_histogram *h, const char *name, unsigned worker,
			  FILE *out)
{
	uint64_t n = 0;

	for (unsigned i = 0; i + 1 < h->buckets; i++) {
		uint64_t low, high;

		rill_histogram_range(h, i, &low, &high);
		n += h->counts[i];
		fprintf(out,
			"rill_worker_%s_bucket{worker=\"%u\",le=\"%" PRIu64 ".0\"} %" PRIu64 "\n",
			name, worker, high - 1, n);
	}
	n += h->counts[h->buckets - 1];
	fprintf(out, "rill_worker_%s_bucket{worker=\"%u\",le=\"+Inf\"} %" PRIu64 "\n", name, worker,
		n);
	fprintf(out, "rill_worker_%s_count{worker=\"%u\"} %" PRIu64 "\n", name, worker, n);
	fprintf(out, "rill_worker_%s_sum{worker=\"%u\"} %" PRIu64 "\n", name, worker, h->sum);
}

static int print_histogram(const struct rill_runtime *rt, enum rill_histogram_kind kind, FILE *out)
{
	const struct rill_histogram_name *n = &rill_histogram_names[kind];

	if (rill_runtime_histogram_buckets(rt, kind) == 0)
		return 0;
	fprintf(out, "# TYPE rill_worker_%s histogram\n# HELP rill_worker_%s %s.\n", n->name,
		n->name, n->help);
	for (unsigned w = 0; w < rt->worker_count; w++) {
		struct rill_histogram h;
		/* A copy does not move while it is printed. */
		int r = rill_metrics_histogram_copy(rt, kind, w, &h);

		if (r < 0)
			return r;
		print_buckets(&h, n->name, w, out);
		rill_histogram_fini(&h);
	}
	return 0;
}

static const struct rill_poller_ops *ops_at(struct rill_runtime *rt, unsigned slot)
{
	/* acquire: pairs with rill_poller_add() */
	const struct rill_poller *p = rill_load_acquire(&rt->pollers[slot]);

	return p ? p->ops : NULL;
}

/* One family of every poller of a kind; false when none has it. */
static bool print_family(struct rill_runtime *rt, FILE *out, const struct rill_poller_ops *kind,
			 unsigned family)
{
	bool header = true;
	bool any = false;

	for (unsigned i = 0; i < rill_load_relaxed(&rt->poller_count); i++) {
		/* acquire: pairs with rill_poller_add() */
		struct rill_poller *p = rill_load_acquire(&rt->pollers[i]);

		if (!p || p->ops != kind || !kind->print_family(p, out, family, header))
			continue;
		header = false;
		any = true;
	}
	return any;
}

void rill_metrics_print_pollers(struct rill_runtime *rt, FILE *out)
{
	/* Held so that no poller goes away while it prints. */
	pthread_mutex_lock(&rt->poller_lock);
	for (unsigned i = 0; i < rill_load_relaxed(&rt->poller_count); i++) {
		const struct rill_poller_ops *kind = ops_at(rt, i);
		unsigned first = 0;

		while (first < i && ops_at(rt, first) != kind)
			first++;
		if (!kind || !kind->print_family || first < i)
			continue;
		for (unsigned family = 0; print_family(rt, out, kind, family); family++)
			;
	}
	pthread_mutex_unlock(&rt->poller_lock);
}

int rill_runtime_print_metrics(struct rill_runtime *rt, FILE *out)
{
	struct rill_metrics_snapshot *s = rill_metrics_snapshot(rt);
	int r = 0;

	if (!s)
		return -ENOMEM;
	print_runtime(s, out);
	print_workers(s, out);
	free(s);
	for (unsigned kind = 0; kind < RILL_HISTOGRAM_KINDS && r == 0; kind++)
		r = print_histogram(rt, (enum rill_histogram_kind)kind, out);
	if (r < 0)
		return r;
	rill_metrics_print_pollers(rt, out);
	fprintf(out, "# EOF\n");
	return ferror(out) ? -EIO : 0;
}
