/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/sync/sync_test.h"

#define TASKS 200
#define ROUNDS STRESS(100)

static int lock_unlock(struct call *c)
{
	int r = rill_mutex_lock(c->obj);

	if (r == 0)
		rill_mutex_unlock(c->obj);
	return r;
}

static void check_free(struct rill_mutex *m)
{
	CHECK(rill_mutex_try_lock(m), ==, 0);
	rill_mutex_unlock(m);
}

static void trylock_fails_while_held(void **state)
{
	struct rill_mutex m;

	rill_mutex_init(&m);
	assert_int_equal(rill_mutex_try_lock(&m), 0);
	assert_int_equal(rill_mutex_try_lock(&m), -EBUSY);
	rill_mutex_unlock(&m);
	assert_int_equal(rill_mutex_lock(&m), 0);
	assert_int_equal(rill_mutex_try_lock(&m), -EBUSY);
	rill_mutex_unlock(&m);
	check_free(&m);
}

TASK_TEST(longest_waiter_is_next)
{
	struct rill_mutex m;
	unsigned clock = 0;
	struct call c[8];

	rill_mutex_init(&m);
	CHECK(rill_mutex_lock(&m), ==, 0);
	for (unsigned i = 0; i < 8; i++) {
		c[i] = (struct call){.fn = lock_unlock, .obj = &m, .clock = &clock};
		call_start(&c[i]);
	}
	CHECK(clock, ==, 0u);
	rill_mutex_unlock(&m);
	for (unsigned i = 0; i < 8; i++) {
		CHECK(call_join(&c[i]), ==, 0);
		CHECK(c[i].turn, ==, i + 1);
	}
	check_free(&m);
	return NULL;
}

TASK_TEST(unlock_hands_over_without_barging)
{
	struct rill_mutex m;
	struct call c = {.fn = lock_unlock, .obj = &m};

	rill_mutex_init(&m);
	CHECK(rill_mutex_lock(&m), ==, 0);
	call_start(&c);
	rill_mutex_unlock(&m);
	/* the waiter has not run yet, and has the lock all the same */
	CHECK(rill_mutex_try_lock(&m), ==, -EBUSY);
	CHECK(rill_mutex_lock(&m), ==, 0);
	CHECK(c.result, ==, 0);
	rill_mutex_unlock(&m);
	join(c.task);
	check_free(&m);
	return NULL;
}

TASK_TEST(aborted_waiter_leaves_the_queue)
{
	struct rill_mutex m;
	struct call c[3];

	rill_mutex_init(&m);
	CHECK(rill_mutex_lock(&m), ==, 0);
	for (unsigned i = 0; i < 3; i++) {
		c[i] = (struct call){.fn = lock_unlock, .obj = &m};
		call_start(&c[i]);
	}
	CHECK(call_abort(&c[1]), ==, -ECANCELED);
	CHECK(call_abort(&c[0]), ==, -ECANCELED);
	rill_mutex_unlock(&m);
	CHECK(call_join(&c[2]), ==, 0);
	check_free(&m);

	/* the last waiter gone, the lock is as if nobody ever waited */
	CHECK(rill_mutex_lock(&m), ==, 0);
	call_start(&c[0]);
	CHECK(call_abort(&c[0]), ==, -ECANCELED);
	rill_mutex_unlock(&m);
	check_free(&m);
	return NULL;
}

TASK_TEST(abort_after_the_hand_over_does_not_lose_the_lock)
{
	struct rill_mutex m;
	struct call a = {.fn = lock_unlock, .obj = &m}, b = a;

	rill_mutex_init(&m);
	CHECK(rill_mutex_lock(&m), ==, 0);
	call_start(&a);
	call_start(&b);
	rill_mutex_unlock(&m);
	call_abort(&a);
	CHECK(call_join(&b), ==, 0);
	check_free(&m);
	return NULL;
}

TASK_TEST(deadline_and_token_end_the_wait)
{
	struct rill_mutex m;
	struct call late = {.fn = lock_unlock, .obj = &m, .deadline_ns = rill_after(RILL_SEC)};
	struct call cancelled = {.fn = lock_unlock, .obj = &m};
	struct call patient = cancelled;

	rill_mutex_init(&m);
	CHECK(rill_token_create(&cancelled.token), ==, 0);
	CHECK(rill_mutex_lock(&m), ==, 0);
	call_start(&late);
	call_start(&cancelled);
	call_start(&patient);
	CHECK(call_join(&late), ==, -ETIMEDOUT);
	rill_token_cancel(cancelled.token);
	CHECK(call_join(&cancelled), ==, -ECANCELED);
	rill_mutex_unlock(&m);
	CHECK(call_join(&patient), ==, 0);
	check_free(&m);
	rill_token_unref(cancelled.token);
	return NULL;
}

static int unlock_only(struct call *c)
{
	rill_mutex_unlock(c->obj);
	return 0;
}

TASK_TEST(another_task_may_unlock)
{
	struct rill_mutex m;
	struct call c = {.fn = unlock_only, .obj = &m};

	rill_mutex_init(&m);
	CHECK(rill_mutex_lock(&m), ==, 0);
	call_start(&c);
	CHECK(rill_mutex_lock(&m), ==, 0);
	call_join(&c);
	rill_mutex_unlock(&m);
	check_free(&m);
	return NULL;
}

static int lock_either(struct call *c)
{
	struct rill_case cases[2];

	rill_case_mutex_lock(&cases[0], c->obj);
	rill_case_mutex_lock(&cases[1], c->other);
	int i = rill_select(cases, 2, 0);

	if (i < 0)
		return i;
	CHECK(cases[i].result, ==, 0);
	rill_mutex_unlock(i == 0 ? c->obj : c->other);
	return i;
}

TASK_TEST(select_passes_the_second_lock_on)
{
	for (unsigned round = 0; round < 20; round++) {
		struct rill_mutex a, b;
		struct call either = {.fn = lock_either, .obj = &a, .other = &b};
		struct call wants_a = {.fn = lock_unlock, .obj = &a};
		struct call wants_b = {.fn = lock_unlock, .obj = &b};

		rill_mutex_init(&a);
		rill_mutex_init(&b);
		CHECK(rill_mutex_lock(&a), ==, 0);
		CHECK(rill_mutex_lock(&b), ==, 0);
		call_start(&either);
		call_start(&wants_a);
		if (round % 2)
			call_start(&wants_b);
		/* both are handed to the select before it runs */
		rill_mutex_unlock(&a);
		rill_mutex_unlock(&b);
		CHECK(call_join(&either), >=, 0);
		CHECK(call_join(&wants_a), ==, 0);
		if (round % 2)
			CHECK(call_join(&wants_b), ==, 0);
		check_free(&a);
		check_free(&b);
	}
	return NULL;
}

/* The way without a wait, which looks at all that the other one does. */

static int lock_for_ever(struct call *c)
{
	for (;;) {
		int r = rill_mutex_lock(c->obj);

		if (r < 0)
			return r;
		rill_mutex_unlock(c->obj);
	}
}

TASK_TEST(loop_without_a_wait_yields_and_ends)
{
	struct rill_mutex m;
	struct call c = {.fn = lock_for_ever, .obj = &m};

	rill_mutex_init(&m);
	call_start(&c);
	CHECK(call_abort(&c), ==, -ECANCELED);
	check_free(&m);
	c = (struct call){.fn = lock_for_ever, .obj = &m};
	CHECK(rill_token_create(&c.token), ==, 0);
	call_start(&c);
	rill_token_cancel(c.token);
	CHECK(call_join(&c), ==, -ECANCELED);
	check_free(&m);
	rill_token_unref(c.token);
	return NULL;
}

TASK_TEST(each_lock_spends_budget)
{
	struct rill_mutex m;
	unsigned spent = 0;

	rill_mutex_init(&m);
	CHECK(rill_yield(), ==, 0);
	for (; rill_has_budget_remaining(); spent++) {
		CHECK(rill_mutex_lock(&m), ==, 0);
		rill_mutex_unlock(&m);
	}
	CHECK(spent, ==, 128u);
	check_free(&m);
	return NULL;
}

/* ---- measuring ---- */

static int lock_sleep_unlock(struct call *c)
{
	int r = rill_mutex_lock(c->obj);

	if (r < 0)
		return r;
	r = rill_sleep(10 * RILL_MS);
	rill_mutex_unlock(c->obj);
	return r;
}

/* Sleeps on a paused clock end at a tick of the timer wheel. */
static void check_about(uint64_t ns, uint64_t expected_ns)
{
	CHECK(ns, >=, expected_ns);
	CHECK(ns, <, expected_ns + RILL_MS / 2);
}

static struct rill_lock_report read_stats(const struct rill_lock_stats *stats)
{
	struct rill_lock_report report;

	CHECK(rill_lock_stats_read(stats, &report), ==, 0);
	return report;
}

TASK_TEST(measured_waits_and_holds)
{
	struct rill_lock_stats *stats;
	struct rill_mutex m;
	struct call c[4];

	CHECK(rill_lock_stats_create(NULL, &stats), ==, 0);
	rill_mutex_init(&m);
	/* taken before: its end has no time */
	CHECK(rill_mutex_lock(&m), ==, 0);
	rill_mutex_measure(&m, stats);
	for (unsigned i = 0; i < 4; i++) {
		c[i] = (struct call){.fn = lock_sleep_unlock, .obj = &m};
		call_start(&c[i]);
	}
	CHECK(call_abort(&c[3]), ==, -ECANCELED);
	rill_mutex_unlock(&m);
	for (unsigned i = 0; i < 3; i++)
		CHECK(call_join(&c[i]), ==, 0);
	struct rill_lock_report report = read_stats(stats);

	CHECK(report.taken, ==, 3u);
	CHECK(report.untimed, ==, 1u);
	CHECK(report.wait.count, ==, 3u);
	check_about(report.wait.sum_ns, 30 * RILL_MS);
	CHECK(report.hold.count, ==, 3u);
	check_about(report.hold.sum_ns, 30 * RILL_MS);
	check_about(report.hold.max_ns, 10 * RILL_MS);
	check_free(&m);
	CHECK(read_stats(stats).taken, ==, 4u);
	rill_mutex_measure(&m, NULL);
	check_free(&m);
	CHECK(read_stats(stats).taken, ==, 4u);
	rill_lock_stats_destroy(stats);
	return NULL;
}

TASK_TEST(measured_also_in_a_select)
{
	struct rill_lock_stats *stats;
	struct rill_mutex a, b;
	struct call either = {.fn = lock_either, .obj = &a, .other = &b};

	CHECK(rill_lock_stats_create(NULL, &stats), ==, 0);
	rill_mutex_init(&a);
	rill_mutex_init(&b);
	rill_mutex_measure(&a, stats);
	rill_mutex_measure(&b, stats);
	CHECK(rill_mutex_lock(&a), ==, 0);
	CHECK(rill_mutex_lock(&b), ==, 0);
	call_start(&either);
	CHECK(rill_sleep(10 * RILL_MS), ==, 0);
	rill_mutex_unlock(&a);
	rill_mutex_unlock(&b);
	CHECK(call_join(&either), >=, 0);
	struct rill_lock_report report = read_stats(stats);

	CHECK(report.taken, ==, 3u);
	CHECK(report.wait.count, ==, 1u);
	check_about(report.wait.sum_ns, 10 * RILL_MS);
	CHECK(report.hold.count, ==, 3u);
	rill_mutex_measure(&a, NULL);
	rill_mutex_measure(&b, NULL);
	rill_lock_stats_destroy(stats);
	return NULL;
}

TASK_TEST(more_holders_than_the_stats_can_time)
{
	struct rill_lock_stats_options o = {RILL_OPTIONS(o), .holders = 1};
	struct rill_lock_stats *stats;
	struct rill_lock_report report;
	struct rill_mutex a, b;

	CHECK(rill_lock_stats_create(&o, &stats), ==, 0);
	rill_mutex_init(&a);
	rill_mutex_init(&b);
	rill_mutex_measure(&a, stats);
	rill_mutex_measure(&b, stats);
	CHECK(rill_mutex_lock(&a), ==, 0);
	CHECK(rill_mutex_lock(&b), ==, 0);
	rill_mutex_unlock(&a);
	rill_mutex_unlock(&b);
	report = read_stats(stats);
	CHECK(report.taken, ==, 2u);
	CHECK(report.untimed, ==, 1u);
	CHECK(report.hold.count, ==, 1u);
	rill_lock_stats_destroy(stats);
	return NULL;
}

/* Locked by one and unlocked by the other, and again. */
TASK_TEST(hold_ends_with_whoever_unlocks)
{
	struct rill_lock_stats_options o = {RILL_OPTIONS(o), .holders = 2};
	struct rill_lock_stats *stats;
	struct rill_lock_report report;
	struct rill_mutex m;

	CHECK(rill_lock_stats_create(&o, &stats), ==, 0);
	rill_mutex_init(&m);
	rill_mutex_measure(&m, stats);
	for (unsigned i = 0; i < 10; i++) {
		struct call c = {.fn = unlock_only, .obj = &m};

		CHECK(i % 2 ? rill_mutex_try_lock(&m) : rill_mutex_lock(&m), ==, 0);
		call_start(&c);
		CHECK(call_join(&c), ==, 0);
	}
	check_free(&m);
	report = read_stats(stats);
	CHECK(report.taken, ==, 11u);
	CHECK(report.untimed, ==, 0u);
	CHECK(report.hold.count, ==, 11u);
	rill_mutex_measure(&m, NULL);
	rill_lock_stats_destroy(stats);
	return NULL;
}

static void stats_and_their_buckets(void **state)
{
	struct rill_lock_stats_options o = {RILL_OPTIONS(o), .min_ns = 100, .max_ns = 50};
	struct rill_lock_stats *stats;
	uint64_t low, high, next, count, sum = 0;
	struct rill_mutex m;

	assert_int_equal(rill_lock_stats_create(&o, &stats), -EINVAL);
	o = (struct rill_lock_stats_options){RILL_OPTIONS(o), .precision = 7};
	assert_int_equal(rill_lock_stats_create(&o, &stats), -EINVAL);
	o = (struct rill_lock_stats_options){.size = 1};
	assert_int_equal(rill_lock_stats_create(&o, &stats), -EINVAL);
	o.size = sizeof(o) + 1;
	assert_int_equal(rill_lock_stats_create(&o, &stats), -EINVAL);
	rill_lock_stats_destroy(NULL);

	o = (struct rill_lock_stats_options){RILL_OPTIONS(o), .min_ns = 1024, .max_ns = 1 << 20};
	assert_int_equal(rill_lock_stats_create(&o, &stats), 0);
	rill_mutex_init(&m);
	rill_mutex_measure(&m, stats);
	for (unsigned i = 0; i < 10; i++)
		check_free(&m);
	unsigned n = rill_lock_stats_buckets(stats);

	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(rill_lock_stats_range(stats, i, &low, &high), 0);
		assert_true(low < high && (i == 0 ? low == 0 : low == next));
		next = high;
		assert_int_equal(rill_lock_stats_count(stats, RILL_LOCK_HOLD, i, &count), 0);
		sum += count;
	}
	assert_true(next == UINT64_MAX);
	assert_int_equal(sum, 10);
	assert_int_equal(rill_lock_stats_range(stats, n, &low, &high), -EINVAL);
	assert_int_equal(rill_lock_stats_count(stats, RILL_LOCK_HOLD, n, &count), -EINVAL);
	assert_int_equal(rill_lock_stats_count(stats, (enum rill_lock_time)2, 0, &count), -EINVAL);
	rill_lock_stats_destroy(stats);
}

struct shared {
	struct rill_mutex m;
	uint64_t plain; /* guarded by m, and by nothing else */
	RILL_ATOMIC(uint64_t) done;
};

static void hold_for_a_moment(struct shared *s, bool yield)
{
	uint64_t was = s->plain;

	if (yield)
		rill_yield();
	s->plain = was + 1;
}

static void *lock_often(void *arg)
{
	struct shared *s = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		if (rill_mutex_lock(&s->m) < 0)
			break;
		hold_for_a_moment(s, i % 16 == 0);
		rill_fetch_add_relaxed(&s->done, 1);
		rill_mutex_unlock(&s->m);
	}
	return NULL;
}

static struct shared *shared_init(struct shared *s)
{
	*s = (struct shared){0};
	rill_mutex_init(&s->m);
	return s;
}

STRESS_TEST(stress_excludes)
{
	struct rill_task *t[TASKS];
	struct shared s;

	shared_init(&s);
	for (unsigned i = 0; i < TASKS; i++)
		t[i] = spawn(lock_often, &s);
	for (unsigned i = 0; i < TASKS; i++)
		join(t[i]);
	CHECK(s.plain, ==, (uint64_t)TASKS * ROUNDS);
	check_free(&s.m);
	return NULL;
}

STRESS_TEST(stress_with_plain_threads)
{
	struct rill_task *t[20];
	pthread_t threads[2];
	struct shared s;

	shared_init(&s);
	for (unsigned i = 0; i < 2; i++)
		threads[i] = thread_start(lock_often, &s);
	for (unsigned i = 0; i < 20; i++)
		t[i] = spawn(lock_often, &s);
	for (unsigned i = 0; i < 20; i++)
		join(t[i]);
	for (unsigned i = 0; i < 2; i++)
		thread_join(threads[i]);
	CHECK(s.plain, ==, (uint64_t)22 * ROUNDS);
	check_free(&s.m);
	return NULL;
}

STRESS_TEST(stress_abort_loses_no_lock)
{
	struct rill_task *t[TASKS];
	struct rill_rand rand;
	struct shared s;

	rill_rand_init(&rand, 7);
	shared_init(&s);
	for (unsigned i = 0; i < TASKS; i++)
		t[i] = spawn(lock_often, &s);
	for (unsigned i = 0; i < TASKS; i++) {
		if (rill_rand_below(&rand, 2))
			rill_abort(t[i]);
		if (rill_rand_below(&rand, 4) == 0)
			rill_yield();
	}
	for (unsigned i = 0; i < TASKS; i++)
		join(t[i]);
	CHECK(s.plain, ==, s.done);
	check_free(&s.m);
	return NULL;
}

static void *select_often(void *arg)
{
	struct shared *s = arg; /* two of them */

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct rill_case cases[2];

		rill_case_mutex_lock(&cases[0], &s[0].m);
		rill_case_mutex_lock(&cases[1], &s[1].m);
		int at = rill_select(cases, 2, 0);

		CHECK(at, >=, 0);
		hold_for_a_moment(&s[at], i % 16 == 0);
		rill_fetch_add_relaxed(&s[at].done, 1);
		rill_mutex_unlock(&s[at].m);
	}
	return NULL;
}

STRESS_TEST(stress_select_of_two)
{
	struct rill_task *t[60];
	struct shared s[2];

	shared_init(&s[0]);
	shared_init(&s[1]);
	for (unsigned i = 0; i < 60; i++)
		t[i] = spawn(i % 3 ? select_often : lock_often, &s[0]);
	for (unsigned i = 0; i < 60; i++)
		join(t[i]);
	CHECK(s[0].plain, ==, s[0].done);
	CHECK(s[1].plain, ==, s[1].done);
	CHECK(s[0].plain + s[1].plain, ==, (uint64_t)60 * ROUNDS);
	check_free(&s[0].m);
	check_free(&s[1].m);
	return NULL;
}

/* One object measures many locks, which come and go, and is read meanwhile. */
STRESS_TEST(stress_measured)
{
	struct rill_lock_stats *stats;
	struct rill_task *t[60];
	struct shared s[2];

	CHECK(rill_lock_stats_create(NULL, &stats), ==, 0);
	shared_init(&s[0]);
	shared_init(&s[1]);
	rill_mutex_measure(&s[0].m, stats);
	for (unsigned i = 0; i < 60; i++)
		t[i] = spawn(i % 3 ? select_often : lock_often, &s[0]);
	rill_mutex_measure(&s[1].m, stats);
	for (unsigned i = 0; i < 20; i++) {
		struct rill_lock_report report = read_stats(stats);

		CHECK(report.taken, <=, (uint64_t)60 * ROUNDS);
		rill_yield();
	}
	for (unsigned i = 0; i < 60; i++)
		join(t[i]);
	struct rill_lock_report report = read_stats(stats);

	CHECK(s[0].plain + s[1].plain, ==, (uint64_t)60 * ROUNDS);
	/* but for those that were on their way when it began */
	CHECK(report.taken, <=, (uint64_t)60 * ROUNDS);
	CHECK(report.hold.count + report.untimed, >=, report.taken);
	CHECK(report.wait.count, <=, report.taken);
	rill_lock_stats_destroy(stats);
	return NULL;
}

struct last_user {
	struct rill_mutex m;
	unsigned users; /* guarded by m */
};

static void *use_and_free(void *arg)
{
	struct last_user *u = arg;

	CHECK(rill_mutex_lock(&u->m), ==, 0);
	bool last = --u->users == 0;

	rill_mutex_unlock(&u->m);
	if (last)
		free(u);
	return NULL;
}

/* Who gets the lock last may free it, however short ago the one before unlocked it. */
STRESS_TEST(stress_last_holder_frees)
{
	for (unsigned i = 0; i < STRESS(2000); i++) {
		struct last_user *u = malloc(sizeof(*u));
		struct rill_task *t[3];

		RILL_ASSERT(u);
		rill_mutex_init(&u->m);
		u->users = 3;
		for (unsigned j = 0; j < 3; j++)
			t[j] = spawn(use_and_free, u);
		for (unsigned j = 0; j < 3; j++)
			join(t[j]);
	}
	return NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trylock_fails_while_held),
		cmocka_unit_test(longest_waiter_is_next),
		cmocka_unit_test(unlock_hands_over_without_barging),
		cmocka_unit_test(aborted_waiter_leaves_the_queue),
		cmocka_unit_test(abort_after_the_hand_over_does_not_lose_the_lock),
		cmocka_unit_test(deadline_and_token_end_the_wait),
		cmocka_unit_test(another_task_may_unlock),
		cmocka_unit_test(select_passes_the_second_lock_on),
		cmocka_unit_test(loop_without_a_wait_yields_and_ends),
		cmocka_unit_test(each_lock_spends_budget),
		cmocka_unit_test(measured_waits_and_holds),
		cmocka_unit_test(measured_also_in_a_select),
		cmocka_unit_test(more_holders_than_the_stats_can_time),
		cmocka_unit_test(hold_ends_with_whoever_unlocks),
		cmocka_unit_test(stats_and_their_buckets),
		cmocka_unit_test(stress_excludes),
		cmocka_unit_test(stress_with_plain_threads),
		cmocka_unit_test(stress_abort_loses_no_lock),
		cmocka_unit_test(stress_select_of_two),
		cmocka_unit_test(stress_measured),
		cmocka_unit_test(stress_last_holder_frees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
