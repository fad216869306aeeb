/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All metrics as one JSON object:
 *
 *   runtime     name -> value
 *   workers     [name -> value], by index
 *   histograms  name -> count, sum, max, percentiles and [low, high, count] of buckets not empty;
 *               all workers together
 *   attached    sample, as in OpenMetrics -> value: of NICs and the like
 *   help        the same names by group -> what they are
 */
#include "runtime/metrics.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/runtime.h"

/* False: no memory. Counters beyond 2^63 do not occur. */
static bool set(json_t *object, const char *name, uint64_t value)
{
	return json_object_set_new(object, name, json_integer((json_int_t)value)) == 0;
}

static json_t *table_json(const struct rill_metric *table, size_t count, const void *metrics)
{
	json_t *o = json_object();

	for (size_t i = 0; o && i < count; i++) {
		if (set(o, table[i].name, rill_metric_value(&table[i], metrics)))
			continue;
		json_decref(o);
		return NULL;
	}
	return o;
}

static json_t *workers_json(const struct rill_metrics_snapshot *s)
{
	json_t *a = json_array();

	for (unsigned i = 0; a && i < s->worker_count; i++) {
		json_t *w = table_json(rill_worker_metric_table, rill_worker_metric_count,
				       &s->workers[i]);

		/* takes w over in any case */
		if (json_array_append_new(a, w) == 0)
			continue;
		json_decref(a);
		return NULL;
	}
	return a;
}

/* ---- histograms ---- */

static json_t *buckets_json(const struct rill_histogram *h)
{
	json_t *a = json_array();

	for (unsigned i = 0; a && i < h->buckets; i++) {
		uint64_t low, high;

		if (h->counts[i] == 0)
			continue;
		rill_histogram_range(h, i, &low, &high);
		/* no upper edge: no number is as large */
		json_t *b =
			high == UINT64_MAX
				? json_pack("[I, n, I]", (json_int_t)low, (json_int_t)h->counts[i])
				: json_pack("[I, I, I]", (json_int_t)low, (json_int_t)high,
					    (json_int_t)h->counts[i]);

		if (json_array_append_new(a, b) == 0)
			continue;
		json_decref(a);
		return NULL;
	}
	return a;
}

static json_t *histogram_json(const struct rill_histogram *h)
{
	struct rill_histogram_summary s;

	rill_metrics_summarize(h, &s);
	return json_pack("{sI sI sI sI sI sI sI so}", "count", (json_int_t)s.count, "sum",
			 (json_int_t)s.sum_ns, "max", (json_int_t)s.max_ns, "p50",
			 (json_int_t)s.p50_ns, "p90", (json_int_t)s.p90_ns, "p99",
			 (json_int_t)s.p99_ns, "p999", (json_int_t)s.p999_ns, "buckets",
			 buckets_json(h));
}

static json_t *histograms_json(const struct rill_runtime *rt)
{
	json_t *o = json_object();

	for (unsigned i = 0; o && i < RILL_HISTOGRAM_KINDS; i++) {
		enum rill_histogram_kind kind = (enum rill_histogram_kind)i;
		struct rill_histogram h;
		int r = rill_metrics_histogram_copy(rt, kind, RILL_ALL_WORKERS, &h);

		if (r == -EINVAL)
			continue;
		if (r == 0) {
			r = json_object_set_new(o, rill_histogram_names[i].name,
						histogram_json(&h));
			rill_histogram_fini(&h);
		}
		if (r == 0)
			continue;
		json_decref(o);
		return NULL;
	}
	return o;
}

/* ---- what is attached ---- */

/* "name{labels} value" */
static bool add_sample(json_t *o, char *line)
{
	char *space = strrchr(line, ' ');

	if (line[0] == '#' || !space)
		return true;
	*space = '\0';
	return set(o, line, strtoull(space + 1, NULL, 10));
}

static json_t *samples_json(char *text)
{
	json_t *o = json_object();
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); o && line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (add_sample(o, line))
			continue;
		json_decref(o);
		return NULL;
	}
	return o;
}

static json_t *attached_json(struct rill_runtime *rt)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	rill_metrics_print_pollers(rt, f);
	json_t *o = fclose(f) == 0 ? samples_json(text) : NULL;

	free(text);
	return o;
}

/* ---- all ---- */

static json_t *table_help(const struct rill_metric *table, size_t count)
{
	json_t *o = json_object();

	for (size_t i = 0; o && i < count; i++) {
		if (json_object_set_new(o, table[i].name, json_string(table[i].help)) == 0)
			continue;
		json_decref(o);
		return NULL;
	}
	return o;
}

static json_t *help_json(void)
{
	const struct rill_histogram_name *run = &rill_histogram_names[RILL_HISTOGRAM_RUN];
	const struct rill_histogram_name *latency = &rill_histogram_names[RILL_HISTOGRAM_LATENCY];

	return json_pack("{so so s{ss ss}}", "runtime",
			 table_help(rill_runtime_metric_table, rill_runtime_metric_count),
			 "workers", table_help(rill_worker_metric_table, rill_worker_metric_count),
			 "histograms", run->name, run->help, latency->name, latency->help);
}

int rill_runtime_print_metrics_json(struct rill_runtime *rt, FILE *out)
{
	struct rill_metrics_snapshot *s = rill_metrics_snapshot(rt);

	if (!s)
		return -ENOMEM;
	/* gives back all of them when one is missing */
	json_t *all =
		json_pack("{so so so so so}", "runtime",
			  table_json(rill_runtime_metric_table, rill_runtime_metric_count, &s->rt),
			  "workers", workers_json(s), "histograms", histograms_json(rt), "attached",
			  attached_json(rt), "help", help_json());

	free(s);
	if (!all)
		return -ENOMEM;
	int r = json_dumpf(all, out, JSON_COMPACT);

	json_decref(all);
	fputc('\n', out);
	return r < 0 || ferror(out) ? -EIO : 0;
}
