/* SPDX-License-Identifier: BSD-3-Clause */
/* Places in the queue of a rill_notify that outlast a wait. */
#include "tests/unit/sync/sync_test.h"

static int wait_once(struct call *c)
{
	return rill_notify_wait(c->obj);
}

/* Has a notification been kept? Takes it. */
static bool take_permit(struct rill_notify *n)
{
	struct rill_case c;

	rill_case_notify(&c, n);
	return look(&c) == 0;
}

static int wait_registered(struct call *c)
{
	return rill_notified_wait(c->obj);
}

static void enabling_takes_a_permit(void **state)
{
	struct rill_notified nd;
	struct rill_notify n;

	rill_notify_init(&n);
	rill_notify_one(&n);
	rill_notified_begin(&nd, &n);
	assert_true(rill_notified_enable(&nd));
	assert_false(take_permit(&n));
	/* and so it stays */
	assert_true(rill_notified_enable(&nd));
	assert_int_equal(rill_notified_wait(&nd), 0);
	assert_int_equal(rill_notified_wait(&nd), 0);
	rill_notified_end(&nd);
	assert_false(take_permit(&n));
}

static void begun_sees_all_but_not_one(void **state)
{
	struct rill_notified a, b;
	struct rill_notify n;

	rill_notify_init(&n);
	rill_notified_begin(&a, &n);
	rill_notify_one(&n);
	assert_true(take_permit(&n));
	assert_false(rill_notified_enable(&a));
	rill_notified_end(&a);

	rill_notified_begin(&a, &n);
	rill_notify_all(&n);
	rill_notified_begin(&b, &n);
	assert_int_equal(rill_notified_wait(&a), 0);
	assert_false(rill_notified_enable(&b));
	rill_notified_end(&a);
	rill_notified_end(&b);
	assert_false(take_permit(&n));
}

TASK_TEST(enabled_is_in_the_queue_before_it_waits)
{
	struct rill_notified nd;
	struct rill_notify n;
	struct call later = {.fn = wait_once, .obj = &n};

	rill_notify_init(&n);
	rill_notified_begin(&nd, &n);
	RILL_ASSERT(!rill_notified_enable(&nd));
	call_start(&later);
	rill_notify_one(&n);
	RILL_ASSERT(!rill_is_finished(later.task));
	CHECK(rill_notified_wait(&nd), ==, 0);
	rill_notified_end(&nd);
	rill_notify_one(&n);
	CHECK(call_join(&later), ==, 0);
	RILL_ASSERT(!take_permit(&n));
	return NULL;
}

TASK_TEST(waiting_place_is_woken)
{
	struct rill_notified nd;
	struct rill_notify n;
	struct call c = {.fn = wait_registered, .obj = &nd};

	rill_notify_init(&n);
	for (unsigned i = 0; i < 3; i++) {
		rill_notified_begin(&nd, &n);
		call_start(&c);
		if (i == 0)
			rill_notify_one(&n);
		else if (i == 1)
			rill_notify_last(&n);
		else
			rill_notify_all(&n);
		CHECK(call_join(&c), ==, 0);
		rill_notified_end(&nd);
		RILL_ASSERT(!take_permit(&n));
	}
	return NULL;
}

TASK_TEST(cancelled_wait_keeps_its_place)
{
	struct rill_notified nd;
	struct rill_notify n;
	struct call aborted = {.fn = wait_registered, .obj = &nd}, cancelled = aborted;
	struct call late = {.fn = wait_registered, .obj = &nd, .deadline_ns = rill_after(RILL_SEC)};
	struct call later = {.fn = wait_once, .obj = &n};

	rill_notify_init(&n);
	rill_notified_begin(&nd, &n);
	call_start(&aborted);
	call_start(&later);
	CHECK(call_abort(&aborted), ==, -ECANCELED);
	call_start(&late);
	CHECK(call_join(&late), ==, -ETIMEDOUT);
	CHECK(rill_token_create(&cancelled.token), ==, 0);
	call_start(&cancelled);
	rill_token_cancel(cancelled.token);
	CHECK(call_join(&cancelled), ==, -ECANCELED);
	rill_token_unref(cancelled.token);
	/* it was first, and is */
	rill_notify_one(&n);
	RILL_ASSERT(rill_notified_enable(&nd));
	rill_notified_end(&nd);
	RILL_ASSERT(!rill_is_finished(later.task));
	rill_notify_one(&n);
	CHECK(call_join(&later), ==, 0);
	return NULL;
}

TASK_TEST(abort_after_the_notification_keeps_it)
{
	struct rill_notified nd;
	struct rill_notify n;
	struct call c = {.fn = wait_registered, .obj = &nd};

	rill_notify_init(&n);
	rill_notified_begin(&nd, &n);
	call_start(&c);
	rill_notify_one(&n);
	/* It had it already, and says so. */
	CHECK(call_abort(&c), ==, 0);
	RILL_ASSERT(rill_notified_enable(&nd));
	rill_notified_end(&nd);
	RILL_ASSERT(!take_permit(&n));
	return NULL;
}

TASK_TEST(select_keeps_the_place_and_what_came_to_it)
{
	struct rill_notified nd;
	struct rill_notify n, other;
	struct rill_case cases[2];

	rill_notify_init(&n);
	rill_notify_init(&other);
	rill_notified_begin(&nd, &n);
	rill_notify_one(&other);
	RILL_ASSERT(!rill_notified_enable(&nd));
	rill_notify_one(&n);
	rill_case_notify(&cases[0], &other);
	rill_case_notified(&cases[1], &nd);
	CHECK(rill_select(cases, 2, RILL_SELECT_BIASED), ==, 0);
	RILL_ASSERT(!take_permit(&n));
	rill_case_notify(&cases[0], &other);
	rill_case_notified(&cases[1], &nd);
	CHECK(rill_select(cases, 2, RILL_SELECT_BIASED), ==, 1);
	rill_notified_end(&nd);
	RILL_ASSERT(!take_permit(&n));
	return NULL;
}

TASK_TEST(ending_passes_one_and_last_on_but_not_all)
{
	struct rill_notified nd;
	struct rill_notify n;
	struct call old = {.fn = wait_once, .obj = &n}, young = old;

	rill_notify_init(&n);
	/* without a waiter it is kept */
	rill_notified_begin(&nd, &n);
	RILL_ASSERT(!rill_notified_enable(&nd));
	rill_notify_one(&n);
	rill_notified_end(&nd);
	RILL_ASSERT(take_permit(&n));

	rill_notified_begin(&nd, &n);
	RILL_ASSERT(!rill_notified_enable(&nd));
	call_start(&old);
	call_start(&young);
	rill_notify_one(&n);
	rill_notified_end(&nd);
	CHECK(call_join(&old), ==, 0);
	call_start(&old);

	/* now young is the elder */
	rill_notified_begin(&nd, &n);
	RILL_ASSERT(!rill_notified_enable(&nd));
	rill_notify_last(&n);
	rill_notified_end(&nd);
	CHECK(call_join(&old), ==, 0);
	RILL_ASSERT(!rill_is_finished(young.task));

	rill_notified_begin(&nd, &n);
	RILL_ASSERT(!rill_notified_enable(&nd));
	rill_notify_all(&n);
	rill_notified_end(&nd);
	CHECK(call_join(&young), ==, 0);
	RILL_ASSERT(!take_permit(&n));
	return NULL;
}

TASK_TEST(one_before_all_is_passed_on)
{
	struct rill_notified nd;
	struct rill_notify n;

	rill_notify_init(&n);
	rill_notified_begin(&nd, &n);
	RILL_ASSERT(!rill_notified_enable(&nd));
	rill_notify_one(&n);
	rill_notify_all(&n);
	rill_notified_end(&nd);
	RILL_ASSERT(take_permit(&n));
	return NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enabling_takes_a_permit),
		cmocka_unit_test(begun_sees_all_but_not_one),
		cmocka_unit_test(enabled_is_in_the_queue_before_it_waits),
		cmocka_unit_test(waiting_place_is_woken),
		cmocka_unit_test(cancelled_wait_keeps_its_place),
		cmocka_unit_test(abort_after_the_notification_keeps_it),
		cmocka_unit_test(select_keeps_the_place_and_what_came_to_it),
		cmocka_unit_test(ending_passes_one_and_last_on_but_not_all),
		cmocka_unit_test(one_before_all_is_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
