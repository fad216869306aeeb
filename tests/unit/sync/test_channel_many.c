/* SPDX-License-Identifier: BSD-3-Clause */
/* Many receivers of one channel, and many messages at once. */
#include "tests/unit/sync/channel_test.h"

/* ---- many receivers ---- */

TASK_TEST(receivers_are_served_in_order)
{
	struct rill_channel *ch = create(4);
	struct call c[6];

	for (unsigned i = 0; i < 6; i++) {
		/* whether they wait for nothing else or not */
		c[i] = (struct call){.fn = i % 2 ? recv_case : recv_once, .obj = ch};
		call_start(&c[i]);
	}
	for (uint64_t i = 0; i < 6; i++)
		CHECK(try_send(ch, i), ==, 0);
	for (unsigned i = 0; i < 6; i++)
		CHECK(call_join(&c[i]), ==, 0);
	/* Who is woken first takes what is oldest. */
	uint64_t sum = 0;

	for (unsigned i = 0; i < 6; i++)
		sum += c[i].msg;
	CHECK(sum, ==, 15u);
	for (unsigned i = 0; i < 6; i += 2)
		CHECK(c[i].msg, ==, i);
	CHECK(rill_channel_len(ch), ==, 0u);
	close_both(ch);
	return NULL;
}

TASK_TEST(owed_message_is_not_taken_by_others)
{
	struct rill_channel *ch = create(2);
	struct call c = {.fn = recv_case, .obj = ch}, next = {.fn = recv_once, .obj = ch};
	uint64_t msgs[2];
	size_t n;

	call_start(&c);
	CHECK(try_send(ch, 1), ==, 0);
	CHECK(rill_channel_len(ch), ==, 1u);
	CHECK(try_recv(ch), ==, -EAGAIN);
	CHECK(rill_channel_try_recv_many(ch, msgs, 2, &n), ==, -EAGAIN);
	/* what comes now is free */
	CHECK(try_send(ch, 2), ==, 0);
	CHECK(try_send(ch, 9), ==, -EAGAIN);
	call_start(&next);
	CHECK(call_join(&next), ==, 0);
	CHECK(call_join(&c), ==, 0);
	CHECK(c.msg + next.msg, ==, 3u);
	close_both(ch);
	return NULL;
}

static int recv_either(struct call *c)
{
	struct rill_case cases[2];

	rill_case_channel_recv(&cases[0], c->obj, &c->msg);
	rill_case_channel_recv(&cases[1], c->other, &c->msg);
	int i = rill_select(cases, 2, RILL_SELECT_BIASED);

	if (i >= 0)
		CHECK(cases[i].result, ==, 0);
	return i;
}

static void loser_passes_on_to(int (*fn)(struct call *c))
{
	struct rill_channel *first = create(1), *second = create(1);
	struct call either = {.fn = recv_either, .obj = first, .other = second};
	struct call next = {.fn = fn, .obj = second};
	struct call sender = {.fn = send_once, .obj = second, .msg = 3};

	call_start(&either);
	call_start(&next);
	CHECK(try_send(second, 2), ==, 0);
	CHECK(try_send(first, 1), ==, 0);
	call_start(&sender);
	CHECK(call_join(&either), ==, 0);
	CHECK(either.msg, ==, 1u);
	CHECK(call_join(&next), ==, 0);
	CHECK(next.msg, ==, 2u);
	CHECK(call_join(&sender), ==, 0);
	expect(second, 3);
	close_both(first);
	close_both(second);
}

TASK_TEST(select_passes_the_second_message_on)
{
	loser_passes_on_to(recv_once);
	loser_passes_on_to(recv_case);
	return NULL;
}

TASK_TEST(the_end_is_everybodys)
{
	struct rill_channel *ch = create(1);
	struct call c[4];

	for (unsigned i = 0; i < 4; i++) {
		c[i] = (struct call){.fn = i % 2 ? recv_once : recv_case, .obj = ch};
		call_start(&c[i]);
	}
	/* the first is owed a message; the others have to wait until it is gone */
	CHECK(try_send(ch, 5), ==, 0);
	rill_channel_close_sender(ch);
	CHECK(try_recv(ch), ==, -EAGAIN);
	CHECK(call_join(&c[0]), ==, 0);
	CHECK(c[0].msg, ==, 5u);
	for (unsigned i = 1; i < 4; i++)
		CHECK(call_join(&c[i]), ==, -EPIPE);
	expect_end(ch);
	rill_channel_close_receiver(ch);
	return NULL;
}

TASK_TEST(one_receiver_goes_and_the_others_stay)
{
	struct rill_channel *ch = create(1);
	struct call c = {.fn = recv_once, .obj = ch};

	rill_channel_add_receiver(ch);
	call_start(&c);
	rill_channel_close_receiver(ch);
	CHECK(try_send(ch, 1), ==, 0);
	CHECK(call_join(&c), ==, 0);
	close_both(ch);
	return NULL;
}

TASK_TEST(cancelled_receivers_lose_their_place_and_no_message)
{
	struct rill_channel *ch = create(2);
	struct call a = {.fn = recv_once, .obj = ch}, b = {.fn = recv_case, .obj = ch};

	cancel_in_all_ways(recv_once, ch, 0);
	cancel_in_all_ways(recv_case, ch, 0);
	/* handed over, and aborted before they run */
	call_start(&a);
	call_start(&b);
	CHECK(try_send(ch, 1), ==, 0);
	CHECK(try_send(ch, 2), ==, 0);
	uint64_t sum = 0;

	if (call_abort(&a) == 0)
		sum += a.msg;
	if (call_abort(&b) == 0)
		sum += b.msg;
	while (rill_channel_try_recv(ch, &a.msg) == 0)
		sum += a.msg;
	CHECK(sum, ==, 3u);
	close_both(ch);
	return NULL;
}

/* ---- many messages ---- */

struct many {
	uint64_t msgs[200];
	size_t n;
};

/* msg: the limit; other: a struct many, to which it appends. */
static int many_once(struct call *c)
{
	struct many *m = c->other;
	size_t n;
	int r = rill_channel_recv_many(c->obj, m->msgs + m->n, c->msg, &n);

	if (r == 0)
		m->n += n;
	return r;
}

static int recv_many(struct rill_channel *ch, struct many *m, size_t limit)
{
	struct call c = {.obj = ch, .other = m, .msg = limit};

	return many_once(&c);
}

static void check_in_order(const struct many *m, size_t n)
{
	CHECK(m->n, ==, n);
	for (size_t i = 0; i < n; i++)
		CHECK(m->msgs[i], ==, i);
}

static void many_of(size_t capacity)
{
	struct rill_channel *ch = create(capacity);
	struct many m = {.n = 0};
	uint64_t next = 0;

	/* of a ring that wraps, and of many blocks */
	for (unsigned round = 0; round < 4; round++) {
		fill(ch, next, 40);
		next += 40;
		CHECK(recv_many(ch, &m, 7), ==, 0);
		CHECK(rill_channel_len(ch), ==, 33u);
		CHECK(recv_many(ch, &m, 100), ==, 0);
		CHECK(rill_channel_len(ch), ==, 0u);
	}
	check_in_order(&m, next);
	close_both(ch);
}

static void many_at_once(void **state)
{
	many_of(40);
	many_of(45);
	many_of(100);
	many_of(RILL_UNBOUNDED);
}

/* More than are copied without letting go of the lock. */
static void very_many_at_once(void **state)
{
	static const size_t limits[] = {63, 64, 65, 127, 128, 129, 150, 151, 200};

	for (size_t i = 0; i < RILL_ARRAY_SIZE(limits); i++) {
		struct rill_channel *ch = create(i % 2 ? 150 : RILL_UNBOUNDED);
		size_t n = RILL_MIN(limits[i], (size_t)150);
		struct many m = {.n = 0};

		fill(ch, 0, 150);
		rill_channel_close(ch);
		assert_int_equal(recv_many(ch, &m, limits[i]), 0);
		check_in_order(&m, n);
		assert_int_equal(rill_channel_len(ch), 150 - n);
		close_both(ch);
	}
}

static void limit_of_none(void **state)
{
	struct rill_channel *ch = create(1);
	struct many m = {.n = 0};
	size_t n = 7;

	assert_int_equal(rill_channel_recv_many(ch, m.msgs, 0, &n), 0);
	assert_int_equal(n, 0);
	n = 7;
	assert_int_equal(rill_channel_try_recv_many(ch, m.msgs, 0, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(rill_channel_try_recv_many(ch, m.msgs, 5, &n), -EAGAIN);
	rill_channel_close_sender(ch);
	n = 7;
	assert_int_equal(rill_channel_recv_many(ch, m.msgs, 5, &n), -EPIPE);
	assert_int_equal(rill_channel_try_recv_many(ch, m.msgs, 5, &n), -EPIPE);
	assert_int_equal(n, 7);
	rill_channel_close_receiver(ch);
}

TASK_TEST(many_waits_for_one)
{
	struct rill_channel *ch = create(4);
	struct many m = {.n = 0};
	struct call c = {.fn = many_once, .obj = ch, .other = &m, .msg = 10};

	call_start(&c);
	fill(ch, 0, 3);
	CHECK(call_join(&c), ==, 0);
	check_in_order(&m, 3);
	call_start(&c);
	rill_channel_close_sender(ch);
	CHECK(call_join(&c), ==, -EPIPE);
	rill_channel_close_receiver(ch);
	return NULL;
}

TASK_TEST(many_lets_as_many_senders_go_on)
{
	struct rill_channel *ch = create(3);
	struct call c[5];
	struct many m = {.n = 0};

	fill(ch, 0, 3);
	for (unsigned i = 0; i < 5; i++) {
		c[i] = (struct call){.fn = send_once, .obj = ch, .msg = 3 + i};
		call_start(&c[i]);
	}
	CHECK(recv_many(ch, &m, 10), ==, 0);
	CHECK(m.n, ==, 3u);
	CHECK(rill_channel_len(ch), ==, 3u);
	CHECK(try_send(ch, 9), ==, -EAGAIN);
	for (unsigned i = 0; i < 3; i++)
		CHECK(call_join(&c[i]), ==, 0);
	CHECK(recv_many(ch, &m, 10), ==, 0);
	CHECK(recv_many(ch, &m, 10), ==, 0);
	check_in_order(&m, 8);
	for (unsigned i = 3; i < 5; i++)
		CHECK(call_join(&c[i]), ==, 0);
	close_both(ch);
	return NULL;
}

TASK_TEST(cancelled_many_loses_no_message)
{
	struct rill_channel *ch = create(4);
	struct many m = {.n = 0};
	struct call c = {.fn = many_once, .obj = ch, .other = &m, .msg = 10};

	call_start(&c);
	CHECK(call_abort(&c), ==, -ECANCELED);
	c.deadline_ns = rill_after(RILL_SEC);
	call_start(&c);
	CHECK(call_join(&c), ==, -ETIMEDOUT);
	CHECK(m.n, ==, 0u);
	c.deadline_ns = 0;
	call_start(&c);
	fill(ch, 0, 3);
	(void)call_abort(&c);
	if (rill_channel_len(ch) > 0)
		CHECK(recv_many(ch, &m, 10), ==, 0);
	check_in_order(&m, 3);
	close_both(ch);
	return NULL;
}

/* The others behind the one who took all see the end. */
TASK_TEST(many_takes_all_and_ends_the_others)
{
	struct rill_channel *ch = create(4);
	struct many m = {.n = 0};
	struct call c = {.fn = many_once, .obj = ch, .other = &m, .msg = 10};
	struct call late = {.fn = recv_once, .obj = ch};

	call_start(&c);
	fill(ch, 0, 1);
	call_start(&late);
	rill_channel_close_sender(ch);
	CHECK(call_join(&c), ==, 0);
	CHECK(call_join(&late), ==, -EPIPE);
	check_in_order(&m, 1);
	rill_channel_close_receiver(ch);
	return NULL;
}

/* ---- the budget ---- */

#define BUDGET 128 /* the default of a slice */

static void *count_turns(void *arg)
{
	unsigned *turns = arg;

	for (;;) {
		rill_store_relaxed(turns, rill_load_relaxed(turns) + 1);
		if (rill_yield() < 0)
			return NULL;
	}
}

TASK_TEST(many_messages_are_one_unit)
{
	struct rill_channel *ch = create(RILL_UNBOUNDED);
	struct many m;
	unsigned turns = 0;
	struct rill_task *t = spawn(count_turns, &turns);

	while (rill_load_relaxed(&turns) == 0)
		CHECK(rill_yield(), ==, 0);
	unsigned before = rill_load_relaxed(&turns);

	/* sending costs nothing by try */
	for (unsigned i = 0; i <= 4 * BUDGET; i++) {
		fill(ch, 0, 50);
		m.n = 0;
		CHECK(recv_many(ch, &m, 200), ==, 0);
		CHECK(m.n, ==, 50u);
	}
	CHECK(rill_load_relaxed(&turns) - before, ==, 4u);
	rill_abort(t);
	join(t);
	close_both(ch);
	return NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(receivers_are_served_in_order),
		cmocka_unit_test(owed_message_is_not_taken_by_others),
		cmocka_unit_test(select_passes_the_second_message_on),
		cmocka_unit_test(the_end_is_everybodys),
		cmocka_unit_test(one_receiver_goes_and_the_others_stay),
		cmocka_unit_test(cancelled_receivers_lose_their_place_and_no_message),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(very_many_at_once),
		cmocka_unit_test(limit_of_none),
		cmocka_unit_test(many_waits_for_one),
		cmocka_unit_test(many_lets_as_many_senders_go_on),
		cmocka_unit_test(cancelled_many_loses_no_message),
		cmocka_unit_test(many_takes_all_and_ends_the_others),
		cmocka_unit_test(many_messages_are_one_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
