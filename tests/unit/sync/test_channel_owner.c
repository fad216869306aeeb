/* SPDX-License-Identifier: BSD-3-Clause */
/* Who owns a channel, what closing it does, and what becomes of messages that nobody receives. */
#include "tests/unit/sync/channel_test.h"

#include "sync/channel.h"

/* ---- options ---- */

static void bad_options(void **state)
{
	struct rill_channel_options o = {RILL_OPTIONS(o), .capacity = 1, .msg_size = 8};
	struct rill_channel *ch = NULL;

	o.capacity = 0;
	assert_int_equal(rill_channel_create_with(&o, &ch), -EINVAL);
	o.capacity = 1;
	o.msg_size = 0;
	assert_int_equal(rill_channel_create_with(&o, &ch), -EINVAL);
	o.msg_size = 8;
	o.size = 0;
	assert_int_equal(rill_channel_create_with(&o, &ch), -EINVAL);
	o = (struct rill_channel_options){RILL_OPTIONS(o), RILL_UNBOUNDED, SIZE_MAX / 16};
	assert_int_equal(rill_channel_create_with(&o, &ch), -ENOMEM);
	assert_null(ch);
}

/* As a program has them that was built before there was a destructor, or after there was more. */
static void options_of_other_versions(void **state)
{
	struct {
		struct rill_channel_options o;
		void *later;
	} o = {.o = {.size = sizeof(o), .capacity = 2, .msg_size = 8}};
	struct rill_channel *ch;

	assert_int_equal(rill_channel_create_with(&o.o, &ch), 0);
	assert_int_equal(rill_channel_max_capacity(ch), 2);
	close_both(ch);
	o.o.size = offsetof(struct rill_channel_options, drop);
	o.o.drop = (void (*)(void *, void *))abort;
	assert_int_equal(rill_channel_create_with(&o.o, &ch), 0);
	fill(ch, 1, 1);
	close_both(ch);
}

/* ---- counts ---- */

static void counts(void **state)
{
	struct rill_channel *ch = create(1);

	assert_int_equal(rill_channel_sender_count(ch), 1);
	assert_int_equal(rill_channel_receiver_count(ch), 1);
	assert_int_equal(rill_channel_weak_count(ch), 0);
	rill_channel_add_sender(ch);
	rill_channel_add_receiver(ch);
	rill_channel_add_receiver(ch);
	rill_channel_add_weak(ch);
	assert_int_equal(rill_channel_sender_count(ch), 2);
	assert_int_equal(rill_channel_receiver_count(ch), 3);
	assert_int_equal(rill_channel_weak_count(ch), 1);
	rill_channel_close_receiver(ch);
	rill_channel_close_receiver(ch);
	assert_int_equal(rill_channel_receiver_count(ch), 1);
	assert_false(rill_channel_is_closed(ch));
	rill_channel_close_weak(ch);
	assert_int_equal(rill_channel_weak_count(ch), 0);
	rill_channel_close_sender(ch);
	assert_int_equal(rill_channel_sender_count(ch), 1);
	close_both(ch);
}

static void how_full_it_is(void **state)
{
	struct rill_channel *ch = create(2);

	assert_true(rill_channel_is_empty(ch));
	assert_int_equal(rill_channel_capacity(ch), 2);
	fill(ch, 1, 1);
	assert_false(rill_channel_is_empty(ch));
	assert_int_equal(rill_channel_len(ch), 1);
	assert_int_equal(rill_channel_capacity(ch), 1);
	assert_int_equal(rill_channel_max_capacity(ch), 2);
	expect(ch, 1);
	assert_true(rill_channel_is_empty(ch));
	close_both(ch);
}

/* ---- weak senders ---- */

static void weak_sender_does_not_keep_it_open(void **state)
{
	struct rill_channel *ch = create(1);

	rill_channel_add_weak(ch);
	assert_int_equal(rill_channel_upgrade(ch), 0);
	assert_int_equal(rill_channel_sender_count(ch), 2);
	rill_channel_close_sender(ch);
	rill_channel_close_sender(ch);
	assert_true(rill_channel_is_closed(ch));
	expect_end(ch);
	assert_int_equal(rill_channel_upgrade(ch), -EPIPE);
	rill_channel_close_receiver(ch);
	/* the last of all frees it */
	assert_int_equal(rill_channel_upgrade(ch), -EPIPE);
	rill_channel_close_weak(ch);
}

/* Whoever is the last frees it: all orders, for ASan to look at. */
static void any_half_may_be_the_last(void **state)
{
	static void (*const close_half[])(struct rill_channel *) = {
		rill_channel_close_sender, rill_channel_close_receiver, rill_channel_close_weak};
	static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
					{1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(orders); i++) {
		struct rill_channel *ch = create(i % 2 ? RILL_UNBOUNDED : 40);

		rill_channel_add_weak(ch);
		fill(ch, 1, 40);
		for (unsigned j = 0; j < 3; j++)
			close_half[orders[i][j]](ch);
	}
}

TASK_TEST(last_sender_ends_a_waiting_receive)
{
	struct rill_channel *ch = create(1);
	struct call c = {.fn = recv_once, .obj = ch};

	rill_channel_add_weak(ch);
	call_start(&c);
	rill_channel_close_sender(ch);
	CHECK(call_join(&c), ==, -EPIPE);
	rill_channel_close_weak(ch);
	rill_channel_close_receiver(ch);
	return NULL;
}

/* ---- close ---- */

TASK_TEST(close_ends_sends_and_keeps_what_was_sent)
{
	struct rill_channel *ch = create(2);
	struct call plain = {.fn = send_once, .obj = ch, .msg = 9};
	struct call select = {.fn = send_case, .obj = ch, .msg = 9};

	fill(ch, 1, 2);
	call_start(&plain);
	call_start(&select);
	CHECK(rill_channel_is_closed(ch), ==, false);
	rill_channel_close(ch);
	rill_channel_close(ch);
	CHECK(rill_channel_is_closed(ch), ==, true);
	CHECK(call_join(&plain), ==, -EPIPE);
	CHECK(call_join(&select), ==, -EPIPE);
	CHECK(try_send(ch, 9), ==, -EPIPE);
	/* room changes nothing */
	expect(ch, 1);
	CHECK(try_send(ch, 9), ==, -EPIPE);
	expect(ch, 2);
	expect_end(ch);
	close_both(ch);
	return NULL;
}

TASK_TEST(close_ends_a_waiting_receive)
{
	struct rill_channel *ch = create(1);
	struct call c = {.fn = recv_once, .obj = ch};

	call_start(&c);
	rill_channel_close(ch);
	CHECK(call_join(&c), ==, -EPIPE);
	close_both(ch);
	return NULL;
}

/* More than are woken without letting go of the lock. */
#define VERY_MANY 150

static void start_very_many(struct call *c, int (*fn)(struct call *c), struct rill_channel *ch)
{
	for (unsigned i = 0; i < VERY_MANY; i++) {
		c[i] = (struct call){.fn = fn, .obj = ch, .msg = 1};
		call_start(&c[i]);
	}
}

static void join_very_many(struct call *c, int result)
{
	for (unsigned i = 0; i < VERY_MANY; i++)
		CHECK(call_join(&c[i]), ==, result);
}

TASK_TEST(close_wakes_very_many)
{
	struct call senders[VERY_MANY], reservers[VERY_MANY], closers[VERY_MANY];
	struct rill_channel *ch = create(1);

	CHECK(try_send(ch, 7), ==, 0);
	start_very_many(senders, send_once, ch);
	start_very_many(reservers, reserve_once, ch);
	start_very_many(closers, closed_once, ch);
	rill_channel_close(ch);
	join_very_many(senders, -EPIPE);
	join_very_many(reservers, -EPIPE);
	join_very_many(closers, 0);
	expect(ch, 7);
	expect_end(ch);
	close_both(ch);
	return NULL;
}

TASK_TEST(the_end_wakes_very_many)
{
	struct rill_channel *ch = create(1);
	struct call receivers[VERY_MANY];

	start_very_many(receivers, recv_once, ch);
	rill_channel_close_sender(ch);
	join_very_many(receivers, -EPIPE);
	rill_channel_close_receiver(ch);
	return NULL;
}

/* ---- waiting for it ---- */

TASK_TEST(wait_closed_sees_a_close)
{
	struct rill_channel *ch = create(1);
	struct call a = {.fn = closed_once, .obj = ch}, b = a;

	call_start(&a);
	call_start(&b);
	rill_channel_close(ch);
	CHECK(call_join(&a), ==, 0);
	CHECK(call_join(&b), ==, 0);
	/* and ever after */
	CHECK(rill_channel_wait_closed(ch), ==, 0);
	CHECK(rill_channel_wait_closed(ch), ==, 0);
	close_both(ch);
	return NULL;
}

TASK_TEST(wait_closed_sees_the_last_receiver_go)
{
	struct rill_channel *ch = create(1);
	struct call c = {.fn = closed_once, .obj = ch};

	rill_channel_add_receiver(ch);
	call_start(&c);
	rill_channel_close_receiver(ch);
	CHECK(rill_channel_is_closed(ch), ==, false);
	rill_channel_close_receiver(ch);
	CHECK(call_join(&c), ==, 0);
	rill_channel_close_sender(ch);
	return NULL;
}

TASK_TEST(cancelled_wait_closed)
{
	struct rill_channel *ch = create(1);

	cancel_in_all_ways(closed_once, ch, 0);
	rill_channel_close(ch);
	CHECK(rill_channel_wait_closed(ch), ==, 0);
	close_both(ch);
	return NULL;
}

static int closed_or_room(struct call *c)
{
	struct rill_case cases[2];

	rill_case_channel_closed(&cases[0], c->obj);
	rill_case_channel_send(&cases[1], c->other, &c->msg);
	int i = rill_select(cases, 2, RILL_SELECT_BIASED);

	if (i >= 0)
		CHECK(cases[i].result, ==, 0);
	return i;
}

TASK_TEST(closed_is_a_case)
{
	struct rill_channel *ch = create(1), *other = create(1);
	struct call c = {.fn = closed_or_room, .obj = ch, .other = other, .msg = 2};

	fill(other, 1, 1);
	/* one completes, then the other, then both */
	call_start(&c);
	expect(other, 1);
	CHECK(call_join(&c), ==, 1);
	call_start(&c);
	rill_channel_close(ch);
	CHECK(call_join(&c), ==, 0);
	close_both(ch);

	c.obj = ch = create(1);
	call_start(&c);
	expect(other, 2);
	rill_channel_close(ch);
	CHECK(call_join(&c), ==, 0);
	CHECK(rill_channel_capacity(other), ==, 1u);
	close_both(ch);
	close_both(other);
	return NULL;
}

/* ---- what nobody receives ---- */

struct drops {
	struct rill_channel *ch;
	uint64_t msgs[100];
	unsigned n;
};

/* Not under the lock: it may use the channel. */
static void note_drop(void *msg, void *arg)
{
	struct drops *d = arg;

	d->msgs[d->n++] = *(uint64_t *)msg;
	CHECK(d->ch->lock.word, ==, 0u);
	CHECK(try_send(d->ch, 99), ==, -EPIPE);
	CHECK(rill_channel_len(d->ch), ==, 0u);
	rill_channel_add_weak(d->ch);
	rill_channel_close_weak(d->ch);
}

static void unread_messages_are_dropped_once(void **state)
{
	static const size_t capacities[] = {50, 70, RILL_UNBOUNDED};

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(capacities); i++) {
		struct drops d = {.n = 0};
		struct rill_channel_options o = {RILL_OPTIONS(o), capacities[i], 8, note_drop, &d};

		assert_int_equal(rill_channel_create_with(&o, &d.ch), 0);
		rill_channel_add_receiver(d.ch);
		/* the ring wraps; blocks are used up and freed */
		fill(d.ch, 0, 40);
		for (uint64_t msg = 0; msg < 40; msg++)
			expect(d.ch, msg);
		fill(d.ch, 40, 50);
		expect(d.ch, 40);
		rill_channel_close_receiver(d.ch);
		assert_int_equal(d.n, 0);
		rill_channel_close_receiver(d.ch);
		assert_int_equal(d.n, 49);
		for (unsigned j = 0; j < 49; j++)
			assert_int_equal(d.msgs[j], 41 + j);
		rill_channel_close_sender(d.ch);
		assert_int_equal(d.n, 49);
	}
}

/* The message of a send that failed is still the caller's. */
TASK_TEST(unsent_messages_are_not_dropped)
{
	struct drops d = {.n = 0};
	struct rill_channel_options o = {RILL_OPTIONS(o), 1, 8, note_drop, &d};

	CHECK(rill_channel_create_with(&o, &d.ch), ==, 0);
	struct call c = {.fn = send_once, .obj = d.ch, .msg = 2};
	struct call promised = {.fn = send_case, .obj = d.ch, .msg = 3};

	fill(d.ch, 1, 1);
	call_start(&promised);
	call_start(&c);
	expect(d.ch, 1);
	rill_channel_close_receiver(d.ch);
	CHECK(call_join(&promised), ==, -EPIPE);
	CHECK(call_join(&c), ==, -EPIPE);
	CHECK(d.n, ==, 0u);
	rill_channel_close_sender(d.ch);
	return NULL;
}

static void messages_by_pointer(void **state)
{
	struct rill_channel *ch;
	struct call thing, *got = NULL;
	void *msg = &thing;

	assert_int_equal(rill_channel_create(1, sizeof(void *), &ch), 0);
	assert_int_equal(rill_channel_send(ch, &msg), 0);
	assert_int_equal(rill_channel_recv(ch, &got), 0);
	assert_ptr_equal(got, &thing);
	close_both(ch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_options),
		cmocka_unit_test(options_of_other_versions),
		cmocka_unit_test(counts),
		cmocka_unit_test(how_full_it_is),
		cmocka_unit_test(weak_sender_does_not_keep_it_open),
		cmocka_unit_test(any_half_may_be_the_last),
		cmocka_unit_test(last_sender_ends_a_waiting_receive),
		cmocka_unit_test(close_ends_sends_and_keeps_what_was_sent),
		cmocka_unit_test(close_ends_a_waiting_receive),
		cmocka_unit_test(wait_closed_sees_a_close),
		cmocka_unit_test(wait_closed_sees_the_last_receiver_go),
		cmocka_unit_test(cancelled_wait_closed),
		cmocka_unit_test(close_wakes_very_many),
		cmocka_unit_test(the_end_wakes_very_many),
		cmocka_unit_test(closed_is_a_case),
		cmocka_unit_test(unread_messages_are_dropped_once),
		cmocka_unit_test(unsent_messages_are_not_dropped),
		cmocka_unit_test(messages_by_pointer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
