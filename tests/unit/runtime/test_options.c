/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/options.h"

static struct rill_runtime_options fill(struct rill_runtime_options in)
{
	struct rill_runtime_options o;

	in.size = sizeof(in);
	assert_int_equal(rill_options_fill(&o, &in), 0);
	return o;
}

/* The options are refused, and what is said about it has all the words. */
static void refuse(struct rill_runtime_options in, const char *word1, const char *word2)
{
	struct rill_runtime_options o, before;

	memset(&o, 0x5a, sizeof(o));
	memcpy(&before, &o, sizeof(o));
	in.size = in.size ? in.size : sizeof(in);
	rill_options_fail("nothing");
	assert_int_equal(rill_options_fill(&o, &in), -EINVAL);
	assert_memory_equal(&o, &before, sizeof(o));
	if (!strstr(rill_runtime_error(), word1) || !strstr(rill_runtime_error(), word2))
		fail_msg("\"%s\" says neither \"%s\" nor \"%s\"", rill_runtime_error(), word1,
			 word2);
}

#define REFUSE(word1, word2, ...) refuse((struct rill_runtime_options){__VA_ARGS__}, word1, word2)

/* ---- defaults ---- */

static void test_defaults(void **state)
{
	struct rill_runtime_options o;
	cpu_set_t set;

	unsetenv("RILL_WORKERS");
	assert_int_equal(rill_options_fill(&o, NULL), 0);
	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	assert_int_equal(o.workers, CPU_COUNT(&set));
	assert_int_equal(o.flavor, RILL_MULTI_THREAD);
	assert_int_equal(o.idle, RILL_IDLE_ADAPTIVE);
	assert_true(o.spin_ns == 50 * RILL_US);
	assert_int_equal(o.stack_size, 64u << 10);
	assert_int_equal(o.budget, 128);
	assert_true(o.seed != 0);
	assert_string_equal(o.name, "rill");
	assert_int_equal(o.max_blocking, 512);
	assert_true(o.keep_alive_ns == 10 * RILL_SEC);
	assert_int_equal(o.thread_stack_size, 0);
	assert_int_equal(o.inject_interval, 0);
	assert_int_equal(o.poll_interval, 0);
	assert_true(o.stuck_ns == 10 * RILL_MS);
	assert_false(o.run_histogram.enabled);
	assert_true(o.run_histogram.min_ns == 100);
	assert_true(o.latency_histogram.max_ns == 60 * RILL_SEC);
	assert_int_equal(o.latency_histogram.precision, 2);
	assert_int_equal(o.trace, RILL_TRACE_COARSE);
	assert_int_equal(o.trace_records, 4096);
	rill_options_release(&o);
}

static void test_seeds_differ(void **state)
{
	uint64_t a = fill((struct rill_runtime_options){.no_pin = true}).seed;
	uint64_t b = fill((struct rill_runtime_options){.no_pin = true}).seed;

	assert_true(a != b);
	assert_true(fill((struct rill_runtime_options){.no_pin = true, .seed = 7}).seed == 7);
}

static void test_given_values_stay(void **state)
{
	struct rill_runtime_options o = fill((struct rill_runtime_options){
		.workers = 3,
		.no_pin = true,
		.idle = RILL_IDLE_SPIN,
		.spin_ns = 1,
		.stack_size = 100001,
		.budget = 1,
		.name = "mine",
		.max_blocking = 1,
		.keep_alive_ns = RILL_FOREVER,
		.thread_stack_size = 1 << 20,
		.inject_interval = 1,
		.poll_interval = 2,
		.stuck_ns = RILL_FOREVER,
		.run_histogram = {.min_ns = 5, .max_ns = 6, .precision = 6},
		.trace = RILL_TRACE_OFF,
		.trace_records = 100,
	});

	assert_int_equal(o.workers, 3);
	assert_int_equal(o.idle, RILL_IDLE_SPIN);
	assert_true(o.spin_ns == 1);
	assert_int_equal(o.stack_size, 100001);
	assert_int_equal(o.budget, 1);
	assert_string_equal(o.name, "mine");
	assert_int_equal(o.max_blocking, 1);
	assert_true(o.keep_alive_ns == RILL_FOREVER);
	assert_int_equal(o.thread_stack_size, 1 << 20);
	assert_int_equal(o.inject_interval, 1);
	assert_int_equal(o.poll_interval, 2);
	assert_true(o.stuck_ns == RILL_FOREVER);
	assert_true(o.run_histogram.min_ns == 5 && o.run_histogram.max_ns == 6);
	assert_int_equal(o.trace, RILL_TRACE_OFF);
	assert_int_equal(o.trace_records, 128);
	assert_null(o.cpus);
}

static void test_current_thread(void **state)
{
	struct rill_runtime_options o = fill((struct rill_runtime_options){
		.flavor = RILL_CURRENT_THREAD,
		.workers = 5,
		.start_paused = true,
		.shuffle = true,
	});

	assert_int_equal(o.workers, 1);
	assert_null(o.cpus);
	assert_true(o.start_paused && o.shuffle);
}

/* ---- sizes ---- */

/* A program built for an older rill: fields past its end are not read. */
static void test_older_caller(void **state)
{
	struct rill_runtime_options in, o;

	memset(&in, 0xff, sizeof(in));
	in.size = offsetof(struct rill_runtime_options, workers);
	in.flavor = RILL_CURRENT_THREAD;
	in.idle = RILL_IDLE_ADAPTIVE;
	assert_int_equal(rill_options_fill(&o, &in), 0);
	assert_int_equal(o.budget, 128);
	assert_int_equal(o.size, sizeof(o));
}

/* And for a newer one: what it sets beyond our end is refused, zeros are not. */
static void test_newer_caller(void **state)
{
	struct {
		struct rill_runtime_options known;
		uint64_t unknown;
	} in = {{.size = sizeof(in), .no_pin = true}, 0};
	struct rill_runtime_options o;

	assert_int_equal(rill_options_fill(&o, &in.known), 0);
	in.unknown = 1;
	assert_int_equal(rill_options_fill(&o, &in.known), -EINVAL);
	assert_non_null(strstr(rill_runtime_error(), "newer rill"));
	REFUSE("RILL_OPTIONS", "size", .size = 1);
}

/* ---- bad values ---- */

static void test_bad_values(void **state)
{
	static const int cpu = 0;

	REFUSE("flavor", "7", .flavor = (enum rill_flavor)7);
	REFUSE("idle", "2", .idle = (enum rill_idle)2);
	REFUSE("on_failure", "3", .on_failure = (enum rill_on_failure)3);
	REFUSE("trace", "3", .trace = (enum rill_trace_level)3);
	REFUSE("workers", "at most 1024", .workers = 1025);
	REFUSE("start_paused", "CURRENT_THREAD", .start_paused = true);
	REFUSE("start_paused", "ADAPTIVE", .start_paused = true, .flavor = RILL_CURRENT_THREAD,
	       .idle = RILL_IDLE_SPIN);
	REFUSE("shuffle", "CURRENT_THREAD", .shuffle = true);
	REFUSE("stack_size", "100:", .stack_size = 100);
	REFUSE("stack_size", "1073741824", .stack_size = (size_t)2 << 30);
	REFUSE("thread_stack_size", "at most", .thread_stack_size = SIZE_MAX);
	REFUSE("run_histogram.precision", "at most 6", .run_histogram = {.precision = 7});
	REFUSE("latency_histogram", "smaller", .latency_histogram = {.min_ns = 9, .max_ns = 9});
	REFUSE("run_histogram", "min_ns", .run_histogram = {.min_ns = 61 * RILL_SEC});
	REFUSE("trace_records", "1048576", .trace_records = (1u << 20) + 1);
	REFUSE("cpu_count is 2", "NULL", .cpu_count = 2);
	REFUSE("cpu_count is 0", "set", .cpus = &cpu);
	REFUSE("cpus", "rill_block_on", .cpus = &cpu, .cpu_count = 1,
	       .flavor = RILL_CURRENT_THREAD);
}

static void *other_thread(void *arg)
{
	char *text = arg;

	text[0] = *rill_runtime_error();
	rill_options_fail("%s", "of the other");
	strcpy(text + 1, rill_runtime_error());
	return NULL;
}

static void test_error_is_the_threads_own(void **state)
{
	char text[32] = "x";
	pthread_t thread;

	REFUSE("workers", "8888", .workers = 8888);
	assert_int_equal(pthread_create(&thread, NULL, other_thread, text), 0);
	pthread_join(thread, NULL);
	assert_int_equal(text[0], '\0');
	assert_string_equal(text + 1, "of the other");
	assert_non_null(strstr(rill_runtime_error(), "8888"));
}

/* ---- RILL_WORKERS ---- */

static void test_environment(void **state)
{
	static const char *const bad[] = {
		"0", "-1", "+1", " 1", "two", "2x", "1025", "0x", "99999999999999999999999"};

	setenv("RILL_WORKERS", "7", 1);
	assert_int_equal(fill((struct rill_runtime_options){.no_pin = true}).workers, 7);
	/* the program's word counts for more */
	assert_int_equal(fill((struct rill_runtime_options){.workers = 2, .no_pin = true}).workers,
			 2);
	assert_int_equal(fill((struct rill_runtime_options){.flavor = RILL_CURRENT_THREAD}).workers,
			 1);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(bad); i++) {
		setenv("RILL_WORKERS", bad[i], 1);
		REFUSE("RILL_WORKERS", bad[i], .no_pin = true);
		assert_int_equal(
			fill((struct rill_runtime_options){.workers = 2, .no_pin = true}).workers,
			2);
	}
	setenv("RILL_WORKERS", "", 1);
	assert_true(fill((struct rill_runtime_options){.no_pin = true}).workers >= 1);
	unsetenv("RILL_WORKERS");
}

/* ---- CPUs ---- */

/* Of the CPUs that this process may use, the first. */
static int first_cpu(cpu_set_t *ret_set)
{
	int cpu = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(*ret_set), ret_set), 0);
	while (!CPU_ISSET(cpu, ret_set))
		cpu++;
	return cpu;
}

/* What one CPU allows, whatever machine this is. */
static void test_cpus_by_default(void **state)
{
	cpu_set_t all, one;
	int cpu = first_cpu(&all);

	unsetenv("RILL_WORKERS");
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	struct rill_runtime_options o = fill((struct rill_runtime_options){0});
	/* more workers than CPUs are left to the kernel */
	struct rill_runtime_options more = fill((struct rill_runtime_options){.workers = 2});

	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	assert_int_equal(o.workers, 1);
	assert_int_equal(o.cpu_count, 1);
	assert_int_equal(o.cpus[0], cpu);
	rill_options_release(&o);
	assert_null(o.cpus);
	assert_null(more.cpus);
	assert_null(fill((struct rill_runtime_options){.workers = 1, .no_pin = true}).cpus);
}

static void test_cpus_are_copied(void **state)
{
	cpu_set_t set;
	int cpus[2] = {first_cpu(&set), 0};

	cpus[1] = cpus[0];
	struct rill_runtime_options o =
		fill((struct rill_runtime_options){.workers = 3, .cpus = cpus, .cpu_count = 2});
	int cpu = cpus[0];

	cpus[0] = cpus[1] = -1;
	assert_int_equal(o.cpu_count, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(o.cpus[i], cpu);
	rill_options_release(&o);
}

static void test_cpus_are_checked(void **state)
{
	cpu_set_t all, one;
	int cpus[2] = {first_cpu(&all), -1};
	char allowed[32];

	snprintf(allowed, sizeof(allowed), "from %d,", cpus[0]);
	CPU_ZERO(&one);
	CPU_SET(cpus[0], &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	REFUSE("cpus[1] is -1", "affinity", .cpus = cpus, .cpu_count = 2);
	cpus[1] = cpus[0] + 1;
	REFUSE("cpus[1]", allowed, .workers = 1, .cpus = cpus, .cpu_count = 2);
	cpus[1] = 1 << 20;
	REFUSE("cpus[1] is 1048576", allowed, .cpus = cpus, .cpu_count = 2);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_seeds_differ),
		cmocka_unit_test(test_given_values_stay),
		cmocka_unit_test(test_current_thread),
		cmocka_unit_test(test_older_caller),
		cmocka_unit_test(test_newer_caller),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_error_is_the_threads_own),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_cpus_by_default),
		cmocka_unit_test(test_cpus_are_copied),
		cmocka_unit_test(test_cpus_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
