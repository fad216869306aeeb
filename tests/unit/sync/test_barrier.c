/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/sync/sync_test.h"

static int wait_once(struct call *c)
{
	return rill_barrier_wait(c->obj);
}

static void zero_counts_as_one(void **state)
{
	struct rill_barrier b;

	for (uint32_t n = 0; n < 2; n++) {
		rill_barrier_init(&b, n);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(rill_barrier_wait(&b), 1);
	}
}

TASK_TEST(last_to_come_leads_and_lets_go)
{
	struct rill_barrier b;
	struct call c[2];

	rill_barrier_init(&b, 3);
	for (unsigned i = 0; i < 2; i++) {
		c[i] = (struct call){.fn = wait_once, .obj = &b};
		call_start(&c[i]);
	}
	for (unsigned i = 0; i < 2; i++)
		RILL_ASSERT(!rill_is_finished(c[i].task));
	CHECK(rill_barrier_wait(&b), ==, 1);
	for (unsigned i = 0; i < 2; i++)
		CHECK(call_join(&c[i]), ==, 0);
	return NULL;
}

TASK_TEST(begins_anew)
{
	struct rill_barrier b;
	struct call c = {.fn = wait_once, .obj = &b};

	rill_barrier_init(&b, 2);
	for (unsigned i = 0; i < 3; i++) {
		call_start(&c);
		CHECK(rill_barrier_wait(&b), ==, 1);
		/* one of the next round, which c of this one is not */
		struct call next = {.fn = wait_once, .obj = &b};

		call_start(&next);
		CHECK(call_join(&c), ==, 0);
		RILL_ASSERT(!rill_is_finished(next.task));
		CHECK(rill_barrier_wait(&b), ==, 1);
		CHECK(call_join(&next), ==, 0);
	}
	return NULL;
}

TASK_TEST(cancelled_waiter_is_not_counted)
{
	struct rill_barrier b;
	struct call aborted = {.fn = wait_once, .obj = &b}, cancelled = aborted, patient = aborted;
	struct call late = {.fn = wait_once, .obj = &b, .deadline_ns = rill_after(RILL_SEC)};

	rill_barrier_init(&b, 3);
	call_start(&aborted);
	CHECK(call_abort(&aborted), ==, -ECANCELED);
	CHECK(rill_token_create(&cancelled.token), ==, 0);
	call_start(&cancelled);
	rill_token_cancel(cancelled.token);
	CHECK(call_join(&cancelled), ==, -ECANCELED);
	rill_token_unref(cancelled.token);
	call_start(&late);
	CHECK(call_join(&late), ==, -ETIMEDOUT);

	call_start(&patient);
	struct call second = {.fn = wait_once, .obj = &b};

	call_start(&second);
	RILL_ASSERT(!rill_is_finished(patient.task));
	CHECK(rill_barrier_wait(&b), ==, 1);
	CHECK(call_join(&patient), ==, 0);
	CHECK(call_join(&second), ==, 0);
	return NULL;
}

TASK_TEST(abort_after_the_last_came_is_too_late)
{
	struct rill_barrier b;
	struct call c = {.fn = wait_once, .obj = &b};

	rill_barrier_init(&b, 2);
	call_start(&c);
	CHECK(rill_barrier_wait(&b), ==, 1);
	CHECK(call_abort(&c), ==, 0);
	/* nobody is counted in the next round */
	call_start(&c);
	CHECK(rill_barrier_wait(&b), ==, 1);
	CHECK(call_join(&c), ==, 0);
	return NULL;
}

/* Each round has one leader, and nobody enters a round before all have ended the one before. */
struct rounds {
	struct rill_barrier b;
	uint32_t n;
	unsigned goal;
	RILL_ATOMIC(uint64_t) come, led;
};

static void *walk(void *arg)
{
	struct rounds *r = arg;

	for (unsigned i = 0; i < r->goal; i++) {
		rill_fetch_add_relaxed(&r->come, 1);
		int leads = rill_barrier_wait(&r->b);

		CHECK(leads, >=, 0);
		CHECK(rill_load_relaxed(&r->come), >=, (uint64_t)(i + 1) * r->n);
		if (leads)
			rill_fetch_add_relaxed(&r->led, 1);
		CHECK(rill_barrier_wait(&r->b), >=, 0);
		CHECK(rill_load_relaxed(&r->led), ==, (uint64_t)i + 1);
		CHECK(rill_barrier_wait(&r->b), >=, 0);
	}
	return NULL;
}

STRESS_TEST(stress_rounds_have_one_leader)
{
	enum { TASKS = STRESS(1000), THREADS = 2 };
	struct rill_task **t = malloc(TASKS * sizeof(*t));
	struct rounds r = {.n = TASKS + THREADS, .goal = 20};
	pthread_t threads[THREADS];

	rill_barrier_init(&r.b, r.n);
	for (unsigned i = 0; i < TASKS; i++)
		t[i] = spawn(walk, &r);
	for (unsigned i = 0; i < THREADS; i++)
		threads[i] = thread_start(walk, &r);
	for (unsigned i = 0; i < TASKS; i++)
		join(t[i]);
	for (unsigned i = 0; i < THREADS; i++)
		thread_join(threads[i]);
	free(t);
	return NULL;
}

/* Who was let go was part of a full round: leaders times n. */
struct crowd {
	struct rill_barrier b;
	RILL_ATOMIC(uint64_t) led, followed, seed;
};

static void *come_and_go(void *arg)
{
	struct crowd *c = arg;
	struct rill_rand rand;

	rill_rand_init(&rand, rill_fetch_add_relaxed(&c->seed, 1));
	for (unsigned i = 0; i < 20; i++) {
		struct rill_scope scope;

		rill_scope_begin(&scope, rill_after(rill_rand_below(&rand, 100) * RILL_US), NULL);
		int r = rill_barrier_wait(&c->b);

		rill_scope_end(&scope);
		if (r >= 0)
			rill_fetch_add_relaxed(r == 1 ? &c->led : &c->followed, 1);
	}
	return NULL;
}

STRESS_TEST(stress_only_full_rounds_are_let_go)
{
	enum { TASKS = STRESS(1000), THREADS = 2, N = 7 };
	struct rill_task **t = malloc(TASKS * sizeof(*t));
	struct crowd c = {.seed = 1};
	pthread_t threads[THREADS];

	rill_barrier_init(&c.b, N);
	for (unsigned i = 0; i < TASKS; i++)
		t[i] = spawn(come_and_go, &c);
	for (unsigned i = 0; i < THREADS; i++)
		threads[i] = thread_start(come_and_go, &c);
	for (unsigned i = 0; i < TASKS; i++)
		join(t[i]);
	for (unsigned i = 0; i < THREADS; i++)
		thread_join(threads[i]);
	CHECK(c.followed, ==, c.led * (N - 1));
	free(t);
	return NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zero_counts_as_one),
		cmocka_unit_test(last_to_come_leads_and_lets_go),
		cmocka_unit_test(begins_anew),
		cmocka_unit_test(cancelled_waiter_is_not_counted),
		cmocka_unit_test(abort_after_the_last_came_is_too_late),
		cmocka_unit_test(stress_rounds_have_one_leader),
		cmocka_unit_test(stress_only_full_rounds_are_let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
