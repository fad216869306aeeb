/* SPDX-License-Identifier: BSD-3-Clause */
/* Every full round has one leader, and who gave up is in none. */
#include "sync/barrier.c"

#include <rill/task.h>

#include "base/clock.h"
#include "tests/model/doubles.h"

#define THREADS 3

static struct rill_barrier b;
static unsigned before[THREADS + 1]; /* what each thread wrote before it came */
static int results[THREADS + 1];

static void setup(void)
{
	rill_doubles_reset();
	rill_barrier_init(&b, 2);
	rill_model_name(&b, sizeof(b), "barrier");
	for (unsigned i = 0; i <= THREADS; i++) {
		before[i] = 0;
		results[i] = -EAGAIN;
	}
}

static void wait(void)
{
	results[rill_model_self()] = rill_barrier_wait(&b);
}

/* Of two threads: what the other did before is seen. */
static void write_and_wait(void)
{
	unsigned self = rill_model_self();

	before[self] = 42;
	wait();
	RILL_ASSERT_CMP(before[3 - self], ==, 42u);
}

static void wait_twice(void)
{
	wait();
	write_and_wait();
}

/* Until the deadline, which comes at any time. */
static void wait_a_while(void)
{
	struct rill_scope s;

	rill_scope_begin(&s, rill_clock_mono() + 1, NULL);
	wait();
	rill_scope_end(&s);
}

static unsigned count(int result)
{
	unsigned n = 0;

	for (unsigned i = 1; i <= THREADS; i++)
		n += results[i] == result;
	return n;
}

static void check_rounds(void)
{
	RILL_ASSERT(rill_list_empty(&barrier_of(&b)->queue));
	RILL_ASSERT_CMP(barrier_of(&b)->waiting, ==, 0u);
	/* two in each: one leads, one follows */
	RILL_ASSERT_CMP(count(1), ==, count(0));
}

static void check_one_round(void)
{
	check_rounds();
	RILL_ASSERT_CMP(count(1), ==, 1u);
}

#define TEST(n, check_, ...)                                                                       \
	{                                                                                          \
		.name = n, .setup = setup, .threads = {__VA_ARGS__}, .check = check_,              \
		.exhaustive = true,                                                                \
	}

static const struct rill_model_test tests[] = {
	TEST("two", check_one_round, write_and_wait, write_and_wait),
	TEST("again", check_one_round, wait_twice, wait_twice),
	TEST("cancel", check_rounds, wait_a_while, wait_a_while),
	/* A third thread costs a factor of hundreds. */
	{
		.name = "cancel_3",
		.setup = setup,
		.threads = {wait_a_while, wait_a_while, wait_a_while},
		.check = check_rounds,
		.exhaustive = true,
		.preemptions = 1,
		.stale = 1,
	},
};

static const struct rill_model_mutation mutations[] = {
	{"grant_not_told", "cancel", "runtime/await.h", "rill_await_grant", "store", "granted",
	 RILL_MODEL_SKIP, 0, 0},
	{"unlock_relaxed", "two", "base/spinlock.h", "rill_spin_unlock", "store", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"not_woken", "two", "runtime/waiter.h", "rill_wake_add", "rmw", NULL, RILL_MODEL_SKIP, 0,
	 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
