/* SPDX-License-Identifier: BSD-3-Clause */
/* The metrics as OpenMetrics text and as JSON. */
#include <inttypes.h>
#include <jansson.h>
#include <rill/metrics.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/runtime/bodies.h"

static void move_clock(uint64_t ns)
{
	struct rill_runtime *rt = rill_runtime_current();

	turn_clock(rt, ns);
}

/* ---- OpenMetrics ---- */

struct text {
	char *data;
	size_t len;
};

static void print(struct rill_runtime *rt, struct text *t,
		  int (*write)(struct rill_runtime *, FILE *))
{
	FILE *f = open_memstream(&t->data, &t->len);

	assert_non_null(f);
	assert_int_equal(write(rt, f), 0);
	fclose(f);
}

#define NAME_LEN 64

/* A family: begun by its TYPE line, then HELP, then its samples, not to come again. */
struct family {
	char name[NAME_LEN];
	char type[16];
	unsigned samples;
	uint64_t last_bucket; /* of a histogram; cumulative */
	bool inf;	      /* the last bucket was the one without an end */
};

static bool is_name(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s);
}

/* Buckets grow up to the one of +Inf, which is the count. */
static void check_histogram(struct family *f, const char *ending, const char *line, uint64_t value)
{
	if (strcmp(ending, "_bucket") == 0) {
		if (f->inf || f->samples == 0)
			f->last_bucket = 0;
		assert_true(value >= f->last_bucket);
		f->last_bucket = value;
		f->inf = strstr(line, "le=\"+Inf\"") != NULL;
		return;
	}
	assert_true(f->inf);
	if (strcmp(ending, "_count") == 0)
		assert_int_equal(value, f->last_bucket);
	else
		assert_string_equal(ending, "_sum");
}

static void check_sample(struct family *f, const char *line)
{
	size_t name_len = strlen(f->name);
	size_t len = strcspn(line, "{ ");
	const char *rest = line + len;
	char ending[16];
	char *end;

	assert_in_range(len, name_len, name_len + sizeof(ending) - 1);
	assert_memory_equal(line, f->name, name_len);
	memcpy(ending, line + name_len, len - name_len);
	ending[len - name_len] = '\0';
	if (*rest == '{') {
		rest = strstr(rest, "\"}");
		assert_non_null(rest);
		rest += 2;
	}
	assert_int_equal(*rest, ' ');
	uint64_t value = strtoull(rest + 1, &end, 10);

	assert_true(end > rest + 1);
	assert_int_equal(*end, '\0');
	if (strcmp(f->type, "histogram") == 0)
		check_histogram(f, ending, line, value);
	else
		assert_string_equal(ending, strcmp(f->type, "counter") ? "" : "_total");
	f->samples++;
}

static void begin_family(struct family *families, unsigned n, const char *line)
{
	struct family *f = &families[n];

	*f = (struct family){.samples = 0};
	assert_int_equal(sscanf(line, "# TYPE %63s %15s", f->name, f->type), 2);
	assert_true(is_name(f->name));
	assert_true(!strcmp(f->type, "counter") || !strcmp(f->type, "gauge") ||
		    !strcmp(f->type, "histogram"));
	for (unsigned i = 0; i < n; i++)
		assert_string_not_equal(f->name, families[i].name);
}

static void check_help(const struct family *f, const char *line)
{
	size_t len = strlen(f->name);

	assert_int_equal(f->samples, 0);
	assert_memory_equal(line + 7, f->name, len);
	assert_int_equal(line[7 + len], ' ');
}

static unsigned check_text(char *text)
{
	static struct family families[200];
	unsigned n = 0;
	bool eof = false;
	char *save = NULL;

	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_null(strstr(text, "\n\n"));
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		assert_false(eof); /* same after it */
		if (strcmp(line, "# EOF") == 0) {
			eof = true;
		} else if (strncmp(line, "# TYPE ", 7) == 0) {
			assert_true(n < RILL_ARRAY_SIZE(families));
			begin_family(families, n++, line);
		} else if (strncmp(line, "# HELP ", 7) == 0) {
			assert_true(n > 0);
			check_help(&families[n - 1], line);
		} else {
			assert_true(n > 0);
			check_sample(&families[n - 1], line);
		}
	}
	assert_true(eof);
	for (unsigned i = 0; i < n; i++)
		assert_true(families[i].samples > 0);
	return n;
}

static uint64_t value_of(const char *text, const char *sample)
{
	const char *at = strstr(text, sample);

	assert_non_null(at);
	return strtoull(at + strlen(sample), NULL, 10);
}

static void test_text(void **state)
{
	struct rill_runtime *rt = start_multi(2);
	struct text t;

	run(rt, load, NULL);
	print(rt, &t, rill_runtime_print_metrics);
	assert_int_equal(value_of(t.data, "\nrill_live_tasks "), 0);
	assert_int_equal(value_of(t.data, "\nrill_tasks_spawned_total "), LOAD_SPAWNS + 1);
	assert_int_equal(
		value_of(t.data, "\nrill_workers ") +
			value_of(t.data, "\nrill_worker_tasks_spawned_total{worker=\"0\"} ") +
			value_of(t.data, "\nrill_worker_tasks_spawned_total{worker=\"1\"} "),
		2 + LOAD_SPAWNS);
	assert_true(value_of(t.data, "\nrill_stacks ") >= 1);
	assert_null(strstr(t.data, "histogram"));
	assert_int_equal(check_text(t.data), rill_runtime_metric_count + rill_worker_metric_count);
	free(t.data);
	stop(rt);
}

static struct rill_runtime *start_measured(enum rill_flavor flavor)
{
	return start((struct rill_runtime_options){
		.flavor = flavor,
		.workers = 2,
		.start_paused = flavor == RILL_CURRENT_THREAD,
		.run_histogram = {.enabled = true},
		.latency_histogram = {.enabled = true, .min_ns = 8, .max_ns = 32},
	});
}

static void *wait_a_little(void *arg)
{
	struct rill_task *t = spawn(same, NULL);

	move_clock(20);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return NULL;
}

static void test_text_histograms(void **state)
{
	struct rill_runtime *rt = start_measured(RILL_CURRENT_THREAD);
	struct text t;

	run(rt, wait_a_little, NULL);
	print(rt, &t, rill_runtime_print_metrics);
#define LATENCY "\nrill_worker_schedule_latency_ns"
	assert_non_null(strstr(t.data, "# TYPE rill_worker_schedule_latency_ns histogram\n"));
	/* two of 0, one of 20 */
	assert_int_equal(value_of(t.data, LATENCY "_bucket{worker=\"0\",le=\"7.0\"} "), 2);
	assert_int_equal(value_of(t.data, LATENCY "_bucket{worker=\"0\",le=\"19.0\"} "), 2);
	assert_int_equal(value_of(t.data, LATENCY "_bucket{worker=\"0\",le=\"23.0\"} "), 3);
	assert_int_equal(value_of(t.data, LATENCY "_bucket{worker=\"0\",le=\"+Inf\"} "), 3);
	assert_int_equal(value_of(t.data, LATENCY "_count{worker=\"0\"} "), 3);
	assert_int_equal(value_of(t.data, LATENCY "_sum{worker=\"0\"} "), 20);
	assert_int_equal(check_text(t.data),
			 rill_runtime_metric_count + rill_worker_metric_count + 2);
	free(t.data);
	stop(rt);
}

/* Printing while the workers count gives a text in order all the same. */
static void *print_often(void *arg)
{
	for (int i = 0; i < ROUNDS(60); i++) {
		struct text t;

		print(arg, &t, rill_runtime_print_metrics);
		check_text(t.data);
		free(t.data);
		print(arg, &t, rill_runtime_print_metrics_json);
		free(t.data);
	}
	return NULL;
}

static void test_print_while_running(void **state)
{
	struct rill_runtime *rt = start_measured(RILL_MULTI_THREAD);
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, print_often, rt), 0);
	for (int i = 0; i < ROUNDS(40); i++)
		run(rt, load, NULL);
	assert_int_equal(pthread_join(thread, NULL), 0);
	stop(rt);
}

/* ---- JSON ---- */

static json_t *parse(struct rill_runtime *rt)
{
	struct text t;
	json_error_t error;

	print(rt, &t, rill_runtime_print_metrics_json);
	json_t *all = json_loads(t.data, JSON_REJECT_DUPLICATES, &error);

	assert_non_null(all);
	free(t.data);
	return all;
}

static int64_t number(json_t *object, const char *name)
{
	json_t *n = json_object_get(object, name);

	assert_true(json_is_integer(n));
	return json_integer_value(n);
}

static void test_json(void **state)
{
	struct rill_runtime *rt = start_measured(RILL_CURRENT_THREAD);
	struct rill_worker_metrics m;

	run(rt, wait_a_little, NULL);
	assert_int_equal(rill_runtime_worker_metrics(rt, 0, &m), 0);
	json_t *all = parse(rt);
	json_t *of_rt = json_object_get(all, "runtime");
	json_t *workers = json_object_get(all, "workers");
	json_t *help = json_object_get(json_object_get(all, "help"), "workers");

	assert_int_equal(json_object_size(of_rt), rill_runtime_metric_count);
	assert_int_equal(number(of_rt, "workers"), 1);
	assert_int_equal(number(of_rt, "tasks_spawned"), 2);
	assert_int_equal(json_array_size(workers), 1);
	json_t *w = json_array_get(workers, 0);

	assert_int_equal(json_object_size(w), rill_worker_metric_count);
	for (size_t i = 0; i < rill_worker_metric_count; i++) {
		const struct rill_metric *line = &rill_worker_metric_table[i];

		assert_int_equal(number(w, line->name), rill_metric_value(line, &m));
		assert_string_equal(json_string_value(json_object_get(help, line->name)),
				    line->help);
	}
	json_decref(all);
	stop(rt);
}

static void test_json_histograms(void **state)
{
	struct rill_runtime *rt = start_measured(RILL_CURRENT_THREAD);
	json_int_t low, high, count;

	run(rt, wait_a_little, NULL);
	json_t *all = parse(rt);
	json_t *h = json_object_get(json_object_get(all, "histograms"), "schedule_latency_ns");
	json_t *buckets = json_object_get(h, "buckets");

	assert_int_equal(number(h, "count"), 3);
	assert_int_equal(number(h, "sum"), 20);
	assert_int_equal(number(h, "max"), 20);
	assert_int_equal(number(h, "p50"), 7);
	assert_int_equal(number(h, "p999"), 20);
	assert_int_equal(json_array_size(buckets), 2);
	assert_int_equal(json_unpack(json_array_get(buckets, 0), "[I, I, I]", &low, &high, &count),
			 0);
	assert_true(low == 0 && high == 8 && count == 2);
	assert_int_equal(json_unpack(json_array_get(buckets, 1), "[I, I, I]", &low, &high, &count),
			 0);
	assert_true(low == 20 && high == 24 && count == 1);
	assert_int_equal(json_object_size(json_object_get(all, "histograms")), 2);
	json_decref(all);
	stop(rt);
}

/* ---- what is attached prints too ---- */

static bool no_work(struct rill_poller *p, uint64_t now)
{
	return false;
}

static bool always_quiet(struct rill_poller *p)
{
	return true;
}

static void no_op(struct rill_poller *p)
{
}

static bool print_two(struct rill_poller *p, FILE *out, unsigned family, bool header)
{
	static const char *const names[] = {"fake_rx", "fake_tx"};

	if (family >= RILL_ARRAY_SIZE(names))
		return false;
	if (header)
		fprintf(out, "# TYPE %s counter\n# HELP %s Packets.\n", names[family],
			names[family]);
	fprintf(out, "%s_total{home=\"%u\"} 7\n", names[family], p->home);
	return true;
}

static void check_attached(struct rill_runtime *rt)
{
	json_t *all = parse(rt);
	json_t *attached = json_object_get(all, "attached");

	assert_int_equal(json_object_size(attached), 4);
	assert_int_equal(number(attached, "fake_rx_total{home=\"0\"}"), 7);
	assert_int_equal(number(attached, "fake_tx_total{home=\"2\"}"), 7);
	assert_int_equal(number(json_object_get(all, "runtime"), "pollers"), 3);
	json_decref(all);
}

static void test_pollers_print(void **state)
{
	const struct rill_poller_ops loud = {
		.poll = no_work, .arm = always_quiet, .disarm = no_op, .print_family = print_two};
	const struct rill_poller_ops mute = {.poll = no_work, .arm = always_quiet, .disarm = no_op};
	struct rill_poller p[3] = {
		{.ops = &loud, .fd = -1}, {.ops = &mute, .fd = -1}, {.ops = &loud, .fd = -1}};
	struct rill_runtime *rt = start_multi(3);
	struct rill_runtime_metrics m;
	struct text t;

	for (int i = 0; i < 3; i++)
		assert_int_equal(rill_poller_add(rt, &p[i]), 0);
	print(rt, &t, rill_runtime_print_metrics);
	assert_int_equal(value_of(t.data, "\nfake_rx_total{home=\"0\"} "), 7);
	assert_int_equal(value_of(t.data, "\nfake_rx_total{home=\"2\"} "), 7);
	assert_int_equal(value_of(t.data, "\nfake_tx_total{home=\"0\"} "), 7);
	assert_int_equal(value_of(t.data, "\nfake_tx_total{home=\"2\"} "), 7);
	assert_null(strstr(t.data, "{home=\"1\"}"));
	check_text(t.data);
	free(t.data);
	check_attached(rt);
	for (int i = 0; i < 3; i++)
		rill_poller_remove(&p[i]);
	rill_runtime_metrics(rt, &m);
	assert_int_equal(m.pollers, 0);
	stop(rt);
}

static void test_full_disk(void **state)
{
	struct rill_runtime *rt = start_current();
	FILE *f = fopen("/dev/full", "w");

	assert_non_null(f);
	setvbuf(f, NULL, _IONBF, 0);
	assert_int_equal(rill_runtime_print_metrics(rt, f), -EIO);
	assert_int_equal(rill_runtime_print_metrics_json(rt, f), -EIO);
	fclose(f);
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_histograms),
		cmocka_unit_test(test_print_while_running),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_histograms),
		cmocka_unit_test(test_pollers_print),
		cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
