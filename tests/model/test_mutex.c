/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The mutex: one at a time, by the short way of tasks and by the long one; an unlock finds who came
 * to wait meanwhile; cancelled waits lose no lock; and the last holder may free it.
 */
#include "sync/mutex.c"

#include "sync/turnstile.c"

#include "tests/model/doubles.h"

static struct rill_mutex mutex;
static unsigned guarded;

static void setup(void)
{
	rill_doubles_reset();
	rill_mutex_init(&mutex);
	rill_model_name(&mutex, sizeof(mutex), "mutex");
	guarded = 0;
}

static void use(void)
{
	RILL_ASSERT(rill_mutex_lock(&mutex) == 0);
	guarded++;
	rill_mutex_unlock(&mutex);
	/* Its batch has let go of it. */
	rill_waiter_current()->next = NULL;
}

/* As rill_mutex_lock() does in a task. */
static void use_as_task(void)
{
	if (!take_free(turnstile_of(&mutex)))
		RILL_ASSERT(lock_slow(turnstile_of(&mutex), &tried_ops) == 0);
	guarded++;
	rill_mutex_unlock(&mutex);
	rill_waiter_current()->next = NULL;
}

static void use_twice(void)
{
	use_as_task();
	use_as_task();
}

static void try_once(void)
{
	if (rill_mutex_try_lock(&mutex) < 0)
		return;
	guarded += 16;
	rill_mutex_unlock(&mutex);
}

/* Cancelled as soon as it is queued; take: unless it was handed the lock. */
static void cancel_soon(bool take)
{
	struct rill_turn t;

	rill_turn_init(&t, &lock_ops, turnstile_of(&mutex), 1, true);
	t.aw.waiter = rill_waiter_current();
	int r = rill_turn_arm(&t.aw);

	if (r == -EAGAIN)
		r = rill_turn_disarm(&t.aw, take);
	if (r == 0) {
		guarded += 16;
		rill_mutex_unlock(&mutex);
	}
}

static void cancel(void)
{
	cancel_soon(true);
}

static void lose(void)
{
	cancel_soon(false);
}

static unsigned users;

static void setup_users(void)
{
	setup();
	users = 2;
}

/* The last of them frees it. */
static void use_and_free(void)
{
	RILL_ASSERT(rill_mutex_lock(&mutex) == 0);
	bool last = --users == 0;

	rill_mutex_unlock(&mutex);
	rill_waiter_current()->next = NULL;
	if (!last)
		return;
	struct rill_turnstile *ts = turnstile_of(&mutex);

	ts->word = 0;
	ts->stats = NULL;
	rill_list_init(&ts->queue);
	rill_turnstile_init(ts, 1);
	guarded = 2;
}

static void check(unsigned uses)
{
	const struct rill_turnstile *ts = turnstile_of(&mutex);

	RILL_ASSERT_CMP(guarded % 16, ==, uses);
	RILL_ASSERT_CMP(ts->word, ==, (uint64_t)RILL_TURNSTILE_PERMIT);
	RILL_ASSERT(rill_list_empty(&ts->queue));
	RILL_ASSERT_CMP(ts->held.task_id, ==, (uint64_t)0);
}

static void check_1(void)
{
	check(1);
}

static void check_2(void)
{
	check(2);
}

static void check_3(void)
{
	check(3);
}

#define TEST(n, setup_, check_, ...)                                                               \
	{                                                                                          \
		.name = n, .setup = setup_, .threads = {__VA_ARGS__}, .check = check_,             \
		.exhaustive = true, .preemptions = 2, .stale = 1,                                  \
	}

static const struct rill_model_test tests[] = {
	TEST("two", setup, check_2, use, use),
	TEST("two_tasks", setup, check_2, use_as_task, use_as_task),
	TEST("again", setup, check_3, use_twice, use),
	TEST("three", setup, check_3, use, use, use_as_task),
	TEST("try", setup, check_2, use, use_as_task, try_once),
	TEST("cancel", setup, check_2, use, use_as_task, cancel),
	TEST("lose", setup, check_2, use, use_as_task, lose),
	TEST("lose_alone", setup, check_1, use, lose),
	TEST("free", setup_users, check_2, use_and_free, use_and_free),
};

#define MUTEX "sync/mutex.c"
#define TURNSTILE "sync/turnstile.c"

static const struct rill_model_mutation mutations[] = {
	{"take_relaxed", "two_tasks", MUTEX, "take_free", "cas", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"take_unconditional", "two_tasks", MUTEX, "take_free", "cas", NULL, RILL_MODEL_FORCE, 0,
	 0},
	{"unlock_relaxed", "two_tasks", MUTEX, "rill_mutex_unlock", "cas", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"unlock_unconditional", "two", MUTEX, "rill_mutex_unlock", "cas", NULL, RILL_MODEL_FORCE,
	 0, 0},
	{"unlock_skipped", "two", MUTEX, "rill_mutex_unlock", "cas", NULL, RILL_MODEL_SKIP, 0, 0},
	{"queue_lock_relaxed", "three", TURNSTILE, "try_lock", "cas", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"queue_lock_unconditional", "three", TURNSTILE, "try_lock", "cas", NULL, RILL_MODEL_FORCE,
	 0, 0},
	{"queue_unlock_relaxed", "three", TURNSTILE, "unlock", "store", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"grant_unseen", "lose", "runtime/await.h", "rill_await_grant", "store", "granted",
	 RILL_MODEL_SKIP, 0, 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
