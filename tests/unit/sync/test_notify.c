/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/sync/sync_test.h"

static int wait_once(struct call *c)
{
	return rill_notify_wait(c->obj);
}

/* Has a notification been kept? Takes it. */
static bool take_permit(struct rill_notify *n)
{
	struct rill_case c;

	rill_case_notify(&c, n);
	return look(&c) == 0;
}

static void one_notification_is_kept(void **state)
{
	struct rill_notify n;

	rill_notify_init(&n);
	assert_false(take_permit(&n));
	rill_notify_one(&n);
	rill_notify_one(&n);
	assert_int_equal(rill_notify_wait(&n), 0);
	assert_false(take_permit(&n));
}

TASK_TEST(one_wakes_the_longest_waiter)
{
	struct rill_notify n;
	unsigned clock = 0;
	struct call c[4];

	rill_notify_init(&n);
	for (unsigned i = 0; i < 4; i++) {
		c[i] = (struct call){.fn = wait_once, .obj = &n, .clock = &clock};
		call_start(&c[i]);
	}
	for (unsigned i = 0; i < 4; i++) {
		rill_notify_one(&n);
		CHECK(call_join(&c[i]), ==, 0);
		CHECK(clock, ==, i + 1);
	}
	RILL_ASSERT(!take_permit(&n));
	return NULL;
}

TASK_TEST(all_wakes_who_waits_and_keeps_nothing)
{
	struct rill_notify n;
	struct call c[4];

	rill_notify_init(&n);
	for (unsigned i = 0; i < 4; i++) {
		c[i] = (struct call){.fn = wait_once, .obj = &n};
		call_start(&c[i]);
	}
	rill_notify_all(&n);
	RILL_ASSERT(!take_permit(&n));
	for (unsigned i = 0; i < 4; i++)
		CHECK(call_join(&c[i]), ==, 0);
	RILL_ASSERT(!take_permit(&n));
	return NULL;
}

static void all_reaches_what_was_prepared_before(void **state)
{
	struct rill_notify n;
	struct rill_case before, after;

	rill_notify_init(&n);
	rill_notify_one(&n);
	rill_case_notify(&before, &n);
	rill_notify_all(&n);
	rill_case_notify(&after, &n);
	/* completed by notify_all, so the permit stays */
	assert_int_equal(look(&before), 0);
	assert_int_equal(look(&after), 0);
	assert_false(take_permit(&n));
}

TASK_TEST(all_leaves_a_later_one_alone)
{
	struct rill_notify n;
	struct call c = {.fn = wait_once, .obj = &n};

	rill_notify_init(&n);
	call_start(&c);
	rill_notify_all(&n);
	/* the waiter has been woken and is no longer in the queue */
	rill_notify_one(&n);
	CHECK(call_join(&c), ==, 0);
	RILL_ASSERT(take_permit(&n));
	return NULL;
}

TASK_TEST(cancelled_waits_take_nothing)
{
	struct rill_notify n;
	struct call aborted = {.fn = wait_once, .obj = &n}, cancelled = aborted, patient = aborted;
	struct call late = {.fn = wait_once, .obj = &n, .deadline_ns = rill_after(RILL_SEC)};

	rill_notify_init(&n);
	CHECK(rill_token_create(&cancelled.token), ==, 0);
	call_start(&aborted);
	call_start(&cancelled);
	call_start(&late);
	call_start(&patient);
	CHECK(call_abort(&aborted), ==, -ECANCELED);
	rill_token_cancel(cancelled.token);
	CHECK(call_join(&cancelled), ==, -ECANCELED);
	CHECK(call_join(&late), ==, -ETIMEDOUT);
	rill_notify_one(&n);
	CHECK(call_join(&patient), ==, 0);
	RILL_ASSERT(!take_permit(&n));
	rill_token_unref(cancelled.token);
	return NULL;
}

TASK_TEST(abort_after_the_notification_loses_none)
{
	struct rill_notify n;
	struct call a = {.fn = wait_once, .obj = &n}, b = a;

	rill_notify_init(&n);
	call_start(&a);
	call_start(&b);
	rill_notify_one(&n);
	/* a had it already, and may say so, or pass it on */
	if (call_abort(&a) == 0)
		rill_notify_one(&n);
	CHECK(call_join(&b), ==, 0);
	RILL_ASSERT(!take_permit(&n));
	return NULL;
}

/* Waits for either, and looks at obj first. */
static int wait_either(struct call *c)
{
	struct rill_case cases[2];

	rill_case_notify(&cases[0], c->obj);
	rill_case_notify(&cases[1], c->other);
	return rill_select(cases, 2, RILL_SELECT_BIASED);
}

TASK_TEST(select_passes_the_second_notification_on)
{
	struct rill_notify first, second;
	struct call either = {.fn = wait_either, .obj = &first, .other = &second};
	struct call next = {.fn = wait_once, .obj = &second};

	rill_notify_init(&first);
	rill_notify_init(&second);
	call_start(&either);
	call_start(&next);
	rill_notify_one(&second);
	rill_notify_one(&first);
	CHECK(call_join(&either), ==, 0);
	CHECK(call_join(&next), ==, 0);
	RILL_ASSERT(!take_permit(&second));

	/* with nobody next, it is kept */
	call_start(&either);
	rill_notify_one(&second);
	rill_notify_one(&first);
	CHECK(call_join(&either), ==, 0);
	RILL_ASSERT(take_permit(&second));
	RILL_ASSERT(!take_permit(&first));
	return NULL;
}

TASK_TEST(select_does_not_pass_notify_all_on)
{
	struct rill_notify first, second;
	struct call either = {.fn = wait_either, .obj = &first, .other = &second};

	rill_notify_init(&first);
	rill_notify_init(&second);
	call_start(&either);
	rill_notify_all(&second);
	rill_notify_one(&first);
	CHECK(call_join(&either), ==, 0);
	RILL_ASSERT(!take_permit(&second));
	RILL_ASSERT(!take_permit(&first));
	return NULL;
}

TASK_TEST(last_wakes_the_youngest_waiter)
{
	struct rill_notify n;
	struct call c[3];

	rill_notify_init(&n);
	for (unsigned i = 0; i < 3; i++) {
		c[i] = (struct call){.fn = wait_once, .obj = &n};
		call_start(&c[i]);
	}
	for (unsigned i = 3; i-- > 0;) {
		rill_notify_last(&n);
		CHECK(call_join(&c[i]), ==, 0);
		/* those before it wait on */
		for (unsigned j = 0; j < i; j++)
			RILL_ASSERT(!rill_is_finished(c[j].task));
	}
	return NULL;
}

static void last_is_kept_without_waiters(void **state)
{
	struct rill_notify n;

	rill_notify_init(&n);
	rill_notify_last(&n);
	rill_notify_last(&n);
	assert_true(take_permit(&n));
	assert_false(take_permit(&n));
}

TASK_TEST(select_passes_the_last_one_on_to_the_youngest)
{
	struct rill_notify first, second;
	struct call old = {.fn = wait_once, .obj = &second}, young = old;
	struct call either = {.fn = wait_either, .obj = &first, .other = &second};

	rill_notify_init(&first);
	rill_notify_init(&second);
	call_start(&old);
	call_start(&young);
	call_start(&either);
	rill_notify_last(&second);
	rill_notify_one(&first);
	CHECK(call_join(&either), ==, 0);
	CHECK(call_join(&young), ==, 0);
	RILL_ASSERT(!rill_is_finished(old.task));
	rill_notify_one(&second);
	CHECK(call_join(&old), ==, 0);
	RILL_ASSERT(!take_permit(&second));
	return NULL;
}

/* Items to be taken; each is announced by one notify_one, the end by one notify_all. */
struct store {
	struct rill_notify n;
	RILL_ATOMIC(int64_t) items;
	RILL_ATOMIC(uint64_t) taken;
	RILL_ATOMIC(bool) ended;
};

static bool take_item(struct store *s)
{
	int64_t items = rill_load_relaxed(&s->items);

	while (items > 0)
		if (rill_cas_relaxed(&s->items, &items, items - 1))
			return true;
	return false;
}

static void *consume(void *arg)
{
	struct store *s = arg;

	for (;;) {
		struct rill_case c;

		/* prepared before the look, so that nothing falls between look and wait */
		rill_case_notify(&c, &s->n);
		if (take_item(s))
			rill_fetch_add_relaxed(&s->taken, 1);
		else if (rill_load_acquire(&s->ended))
			return NULL;
		else
			CHECK(rill_select(&c, 1, 0), ==, 0);
	}
}

static void *produce(void *arg)
{
	struct store *s = arg;

	for (unsigned i = 0; i < STRESS(5000); i++) {
		rill_fetch_add_relaxed(&s->items, 1);
		rill_notify_one(&s->n);
		if (i % 8 == 0)
			rill_yield();
	}
	return NULL;
}

static void end_store(struct store *s)
{
	rill_store_release(&s->ended, true);
	rill_notify_all(&s->n);
}

STRESS_TEST(stress_loses_no_notification)
{
	struct rill_task *consumers[100], *producers[4];
	struct store s = {0};
	pthread_t thread;

	rill_notify_init(&s.n);
	thread = thread_start(consume, &s);
	for (unsigned i = 0; i < 100; i++)
		consumers[i] = spawn(consume, &s);
	for (unsigned i = 0; i < 4; i++)
		producers[i] = spawn(produce, &s);
	for (unsigned i = 0; i < 4; i++)
		join(producers[i]);
	while (rill_load_relaxed(&s.taken) < 4 * STRESS(5000))
		rill_yield();
	end_store(&s);
	for (unsigned i = 0; i < 100; i++)
		join(consumers[i]);
	thread_join(thread);
	CHECK(s.items, ==, 0);
	return NULL;
}

struct pair {
	struct rill_notify ping, pong;
};

static void *return_pings(void *arg)
{
	struct pair *p = arg;

	for (unsigned i = 0; i < STRESS(2000); i++) {
		CHECK(rill_notify_wait(&p->ping), ==, 0);
		rill_notify_one(&p->pong);
	}
	return NULL;
}

static void play(struct pair *p)
{
	for (unsigned i = 0; i < STRESS(2000); i++) {
		rill_notify_one(&p->ping);
		CHECK(rill_notify_wait(&p->pong), ==, 0);
	}
}

STRESS_TEST(stress_ping_pong)
{
	struct rill_task *t;
	pthread_t thread;
	struct pair p;

	rill_notify_init(&p.ping);
	rill_notify_init(&p.pong);
	t = spawn(return_pings, &p);
	play(&p);
	join(t);
	thread = thread_start(return_pings, &p);
	play(&p);
	thread_join(thread);
	return NULL;
}

struct relay {
	struct rill_notify n;
	RILL_ATOMIC(uint64_t) received;
};

static void *receive_until_aborted(void *arg)
{
	struct relay *r = arg;

	while (rill_notify_wait(&r->n) == 0)
		rill_fetch_add_relaxed(&r->received, 1);
	return NULL;
}

/*
 * One notification is under way at a time, so none may merge with another: each one sent is
 * received once, or is there as a permit when all the receivers were aborted.
 */
STRESS_TEST(stress_abort_loses_no_notification)
{
	for (unsigned round = 0; round < STRESS(500); round++) {
		struct relay r = {0};
		struct rill_task *t[3];

		rill_notify_init(&r.n);
		for (unsigned i = 0; i < 3; i++)
			t[i] = spawn(receive_until_aborted, &r);
		if (round % 2)
			rill_yield();
		rill_notify_one(&r.n);
		for (unsigned i = 0; i < 3; i++)
			rill_abort(t[i]);
		for (unsigned i = 0; i < 3; i++)
			join(t[i]);
		CHECK(r.received + take_permit(&r.n), ==, 1u);
	}
	return NULL;
}

/*
 * There is one notification, which is handed from one to the next: whoever has it is alone. Lost,
 * and nobody goes on; doubled, and two meet.
 */
struct baton {
	struct rill_notify n;
	struct rill_notify never;
	RILL_ATOMIC(uint32_t) holders;
	RILL_ATOMIC(uint64_t) rounds;
	RILL_ATOMIC(uint64_t) seed;
	uint64_t goal;
};

/* In one way or another; true with the notification. */
static bool take_baton(struct baton *b, struct rill_rand *rand)
{
	struct rill_notified nd;
	struct rill_case cases[2];
	int r;

	switch (rill_rand_below(rand, 3)) {
	case 0:
		return rill_notify_wait(&b->n) == 0;
	case 1:
		rill_case_notify(&cases[0], &b->never);
		rill_case_notify(&cases[1], &b->n);
		return rill_select(cases, 2, 0) == 1;
	default:
		rill_notified_begin(&nd, &b->n);
		r = rill_notified_enable(&nd) ? 0 : rill_notified_wait(&nd);
		rill_notified_end(&nd);
		return r == 0;
	}
}

static void pass_baton(struct baton *b, struct rill_rand *rand)
{
	CHECK(rill_fetch_add_relaxed(&b->holders, 1), ==, 0u);
	rill_fetch_add_relaxed(&b->rounds, 1);
	CHECK(rill_fetch_sub_relaxed(&b->holders, 1), ==, 1u);
	if (rill_rand_below(rand, 4) == 0)
		rill_notify_last(&b->n);
	else
		rill_notify_one(&b->n);
}

static void *run_with_baton(void *arg)
{
	struct baton *b = arg;
	struct rill_rand rand;

	rill_rand_init(&rand, rill_fetch_add_relaxed(&b->seed, 1));
	while (rill_load_relaxed(&b->rounds) < b->goal) {
		struct rill_scope scope;

		rill_scope_begin(&scope, rill_after(rill_rand_below(&rand, 200) * RILL_US), NULL);
		bool mine = take_baton(b, &rand);

		rill_scope_end(&scope);
		if (mine)
			pass_baton(b, &rand);
	}
	return NULL;
}

STRESS_TEST(stress_hands_one_notification_on)
{
	enum { TASKS = STRESS(1000) };
	struct rill_task **t = malloc(TASKS * sizeof(struct rill_task *));
	struct baton b = {.goal = STRESS(5000), .seed = 1};
	pthread_t threads[2];

	rill_notify_init(&b.n);
	rill_notify_init(&b.never);
	for (unsigned i = 0; i < TASKS; i++)
		t[i] = spawn(run_with_baton, &b);
	for (unsigned i = 0; i < 2; i++)
		threads[i] = thread_start(run_with_baton, &b);
	rill_notify_one(&b.n);
	for (unsigned i = 0; i < TASKS; i++)
		join(t[i]);
	for (unsigned i = 0; i < 2; i++)
		thread_join(threads[i]);
	RILL_ASSERT(take_permit(&b.n));
	RILL_ASSERT(!take_permit(&b.n));
	free(t);
	return NULL;
}

static void plain_thread_is_cancelled(void **state)
{
	struct rill_notify n;
	struct call c = {.fn = wait_once, .obj = &n};

	rill_notify_init(&n);
	CHECK(rill_token_create(&c.token), ==, 0);
	pthread_t t = thread_start(call_task, &c);

	rill_token_cancel(c.token);
	thread_join(t);
	assert_int_equal(c.result, -ECANCELED);
	rill_token_unref(c.token);
	rill_notify_one(&n);
	assert_true(take_permit(&n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_notification_is_kept),
		cmocka_unit_test(one_wakes_the_longest_waiter),
		cmocka_unit_test(all_wakes_who_waits_and_keeps_nothing),
		cmocka_unit_test(all_reaches_what_was_prepared_before),
		cmocka_unit_test(all_leaves_a_later_one_alone),
		cmocka_unit_test(cancelled_waits_take_nothing),
		cmocka_unit_test(abort_after_the_notification_loses_none),
		cmocka_unit_test(select_passes_the_second_notification_on),
		cmocka_unit_test(select_does_not_pass_notify_all_on),
		cmocka_unit_test(last_wakes_the_youngest_waiter),
		cmocka_unit_test(last_is_kept_without_waiters),
		cmocka_unit_test(select_passes_the_last_one_on_to_the_youngest),
		cmocka_unit_test(plain_thread_is_cancelled),
		cmocka_unit_test(stress_loses_no_notification),
		cmocka_unit_test(stress_ping_pong),
		cmocka_unit_test(stress_abort_loses_no_notification),
		cmocka_unit_test(stress_hands_one_notification_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
