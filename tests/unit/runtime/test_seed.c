/* SPDX-License-Identifier: BSD-3-Clause */
/* The same seed, the same order: a race that one order in many shows is found, and found again. */
#include "tests/unit/runtime/rt.h"

#include <rill/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what was said to stderr ---- */

static int saved_stderr;
static FILE *capture;

static void capture_begin(void)
{
	fflush(stderr);
	capture = tmpfile();
	assert_non_null(capture);
	saved_stderr = dup(STDERR_FILENO);
	dup2(fileno(capture), STDERR_FILENO);
}

static void capture_end(char *ret_said, size_t size)
{
	fflush(stderr);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	rewind(capture);
	ret_said[fread(ret_said, 1, size - 1, capture)] = '\0';
	fclose(capture);
}

/* ---- a lost update ---- */

static unsigned balance;
static unsigned runs;

struct teller {
	unsigned idle_rounds;
};

/* Reads, lets others run, writes. */
static void *deposit(void *arg)
{
	struct teller *t = arg;

	for (unsigned i = 0; i < t->idle_rounds; i++)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	unsigned seen = balance;

	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	balance = seen + 1;
	return NULL;
}

/* The second teller begins as the first one ends: only the order within that round decides. */
static int deposit_twice(void *arg)
{
	struct teller tellers[2] = {{1}, {2}};
	struct rill_task *tasks[2];

	runs++;
	balance = 0;
	for (int i = 0; i < 2; i++)
		tasks[i] = spawn(deposit, &tellers[i]);
	for (int i = 0; i < 2; i++)
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), ==, 0);
	return balance == 2 ? 0 : 7;
}

static void test_race_is_found_and_replayed(void **state)
{
	char said[256], name[64];
	uint64_t seed = 0, again = 0;
	unsigned good = 0;

	capture_begin();
	int r = rill_test_seeds(1, 200, deposit_twice, NULL, &seed);
	int replayed = 0;

	for (int i = 0; i < 5; i++)
		replayed += rill_test_seeds(seed, 1, deposit_twice, NULL, &again);
	capture_end(said, sizeof(said));
	assert_int_equal(r, 7);
	assert_int_equal(replayed, 5 * 7);
	assert_true(again == seed);
	snprintf(name, sizeof(name), "seed %llu fails with 7; RILL_TEST_SEED=%llu",
		 (unsigned long long)seed, (unsigned long long)seed);
	assert_non_null(strstr(said, name));
	/* it is not that every order shows it */
	capture_begin();
	for (uint64_t s = 1; s <= 50; s++)
		good += rill_test_seeds(s, 1, deposit_twice, NULL, NULL) == 0;
	capture_end(said, sizeof(said));
	assert_in_range(good, 1, 49);
}

static void test_one_seed_by_the_environment(void **state)
{
	char said[256], text[32];
	uint64_t seed = 0, same = 0;

	capture_begin();
	rill_test_seeds(1, 200, deposit_twice, NULL, &seed);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)seed);
	setenv("RILL_TEST_SEED", text, 1);
	runs = 0;
	int r = rill_test_seeds(1000, 200, deposit_twice, NULL, &same);

	unsetenv("RILL_TEST_SEED");
	capture_end(said, sizeof(said));
	assert_int_equal(r, 7);
	assert_int_equal(runs, 1);
	assert_true(same == seed);
}

/* ---- orders ---- */

#define RUNNERS 5
#define STEPS 8

struct trace {
	unsigned n;
	char order[RUNNERS * STEPS + 1];
};

struct runner {
	struct trace *trace;
	struct gate *gate;
	char name;
};

/* Yields, wakes, waits, sleeps and selects. */
static void *wander(void *arg)
{
	struct runner *r = arg;
	struct rill_case cases[2];

	for (unsigned i = 0; i < STEPS; i++) {
		r->trace->order[r->trace->n++] = r->name;
		gate_post(r->gate);
		gate_post(r->gate);
		if (i % 3 == 0)
			RILL_ASSERT_CMP(rill_yield(), ==, 0);
		else if (i % 3 == 1)
			RILL_ASSERT_CMP(rill_sleep(RILL_MS), ==, 0);
		RILL_ASSERT_CMP(gate_wait(r->gate), ==, 0);
		gate_case(&cases[0], r->gate);
		rill_case_sleep_until(&cases[1], 0);
		if (rill_select(cases, 2, 0) == 0)
			r->trace->order[r->trace->n - 1] ^= 0x20;
	}
	return NULL;
}

static int run_all(void *arg)
{
	struct runner runners[RUNNERS];
	struct rill_task *tasks[RUNNERS];
	struct gate gate;

	gate_init(&gate);
	for (int i = 0; i < RUNNERS; i++) {
		runners[i] = (struct runner){arg, &gate, (char)('a' + i)};
		tasks[i] = spawn(wander, &runners[i]);
	}
	for (int i = 0; i < RUNNERS; i++)
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), ==, 0);
	return 0;
}

static struct trace trace_of(uint64_t seed)
{
	struct trace t = {0};

	assert_int_equal(rill_test_seeds(seed, 1, run_all, &t, NULL), 0);
	assert_int_equal(t.n, RUNNERS * STEPS);
	return t;
}

static void test_same_seed_same_order(void **state)
{
	struct trace one = trace_of(1);
	unsigned different = 0;

	for (uint64_t seed = 2; seed <= 40; seed++) {
		struct trace t = trace_of(seed);

		for (int i = 0; i < 3; i++)
			assert_string_equal(trace_of(seed).order, t.order);
		different += strcmp(t.order, one.order) != 0;
	}
	assert_int_equal(different, 39);
}

/* More tasks than a worker's queue holds. */
#define MANY 600

static unsigned next_place;
static unsigned place_of[MANY];

static void *take_place(void *arg)
{
	place_of[(uintptr_t)arg] = next_place++;
	return NULL;
}

static int place_many(void *arg)
{
	static struct rill_task *tasks[MANY];

	next_place = 0;
	for (uintptr_t i = 0; i < MANY; i++)
		tasks[i] = spawn(take_place, (void *)i);
	for (int i = 0; i < MANY; i++)
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), ==, 0);
	return next_place == MANY ? 0 : 1;
}

static void test_many_tasks(void **state)
{
	static unsigned first[MANY];

	assert_int_equal(rill_test_seeds(5, 1, place_many, NULL, NULL), 0);
	memcpy(first, place_of, sizeof(first));
	assert_int_equal(rill_test_seeds(5, 1, place_many, NULL, NULL), 0);
	assert_memory_equal(first, place_of, sizeof(first));
	assert_int_equal(rill_test_seeds(6, 1, place_many, NULL, NULL), 0);
	assert_int_not_equal(memcmp(first, place_of, sizeof(first)), 0);
}

/* ---- ends ---- */

static int fails_at_the_third(void *arg)
{
	if (++*(unsigned *)arg == 3)
		rill_fail("the third");
	return 0;
}

static void test_failure_ends_it(void **state)
{
	char said[256];
	unsigned n = 0;
	uint64_t seed = 0;

	capture_begin();
	int r = rill_test_seeds(10, 100, fails_at_the_third, &n, &seed);

	capture_end(said, sizeof(said));
	assert_int_equal(r, -EIO);
	assert_int_equal(n, 3);
	assert_int_equal(seed, 12);
}

/* ---- shuffle without a turn between ---- */

#ifdef RILL_TSAN
#define YIELDERS 400 /* each dear */
#else
#define YIELDERS 1000
#endif

static unsigned yielders_ended;

static void *yield_thrice(void *arg)
{
	for (int i = 0; i < 3; i++)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	yielders_ended++;
	return NULL;
}

static void *yield_all(void *arg)
{
	static struct rill_task *tasks[YIELDERS];

	for (int i = 0; i < YIELDERS; i++)
		tasks[i] = spawn(yield_thrice, NULL);
	for (int i = 0; i < YIELDERS; i++)
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), ==, 0);
	return NULL;
}

/* More of them go on at once than the queue, out of which lots are drawn, holds. */
static void test_more_yield_than_the_queue_holds(void **state)
{
	struct rill_runtime *rt = start((struct rill_runtime_options){
		.flavor = RILL_CURRENT_THREAD, .shuffle = true, .poll_interval = 100000});

	yielders_ended = 0;
	run(rt, yield_all, NULL);
	assert_int_equal(yielders_ended, YIELDERS);
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_race_is_found_and_replayed),
		cmocka_unit_test(test_one_seed_by_the_environment),
		cmocka_unit_test(test_same_seed_same_order),
		cmocka_unit_test(test_many_tasks),
		cmocka_unit_test(test_failure_ends_it),
		cmocka_unit_test(test_more_yield_than_the_queue_holds),
	};

	/* the outer seed is not meant */
	unsetenv("RILL_TEST_SEED");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
