/* SPDX-License-Identifier: BSD-3-Clause */
/* No signal is missed between the unlock and the wait, and none is lost to a wait that is given up.
 */
#include "sync/cond.c"

#include <rill/task.h>

#include "base/clock.h"
#include "tests/model/doubles.h"
#include "tests/model/sem.h"

static struct rill_cond c;
static struct rill_mutex m; /* only its address is used */
static unsigned items, seen;

/* ---- in place of mutex.c ---- */

int rill_mutex_try_lock(struct rill_mutex *mutex)
{
	struct rill_await aw;

	rill_await_init(&aw, &rill_sem_ops, NULL, NULL);
	return aw.ops->try(&aw) == 0 ? 0 : -EBUSY;
}

void rill_mutex_unlock(struct rill_mutex *mutex)
{
	rill_sem_give();
}

void rill_case_mutex_lock(struct rill_case *to, struct rill_mutex *mutex)
{
	rill_await_init(rill_await_of(to), &rill_sem_ops, NULL, NULL);
}

static void lock(void)
{
	rill_sem_take();
}

/* ---- the test ---- */

static void setup(void)
{
	rill_doubles_reset();
	rill_sem_reset();
	rill_sem.tokens = 1;
	rill_cond_init(&c);
	rill_model_name(&c, sizeof(c), "cond");
	items = seen = 0;
}

/* An item, or the error that the wait for it ended with. */
static int take_item(uint64_t deadline_ns)
{
	struct rill_scope scope;
	int r = 0;

	lock();
	rill_scope_begin(&scope, deadline_ns, NULL);
	while (items == 0 && r == 0)
		r = rill_cond_wait(&c, &m);
	rill_scope_end(&scope);
	/* The mutex is held, or this is a race. */
	if (items > 0) {
		items--;
		r = 0;
	}
	rill_mutex_unlock(&m);
	return r;
}

static void put_item(void)
{
	lock();
	items++;
	rill_mutex_unlock(&m);
	rill_cond_signal(&c);
}

static void put_item_and_signal_inside(void)
{
	lock();
	items++;
	rill_cond_signal(&c);
	rill_mutex_unlock(&m);
}

static void put_two(void)
{
	lock();
	items += 2;
	rill_mutex_unlock(&m);
	rill_cond_broadcast(&c);
}

static void take(void)
{
	RILL_ASSERT_CMP(take_item(RILL_FOREVER), ==, 0);
}

/* Gives up at its deadline, which comes at any time; what it got goes to the other. */
static void take_a_while(void)
{
	if (take_item(rill_clock_mono() + 1) == 0)
		put_item();
}

/* Without a predicate: the signal may come too early, or too late. */
static void wait_a_while(void)
{
	struct rill_scope scope;

	lock();
	rill_scope_begin(&scope, rill_clock_mono() + 1, NULL);
	rill_cond_wait(&c, &m);
	rill_scope_end(&scope);
	/* The mutex is held, or this is a race. */
	seen++;
	rill_mutex_unlock(&m);
}

static void signal_only(void)
{
	lock();
	seen++;
	rill_mutex_unlock(&m);
	rill_cond_signal(&c);
}

static void check(void)
{
	RILL_ASSERT(rill_list_empty(&cond_of(&c)->queue));
	RILL_ASSERT_CMP(cond_of(&c)->waiting, ==, 0u);
	RILL_ASSERT_CMP(rill_sem.tokens, ==, 1u);
	RILL_ASSERT_CMP(items, ==, 0u);
}

#define TEST(n, ...)                                                                               \
	{                                                                                          \
		.name = n, .setup = setup, .threads = {__VA_ARGS__}, .check = check,               \
		.exhaustive = true,                                                                \
	}

/* A third thread costs a factor of hundreds. */
#define TEST_3(n, ...)                                                                             \
	{                                                                                          \
		.name = n, .setup = setup, .threads = {__VA_ARGS__}, .check = check,               \
		.exhaustive = true, .preemptions = 1, .stale = 1,                                  \
	}

static const struct rill_model_test tests[] = {
	TEST("signal_outside", take, put_item),
	TEST("signal_inside", take, put_item_and_signal_inside),
	TEST("cancel", wait_a_while, signal_only),
	TEST_3("passed_on", take_a_while, take, put_item),
	TEST_3("broadcast", take, take, put_two),
};

#define COND "sync/cond.c"

static const struct rill_model_mutation mutations[] = {
	{"not_counted", "signal_outside", COND, "enter_locked", "store", "waiting", RILL_MODEL_SKIP,
	 0, 0},
	{"nobody_there", "signal_inside", COND, "nobody_waits", "load", "waiting", RILL_MODEL_VALUE,
	 0, 0},
	{"unlock_relaxed", "cancel", "base/spinlock.h", "rill_spin_unlock", "store", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
