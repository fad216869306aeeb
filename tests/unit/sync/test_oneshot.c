/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/sync/sync_test.h"

static struct rill_oneshot *create(void)
{
	struct rill_oneshot *ch;

	CHECK(rill_oneshot_create(sizeof(uint64_t), &ch), ==, 0);
	return ch;
}

static void send(struct rill_oneshot *ch, uint64_t msg, int expected)
{
	CHECK(rill_oneshot_send(ch, &msg), ==, expected);
}

static int recv_once(struct call *c)
{
	return rill_oneshot_recv(c->obj, &c->msg);
}

static void sent_before_it_is_received(void **state)
{
	struct rill_oneshot *ch = create();
	uint64_t msg = 0;

	send(ch, 42, 0);
	assert_int_equal(rill_oneshot_recv(ch, &msg), 0);
	assert_int_equal(msg, 42);
	/* there was only one */
	assert_int_equal(rill_oneshot_recv(ch, &msg), -EPIPE);
	rill_oneshot_close_receiver(ch);
}

static void closed_sender(void **state)
{
	struct rill_oneshot *ch = create();
	uint64_t msg = 7;

	rill_oneshot_close_sender(ch);
	assert_int_equal(rill_oneshot_recv(ch, &msg), -EPIPE);
	assert_int_equal(msg, 7);
	rill_oneshot_close_receiver(ch);
}

static void closed_receiver(void **state)
{
	struct rill_oneshot *ch = create();

	rill_oneshot_close_receiver(ch);
	send(ch, 1, -EPIPE);
	ch = create();
	rill_oneshot_close_receiver(ch);
	rill_oneshot_close_sender(ch);
	/* sent, and never looked at */
	ch = create();
	send(ch, 1, 0);
	rill_oneshot_close_receiver(ch);
}

static void message_sizes(void **state)
{
	unsigned char in[1000], out[1000] = {0};
	struct rill_oneshot *ch;

	assert_int_equal(rill_oneshot_create(0, &ch), 0);
	assert_int_equal(rill_oneshot_send(ch, NULL), 0);
	assert_int_equal(rill_oneshot_recv(ch, NULL), 0);
	rill_oneshot_close_receiver(ch);

	memset(in, 0xa5, sizeof(in));
	assert_int_equal(rill_oneshot_create(sizeof(in), &ch), 0);
	assert_int_equal(rill_oneshot_send(ch, in), 0);
	assert_int_equal(rill_oneshot_recv(ch, out), 0);
	assert_memory_equal(in, out, sizeof(in));
	rill_oneshot_close_receiver(ch);

	assert_int_equal(rill_oneshot_create(SIZE_MAX, &ch), -ENOMEM);
}

TASK_TEST(waiting_receiver_is_woken)
{
	struct rill_oneshot *ch = create();
	struct call c = {.fn = recv_once, .obj = ch};

	call_start(&c);
	send(ch, 5, 0);
	CHECK(call_join(&c), ==, 0);
	CHECK(c.msg, ==, 5u);
	rill_oneshot_close_receiver(ch);

	ch = create();
	c = (struct call){.fn = recv_once, .obj = ch};
	call_start(&c);
	rill_oneshot_close_sender(ch);
	CHECK(call_join(&c), ==, -EPIPE);
	rill_oneshot_close_receiver(ch);
	return NULL;
}

TASK_TEST(cancelled_receive_can_be_repeated)
{
	struct rill_oneshot *ch = create();
	struct call aborted = {.fn = recv_once, .obj = ch}, cancelled = aborted;
	struct call late = {.fn = recv_once, .obj = ch, .deadline_ns = rill_after(RILL_SEC)};
	uint64_t msg = 0;

	call_start(&aborted);
	CHECK(call_abort(&aborted), ==, -ECANCELED);
	call_start(&late);
	CHECK(call_join(&late), ==, -ETIMEDOUT);
	CHECK(rill_token_create(&cancelled.token), ==, 0);
	call_start(&cancelled);
	rill_token_cancel(cancelled.token);
	CHECK(call_join(&cancelled), ==, -ECANCELED);
	rill_token_unref(cancelled.token);
	send(ch, 9, 0);
	CHECK(rill_oneshot_recv(ch, &msg), ==, 0);
	CHECK(msg, ==, 9u);
	rill_oneshot_close_receiver(ch);
	return NULL;
}

TASK_TEST(abort_after_the_message_loses_none)
{
	struct rill_oneshot *ch = create();
	struct call c = {.fn = recv_once, .obj = ch};
	uint64_t msg = 0;

	call_start(&c);
	send(ch, 3, 0);
	/* either the aborted wait returned it, or it is still there */
	if (call_abort(&c) == 0)
		CHECK(c.msg, ==, 3u);
	else
		CHECK(rill_oneshot_recv(ch, &msg), ==, 0);
	rill_oneshot_close_receiver(ch);
	return NULL;
}

static int recv_either(struct call *c)
{
	struct rill_case cases[2];

	rill_case_oneshot_recv(&cases[0], c->obj, &c->msg);
	rill_case_oneshot_recv(&cases[1], c->other, &c->msg);
	return rill_select(cases, 2, RILL_SELECT_BIASED);
}

TASK_TEST(select_leaves_the_second_message)
{
	struct rill_oneshot *first = create(), *second = create();
	struct call c = {.fn = recv_either, .obj = first, .other = second};
	uint64_t msg = 0;

	call_start(&c);
	send(second, 2, 0);
	send(first, 1, 0);
	CHECK(call_join(&c), ==, 0);
	CHECK(c.msg, ==, 1u);
	CHECK(rill_oneshot_recv(second, &msg), ==, 0);
	CHECK(msg, ==, 2u);
	rill_oneshot_close_receiver(first);
	rill_oneshot_close_receiver(second);
	return NULL;
}

static int wait_closed(struct call *c)
{
	return rill_oneshot_wait_closed(c->obj);
}

static void try_recv_tells_empty_from_closed(void **state)
{
	struct rill_oneshot *ch = create();
	uint64_t msg = 7;

	assert_int_equal(rill_oneshot_try_recv(ch, &msg), -EAGAIN);
	send(ch, 42, 0);
	assert_int_equal(rill_oneshot_try_recv(ch, &msg), 0);
	assert_int_equal(msg, 42);
	/* also after the value was taken */
	assert_int_equal(rill_oneshot_try_recv(ch, &msg), -EPIPE);
	rill_oneshot_close_receiver(ch);

	ch = create();
	rill_oneshot_close_sender(ch);
	assert_int_equal(rill_oneshot_try_recv(ch, &msg), -EPIPE);
	assert_int_equal(msg, 42);
	rill_oneshot_close_receiver(ch);
}

static void close_ends_sending_and_keeps_what_was_sent(void **state)
{
	struct rill_oneshot *ch = create();
	uint64_t msg = 0;

	assert_false(rill_oneshot_is_closed(ch));
	rill_oneshot_close(ch);
	assert_true(rill_oneshot_is_closed(ch));
	/* again, and it is nothing */
	rill_oneshot_close(ch);
	assert_int_equal(rill_oneshot_recv(ch, &msg), -EPIPE);
	assert_int_equal(rill_oneshot_try_recv(ch, &msg), -EPIPE);
	send(ch, 1, -EPIPE);
	assert_int_equal(rill_oneshot_recv(ch, &msg), -EPIPE);
	rill_oneshot_close_receiver(ch);

	ch = create();
	send(ch, 5, 0);
	rill_oneshot_close(ch);
	assert_int_equal(rill_oneshot_recv(ch, &msg), 0);
	assert_int_equal(msg, 5);
	rill_oneshot_close(ch);
	rill_oneshot_close_receiver(ch);
}

static void looking_takes_nothing(void **state)
{
	struct rill_oneshot *ch = create();
	uint64_t msg;

	assert_true(rill_oneshot_is_empty(ch));
	assert_false(rill_oneshot_is_terminated(ch));
	send(ch, 1, 0);
	assert_false(rill_oneshot_is_empty(ch));
	assert_false(rill_oneshot_is_terminated(ch));
	assert_int_equal(rill_oneshot_recv(ch, &msg), 0);
	assert_true(rill_oneshot_is_empty(ch));
	assert_true(rill_oneshot_is_terminated(ch));
	rill_oneshot_close_receiver(ch);

	ch = create();
	rill_oneshot_close(ch);
	assert_true(rill_oneshot_is_terminated(ch));
	rill_oneshot_close_sender(ch);
	assert_true(rill_oneshot_is_terminated(ch));
	rill_oneshot_close_receiver(ch);
}

TASK_TEST(sender_sees_the_receiver_close)
{
	struct rill_oneshot *ch = create();
	struct call c = {.fn = wait_closed, .obj = ch};

	call_start(&c);
	rill_oneshot_close(ch);
	CHECK(call_join(&c), ==, 0);
	CHECK(rill_oneshot_wait_closed(ch), ==, 0);
	rill_oneshot_close_receiver(ch);
	CHECK(rill_oneshot_wait_closed(ch), ==, 0);
	send(ch, 1, -EPIPE);

	ch = create();
	c = (struct call){.fn = wait_closed, .obj = ch};
	call_start(&c);
	rill_oneshot_close_receiver(ch);
	CHECK(call_join(&c), ==, 0);
	RILL_ASSERT(rill_oneshot_is_closed(ch));
	rill_oneshot_close_sender(ch);
	return NULL;
}

TASK_TEST(cancelled_wait_for_close_can_be_repeated)
{
	struct rill_oneshot *ch = create();
	struct call aborted = {.fn = wait_closed, .obj = ch}, cancelled = aborted, last = aborted;
	struct call late = {.fn = wait_closed, .obj = ch, .deadline_ns = rill_after(RILL_SEC)};

	call_start(&aborted);
	CHECK(call_abort(&aborted), ==, -ECANCELED);
	call_start(&late);
	CHECK(call_join(&late), ==, -ETIMEDOUT);
	CHECK(rill_token_create(&cancelled.token), ==, 0);
	call_start(&cancelled);
	rill_token_cancel(cancelled.token);
	CHECK(call_join(&cancelled), ==, -ECANCELED);
	rill_token_unref(cancelled.token);
	call_start(&last);
	rill_oneshot_close_receiver(ch);
	CHECK(call_join(&last), ==, 0);
	rill_oneshot_close_sender(ch);
	return NULL;
}

TASK_TEST(abort_after_the_close_says_that_it_closed)
{
	struct rill_oneshot *ch = create();
	struct call c = {.fn = wait_closed, .obj = ch};

	call_start(&c);
	rill_oneshot_close_receiver(ch);
	CHECK(call_abort(&c), ==, 0);
	rill_oneshot_close_sender(ch);
	return NULL;
}

/* Both sides wait for each other; then the message comes. */
TASK_TEST(both_sides_may_wait_at_once)
{
	struct rill_oneshot *ch = create();
	struct call from = {.fn = wait_closed, .obj = ch};
	struct call to = {.fn = recv_once, .obj = ch};

	call_start(&from);
	call_start(&to);
	CHECK(call_abort(&from), ==, -ECANCELED);
	send(ch, 8, 0);
	CHECK(call_join(&to), ==, 0);
	CHECK(to.msg, ==, 8u);
	rill_oneshot_close_receiver(ch);
	return NULL;
}

static int closed_or_notified(struct call *c)
{
	struct rill_case cases[2];

	rill_case_notify(&cases[0], c->other);
	rill_case_oneshot_closed(&cases[1], c->obj);
	return rill_select(cases, 2, RILL_SELECT_BIASED);
}

TASK_TEST(closed_in_a_select)
{
	struct rill_oneshot *ch = create();
	struct rill_notify n;
	struct call c = {.fn = closed_or_notified, .obj = ch, .other = &n};

	rill_notify_init(&n);
	call_start(&c);
	rill_notify_one(&n);
	CHECK(call_join(&c), ==, 0);
	call_start(&c);
	rill_oneshot_close(ch);
	CHECK(call_join(&c), ==, 1);
	CHECK(closed_or_notified(&c), ==, 1);
	rill_oneshot_close_sender(ch);
	rill_oneshot_close_receiver(ch);
	return NULL;
}

static void note_drop(void *msg, void *arg)
{
	uint64_t value;

	memcpy(&value, msg, sizeof(value));
	rill_fetch_add_relaxed((uint64_t *)arg, value);
}

static struct rill_oneshot *create_noted(uint64_t *dropped)
{
	struct rill_oneshot_options o = {RILL_OPTIONS(o), .msg_size = sizeof(uint64_t),
					 .drop = note_drop, .arg = dropped};
	struct rill_oneshot *ch;

	CHECK(rill_oneshot_create_with(&o, &ch), ==, 0);
	return ch;
}

static void only_what_is_not_received_is_dropped(void **state)
{
	uint64_t dropped = 0, msg;
	struct rill_oneshot *ch = create_noted(&dropped);

	send(ch, 1, 0);
	assert_int_equal(rill_oneshot_recv(ch, &msg), 0);
	rill_oneshot_close_receiver(ch);
	assert_int_equal(dropped, 0);

	ch = create_noted(&dropped);
	send(ch, 10, 0);
	assert_int_equal(dropped, 0);
	rill_oneshot_close_receiver(ch);
	assert_int_equal(dropped, 10);

	/* what could not be sent is the sender's */
	ch = create_noted(&dropped);
	rill_oneshot_close_receiver(ch);
	send(ch, 100, -EPIPE);
	ch = create_noted(&dropped);
	rill_oneshot_close(ch);
	send(ch, 100, -EPIPE);
	rill_oneshot_close_receiver(ch);
	ch = create_noted(&dropped);
	rill_oneshot_close_sender(ch);
	rill_oneshot_close_receiver(ch);
	assert_int_equal(dropped, 10);
}

static void options_of_an_older_header(void **state)
{
	uint64_t dropped = 0;
	struct rill_oneshot_options o = {.size = offsetof(struct rill_oneshot_options, drop),
					 .msg_size = sizeof(uint64_t),
					 .drop = note_drop,
					 .arg = &dropped};
	struct rill_oneshot *ch;

	assert_int_equal(rill_oneshot_create_with(&o, &ch), 0);
	send(ch, 1, 0);
	rill_oneshot_close_receiver(ch);
	assert_int_equal(dropped, 0);
}

#define CHANNELS STRESS(2000)

struct exchange {
	struct rill_oneshot *ch;
	uint64_t i;
	int sent;
	int received;
	uint64_t msg;
};

/* A sixth each is given up by the sender, and by the receiver before it has looked. */
static void *sender(void *arg)
{
	struct exchange *x = arg;

	if (x->i % 6 == 1) {
		rill_oneshot_close_sender(x->ch);
		x->sent = 1;
		return NULL;
	}
	x->sent = rill_oneshot_send(x->ch, &x->i);
	return NULL;
}

static void *receiver(void *arg)
{
	struct exchange *x = arg;

	x->received = 1;
	if (x->i % 6 != 2)
		x->received = rill_oneshot_recv(x->ch, &x->msg);
	rill_oneshot_close_receiver(x->ch);
	return NULL;
}

static void check_exchange(const struct exchange *x)
{
	if (x->i % 6 == 1) {
		CHECK(x->received, ==, -EPIPE);
		return;
	}
	if (x->i % 6 == 2)
		return;
	CHECK(x->sent, ==, 0);
	CHECK(x->received, ==, 0);
	CHECK(x->msg, ==, x->i);
}

STRESS_TEST(stress_between_tasks)
{
	for (uint64_t i = 0; i < CHANNELS; i += 10) {
		struct exchange x[10] = {0};
		struct rill_task *t[20];

		for (unsigned j = 0; j < 10; j++) {
			x[j] = (struct exchange){.ch = create(), .i = i + j};
			t[2 * j] = spawn(j % 2 ? sender : receiver, &x[j]);
			t[2 * j + 1] = spawn(j % 2 ? receiver : sender, &x[j]);
		}
		for (unsigned j = 0; j < 20; j++)
			join(t[j]);
		for (unsigned j = 0; j < 10; j++)
			check_exchange(&x[j]);
	}
	return NULL;
}

STRESS_TEST(stress_with_plain_threads)
{
	for (uint64_t i = 0; i < CHANNELS / 5; i++) {
		struct exchange x = {.ch = create(), .i = i};
		bool sends = i % 2;
		pthread_t thread = thread_start(sends ? sender : receiver, &x);

		if (sends)
			receiver(&x);
		else
			sender(&x);
		thread_join(thread);
		check_exchange(&x);
	}
	return NULL;
}

STRESS_TEST(stress_abort_loses_no_message)
{
	for (uint64_t i = 0; i < CHANNELS; i++) {
		struct rill_oneshot *ch = create();
		struct call c = {.fn = recv_once, .obj = ch, .result = 1};
		struct exchange x = {.ch = ch, .i = 6 * i};
		struct rill_task *to = spawn(call_task, &c), *from = spawn(sender, &x);
		uint64_t msg = 0;

		if (i % 2)
			rill_yield();
		rill_abort(to);
		join(to);
		join(from);
		/* never begun, cancelled, or with the message */
		int r = rill_oneshot_recv(ch, &msg);

		CHECK(r, ==, c.result == 0 ? -EPIPE : 0);
		CHECK(c.result == 0 ? c.msg : msg, ==, 6 * i);
		rill_oneshot_close_receiver(ch);
	}
	return NULL;
}

/*
 * Each message has its number as its value, and comes out in one of three ways: received, dropped,
 * or back to the sender. Either side may give up its wait, and close at any moment.
 */
struct conservation {
	RILL_ATOMIC(uint64_t) received, dropped, refused, not_sent;
	RILL_ATOMIC(uint64_t) seed;
};

struct flow {
	struct conservation *c;
	struct rill_oneshot *ch;
	uint64_t value;
};

static uint64_t soon(struct rill_rand *rand)
{
	return rill_after(rill_rand_below(rand, 50) * RILL_US);
}

static void *random_sender(void *arg)
{
	struct flow *f = arg;
	struct rill_scope scope;
	struct rill_rand rand;

	rill_rand_init(&rand, rill_fetch_add_relaxed(&f->c->seed, 1));
	if (rill_rand_below(&rand, 2)) {
		rill_scope_begin(&scope, soon(&rand), NULL);
		rill_oneshot_wait_closed(f->ch);
		rill_scope_end(&scope);
	}
	if (rill_rand_below(&rand, 8) == 0) {
		rill_oneshot_close_sender(f->ch);
		rill_fetch_add_relaxed(&f->c->not_sent, f->value);
	} else if (rill_oneshot_send(f->ch, &f->value) < 0) {
		rill_fetch_add_relaxed(&f->c->refused, f->value);
	}
	return NULL;
}

static void *random_receiver(void *arg)
{
	struct flow *f = arg;
	struct rill_scope scope;
	struct rill_rand rand;
	uint64_t msg;
	int r = -EAGAIN;

	rill_rand_init(&rand, rill_fetch_add_relaxed(&f->c->seed, 1));
	if (rill_rand_below(&rand, 8)) {
		rill_scope_begin(&scope, soon(&rand), NULL);
		r = rill_oneshot_recv(f->ch, &msg);
		rill_scope_end(&scope);
	}
	if (rill_rand_below(&rand, 4) == 0)
		rill_oneshot_close(f->ch);
	if (r != 0 && rill_rand_below(&rand, 2))
		r = rill_oneshot_try_recv(f->ch, &msg);
	if (r == 0) {
		CHECK(msg, ==, f->value);
		rill_fetch_add_relaxed(&f->c->received, msg);
	}
	rill_oneshot_close_receiver(f->ch);
	return NULL;
}

STRESS_TEST(stress_conserves_messages)
{
	enum { FLOWS = STRESS(1000), THREADS = 4 };
	struct flow *f = calloc(FLOWS, sizeof(*f));
	struct rill_task **t = calloc(2 * FLOWS, sizeof(*t));
	struct conservation c = {.seed = 1};
	pthread_t threads[THREADS];
	uint64_t sum = 0;

	for (unsigned i = 0; i < FLOWS; i++) {
		f[i] = (struct flow){.c = &c, .ch = create_noted(&c.dropped), .value = i + 1};
		sum += f[i].value;
		t[2 * i] = spawn(i % 2 ? random_sender : random_receiver, &f[i]);
		/* the other side of a few is a plain thread */
		if (i < THREADS)
			threads[i] = thread_start(i % 2 ? random_receiver : random_sender, &f[i]);
		else
			t[2 * i + 1] = spawn(i % 2 ? random_receiver : random_sender, &f[i]);
	}
	for (unsigned i = 0; i < 2 * FLOWS; i++)
		if (t[i])
			join(t[i]);
	for (unsigned i = 0; i < THREADS; i++)
		thread_join(threads[i]);
	CHECK(c.received + c.dropped + c.refused + c.not_sent, ==, sum);
	free(f);
	free(t);
	return NULL;
}

static void *set_flag(void *arg)
{
	rill_store_relaxed((bool *)arg, true);
	return NULL;
}

/* One that waits for what will not come, over and over, does not keep others from running. */
TASK_TEST(receiving_from_nobody_lets_others_run)
{
	struct rill_oneshot *ch = create();
	bool ran = false;
	uint64_t msg;
	unsigned n = 0;

	rill_oneshot_close_sender(ch);
	CHECK(rill_spawn(set_flag, &ran, NULL), ==, 0);
	for (; !rill_load_relaxed(&ran); n++)
		CHECK(rill_oneshot_recv(ch, &msg), ==, -EPIPE);
	CHECK(n, <=, 129u); /* the budget of a slice, and the call that found it spent */
	rill_oneshot_close_receiver(ch);
	return NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sent_before_it_is_received),
		cmocka_unit_test(closed_sender),
		cmocka_unit_test(closed_receiver),
		cmocka_unit_test(message_sizes),
		cmocka_unit_test(waiting_receiver_is_woken),
		cmocka_unit_test(cancelled_receive_can_be_repeated),
		cmocka_unit_test(abort_after_the_message_loses_none),
		cmocka_unit_test(select_leaves_the_second_message),
		cmocka_unit_test(try_recv_tells_empty_from_closed),
		cmocka_unit_test(close_ends_sending_and_keeps_what_was_sent),
		cmocka_unit_test(looking_takes_nothing),
		cmocka_unit_test(sender_sees_the_receiver_close),
		cmocka_unit_test(cancelled_wait_for_close_can_be_repeated),
		cmocka_unit_test(abort_after_the_close_says_that_it_closed),
		cmocka_unit_test(both_sides_may_wait_at_once),
		cmocka_unit_test(closed_in_a_select),
		cmocka_unit_test(only_what_is_not_received_is_dropped),
		cmocka_unit_test(options_of_an_older_header),
		cmocka_unit_test(stress_between_tasks),
		cmocka_unit_test(stress_with_plain_threads),
		cmocka_unit_test(stress_abort_loses_no_message),
		cmocka_unit_test(stress_conserves_messages),
		cmocka_unit_test(receiving_from_nobody_lets_others_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
