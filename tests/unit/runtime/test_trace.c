/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <rill/trace.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/ticks.h"
#include "runtime/trace.h"
#include "tests/unit/runtime/rt.h"

#if RILL_TRACING

/* ---- the ring ---- */

#define RECORDS 64

static void put(struct rill_trace_ring *ring, uint64_t n)
{
	rill_trace_put(ring, RILL_TRACE_STEAL, n, n << 8);
}

/* What was copied are n records up to the last, none of them half. */
static void check_copy(const struct rill_trace_record *r, unsigned n, uint64_t first)
{
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(r[i].what >> RILL_TRACE_EVENT_SHIFT, RILL_TRACE_STEAL);
		assert_int_equal(r[i].what & RILL_TRACE_ARG_MASK, first + i);
		assert_int_equal(r[i].time, (first + i) << 8);
	}
}

static void test_ring(void **state)
{
	struct rill_trace_record copy[RECORDS];
	struct rill_trace_ring ring;

	assert_int_equal(sizeof(copy[0]), 16);
	assert_int_equal(rill_trace_ring_init(&ring, RECORDS), 0);
	assert_int_equal(rill_trace_ring_copy(&ring, copy), 0);
	for (uint64_t n = 0; n < 5 * RECORDS + 7; n++) {
		/* of a full one the oldest might be overwritten right now */
		unsigned want = n < RECORDS ? (unsigned)n : RECORDS - 1;

		assert_int_equal(rill_trace_ring_copy(&ring, copy), want);
		check_copy(copy, want, n - want);
		put(&ring, n);
	}
	rill_trace_ring_fini(&ring);
}

struct writer {
	struct rill_trace_ring ring;
	RILL_ATOMIC(bool) stop;
};

static void *write_on(void *arg)
{
	struct writer *w = arg;

	for (uint64_t n = 0; !rill_load_relaxed(&w->stop); n++)
		put(&w->ring, n);
	return NULL;
}

/* What a reader gets is whole and without gaps, however fast the writer goes round. */
static void test_ring_while_written(void **state)
{
	struct rill_trace_record copy[RECORDS];
	struct writer w = {.stop = false};
	pthread_t thread;
	uint64_t seen = 0;

	assert_int_equal(rill_trace_ring_init(&w.ring, RECORDS), 0);
	assert_int_equal(pthread_create(&thread, NULL, write_on, &w), 0);
	for (int round = 0; round < ROUNDS(20000); seen < 5 * RECORDS ? 0 : round++) {
		unsigned n = rill_trace_ring_copy(&w.ring, copy);

		if (n == 0)
			continue;
		uint64_t first = copy[0].what & RILL_TRACE_ARG_MASK;

		check_copy(copy, n, first);
		assert_true(first + n >= seen);
		seen = first + n;
	}
	rill_store_relaxed(&w.stop, true);
	pthread_join(thread, NULL);
	rill_trace_ring_fini(&w.ring);
}

/* ---- reading exports ---- */

static json_t *export(struct rill_runtime *rt)
{
	char *text = NULL;
	size_t len = 0;
	json_error_t error;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	assert_int_equal(rill_trace_export(rt, f), 0);
	fclose(f);
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (!root)
		fail_msg("line %d: %s", error.line, error.text);
	free(text);
	return root;
}

static const char *string_of(const json_t *event, const char *key)
{
	const char *s = json_string_value(json_object_get(event, key));

	return s ? s : "";
}

static bool is(const json_t *event, const char *phase, const char *name)
{
	return !strcmp(string_of(event, "ph"), phase) && !strcmp(string_of(event, "name"), name);
}

static int64_t ns_of(const json_t *event, const char *key)
{
	const json_t *us = json_object_get(event, key);

	assert_true(json_is_number(us));
	return (int64_t)(json_number_value(us) * 1000 + 0.5);
}

/* Of the events of this phase and name, how many; *ret_last (may be NULL) is the last one. */
static unsigned count(json_t *root, const char *phase, const char *name, json_t **ret_last)
{
	unsigned n = 0;
	size_t i;
	json_t *e;

	json_array_foreach(json_object_get(root, "traceEvents"), i, e)
	{
		if (!is(e, phase, name))
			continue;
		n++;
		if (ret_last)
			*ret_last = e;
	}
	return n;
}

/* Of whatever task. */
static unsigned slices(json_t *root)
{
	unsigned n = 0;
	size_t i;
	json_t *e;

	json_array_foreach(json_object_get(root, "traceEvents"), i, e) n +=
		!strcmp(string_of(e, "ph"), "X") && !strcmp(string_of(e, "cat"), "task");
	return n;
}

#define TRACKS_MAX 16
#define ARROWS_MAX 100000

/* Each arrow has one beginning and one end. */
static void check_arrow(const json_t *e, uint8_t *arrows)
{
	json_int_t id = json_integer_value(json_object_get(e, "id"));
	uint8_t bit = *string_of(e, "ph") == 's' ? 1 : 2;

	assert_in_range(id, 1, ARROWS_MAX - 1);
	assert_false(arrows[id] & bit);
	arrows[id] |= bit;
	if (bit == 2)
		assert_string_equal(string_of(e, "bp"), "e");
}

/* Times never go back on a track, and one slice is over before the next begins. */
static void check_export(json_t *root)
{
	static uint8_t arrows[ARROWS_MAX];
	int64_t last[TRACKS_MAX] = {0}, slice_end[TRACKS_MAX] = {0};
	size_t i;
	json_t *e;

	memset(arrows, 0, sizeof(arrows));
	json_array_foreach(json_object_get(root, "traceEvents"), i, e)
	{
		char phase = *string_of(e, "ph");
		json_int_t track = json_integer_value(json_object_get(e, "tid"));

		assert_in_range(track, 1, TRACKS_MAX - 1);
		assert_true(*string_of(e, "name"));
		assert_true(json_integer_value(json_object_get(e, "pid")) > 0);
		if (phase == 'M')
			continue;
		int64_t at = ns_of(e, "ts");

		assert_true(at >= last[track]);
		last[track] = at;
		if (phase == 'X') {
			assert_true(at >= slice_end[track]);
			assert_true(ns_of(e, "dur") >= 0);
			slice_end[track] = at + ns_of(e, "dur");
		} else if (phase == 's' || phase == 'f') {
			check_arrow(e, arrows);
		} else if (phase == 'i') {
			assert_string_equal(string_of(e, "s"), "t");
		} else {
			assert_int_equal(phase, 'C');
		}
	}
	for (i = 0; i < ARROWS_MAX; i++)
		assert_true(arrows[i] == 0 || arrows[i] == 3);
}

static struct rill_task *spawn_named(const char *name, void *(*fn)(void *), void *arg)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .name = name};
	struct rill_task *t = NULL;

	RILL_ASSERT_CMP(rill_spawn_with(&o, fn, arg, &t), ==, 0);
	return t;
}

/* ---- what is in an export ---- */

static void *naps(void *arg)
{
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	RILL_ASSERT_CMP(rill_sleep(3 * RILL_MS), ==, 0);
	return NULL;
}

static void *two_naps(void *arg)
{
	struct rill_task *a = spawn_named("a", naps, NULL);
	struct rill_task *b = spawn_named("b", naps, NULL);

	RILL_ASSERT_CMP(rill_join(a, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_join(b, NULL), ==, 0);
	return NULL;
}

/* How the slices of this name ended, in their order. */
static void check_ends(json_t *root, const char *name, const char *want)
{
	char got[128] = "";
	size_t i;
	json_t *e;

	json_array_foreach(json_object_get(root, "traceEvents"), i, e)
	{
		if (!is(e, "X", name))
			continue;
		assert_string_equal(string_of(e, "cat"), "task");
		strcat(got, string_of(json_object_get(e, "args"), "then"));
		strcat(got, " ");
	}
	assert_string_equal(got, want);
}

static void test_slices(void **state)
{
	struct rill_runtime *rt = start_paused();
	json_t *first = NULL, *last = NULL;

	/* wakes are left out at the coarse level */
	assert_int_equal(rill_trace_set_level(rt, RILL_TRACE_PRECISE), 0);
	run(rt, two_naps, NULL);
	json_t *root = export(rt);

	check_export(root);
	check_ends(root, "a", "yielded parked ended ");
	check_ends(root, "b", "yielded parked ended ");
	assert_int_equal(count(root, "i", "spawn", &first), 2);
	assert_true(count(root, "i", "timers", NULL) >= 1);
	/* an arrow for each spawn, at the least */
	assert_true(count(root, "s", "wake", NULL) >= 2);
	assert_int_equal(count(root, "s", "wake", NULL), count(root, "f", "wake", NULL));
	assert_int_equal(count(root, "M", "process_name", NULL), 1);
	assert_int_equal(count(root, "M", "thread_name", NULL), 1);
	/* the nap, in virtual time (a timer's tick is about a microsecond) */
	assert_int_equal(count(root, "X", "a", &last), 3);
	assert_in_range(ns_of(last, "ts") - ns_of(first, "ts"), 3 * RILL_MS,
			3 * RILL_MS + 10 * RILL_US);
	json_decref(root);
	stop(rt);
}

/*
 * Without ids, which are the process's, and in tenths of a millisecond: ticks of the timers' wheel
 * are those of the real clock, at which the paused one began.
 */
static char *shape(json_t *root)
{
	char *text = NULL;
	size_t i, len = 0;
	json_t *e;
	FILE *f = open_memstream(&text, &len);

	json_array_foreach(json_object_get(root, "traceEvents"), i, e)
	{
		const json_t *ts = json_object_get(e, "ts");

		fprintf(f, "%s %s %ld\n", string_of(e, "ph"), string_of(e, "name"),
			ts ? (long)(json_number_value(ts) / 100) : 0);
	}
	fclose(f);
	return text;
}

/* Virtual time, one thread, one seed: one trace at each level. */
static void test_deterministic(void **state)
{
	char *text[4];

	for (int i = 0; i < 4; i++) {
		struct rill_runtime *rt = start_paused();

		if (i >= 2)
			assert_int_equal(rill_trace_set_level(rt, RILL_TRACE_PRECISE), 0);
		run(rt, two_naps, NULL);
		json_t *root = export(rt);

		text[i] = shape(root);
		json_decref(root);
		stop(rt);
	}
	assert_string_equal(text[0], text[1]);
	assert_string_equal(text[2], text[3]);
	for (int i = 0; i < 4; i++)
		free(text[i]);
}

/* ---- names ---- */

static void *export_from_inside(void *arg)
{
	json_t **ret_root = arg;

	*ret_root = export(rill_runtime_current());
	return NULL;
}

static void *export_as(void *arg)
{
	void **name_and_root = arg;
	struct rill_task *t = spawn_named(name_and_root[0], export_from_inside, &name_and_root[1]);

	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return NULL;
}

static void check_name(const char *name, const char *want)
{
	struct rill_runtime *rt = start_paused();
	void *name_and_root[2] = {(void *)(uintptr_t)name, NULL};

	run(rt, export_as, name_and_root);
	json_t *root = name_and_root[1];

	check_export(root);
	if (count(root, "X", want, NULL) != 1)
		fail_msg("no slice is named \"%s\"", want);
	json_decref(root);
	stop(rt);
}

static void test_names_are_escaped(void **state)
{
	check_name("plain", "plain");
	check_name("\"\\/\n\t\x01\x7f", "\"\\/\n\t\x01\x7f");
	check_name("\xc3\xa4 \xe2\x82\xac \xf0\x9f\xa6\x80",
		   "\xc3\xa4 \xe2\x82\xac \xf0\x9f\xa6\x80");
	/* no UTF-8: a byte of Latin-1, overlong, a surrogate, too large, cut off */
	check_name("\xe4", "\xef\xbf\xbd");
	check_name("\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd");
	check_name("x\xed\xa0\x80", "x\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	check_name("\xf4\x90\x80\x80y", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdy");
	check_name("123456789012345678901234567890\xc3\xa4",
		   "123456789012345678901234567890\xef\xbf\xbd");
}

static void *self_id(void *arg)
{
	uint64_t *ret_id = arg;

	*ret_id = rill_self_id();
	return NULL;
}

static void *export_of_nameless(void *arg)
{
	json_t *root = NULL;
	char name[32];
	uint64_t id;

	RILL_ASSERT_CMP(rill_join(spawn(self_id, &id), NULL), ==, 0);
	snprintf(name, sizeof(name), "task %" PRIu64, id);
	root = export(rill_runtime_current());
	RILL_ASSERT(count(root, "X", name, NULL) == 1);
	json_decref(root);
	return NULL;
}

static void test_nameless(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, export_of_nameless, NULL);
	stop(rt);
}

/* ---- levels ---- */

static uint64_t written(struct rill_runtime *rt)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < rill_runtime_workers(rt); i++)
		sum += rill_load_relaxed(&rt->workers[i].trace.head);
	return sum;
}

/* How many of the records that are there now carry cycles. */
static unsigned with_cycles(struct rill_runtime *rt)
{
	struct rill_trace_record *copy = calloc(rt->o.trace_records, sizeof(*copy));
	unsigned n = rill_trace_ring_copy(&rt->workers[0].trace, copy);
	unsigned found = 0;

	for (unsigned i = 0; i < n; i++)
		found += (copy[i].time & RILL_TRACE_CYCLES) != 0;
	free(copy);
	return found;
}

static void *yields(void *arg)
{
	for (int i = 0; i < 100; i++)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	return NULL;
}

static void test_levels(void **state)
{
	struct rill_runtime *rt = start((struct rill_runtime_options){.flavor = RILL_CURRENT_THREAD,
								      .trace = RILL_TRACE_OFF});

	assert_int_equal(rill_trace_level(rt), RILL_TRACE_OFF);
	run(rt, yields, NULL);
	assert_int_equal(written(rt), 0);

	assert_int_equal(rill_trace_set_level(rt, RILL_TRACE_COARSE), 0);
	assert_int_equal(rill_trace_level(rt), RILL_TRACE_COARSE);
	run(rt, yields, NULL);
	assert_true(written(rt) >= 200);
	assert_int_equal(with_cycles(rt), 0);

	uint64_t before = written(rt);

	assert_int_equal(rill_trace_set_level(rt, RILL_TRACE_PRECISE), 0);
	assert_int_equal(rill_trace_level(rt), RILL_TRACE_PRECISE);
	run(rt, yields, NULL);
	if (rill_ticks_usable())
		assert_true(with_cycles(rt) >= 200);
	else
		assert_int_equal(with_cycles(rt), 0);
	assert_true(written(rt) >= before + 200);

	/* both kinds of time in one export */
	json_t *root = export(rt);

	check_export(root);
	assert_true(slices(root) >= 200);
	json_decref(root);
	assert_int_equal(rill_trace_set_level(rt, (enum rill_trace_level)3), -EINVAL);
	assert_int_equal(rill_trace_level(rt), RILL_TRACE_PRECISE);
	stop(rt);
}

/* The last ones are kept. */
static void test_small_ring(void **state)
{
	struct rill_runtime *rt = start((struct rill_runtime_options){
		.flavor = RILL_CURRENT_THREAD, .start_paused = true, .trace_records = 1});

	run(rt, yields, NULL);
	run(rt, two_naps, NULL);
	json_t *root = export(rt);

	check_export(root);
	assert_int_equal(rt->o.trace_records, 64);
	check_ends(root, "b", "yielded parked ended ");
	json_decref(root);
	stop(rt);
}

/* ---- several workers, and exports meanwhile ---- */

#define CHILDREN 20

static void *churn(void *arg)
{
	RILL_ATOMIC(bool) *stop = arg;
	struct rill_task *t[CHILDREN];

	while (!rill_load_relaxed(stop)) {
		for (int i = 0; i < CHILDREN; i++)
			t[i] = spawn_named(i % 2 ? "odd" : "even", yields, NULL);
		for (int i = 0; i < CHILDREN; i++)
			RILL_ASSERT_CMP(rill_join(t[i], NULL), ==, 0);
	}
	return NULL;
}

static void test_export_while_running(void **state)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = start_multi(3)};
	RILL_ATOMIC(bool) stopping = false;
	struct rill_task *t;

	assert_int_equal(rill_spawn_with(&o, churn, &stopping, &t), 0);
	while (written(o.runtime) < UINT64_C(3) * o.runtime->o.trace_records)
		sched_yield();
	for (int i = 0; i < 6; i++) {
		json_t *root;

		assert_int_equal(rill_trace_set_level(o.runtime, i % 2 ? RILL_TRACE_PRECISE
								       : RILL_TRACE_COARSE),
				 0);
		root = export(o.runtime);
		check_export(root);
		assert_int_equal(count(root, "M", "thread_name", NULL), 3);
		json_decref(root);
	}
	rill_store_relaxed(&stopping, true);
	assert_int_equal(rill_join(t, NULL), 0);
	json_t *root = export(o.runtime);

	check_export(root);
	assert_true(count(root, "X", "odd", NULL) + count(root, "X", "even", NULL) > 0);
	json_decref(root);
	stop(o.runtime);
}

static void test_full_disk(void **state)
{
	struct rill_runtime *rt = start_current();
	FILE *f = fopen("/dev/full", "w");

	assert_non_null(f);
	assert_int_equal(rill_trace_export(rt, f), -EIO);
	fclose(f);
	stop(rt);
}

/* A runtime that has done nothing yet. */
static void test_empty(void **state)
{
	struct rill_runtime *rt = start_current();
	json_t *root = export(rt);

	check_export(root);
	assert_int_equal(json_array_size(json_object_get(root, "traceEvents")), 2);
	json_decref(root);
	stop(rt);
}

#else

static void test_disabled(void **state)
{
	struct rill_runtime *rt = start_current();

	assert_int_equal(rill_trace_level(rt), RILL_TRACE_OFF);
	assert_int_equal(rill_trace_set_level(rt, RILL_TRACE_COARSE), -ENOTSUP);
	assert_int_equal(rill_trace_set_level(rt, (enum rill_trace_level)3), -EINVAL);
	assert_int_equal(rill_trace_export(rt, stdout), -ENOTSUP);
	stop(rt);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#if RILL_TRACING
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_ring_while_written),
		cmocka_unit_test(test_slices),
		cmocka_unit_test(test_deterministic),
		cmocka_unit_test(test_names_are_escaped),
		cmocka_unit_test(test_nameless),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_small_ring),
		cmocka_unit_test(test_export_while_running),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_empty),
#else
		cmocka_unit_test(test_disabled),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
