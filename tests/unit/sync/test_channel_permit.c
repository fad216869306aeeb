/* SPDX-License-Identifier: BSD-3-Clause */
/* Permits of a channel. */
#include "tests/unit/sync/channel_test.h"

static void send_reserved(struct rill_channel *ch, uint64_t msg)
{
	rill_channel_send_reserved(ch, &msg);
}

static void permit_is_room(void **state)
{
	struct rill_channel *ch = create(3);

	assert_int_equal(rill_channel_reserve(ch, 2), 0);
	assert_int_equal(rill_channel_capacity(ch), 1);
	assert_int_equal(rill_channel_len(ch), 0);
	assert_int_equal(try_recv(ch), -EAGAIN);
	assert_int_equal(try_send(ch, 1), 0);
	assert_int_equal(try_send(ch, 9), -EAGAIN);
	assert_int_equal(rill_channel_try_reserve(ch, 1), -EAGAIN);
	/* the order of messages is that of their sending */
	send_reserved(ch, 2);
	send_reserved(ch, 3);
	assert_int_equal(rill_channel_len(ch), 3);
	for (uint64_t i = 1; i <= 3; i++)
		expect(ch, i);
	assert_int_equal(rill_channel_capacity(ch), 3);
	close_both(ch);
}

static void bad_numbers(void **state)
{
	struct rill_channel *ch = create(2), *endless = create(RILL_UNBOUNDED);

	assert_int_equal(rill_channel_reserve(ch, 3), -EINVAL);
	assert_int_equal(rill_channel_try_reserve(ch, 3), -EINVAL);
	assert_int_equal(rill_channel_try_reserve(ch, SIZE_MAX), -EINVAL);
	assert_int_equal(rill_channel_reserve(endless, 1), -EINVAL);
	assert_int_equal(rill_channel_try_reserve(endless, 1), -EINVAL);
	assert_int_equal(rill_channel_try_reserve(ch, 2), 0);
	rill_channel_unreserve(ch, 2);
	assert_int_equal(rill_channel_capacity(ch), 2);
	close_both(ch);
	close_both(endless);
}

TASK_TEST(no_permits_are_had_at_once)
{
	struct rill_channel *ch = create(1);
	struct call waiting = {.fn = send_once, .obj = ch, .msg = 2};

	fill(ch, 1, 1);
	call_start(&waiting);
	/* full, and others wait */
	CHECK(rill_channel_reserve(ch, 0), ==, 0);
	CHECK(rill_channel_try_reserve(ch, 0), ==, 0);
	rill_channel_unreserve(ch, 0);
	rill_channel_close(ch);
	CHECK(call_join(&waiting), ==, -EPIPE);
	CHECK(rill_channel_reserve(ch, 0), ==, -EPIPE);
	CHECK(rill_channel_try_reserve(ch, 0), ==, -EPIPE);
	close_both(ch);
	return NULL;
}

TASK_TEST(permit_given_back_is_the_first_waiters)
{
	struct rill_channel *ch = create(2);
	struct call sender = {.fn = send_once, .obj = ch, .msg = 1};
	struct call reserver = {.fn = reserve_once, .obj = ch, .msg = 1};

	CHECK(rill_channel_reserve(ch, 2), ==, 0);
	call_start(&sender);
	call_start(&reserver);
	rill_channel_unreserve(ch, 1);
	CHECK(rill_channel_len(ch), ==, 1u);
	CHECK(call_join(&sender), ==, 0);
	rill_channel_unreserve(ch, 1);
	CHECK(call_join(&reserver), ==, 0);
	CHECK(rill_channel_capacity(ch), ==, 0u);
	send_reserved(ch, 2);
	expect(ch, 1);
	expect(ch, 2);
	close_both(ch);
	return NULL;
}

TASK_TEST(room_is_kept_for_the_first_as_it_comes)
{
	struct rill_channel *ch = create(4);
	struct call many = {.fn = reserve_once, .obj = ch, .msg = 3};
	struct call small = {.fn = send_once, .obj = ch, .msg = 5};

	fill(ch, 1, 3);
	call_start(&many);
	/* the one place that was free is his by now */
	CHECK(rill_channel_capacity(ch), ==, 0u);
	CHECK(try_send(ch, 9), ==, -EAGAIN);
	CHECK(rill_channel_try_reserve(ch, 1), ==, -EAGAIN);
	call_start(&small);
	expect(ch, 1);
	expect(ch, 2);
	CHECK(call_join(&many), ==, 0);
	CHECK(rill_channel_len(ch), ==, 1u);
	/* what comes next is the next one's */
	expect(ch, 3);
	CHECK(call_join(&small), ==, 0);
	CHECK(rill_channel_capacity(ch), ==, 0u);
	for (uint64_t i = 6; i <= 8; i++)
		send_reserved(ch, i);
	for (uint64_t i = 5; i <= 8; i++)
		expect(ch, i);
	close_both(ch);
	return NULL;
}

TASK_TEST(cancelled_reserve_hands_its_part_on)
{
	struct rill_channel *ch = create(3);
	struct call a = {.fn = send_once, .obj = ch, .msg = 4}, b = a;

	fill(ch, 1, 2);
	/* each of the three is first in the queue for a while, and has the one place */
	cancel_in_all_ways(reserve_once, ch, 3);
	CHECK(rill_channel_capacity(ch), ==, 1u);

	struct call many = {.fn = reserve_once, .obj = ch, .msg = 3};

	b.msg = 5;
	call_start(&many);
	call_start(&a);
	call_start(&b);
	expect(ch, 1);
	CHECK(rill_channel_len(ch), ==, 1u);
	CHECK(call_abort(&many), ==, -ECANCELED);
	/* he had two places */
	CHECK(rill_channel_len(ch), ==, 3u);
	CHECK(call_join(&a), ==, 0);
	CHECK(call_join(&b), ==, 0);
	expect(ch, 2);
	expect(ch, 4);
	expect(ch, 5);
	CHECK(rill_channel_capacity(ch), ==, 3u);
	close_both(ch);
	return NULL;
}

TASK_TEST(abort_after_the_permits_loses_none)
{
	struct rill_channel *ch = create(2);
	struct call c = {.fn = reserve_once, .obj = ch, .msg = 2};

	fill(ch, 1, 2);
	call_start(&c);
	expect(ch, 1);
	expect(ch, 2);
	/* it has them, or not, as it says */
	if (call_abort(&c) == 0)
		rill_channel_unreserve(ch, 2);
	CHECK(rill_channel_capacity(ch), ==, 2u);
	close_both(ch);
	return NULL;
}

TASK_TEST(permit_sends_after_close)
{
	struct rill_channel *ch = create(2);

	CHECK(rill_channel_reserve(ch, 2), ==, 0);
	rill_channel_close(ch);
	CHECK(try_send(ch, 1), ==, -EPIPE);
	CHECK(try_recv(ch), ==, -EAGAIN);
	send_reserved(ch, 1);
	send_reserved(ch, 2);
	expect(ch, 1);
	expect(ch, 2);
	expect_end(ch);
	close_both(ch);
	return NULL;
}

TASK_TEST(receivers_wait_for_outstanding_permits)
{
	struct rill_channel *ch = create(2);
	struct call a = {.fn = recv_once, .obj = ch}, b = a;

	CHECK(rill_channel_reserve(ch, 1), ==, 0);
	rill_channel_close(ch);
	call_start(&a);
	call_start(&b);
	/* the last message is the first one's, and the end the other's */
	send_reserved(ch, 7);
	CHECK(call_join(&a), ==, 0);
	CHECK(a.msg, ==, 7u);
	CHECK(call_join(&b), ==, -EPIPE);
	close_both(ch);
	return NULL;
}

TASK_TEST(last_permit_given_back_wakes_the_receivers)
{
	struct rill_channel *ch = create(3);
	struct call a = {.fn = recv_once, .obj = ch}, b = {.fn = recv_case, .obj = ch};

	CHECK(rill_channel_reserve(ch, 3), ==, 0);
	rill_channel_close(ch);
	call_start(&a);
	call_start(&b);
	rill_channel_unreserve(ch, 2);
	CHECK(try_recv(ch), ==, -EAGAIN);
	rill_channel_unreserve(ch, 1);
	CHECK(call_join(&a), ==, -EPIPE);
	CHECK(call_join(&b), ==, -EPIPE);
	close_both(ch);
	return NULL;
}

/* A permit and a sender with it: whoever has both may send when all others have gone. */
TASK_TEST(owned_permit)
{
	struct rill_channel *ch = create(1);
	struct call c = {.fn = recv_once, .obj = ch};

	CHECK(rill_channel_reserve(ch, 1), ==, 0);
	rill_channel_add_sender(ch);
	rill_channel_close_sender(ch);
	CHECK(rill_channel_sender_count(ch), ==, 1u);
	call_start(&c);
	send_reserved(ch, 3);
	CHECK(call_join(&c), ==, 0);
	CHECK(c.msg, ==, 3u);
	rill_channel_close_sender(ch);
	expect_end(ch);
	rill_channel_close_receiver(ch);
	return NULL;
}

static void count_drop(void *msg, void *arg)
{
	uint64_t *sum = arg;

	*sum += *(uint64_t *)msg;
}

static void without_receivers_the_message_is_dropped(void **state)
{
	uint64_t sum = 0;
	struct rill_channel_options o = {RILL_OPTIONS(o), .capacity = 2, .msg_size = 8,
					 .drop = count_drop, .arg = &sum};
	struct rill_channel *ch;

	assert_int_equal(rill_channel_create_with(&o, &ch), 0);
	assert_int_equal(rill_channel_reserve(ch, 2), 0);
	rill_channel_close_receiver(ch);
	send_reserved(ch, 5);
	assert_int_equal(sum, 5);
	rill_channel_unreserve(ch, 1);
	assert_int_equal(sum, 5);
	rill_channel_close_sender(ch);
}

TASK_TEST(waiting_reserve_sees_the_close)
{
	struct rill_channel *ch = create(3);
	struct call first = {.fn = reserve_once, .obj = ch, .msg = 3}, second = first;

	fill(ch, 1, 2);
	call_start(&first);
	call_start(&second);
	rill_channel_close(ch);
	CHECK(call_join(&first), ==, -EPIPE);
	CHECK(call_join(&second), ==, -EPIPE);
	expect(ch, 1);
	expect(ch, 2);
	/* what the first had does not count as outstanding */
	expect_end(ch);
	close_both(ch);
	return NULL;
}

/* What was given before the close holds. */
TASK_TEST(permits_given_before_the_close_hold)
{
	struct rill_channel *ch = create(1);
	struct call reserver = {.fn = reserve_once, .obj = ch, .msg = 1};
	struct call promised = {.fn = send_case, .obj = ch, .msg = 6};

	fill(ch, 1, 1);
	call_start(&reserver);
	expect(ch, 1);
	rill_channel_close(ch);
	CHECK(call_join(&reserver), ==, 0);
	send_reserved(ch, 2);
	expect(ch, 2);
	expect_end(ch);
	close_both(ch);

	ch = create(1);
	promised.obj = ch;
	fill(ch, 1, 1);
	call_start(&promised);
	expect(ch, 1);
	rill_channel_close(ch);
	CHECK(try_recv(ch), ==, -EAGAIN);
	expect(ch, 6);
	CHECK(call_join(&promised), ==, 0);
	expect_end(ch);
	close_both(ch);
	return NULL;
}

static int reserve_either(struct call *c)
{
	struct rill_case cases[2];

	rill_case_channel_reserve(&cases[0], c->obj, c->msg);
	rill_case_channel_reserve(&cases[1], c->other, c->msg);
	int i = rill_select(cases, 2, RILL_SELECT_BIASED);

	if (i >= 0)
		CHECK(cases[i].result, ==, 0);
	return i;
}

TASK_TEST(select_gives_the_permits_of_the_loser_back)
{
	struct rill_channel *first = create(2), *second = create(2);
	struct call either = {.fn = reserve_either, .obj = first, .other = second, .msg = 2};
	struct call next = {.fn = send_once, .obj = second, .msg = 8};

	fill(first, 1, 2);
	fill(second, 1, 2);
	call_start(&either);
	call_start(&next);
	/* the second has a part, and then both have all */
	expect(second, 1);
	CHECK(rill_channel_capacity(second), ==, 0u);
	expect(first, 1);
	expect(first, 2);
	expect(second, 2);
	CHECK(call_join(&either), ==, 0);
	CHECK(rill_channel_capacity(first), ==, 0u);
	rill_channel_unreserve(first, 2);
	CHECK(call_join(&next), ==, 0);
	expect(second, 8);
	CHECK(rill_channel_capacity(second), ==, 2u);
	/* and once more, with a part only */
	fill(first, 1, 2);
	fill(second, 1, 1);
	call_start(&either);
	CHECK(rill_channel_capacity(second), ==, 0u);
	expect(first, 1);
	expect(first, 2);
	CHECK(call_join(&either), ==, 0);
	CHECK(rill_channel_capacity(second), ==, 1u);
	rill_channel_unreserve(first, 2);
	close_both(first);
	close_both(second);
	return NULL;
}

TASK_TEST(select_of_too_many_is_an_error)
{
	struct rill_channel *ch = create(1);
	struct rill_case c;

	rill_case_channel_reserve(&c, ch, 2);
	CHECK(sole(&c), ==, -EINVAL);
	close_both(ch);
	return NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permit_is_room),
		cmocka_unit_test(bad_numbers),
		cmocka_unit_test(no_permits_are_had_at_once),
		cmocka_unit_test(permit_given_back_is_the_first_waiters),
		cmocka_unit_test(room_is_kept_for_the_first_as_it_comes),
		cmocka_unit_test(cancelled_reserve_hands_its_part_on),
		cmocka_unit_test(abort_after_the_permits_loses_none),
		cmocka_unit_test(permit_sends_after_close),
		cmocka_unit_test(receivers_wait_for_outstanding_permits),
		cmocka_unit_test(last_permit_given_back_wakes_the_receivers),
		cmocka_unit_test(owned_permit),
		cmocka_unit_test(without_receivers_the_message_is_dropped),
		cmocka_unit_test(waiting_reserve_sees_the_close),
		cmocka_unit_test(permits_given_before_the_close_hold),
		cmocka_unit_test(select_gives_the_permits_of_the_loser_back),
		cmocka_unit_test(select_of_too_many_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
