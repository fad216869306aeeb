/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Notifications against waits that are given up and places that are ended: each notify_one is taken
 * once or kept, each notify_all reaches who was there, and what was written before is seen.
 */
#include "sync/notify.c"

#include <rill/select.h>
#include <rill/task.h>

#include "base/clock.h"
#include "tests/model/doubles.h"

static struct rill_notify n;
static struct rill_case prepared;
static struct rill_notified place;
static unsigned message;
static RILL_ATOMIC(uint32_t) flag;
static unsigned taken[3]; /* by each thread */

static void setup(void)
{
	rill_doubles_reset();
	rill_notify_init(&n);
	rill_model_name(&n, sizeof(n), "notify");
	rill_model_name(&place, sizeof(place), "place");
	message = 0;
	flag = 0;
	taken[1] = taken[2] = 0;
}

static void setup_prepared(void)
{
	setup();
	rill_case_notify(&prepared, &n);
}

static void setup_place(void)
{
	setup();
	rill_notified_begin(&place, &n);
}

static void setup_enabled(void)
{
	setup_place();
	RILL_ASSERT(!rill_notified_enable(&place));
}

static void setup_permit(void)
{
	setup();
	rill_notify_one(&n);
}

/* ---- what the threads do ---- */

static void took(int r)
{
	if (r == 0)
		taken[rill_model_self()]++;
}

static void wait(void)
{
	RILL_ASSERT_CMP(rill_notify_wait(&n), ==, 0);
	took(0);
}

static void wait_for_message(void)
{
	wait();
	RILL_ASSERT_CMP(message, ==, 42u);
}

/* With a deadline, which comes at any time. */
static void wait_a_while(void)
{
	struct rill_scope s;

	rill_scope_begin(&s, rill_clock_mono() + 1, NULL);
	took(rill_notify_wait(&n));
	rill_scope_end(&s);
}

static void wait_prepared(void)
{
	RILL_ASSERT_CMP(rill_select(&prepared, 1, 0), ==, 0);
	RILL_ASSERT_CMP(prepared.result, ==, 0);
}

/* With as many calls of notify_all between as bring a counter of 32 bits back to where it was. */
static void wait_after_very_many(void)
{
	notify_of(&n)->state += UINT64_C(1) << 32;
	wait_prepared();
}

/* Prepares, then looks whether it has to wait at all. */
static void prepare_and_look(void)
{
	struct rill_case c;

	rill_case_notify(&c, &n);
	if (rill_load_relaxed(&flag) == 0)
		RILL_ASSERT_CMP(rill_select(&c, 1, 0), ==, 0);
}

static void wait_at_place(void)
{
	RILL_ASSERT_CMP(rill_notified_wait(&place), ==, 0);
	took(0);
	rill_notified_end(&place);
}

static void wait_at_place_a_while(void)
{
	struct rill_scope s;

	rill_scope_begin(&s, rill_clock_mono() + 1, NULL);
	took(rill_notified_wait(&place));
	rill_scope_end(&s);
	rill_notified_end(&place);
}

static void enable_and_end(void)
{
	if (rill_notified_enable(&place))
		took(0);
	rill_notified_end(&place);
}

static void end_place(void)
{
	rill_notified_end(&place);
}

static void one(void)
{
	message = 42;
	rill_notify_one(&n);
}

static void last(void)
{
	rill_notify_last(&n);
}

static void all(void)
{
	rill_store_relaxed(&flag, 1u);
	rill_notify_all(&n);
}

static void all_then_one(void)
{
	rill_notify_all(&n);
	rill_notify_one(&n);
}

/* ---- and what comes of it ---- */

static unsigned permits(void)
{
	return (unsigned)(rill_load_relaxed(&notify_of(&n)->state) & PERMIT);
}

static void check_one(void)
{
	RILL_ASSERT(rill_list_empty(&notify_of(&n)->queue));
	RILL_ASSERT_CMP(taken[1] + taken[2] + permits(), ==, 1u);
}

static void check_kept(void)
{
	check_one();
	RILL_ASSERT_CMP(permits(), ==, 1u);
}

static void check_none(void)
{
	RILL_ASSERT(rill_list_empty(&notify_of(&n)->queue));
	RILL_ASSERT_CMP(permits(), ==, 0u);
}

#define TEST(n, setup_, check_, ...)                                                               \
	{                                                                                          \
		.name = n, .setup = setup_, .threads = {__VA_ARGS__}, .check = check_,             \
		.exhaustive = true,                                                                \
	}

static const struct rill_model_test tests[] = {
	TEST("message", setup, check_one, wait_for_message, one),
	TEST("cancel", setup, check_one, wait_a_while, one),
	TEST("permit", setup_permit, check_one, wait_a_while, wait_a_while),
	TEST("hand_on", setup, check_one, wait_a_while, wait_a_while, last),
	TEST("all", setup_prepared, check_none, wait_prepared, all),
	TEST("all_then_one", setup_prepared, check_kept, wait_prepared, all_then_one),
	TEST("very_many", setup_prepared, check_none, wait_after_very_many),
	TEST("look", setup, check_none, prepare_and_look, all),
	TEST("place", setup_enabled, check_one, wait_at_place, one),
	TEST("place_cancel", setup_place, check_one, wait_at_place_a_while, one),
	TEST("place_all", setup_place, check_none, wait_at_place, all),
	TEST("enable", setup_place, check_one, enable_and_end, one),
	TEST("end", setup_enabled, check_kept, end_place, last),
	TEST("end_hands_on", setup_enabled, check_one, end_place, wait_a_while, one),
};

#define NOTIFY "sync/notify.c"

static const struct rill_model_mutation mutations[] = {
	{"permit_not_kept", "cancel", NOTIFY, "give_locked", "store", "state", RILL_MODEL_SKIP, 0,
	 0},
	{"permit_taken_twice", "permit", NOTIFY, "take_locked", "store", "state", RILL_MODEL_SKIP,
	 0, 0},
	{"given_not_told", "place", NOTIFY, "give_locked", "store", "granted", RILL_MODEL_SKIP, 0,
	 0},
	{"grant_not_told", "cancel", "runtime/await.h", "rill_await_grant", "store", "granted",
	 RILL_MODEL_SKIP, 0, 0},
	{"generation_kept", "all", NOTIFY, "rill_notify_all", "store", "state", RILL_MODEL_SKIP, 0,
	 0},
	{"generation_relaxed", "look", NOTIFY, "rill_notify_all", "store", "state",
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"prepare_relaxed", "look", NOTIFY, "prepare", "load", "state", RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"unlock_relaxed", "message", "base/spinlock.h", "rill_spin_unlock", "store", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
