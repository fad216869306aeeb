/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Trees of tokens: a cancel reaches all that is below, whatever comes and goes meanwhile, and
 * nobody touches a token that was freed. Walks let go of the lock after each step.
 */
#define RILL_TOKEN_STEPS 1
#include "runtime/token.c"

#include "base/clock.h"
#include "runtime/scope.h"
#include "tests/model/doubles.h"

static struct rill_token *top, *middle, *leaf, *child;
static unsigned message;

static void setup(void)
{
	rill_doubles_reset();
	message = 0;
	child = NULL;
	RILL_ASSERT(rill_token_create(&top) == 0);
	rill_model_name(top, sizeof(struct rill_token_tree), "top");
}

static void setup_chain(void)
{
	setup();
	RILL_ASSERT(rill_token_child(top, &middle) == 0);
	rill_model_name(middle, sizeof(*middle), "middle");
	RILL_ASSERT(rill_token_child(middle, &leaf) == 0);
	rill_model_name(leaf, sizeof(*leaf), "leaf");
}

/* ---- what the threads do ---- */

static void cancel(void)
{
	message = 42;
	rill_token_cancel(top);
}

static void cancel_all(void)
{
	rill_token_cancel(top);
	RILL_ASSERT(rill_token_is_cancelled(middle) && rill_token_is_cancelled(leaf));
}

static void cancel_middle(void)
{
	rill_token_cancel(middle);
}

static void cancel_middle_and_below(void)
{
	rill_token_cancel(middle);
	RILL_ASSERT(rill_token_is_cancelled(leaf));
}

static void create_child(void)
{
	RILL_ASSERT(rill_token_child(top, &child) == 0);
}

static void create_below_leaf(void)
{
	RILL_ASSERT(rill_token_child(leaf, &child) == 0);
}

static void drop_middle(void)
{
	rill_token_unref(middle);
}

static void drop_leaf(void)
{
	rill_token_unref(leaf);
}

/* In vain, unless the token of its scope is cancelled. */
static int none(struct rill_await *aw)
{
	return -EAGAIN;
}

static const struct rill_await_ops none_ops = {.what = "none", .try = none, .arm = none};

static void wait_in_scope(void)
{
	struct rill_scope s;

	rill_scope_begin(&s, RILL_FOREVER, top);
	RILL_ASSERT_CMP(rill_await_on(&none_ops, NULL, NULL), ==, -ECANCELED);
	rill_scope_end(&s);
	RILL_ASSERT_CMP(message, ==, 42u);
}

static void wait_for_leaf(void)
{
	RILL_ASSERT_CMP(rill_token_wait(leaf), ==, 0);
}

static void wait_for_top(void)
{
	RILL_ASSERT_CMP(rill_token_wait(top), ==, 0);
	RILL_ASSERT_CMP(message, ==, 42u);
}

/* Gives up at any time, also between the wakes of one cancel. */
static void wait_for_top_a_while(void)
{
	struct rill_scope s;

	rill_scope_begin(&s, rill_clock_mono() + 1, NULL);
	int r = rill_token_wait(top);

	rill_scope_end(&s);
	RILL_ASSERT(r == 0 || r == -ETIMEDOUT);
}

/* Whoever has seen the cancel may drop what the canceller does not own. */
static void see_and_drop(void)
{
	if (rill_token_is_cancelled(top))
		RILL_ASSERT_CMP(message, ==, 42u);
	else
		RILL_ASSERT_CMP(rill_token_wait(top), ==, 0);
	rill_token_unref(top);
}

/* A second owner. */
static void cancel_and_drop(void)
{
	rill_token_cancel(top);
	rill_token_unref(top);
}

static void setup_two_owners(void)
{
	setup();
	rill_token_ref(top);
}

static void use_and_drop(void)
{
	RILL_ASSERT(top->tree);
	rill_token_unref(top);
}

static void drop_top(void)
{
	rill_token_unref(top);
}

/* ---- and what comes of it ---- */

static void check_cancelled(void)
{
	RILL_ASSERT(rill_token_is_cancelled(top));
	RILL_ASSERT(!child || rill_token_is_cancelled(child));
	RILL_ASSERT(rill_list_empty(&top->children));
	RILL_ASSERT(rill_list_empty(&top->tree->walks));
	RILL_ASSERT_CMP(rill_load_relaxed(&top->refs), ==, 1u);
}

static void check_below(void)
{
	check_cancelled();
	RILL_ASSERT(rill_token_is_cancelled(leaf));
	RILL_ASSERT_CMP(top->tree->tokens, ==, child ? 3u : 2u);
}

static void check_chain(void)
{
	check_cancelled();
	RILL_ASSERT(rill_token_is_cancelled(middle) && rill_token_is_cancelled(leaf));
	RILL_ASSERT(!leaf->parent && !middle->parent);
}

static void check_nothing(void)
{
}

/* Nothing is above it any more, and it works. */
static void check_alone(void)
{
	RILL_ASSERT(!leaf->parent && !rill_token_is_cancelled(leaf));
	RILL_ASSERT_CMP(leaf->tree->tokens, ==, 1u);
	rill_token_cancel(leaf);
	rill_token_unref(leaf);
}

#define TEST(n, setup_, check_, ...)                                                               \
	{                                                                                          \
		.name = n, .setup = setup_, .threads = {__VA_ARGS__}, .check = check_,             \
		.exhaustive = true,                                                                \
	}

/* Where three threads with the full bounds are too many. */
#define TEST_3(n, setup_, check_, ...)                                                             \
	{                                                                                          \
		.name = n, .setup = setup_, .threads = {__VA_ARGS__}, .check = check_,             \
		.exhaustive = true, .preemptions = 1, .stale = 1,                                  \
	}

static const struct rill_model_test tests[] = {
	TEST("child", setup, check_cancelled, cancel, create_child),
	TEST("scope", setup, check_cancelled, cancel, wait_in_scope),
	TEST("wait", setup, check_cancelled, cancel, wait_for_top),
	TEST_3("wakes", setup, check_cancelled, cancel, wait_for_top, wait_for_top_a_while),
	TEST("seen", setup, check_nothing, cancel, see_and_drop),
	TEST("last", setup_two_owners, check_nothing, cancel_and_drop, use_and_drop),
	TEST("drop_middle", setup_chain, check_below, cancel, drop_middle, wait_for_leaf),
	TEST("drop_leaf", setup_chain, check_cancelled, cancel_middle, drop_leaf, cancel),
	TEST("below", setup_chain, check_below, cancel, drop_middle, create_below_leaf),
	TEST("cancels", setup_chain, check_chain, cancel_all, cancel_middle_and_below),
	TEST("drops", setup_chain, check_alone, drop_middle, drop_top),
};

#define TOKEN "runtime/token.c"

static const struct rill_model_mutation mutations[] = {
	{"cancel_relaxed", "seen", TOKEN, "mark", "store", "cancelled", RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"seen_relaxed", "seen", "runtime/token.h", "rill_token_cancelled", "load", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"cancel_not_marked", "child", TOKEN, "mark", "store", "cancelled", RILL_MODEL_SKIP, 0, 0},
	{"child_of_none", "child", TOKEN, "rill_token_child", "load", "cancelled", RILL_MODEL_VALUE,
	 0, false},
	{"armed_too_late", "scope", TOKEN, "rill_token_arm", "load", "cancelled", RILL_MODEL_VALUE,
	 0, false},
	{"waits_too_late", "wait", TOKEN, "token_arm", "load", "cancelled", RILL_MODEL_VALUE, 0,
	 false},
	{"cancel_has_no_reference", "seen", TOKEN, "rill_token_cancel", "rmw", "refs",
	 RILL_MODEL_SKIP, 0, 0},
	{"unref_relaxed", "last", TOKEN, "rill_token_unref", "rmw", "refs", RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"unref_always_last", "last", TOKEN, "rill_token_unref", "rmw", "refs", RILL_MODEL_VALUE, 0,
	 1},
	{"lock_relaxed", "below", "base/spinlock.h", "rill_spin_lock", "lock", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"unlock_relaxed", "drop_middle", "base/spinlock.h", "rill_spin_unlock", "store", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
