/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rwlock: readers see nothing half written, also right after a downgrade; no writer gets in
 * between; and a writer who gives up lets the readers behind it in.
 */
#include "sync/rwlock.c"

#include "sync/turnstile.c"

#include "tests/model/doubles.h"

#define READERS 2

static struct rill_rwlock lock_;
static unsigned guarded; /* twice as many as writes, outside of them */

static void setup(void)
{
	rill_doubles_reset();
	RILL_ASSERT(rill_rwlock_init_max(&lock_, READERS) == 0);
	rill_model_name(&lock_, sizeof(lock_), "rwlock");
	guarded = 0;
}

static void look(void)
{
	RILL_ASSERT_CMP(guarded % 2, ==, 0u);
}

static void read_once(void)
{
	RILL_ASSERT(rill_rwlock_read(&lock_) == 0);
	look();
	rill_rwlock_unlock_read(&lock_);
	/* Its batch has let go of it. */
	rill_waiter_current()->next = NULL;
}

static void change(void)
{
	guarded++;
	guarded++;
}

static void write_once(void)
{
	RILL_ASSERT(rill_rwlock_write(&lock_) == 0);
	change();
	rill_rwlock_unlock_write(&lock_);
	rill_waiter_current()->next = NULL;
}

static void write_then_read(void)
{
	RILL_ASSERT(rill_rwlock_write(&lock_) == 0);
	change();
	unsigned was = guarded;

	rill_rwlock_downgrade(&lock_);
	RILL_ASSERT_CMP(guarded, ==, was);
	rill_rwlock_unlock_read(&lock_);
	rill_waiter_current()->next = NULL;
}

static void try_both(void)
{
	if (rill_rwlock_try_read(&lock_) == 0) {
		look();
		rill_rwlock_unlock_read(&lock_);
	}
	if (rill_rwlock_try_write(&lock_) == 0) {
		change();
		rill_rwlock_unlock_write(&lock_);
	}
}

/* Loses a select as soon as it is queued. */
static void lose_write(void)
{
	struct rwlock *rw = rwlock_of(&lock_);
	struct rill_turn t;

	rill_turn_init(&t, &write_ops, &rw->ts, rw->max, true);
	t.aw.waiter = rill_waiter_current();
	int r = rill_turn_arm(&t.aw);

	if (r == -EAGAIN)
		r = rill_turn_disarm(&t.aw, false);
	if (r == 0)
		rill_rwlock_unlock_write(&lock_);
}

static void check(unsigned writes)
{
	const struct rwlock *rw = rwlock_of(&lock_);

	RILL_ASSERT_CMP(guarded, ==, 2 * writes);
	RILL_ASSERT_CMP(rw->ts.word, ==, (uint64_t)READERS * RILL_TURNSTILE_PERMIT);
	RILL_ASSERT(rill_list_empty(&rw->ts.queue));
	RILL_ASSERT_CMP(rw->ts.held.task_id, ==, (uint64_t)0);
}

static void check_0(void)
{
	check(0);
}

static void check_1(void)
{
	check(1);
}

static void check_2(void)
{
	check(2);
}

/* With what try_both() did, or did not do. */
static void check_any(void)
{
	check(guarded / 2);
}

#define TEST(n, check_, ...)                                                                       \
	{                                                                                          \
		.name = n, .setup = setup, .threads = {__VA_ARGS__}, .check = check_,              \
		.exhaustive = true, .preemptions = 2, .stale = 1,                                  \
	}

static const struct rill_model_test tests[] = {
	TEST("writers", check_2, write_once, write_once),
	TEST("read_write", check_1, write_once, read_once),
	TEST("readers", check_1, write_once, read_once, read_once),
	TEST("three_readers", check_0, read_once, read_once, read_once),
	TEST("downgrade", check_2, write_then_read, write_once),
	TEST("downgrade_read", check_1, write_then_read, read_once),
	TEST("downgrade_between", check_2, write_then_read, write_once, read_once),
	TEST("lose", check_0, lose_write, read_once, read_once),
	TEST("lose_write", check_1, lose_write, write_once, read_once),
	TEST("try", check_any, try_both, write_once, read_once),
};

#define HEADER "sync/turnstile.h"
#define SOURCE "sync/turnstile.c"

static const struct rill_model_mutation mutations[] = {
	{"take_relaxed", "writers", HEADER, "rill_turnstile_take", "cas", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"take_unconditional", "read_write", HEADER, "rill_turnstile_take", "cas", NULL,
	 RILL_MODEL_FORCE, 0, 0},
	{"give_relaxed", "read_write", HEADER, "rill_turnstile_give", "cas", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"give_unconditional", "read_write", HEADER, "rill_turnstile_give", "cas", NULL,
	 RILL_MODEL_FORCE, 0, 0},
	{"give_too_few", "three_readers", HEADER, "rill_turnstile_give", "cas", NULL,
	 RILL_MODEL_SKIP, 0, 0},
	{"unlock_relaxed", "downgrade_between", SOURCE, "unlock", "store", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"lock_unconditional", "lose", SOURCE, "try_lock", "cas", NULL, RILL_MODEL_FORCE, 0, 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
