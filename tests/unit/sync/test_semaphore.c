/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/sync/sync_test.h"

#include <sys/wait.h>
#include <unistd.h>

#define TASKS STRESS(1000)
#define ROUNDS 20
#define PERMITS 8

static int acquire(struct call *c)
{
	return rill_semaphore_acquire(c->obj, c->msg);
}

static struct call acquire_call(struct rill_semaphore *s, size_t n, unsigned *clock)
{
	return (struct call){.fn = acquire, .obj = s, .msg = n, .clock = clock};
}

static void init(struct rill_semaphore *s, size_t permits)
{
	CHECK(rill_semaphore_init(s, permits), ==, 0);
}

static size_t available(const struct rill_semaphore *s)
{
	return rill_semaphore_available(s);
}

/* ---- limits ---- */

static void as_many_as_there_may_be(void **state)
{
	struct rill_semaphore s;
	struct rill_case c;

	assert_int_equal(rill_semaphore_init(&s, RILL_SEMAPHORE_MAX + 1), -EINVAL);
	assert_int_equal(rill_semaphore_init(&s, SIZE_MAX), -EINVAL);
	init(&s, RILL_SEMAPHORE_MAX);
	assert_true(available(&s) == RILL_SEMAPHORE_MAX);
	assert_int_equal(rill_semaphore_acquire(&s, RILL_SEMAPHORE_MAX + 1), -EINVAL);
	assert_int_equal(rill_semaphore_try_acquire(&s, RILL_SEMAPHORE_MAX + 1), -EINVAL);
	rill_case_semaphore_acquire(&c, &s, RILL_SEMAPHORE_MAX + 1);
	assert_int_equal(rill_select(&c, 1, 0), 0);
	assert_int_equal(c.result, -EINVAL);
	assert_int_equal(rill_semaphore_acquire(&s, RILL_SEMAPHORE_MAX), 0);
	assert_int_equal(available(&s), 0);
	rill_semaphore_release(&s, RILL_SEMAPHORE_MAX);
	assert_true(available(&s) == RILL_SEMAPHORE_MAX);
}

static void expect_death(void (*fn)(struct rill_semaphore *), struct rill_semaphore *s)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		/* its last words are expected */
		fclose(stderr);
		fn(s);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
}

static void release_one(struct rill_semaphore *s)
{
	rill_semaphore_release(s, 1);
}

static void release_far_too_many(struct rill_semaphore *s)
{
	rill_semaphore_release(s, SIZE_MAX);
}

static void more_than_the_most_is_an_assertion(void **state)
{
	struct rill_semaphore s;

	init(&s, RILL_SEMAPHORE_MAX);
	expect_death(release_one, &s);
	expect_death(release_far_too_many, &s);
	/* nor may a closed one have more */
	rill_semaphore_close(&s);
	expect_death(release_one, &s);
}

/* The permits that come back from the place would not fit. */
static void give_up_the_most(struct rill_semaphore *s)
{
	struct rill_acquiring a;

	rill_acquiring_begin(&a, s);
	CHECK(rill_acquiring_poll(&a, RILL_SEMAPHORE_MAX), ==, -EAGAIN);
	rill_semaphore_release(s, RILL_SEMAPHORE_MAX);
	rill_semaphore_release(s, RILL_SEMAPHORE_MAX);
	/* or it dies before that, and nothing is shown */
	if (available(s) == RILL_SEMAPHORE_MAX)
		rill_acquiring_end(&a);
}

static void given_up_beyond_the_most_is_an_assertion(void **state)
{
	struct rill_semaphore s;

	init(&s, 0);
	expect_death(give_up_the_most, &s);
}

/* ---- try_acquire ---- */

static void try_acquire_takes_or_says_why_not(void **state)
{
	struct rill_semaphore s;

	init(&s, 3);
	assert_int_equal(rill_semaphore_try_acquire(&s, 2), 0);
	assert_int_equal(available(&s), 1);
	assert_int_equal(rill_semaphore_try_acquire(&s, 2), -EAGAIN);
	assert_int_equal(available(&s), 1);
	assert_int_equal(rill_semaphore_try_acquire(&s, 1), 0);
	assert_int_equal(rill_semaphore_try_acquire(&s, 1), -EAGAIN);
	rill_semaphore_release(&s, 3);
	assert_int_equal(rill_semaphore_try_acquire(&s, 3), 0);
	rill_semaphore_release(&s, 3);
	rill_semaphore_close(&s);
	assert_int_equal(rill_semaphore_try_acquire(&s, 1), -EPIPE);
	assert_int_equal(available(&s), 3);
}

TASK_TEST(try_acquire_fails_while_somebody_waits)
{
	struct rill_semaphore s;
	struct call c = acquire_call(&s, 3, NULL);

	init(&s, 2);
	call_start(&c);
	CHECK(rill_semaphore_try_acquire(&s, 1), ==, -EAGAIN);
	rill_semaphore_release(&s, 1);
	/* handed over, though the waiter has not run yet */
	CHECK(rill_semaphore_try_acquire(&s, 1), ==, -EAGAIN);
	CHECK(call_join(&c), ==, 0);
	CHECK(available(&s), ==, 0u);
	return NULL;
}

/* ---- the queue ---- */

TASK_TEST(longest_waiter_is_next)
{
	struct rill_semaphore s;
	unsigned clock = 0;
	struct call c[8];

	init(&s, 0);
	for (unsigned i = 0; i < 8; i++) {
		c[i] = acquire_call(&s, 1, &clock);
		call_start(&c[i]);
	}
	for (unsigned i = 0; i < 8; i++) {
		rill_semaphore_release(&s, 1);
		CHECK(call_join(&c[i]), ==, 0);
		CHECK(c[i].turn, ==, i + 1);
	}
	CHECK(available(&s), ==, 0u);
	return NULL;
}

TASK_TEST(queued_big_request_blocks_later_small_ones)
{
	struct rill_semaphore s;
	unsigned clock = 0;
	struct call big = acquire_call(&s, 5, &clock), small = acquire_call(&s, 1, &clock);

	init(&s, 3);
	call_start(&big);
	call_start(&small);
	rill_semaphore_release(&s, 1);
	CHECK(rill_yield(), ==, 0);
	CHECK(clock, ==, 0u);
	rill_semaphore_release(&s, 1);
	CHECK(call_join(&big), ==, 0);
	CHECK(clock, ==, 1u);
	rill_semaphore_release(&s, 1);
	CHECK(call_join(&small), ==, 0);
	return NULL;
}

TASK_TEST(what_is_free_is_set_aside_for_the_first)
{
	struct rill_semaphore s;
	struct call c = acquire_call(&s, 5, NULL);

	init(&s, 3);
	call_start(&c);
	CHECK(available(&s), ==, 0u);
	rill_semaphore_release(&s, 1);
	CHECK(available(&s), ==, 0u);
	/* 4 of 5 are assigned: one more, and one is left over */
	rill_semaphore_release(&s, 2);
	CHECK(call_join(&c), ==, 0);
	CHECK(available(&s), ==, 1u);
	return NULL;
}

TASK_TEST(one_release_lets_many_in)
{
	struct rill_semaphore s;
	unsigned clock = 0;
	struct call c[40];

	init(&s, 0);
	for (unsigned i = 0; i < 40; i++) {
		c[i] = acquire_call(&s, 1 + i % 2, &clock);
		call_start(&c[i]);
	}
	/* the first 20 ask for 30 together, all for 60 */
	rill_semaphore_release(&s, 31);
	for (unsigned i = 0; i < 20; i++)
		CHECK(call_join(&c[i]), ==, 0);
	CHECK(clock, ==, 20u + 1);
	rill_semaphore_release(&s, 30);
	for (unsigned i = 20; i < 40; i++)
		CHECK(call_join(&c[i]), ==, 0);
	CHECK(available(&s), ==, 1u);
	return NULL;
}

/* More than are served without letting go of the lock. */
#define VERY_MANY 150

TASK_TEST(one_release_lets_very_many_in)
{
	struct rill_semaphore s;
	unsigned clock = 0;
	struct call c[VERY_MANY];

	init(&s, 0);
	for (unsigned i = 0; i < VERY_MANY; i++) {
		c[i] = acquire_call(&s, 1, &clock);
		call_start(&c[i]);
	}
	rill_semaphore_release(&s, VERY_MANY - 1);
	for (unsigned i = 0; i < VERY_MANY - 1; i++)
		CHECK(call_join(&c[i]), ==, 0);
	CHECK(clock, ==, VERY_MANY - 1u);
	CHECK(rill_semaphore_try_acquire(&s, 1), ==, -EAGAIN);
	rill_semaphore_release(&s, 3);
	CHECK(call_join(&c[VERY_MANY - 1]), ==, 0);
	CHECK(available(&s), ==, 2u);
	return NULL;
}

TASK_TEST(none_are_had_at_once)
{
	struct rill_semaphore s;
	struct call c = acquire_call(&s, 1, NULL);

	init(&s, 0);
	CHECK(rill_semaphore_acquire(&s, 0), ==, 0);
	call_start(&c);
	CHECK(rill_semaphore_acquire(&s, 0), ==, 0);
	CHECK(rill_semaphore_try_acquire(&s, 0), ==, 0);
	rill_semaphore_close(&s);
	CHECK(rill_semaphore_acquire(&s, 0), ==, -EPIPE);
	CHECK(rill_semaphore_try_acquire(&s, 0), ==, -EPIPE);
	CHECK(call_join(&c), ==, -EPIPE);
	return NULL;
}

/* ---- cancelling ---- */

TASK_TEST(cancelled_first_passes_on_what_was_set_aside)
{
	struct rill_semaphore s;
	struct call big = acquire_call(&s, 5, NULL);
	struct call a = acquire_call(&s, 1, NULL), b = acquire_call(&s, 2, NULL);

	init(&s, 4);
	call_start(&big);
	call_start(&a);
	call_start(&b);
	CHECK(available(&s), ==, 0u);
	CHECK(call_abort(&big), ==, -ECANCELED);
	CHECK(call_join(&a), ==, 0);
	CHECK(call_join(&b), ==, 0);
	CHECK(available(&s), ==, 1u);
	return NULL;
}

TASK_TEST(cancelled_in_the_middle_changes_nothing_else)
{
	struct rill_semaphore s;
	struct call big = acquire_call(&s, 2, NULL);
	struct call gone = acquire_call(&s, 7, NULL), last = acquire_call(&s, 1, NULL);

	init(&s, 1);
	call_start(&big);
	call_start(&gone);
	call_start(&last);
	CHECK(call_abort(&gone), ==, -ECANCELED);
	CHECK(available(&s), ==, 0u);
	rill_semaphore_release(&s, 2);
	CHECK(call_join(&big), ==, 0);
	CHECK(call_join(&last), ==, 0);
	CHECK(available(&s), ==, 0u);
	return NULL;
}

TASK_TEST(last_one_cancelled_leaves_it_as_it_was)
{
	struct rill_semaphore s;
	struct call c = acquire_call(&s, 5, NULL);

	init(&s, 3);
	call_start(&c);
	CHECK(call_abort(&c), ==, -ECANCELED);
	CHECK(available(&s), ==, 3u);
	CHECK(rill_semaphore_try_acquire(&s, 3), ==, 0);
	return NULL;
}

/* Gives back what it got, so that all are there in the end whoever got them. */
static int acquire_release(struct call *c)
{
	int r = rill_semaphore_acquire(c->obj, c->msg);

	if (r == 0)
		rill_semaphore_release(c->obj, c->msg);
	return r;
}

TASK_TEST(abort_after_the_hand_over_loses_none)
{
	struct rill_semaphore s;
	struct call a = acquire_call(&s, 2, NULL), b;

	a.fn = acquire_release;
	b = a;
	init(&s, 0);
	call_start(&a);
	call_start(&b);
	rill_semaphore_release(&s, 2);
	call_abort(&a);
	CHECK(call_join(&b), ==, 0);
	CHECK(available(&s), ==, 2u);
	return NULL;
}

TASK_TEST(deadline_and_token_end_the_wait)
{
	struct rill_semaphore s;
	struct call late = acquire_call(&s, 2, NULL);
	struct call cancelled = acquire_call(&s, 3, NULL), patient = acquire_call(&s, 1, NULL);

	init(&s, 1);
	late.deadline_ns = rill_after(RILL_SEC);
	CHECK(rill_token_create(&cancelled.token), ==, 0);
	call_start(&late);
	call_start(&cancelled);
	call_start(&patient);
	CHECK(call_join(&late), ==, -ETIMEDOUT);
	CHECK(available(&s), ==, 0u);
	rill_token_cancel(cancelled.token);
	CHECK(call_join(&cancelled), ==, -ECANCELED);
	CHECK(call_join(&patient), ==, 0);
	CHECK(available(&s), ==, 0u);
	rill_token_unref(cancelled.token);
	return NULL;
}

/* A loop that never waits lets others run all the same, and can be cancelled. */
static int take_for_ever(struct call *c)
{
	for (;;) {
		int r = rill_semaphore_acquire(c->obj, 1);

		if (r < 0)
			return r;
		rill_semaphore_release(c->obj, 1);
	}
}

TASK_TEST(loop_without_a_wait_yields_and_ends)
{
	struct rill_semaphore s;
	struct call c = acquire_call(&s, 1, NULL);

	init(&s, 1);
	c.fn = take_for_ever;
	call_start(&c);
	CHECK(call_abort(&c), ==, -ECANCELED);
	CHECK(available(&s), ==, 1u);
	return NULL;
}

/* ---- closing ---- */

TASK_TEST(close_wakes_all_and_keeps_what_is_held)
{
	struct rill_semaphore s;
	struct call c[5];

	init(&s, 3);
	CHECK(rill_semaphore_acquire(&s, 1), ==, 0);
	for (unsigned i = 0; i < 5; i++) {
		c[i] = acquire_call(&s, 7, NULL);
		call_start(&c[i]);
	}
	CHECK(rill_semaphore_is_closed(&s), ==, false);
	rill_semaphore_close(&s);
	rill_semaphore_close(&s);
	CHECK(rill_semaphore_is_closed(&s), ==, true);
	/* what was set aside for the first is free again */
	CHECK(available(&s), ==, 2u);
	for (unsigned i = 0; i < 5; i++)
		CHECK(call_join(&c[i]), ==, -EPIPE);
	CHECK(rill_semaphore_acquire(&s, 1), ==, -EPIPE);
	rill_semaphore_release(&s, 1);
	CHECK(available(&s), ==, 3u);
	CHECK(rill_semaphore_is_closed(&s), ==, true);
	return NULL;
}

TASK_TEST(close_wakes_very_many)
{
	struct rill_semaphore s;
	struct call c[VERY_MANY];

	init(&s, 3);
	for (unsigned i = 0; i < VERY_MANY; i++) {
		c[i] = acquire_call(&s, 7, NULL);
		call_start(&c[i]);
	}
	rill_semaphore_close(&s);
	CHECK(available(&s), ==, 3u);
	for (unsigned i = 0; i < VERY_MANY; i++)
		CHECK(call_join(&c[i]), ==, -EPIPE);
	CHECK(available(&s), ==, 3u);
	return NULL;
}

TASK_TEST(handed_over_before_the_close_is_acquired)
{
	struct rill_semaphore s;
	struct call c = acquire_call(&s, 1, NULL);

	init(&s, 0);
	call_start(&c);
	rill_semaphore_release(&s, 1);
	rill_semaphore_close(&s);
	CHECK(call_join(&c), ==, 0);
	return NULL;
}

/* ---- forgetting ---- */

static void forget_takes_what_there_is(void **state)
{
	struct rill_semaphore s;

	init(&s, 5);
	assert_int_equal(rill_semaphore_forget(&s, 2), 2);
	assert_int_equal(available(&s), 3);
	assert_int_equal(rill_semaphore_forget(&s, 0), 0);
	assert_int_equal(rill_semaphore_forget(&s, 7), 3);
	assert_int_equal(rill_semaphore_forget(&s, 7), 0);
	assert_int_equal(available(&s), 0);
	rill_semaphore_release(&s, 1);
	assert_int_equal(rill_semaphore_try_acquire(&s, 1), 0);
}

static void closed_stays_closed(void **state)
{
	struct rill_semaphore s;

	init(&s, 5);
	rill_semaphore_close(&s);
	assert_int_equal(rill_semaphore_forget(&s, 2), 2);
	assert_true(rill_semaphore_is_closed(&s));
	assert_int_equal(rill_semaphore_forget(&s, SIZE_MAX), 3);
	assert_true(rill_semaphore_is_closed(&s));
	rill_semaphore_release(&s, 4);
	assert_true(rill_semaphore_is_closed(&s));
	assert_int_equal(available(&s), 4);
	assert_int_equal(rill_semaphore_try_acquire(&s, 1), -EPIPE);
}

TASK_TEST(forget_takes_nothing_that_is_set_aside)
{
	struct rill_semaphore s;
	struct call c = acquire_call(&s, 3, NULL);

	init(&s, 2);
	call_start(&c);
	CHECK(rill_semaphore_forget(&s, 2), ==, 0u);
	rill_semaphore_release(&s, 1);
	CHECK(call_join(&c), ==, 0);
	return NULL;
}

/* ---- permits as values ---- */

TASK_TEST(permits_split_and_merge)
{
	struct rill_semaphore s, other;
	struct rill_permits p, q, none, foreign;

	init(&s, 10);
	init(&other, 1);
	CHECK(rill_permits_acquire(&s, 6, &p), ==, 0);
	CHECK(rill_permits_try_acquire(&s, 5, &q), ==, -EAGAIN);
	CHECK(rill_permits_try_acquire(&other, 1, &foreign), ==, 0);
	CHECK(rill_permits_split(&p, 7, &q), ==, -EINVAL);
	CHECK(rill_permits_split(&p, 2, &q), ==, 0);
	CHECK(rill_permits_split(&p, 0, &none), ==, 0);
	CHECK(p.count, ==, 4u);
	CHECK(q.count, ==, 2u);
	CHECK(none.count, ==, 0u);
	CHECK(q.sem == &s, ==, true);
	rill_permits_release(&none);
	CHECK(rill_permits_merge(&p, &foreign), ==, -EINVAL);
	CHECK(foreign.count, ==, 1u);
	CHECK(rill_permits_merge(&p, &q), ==, 0);
	CHECK(p.count, ==, 6u);
	CHECK(q.count, ==, 0u);
	rill_permits_release(&q);
	CHECK(available(&s), ==, 4u);
	rill_permits_release(&p);
	rill_permits_release(&p);
	CHECK(available(&s), ==, 10u);
	rill_permits_release(&foreign);
	CHECK(available(&other), ==, 1u);
	return NULL;
}

TASK_TEST(forgotten_permits_never_come_back)
{
	struct rill_semaphore s;
	struct rill_permits p;

	init(&s, 3);
	CHECK(rill_permits_acquire(&s, 2, &p), ==, 0);
	rill_permits_forget(&p);
	rill_permits_release(&p);
	CHECK(available(&s), ==, 1u);
	rill_semaphore_close(&s);
	CHECK(rill_permits_acquire(&s, 1, &p), ==, -EPIPE);
	CHECK(p.count, ==, 0u);
	return NULL;
}

/* ---- an acquire in several steps ---- */

TASK_TEST(poll_keeps_its_place_and_what_it_has)
{
	struct rill_semaphore s;
	struct rill_acquiring a;
	struct call later = acquire_call(&s, 1, NULL);

	init(&s, 1);
	rill_acquiring_begin(&a, &s);
	CHECK(rill_acquiring_poll(&a, 3), ==, -EAGAIN);
	CHECK(available(&s), ==, 0u);
	call_start(&later);
	rill_semaphore_release(&s, 1);
	CHECK(rill_acquiring_poll(&a, 3), ==, -EAGAIN);
	rill_semaphore_release(&s, 1);
	/* it has all three, so whoever comes after it goes on */
	rill_semaphore_release(&s, 1);
	CHECK(call_join(&later), ==, 0);
	CHECK(rill_acquiring_poll(&a, 3), ==, 0);
	/* a new request */
	CHECK(rill_acquiring_poll(&a, 1), ==, -EAGAIN);
	rill_semaphore_release(&s, 1);
	CHECK(rill_acquiring_poll(&a, 1), ==, 0);
	rill_acquiring_end(&a);
	CHECK(available(&s), ==, 0u);
	return NULL;
}

TASK_TEST(poll_for_less_passes_the_rest_on)
{
	struct rill_semaphore s;
	struct rill_acquiring a;
	struct call later = acquire_call(&s, 2, NULL);

	init(&s, 4);
	rill_acquiring_begin(&a, &s);
	CHECK(rill_acquiring_poll(&a, 5), ==, -EAGAIN);
	call_start(&later);
	CHECK(rill_acquiring_poll(&a, 1), ==, 0);
	CHECK(call_join(&later), ==, 0);
	CHECK(available(&s), ==, 1u);
	rill_acquiring_end(&a);
	CHECK(available(&s), ==, 1u);
	return NULL;
}

TASK_TEST(poll_for_less_was_let_in_already)
{
	struct rill_semaphore s;
	struct rill_acquiring a;

	init(&s, 0);
	rill_acquiring_begin(&a, &s);
	CHECK(rill_acquiring_poll(&a, 3), ==, -EAGAIN);
	rill_semaphore_release(&s, 3);
	CHECK(available(&s), ==, 0u);
	CHECK(rill_acquiring_poll(&a, 2), ==, 0);
	CHECK(available(&s), ==, 1u);
	return NULL;
}

TASK_TEST(poll_for_more_waits_in_the_same_place)
{
	struct rill_semaphore s;
	struct rill_acquiring a;
	unsigned clock = 0;
	struct call later = acquire_call(&s, 3, &clock);

	init(&s, 1);
	rill_acquiring_begin(&a, &s);
	CHECK(rill_acquiring_poll(&a, 2), ==, -EAGAIN);
	call_start(&later);
	CHECK(rill_acquiring_poll(&a, 4), ==, -EAGAIN);
	rill_semaphore_release(&s, 2);
	CHECK(rill_acquiring_poll(&a, 4), ==, -EAGAIN);
	rill_semaphore_release(&s, 1);
	CHECK(rill_acquiring_poll(&a, 4), ==, 0);
	CHECK(clock, ==, 0u);
	rill_semaphore_release(&s, 3);
	CHECK(call_join(&later), ==, 0);
	return NULL;
}

/* It was let in, and others behind it are at work: what those have been given is its again. */
TASK_TEST(poll_for_more_goes_before_those_who_came_later)
{
	struct rill_semaphore s;
	struct rill_acquiring a;
	unsigned clock = 0;
	struct call later = acquire_call(&s, 3, &clock);

	init(&s, 0);
	rill_acquiring_begin(&a, &s);
	CHECK(rill_acquiring_poll(&a, 1), ==, -EAGAIN);
	call_start(&later);
	/* one for the place, two of three for the other */
	rill_semaphore_release(&s, 3);
	CHECK(rill_acquiring_poll(&a, 2), ==, 0);
	CHECK(available(&s), ==, 0u);
	CHECK(clock, ==, 0u);
	rill_semaphore_release(&s, 1);
	CHECK(rill_yield(), ==, 0);
	CHECK(clock, ==, 0u);
	/* again, and there is not enough */
	CHECK(rill_acquiring_poll(&a, 1), ==, -EAGAIN);
	rill_semaphore_release(&s, 1);
	CHECK(call_join(&later), ==, 0);
	rill_semaphore_release(&s, 1);
	later = acquire_call(&s, 2, &clock);
	call_start(&later);
	rill_semaphore_release(&s, 1);
	CHECK(rill_acquiring_poll(&a, 3), ==, -EAGAIN);
	rill_semaphore_release(&s, 1);
	CHECK(rill_acquiring_poll(&a, 3), ==, 0);
	rill_semaphore_release(&s, 2);
	CHECK(call_join(&later), ==, 0);
	CHECK(available(&s), ==, 0u);
	return NULL;
}

static int wait_for_place(struct call *c)
{
	return rill_acquiring_wait(c->obj, c->msg);
}

TASK_TEST(cancelled_wait_keeps_the_place)
{
	struct rill_semaphore s;
	struct rill_acquiring a;
	unsigned clock = 0;
	struct call first = {.fn = wait_for_place, .obj = &a, .msg = 2, .clock = &clock};
	struct call later = acquire_call(&s, 1, &clock);

	init(&s, 1);
	rill_acquiring_begin(&a, &s);
	call_start(&first);
	call_start(&later);
	CHECK(call_abort(&first), ==, -ECANCELED);
	first.deadline_ns = rill_after(RILL_SEC);
	call_start(&first);
	CHECK(call_join(&first), ==, -ETIMEDOUT);
	CHECK(available(&s), ==, 0u);
	CHECK(later.result, ==, 1);
	/* let in while nobody waits */
	rill_semaphore_release(&s, 1);
	CHECK(rill_yield(), ==, 0);
	CHECK(later.result, ==, 1);
	CHECK(rill_acquiring_wait(&a, 2), ==, 0);
	rill_semaphore_release(&s, 1);
	CHECK(call_join(&later), ==, 0);
	return NULL;
}

TASK_TEST(wait_is_woken_and_takes)
{
	struct rill_semaphore s;
	struct rill_acquiring a;
	struct call c = {.fn = wait_for_place, .obj = &a, .msg = 2};

	init(&s, 0);
	rill_acquiring_begin(&a, &s);
	call_start(&c);
	rill_semaphore_release(&s, 3);
	CHECK(call_join(&c), ==, 0);
	CHECK(available(&s), ==, 1u);
	CHECK(rill_acquiring_wait(&a, RILL_SEMAPHORE_MAX + 1), ==, -EINVAL);
	CHECK(rill_acquiring_poll(&a, RILL_SEMAPHORE_MAX + 1), ==, -EINVAL);
	CHECK(rill_acquiring_wait(&a, 1), ==, 0);
	CHECK(rill_acquiring_wait(&a, 0), ==, 0);
	CHECK(available(&s), ==, 0u);
	return NULL;
}

TASK_TEST(abort_after_a_place_was_let_in_loses_none)
{
	struct rill_semaphore s;
	struct rill_acquiring a;
	struct call c = {.fn = wait_for_place, .obj = &a, .msg = 2};

	init(&s, 0);
	rill_acquiring_begin(&a, &s);
	call_start(&c);
	rill_semaphore_release(&s, 2);
	if (call_abort(&c) == 0)
		rill_semaphore_release(&s, 2);
	rill_acquiring_end(&a);
	CHECK(available(&s), ==, 2u);
	return NULL;
}

TASK_TEST(end_passes_on_what_was_set_aside)
{
	struct rill_semaphore s;
	struct rill_acquiring a;
	struct call later = acquire_call(&s, 2, NULL);

	init(&s, 2);
	rill_acquiring_begin(&a, &s);
	CHECK(rill_acquiring_poll(&a, 3), ==, -EAGAIN);
	call_start(&later);
	rill_acquiring_end(&a);
	rill_acquiring_end(&a);
	CHECK(call_join(&later), ==, 0);
	/* the same with all of it */
	CHECK(rill_acquiring_poll(&a, 1), ==, -EAGAIN);
	rill_semaphore_release(&s, 1);
	CHECK(available(&s), ==, 0u);
	rill_acquiring_end(&a);
	CHECK(available(&s), ==, 1u);
	return NULL;
}

TASK_TEST(closed_while_it_has_a_place)
{
	struct rill_semaphore s, t;
	struct rill_acquiring queued, let_in, more;
	struct call waits = {.fn = wait_for_place, .obj = &queued, .msg = 2};

	init(&s, 1);
	init(&t, 0);
	rill_acquiring_begin(&queued, &s);
	rill_acquiring_begin(&let_in, &t);
	rill_acquiring_begin(&more, &t);
	call_start(&waits);
	CHECK(rill_acquiring_poll(&let_in, 1), ==, -EAGAIN);
	CHECK(rill_acquiring_poll(&more, 1), ==, -EAGAIN);
	rill_semaphore_release(&t, 2);
	rill_semaphore_close(&s);
	rill_semaphore_close(&t);
	CHECK(call_join(&waits), ==, -EPIPE);
	CHECK(rill_acquiring_poll(&queued, 1), ==, -EPIPE);
	CHECK(available(&s), ==, 1u);
	/* had before the close; more can't be had any more */
	CHECK(rill_acquiring_poll(&let_in, 1), ==, 0);
	CHECK(rill_acquiring_poll(&more, 2), ==, -EPIPE);
	CHECK(available(&t), ==, 1u);
	return NULL;
}

TASK_TEST(case_not_chosen_stays_queued)
{
	struct rill_semaphore s, other;
	struct rill_acquiring a;
	struct rill_case cases[2];
	struct call later = acquire_call(&s, 1, NULL);

	init(&s, 0);
	init(&other, 1);
	rill_acquiring_begin(&a, &s);
	rill_case_acquiring(&cases[0], &a, 2);
	rill_case_semaphore_acquire(&cases[1], &other, 1);
	CHECK(rill_select(cases, 2, RILL_SELECT_BIASED), ==, 1);
	CHECK(cases[1].result, ==, 0);
	call_start(&later);
	rill_semaphore_release(&s, 2);
	rill_case_acquiring(&cases[0], &a, 2);
	rill_case_semaphore_acquire(&cases[1], &other, 1);
	CHECK(rill_select(cases, 2, 0), ==, 0);
	CHECK(cases[0].result, ==, 0);
	rill_semaphore_release(&s, 1);
	CHECK(call_join(&later), ==, 0);
	return NULL;
}

/* ---- select ---- */

static int acquire_either(struct call *c)
{
	struct rill_case cases[2];

	rill_case_semaphore_acquire(&cases[0], c->obj, 2);
	rill_case_semaphore_acquire(&cases[1], c->other, 2);
	int i = rill_select(cases, 2, 0);

	return i < 0 ? i : (cases[i].result < 0 ? cases[i].result : i);
}

TASK_TEST(select_takes_one_and_leaves_the_other)
{
	for (unsigned round = 0; round < 20; round++) {
		struct rill_semaphore s[2];
		struct call c = {.fn = acquire_either, .obj = &s[0], .other = &s[1]};

		init(&s[0], 1);
		init(&s[1], 1);
		call_start(&c);
		rill_semaphore_release(&s[0], 1);
		rill_semaphore_release(&s[1], 1);
		int i = call_join(&c);

		CHECK(i, >=, 0);
		CHECK(available(&s[i]), ==, 0u);
		CHECK(available(&s[1 - i]), ==, 2u);
	}
	return NULL;
}

TASK_TEST(select_sees_the_close)
{
	struct rill_semaphore s[2];
	struct call c = {.fn = acquire_either, .obj = &s[0], .other = &s[1]};

	init(&s[0], 1);
	init(&s[1], 1);
	call_start(&c);
	rill_semaphore_close(&s[1]);
	CHECK(call_join(&c), ==, -EPIPE);
	CHECK(available(&s[0]), ==, 1u);
	return NULL;
}

/* ---- measuring ---- */

static int acquire_sleep_release(struct call *c)
{
	int r = rill_semaphore_acquire(c->obj, c->msg);

	if (r < 0)
		return r;
	r = rill_sleep(10 * RILL_MS);
	rill_semaphore_release(c->obj, c->msg);
	return r;
}

/* Sleeps on a paused clock end at a tick of the timer wheel. */
static void check_about(uint64_t ns, uint64_t expected_ns)
{
	CHECK(ns, >=, expected_ns);
	CHECK(ns, <, expected_ns + RILL_MS / 2);
}

TASK_TEST(measured_waits_and_holds)
{
	struct rill_lock_stats_options o = {RILL_OPTIONS(o), .min_ns = 1, .precision = 6};
	struct rill_lock_stats *stats;
	struct rill_lock_report report;
	struct rill_semaphore s;
	struct call c[3];

	CHECK(rill_lock_stats_create(&o, &stats), ==, 0);
	init(&s, 2);
	rill_semaphore_measure(&s, stats);
	for (unsigned i = 0; i < 3; i++) {
		c[i] = acquire_call(&s, 2, NULL);
		c[i].fn = acquire_sleep_release;
		call_start(&c[i]);
	}
	for (unsigned i = 0; i < 3; i++)
		CHECK(call_join(&c[i]), ==, 0);
	CHECK(rill_lock_stats_read(stats, &report), ==, 0);
	CHECK(report.taken, ==, 3u);
	CHECK(report.untimed, ==, 0u);
	CHECK(report.wait.count, ==, 2u);
	check_about(report.wait.sum_ns, 30 * RILL_MS);
	check_about(report.wait.max_ns, 20 * RILL_MS);
	CHECK(report.hold.count, ==, 3u);
	check_about(report.hold.sum_ns, 30 * RILL_MS);
	/* given back in parts, and by somebody who has not taken it */
	CHECK(rill_semaphore_acquire(&s, 2), ==, 0);
	CHECK(rill_sleep(RILL_MS), ==, 0);
	rill_semaphore_release(&s, 1);
	CHECK(rill_sleep(RILL_MS), ==, 0);
	rill_semaphore_release(&s, 1);
	rill_semaphore_release(&s, 1);
	CHECK(rill_lock_stats_read(stats, &report), ==, 0);
	CHECK(report.hold.count, ==, 4u);
	check_about(report.hold.sum_ns, 32 * RILL_MS);
	CHECK(report.untimed, ==, 1u);
	rill_semaphore_measure(&s, NULL);
	CHECK(rill_semaphore_acquire(&s, 3), ==, 0);
	CHECK(rill_lock_stats_read(stats, &report), ==, 0);
	CHECK(report.taken, ==, 4u);
	rill_lock_stats_destroy(stats);
	return NULL;
}

TASK_TEST(forgotten_holds_do_not_use_the_stats_up)
{
	struct rill_lock_stats_options o = {RILL_OPTIONS(o), .holders = 2};
	struct rill_lock_stats *stats;
	struct rill_lock_report report;
	struct rill_semaphore s;

	CHECK(rill_lock_stats_create(&o, &stats), ==, 0);
	init(&s, 10);
	rill_semaphore_measure(&s, stats);
	/* never given back */
	for (unsigned i = 0; i < 5; i++)
		CHECK(rill_semaphore_acquire(&s, 1), ==, 0);
	CHECK(rill_semaphore_acquire(&s, 1), ==, 0);
	rill_semaphore_release(&s, 1);
	CHECK(rill_lock_stats_read(stats, &report), ==, 0);
	CHECK(report.taken, ==, 6u);
	CHECK(report.hold.count, ==, 1u);
	CHECK(report.untimed, ==, 0u);
	rill_semaphore_measure(&s, NULL);
	rill_lock_stats_destroy(stats);
	return NULL;
}

/* ---- stress ---- */

struct shared {
	struct rill_semaphore s;
	RILL_ATOMIC(int) inside; /* permits held */
};

static void use(struct shared *sh, int n)
{
	CHECK(rill_fetch_add_relaxed(&sh->inside, n), <=, PERMITS - n);
	if (n % 3 == 0)
		rill_yield();
	rill_fetch_add_relaxed(&sh->inside, -n);
}

static void *acquire_often(void *arg)
{
	struct shared *sh = arg;

	for (int i = 0; i < ROUNDS; i++) {
		int n = 1 + (i * 5) % PERMITS;

		if (rill_semaphore_acquire(&sh->s, (size_t)n) < 0)
			break;
		use(sh, n);
		rill_semaphore_release(&sh->s, (size_t)n);
	}
	return NULL;
}

static void *poll_often(void *arg)
{
	struct shared *sh = arg;
	struct rill_acquiring a;

	rill_acquiring_begin(&a, &sh->s);
	for (int i = 0; i < ROUNDS; i++) {
		int n = 1 + (i * 3) % PERMITS;

		if (rill_acquiring_poll(&a, (size_t)n) == 0) {
			use(sh, n);
			rill_semaphore_release(&sh->s, (size_t)n);
			continue;
		}
		if (rill_yield() < 0)
			break;
		n = 1 + i % PERMITS;
		if (rill_acquiring_wait(&a, (size_t)n) < 0)
			break;
		use(sh, n);
		rill_semaphore_release(&sh->s, (size_t)n);
	}
	rill_acquiring_end(&a);
	return NULL;
}

static void *select_often(void *arg)
{
	struct shared *sh = arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct rill_case cases[2];

		rill_case_semaphore_acquire(&cases[0], &sh->s, 3);
		rill_case_semaphore_acquire(&cases[1], &sh->s, 2);
		int at = rill_select(cases, 2, 0);

		if (at < 0)
			break;
		CHECK(cases[at].result, ==, 0);
		use(sh, 3 - at);
		rill_semaphore_release(&sh->s, (size_t)(3 - at));
	}
	return NULL;
}

STRESS_TEST(stress_conserves_permits)
{
	void *(*const fns[])(void *) = {acquire_often, poll_often, select_often};
	struct rill_task **t = calloc(TASKS, sizeof(*t));
	struct rill_lock_stats *stats;
	struct shared sh = {0};
	struct rill_rand rand;
	pthread_t threads[3];

	RILL_ASSERT(t);
	rill_rand_init(&rand, 5);
	CHECK(rill_lock_stats_create(NULL, &stats), ==, 0);
	init(&sh.s, PERMITS);
	for (unsigned i = 0; i < 3; i++)
		threads[i] = thread_start(fns[i], &sh);
	for (unsigned i = 0; i < TASKS; i++)
		t[i] = spawn(fns[i % 3], &sh);
	for (unsigned i = 0; i < TASKS; i++) {
		if (rill_rand_below(&rand, 3) == 0)
			rill_abort(t[i]);
		if (rill_rand_below(&rand, 8) == 0)
			rill_yield();
		/* in the middle of it all */
		if (i == TASKS / 2)
			rill_semaphore_measure(&sh.s, stats);
	}
	for (unsigned i = 0; i < TASKS; i++)
		join(t[i]);
	for (unsigned i = 0; i < 3; i++)
		thread_join(threads[i]);
	CHECK(sh.inside, ==, 0);
	CHECK(available(&sh.s), ==, (size_t)PERMITS);
	CHECK(rill_semaphore_try_acquire(&sh.s, PERMITS), ==, 0);
	rill_lock_stats_destroy(stats);
	free(t);
	return NULL;
}

STRESS_TEST(stress_close_in_between)
{
	for (unsigned round = 0; round < 10; round++) {
		struct shared sh = {0};
		struct rill_task *t[30];

		init(&sh.s, PERMITS);
		for (unsigned i = 0; i < 30; i++)
			t[i] = spawn(i % 2 ? acquire_often : poll_often, &sh);
		for (unsigned i = 0; i < round; i++)
			rill_yield();
		rill_semaphore_close(&sh.s);
		for (unsigned i = 0; i < 30; i++)
			join(t[i]);
		CHECK(available(&sh.s), ==, (size_t)PERMITS);
	}
	return NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_as_there_may_be),
		cmocka_unit_test(more_than_the_most_is_an_assertion),
		cmocka_unit_test(given_up_beyond_the_most_is_an_assertion),
		cmocka_unit_test(try_acquire_takes_or_says_why_not),
		cmocka_unit_test(try_acquire_fails_while_somebody_waits),
		cmocka_unit_test(longest_waiter_is_next),
		cmocka_unit_test(queued_big_request_blocks_later_small_ones),
		cmocka_unit_test(what_is_free_is_set_aside_for_the_first),
		cmocka_unit_test(one_release_lets_many_in),
		cmocka_unit_test(one_release_lets_very_many_in),
		cmocka_unit_test(none_are_had_at_once),
		cmocka_unit_test(cancelled_first_passes_on_what_was_set_aside),
		cmocka_unit_test(cancelled_in_the_middle_changes_nothing_else),
		cmocka_unit_test(last_one_cancelled_leaves_it_as_it_was),
		cmocka_unit_test(abort_after_the_hand_over_loses_none),
		cmocka_unit_test(deadline_and_token_end_the_wait),
		cmocka_unit_test(loop_without_a_wait_yields_and_ends),
		cmocka_unit_test(close_wakes_all_and_keeps_what_is_held),
		cmocka_unit_test(close_wakes_very_many),
		cmocka_unit_test(handed_over_before_the_close_is_acquired),
		cmocka_unit_test(forget_takes_what_there_is),
		cmocka_unit_test(closed_stays_closed),
		cmocka_unit_test(forget_takes_nothing_that_is_set_aside),
		cmocka_unit_test(permits_split_and_merge),
		cmocka_unit_test(forgotten_permits_never_come_back),
		cmocka_unit_test(poll_keeps_its_place_and_what_it_has),
		cmocka_unit_test(poll_for_less_passes_the_rest_on),
		cmocka_unit_test(poll_for_less_was_let_in_already),
		cmocka_unit_test(poll_for_more_waits_in_the_same_place),
		cmocka_unit_test(poll_for_more_goes_before_those_who_came_later),
		cmocka_unit_test(cancelled_wait_keeps_the_place),
		cmocka_unit_test(wait_is_woken_and_takes),
		cmocka_unit_test(abort_after_a_place_was_let_in_loses_none),
		cmocka_unit_test(end_passes_on_what_was_set_aside),
		cmocka_unit_test(closed_while_it_has_a_place),
		cmocka_unit_test(case_not_chosen_stays_queued),
		cmocka_unit_test(select_takes_one_and_leaves_the_other),
		cmocka_unit_test(select_sees_the_close),
		cmocka_unit_test(measured_waits_and_holds),
		cmocka_unit_test(forgotten_holds_do_not_use_the_stats_up),
		cmocka_unit_test(stress_conserves_permits),
		cmocka_unit_test(stress_close_in_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
