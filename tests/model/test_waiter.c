/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state word of a waiter, with plain threads that park on a futex: no wake is lost, and nobody
 * touches a waiter that was let go.
 */
#include "runtime/await.h"
#include "tests/model/doubles.h"
#include "tests/model/sem.h"

static unsigned message;

static void setup(void)
{
	rill_doubles_reset();
	rill_sem_reset();
	message = 0;
}

/* Wakes without giving anything. */
static void poke(void)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&rill_sem.lock);
	struct rill_await *aw = rill_await_first(&rill_sem.queue);

	if (aw)
		rill_wake_add(&batch, aw->waiter);
	rill_spin_unlock(&rill_sem.lock);
	rill_wake_flush(&batch);
}

static void take(void)
{
	rill_sem_take();
	/* Its batch has let go of it. */
	rill_waiter_current()->next = NULL;
}

static void take_twice(void)
{
	take();
	take();
}

static void send(void)
{
	message = 42;
	rill_sem_give();
}

static void receive(void)
{
	take();
	RILL_ASSERT_CMP(message, ==, 42u);
}

static void give_both(void)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_await *aw;

	message = 42;
	rill_spin_lock(&rill_sem.lock);
	rill_sem.tokens = 2;
	while ((aw = rill_await_first(&rill_sem.queue))) {
		rill_sem.tokens--;
		rill_await_grant(aw, &batch);
	}
	rill_spin_unlock(&rill_sem.lock);
	rill_wake_flush(&batch);
}

/* Then another wait, as if nothing was. */
static void take_late(void)
{
	if (rill_sem_take_late() != 0)
		take();
	rill_waiter_current()->next = NULL;
	take();
}

static void give_2(void)
{
	rill_sem_give();
	rill_sem_give();
}

/* Whoever was handed the thing may free it: the giver is done with its lock. */
static void take_and_free(void)
{
	take();
	rill_sem.lock.word = 0;
}

/* Wakes the first thread for nothing, and touches nothing else. */
static void poke_blindly(void)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_wake_add(&batch, rill_doubles_waiter(1));
	rill_wake_flush(&batch);
}

/* What a waker wrote is seen although only the state word says so. */
static RILL_ATOMIC(uint32_t) flag;

static int flag_none(struct rill_await *aw)
{
	return -EAGAIN;
}

static int flag_woken(struct rill_await *aw, bool take)
{
	RILL_ASSERT_CMP(rill_load_relaxed(&flag), ==, 1u);
	return 0;
}

static const struct rill_await_ops flag_ops = {
	.what = "flag",
	.arm_only = true,
	.try = flag_none,
	.arm = flag_none,
	.disarm = flag_woken,
};

static void setup_flag(void)
{
	setup();
	flag = 0;
}

static void wait_flag(void)
{
	RILL_ASSERT(rill_await_on(&flag_ops, NULL, NULL) == 0);
	RILL_ASSERT_CMP(message, ==, 42u);
}

static void raise_flag(void)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	message = 42;
	rill_store_relaxed(&flag, 1u);
	rill_wake_add(&batch, rill_doubles_waiter(1));
	rill_wake_flush(&batch);
}

static void check(void)
{
	RILL_ASSERT(rill_list_empty(&rill_sem.queue));
	RILL_ASSERT_CMP(rill_sem.tokens, ==, 0u);
}

#define TEST(n, setup_, ...)                                                                       \
	{                                                                                          \
		.name = n, .setup = setup_, .threads = {__VA_ARGS__}, .check = check,              \
		.exhaustive = true,                                                                \
	}

static const struct rill_model_test tests[] = {
	TEST("message", setup, receive, send),
	TEST("two_wakers", setup, take_twice, rill_sem_give, rill_sem_give),
	TEST("two_waiters", setup, take, take, give_2),
	TEST("batch", setup, receive, receive, give_both),
	TEST("poke", setup, take_twice, give_2, poke),
	TEST("late", setup, take_late, give_2),
	TEST("free", setup, take_and_free, rill_sem_give, poke_blindly),
	TEST("flag", setup_flag, wait_flag, raise_flag),
};

#define WAITER "runtime/waiter.h"
#define AWAIT "runtime/await.c"
#define SCHEDULE "runtime/schedule.c"

static const struct rill_model_mutation mutations[] = {
	{"park_unconditional", "message", AWAIT, "thread_park", "cas", NULL, RILL_MODEL_FORCE, 0,
	 0},
	{"go_skipped", "message", SCHEDULE, "wake_all", "rmw", "state", RILL_MODEL_SKIP, 0, 0},
	{"futex_skipped", "message", SCHEDULE, "wake_all", "wake", NULL, RILL_MODEL_SKIP, 0, 0},
	{"go_relaxed", "message", SCHEDULE, "wake_all", "rmw", "state", RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"notify_skipped", "message", WAITER, "rill_wake_add", "rmw", NULL, RILL_MODEL_SKIP, 0, 0},
	{"add_relaxed", "flag", WAITER, "rill_wake_add", "rmw", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"grant_says_woke", "free", "runtime/await.h", "rill_await_grant", "store", "granted",
	 RILL_MODEL_VALUE, 0, RILL_GRANT_WOKE},
	{"take_back_unconditional", "late", AWAIT, "thread_park", "cas", NULL, RILL_MODEL_FORCE, 0,
	 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
