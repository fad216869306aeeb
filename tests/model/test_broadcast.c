/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Broadcast: a message is seen whole or not at all, by everybody or counted as lost; the end is
 * seen after the last message; a message with hooks is dropped once, after the last copy.
 */
#include "sync/broadcast.c"
#include "sync/broadcast_recv.c"

#include "tests/model/doubles.h"

/* Two words, so that half of one message and half of another shows. */
struct msg {
	uint64_t n;
	uint64_t inverse;
};

static struct rill_broadcast *b;
static struct rill_broadcast_rx rx, other;
static uint64_t sum, got, lost;
static unsigned said; /* before what is sent or closed */

static void setup_of(size_t capacity)
{
	struct rill_broadcast_options o = {
		RILL_OPTIONS(o),
		.capacity = capacity,
		.msg_size = sizeof(struct msg),
	};

	rill_doubles_reset();
	sum = got = lost = 0;
	said = 0;
	RILL_ASSERT(rill_broadcast_create(&o, &b) == 0);
	rill_model_name(b, sizeof(*b) + b->stride * capacity, "b");
	rill_model_name(&rx, sizeof(rx), "rx");
	rill_broadcast_subscribe(b, &rx);
}

static void setup_1(void)
{
	setup_of(1);
}

static void setup_2(void)
{
	setup_of(2);
}

static void setup_pair(void)
{
	setup_of(1);
	rill_model_name(&other, sizeof(other), "other");
	rill_broadcast_subscribe(b, &other);
}

/* ---- what the threads do ---- */

static void send(uint64_t n)
{
	struct msg msg = {.n = n, .inverse = ~n};

	RILL_ASSERT(rill_broadcast_send(b, &msg, NULL) == 0);
}

static void send_1(void)
{
	said = 42;
	send(1);
}

static void send_2(void)
{
	send(1);
	send(2);
}

static void send_1_and_close(void)
{
	send(1);
	rill_broadcast_close_sender(b);
}

static void close_sender(void)
{
	rill_broadcast_close_sender(b);
}

static int take_note(int r, const struct msg *msg)
{
	if (r == 0) {
		RILL_ASSERT_CMP(msg->n, ==, ~msg->inverse);
		RILL_ASSERT_CMP(msg->n, >, sum); /* in order */
		sum = msg->n;
		got++;
	} else if (r == -EOVERFLOW) {
		lost += rill_broadcast_lagged(&rx);
	}
	return r;
}

static int receive(void)
{
	struct msg msg;

	return take_note(rill_broadcast_recv(&rx, &msg), &msg);
}

static int look_for_one(void)
{
	struct msg msg;

	return take_note(rill_broadcast_try_recv(&rx, &msg), &msg);
}

static void look_twice(void)
{
	look_for_one();
	look_for_one();
}

static void receive_1(void)
{
	RILL_ASSERT(receive() == 0);
	RILL_ASSERT_CMP(said, ==, 42u);
}

static void look_for_1(void)
{
	if (look_for_one() == 0)
		RILL_ASSERT_CMP(said, ==, 42u);
}

/* All of two, one way or the other. */
static void receive_2(void)
{
	while (got + lost < 2) {
		int r = receive();

		RILL_ASSERT(r == 0 || r == -EOVERFLOW);
	}
}

static void receive_2_in_select(void)
{
	while (got + lost < 2) {
		struct rill_case c;
		struct msg msg;

		rill_case_broadcast_recv(&c, &rx, &msg);
		RILL_ASSERT(rill_select(&c, 1, 0) == 0);
		take_note(c.result, &msg);
	}
}

static void receive_until_the_end(void)
{
	RILL_ASSERT(receive() == 0);
	RILL_ASSERT(receive() == -EPIPE);
}

static void look_until_the_end(void)
{
	if (look_for_one() == -EPIPE || look_for_one() == -EPIPE)
		RILL_ASSERT_CMP(got, ==, 1u);
}

static void receive_other(void)
{
	struct msg msg;
	int r;

	do {
		r = rill_broadcast_recv(&other, &msg);
		RILL_ASSERT(r == 0 || r == -EOVERFLOW);
	} while (r < 0 || msg.n < 1);
}

/* The deadline is there already, but the message may come first. */
static void receive_late(void)
{
	struct rill_scope s;

	rill_scope_begin(&s, RILL_MODEL_START_NS + 1, NULL);
	int r = receive();

	rill_scope_end(&s);
	RILL_ASSERT(r == 0 || r == -ETIMEDOUT);
	if (r < 0)
		RILL_ASSERT(receive() == 0);
}

static void close_receiver(void)
{
	said = 42;
	rill_broadcast_close_receiver(&rx);
}

static void wait_closed(void)
{
	RILL_ASSERT(rill_broadcast_wait_closed(b) == 0);
	RILL_ASSERT_CMP(said, ==, 42u);
}

static void look_closed(void)
{
	if (rill_broadcast_is_closed(b))
		RILL_ASSERT_CMP(said, ==, 42u);
}

static void close_and_subscribe(void)
{
	said = 42;
	rill_broadcast_close_receiver(&rx);
	rill_broadcast_subscribe(b, &rx);
	rill_broadcast_close_receiver(&rx);
}

static void wait_closed_and_close(void)
{
	RILL_ASSERT(rill_broadcast_wait_closed(b) == 0);
	rill_broadcast_close_sender(b);
}

static void upgrade(void)
{
	struct msg msg = {.n = 1, .inverse = ~(uint64_t)1};

	if (rill_broadcast_upgrade(b) == 0) {
		RILL_ASSERT(rill_broadcast_send(b, &msg, NULL) == 0);
		rill_broadcast_close_sender(b);
		got++;
	}
	rill_broadcast_close_weak(b);
}

/* ---- messages with hooks: the index of their state ---- */

#define HANDLES 3

static unsigned copies[HANDLES], drops[HANDLES];

/* Without atomics: copies of one message are made one after the other, and before its drop. */
static void copy_handle(void *to, const void *from, void *arg)
{
	uint64_t n = *(const uint64_t *)from;

	RILL_ASSERT_CMP(drops[n], ==, 0u);
	copies[n]++;
	*(uint64_t *)to = n;
}

static void drop_handle(void *msg, void *arg)
{
	uint64_t n = *(uint64_t *)msg;

	RILL_ASSERT_CMP(drops[n], ==, 0u);
	drops[n]++;
	/* under no lock */
	RILL_ASSERT(rill_broadcast_len(b) <= b->capacity);
}

static void setup_hooks(void)
{
	struct rill_broadcast_options o = {
		RILL_OPTIONS(o),     .capacity = 1,	  .msg_size = sizeof(uint64_t),
		.copy = copy_handle, .drop = drop_handle,
	};

	rill_doubles_reset();
	memset(copies, 0, sizeof(copies));
	memset(drops, 0, sizeof(drops));
	RILL_ASSERT(rill_broadcast_create(&o, &b) == 0);
	rill_model_name(b, sizeof(*b) + b->stride, "b");
	rill_broadcast_subscribe(b, &rx);
}

static void setup_hooks_pair(void)
{
	uint64_t n = 1;

	setup_hooks();
	rill_broadcast_subscribe(b, &other);
	RILL_ASSERT(rill_broadcast_send(b, &n, NULL) == 0);
}

static void send_handles(void)
{
	uint64_t handles[2] = {1, 2};

	RILL_ASSERT(rill_broadcast_send(b, &handles[0], NULL) == 0);
	RILL_ASSERT(rill_broadcast_send(b, &handles[1], NULL) == 0);
}

static void send_handle(void)
{
	uint64_t n = 2;

	/* Without receivers it is ours. */
	if (rill_broadcast_send(b, &n, NULL) < 0)
		drops[n]++;
}

static void look_for_handle(struct rill_broadcast_rx *from)
{
	uint64_t n;
	int r = rill_broadcast_try_recv(from, &n);

	RILL_ASSERT(r == 0 || r == -EAGAIN || r == -EOVERFLOW);
}

static void look_for_handles(void)
{
	look_for_handle(&rx);
	look_for_handle(&rx);
}

static void look_in_other(void)
{
	look_for_handle(&other);
}

static void look_and_close(void)
{
	look_for_handle(&rx);
	rill_broadcast_close_receiver(&rx);
}

static void close_rx(void)
{
	rill_broadcast_close_receiver(&rx);
}

/* ---- and what comes of it ---- */

static void check_nothing(void)
{
}

/* What is got, lost and left is what was sent. */
static void check_sent_2(void)
{
	while (got + lost < 2) {
		int r = look_for_one();

		RILL_ASSERT(r == 0 || r == -EOVERFLOW);
	}
	RILL_ASSERT_CMP(got + lost, ==, 2u);
	RILL_ASSERT_CMP(sum, ==, 2u);
	RILL_ASSERT(look_for_one() == -EAGAIN);
}

static void check_sent_1(void)
{
	RILL_ASSERT_CMP(got, ==, 1u);
	RILL_ASSERT_CMP(lost, ==, 0u);
	RILL_ASSERT(look_for_one() == -EAGAIN);
}

static void check_pair(void)
{
	RILL_ASSERT(rill_list_empty(&b->waiting));
}

/* Each was dropped, or is still there for somebody. */
static void check_handles(void)
{
	rill_broadcast_close_receiver(&rx);
	RILL_ASSERT_CMP(drops[1], ==, 1u);
	RILL_ASSERT_CMP(drops[2], ==, 1u);
	rill_broadcast_close_sender(b);
}

static void check_handles_pair(void)
{
	rill_broadcast_close_receiver(&rx);
	RILL_ASSERT_CMP(drops[1], <=, 1u);
	rill_broadcast_close_receiver(&other);
	RILL_ASSERT_CMP(drops[1], ==, 1u);
	RILL_ASSERT_CMP(copies[1], <=, 2u);
	rill_broadcast_close_sender(b);
}

static void check_closed_handles(void)
{
	RILL_ASSERT_CMP(drops[1], ==, 1u);
	RILL_ASSERT_CMP(drops[2], ==, 1u);
	rill_broadcast_close_sender(b);
}

static void setup_handle(void)
{
	uint64_t n = 1;

	setup_hooks();
	RILL_ASSERT(rill_broadcast_send(b, &n, NULL) == 0);
}

static void setup_weak(void)
{
	setup_of(1);
	rill_broadcast_add_weak(b);
}

static void check_weak(void)
{
	uint64_t sent = got;

	got = 0;
	if (sent)
		RILL_ASSERT(look_for_one() == 0);
	RILL_ASSERT(look_for_one() == -EPIPE);
	RILL_ASSERT_CMP(b->owners, ==, 1u);
	rill_broadcast_close_receiver(&rx);
}

#define TEST(n, setup_, check_, ...)                                                               \
	{                                                                                          \
		.name = n, .setup = setup_, .threads = {__VA_ARGS__}, .check = check_,             \
		.exhaustive = true,                                                                \
	}

static const struct rill_model_test tests[] = {
	TEST("overwrite", setup_1, check_sent_2, send_2, look_twice),
	TEST("kept", setup_2, check_sent_2, send_2, look_twice),
	TEST("seen", setup_1, check_sent_1, send_1, receive_1),
	TEST("found", setup_1, check_nothing, send_1, look_for_1),
	TEST("handed_over", setup_1, check_sent_2, send_2, receive_2),
	TEST("select", setup_1, check_sent_2, send_2, receive_2_in_select),
	TEST("late", setup_1, check_sent_1, send_1, receive_late),
	TEST("pair", setup_pair, check_pair, send_1, receive_1, receive_other),
	TEST("end", setup_1, check_nothing, send_1_and_close, receive_until_the_end),
	TEST("end_found", setup_1, check_nothing, send_1_and_close, look_until_the_end),
	TEST("closed", setup_1, check_nothing, wait_closed, close_receiver),
	TEST("closed_found", setup_1, check_nothing, look_closed, close_receiver),
	TEST("reopened", setup_1, check_nothing, wait_closed, close_and_subscribe),
	TEST("last_sender", setup_1, check_nothing, wait_closed_and_close, close_rx),
	TEST("last", setup_1, check_nothing, close_sender, close_rx),
	TEST("upgrade", setup_weak, check_weak, upgrade, close_sender),
	TEST("hooks", setup_hooks, check_handles, send_handles, look_for_handles),
	TEST("hooks_pair", setup_hooks_pair, check_handles_pair, look_for_handles, look_in_other),
	TEST("hooks_leave", setup_handle, check_closed_handles, send_handle, look_and_close),
};

#define SEND "sync/broadcast.c"
#define RECV "sync/broadcast_recv.c"

static const struct rill_model_mutation mutations[] = {
	{"not_hidden", "overwrite", SEND, "hide", "store", "seq", RILL_MODEL_SKIP, 0, 0},
	{"words_relaxed", "overwrite", SEND, "write_words", "store", "to", RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"words_read_relaxed", "overwrite", RECV, "read_words", "load", "from", RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"shown_relaxed", "found", SEND, "show", "store", "seq", RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"seq_read_relaxed", "found", RECV, "read_words", "load", "seq", RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"read_once", "overwrite", RECV, "still_there", "load", "seq", RILL_MODEL_VALUE, 0, 2},
	{"never_closed", "end", SEND, "rill_broadcast_close_sender", "store", "closed",
	 RILL_MODEL_SKIP, 0, 0},
	{"closed_relaxed", "end_found", SEND, "rill_broadcast_close_sender", "store", "closed",
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"closed_read_relaxed", "end_found", RECV, "look", "load", "closed", RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"left_relaxed", "closed_found", RECV, "leave_locked", "store", "receivers",
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"not_left", "closed", RECV, "leave_locked", "store", "receivers", RILL_MODEL_SKIP, 0, 0},
	{"tail_kept", "handed_over", SEND, "send_locked", "store", "tail", RILL_MODEL_SKIP, 0, 0},
	{"lock_relaxed", "hooks", "base/spinlock.h", "rill_spin_lock", "lock", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
