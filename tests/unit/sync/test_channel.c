/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/sync/sync_test.h"

static struct rill_channel *create(size_t capacity)
{
	struct rill_channel *ch;

	CHECK(rill_channel_create(capacity, sizeof(uint64_t), &ch), ==, 0);
	return ch;
}

static void close_both(struct rill_channel *ch)
{
	rill_channel_close_sender(ch);
	rill_channel_close_receiver(ch);
}

static int try_send(struct rill_channel *ch, uint64_t msg)
{
	return rill_channel_try_send(ch, &msg);
}

static void expect(struct rill_channel *ch, uint64_t msg)
{
	uint64_t got = ~msg;

	CHECK(rill_channel_recv(ch, &got), ==, 0);
	CHECK(got, ==, msg);
}

static int send_once(struct call *c)
{
	return rill_channel_send(c->obj, &c->msg);
}

static int recv_once(struct call *c)
{
	return rill_channel_recv(c->obj, &c->msg);
}

static void bad_sizes(void **state)
{
	struct rill_channel *ch;

	assert_int_equal(rill_channel_create(0, 8, &ch), -EINVAL);
	assert_int_equal(rill_channel_create(8, 0, &ch), -EINVAL);
	assert_int_equal(rill_channel_create(SIZE_MAX / 2, 8, &ch), -ENOMEM);
	assert_int_equal(rill_channel_create(1, SIZE_MAX, &ch), -ENOMEM);
}

static void in_order_and_bounded(void **state)
{
	struct rill_channel *ch = create(3);
	uint64_t msg;

	assert_int_equal(rill_channel_try_recv(ch, &msg), -EAGAIN);
	for (uint64_t round = 0; round < 10; round++) {
		for (uint64_t i = 0; i < 3; i++)
			assert_int_equal(try_send(ch, round + i), 0);
		assert_int_equal(try_send(ch, 0), -EAGAIN);
		assert_int_equal(rill_channel_len(ch), 3);
		/* two out, one in: the ring wraps at every place */
		expect(ch, round);
		expect(ch, round + 1);
		assert_int_equal(rill_channel_len(ch), 1);
		assert_int_equal(try_send(ch, 99), 0);
		expect(ch, round + 2);
		expect(ch, 99);
		assert_int_equal(rill_channel_len(ch), 0);
	}
	close_both(ch);
}

static void messages_of_any_size(void **state)
{
	static const size_t sizes[] = {1, 3, 8, 24, 1000};

	for (unsigned s = 0; s < RILL_ARRAY_SIZE(sizes); s++) {
		unsigned char in[1000], out[1000];
		struct rill_channel *ch;

		assert_int_equal(rill_channel_create(5, sizes[s], &ch), 0);
		for (int i = 0; i < 13; i++) {
			memset(in, i + 1, sizeof(in));
			memset(out, 0, sizeof(out));
			assert_int_equal(rill_channel_send(ch, in), 0);
			assert_int_equal(rill_channel_recv(ch, out), 0);
			assert_memory_equal(in, out, sizes[s]);
			/* and not a byte more */
			if (sizes[s] < sizeof(out))
				assert_int_equal(out[sizes[s]], 0);
		}
		close_both(ch);
	}
}

static void closed_by_the_senders(void **state)
{
	struct rill_channel *ch = create(4);
	uint64_t msg;

	rill_channel_add_sender(ch);
	assert_int_equal(try_send(ch, 1), 0);
	rill_channel_close_sender(ch);
	assert_int_equal(try_send(ch, 2), 0);
	rill_channel_close_sender(ch);
	/* what was sent comes first */
	expect(ch, 1);
	expect(ch, 2);
	assert_int_equal(rill_channel_recv(ch, &msg), -EPIPE);
	assert_int_equal(rill_channel_try_recv(ch, &msg), -EPIPE);
	rill_channel_close_receiver(ch);
}

static void closed_by_the_receiver(void **state)
{
	struct rill_channel *ch = create(1);
	uint64_t msg = 1;

	assert_int_equal(try_send(ch, 1), 0);
	rill_channel_close_receiver(ch);
	assert_int_equal(rill_channel_len(ch), 0);
	assert_int_equal(rill_channel_send(ch, &msg), -EPIPE);
	assert_int_equal(try_send(ch, 1), -EPIPE);
	rill_channel_close_sender(ch);
}

TASK_TEST(waiting_receiver_is_woken)
{
	struct rill_channel *ch = create(1);
	struct call c = {.fn = recv_once, .obj = ch};

	call_start(&c);
	CHECK(try_send(ch, 5), ==, 0);
	CHECK(call_join(&c), ==, 0);
	CHECK(c.msg, ==, 5u);
	call_start(&c);
	rill_channel_close_sender(ch);
	CHECK(call_join(&c), ==, -EPIPE);
	rill_channel_close_receiver(ch);
	return NULL;
}

TASK_TEST(senders_get_room_in_order)
{
	struct rill_channel *ch = create(2);
	struct call c[6];

	for (unsigned i = 0; i < 6; i++) {
		c[i] = (struct call){.fn = send_once, .obj = ch, .msg = i};
		call_start(&c[i]);
	}
	CHECK(rill_channel_len(ch), ==, 2u);
	for (unsigned i = 0; i < 6; i++)
		expect(ch, i);
	for (unsigned i = 0; i < 6; i++)
		CHECK(call_join(&c[i]), ==, 0);
	close_both(ch);
	return NULL;
}

TASK_TEST(room_is_the_waiters_without_barging)
{
	struct rill_channel *ch = create(1);
	struct call c = {.fn = send_once, .obj = ch, .msg = 2};

	CHECK(try_send(ch, 1), ==, 0);
	call_start(&c);
	expect(ch, 1);
	/* the waiter has not run yet, and its message is there all the same */
	CHECK(rill_channel_len(ch), ==, 1u);
	CHECK(try_send(ch, 3), ==, -EAGAIN);
	expect(ch, 2);
	CHECK(call_join(&c), ==, 0);
	CHECK(try_send(ch, 3), ==, 0);
	close_both(ch);
	return NULL;
}

static int send_case(struct call *c)
{
	struct rill_case sole;

	rill_case_channel_send(&sole, c->obj, &c->msg);
	int i = rill_select(&sole, 1, 0);

	return i < 0 ? i : sole.result;
}

TASK_TEST(room_is_promised_to_a_select_without_barging)
{
	struct rill_channel *ch = create(1);
	struct call c = {.fn = send_case, .obj = ch, .msg = 2};

	CHECK(try_send(ch, 1), ==, 0);
	call_start(&c);
	expect(ch, 1);
	CHECK(rill_channel_len(ch), ==, 0u);
	CHECK(try_send(ch, 3), ==, -EAGAIN);
	expect(ch, 2);
	CHECK(call_join(&c), ==, 0);
	CHECK(try_send(ch, 3), ==, 0);
	close_both(ch);
	return NULL;
}

TASK_TEST(waiting_senders_see_the_receiver_go)
{
	struct rill_channel *ch = create(1);
	struct call queued = {.fn = send_once, .obj = ch, .msg = 3};
	struct call promised = {.fn = send_case, .obj = ch, .msg = 2};

	CHECK(try_send(ch, 1), ==, 0);
	call_start(&promised);
	call_start(&queued);
	expect(ch, 1);
	rill_channel_close_receiver(ch);
	CHECK(call_join(&promised), ==, -EPIPE);
	CHECK(call_join(&queued), ==, -EPIPE);
	rill_channel_close_sender(ch);
	return NULL;
}

TASK_TEST(cancelled_send_is_not_sent)
{
	struct rill_channel *ch = create(1);
	struct call aborted = {.fn = send_once, .obj = ch, .msg = 77}, cancelled = aborted;
	struct call late = aborted, patient = aborted;
	uint64_t msg;

	CHECK(rill_token_create(&cancelled.token), ==, 0);
	late.deadline_ns = rill_after(RILL_SEC);
	patient.msg = 2;
	CHECK(try_send(ch, 1), ==, 0);
	call_start(&aborted);
	call_start(&cancelled);
	call_start(&late);
	call_start(&patient);
	CHECK(call_abort(&aborted), ==, -ECANCELED);
	rill_token_cancel(cancelled.token);
	CHECK(call_join(&cancelled), ==, -ECANCELED);
	CHECK(call_join(&late), ==, -ETIMEDOUT);
	expect(ch, 1);
	expect(ch, 2);
	CHECK(call_join(&patient), ==, 0);
	CHECK(rill_channel_try_recv(ch, &msg), ==, -EAGAIN);
	rill_token_unref(cancelled.token);
	close_both(ch);
	return NULL;
}

TASK_TEST(abort_after_the_promise_loses_no_room)
{
	struct rill_channel *ch = create(1);
	struct call a = {.fn = send_case, .obj = ch, .msg = 2}, b = a;

	b.msg = 3;
	CHECK(try_send(ch, 1), ==, 0);
	call_start(&a);
	call_start(&b);
	expect(ch, 1);
	/* sent, or not, as it says */
	if (call_abort(&a) == 0)
		expect(ch, 2);
	expect(ch, 3);
	CHECK(call_join(&b), ==, 0);
	CHECK(try_send(ch, 4), ==, 0);
	CHECK(try_send(ch, 5), ==, -EAGAIN);
	close_both(ch);
	return NULL;
}

TASK_TEST(cancelled_receive_loses_no_message)
{
	struct rill_channel *ch = create(2);
	struct call c = {.fn = recv_once, .obj = ch};
	struct call late = {.fn = recv_once, .obj = ch, .deadline_ns = rill_after(RILL_SEC)};

	call_start(&c);
	CHECK(call_abort(&c), ==, -ECANCELED);
	call_start(&late);
	CHECK(call_join(&late), ==, -ETIMEDOUT);
	CHECK(try_send(ch, 1), ==, 0);
	expect(ch, 1);
	/* woken, and aborted before it ran */
	call_start(&c);
	CHECK(try_send(ch, 2), ==, 0);
	CHECK(try_send(ch, 3), ==, 0);
	if (call_abort(&c) < 0)
		expect(ch, 2);
	expect(ch, 3);
	close_both(ch);
	return NULL;
}

static int send_either(struct call *c)
{
	struct rill_case cases[2];

	rill_case_channel_send(&cases[0], c->obj, &c->msg);
	rill_case_channel_send(&cases[1], c->other, &c->msg);
	return rill_select(cases, 2, RILL_SELECT_BIASED);
}

TASK_TEST(select_passes_the_second_promise_on)
{
	struct rill_channel *first = create(1), *second = create(1);
	struct call either = {.fn = send_either, .obj = first, .other = second, .msg = 7};
	struct call next = {.fn = send_once, .obj = second, .msg = 8};
	uint64_t msg;

	CHECK(try_send(first, 1), ==, 0);
	CHECK(try_send(second, 1), ==, 0);
	call_start(&either);
	call_start(&next);
	/* both have room for it before it runs */
	expect(second, 1);
	expect(first, 1);
	CHECK(call_join(&either), ==, 0);
	expect(first, 7);
	CHECK(call_join(&next), ==, 0);
	expect(second, 8);
	CHECK(rill_channel_try_recv(second, &msg), ==, -EAGAIN);
	CHECK(try_send(second, 9), ==, 0);
	close_both(first);
	close_both(second);
	return NULL;
}

static int recv_either(struct call *c)
{
	struct rill_case cases[2];

	rill_case_channel_recv(&cases[0], c->obj, &c->msg);
	rill_case_channel_recv(&cases[1], c->other, &c->msg);
	return rill_select(cases, 2, RILL_SELECT_BIASED);
}

TASK_TEST(select_leaves_the_second_message)
{
	struct rill_channel *first = create(1), *second = create(1);
	struct call either = {.fn = recv_either, .obj = first, .other = second};

	call_start(&either);
	CHECK(try_send(second, 2), ==, 0);
	CHECK(try_send(first, 1), ==, 0);
	CHECK(call_join(&either), ==, 0);
	CHECK(either.msg, ==, 1u);
	expect(second, 2);
	close_both(first);
	close_both(second);
	return NULL;
}

#define SENDERS 50
#define MESSAGES STRESS(400)

struct sender {
	struct rill_channel *ch;
	uint64_t id;
	uint64_t sent;
	bool began;
};

static void *send_many(void *arg)
{
	struct sender *s = arg;

	s->began = true;
	for (uint64_t i = 0; i < MESSAGES; i++) {
		uint64_t msg = s->id << 32 | i;

		struct call c = {.obj = s->ch, .msg = msg};

		if ((s->id % 2 ? send_case(&c) : rill_channel_send(s->ch, &msg)) < 0)
			break;
		s->sent++;
	}
	rill_channel_close_sender(s->ch);
	return NULL;
}

struct receiver {
	struct rill_channel *ch;
	uint64_t got[SENDERS]; /* so many of each sender, in order */
};

static void *recv_all(void *arg)
{
	struct receiver *r = arg;
	uint64_t msg;

	while (rill_channel_recv(r->ch, &msg) == 0) {
		CHECK((uint64_t)(uint32_t)msg, ==, r->got[msg >> 32]);
		r->got[msg >> 32]++;
	}
	return NULL;
}

static void senders_init(struct sender *s, unsigned n, struct rill_channel *ch)
{
	for (unsigned i = 0; i < n; i++) {
		s[i] = (struct sender){.ch = ch, .id = i};
		rill_channel_add_sender(ch);
	}
	rill_channel_close_sender(ch);
}

static void stress_tasks(size_t capacity)
{
	struct rill_channel *ch = create(capacity);
	struct receiver r = {.ch = ch};
	struct sender s[SENDERS];
	struct rill_task *t[SENDERS];

	senders_init(s, SENDERS, ch);
	for (unsigned i = 0; i < SENDERS; i++)
		t[i] = spawn(send_many, &s[i]);
	recv_all(&r);
	for (unsigned i = 0; i < SENDERS; i++) {
		join(t[i]);
		CHECK(r.got[i], ==, (uint64_t)MESSAGES);
	}
	rill_channel_close_receiver(ch);
}

STRESS_TEST(stress_of_many_senders)
{
	stress_tasks(1);
	stress_tasks(7);
	stress_tasks(1000);
	return NULL;
}

STRESS_TEST(stress_with_plain_threads)
{
	struct rill_channel *ch = create(4);
	struct receiver r = {.ch = ch};
	struct sender s[10];
	struct rill_task *t[8];
	pthread_t threads[2], receiver;

	senders_init(s, 10, ch);
	receiver = thread_start(recv_all, &r);
	for (unsigned i = 0; i < 2; i++)
		threads[i] = thread_start(send_many, &s[i]);
	for (unsigned i = 0; i < 8; i++)
		t[i] = spawn(send_many, &s[i + 2]);
	for (unsigned i = 0; i < 8; i++)
		join(t[i]);
	for (unsigned i = 0; i < 2; i++)
		thread_join(threads[i]);
	thread_join(receiver);
	for (unsigned i = 0; i < 10; i++)
		CHECK(r.got[i], ==, (uint64_t)MESSAGES);
	rill_channel_close_receiver(ch);
	return NULL;
}

/* What a send says is what happened: received so many times as it returned 0. */
STRESS_TEST(stress_aborted_senders)
{
	struct rill_channel *ch = create(3);
	struct receiver r = {.ch = ch};
	struct sender s[SENDERS];
	struct rill_task *t[SENDERS], *receiver;
	struct rill_rand rand;

	rill_rand_init(&rand, 11);
	senders_init(s, SENDERS, ch);
	for (unsigned i = 0; i < SENDERS; i++)
		t[i] = spawn(send_many, &s[i]);
	receiver = spawn(recv_all, &r);
	for (unsigned i = 0; i < SENDERS; i++) {
		rill_yield();
		if (rill_rand_below(&rand, 3))
			rill_abort(t[i]);
	}
	for (unsigned i = 0; i < SENDERS; i++) {
		join(t[i]);
		/* one that never began did not close its half either */
		if (!s[i].began)
			rill_channel_close_sender(ch);
	}
	join(receiver);
	for (unsigned i = 0; i < SENDERS; i++)
		CHECK(r.got[i], ==, s[i].sent);
	rill_channel_close_receiver(ch);
	return NULL;
}

/* Receivers come and go; each takes up where the one before left off. */
STRESS_TEST(stress_aborted_receivers)
{
	struct rill_channel *ch = create(3);
	struct receiver r = {.ch = ch};
	struct sender s[8];
	struct rill_task *t[8];

	senders_init(s, 8, ch);
	for (unsigned i = 0; i < 8; i++)
		t[i] = spawn(send_many, &s[i]);
	for (unsigned i = 0; i < STRESS(300); i++) {
		struct rill_task *receiver = spawn(recv_all, &r);

		for (unsigned j = 0; j < i % 4; j++)
			rill_yield();
		rill_abort(receiver);
		join(receiver);
	}
	recv_all(&r);
	for (unsigned i = 0; i < 8; i++) {
		join(t[i]);
		CHECK(r.got[i], ==, (uint64_t)MESSAGES);
	}
	rill_channel_close_receiver(ch);
	return NULL;
}

/* The receiver goes while senders wait and send: nobody hangs, nothing is freed too early. */
STRESS_TEST(stress_receiver_goes)
{
	for (unsigned round = 0; round < STRESS(200); round++) {
		struct rill_channel *ch = create(2);
		struct sender s[4];
		struct rill_task *t[4];
		uint64_t msg;

		senders_init(s, 4, ch);
		for (unsigned i = 0; i < 4; i++)
			t[i] = spawn(send_many, &s[i]);
		for (unsigned i = 0; i < round % 8; i++)
			CHECK(rill_channel_recv(ch, &msg), ==, 0);
		rill_channel_close_receiver(ch);
		for (unsigned i = 0; i < 4; i++)
			join(t[i]);
	}
	return NULL;
}

/* ---- the budget ---- */

#define BUDGET 128 /* the default of a slice */

struct peer {
	bool over;
	unsigned runs;
};

static void *run_along(void *arg)
{
	struct peer *p = arg;

	for (; !rill_load_relaxed(&p->over); p->runs++)
		CHECK(rill_yield(), ==, 0);
	return NULL;
}

/*
 * How often another task got its turn during n calls of op, none of which has to wait. What is
 * spent by the last of them shows with the next.
 */
static unsigned turns_of_a_peer(void (*op)(struct rill_channel *), struct rill_channel *ch,
				unsigned n)
{
	struct peer p = {.over = false};
	struct rill_task *t = spawn(run_along, &p);

	while (p.runs == 0)
		CHECK(rill_yield(), ==, 0);
	p.runs = 0;
	for (unsigned i = 0; i <= n; i++)
		op(ch);
	unsigned runs = p.runs;

	rill_store_relaxed(&p.over, true);
	join(t);
	return runs;
}

static void round_trip(struct rill_channel *ch)
{
	uint64_t msg = 1;

	CHECK(rill_channel_send(ch, &msg), ==, 0);
	CHECK(rill_channel_recv(ch, &msg), ==, 0);
}

static void receive_in_vain(struct rill_channel *ch)
{
	uint64_t msg;

	CHECK(rill_channel_recv(ch, &msg), ==, -EPIPE);
}

static void send_in_vain(struct rill_channel *ch)
{
	uint64_t msg = 1;

	CHECK(rill_channel_send(ch, &msg), ==, -EPIPE);
}

/* Two units each: one of the sender's, one of the receiver's. */
TASK_TEST(round_trips_let_others_run)
{
	struct rill_channel *ch = create(1);

	CHECK(turns_of_a_peer(round_trip, ch, 1024), ==, 1024u / (BUDGET / 2));
	close_both(ch);
	return NULL;
}

TASK_TEST(receiving_from_nobody_lets_others_run)
{
	struct rill_channel *ch = create(1);

	rill_channel_close_sender(ch);
	CHECK(turns_of_a_peer(receive_in_vain, ch, 10 * BUDGET), ==, 10u);
	rill_channel_close_receiver(ch);
	return NULL;
}

TASK_TEST(sending_to_nobody_lets_others_run)
{
	struct rill_channel *ch = create(1);

	rill_channel_close_receiver(ch);
	CHECK(turns_of_a_peer(send_in_vain, ch, 10 * BUDGET), ==, 10u);
	rill_channel_close_sender(ch);
	return NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_sizes),
		cmocka_unit_test(in_order_and_bounded),
		cmocka_unit_test(messages_of_any_size),
		cmocka_unit_test(closed_by_the_senders),
		cmocka_unit_test(closed_by_the_receiver),
		cmocka_unit_test(waiting_receiver_is_woken),
		cmocka_unit_test(senders_get_room_in_order),
		cmocka_unit_test(room_is_the_waiters_without_barging),
		cmocka_unit_test(room_is_promised_to_a_select_without_barging),
		cmocka_unit_test(waiting_senders_see_the_receiver_go),
		cmocka_unit_test(cancelled_send_is_not_sent),
		cmocka_unit_test(abort_after_the_promise_loses_no_room),
		cmocka_unit_test(cancelled_receive_loses_no_message),
		cmocka_unit_test(select_passes_the_second_promise_on),
		cmocka_unit_test(select_leaves_the_second_message),
		cmocka_unit_test(stress_of_many_senders),
		cmocka_unit_test(stress_with_plain_threads),
		cmocka_unit_test(stress_aborted_senders),
		cmocka_unit_test(stress_aborted_receivers),
		cmocka_unit_test(stress_receiver_goes),
		cmocka_unit_test(round_trips_let_others_run),
		cmocka_unit_test(receiving_from_nobody_lets_others_run),
		cmocka_unit_test(sending_to_nobody_lets_others_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
