/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/runtime/rt.h"

#define SPAWNS 500
#define YIELDS 7

static void *yield_some(void *arg)
{
	for (int i = 0; i < YIELDS; i++)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	return NULL;
}

static void *work(void *arg)
{
	struct rill_task *t[SPAWNS];

	for (int i = 0; i < SPAWNS; i++)
		t[i] = spawn(yield_some, NULL);
	for (int i = 0; i < SPAWNS; i++)
		RILL_ASSERT_CMP(rill_join(t[i], NULL), ==, 0);
	RILL_ASSERT_CMP(rill_sleep(RILL_MS), ==, 0);
	return NULL;
}

static void sum_up(struct rill_runtime *rt, struct rill_worker_metrics *sum)
{
	*sum = (struct rill_worker_metrics){0};
	for (unsigned i = 0; i < rill_runtime_workers(rt); i++) {
		struct rill_worker_metrics m;

		assert_int_equal(rill_runtime_worker_metrics(rt, i, &m), 0);
		sum->slices += m.slices;
		sum->spawned += m.spawned;
		sum->finished += m.finished;
		sum->yields += m.yields;
		sum->overflows += m.overflows;
		sum->steals += m.steals;
		sum->steal_operations += m.steal_operations;
		sum->timers_fired += m.timers_fired;
		sum->parks += m.parks;
		sum->unparks += m.unparks;
	}
}

static void test_counters(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct rill_runtime *rt = i ? start_multi(2) : start_current();
		struct rill_worker_metrics m;

		run(rt, work, NULL);
		sum_up(rt, &m);
		assert_int_equal(m.spawned, SPAWNS);
		/* and the one of block_on() */
		assert_int_equal(m.finished, SPAWNS + 1);
		assert_int_equal(m.yields, SPAWNS * YIELDS);
		assert_true(m.slices >= (SPAWNS + 1) + SPAWNS * YIELDS);
		/* 500 in a row do not fit into a queue of 256 */
		assert_true(m.overflows > 0 || m.steals > 0);
		assert_true(m.steals >= m.steal_operations);
		/* of several workers the one may count after the other has run the task */
		assert_true(i == 1 || m.timers_fired >= 1);
		assert_in_range(m.parks, m.unparks, m.unparks + 2);
		assert_true(rill_runtime_remote_schedules(rt) >= 1);
		assert_int_equal(rill_runtime_live_tasks(rt), 0);
		assert_int_equal(rill_runtime_worker_metrics(rt, rill_runtime_workers(rt), &m),
				 -EINVAL);
		stop(rt);
	}
}

/* ---- OpenMetrics ---- */

struct text {
	char *data;
	size_t len;
};

static void print(struct rill_runtime *rt, struct text *t)
{
	FILE *f = open_memstream(&t->data, &t->len);

	assert_non_null(f);
	assert_int_equal(rill_runtime_print_metrics(rt, f), 0);
	fclose(f);
}

#define NAME_LEN 64

/* A family: begun by its TYPE line, then HELP, then its samples, not to come again. */
struct family {
	char name[NAME_LEN];
	char type[16];
	unsigned samples;
};

static bool is_name(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s);
}

static void check_sample(struct family *f, const char *line)
{
	char name[NAME_LEN], want[NAME_LEN + 8];
	size_t len = strcspn(line, "{ ");
	const char *rest = line + len;
	char *end;

	assert_in_range(len, 1, NAME_LEN - 1);
	memcpy(name, line, len);
	name[len] = '\0';
	snprintf(want, sizeof(want), "%s%s", f->name, strcmp(f->type, "counter") ? "" : "_total");
	assert_string_equal(name, want);
	if (*rest == '{') {
		rest = strstr(rest, "\"}");
		assert_non_null(rest);
		rest += 2;
	}
	assert_int_equal(*rest, ' ');
	strtoull(rest + 1, &end, 10);
	assert_true(end > rest + 1);
	assert_int_equal(*end, '\0');
	f->samples++;
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
		assert_false(eof); /* nothing after it */
		if (strcmp(line, "# EOF") == 0) {
			eof = true;
		} else if (strncmp(line, "# TYPE ", 7) == 0) {
			struct family *f = &families[n++];

			f->samples = 0;
			assert_true(n <= RILL_ARRAY_SIZE(families));
			assert_int_equal(sscanf(line, "# TYPE %63s %15s", f->name, f->type), 2);
			assert_true(is_name(f->name));
			assert_true(!strcmp(f->type, "counter") || !strcmp(f->type, "gauge"));
			for (unsigned i = 0; i + 1 < n; i++)
				assert_string_not_equal(f->name, families[i].name);
		} else if (strncmp(line, "# HELP ", 7) == 0) {
			assert_true(n > 0 && families[n - 1].samples == 0);
			size_t len = strlen(families[n - 1].name);

			assert_memory_equal(line + 7, families[n - 1].name, len);
			assert_int_equal(line[7 + len], ' ');
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

	run(rt, work, NULL);
	print(rt, &t);
	assert_int_equal(value_of(t.data, "\nrill_live_tasks "), 0);
	assert_int_equal(
		value_of(t.data, "\nrill_workers ") +
			value_of(t.data, "\nrill_worker_tasks_spawned_total{worker=\"0\"} ") +
			value_of(t.data, "\nrill_worker_tasks_spawned_total{worker=\"1\"} "),
		2 + SPAWNS);
	assert_true(value_of(t.data, "\nrill_stacks ") >= 1);
	assert_true(check_text(t.data) > 15);
	free(t.data);
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

static void nothing(struct rill_poller *p)
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

static void test_pollers_print(void **state)
{
	const struct rill_poller_ops loud = {
		.poll = no_work, .arm = always_quiet, .disarm = nothing, .print_family = print_two};
	const struct rill_poller_ops mute = {
		.poll = no_work, .arm = always_quiet, .disarm = nothing};
	struct rill_poller p[3] = {
		{.ops = &loud, .fd = -1}, {.ops = &mute, .fd = -1}, {.ops = &loud, .fd = -1}};
	struct rill_runtime *rt = start_multi(3);
	struct text t;

	for (int i = 0; i < 3; i++)
		assert_int_equal(rill_poller_add(rt, &p[i]), 0);
	print(rt, &t);
	for (unsigned i = 0; i < 3; i += 2) {
		assert_int_equal(value_of(t.data, i ? "fake_rx_total{home=\"2\"} "
						    : "fake_rx_total{home=\"0\"} "),
				 7);
		assert_int_equal(value_of(t.data, i ? "fake_tx_total{home=\"2\"} "
						    : "fake_tx_total{home=\"0\"} "),
				 7);
	}
	assert_null(strstr(t.data, "{home=\"1\"}"));
	check_text(t.data);
	free(t.data);
	for (int i = 0; i < 3; i++)
		rill_poller_remove(&p[i]);
	stop(rt);
}

static void test_full_disk(void **state)
{
	struct rill_runtime *rt = start_current();
	FILE *f = fopen("/dev/full", "w");

	assert_non_null(f);
	setvbuf(f, NULL, _IONBF, 0);
	assert_int_equal(rill_runtime_print_metrics(rt, f), -EIO);
	fclose(f);
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_pollers_print),
		cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
