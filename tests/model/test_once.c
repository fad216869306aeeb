/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values that are set once: exactly one set wins, everybody who waits is woken, one initialiser
 * runs at a time, and after a failed one the next waiter's does.
 */
#include "sync/once.c"

#include "base/clock.h"
#include "tests/model/doubles.h"

static struct rill_set_once s;
static struct rill_once_cell cell;
static int target; /* written before it is published */
static RILL_ATOMIC(uint32_t) step;
static unsigned inits, wins;
static int results[3]; /* of each thread */

static void setup(void)
{
	rill_doubles_reset();
	rill_set_once_init(&s);
	rill_once_cell_init(&cell);
	rill_model_name(&s, sizeof(s), "set_once");
	rill_model_name(&cell, sizeof(cell), "cell");
	target = 0;
	step = 0;
	inits = wins = 0;
	results[1] = results[2] = 1;
}

/* ---- rill_set_once ---- */

static void set(void)
{
	target = 42;
	RILL_ASSERT_CMP(rill_set_once_set(&s, &target), ==, 0);
}

static void race_to_set(void)
{
	int *mine = &results[rill_model_self()];

	*mine = rill_set_once_set(&s, mine);
	RILL_ASSERT(*mine == 0 || *mine == -EEXIST);
	if (*mine == 0)
		RILL_ASSERT(rill_set_once_get(&s) == mine);
}

static void see(const int *value)
{
	RILL_ASSERT_CMP(*value, ==, 42);
}

static void get_it(void)
{
	const int *value = rill_set_once_get(&s);

	if (value)
		see(value);
}

static void wait_for_it(void)
{
	void *value = NULL;

	RILL_ASSERT_CMP(rill_set_once_wait(&s, &value), ==, 0);
	see(value);
}

/* Whoever sees the value may free what it was in. */
static void wait_and_free(void)
{
	wait_for_it();
	s = (struct rill_set_once){0};
}

/* Until the deadline, which comes at any time; then, again. */
static void wait_a_while(void)
{
	struct rill_scope scope;
	void *value = NULL;

	rill_scope_begin(&scope, rill_clock_mono() + 1, NULL);
	int r = rill_set_once_wait(&s, &value);

	rill_scope_end(&scope);
	RILL_ASSERT(r == 0 || !value);
	if (r != 0)
		wait_for_it();
}

static void check_set(void)
{
	RILL_ASSERT(!once_of(&s)->queue.next || rill_list_empty(&once_of(&s)->queue));
}

static void check_one_won(void)
{
	check_set();
	RILL_ASSERT_CMP((results[1] == 0) + (results[2] == 0), ==, 1);
}

/* ---- rill_once_cell ---- */

static int init_well(void *arg, void **ret_value)
{
	inits++; /* one at a time, or it is a race */
	rill_fetch_add_relaxed(&step, 1);
	target = 42;
	*ret_value = &target;
	wins++;
	return 0;
}

static int init_badly(void *arg, void **ret_value)
{
	inits++;
	rill_fetch_add_relaxed(&step, 1);
	return -EIO;
}

static void ask(int (*fn)(void *, void **))
{
	void *value = NULL;
	int r = rill_once_cell_get_or_init(&cell, fn, NULL, &value);

	results[rill_model_self()] = r;
	if (r == 0)
		see(value);
}

static void ask_well(void)
{
	ask(init_well);
	RILL_ASSERT_CMP(results[rill_model_self()], ==, 0);
}

static void ask_badly(void)
{
	ask(init_badly);
}

/* Gives its wait up; if that comes too late, it is its turn. */
static void ask_badly_for_a_while(void)
{
	struct rill_scope scope;

	rill_scope_begin(&scope, rill_clock_mono() + 1, NULL);
	ask(init_badly);
	rill_scope_end(&scope);
}

static void set_cell(void)
{
	int r = rill_once_cell_set(&cell, &results[2]);

	RILL_ASSERT(r == 0 || r == -EEXIST || r == -EBUSY);
	if (r == 0)
		wins++;
}

static void ask_or_find(void)
{
	void *value = NULL;

	RILL_ASSERT_CMP(rill_once_cell_get_or_init(&cell, init_well, NULL, &value), ==, 0);
	RILL_ASSERT(value == &target || value == &results[2]);
}

/* Whoever finds the value may free what the cell was in; the initialiser knows it without. */
static void find_and_free(void)
{
	if (rill_once_cell_is_set(&cell))
		cell = (struct rill_once_cell){0};
}

static void check_nothing(void)
{
}

static void check_cell(void)
{
	RILL_ASSERT_CMP(wins, ==, 1u);
	RILL_ASSERT(rill_list_empty(&cell_of(&cell)->once.queue));
	RILL_ASSERT(rill_once_cell_is_set(&cell));
}

#define TEST(n, check_, ...)                                                                       \
	{                                                                                          \
		.name = n, .setup = setup, .threads = {__VA_ARGS__}, .check = check_,              \
		.exhaustive = true,                                                                \
	}

/* A third thread costs a factor of hundreds. */
#define TEST_3(n, check_, ...)                                                                     \
	{                                                                                          \
		.name = n, .setup = setup, .threads = {__VA_ARGS__}, .check = check_,              \
		.exhaustive = true, .preemptions = 1, .stale = 1,                                  \
	}

static const struct rill_model_test tests[] = {
	TEST("get", check_set, set, get_it),
	TEST("wait", check_set, set, wait_for_it),
	TEST("wait_and_free", check_set, set, wait_and_free),
	TEST_3("wait_2", check_set, set, wait_for_it, wait_for_it),
	TEST("cancel", check_set, set, wait_a_while),
	TEST("race", check_one_won, race_to_set, race_to_set),
	TEST("init", check_cell, ask_well, ask_well),
	TEST("init_fails", check_cell, ask_badly, ask_well),
	TEST("init_cancel", check_cell, ask_badly_for_a_while, ask_well),
	TEST("init_or_set", check_cell, ask_or_find, set_cell),
	TEST("init_and_free", check_nothing, ask_well, find_and_free),
};

#define ONCE "sync/once.c"

static const struct rill_model_mutation mutations[] = {
	{"get_relaxed", "get", ONCE, "is_set", "load", NULL, RILL_MODEL_WEAKEN, __ATOMIC_RELAXED,
	 0},
	{"unlock_relaxed", "wait", ONCE, "unlock", "store", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"lock_relaxed", "wait", ONCE, "lock", "cas", NULL, RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"lock_unconditional", "race", ONCE, "lock", "cas", NULL, RILL_MODEL_FORCE, 0, 0},
	{"not_set", "wait", ONCE, "unlock", "store", NULL, RILL_MODEL_VALUE, 0, 0},
	{"promise_not_told", "init_fails", "runtime/await.h", "rill_await_promise", "store",
	 "granted", RILL_MODEL_SKIP, 0, 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
