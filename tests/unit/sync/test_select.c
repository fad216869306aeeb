/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting for several things of different kinds. */
#include "tests/unit/sync/sync_test.h"

/* One of each. */
struct things {
	struct rill_mutex mutex;
	struct rill_notify notify;
	struct rill_oneshot *oneshot;
	struct rill_channel *empty; /* received from */
	struct rill_channel *full;  /* sent to */
	uint64_t in[2];
	uint64_t out;
};

enum { MUTEX, NOTIFY, ONESHOT, RECV, SEND, SLEEP, CASES };

static void things_init(struct things *t)
{
	uint64_t msg = 1;

	*t = (struct things){.out = 2};
	rill_mutex_init(&t->mutex);
	rill_notify_init(&t->notify);
	CHECK(rill_oneshot_create(sizeof(uint64_t), &t->oneshot), ==, 0);
	CHECK(rill_channel_create(1, sizeof(uint64_t), &t->empty), ==, 0);
	CHECK(rill_channel_create(1, sizeof(uint64_t), &t->full), ==, 0);
	CHECK(rill_mutex_lock(&t->mutex), ==, 0);
	CHECK(rill_channel_send(t->full, &msg), ==, 0);
}

static void things_fini(struct things *t)
{
	rill_oneshot_close_receiver(t->oneshot);
	rill_channel_close_sender(t->empty);
	rill_channel_close_receiver(t->empty);
	rill_channel_close_sender(t->full);
	rill_channel_close_receiver(t->full);
}

static void prepare(struct things *t, struct rill_case *cases, uint64_t deadline_ns)
{
	rill_case_mutex_lock(&cases[MUTEX], &t->mutex);
	rill_case_notify(&cases[NOTIFY], &t->notify);
	rill_case_oneshot_recv(&cases[ONESHOT], t->oneshot, &t->in[0]);
	rill_case_channel_recv(&cases[RECV], t->empty, &t->in[1]);
	rill_case_channel_send(&cases[SEND], t->full, &t->out);
	rill_case_sleep_until(&cases[SLEEP], deadline_ns);
}

static int wait_any(struct call *c)
{
	struct rill_case cases[CASES];

	prepare(c->obj, cases, RILL_FOREVER);
	int i = rill_select(cases, CASES, 0);

	if (i >= 0)
		CHECK(cases[i].result, ==, 0);
	return i;
}

/* Makes one of them come true. */
static void provide(struct things *t, int which)
{
	uint64_t msg = 40 + (uint64_t)which, got;

	if (which == MUTEX)
		rill_mutex_unlock(&t->mutex);
	if (which == NOTIFY)
		rill_notify_one(&t->notify);
	if (which == ONESHOT)
		CHECK(rill_oneshot_send(t->oneshot, &msg), ==, 0);
	if (which == RECV)
		CHECK(rill_channel_try_send(t->empty, &msg), ==, 0);
	if (which == SEND)
		CHECK(rill_channel_try_recv(t->full, &got), ==, 0);
}

/* Is it still to be had? Takes it. */
static bool take(struct things *t, int which)
{
	struct rill_case cases[CASES];

	prepare(t, cases, RILL_FOREVER);
	return look(&cases[which]) == 0;
}

static void check_taken(struct things *t, int which)
{
	if (which == ONESHOT)
		CHECK(t->in[0], ==, 40u + ONESHOT);
	else
		RILL_ASSERT(!take(t, which));
	if (which == RECV)
		CHECK(t->in[1], ==, 40u + RECV);
	if (which == SEND)
		CHECK(rill_channel_len(t->full), ==, 1u);
}

TASK_TEST(each_kind_wakes_the_select)
{
	for (int which = MUTEX; which <= SEND; which++) {
		struct things t;
		struct call c = {.fn = wait_any, .obj = &t};

		things_init(&t);
		call_start(&c);
		provide(&t, which);
		CHECK(call_join(&c), ==, which);
		check_taken(&t, which);
		if (which != ONESHOT)
			rill_oneshot_close_sender(t.oneshot);
		things_fini(&t);
	}
	return NULL;
}

/* Each pair comes true before the select runs: one is taken, the other stays to be had. */
TASK_TEST(the_loser_of_two_is_untouched)
{
	for (int a = MUTEX; a <= SEND; a++) {
		for (int b = MUTEX; b <= SEND; b++) {
			struct things t;
			struct call c = {.fn = wait_any, .obj = &t};

			if (a == b)
				continue;
			things_init(&t);
			call_start(&c);
			provide(&t, a);
			provide(&t, b);
			int won = call_join(&c);

			RILL_ASSERT(won == a || won == b);
			check_taken(&t, won);
			RILL_ASSERT(take(&t, won == a ? b : a));
			if (a != ONESHOT && b != ONESHOT)
				rill_oneshot_close_sender(t.oneshot);
			things_fini(&t);
		}
	}
	return NULL;
}

TASK_TEST(the_clock_is_a_case)
{
	struct rill_case cases[CASES];
	struct things t;

	things_init(&t);
	prepare(&t, cases, rill_after(RILL_SEC));
	CHECK(rill_select(cases, CASES, 0), ==, SLEEP);
	CHECK(cases[SLEEP].result, ==, 0);
	rill_oneshot_close_sender(t.oneshot);
	things_fini(&t);
	return NULL;
}

TASK_TEST(cancelled_select_leaves_all)
{
	for (int how = 0; how < 3; how++) {
		struct things t;
		struct call c = {.fn = wait_any, .obj = &t};

		things_init(&t);
		CHECK(rill_token_create(&c.token), ==, 0);
		c.deadline_ns = how == 2 ? rill_after(RILL_SEC) : RILL_FOREVER;
		call_start(&c);
		if (how == 0)
			rill_abort(c.task);
		if (how == 1)
			rill_token_cancel(c.token);
		CHECK(call_join(&c), ==, how == 2 ? -ETIMEDOUT : -ECANCELED);
		for (int which = MUTEX; which <= SEND; which++) {
			provide(&t, which);
			RILL_ASSERT(take(&t, which));
		}
		rill_token_unref(c.token);
		things_fini(&t);
	}
	return NULL;
}

static void an_error_is_a_result(void **state)
{
	struct rill_case cases[CASES];
	struct things t;

	things_init(&t);
	rill_oneshot_close_sender(t.oneshot);
	prepare(&t, cases, RILL_FOREVER);
	assert_int_equal(rill_select(cases, CASES, 0), ONESHOT);
	assert_int_equal(cases[ONESHOT].result, -EPIPE);
	things_fini(&t);
}

static void arguments(void **state)
{
	struct rill_case cases[RILL_SELECT_MAX + 1];
	struct rill_notify n;

	rill_notify_init(&n);
	for (unsigned i = 0; i <= RILL_SELECT_MAX; i++)
		rill_case_notify(&cases[i], &n);
	assert_int_equal(rill_select(cases, 0, 0), -EINVAL);
	assert_int_equal(rill_select(cases, RILL_SELECT_MAX + 1, 0), -EINVAL);
	assert_int_equal(rill_select(cases, RILL_SELECT_MAX, RILL_SELECT_NONBLOCKING), -EAGAIN);
}

TASK_TEST(biased_looks_in_order_and_fair_does_not)
{
	unsigned won[RILL_SELECT_MAX] = {0};
	struct rill_notify n[RILL_SELECT_MAX];

	for (unsigned i = 0; i < RILL_SELECT_MAX; i++) {
		rill_notify_init(&n[i]);
		rill_notify_one(&n[i]);
	}
	for (unsigned round = 0; round < 4000; round++) {
		struct rill_case cases[RILL_SELECT_MAX];

		for (unsigned i = 0; i < RILL_SELECT_MAX; i++)
			rill_case_notify(&cases[i], &n[i]);
		bool biased = round < 10;
		int i = rill_select(cases, RILL_SELECT_MAX, biased ? RILL_SELECT_BIASED : 0);

		CHECK(i, >=, 0);
		if (biased)
			CHECK(i, ==, 0);
		else
			won[i]++;
		rill_notify_one(&n[i]);
	}
	for (unsigned i = 0; i < RILL_SELECT_MAX; i++)
		CHECK(won[i], >, 0u);
	return NULL;
}

/* ---- fairness ---- */

#define ROUNDS 10000u

/* Eight that are always ready, of as many kinds. */
struct ready {
	struct rill_notify notify;
	struct rill_semaphore sem;
	struct rill_channel *full;
	struct rill_channel *empty;
	struct rill_token *token;
	struct rill_rwlock rwlock;
	struct rill_mutex mutex;
	uint64_t msg;
};

static void ready_init(struct ready *r)
{
	*r = (struct ready){.msg = 1};
	rill_notify_init(&r->notify);
	CHECK(rill_semaphore_init(&r->sem, ROUNDS), ==, 0);
	CHECK(rill_channel_create(ROUNDS, sizeof(uint64_t), &r->full), ==, 0);
	for (unsigned i = 0; i < ROUNDS; i++)
		CHECK(rill_channel_try_send(r->full, &r->msg), ==, 0);
	CHECK(rill_channel_create(ROUNDS, sizeof(uint64_t), &r->empty), ==, 0);
	CHECK(rill_token_create(&r->token), ==, 0);
	rill_token_cancel(r->token);
	rill_rwlock_init(&r->rwlock);
	rill_mutex_init(&r->mutex);
}

static void ready_fini(struct ready *r)
{
	rill_channel_close_sender(r->full);
	rill_channel_close_receiver(r->full);
	rill_channel_close_sender(r->empty);
	rill_channel_close_receiver(r->empty);
	rill_token_unref(r->token);
}

/* Each is chosen between 8 and 17 of 100 times, by the seed of the runtime. */
static void *choose_among_eight(void *arg)
{
	unsigned won[8] = {0};
	struct rill_case c[8];
	struct ready r;

	ready_init(&r);
	rill_case_notify(&c[0], &r.notify);
	rill_case_semaphore_acquire(&c[1], &r.sem, 1);
	rill_case_channel_recv(&c[2], r.full, &r.msg);
	rill_case_channel_send(&c[3], r.empty, &r.msg);
	rill_case_token(&c[4], r.token);
	rill_case_rwlock_read(&c[5], &r.rwlock);
	rill_case_mutex_lock(&c[6], &r.mutex);
	rill_case_sleep_until(&c[7], 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		rill_notify_one(&r.notify);
		int i = rill_select(c, 8, 0);

		CHECK(i, >=, 0);
		CHECK(c[i].result, ==, 0);
		won[i]++;
		if (i == 5)
			rill_rwlock_unlock_read(&r.rwlock);
		if (i == 6)
			rill_mutex_unlock(&r.mutex);
	}
	for (unsigned i = 0; i < 8; i++) {
		CHECK(won[i], >, ROUNDS * 8 / 100);
		CHECK(won[i], <, ROUNDS * 17 / 100);
	}
	ready_fini(&r);
	return NULL;
}

static void all_that_are_ready_have_the_same_chance(void **state)
{
	run_on(RILL_CURRENT_THREAD, choose_among_eight, NULL);
	/* a plain thread */
	choose_among_eight(NULL);
}

static void *set_flag(void *arg)
{
	rill_store_relaxed((bool *)arg, true);
	return NULL;
}

/* Each select spends budget, also one that never waits. */
TASK_TEST(selecting_lets_others_run)
{
	struct rill_case c[2];
	bool ran = false;
	unsigned n = 0;

	CHECK(rill_spawn(set_flag, &ran, NULL), ==, 0);
	for (; !rill_load_relaxed(&ran); n++) {
		rill_case_sleep_until(&c[0], 0);
		rill_case_sleep_until(&c[1], 0);
		CHECK(rill_select(c, 2, 0), >=, 0);
	}
	CHECK(n, <=, 129u); /* the budget of a slice, and the call that found it spent */
	return NULL;
}

#define TASKS 40
#define MESSAGES STRESS(500)

struct web {
	struct rill_channel *ch[2];
	RILL_ATOMIC(uint64_t) sent;
};

/* Each message goes to exactly one of the two channels, whichever has room. */
static void *send_anywhere(void *arg)
{
	struct web *w = arg;

	for (uint64_t i = 1; i <= MESSAGES; i++) {
		struct rill_case cases[2];

		rill_case_channel_send(&cases[0], w->ch[0], &i);
		rill_case_channel_send(&cases[1], w->ch[1], &i);
		int at = rill_select(cases, 2, 0);

		if (at < 0)
			break;
		CHECK(cases[at].result, ==, 0);
		rill_fetch_add_relaxed(&w->sent, i);
	}
	return NULL;
}

/* Takes from both until both have ended. Returns the sum. */
static uint64_t recv_anywhere(struct web *w)
{
	bool open[2] = {true, true};
	uint64_t sum = 0;

	while (open[0] || open[1]) {
		uint64_t msg[2];
		struct rill_case cases[2];
		unsigned first = open[0] ? 0 : 1, n = open[0] + open[1];

		for (unsigned i = 0; i < n; i++)
			rill_case_channel_recv(&cases[i], w->ch[first + i], &msg[first + i]);
		int at = rill_select(cases, n, 0);

		CHECK(at, >=, 0);
		if (cases[at].result == 0)
			sum += msg[first + (unsigned)at];
		else
			open[first + (unsigned)at] = false;
	}
	return sum;
}

static void *recv_anywhere_thread(void *arg)
{
	struct web *w = arg;

	CHECK(recv_anywhere(w), ==, rill_load_relaxed(&w->sent));
	return NULL;
}

static void stress_web(bool thread, bool abort)
{
	struct rill_task *t[TASKS];
	struct web w = {.sent = 0};
	pthread_t receiver;

	CHECK(rill_channel_create(1, sizeof(uint64_t), &w.ch[0]), ==, 0);
	CHECK(rill_channel_create(3, sizeof(uint64_t), &w.ch[1]), ==, 0);
	for (unsigned i = 0; i < TASKS; i++)
		t[i] = spawn(send_anywhere, &w);
	struct rill_task *task = NULL;

	if (thread)
		receiver = thread_start(recv_anywhere_thread, &w);
	else
		task = spawn(recv_anywhere_thread, &w);
	for (unsigned i = 0; abort && i < TASKS; i += 2) {
		rill_yield();
		rill_abort(t[i]);
	}
	for (unsigned i = 0; i < TASKS; i++)
		join(t[i]);
	rill_channel_close_sender(w.ch[0]);
	rill_channel_close_sender(w.ch[1]);
	if (thread)
		thread_join(receiver);
	else
		join(task);
	if (!abort)
		CHECK(w.sent, ==, (uint64_t)TASKS * MESSAGES * (MESSAGES + 1) / 2);
	rill_channel_close_receiver(w.ch[0]);
	rill_channel_close_receiver(w.ch[1]);
}

STRESS_TEST(stress_two_channels)
{
	stress_web(false, false);
	return NULL;
}

STRESS_TEST(stress_two_channels_to_a_plain_thread)
{
	stress_web(true, false);
	return NULL;
}

STRESS_TEST(stress_two_channels_with_aborts)
{
	stress_web(false, true);
	stress_web(true, true);
	return NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_wakes_the_select),
		cmocka_unit_test(the_loser_of_two_is_untouched),
		cmocka_unit_test(the_clock_is_a_case),
		cmocka_unit_test(cancelled_select_leaves_all),
		cmocka_unit_test(an_error_is_a_result),
		cmocka_unit_test(arguments),
		cmocka_unit_test(biased_looks_in_order_and_fair_does_not),
		cmocka_unit_test(all_that_are_ready_have_the_same_chance),
		cmocka_unit_test(selecting_lets_others_run),
		cmocka_unit_test(stress_two_channels),
		cmocka_unit_test(stress_two_channels_to_a_plain_thread),
		cmocka_unit_test(stress_two_channels_with_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
