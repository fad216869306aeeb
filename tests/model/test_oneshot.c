/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The word of a oneshot: the message is received, dropped, or refused; both sides are woken; the
 * block is freed once, by whoever leaves last, when nobody looks at it any more.
 */
static unsigned frees;
#undef free
#define free(p) (frees++, rill_model_free(p))
#include "sync/oneshot.c"

#include <rill/task.h>

#include "base/clock.h"
#include "tests/model/doubles.h"

static struct rill_oneshot *ch;
static unsigned drops;
static int sent, received;
static uint64_t message;

static void count_drop(void *msg, void *arg)
{
	RILL_ASSERT_CMP(*(uint64_t *)msg, ==, 42u);
	drops++;
}

static void setup(void)
{
	struct rill_oneshot_options o = {RILL_OPTIONS(o), .msg_size = 8, .drop = count_drop};

	rill_doubles_reset();
	RILL_ASSERT(rill_oneshot_create_with(&o, &ch) == 0);
	rill_model_name(ch, sizeof(*ch), "oneshot");
	frees = drops = 0;
	sent = received = 1;
	message = 0;
}

static void setup_gone(void)
{
	setup();
	rill_oneshot_close_receiver(ch);
}

/* ---- the sender ---- */

static void send(void)
{
	uint64_t msg = 42;

	sent = rill_oneshot_send(ch, &msg);
}

static void leave_sender(void)
{
	rill_oneshot_close_sender(ch);
}

static void see_closed(void)
{
	RILL_ASSERT_CMP(rill_oneshot_wait_closed(ch), ==, 0);
	RILL_ASSERT(rill_oneshot_is_closed(ch));
	rill_oneshot_close_sender(ch);
}

/* Until the deadline, which comes at any time. */
static void wait_for_close(void)
{
	struct rill_scope s;

	rill_scope_begin(&s, rill_clock_mono() + 1, NULL);
	rill_oneshot_wait_closed(ch);
	rill_scope_end(&s);
}

static void wait_for_close_then_send(void)
{
	wait_for_close();
	send();
}

/* ---- the receiver ---- */

static void leave_receiver(void)
{
	rill_oneshot_close_receiver(ch);
}

static void recv(void)
{
	received = rill_oneshot_recv(ch, &message);
	leave_receiver();
}

static void recv_in_select(void)
{
	struct rill_case c;

	rill_case_oneshot_recv(&c, ch, &message);
	RILL_ASSERT_CMP(rill_select(&c, 1, 0), ==, 0);
	received = c.result;
	leave_receiver();
}

static void recv_a_while(void)
{
	struct rill_scope s;

	rill_scope_begin(&s, rill_clock_mono() + 1, NULL);
	received = rill_oneshot_recv(ch, &message);
	rill_scope_end(&s);
}

static void recv_a_while_and_leave(void)
{
	recv_a_while();
	leave_receiver();
}

static void recv_a_while_then_again(void)
{
	recv_a_while();
	if (received != 0)
		received = rill_oneshot_recv(ch, &message);
	leave_receiver();
}

static void close_then_try(void)
{
	rill_oneshot_close(ch);
	received = rill_oneshot_try_recv(ch, &message);
	RILL_ASSERT(received == 0 || received == -EPIPE);
	leave_receiver();
}

/* ---- and what comes of it ---- */

/* A message that was sent is received or dropped, one that was not, neither. */
static void check(void)
{
	RILL_ASSERT_CMP(frees, ==, 1u);
	RILL_ASSERT_CMP((received == 0) + drops, ==, (unsigned)(sent == 0));
	if (received == 0)
		RILL_ASSERT_CMP(message, ==, 42u);
}

static void check_received(void)
{
	check();
	RILL_ASSERT_CMP(received, ==, 0);
}

/* All that was sent before the close is received. */
static void check_close(void)
{
	check();
	RILL_ASSERT_CMP(drops, ==, 0u);
	RILL_ASSERT_CMP(sent, ==, received);
}

static void check_nothing_comes(void)
{
	check();
	RILL_ASSERT_CMP(received, ==, -EPIPE);
}

#define TEST(n, setup_, check_, ...)                                                               \
	{                                                                                          \
		.name = n, .setup = setup_, .threads = {__VA_ARGS__}, .check = check_,             \
		.exhaustive = true,                                                                \
	}

static const struct rill_model_test tests[] = {
	TEST("recv", setup, check_received, send, recv),
	TEST("select", setup, check_received, send, recv_in_select),
	TEST("cancel", setup, check, send, recv_a_while_and_leave),
	TEST("cancel_and_again", setup, check_received, send, recv_a_while_then_again),
	TEST("close", setup, check_close, send, close_then_try),
	TEST("send_and_drop", setup, check, send, leave_receiver),
	TEST("drop_and_drop", setup, check, leave_sender, leave_receiver),
	TEST("drop_and_recv", setup, check_nothing_comes, leave_sender, recv),
	TEST("closed", setup, check, see_closed, leave_receiver),
	TEST("closed_and_kept", setup, check_nothing_comes, see_closed, close_then_try),
	TEST("closed_cancel", setup, check, wait_for_close_then_send, leave_receiver),
	TEST("both_wait", setup, check, wait_for_close_then_send, recv_a_while_and_leave),
	TEST("closed_before", setup_gone, check, see_closed),
};

#define ONESHOT "sync/oneshot.c"

static const struct rill_model_mutation mutations[] = {
	{"send_relaxed", "send_and_drop", ONESHOT, "rill_oneshot_send", "cas", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"send_acquires_nothing", "recv", ONESHOT, "rill_oneshot_send", "cas", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELEASE, 0},
	{"send_unconditional", "close", ONESHOT, "rill_oneshot_send", "cas", NULL, RILL_MODEL_FORCE,
	 0, 0},
	{"look_relaxed", "cancel", ONESHOT, "look", "load", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"wait_relaxed", "recv", ONESHOT, "begin_to_wait", "cas", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"wait_unconditional", "recv", ONESHOT, "begin_to_wait", "cas", NULL, RILL_MODEL_FORCE, 0,
	 0},
	{"leave_unconditional", "cancel", ONESHOT, "end_waiting", "cas", NULL, RILL_MODEL_FORCE, 0,
	 0},
	{"delivered_relaxed", "cancel", ONESHOT, "deliver", "store", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"delivered_not_told", "cancel", ONESHOT, "deliver", "store", NULL, RILL_MODEL_SKIP, 0, 0},
	{"woken_not_told", "closed", ONESHOT, "wake", "store", NULL, RILL_MODEL_SKIP, 0, 0},
	{"woken_relaxed", "closed", ONESHOT, "wake", "store", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"close_relaxed", "drop_and_drop", ONESHOT, "close_by_receiver", "rmw", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"close_skipped", "closed", ONESHOT, "close_by_receiver", "rmw", NULL, RILL_MODEL_SKIP, 0,
	 0},
	{"drop_relaxed", "drop_and_drop", ONESHOT, "rill_oneshot_close_sender", "rmw", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"taken_not_told", "recv", ONESHOT, "take_out", "store", NULL, RILL_MODEL_SKIP, 0, 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
