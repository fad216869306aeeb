/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Channels between plain threads: each message that was sent is received or dropped, once; nobody
 * waits for what has come or can't come any more; and the last half frees the memory, when nobody
 * looks at it any more.
 */
/* Each message of a channel without bound wants a block. */
#define RILL_CHANNEL_BLOCK_MSGS 1
/* All others get a chance at the lock after each one. */
#define RILL_FANOUT_CHUNK 1
#define RILL_CHANNEL_RECV_CHUNK 1u

#include <rill/time.h>

#include "sync/channel.c"
#include "sync/channel_owner.c"
#include "sync/channel_permit.c"
#include "sync/channel_recv.c"
#include "sync/channel_send.c"

#include "tests/model/doubles.h"

#define ANY 4 /* messages are 1 to ANY */

static struct rill_channel *ch, *other;
static unsigned sent[ANY + 1], received[ANY + 1], dropped[ANY + 1];
static uint64_t last[RILL_MODEL_THREADS + 1]; /* that the thread received */
static RILL_ATOMIC(bool) closing;

static void note_drop(void *msg, void *arg)
{
	dropped[*(uint64_t *)msg]++;
}

static struct rill_channel *make(size_t capacity)
{
	struct rill_channel_options o = {RILL_OPTIONS(o), capacity, sizeof(uint64_t), note_drop,
					 NULL};
	struct rill_channel *made;

	RILL_ASSERT(rill_channel_create_with(&o, &made) == 0);
	rill_model_name(made, sizeof(*made), "ch");
	return made;
}

static void setup_of(size_t capacity)
{
	rill_doubles_reset();
	memset(sent, 0, sizeof(sent));
	memset(received, 0, sizeof(received));
	memset(dropped, 0, sizeof(dropped));
	memset(last, 0, sizeof(last));
	closing = false;
	ch = make(capacity);
}

static void setup_1(void)
{
	setup_of(1);
}

static void setup_unbounded(void)
{
	setup_of(RILL_UNBOUNDED);
}

/* What was sent is gone once, and nothing else is. */
static void check(void)
{
	for (unsigned i = 1; i <= ANY; i++)
		RILL_ASSERT_CMP(received[i] + dropped[i], ==, sent[i]);
}

/* The same, and the channel is still there, with no message in it. */
static void check_and_close(void)
{
	check();
	RILL_ASSERT_CMP(ch->len, ==, 0u);
	RILL_ASSERT_CMP(ch->permits, ==, 0u);
	RILL_ASSERT(rill_channel_valid(ch));
	rill_channel_close_sender(ch);
	rill_channel_close_receiver(ch);
}

/* ---- what threads do ---- */

static int send(uint64_t msg)
{
	int r = rill_channel_send(ch, &msg);

	/* nobody else sends this one */
	if (r == 0)
		sent[msg] = 1;
	else
		RILL_ASSERT_CMP(r, ==, -EPIPE);
	return r;
}

static void note(uint64_t msg)
{
	RILL_ASSERT(msg >= 1 && msg <= ANY);
	received[msg]++;
	last[rill_model_self()] = msg;
}

static int recv(void)
{
	uint64_t msg = 0;
	int r = rill_channel_recv(ch, &msg);

	if (r == 0)
		note(msg);
	else
		RILL_ASSERT(r == -EPIPE || r == -ETIMEDOUT);
	return r;
}

static void send_1(void)
{
	RILL_ASSERT(send(1) == 0);
}

static void send_2(void)
{
	RILL_ASSERT(send(2) == 0);
}

static void send_1_2(void)
{
	send_1();
	send_2();
}

static void recv_once(void)
{
	RILL_ASSERT(recv() == 0);
}

/* In the order in which one thread sent them. */
static void recv_twice(void)
{
	recv_once();
	uint64_t first = last[rill_model_self()];

	recv_once();
	RILL_ASSERT(received[1] + received[2] == 2 || first != last[rill_model_self()]);
}

static void recv_1_2(void)
{
	recv_once();
	RILL_ASSERT_CMP(last[rill_model_self()], ==, 1u);
	recv_once();
	RILL_ASSERT_CMP(last[rill_model_self()], ==, 2u);
}

/* ---- the ends ---- */

static void send_1_and_leave(void)
{
	send(1);
	rill_channel_close_sender(ch);
}

static void send_2_and_leave(void)
{
	send(2);
	rill_channel_close_sender(ch);
}

static void recv_to_the_end(void)
{
	while (recv() == 0)
		;
	rill_channel_close_receiver(ch);
}

static void leave_receiver(void)
{
	rill_channel_close_receiver(ch);
}

static void close_and_recv(void)
{
	rill_channel_close(ch);
	recv_to_the_end();
}

static void setup_2_senders(void)
{
	setup_of(1);
	rill_channel_add_sender(ch);
}

static void setup_full(void)
{
	setup_of(1);
	send(2);
}

/* Blocks which whoever leaves has to free, and not one to spare. */
static void setup_backlog(void)
{
	setup_of(RILL_UNBOUNDED);
	send(2);
	send(3);
}

/* As soon as there is one, all there are. */
static void recv_many_once(void)
{
	uint64_t msgs[2] = {0};
	size_t n = 0;

	RILL_ASSERT(rill_channel_recv_many(ch, msgs, 2, &n) == 0);
	for (size_t i = 0; i < n; i++)
		note(msgs[i]);
	if (n < 2)
		recv_once();
}

static void close_only(void)
{
	rill_channel_close(ch);
}

/* Two who wait at a full channel. */
static void setup_full_of_two_senders(void)
{
	setup_full();
	rill_channel_add_sender(ch);
}

static void send_late_and_leave(void)
{
	uint64_t msg = 4;
	struct rill_scope scope;

	rill_scope_begin(&scope, rill_clock_mono() + 1, NULL);
	if (rill_channel_send(ch, &msg) == 0)
		sent[4] = 1;
	rill_scope_end(&scope);
	rill_channel_close_sender(ch);
}

static void check_and_leave(void)
{
	rill_channel_close_receiver(ch);
	check();
}

/* Two who receive to the end, of one sender. */
static void setup_2_receivers(void)
{
	setup_of(1);
	rill_channel_add_receiver(ch);
}

static void setup_weak(void)
{
	setup_of(1);
	rill_channel_add_weak(ch);
}

static void upgrade_and_send(void)
{
	int r = rill_channel_upgrade(ch);

	RILL_ASSERT(r == 0 || r == -EPIPE);
	if (r == 0)
		send_2_and_leave();
	rill_channel_close_weak(ch);
}

static void leave_sender(void)
{
	rill_channel_close_sender(ch);
}

/* ---- waiting for the close ---- */

static void wait_closed(void)
{
	RILL_ASSERT(rill_channel_wait_closed(ch) == 0);
	RILL_ASSERT(rill_load_relaxed(&closing));
	rill_channel_close_sender(ch);
}

static void close_and_leave(void)
{
	rill_store_relaxed(&closing, true);
	rill_channel_close_receiver(ch);
}

/* ---- permits ---- */

static void setup_permit(void)
{
	setup_of(1);
	RILL_ASSERT(rill_channel_reserve(ch, 1) == 0);
}

static void setup_closed_permit(void)
{
	setup_permit();
	rill_channel_close(ch);
}

static void unreserve_and_leave(void)
{
	rill_channel_unreserve(ch, 1);
	rill_channel_close_sender(ch);
}

static void send_reserved_and_leave(void)
{
	uint64_t msg = 1;

	sent[1] = 1;
	rill_channel_send_reserved(ch, &msg);
	rill_channel_close_sender(ch);
}

/* Wants more than comes at once. */
static void reserve_2(void)
{
	RILL_ASSERT(rill_channel_reserve(ch, 2) == 0);
	RILL_ASSERT(rill_channel_try_send(ch, &(uint64_t){3}) == -EAGAIN);
	rill_channel_unreserve(ch, 2);
}

static void setup_full_2(void)
{
	setup_of(2);
	send(3);
	send(4);
}

/* ---- cancelled ---- */

/* Waits for as long as it pleases the clock. */
static int late(int (*fn)(void))
{
	struct rill_scope scope;

	rill_scope_begin(&scope, rill_clock_mono() + 1, NULL);
	int r = fn();

	rill_scope_end(&scope);
	return r;
}

static void recv_late(void)
{
	/* then another wait, as if nothing was */
	if (late(recv) != 0)
		recv_once();
}

static int reserve_2_late(void)
{
	int r = rill_channel_reserve(ch, 2);

	RILL_ASSERT(r == 0 || r == -ETIMEDOUT);
	if (r == 0)
		rill_channel_unreserve(ch, 2);
	return r;
}

static void reserve_late(void)
{
	late(reserve_2_late);
}

static void recv_3_4_1(void)
{
	recv_once();
	recv_once();
	recv_once();
	RILL_ASSERT_CMP(last[rill_model_self()], ==, 1u);
}

/* ---- selects ---- */

static void setup_other(void)
{
	setup_of(1);
	other = make(1);
}

static void recv_either(void)
{
	struct rill_case cases[2];
	uint64_t msg = 0;

	rill_case_channel_recv(&cases[0], ch, &msg);
	rill_case_channel_recv(&cases[1], other, &msg);
	int i = rill_select(cases, 2, RILL_SELECT_BIASED);

	RILL_ASSERT(i >= 0 && cases[i].result == 0);
	note(msg);
}

static void send_to_both(void)
{
	uint64_t msg = 2;

	send_1();
	sent[2] = 1;
	RILL_ASSERT(rill_channel_send(other, &msg) == 0);
}

/* One of them was received; the other can be. */
static void check_either(void)
{
	uint64_t msg;

	if (rill_channel_try_recv(ch, &msg) == 0)
		note(msg);
	if (rill_channel_try_recv(other, &msg) == 0)
		note(msg);
	rill_channel_close_sender(other);
	rill_channel_close_receiver(other);
	check_and_close();
}

static void setup_other_full(void)
{
	uint64_t msg = 4;

	setup_other();
	send(3);
	sent[4] = 1;
	RILL_ASSERT(rill_channel_send(other, &msg) == 0);
}

static void send_either(void)
{
	struct rill_case cases[2];
	uint64_t msg = 1;

	rill_case_channel_send(&cases[0], ch, &msg);
	rill_case_channel_send(&cases[1], other, &msg);
	int i = rill_select(cases, 2, RILL_SELECT_BIASED);

	RILL_ASSERT(i >= 0 && cases[i].result == 0);
	sent[1] = 1;
}

static void recv_from_both(void)
{
	uint64_t msg;

	recv_once();
	RILL_ASSERT(rill_channel_recv(other, &msg) == 0);
	note(msg);
}

#define TEST_WITHIN(n, preemptions_, setup_, check_, ...)                                          \
	{                                                                                          \
		.name = n, .setup = setup_, .threads = {__VA_ARGS__}, .check = check_,             \
		.exhaustive = true, .preemptions = preemptions_,                                   \
	}
#define TEST(n, setup_, check_, ...) TEST_WITHIN(n, 0, setup_, check_, __VA_ARGS__)
/* Of three threads. */
#define TEST_3(n, setup_, check_, ...) TEST_WITHIN(n, 2, setup_, check_, __VA_ARGS__)

static const struct rill_model_test tests[] = {
	TEST("order", setup_1, check_and_close, send_1_2, recv_1_2),
	TEST("unbounded", setup_unbounded, check_and_close, send_1_2, recv_1_2),
	TEST_3("unbounded_senders", setup_unbounded, check_and_close, send_1, send_2, recv_twice),
	TEST_3("receivers", setup_1, check_and_close, send_1_2, recv_once, recv_once),
	TEST_3("last_sender", setup_2_senders, check, send_1_and_leave, send_2_and_leave,
	       recv_to_the_end),
	TEST_3("last_sender_of_two_receivers", setup_2_receivers, check, send_1_and_leave,
	       recv_to_the_end, recv_to_the_end),
	TEST("receiver_leaves", setup_full, check, send_1_and_leave, leave_receiver),
	TEST("close", setup_full, check, send_1_and_leave, close_and_recv),
	TEST("unbounded_leaves", setup_unbounded, check, send_1_and_leave, leave_receiver),
	TEST("backlog_leaves", setup_backlog, check, send_1_and_leave, leave_receiver),
	TEST("many", setup_1, check_and_close, send_1_2, recv_many_once),
	TEST_3("close_wakes_two", setup_full_of_two_senders, check_and_leave, send_1_and_leave,
	       send_late_and_leave, close_only),
	TEST_3("upgrade", setup_weak, check, upgrade_and_send, leave_sender, recv_to_the_end),
	TEST("wait_closed", setup_1, check, wait_closed, close_and_leave),
	TEST("last_permit", setup_closed_permit, check, unreserve_and_leave, recv_to_the_end),
	TEST("reserved_against_close", setup_permit, check, send_reserved_and_leave,
	     close_and_recv),
	TEST("reserved_against_leave", setup_permit, check, send_reserved_and_leave,
	     leave_receiver),
	TEST("reserve_in_parts", setup_full_2, check_and_close, reserve_2, recv_twice),
	TEST("recv_late", setup_1, check_and_close, recv_late, send_1),
	TEST_3("reserve_late", setup_full_2, check_and_close, reserve_late, send_1, recv_3_4_1),
	TEST("recv_either", setup_other, check_either, recv_either, send_to_both),
	TEST("send_either", setup_other_full, check_either, send_either, recv_from_both),
};

#define QUEUE "sync/channel.c"
#define OWNER "sync/channel_owner.c"
#define AWAIT "runtime/await.h"

static const struct rill_model_mutation mutations[] = {
	{"len_not_counted", "order", "sync/channel.h", "rill_channel_put", "store", "len",
	 RILL_MODEL_SKIP, 0, 0},
	{"grant_forgotten", "order", AWAIT, "rill_await_grant", "store", "granted",
	 RILL_MODEL_VALUE, 0, RILL_GRANT_NONE},
	{"wake_skipped", "order", "runtime/waiter.h", "rill_wake_add", "rmw", NULL, RILL_MODEL_SKIP,
	 0, 0},
	{"unlock_relaxed", "order", "base/spinlock.h", "rill_spin_unlock", "store", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"last_sender_overlooked", "last_sender", OWNER, "rill_channel_close_sender", "store",
	 "senders", RILL_MODEL_SKIP, 0, 0},
	{"last_receiver_overlooked", "receiver_leaves", OWNER, "rill_channel_close_receiver",
	 "store", "receivers", RILL_MODEL_SKIP, 0, 0},
	{"upgraded_for_nothing", "upgrade", OWNER, "rill_channel_upgrade", "store", "senders",
	 RILL_MODEL_SKIP, 0, 0},
	{"close_forgotten", "wait_closed", QUEUE, "rill_channel_close_locked", "store", "closed",
	 RILL_MODEL_SKIP, 0, 0},
	{"close_relaxed", "wait_closed", QUEUE, "rill_channel_close_locked", "store", "closed",
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"permit_lost", "reserve_in_parts", QUEUE, "rill_channel_release", "store", "room",
	 RILL_MODEL_SKIP, 0, 0},
	{"part_given_twice", "reserve_in_parts", QUEUE, "give_room", "store", "room",
	 RILL_MODEL_SKIP, 0, 0},
	{"owed_message_not_fetched", "recv_either", AWAIT, "rill_await_promise", "store", "granted",
	 RILL_MODEL_VALUE, 0, RILL_GRANT_WOKE},
	{"promised_room_not_used", "send_either", AWAIT, "rill_await_promise", "store", "granted",
	 RILL_MODEL_VALUE, 0, RILL_GRANT_WOKE},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
