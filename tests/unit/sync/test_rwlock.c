/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/sync/sync_test.h"

#include <sys/wait.h>
#include <unistd.h>

#define TASKS STRESS(1000)
#define ROUNDS 20
#define READERS 4

static int read_unlock(struct call *c)
{
	int r = rill_rwlock_read(c->obj);

	if (r == 0)
		rill_rwlock_unlock_read(c->obj);
	return r;
}

static int write_unlock(struct call *c)
{
	int r = rill_rwlock_write(c->obj);

	if (r == 0)
		rill_rwlock_unlock_write(c->obj);
	return r;
}

static int read_only(struct call *c)
{
	return rill_rwlock_read(c->obj);
}

static struct call a_call(int (*fn)(struct call *), struct rill_rwlock *l, unsigned *clock)
{
	return (struct call){.fn = fn, .obj = l, .clock = clock};
}

static void check_free(struct rill_rwlock *l)
{
	CHECK(rill_rwlock_try_write(l), ==, 0);
	rill_rwlock_unlock_write(l);
}

static void init_max(struct rill_rwlock *l, uint32_t max)
{
	CHECK(rill_rwlock_init_max(l, max), ==, 0);
}

/* ---- limits ---- */

static void limits_of_readers(void **state)
{
	struct rill_rwlock l;

	assert_int_equal(rill_rwlock_init_max(&l, 0), -EINVAL);
	assert_int_equal(rill_rwlock_init_max(&l, RILL_RWLOCK_READERS_MAX + 1), -EINVAL);
	assert_int_equal(rill_rwlock_init_max(&l, UINT32_MAX), -EINVAL);
	init_max(&l, RILL_RWLOCK_READERS_MAX);
	check_free(&l);
	init_max(&l, 2);
	assert_int_equal(rill_rwlock_try_read(&l), 0);
	assert_int_equal(rill_rwlock_try_read(&l), 0);
	assert_int_equal(rill_rwlock_try_read(&l), -EBUSY);
	rill_rwlock_unlock_read(&l);
	assert_int_equal(rill_rwlock_read(&l), 0);
	rill_rwlock_unlock_read(&l);
	rill_rwlock_unlock_read(&l);
	check_free(&l);
}

static void expect_death(void (*fn)(struct rill_rwlock *), struct rill_rwlock *l)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		/* its last words are expected */
		fclose(stderr);
		fn(l);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
}

static void unlocking_what_is_free_is_an_assertion(void **state)
{
	struct rill_rwlock l;

	rill_rwlock_init(&l);
	expect_death(rill_rwlock_unlock_read, &l);
	expect_death(rill_rwlock_unlock_write, &l);
	expect_death(rill_rwlock_downgrade, &l);
	assert_int_equal(rill_rwlock_read(&l), 0);
	expect_death(rill_rwlock_unlock_write, &l);
	expect_death(rill_rwlock_downgrade, &l);
	rill_rwlock_unlock_read(&l);
	check_free(&l);
}

/* ---- who excludes whom ---- */

static void readers_share_and_writers_do_not(void **state)
{
	struct rill_rwlock l;

	rill_rwlock_init(&l);
	assert_int_equal(rill_rwlock_read(&l), 0);
	assert_int_equal(rill_rwlock_try_read(&l), 0);
	assert_int_equal(rill_rwlock_try_write(&l), -EBUSY);
	rill_rwlock_unlock_read(&l);
	assert_int_equal(rill_rwlock_try_write(&l), -EBUSY);
	rill_rwlock_unlock_read(&l);
	assert_int_equal(rill_rwlock_write(&l), 0);
	assert_int_equal(rill_rwlock_try_write(&l), -EBUSY);
	assert_int_equal(rill_rwlock_try_read(&l), -EBUSY);
	rill_rwlock_unlock_write(&l);
	check_free(&l);
}

TASK_TEST(writer_waits_for_the_last_reader)
{
	struct rill_rwlock l;
	unsigned clock = 0;
	struct call w = a_call(write_unlock, &l, &clock);

	rill_rwlock_init(&l);
	CHECK(rill_rwlock_read(&l), ==, 0);
	CHECK(rill_rwlock_read(&l), ==, 0);
	call_start(&w);
	rill_rwlock_unlock_read(&l);
	CHECK(rill_yield(), ==, 0);
	CHECK(clock, ==, 0u);
	rill_rwlock_unlock_read(&l);
	/* handed over: nobody gets in before the writer has run */
	CHECK(rill_rwlock_try_read(&l), ==, -EBUSY);
	CHECK(call_join(&w), ==, 0);
	check_free(&l);
	return NULL;
}

TASK_TEST(queued_writer_keeps_later_readers_out)
{
	struct rill_rwlock l;
	unsigned clock = 0;
	struct call w = a_call(write_unlock, &l, &clock), r = a_call(read_unlock, &l, &clock);

	rill_rwlock_init(&l);
	CHECK(rill_rwlock_read(&l), ==, 0);
	call_start(&w);
	CHECK(rill_rwlock_try_read(&l), ==, -EBUSY);
	call_start(&r);
	CHECK(clock, ==, 0u);
	rill_rwlock_unlock_read(&l);
	CHECK(call_join(&w), ==, 0);
	CHECK(call_join(&r), ==, 0);
	CHECK(w.turn, ==, 1u);
	CHECK(r.turn, ==, 2u);
	check_free(&l);
	return NULL;
}

TASK_TEST(cancelled_writer_lets_the_readers_behind_it_in)
{
	struct rill_rwlock l;
	struct call w = a_call(write_unlock, &l, NULL);
	struct call r[2], next = a_call(write_unlock, &l, NULL), late = a_call(read_only, &l, NULL);

	rill_rwlock_init(&l);
	CHECK(rill_rwlock_read(&l), ==, 0);
	call_start(&w);
	for (unsigned i = 0; i < 2; i++) {
		r[i] = a_call(read_only, &l, NULL);
		call_start(&r[i]);
	}
	call_start(&next);
	call_start(&late);
	CHECK(call_abort(&w), ==, -ECANCELED);
	for (unsigned i = 0; i < 2; i++)
		CHECK(call_join(&r[i]), ==, 0);
	CHECK(next.result, ==, 1);
	CHECK(late.result, ==, 1);
	for (unsigned i = 0; i < 3; i++)
		rill_rwlock_unlock_read(&l);
	CHECK(call_join(&next), ==, 0);
	CHECK(call_join(&late), ==, 0);
	rill_rwlock_unlock_read(&l);
	check_free(&l);
	return NULL;
}

TASK_TEST(deadline_and_token_end_the_wait)
{
	struct rill_rwlock l;
	struct call late = a_call(write_unlock, &l, NULL);
	struct call cancelled = a_call(read_unlock, &l, NULL), patient = cancelled;

	rill_rwlock_init(&l);
	late.deadline_ns = rill_after(RILL_SEC);
	CHECK(rill_token_create(&cancelled.token), ==, 0);
	CHECK(rill_rwlock_write(&l), ==, 0);
	call_start(&late);
	call_start(&cancelled);
	call_start(&patient);
	CHECK(call_join(&late), ==, -ETIMEDOUT);
	rill_token_cancel(cancelled.token);
	CHECK(call_join(&cancelled), ==, -ECANCELED);
	rill_rwlock_unlock_write(&l);
	CHECK(call_join(&patient), ==, 0);
	check_free(&l);
	rill_token_unref(cancelled.token);
	return NULL;
}

TASK_TEST(abort_after_the_hand_over_does_not_lose_the_lock)
{
	struct rill_rwlock l;
	struct call w = a_call(write_unlock, &l, NULL), r = a_call(read_unlock, &l, NULL);
	struct call next = w;

	rill_rwlock_init(&l);
	CHECK(rill_rwlock_write(&l), ==, 0);
	call_start(&w);
	call_start(&r);
	call_start(&next);
	rill_rwlock_unlock_write(&l);
	call_abort(&w);
	call_abort(&r);
	CHECK(call_join(&next), ==, 0);
	check_free(&l);
	return NULL;
}

TASK_TEST(more_readers_than_allowed_wait)
{
	struct rill_rwlock l;
	unsigned clock = 0;
	struct call r[3];

	init_max(&l, 2);
	for (unsigned i = 0; i < 3; i++) {
		r[i] = a_call(read_only, &l, &clock);
		call_start(&r[i]);
	}
	CHECK(clock, ==, 2u);
	rill_rwlock_unlock_read(&l);
	for (unsigned i = 0; i < 3; i++)
		CHECK(call_join(&r[i]), ==, 0);
	rill_rwlock_unlock_read(&l);
	rill_rwlock_unlock_read(&l);
	check_free(&l);
	return NULL;
}

/* A read inside a read waits for the writer in between, who waits for the outer read. */
TASK_TEST(reading_again_behind_a_writer_waits)
{
	struct rill_rwlock l;
	struct call w = a_call(write_unlock, &l, NULL);
	struct call again = a_call(read_unlock, &l, NULL);

	rill_rwlock_init(&l);
	CHECK(rill_rwlock_read(&l), ==, 0);
	call_start(&w);
	again.deadline_ns = rill_after(RILL_SEC);
	call_start(&again);
	CHECK(call_join(&again), ==, -ETIMEDOUT);
	rill_rwlock_unlock_read(&l);
	CHECK(call_join(&w), ==, 0);
	check_free(&l);
	return NULL;
}

/* ---- downgrade ---- */

TASK_TEST(downgrade_lets_the_first_readers_in_and_no_writer)
{
	struct rill_rwlock l;
	unsigned clock = 0;
	struct call r[2], w = a_call(write_unlock, &l, &clock),
			  late = a_call(read_unlock, &l, &clock);

	rill_rwlock_init(&l);
	CHECK(rill_rwlock_write(&l), ==, 0);
	for (unsigned i = 0; i < 2; i++) {
		r[i] = a_call(read_only, &l, &clock);
		call_start(&r[i]);
	}
	call_start(&w);
	call_start(&late);
	rill_rwlock_downgrade(&l);
	for (unsigned i = 0; i < 2; i++)
		CHECK(call_join(&r[i]), ==, 0);
	CHECK(clock, ==, 2u);
	rill_rwlock_unlock_read(&l);
	rill_rwlock_unlock_read(&l);
	CHECK(rill_yield(), ==, 0);
	CHECK(clock, ==, 2u);
	rill_rwlock_unlock_read(&l);
	CHECK(call_join(&w), ==, 0);
	CHECK(w.turn, ==, 3u);
	CHECK(call_join(&late), ==, 0);
	check_free(&l);
	return NULL;
}

TASK_TEST(downgrade_keeps_a_queued_writer_out)
{
	struct rill_rwlock l;
	struct call w = a_call(write_unlock, &l, NULL);

	for (uint32_t max = 1; max <= 3; max++) {
		init_max(&l, max);
		CHECK(rill_rwlock_write(&l), ==, 0);
		call_start(&w);
		rill_rwlock_downgrade(&l);
		CHECK(rill_yield(), ==, 0);
		CHECK(w.result, ==, 1);
		rill_rwlock_unlock_read(&l);
		CHECK(call_join(&w), ==, 0);
		check_free(&l);
	}
	return NULL;
}

/* ---- select ---- */

static int lock_either(struct call *c)
{
	struct rill_case cases[2];

	rill_case_rwlock_write(&cases[0], c->obj);
	rill_case_rwlock_read(&cases[1], c->other);
	int i = rill_select(cases, 2, 0);

	if (i < 0)
		return i;
	CHECK(cases[i].result, ==, 0);
	if (i == 0)
		rill_rwlock_unlock_write(c->obj);
	else
		rill_rwlock_unlock_read(c->other);
	return i;
}

TASK_TEST(select_passes_the_second_lock_on)
{
	for (unsigned round = 0; round < 20; round++) {
		struct rill_rwlock a, b;
		struct call either = {.fn = lock_either, .obj = &a, .other = &b};
		struct call wants_a = a_call(read_unlock, &a, NULL);
		struct call wants_b = a_call(write_unlock, &b, NULL);

		rill_rwlock_init(&a);
		rill_rwlock_init(&b);
		CHECK(rill_rwlock_read(&a), ==, 0);
		CHECK(rill_rwlock_write(&b), ==, 0);
		call_start(&either);
		call_start(&wants_a);
		call_start(&wants_b);
		/* both are handed to the select before it runs */
		rill_rwlock_unlock_read(&a);
		rill_rwlock_unlock_write(&b);
		CHECK(call_join(&either), >=, 0);
		CHECK(call_join(&wants_a), ==, 0);
		CHECK(call_join(&wants_b), ==, 0);
		check_free(&a);
		check_free(&b);
	}
	return NULL;
}

/* ---- others ---- */

static int unlock_write_only(struct call *c)
{
	rill_rwlock_unlock_write(c->obj);
	return 0;
}

TASK_TEST(another_task_may_unlock)
{
	struct rill_rwlock l;
	struct call c = a_call(unlock_write_only, &l, NULL);

	rill_rwlock_init(&l);
	CHECK(rill_rwlock_write(&l), ==, 0);
	call_start(&c);
	CHECK(rill_rwlock_read(&l), ==, 0);
	call_join(&c);
	rill_rwlock_unlock_read(&l);
	check_free(&l);
	return NULL;
}

static int write_read_forever(struct call *c)
{
	for (;;) {
		int r = rill_rwlock_write(c->obj);

		if (r < 0)
			return r;
		rill_rwlock_downgrade(c->obj);
		r = rill_rwlock_read(c->obj);
		rill_rwlock_unlock_read(c->obj);
		if (r < 0)
			return r;
		rill_rwlock_unlock_read(c->obj);
	}
}

TASK_TEST(loop_without_a_wait_yields_and_ends)
{
	struct rill_rwlock l;
	struct call c = a_call(write_read_forever, &l, NULL);

	rill_rwlock_init(&l);
	call_start(&c);
	CHECK(call_abort(&c), ==, -ECANCELED);
	check_free(&l);
	return NULL;
}

static int read_sleep(struct call *c)
{
	int r = rill_rwlock_read(c->obj);

	if (r < 0)
		return r;
	r = rill_sleep(10 * RILL_MS);
	rill_rwlock_unlock_read(c->obj);
	return r;
}

TASK_TEST(measured_waits_and_holds)
{
	struct rill_lock_stats *stats;
	struct rill_lock_report report;
	struct rill_rwlock l;
	struct call r[3];

	CHECK(rill_lock_stats_create(NULL, &stats), ==, 0);
	rill_rwlock_init(&l);
	rill_rwlock_measure(&l, stats);
	CHECK(rill_rwlock_write(&l), ==, 0);
	for (unsigned i = 0; i < 3; i++) {
		r[i] = a_call(read_sleep, &l, NULL);
		call_start(&r[i]);
	}
	CHECK(rill_sleep(20 * RILL_MS), ==, 0);
	/* the writer's hold goes on as a reader's */
	rill_rwlock_downgrade(&l);
	for (unsigned i = 0; i < 3; i++)
		CHECK(call_join(&r[i]), ==, 0);
	rill_rwlock_unlock_read(&l);
	CHECK(rill_lock_stats_read(stats, &report), ==, 0);
	CHECK(report.taken, ==, 4u);
	CHECK(report.untimed, ==, 0u);
	CHECK(report.wait.count, ==, 3u);
	CHECK(report.wait.sum_ns, >=, 60 * RILL_MS);
	CHECK(report.wait.sum_ns, <, 61 * RILL_MS);
	CHECK(report.hold.count, ==, 4u);
	CHECK(report.hold.sum_ns, >=, 60 * RILL_MS);
	CHECK(report.hold.sum_ns, <, 61 * RILL_MS);
	CHECK(report.hold.max_ns, >=, 30 * RILL_MS);
	rill_rwlock_measure(&l, NULL);
	rill_lock_stats_destroy(stats);
	return NULL;
}

/* ---- stress ---- */

struct shared {
	struct rill_rwlock l;
	RILL_ATOMIC(int) readers;
	RILL_ATOMIC(uint64_t) writes;
	uint64_t plain; /* guarded by l, and by nothing else */
};

static void read_a_while(struct shared *sh, bool yield)
{
	uint64_t was = sh->plain;

	CHECK(rill_fetch_add_relaxed(&sh->readers, 1), <, READERS);
	if (yield)
		rill_yield();
	CHECK(sh->plain, ==, was);
	rill_fetch_sub_relaxed(&sh->readers, 1);
}

static void write_a_while(struct shared *sh, bool yield)
{
	uint64_t was = sh->plain;

	CHECK(rill_load_relaxed(&sh->readers), ==, 0);
	if (yield)
		rill_yield();
	sh->plain = was + 1;
	rill_fetch_add_relaxed(&sh->writes, 1);
}

static int use_once(struct shared *sh, unsigned i)
{
	int r = i % 3 ? rill_rwlock_read(&sh->l) : rill_rwlock_write(&sh->l);

	if (r < 0)
		return r;
	if (i % 3) {
		read_a_while(sh, i % 7 == 0);
		rill_rwlock_unlock_read(&sh->l);
		return 0;
	}
	write_a_while(sh, i % 5 == 0);
	if (i % 2) {
		rill_rwlock_unlock_write(&sh->l);
		return 0;
	}
	rill_rwlock_downgrade(&sh->l);
	read_a_while(sh, i % 4 == 0);
	rill_rwlock_unlock_read(&sh->l);
	return 0;
}

static void *use_often(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++)
		if (use_once(arg, i) < 0)
			break;
	return NULL;
}

static void *select_often(void *arg)
{
	struct shared *sh = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct rill_case cases[2];

		rill_case_rwlock_read(&cases[0], &sh->l);
		rill_case_rwlock_write(&cases[1], &sh->l);
		int at = rill_select(cases, 2, 0);

		if (at < 0)
			break;
		CHECK(cases[at].result, ==, 0);
		if (at == 0) {
			read_a_while(sh, i % 4 == 0);
			rill_rwlock_unlock_read(&sh->l);
		} else {
			write_a_while(sh, i % 4 == 0);
			rill_rwlock_unlock_write(&sh->l);
		}
	}
	return NULL;
}

STRESS_TEST(stress_excludes_and_loses_no_lock)
{
	struct rill_task **t = calloc(TASKS, sizeof(*t));
	struct shared sh = {0};
	struct rill_rand rand;
	pthread_t threads[2];

	RILL_ASSERT(t);
	rill_rand_init(&rand, 9);
	init_max(&sh.l, READERS);
	for (unsigned i = 0; i < 2; i++)
		threads[i] = thread_start(i ? select_often : use_often, &sh);
	for (unsigned i = 0; i < TASKS; i++)
		t[i] = spawn(i % 4 ? use_often : select_often, &sh);
	for (unsigned i = 0; i < TASKS; i++) {
		if (rill_rand_below(&rand, 3) == 0)
			rill_abort(t[i]);
		if (rill_rand_below(&rand, 8) == 0)
			rill_yield();
	}
	for (unsigned i = 0; i < TASKS; i++)
		join(t[i]);
	for (unsigned i = 0; i < 2; i++)
		thread_join(threads[i]);
	CHECK(sh.plain, ==, sh.writes);
	CHECK(sh.readers, ==, 0);
	check_free(&sh.l);
	free(t);
	return NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_of_readers),
		cmocka_unit_test(unlocking_what_is_free_is_an_assertion),
		cmocka_unit_test(readers_share_and_writers_do_not),
		cmocka_unit_test(writer_waits_for_the_last_reader),
		cmocka_unit_test(queued_writer_keeps_later_readers_out),
		cmocka_unit_test(cancelled_writer_lets_the_readers_behind_it_in),
		cmocka_unit_test(deadline_and_token_end_the_wait),
		cmocka_unit_test(abort_after_the_hand_over_does_not_lose_the_lock),
		cmocka_unit_test(more_readers_than_allowed_wait),
		cmocka_unit_test(reading_again_behind_a_writer_waits),
		cmocka_unit_test(downgrade_lets_the_first_readers_in_and_no_writer),
		cmocka_unit_test(downgrade_keeps_a_queued_writer_out),
		cmocka_unit_test(select_passes_the_second_lock_on),
		cmocka_unit_test(another_task_may_unlock),
		cmocka_unit_test(loop_without_a_wait_yields_and_ends),
		cmocka_unit_test(measured_waits_and_holds),
		cmocka_unit_test(stress_excludes_and_loses_no_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
