/* SPDX-License-Identifier: BSD-3-Clause */
/* Channels without bound. The linker makes libsync's malloc() and free() ours. */
#include "tests/unit/sync/channel_test.h"

#include "sync/channel.h"

void *__real_malloc(size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void __wrap_free(void *p);

static struct rill_channel *watched; /* whose lock must be free whenever memory is asked for */
static bool no_memory;
static unsigned blocks; /* asked for, and not freed */

void *__wrap_malloc(size_t size)
{
	if (!watched)
		return __real_malloc(size);
	CHECK(watched->lock.word, ==, 0u);
	if (no_memory)
		return NULL;
	blocks++;
	return __real_malloc(size);
}

void __wrap_free(void *p)
{
	if (watched && p) {
		CHECK(watched->lock.word, ==, 0u);
		blocks--;
	}
	__real_free(p);
}

static void send_never_waits(void **state)
{
	struct rill_channel *ch = create(RILL_UNBOUNDED);

	assert_int_equal(rill_channel_capacity(ch), RILL_UNBOUNDED);
	assert_int_equal(rill_channel_max_capacity(ch), RILL_UNBOUNDED);
	/* at every distance of head and tail from the ends of their blocks */
	for (uint64_t sent = 0, received = 0, step = 1; step < 200; step++) {
		for (uint64_t i = 0; i < step; i++, sent++) {
			assert_int_equal(rill_channel_send(ch, &sent), 0);
			assert_int_equal(rill_channel_len(ch), sent + 1 - received);
		}
		for (uint64_t i = 0; i < step - step / 50; i++, received++) {
			expect(ch, received);
			assert_int_equal(rill_channel_is_empty(ch), sent == received + 1);
		}
	}
	assert_int_equal(rill_channel_capacity(ch), RILL_UNBOUNDED);
	close_both(ch);
}

static void backlog_outlives_the_senders(void **state)
{
	struct rill_channel *ch = create(RILL_UNBOUNDED);

	fill(ch, 0, 1000);
	rill_channel_close_sender(ch);
	for (uint64_t i = 0; i < 1000; i++)
		expect(ch, i);
	expect_end(ch);
	rill_channel_close_receiver(ch);
}

static void close_keeps_the_backlog(void **state)
{
	struct rill_channel *ch = create(RILL_UNBOUNDED);

	fill(ch, 0, 32);
	rill_channel_close(ch);
	/* also where another block would be needed */
	assert_int_equal(try_send(ch, 32), -EPIPE);
	for (uint64_t i = 0; i < 32; i++)
		expect(ch, i);
	expect_end(ch);
	close_both(ch);
}

TASK_TEST(waiting_receiver_gets_it)
{
	struct rill_channel *ch = create(RILL_UNBOUNDED);
	struct call plain = {.fn = recv_once, .obj = ch}, select = {.fn = recv_case, .obj = ch};

	for (uint64_t i = 0; i < 100; i++) {
		struct call *c = i % 2 ? &plain : &select;

		call_start(c);
		CHECK(rill_channel_send(ch, &i), ==, 0);
		CHECK(call_join(c), ==, 0);
		CHECK(c->msg, ==, i);
	}
	close_both(ch);
	return NULL;
}

TASK_TEST(send_is_a_case_that_never_waits)
{
	struct rill_channel *ch = create(RILL_UNBOUNDED);
	struct call c = {.obj = ch};

	for (c.msg = 0; c.msg < 100; c.msg++)
		CHECK(send_case(&c), ==, 0);
	for (uint64_t i = 0; i < 100; i++)
		expect(ch, i);
	rill_channel_close_receiver(ch);
	CHECK(send_case(&c), ==, -EPIPE);
	rill_channel_close_sender(ch);
	return NULL;
}

static int yield_and_send(struct call *c)
{
	int cancelled = rill_yield();

	CHECK(cancelled, ==, -ECANCELED);
	return rill_channel_send(c->obj, &c->msg);
}

TASK_TEST(send_is_no_point_of_cancellation)
{
	struct rill_channel *ch = create(RILL_UNBOUNDED);
	struct call aborted = {.fn = yield_and_send, .obj = ch, .msg = 1}, cancelled = aborted;

	cancelled.msg = 2;
	CHECK(rill_token_create(&cancelled.token), ==, 0);
	call_start(&aborted);
	CHECK(call_abort(&aborted), ==, 0);
	call_start(&cancelled);
	rill_token_cancel(cancelled.token);
	CHECK(call_join(&cancelled), ==, 0);
	expect(ch, 1);
	expect(ch, 2);
	rill_token_unref(cancelled.token);
	close_both(ch);
	return NULL;
}

static void *note_turn(void *arg)
{
	rill_store_relaxed((bool *)arg, true);
	return NULL;
}

TASK_TEST(send_takes_no_budget)
{
	struct rill_channel *ch = create(RILL_UNBOUNDED);
	bool ran = false;
	struct rill_task *t = spawn(note_turn, &ran);

	for (uint64_t i = 0; i < 1000; i++)
		CHECK(rill_channel_send(ch, &i), ==, 0);
	CHECK(rill_load_relaxed(&ran), ==, false);
	join(t);
	close_both(ch);
	return NULL;
}

/* Blocks come and go as messages do, one being kept; none under the lock. */
static void blocks_are_kept_and_freed(void **state)
{
	struct rill_channel *ch = create(RILL_UNBOUNDED);

	watched = ch;
	blocks = 0;
	fill(ch, 0, 32);
	assert_int_equal(blocks, 0);
	fill(ch, 32, 1);
	assert_int_equal(blocks, 1);
	fill(ch, 33, 9 * 32);
	assert_int_equal(blocks, 10);
	for (uint64_t i = 0; i < 33 + 9 * 32; i++)
		expect(ch, i);
	/* of eleven, the one in use and the spare one */
	assert_int_equal(blocks, 1);
	for (uint64_t i = 0; i < 1000; i++) {
		fill(ch, i, 1);
		expect(ch, i);
		assert_int_equal(blocks, 1);
	}
	fill(ch, 0, 1000);
	rill_channel_close_receiver(ch);
	/* a sender who stays does not keep them */
	assert_in_range(blocks, 0, 1);
	watched = NULL;
	rill_channel_close_sender(ch);
}

static void no_memory_is_reported(void **state)
{
	struct rill_channel *ch = create(RILL_UNBOUNDED);
	struct rill_case c;
	uint64_t msg = 32;

	watched = ch;
	no_memory = true;
	fill(ch, 0, 32);
	assert_int_equal(rill_channel_send(ch, &msg), -ENOMEM);
	assert_int_equal(rill_channel_try_send(ch, &msg), -ENOMEM);
	rill_case_channel_send(&c, ch, &msg);
	assert_int_equal(sole(&c), -ENOMEM);
	assert_int_equal(rill_channel_len(ch), 32);
	no_memory = false;
	/* nothing was lost, and nothing sent */
	assert_int_equal(rill_channel_send(ch, &msg), 0);
	for (uint64_t i = 0; i <= 32; i++)
		expect(ch, i);
	assert_int_equal(try_recv(ch), -EAGAIN);
	watched = NULL;
	close_both(ch);
}

static void no_memory_for_a_channel(void **state)
{
	struct rill_channel dummy = {.capacity = 1}, *ch = NULL;

	watched = &dummy;
	no_memory = true;
	int r = rill_channel_create(RILL_UNBOUNDED, 8, &ch);

	watched = NULL;
	no_memory = false;
	assert_int_equal(r, -ENOMEM);
	assert_null(ch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(send_never_waits),
		cmocka_unit_test(backlog_outlives_the_senders),
		cmocka_unit_test(close_keeps_the_backlog),
		cmocka_unit_test(waiting_receiver_gets_it),
		cmocka_unit_test(send_is_a_case_that_never_waits),
		cmocka_unit_test(send_is_no_point_of_cancellation),
		cmocka_unit_test(send_takes_no_budget),
		cmocka_unit_test(blocks_are_kept_and_freed),
		cmocka_unit_test(no_memory_is_reported),
		cmocka_unit_test(no_memory_for_a_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
