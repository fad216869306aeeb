/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/sync/sync_test.h"

/* ---- messages of plain bytes ---- */

static struct rill_broadcast *create(size_t capacity)
{
	struct rill_broadcast_options o = {
		RILL_OPTIONS(o),
		.capacity = capacity,
		.msg_size = sizeof(uint64_t),
	};
	struct rill_broadcast *b;

	CHECK(rill_broadcast_create(&o, &b), ==, 0);
	return b;
}

static int try_send(struct rill_broadcast *b, uint64_t msg)
{
	return rill_broadcast_send(b, &msg, NULL);
}

static void expect(struct rill_broadcast_rx *rx, uint64_t msg)
{
	uint64_t got = ~msg;

	CHECK(rill_broadcast_recv(rx, &got), ==, 0);
	CHECK(got, ==, msg);
}

static void expect_nothing(struct rill_broadcast_rx *rx, int r)
{
	uint64_t got = 77;

	CHECK(rill_broadcast_try_recv(rx, &got), ==, r);
	CHECK(got, ==, 77u);
}

static void expect_lag(struct rill_broadcast_rx *rx, uint64_t lost)
{
	expect_nothing(rx, -EOVERFLOW);
	CHECK(rill_broadcast_lagged(rx), ==, lost);
}

static int recv_once(struct call *c)
{
	return rill_broadcast_recv(c->obj, &c->msg);
}

static int recv_case(struct call *c)
{
	struct rill_case sole;

	rill_case_broadcast_recv(&sole, c->obj, &c->msg);
	int i = rill_select(&sole, 1, 0);

	return i < 0 ? i : sole.result;
}

static int wait_closed(struct call *c)
{
	return rill_broadcast_wait_closed(c->obj);
}

/* ---- messages with hooks: blocks on the heap ---- */

struct tally {
	unsigned copies;
	unsigned drops;
	struct rill_broadcast *probe; /* a drop finds its lock free */
};

static void copy_block(void *to, const void *from, void *arg)
{
	struct tally *tally = arg;
	uint64_t **block = to;

	*block = malloc(sizeof(**block));
	RILL_ASSERT(*block);
	memcpy(*block, *(uint64_t *const *)from, sizeof(**block));
	rill_fetch_add_relaxed(&tally->copies, 1u);
}

static void drop_block(void *msg, void *arg)
{
	struct tally *tally = arg;

	free(*(uint64_t **)msg);
	rill_fetch_add_relaxed(&tally->drops, 1u);
	if (tally->probe)
		rill_broadcast_len(tally->probe);
}

static struct rill_broadcast *create_of_blocks(size_t capacity, struct tally *tally)
{
	struct rill_broadcast_options o = {
		RILL_OPTIONS(o),    .capacity = capacity, .msg_size = sizeof(uint64_t *),
		.copy = copy_block, .drop = drop_block,	  .arg = tally,
	};
	struct rill_broadcast *b;

	CHECK(rill_broadcast_create(&o, &b), ==, 0);
	return b;
}

static uint64_t *block_of(uint64_t value)
{
	uint64_t *block = malloc(sizeof(*block));

	RILL_ASSERT(block);
	*block = value;
	return block;
}

static void send_block(struct rill_broadcast *b, uint64_t value)
{
	uint64_t *block = block_of(value);

	CHECK(rill_broadcast_send(b, &block, NULL), ==, 0);
}

static void expect_block(struct rill_broadcast_rx *rx, uint64_t value)
{
	uint64_t *block = NULL;

	CHECK(rill_broadcast_recv(rx, &block), ==, 0);
	CHECK(*block, ==, value);
	free(block);
}

/* ---- creation ---- */

static void bad_options(void **state)
{
	struct rill_broadcast_options good = {RILL_OPTIONS(good), .capacity = 1, .msg_size = 8};
	struct rill_broadcast_options o = good;
	struct rill_broadcast *b = NULL;

	o.capacity = 0;
	assert_int_equal(rill_broadcast_create(&o, &b), -EINVAL);
	o.capacity = SIZE_MAX;
	assert_int_equal(rill_broadcast_create(&o, &b), -EINVAL);
	o = good;
	o.msg_size = 0;
	assert_int_equal(rill_broadcast_create(&o, &b), -EINVAL);
	o.msg_size = SIZE_MAX;
	assert_int_equal(rill_broadcast_create(&o, &b), -ENOMEM);
	o.msg_size = SIZE_MAX / 2;
	o.capacity = 4;
	assert_int_equal(rill_broadcast_create(&o, &b), -ENOMEM);
	o = good;
	o.msg_size = RILL_BROADCAST_HOOKED_MAX + 1;
	o.drop = drop_block;
	assert_int_equal(rill_broadcast_create(&o, &b), -EINVAL);
	/* an older, smaller struct */
	o = good;
	o.size = 0;
	assert_int_equal(rill_broadcast_create(&o, &b), -EINVAL);
	assert_null(b);
}

static void capacity_is_rounded_up(void **state)
{
	static const unsigned rounded[] = {1, 1, 2, 4, 4, 8, 8, 8, 8, 16};

	for (unsigned capacity = 1; capacity < RILL_ARRAY_SIZE(rounded); capacity++) {
		struct rill_broadcast *b = create(capacity);
		struct rill_broadcast_rx rx;

		rill_broadcast_subscribe(b, &rx);
		for (unsigned i = 0; i < rounded[capacity]; i++)
			assert_int_equal(try_send(b, i), 0);
		assert_int_equal(rill_broadcast_len(b), rounded[capacity]);
		expect(&rx, 0);
		for (unsigned i = 0; i < 2; i++)
			assert_int_equal(try_send(b, 100), 0);
		expect_lag(&rx, 1);
		rill_broadcast_close_sender(b);
		rill_broadcast_close_receiver(&rx);
	}
}

/* Those that are read without a lock, and those that are not. */
static void messages_of_any_size(void **state)
{
	static const size_t sizes[] = {1, 3, 8, 13, 24, 63, 64, 65, 1000};

	for (unsigned s = 0; s < RILL_ARRAY_SIZE(sizes); s++) {
		struct rill_broadcast_options o = {
			RILL_OPTIONS(o),
			.capacity = 3,
			.msg_size = sizes[s],
		};
		unsigned char in[1001], out[1001];
		struct rill_broadcast_rx rx;
		struct rill_broadcast *b;

		assert_int_equal(rill_broadcast_create(&o, &b), 0);
		rill_broadcast_subscribe(b, &rx);
		for (int i = 0; i < 13; i++) {
			memset(in, i + 1, sizeof(in));
			memset(out, 0, sizeof(out));
			assert_int_equal(rill_broadcast_send(b, in, NULL), 0);
			assert_int_equal(rill_broadcast_recv(&rx, out), 0);
			assert_memory_equal(in, out, sizes[s]);
			/* and not a byte more */
			assert_int_equal(out[sizes[s]], 0);
		}
		rill_broadcast_close_sender(b);
		rill_broadcast_close_receiver(&rx);
	}
}

/* ---- sending ---- */

static void send_fails_without_receivers(void **state)
{
	struct rill_broadcast *b = create(2);
	struct rill_broadcast_rx rx, other;
	size_t receivers = 99;
	uint64_t msg = 1;

	assert_true(rill_broadcast_is_closed(b));
	assert_int_equal(rill_broadcast_send(b, &msg, &receivers), -EPIPE);
	assert_int_equal(receivers, 99);
	rill_broadcast_subscribe(b, &rx);
	assert_false(rill_broadcast_is_closed(b));
	assert_int_equal(rill_broadcast_send(b, &msg, &receivers), 0);
	assert_int_equal(receivers, 1);
	rill_broadcast_subscribe(b, &other);
	assert_int_equal(rill_broadcast_send(b, &msg, &receivers), 0);
	assert_int_equal(receivers, 2);
	assert_int_equal(rill_broadcast_receiver_count(b), 2);
	rill_broadcast_close_receiver(&rx);
	rill_broadcast_close_receiver(&other);
	assert_int_equal(try_send(b, 1), -EPIPE);
	/* a channel without receivers is opened again */
	rill_broadcast_subscribe(b, &rx);
	expect_nothing(&rx, -EAGAIN);
	assert_int_equal(try_send(b, 5), 0);
	expect(&rx, 5);
	rill_broadcast_close_receiver(&rx);
	rill_broadcast_close_sender(b);
}

static void every_receiver_gets_every_later_message(void **state)
{
	struct rill_broadcast *b = create(4);
	struct rill_broadcast_rx early, late;

	rill_broadcast_subscribe(b, &early);
	assert_int_equal(try_send(b, 1), 0);
	rill_broadcast_subscribe(b, &late);
	assert_int_equal(try_send(b, 2), 0);
	expect(&early, 1);
	expect(&early, 2);
	expect(&late, 2);
	expect_nothing(&early, -EAGAIN);
	expect_nothing(&late, -EAGAIN);
	rill_broadcast_close_receiver(&early);
	rill_broadcast_close_receiver(&late);
	rill_broadcast_close_sender(b);
}

static void slow_receiver_is_told_how_many_it_lost(void **state)
{
	struct rill_broadcast *b = create(4);
	struct rill_broadcast_rx slow, quick;

	rill_broadcast_subscribe(b, &slow);
	rill_broadcast_subscribe(b, &quick);
	for (unsigned i = 0; i < 11; i++) {
		assert_int_equal(try_send(b, i), 0);
		expect(&quick, i);
	}
	/* overwritten ones count */
	assert_int_equal(rill_broadcast_rx_len(&slow), 11);
	assert_int_equal(rill_broadcast_len(b), 4);
	expect_lag(&slow, 7);
	assert_int_equal(rill_broadcast_rx_len(&slow), 4);
	for (unsigned i = 7; i < 11; i++)
		expect(&slow, i);
	assert_true(rill_broadcast_rx_is_empty(&slow));
	expect_nothing(&slow, -EAGAIN);
	/* the quick one has lost nothing */
	assert_int_equal(rill_broadcast_lagged(&quick), 0);
	rill_broadcast_close_receiver(&slow);
	rill_broadcast_close_receiver(&quick);
	rill_broadcast_close_sender(b);
}

static void lengths(void **state)
{
	struct rill_broadcast *b = create(4);
	struct rill_broadcast_rx x, y;

	rill_broadcast_subscribe(b, &x);
	rill_broadcast_subscribe(b, &y);
	assert_true(rill_broadcast_is_empty(b));
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(try_send(b, i), 0);
	assert_int_equal(rill_broadcast_len(b), 3);
	assert_int_equal(rill_broadcast_rx_len(&x), 3);
	expect(&x, 0);
	/* y has not seen it */
	assert_int_equal(rill_broadcast_len(b), 3);
	assert_int_equal(rill_broadcast_rx_len(&x), 2);
	expect(&y, 0);
	assert_int_equal(rill_broadcast_len(b), 2);
	expect(&y, 1);
	rill_broadcast_close_receiver(&x);
	assert_int_equal(rill_broadcast_len(b), 1);
	rill_broadcast_close_receiver(&y);
	assert_true(rill_broadcast_is_empty(b));
	rill_broadcast_close_sender(b);
}

/* ---- senders and receivers come and go ---- */

static void closed_by_the_senders(void **state)
{
	struct rill_broadcast *b = create(4);
	struct rill_broadcast_rx rx;

	rill_broadcast_subscribe(b, &rx);
	rill_broadcast_add_sender(b);
	assert_int_equal(rill_broadcast_rx_sender_count(&rx), 2);
	assert_int_equal(try_send(b, 1), 0);
	rill_broadcast_close_sender(b);
	assert_false(rill_broadcast_rx_is_closed(&rx));
	assert_int_equal(try_send(b, 2), 0);
	rill_broadcast_close_sender(b);
	assert_true(rill_broadcast_rx_is_closed(&rx));
	assert_int_equal(rill_broadcast_rx_sender_count(&rx), 0);
	/* what was sent comes first */
	expect(&rx, 1);
	expect(&rx, 2);
	expect_nothing(&rx, -EPIPE);
	uint64_t msg;

	assert_int_equal(rill_broadcast_recv(&rx, &msg), -EPIPE);
	rill_broadcast_close_receiver(&rx);
}

static void lag_of_a_closed_channel(void **state)
{
	struct rill_broadcast *b = create(2);
	struct rill_broadcast_rx rx;

	rill_broadcast_subscribe(b, &rx);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(try_send(b, i), 0);
	rill_broadcast_close_sender(b);
	expect_lag(&rx, 3);
	expect(&rx, 3);
	expect(&rx, 4);
	expect_nothing(&rx, -EPIPE);

	/* the end is a result of a select, too */
	struct rill_case c;
	uint64_t msg;

	rill_case_broadcast_recv(&c, &rx, &msg);
	assert_int_equal(look(&c), 0);
	assert_int_equal(c.result, -EPIPE);
	rill_broadcast_close_receiver(&rx);
}

static void weak_senders(void **state)
{
	struct rill_broadcast *b = create(4);
	struct rill_broadcast_rx rx;

	rill_broadcast_subscribe(b, &rx);
	rill_broadcast_add_weak(b);
	assert_int_equal(rill_broadcast_weak_count(b), 1);
	assert_int_equal(rill_broadcast_rx_weak_count(&rx), 1);
	assert_int_equal(rill_broadcast_upgrade(b), 0);
	assert_int_equal(rill_broadcast_sender_count(b), 2);
	rill_broadcast_close_sender(b);
	assert_false(rill_broadcast_rx_is_closed(&rx));
	rill_broadcast_close_sender(b);
	/* the weak one does not keep it open */
	expect_nothing(&rx, -EPIPE);
	assert_int_equal(rill_broadcast_upgrade(b), -EPIPE);
	assert_int_equal(rill_broadcast_sender_count(b), 0);
	rill_broadcast_close_receiver(&rx);
	assert_int_equal(rill_broadcast_upgrade(b), -EPIPE);
	rill_broadcast_close_weak(b);
}

static void resubscribe_begins_at_the_tail(void **state)
{
	struct rill_broadcast *b = create(4), *other = create(4);
	struct rill_broadcast_rx rx, again, foreign;

	rill_broadcast_subscribe(b, &rx);
	rill_broadcast_subscribe(other, &foreign);
	assert_int_equal(try_send(b, 1), 0);
	rill_broadcast_resubscribe(&rx, &again);
	assert_true(rill_broadcast_rx_is_empty(&again));
	assert_true(rill_broadcast_rx_same_channel(&rx, &again));
	assert_false(rill_broadcast_rx_same_channel(&rx, &foreign));
	assert_int_equal(try_send(b, 2), 0);
	expect(&again, 2);
	expect(&rx, 1);
	rill_broadcast_close_receiver(&rx);
	rill_broadcast_close_sender(b);
	/* also of a closed one */
	rill_broadcast_resubscribe(&again, &rx);
	expect_nothing(&rx, -EPIPE);
	rill_broadcast_close_receiver(&rx);
	rill_broadcast_close_receiver(&again);
	rill_broadcast_close_receiver(&foreign);
	rill_broadcast_close_sender(other);
}

/* ---- waiting ---- */

TASK_TEST(waiting_receivers_are_woken)
{
	struct rill_broadcast *b = create(2);
	struct rill_broadcast_rx rx[3];
	struct call c[3];

	for (unsigned i = 0; i < 3; i++) {
		rill_broadcast_subscribe(b, &rx[i]);
		c[i] = (struct call){.fn = i ? recv_once : recv_case, .obj = &rx[i]};
		call_start(&c[i]);
	}
	CHECK(try_send(b, 5), ==, 0);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(call_join(&c[i]), ==, 0);
		CHECK(c[i].msg, ==, 5u);
		CHECK(rill_broadcast_rx_len(&rx[i]), ==, 0u);
		call_start(&c[i]);
	}
	rill_broadcast_close_sender(b);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(call_join(&c[i]), ==, -EPIPE);
		rill_broadcast_close_receiver(&rx[i]);
	}
	return NULL;
}

TASK_TEST(woken_receiver_may_lag_before_it_runs)
{
	struct rill_broadcast *b = create(1);
	struct rill_broadcast_rx rx;

	rill_broadcast_subscribe(b, &rx);
	struct call c = {.fn = recv_once, .obj = &rx, .msg = 77};

	call_start(&c);
	for (unsigned i = 1; i <= 3; i++)
		CHECK(try_send(b, i), ==, 0);
	CHECK(call_join(&c), ==, -EOVERFLOW);
	CHECK(c.msg, ==, 77u);
	CHECK(rill_broadcast_lagged(&rx), ==, 2u);
	expect(&rx, 3);
	rill_broadcast_close_receiver(&rx);
	rill_broadcast_close_sender(b);
	return NULL;
}

TASK_TEST(more_receivers_than_are_woken_at_once)
{
	enum { N = 200 };
	struct rill_broadcast *b = create(1);
	static struct rill_broadcast_rx rx[N];
	static struct call c[N];

	for (unsigned i = 0; i < N; i++) {
		rill_broadcast_subscribe(b, &rx[i]);
		c[i] = (struct call){.fn = recv_once, .obj = &rx[i]};
		call_start(&c[i]);
	}
	CHECK(try_send(b, 7), ==, 0);
	for (unsigned i = 0; i < N; i++) {
		CHECK(call_join(&c[i]), ==, 0);
		CHECK(c[i].msg, ==, 7u);
		call_start(&c[i]);
	}
	rill_broadcast_close_sender(b);
	for (unsigned i = 0; i < N; i++) {
		CHECK(call_join(&c[i]), ==, -EPIPE);
		rill_broadcast_close_receiver(&rx[i]);
	}
	return NULL;
}

TASK_TEST(cancelled_receive_loses_no_message)
{
	struct rill_broadcast *b = create(4);
	struct rill_broadcast_rx rx;

	rill_broadcast_subscribe(b, &rx);
	struct call aborted = {.fn = recv_once, .obj = &rx}, late = aborted, cancelled = aborted;

	call_start(&aborted);
	CHECK(call_abort(&aborted), ==, -ECANCELED);
	late.deadline_ns = rill_after(RILL_SEC);
	call_start(&late);
	CHECK(call_join(&late), ==, -ETIMEDOUT);
	CHECK(rill_token_create(&cancelled.token), ==, 0);
	call_start(&cancelled);
	rill_token_cancel(cancelled.token);
	CHECK(call_join(&cancelled), ==, -ECANCELED);
	rill_token_unref(cancelled.token);
	CHECK(try_send(b, 1), ==, 0);
	expect(&rx, 1);
	rill_broadcast_close_receiver(&rx);
	rill_broadcast_close_sender(b);
	return NULL;
}

/* Received, or still there, as it says. */
TASK_TEST(abort_after_the_message_came)
{
	struct rill_broadcast *b = create(4);
	struct rill_broadcast_rx rx;

	rill_broadcast_subscribe(b, &rx);
	struct call plain = {.fn = recv_once, .obj = &rx}, in_select = plain;

	in_select.fn = recv_case;
	call_start(&plain);
	CHECK(try_send(b, 1), ==, 0);
	CHECK(call_abort(&plain), ==, 0);
	CHECK(plain.msg, ==, 1u);
	call_start(&in_select);
	CHECK(try_send(b, 2), ==, 0);
	if (call_abort(&in_select) < 0)
		expect(&rx, 2);
	expect_nothing(&rx, -EAGAIN);
	rill_broadcast_close_receiver(&rx);
	rill_broadcast_close_sender(b);
	return NULL;
}

/* The abort comes first, the message before the receiver has run. */
TASK_TEST(message_after_the_abort)
{
	struct rill_broadcast *b = create(4);
	struct rill_broadcast_rx rx;

	rill_broadcast_subscribe(b, &rx);
	struct call c = {.fn = recv_once, .obj = &rx};

	call_start(&c);
	rill_abort(c.task);
	CHECK(try_send(b, 1), ==, 0);
	if (call_join(&c) < 0)
		expect(&rx, 1);
	else
		CHECK(c.msg, ==, 1u);
	expect_nothing(&rx, -EAGAIN);
	rill_broadcast_close_receiver(&rx);
	rill_broadcast_close_sender(b);
	return NULL;
}

static int recv_either(struct call *c)
{
	struct rill_case cases[2];

	rill_case_broadcast_recv(&cases[0], c->obj, &c->msg);
	rill_case_broadcast_recv(&cases[1], c->other, &c->msg);
	int i = rill_select(cases, 2, RILL_SELECT_BIASED);

	return i < 0 ? i : cases[i].result < 0 ? cases[i].result : i;
}

TASK_TEST(select_leaves_the_second_message)
{
	struct rill_broadcast *first = create(2), *second = create(2);
	struct rill_broadcast_rx x, y;

	rill_broadcast_subscribe(first, &x);
	rill_broadcast_subscribe(second, &y);
	struct call c = {.fn = recv_either, .obj = &x, .other = &y};

	call_start(&c);
	CHECK(try_send(second, 2), ==, 0);
	CHECK(try_send(first, 1), ==, 0);
	CHECK(call_join(&c), ==, 0);
	CHECK(c.msg, ==, 1u);
	expect(&y, 2);
	/* lag is a result, too */
	for (unsigned i = 0; i < 3; i++)
		CHECK(try_send(second, i), ==, 0);
	CHECK(recv_either(&c), ==, -EOVERFLOW);
	CHECK(rill_broadcast_lagged(&y), ==, 1u);
	CHECK(recv_either(&c), ==, 1);
	CHECK(c.msg, ==, 1u);
	rill_broadcast_close_receiver(&x);
	rill_broadcast_close_receiver(&y);
	rill_broadcast_close_sender(first);
	rill_broadcast_close_sender(second);
	return NULL;
}

TASK_TEST(sender_waits_for_the_receivers_to_go)
{
	struct rill_broadcast *b = create(2);
	struct rill_broadcast_rx x, y;
	struct call c = {.fn = wait_closed, .obj = b}, aborted = c, late = c;

	CHECK(rill_broadcast_wait_closed(b), ==, 0);
	rill_broadcast_subscribe(b, &x);
	rill_broadcast_subscribe(b, &y);
	late.deadline_ns = rill_after(RILL_SEC);
	call_start(&c);
	call_start(&aborted);
	call_start(&late);
	CHECK(call_abort(&aborted), ==, -ECANCELED);
	CHECK(call_join(&late), ==, -ETIMEDOUT);
	rill_broadcast_close_receiver(&x);
	CHECK(rill_yield(), ==, 0);
	CHECK(rill_load_relaxed(&c.result), ==, 1);
	rill_broadcast_close_receiver(&y);
	CHECK(call_join(&c), ==, 0);

	struct rill_case sole;

	rill_case_broadcast_closed(&sole, b);
	CHECK(look(&sole), ==, 0);
	rill_broadcast_subscribe(b, &x);
	rill_case_broadcast_closed(&sole, b);
	CHECK(look(&sole), ==, -EAGAIN);
	rill_broadcast_close_receiver(&x);
	rill_broadcast_close_sender(b);
	return NULL;
}

TASK_TEST(subscribe_between_wake_and_look_waits_again)
{
	struct rill_broadcast *b = create(2);
	struct rill_broadcast_rx rx;
	struct call c = {.fn = wait_closed, .obj = b};

	rill_broadcast_subscribe(b, &rx);
	call_start(&c);
	rill_broadcast_close_receiver(&rx);
	rill_broadcast_subscribe(b, &rx);
	for (unsigned i = 0; i < 3; i++)
		CHECK(rill_yield(), ==, 0);
	CHECK(rill_load_relaxed(&c.result), ==, 1);
	rill_broadcast_close_receiver(&rx);
	CHECK(call_join(&c), ==, 0);
	rill_broadcast_close_sender(b);
	return NULL;
}

/* ---- hooks ---- */

static void each_receiver_has_a_copy_of_its_own(void **state)
{
	struct tally tally = {0};
	struct rill_broadcast *b = create_of_blocks(2, &tally);
	struct rill_broadcast_rx x, y;

	tally.probe = b;
	rill_broadcast_subscribe(b, &x);
	rill_broadcast_subscribe(b, &y);
	send_block(b, 1);
	expect_block(&x, 1);
	assert_int_equal(tally.drops, 0);
	expect_block(&y, 1);
	/* the last one has it: the channel's own goes */
	assert_int_equal(tally.copies, 2);
	assert_int_equal(tally.drops, 1);
	rill_broadcast_close_receiver(&x);
	rill_broadcast_close_receiver(&y);
	rill_broadcast_close_sender(b);
	assert_int_equal(tally.drops, 1);
}

static void overwritten_messages_are_dropped(void **state)
{
	struct tally tally = {0};
	struct rill_broadcast *b = create_of_blocks(2, &tally);
	struct rill_broadcast_rx rx;

	tally.probe = b;
	rill_broadcast_subscribe(b, &rx);
	for (unsigned i = 0; i < 5; i++)
		send_block(b, i);
	assert_int_equal(tally.drops, 3);
	expect_lag(&rx, 3);
	expect_block(&rx, 3);
	expect_block(&rx, 4);
	assert_int_equal(tally.drops, 5);
	rill_broadcast_close_receiver(&rx);
	rill_broadcast_close_sender(b);
	assert_int_equal(tally.drops, 5);
}

static void closing_a_receiver_releases_what_it_has_not_read(void **state)
{
	struct tally tally = {0};
	struct rill_broadcast *b = create_of_blocks(4, &tally);
	struct rill_broadcast_rx x, y;

	tally.probe = b;
	rill_broadcast_subscribe(b, &x);
	rill_broadcast_subscribe(b, &y);
	for (unsigned i = 0; i < 6; i++)
		send_block(b, i);
	assert_int_equal(tally.drops, 2);
	expect_lag(&y, 2);
	expect_block(&y, 2);
	/* x lags; y has not seen the last three */
	rill_broadcast_close_receiver(&x);
	assert_int_equal(tally.drops, 3);
	rill_broadcast_close_sender(b);
	tally.probe = NULL;
	rill_broadcast_close_receiver(&y);
	assert_int_equal(tally.drops, 6);
}

static void refused_message_stays_the_callers(void **state)
{
	struct tally tally = {0};
	struct rill_broadcast *b = create_of_blocks(4, &tally);
	uint64_t *block = block_of(1);

	assert_int_equal(rill_broadcast_send(b, &block, NULL), -EPIPE);
	free(block);
	rill_broadcast_close_sender(b);
	assert_int_equal(tally.drops, 0);
}

TASK_TEST(waiting_for_messages_with_hooks)
{
	struct tally tally = {0};
	struct rill_broadcast *b = create_of_blocks(4, &tally);
	struct rill_broadcast_rx rx;

	rill_broadcast_subscribe(b, &rx);
	struct call c = {.fn = recv_once, .obj = &rx};

	call_start(&c);
	send_block(b, 9);
	int r = call_abort(&c);

	/* received, or still there */
	if (r == 0)
		free((void *)(uintptr_t)c.msg);
	else
		expect_block(&rx, 9);
	CHECK(tally.copies, ==, 1u);
	CHECK(tally.drops, ==, 1u);
	rill_broadcast_close_receiver(&rx);
	rill_broadcast_close_sender(b);
	return NULL;
}

/* ---- the budget ---- */

#define BUDGET 128 /* the default of a slice */

static void *count_turns(void *arg)
{
	unsigned *turns = arg;

	/* until aborted */
	while (rill_yield() == 0)
		++*turns;
	return NULL;
}

/* A hook may receive with the receiver that has just released its message. */

struct nested {
	struct rill_broadcast_rx rx;
	unsigned drops;
	uint64_t inner;
};

static void drop_and_receive(void *msg, void *arg)
{
	struct nested *nested = arg;

	if (nested->drops++ == 0)
		CHECK(rill_broadcast_try_recv(&nested->rx, &nested->inner), ==, 0);
}

TASK_TEST(hook_that_receives_gets_the_next_message)
{
	struct nested nested = {.drops = 0};
	struct rill_broadcast_options o = {
		RILL_OPTIONS(o),	  .capacity = 4,  .msg_size = sizeof(uint64_t),
		.drop = drop_and_receive, .arg = &nested,
	};
	struct rill_broadcast *b;

	CHECK(rill_broadcast_create(&o, &b), ==, 0);
	rill_broadcast_subscribe(b, &nested.rx);
	for (unsigned i = 1; i <= 3; i++)
		CHECK(try_send(b, i), ==, 0);
	expect(&nested.rx, 1);
	CHECK(nested.inner, ==, 2u);
	CHECK(nested.drops, ==, 2u);
	expect(&nested.rx, 3);
	/* None was released twice: overwriting them drops nothing. */
	for (unsigned i = 4; i <= 7; i++)
		CHECK(try_send(b, i), ==, 0);
	CHECK(nested.drops, ==, 3u);
	rill_broadcast_close_receiver(&nested.rx);
	CHECK(nested.drops, ==, 7u);
	rill_broadcast_close_sender(b);
	return NULL;
}

TASK_TEST(receiving_costs_one_of_the_budget)
{
	struct rill_broadcast *b = create(1);
	struct rill_broadcast_rx rx;
	unsigned turns = 0;
	struct rill_task *peer = spawn(count_turns, &turns);

	rill_broadcast_subscribe(b, &rx);
	while (turns == 0)
		CHECK(rill_yield(), ==, 0);
	turns = 0;
	/* What the last one spends shows with the next. */
	for (unsigned i = 0; i <= 10 * BUDGET; i++) {
		CHECK(try_send(b, i), ==, 0);
		expect(&rx, i);
	}
	CHECK(turns, ==, 10u);
	rill_abort(peer);
	join(peer);
	rill_broadcast_close_receiver(&rx);
	rill_broadcast_close_sender(b);
	return NULL;
}

/* ---- stress ---- */

/* A message is a number and its check, which shows one that is half old, half new. */
struct numbered {
	uint64_t n;
	uint64_t sender;
	uint64_t check;
};

#define SENDERS 4
#define MESSAGES STRESS(20000)
#define RECEIVERS STRESS(1000)

struct reader {
	struct rill_broadcast_rx rx;
	uint64_t got;
	uint64_t lost;
	int end;
};

static void *read_all(void *arg)
{
	struct reader *r = arg;
	uint64_t last[SENDERS] = {0};
	struct numbered msg;

	for (;;) {
		r->end = rill_broadcast_recv(&r->rx, &msg);
		if (r->end == -EOVERFLOW) {
			CHECK(rill_broadcast_lagged(&r->rx), >, 0u);
			r->lost += rill_broadcast_lagged(&r->rx);
			continue;
		}
		if (r->end < 0)
			break;
		CHECK(msg.check, ==, msg.n * 31 + msg.sender);
		/* of each sender in order */
		CHECK(msg.n, >, last[msg.sender]);
		last[msg.sender] = msg.n;
		r->got++;
	}
	rill_broadcast_close_receiver(&r->rx);
	return NULL;
}

struct writer {
	struct rill_broadcast *b;
	uint64_t id;
	uint64_t sent;
	unsigned messages;
};

static void *write_all(void *arg)
{
	struct writer *w = arg;

	for (uint64_t n = 1; n <= w->messages; n++) {
		struct numbered msg = {.n = n, .sender = w->id, .check = n * 31 + w->id};

		w->sent += rill_broadcast_send(w->b, &msg, NULL) == 0;
		if (n % 8 == 0)
			rill_yield();
	}
	rill_broadcast_close_sender(w->b);
	return NULL;
}

static struct rill_broadcast *create_numbered(size_t capacity, size_t msg_size)
{
	struct rill_broadcast_options o = {
		RILL_OPTIONS(o),
		.capacity = capacity,
		.msg_size = msg_size,
	};
	struct rill_broadcast *b;

	CHECK(rill_broadcast_create(&o, &b), ==, 0);
	return b;
}

/* What is got and what is lost is what was sent, for each receiver. */
static void stress(size_t capacity)
{
	struct rill_broadcast *b = create_numbered(capacity, sizeof(struct numbered));
	struct reader r[12] = {0};
	struct writer w[SENDERS];
	struct rill_task *tasks[SENDERS + 8];
	pthread_t threads[4];
	uint64_t sent = 0;

	for (unsigned i = 0; i < 12; i++)
		rill_broadcast_subscribe(b, &r[i].rx);
	for (unsigned i = 0; i < 8; i++)
		tasks[SENDERS + i] = spawn(read_all, &r[i]);
	for (unsigned i = 0; i < 4; i++)
		threads[i] = thread_start(read_all, &r[8 + i]);
	for (unsigned i = 0; i < SENDERS; i++) {
		w[i] = (struct writer){.b = b, .id = i, .messages = MESSAGES};
		rill_broadcast_add_sender(b);
		tasks[i] = spawn(write_all, &w[i]);
	}
	rill_broadcast_close_sender(b);
	for (unsigned i = 0; i < SENDERS + 8; i++)
		join(tasks[i]);
	for (unsigned i = 0; i < 4; i++)
		thread_join(threads[i]);
	for (unsigned i = 0; i < SENDERS; i++)
		sent += w[i].sent;
	CHECK(sent, ==, (uint64_t)SENDERS * MESSAGES);
	for (unsigned i = 0; i < 12; i++) {
		CHECK(r[i].end, ==, -EPIPE);
		CHECK(r[i].got + r[i].lost, ==, sent);
	}
}

STRESS_TEST(stress_of_senders_and_receivers)
{
	stress(1);
	stress(16);
	stress(1024);
	return NULL;
}

/* ---- stress with hooks: nothing is leaked, nothing dropped twice ---- */

struct block_reader {
	struct rill_broadcast_rx rx;
	unsigned got;
	bool began;
};

static void *read_blocks(void *arg)
{
	struct block_reader *r = arg;
	uint64_t *block;
	int e;

	r->began = true;
	while ((e = rill_broadcast_recv(&r->rx, &block)) == 0 || e == -EOVERFLOW) {
		if (e < 0)
			continue;
		CHECK(*block, ==, 42u);
		free(block);
		r->got++;
	}
	rill_broadcast_close_receiver(&r->rx);
	return NULL;
}

STRESS_TEST(stress_of_1000_aborted_receivers)
{
	struct tally tally = {0};
	struct rill_broadcast *b = create_of_blocks(4, &tally);
	struct block_reader *r = calloc(RECEIVERS, sizeof(*r));
	struct rill_task **tasks = calloc(RECEIVERS, sizeof(struct rill_task *));
	struct block_reader in_thread[2] = {0};
	unsigned sent = 0, got = 0;
	struct rill_rand rand;
	pthread_t threads[2];

	RILL_ASSERT(r && tasks);
	rill_rand_init(&rand, 5);
	for (unsigned i = 0; i < 2; i++) {
		rill_broadcast_subscribe(b, &in_thread[i].rx);
		threads[i] = thread_start(read_blocks, &in_thread[i]);
	}
	for (unsigned i = 0; i < RECEIVERS; i++) {
		rill_broadcast_subscribe(b, &r[i].rx);
		tasks[i] = spawn(read_blocks, &r[i]);
	}
	for (unsigned i = 0; i < RECEIVERS; i++) {
		if (i % 8 == 0) {
			send_block(b, 42);
			sent++;
		}
		if (rill_rand_below(&rand, 3))
			rill_abort(tasks[i]);
		if (rill_rand_below(&rand, 4) == 0)
			rill_yield();
	}
	rill_broadcast_close_sender(b);
	for (unsigned i = 0; i < RECEIVERS; i++) {
		join(tasks[i]);
		got += r[i].got;
	}
	for (unsigned i = 0; i < 2; i++) {
		thread_join(threads[i]);
		got += in_thread[i].got;
	}
	/* one that never began did not close either */
	for (unsigned i = 0; i < RECEIVERS; i++)
		if (!r[i].began)
			rill_broadcast_close_receiver(&r[i].rx);
	CHECK(tally.copies, ==, got);
	CHECK(tally.drops, ==, sent);
	free(r);
	free(tasks);
	return NULL;
}

/* ---- stress of the channel's life ---- */

struct passer {
	struct rill_broadcast *b; /* a sender of its own */
};

static void *come_and_go(void *arg)
{
	struct passer *p = arg;
	struct numbered msg = {.n = 1, .check = 31};

	for (unsigned i = 0; i < STRESS(200); i++) {
		struct rill_broadcast_rx rx;

		rill_broadcast_subscribe(p->b, &rx);
		CHECK(rill_broadcast_send(p->b, &msg, NULL), ==, 0);
		int r = rill_broadcast_recv(&rx, &msg);

		RILL_ASSERT(r == 0 || r == -EOVERFLOW);
		rill_broadcast_close_receiver(&rx);
	}
	rill_broadcast_close_sender(p->b);
	return NULL;
}

static void *wait_until_closed(void *arg)
{
	struct passer *p = arg;

	CHECK(rill_broadcast_wait_closed(p->b), ==, 0);
	rill_broadcast_close_sender(p->b);
	return NULL;
}

STRESS_TEST(stress_of_receivers_that_come_and_go)
{
	struct rill_broadcast *b = create_numbered(2, sizeof(struct numbered));
	struct passer p = {.b = b};
	struct rill_broadcast_rx rx;
	struct rill_task *tasks[8];
	pthread_t thread;

	rill_broadcast_subscribe(b, &rx);
	for (unsigned i = 0; i < 8; i++)
		rill_broadcast_add_sender(b);
	rill_broadcast_add_sender(b);
	for (unsigned i = 0; i < 8; i++)
		tasks[i] = spawn(i < 4 ? come_and_go : wait_until_closed, &p);
	thread = thread_start(come_and_go, &p);
	rill_broadcast_close_sender(b);
	for (unsigned i = 0; i < 4; i++)
		join(tasks[i]);
	thread_join(thread);
	rill_broadcast_close_receiver(&rx);
	for (unsigned i = 4; i < 8; i++)
		join(tasks[i]);
	return NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_options),
		cmocka_unit_test(capacity_is_rounded_up),
		cmocka_unit_test(messages_of_any_size),
		cmocka_unit_test(send_fails_without_receivers),
		cmocka_unit_test(every_receiver_gets_every_later_message),
		cmocka_unit_test(slow_receiver_is_told_how_many_it_lost),
		cmocka_unit_test(lengths),
		cmocka_unit_test(closed_by_the_senders),
		cmocka_unit_test(lag_of_a_closed_channel),
		cmocka_unit_test(weak_senders),
		cmocka_unit_test(resubscribe_begins_at_the_tail),
		cmocka_unit_test(waiting_receivers_are_woken),
		cmocka_unit_test(woken_receiver_may_lag_before_it_runs),
		cmocka_unit_test(more_receivers_than_are_woken_at_once),
		cmocka_unit_test(cancelled_receive_loses_no_message),
		cmocka_unit_test(abort_after_the_message_came),
		cmocka_unit_test(message_after_the_abort),
		cmocka_unit_test(select_leaves_the_second_message),
		cmocka_unit_test(sender_waits_for_the_receivers_to_go),
		cmocka_unit_test(subscribe_between_wake_and_look_waits_again),
		cmocka_unit_test(each_receiver_has_a_copy_of_its_own),
		cmocka_unit_test(overwritten_messages_are_dropped),
		cmocka_unit_test(closing_a_receiver_releases_what_it_has_not_read),
		cmocka_unit_test(refused_message_stays_the_callers),
		cmocka_unit_test(waiting_for_messages_with_hooks),
		cmocka_unit_test(hook_that_receives_gets_the_next_message),
		cmocka_unit_test(receiving_costs_one_of_the_budget),
		cmocka_unit_test(stress_of_senders_and_receivers),
		cmocka_unit_test(stress_of_1000_aborted_receivers),
		cmocka_unit_test(stress_of_receivers_that_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
