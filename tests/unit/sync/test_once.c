/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/sync/sync_test.h"

static int forty_two, seven;

/* ---- rill_set_once ---- */

static int wait_set(struct call *c)
{
	void *value = NULL;
	int r = rill_set_once_wait(c->obj, &value);

	c->msg = (uint64_t)(uintptr_t)value;
	return r;
}

static void set_once_is_set_once(void **state)
{
	static struct rill_set_once s; /* zeros will do */
	void *value = NULL;

	assert_false(rill_set_once_is_set(&s));
	assert_null(rill_set_once_get(&s));
	assert_int_equal(rill_set_once_set(&s, &forty_two), 0);
	assert_int_equal(rill_set_once_set(&s, &seven), -EEXIST);
	assert_true(rill_set_once_is_set(&s));
	assert_ptr_equal(rill_set_once_get(&s), &forty_two);
	assert_int_equal(rill_set_once_wait(&s, &value), 0);
	assert_ptr_equal(value, &forty_two);
	assert_int_equal(rill_set_once_wait(&s, NULL), 0);
}

static void null_is_a_value(void **state)
{
	struct rill_set_once s;
	struct rill_once_cell cell;
	void *value = &seven;

	rill_set_once_init(&s);
	assert_int_equal(rill_set_once_set(&s, NULL), 0);
	assert_true(rill_set_once_is_set(&s));
	assert_int_equal(rill_set_once_wait(&s, &value), 0);
	assert_null(value);
	assert_int_equal(rill_set_once_set(&s, &seven), -EEXIST);

	rill_once_cell_init(&cell);
	assert_int_equal(rill_once_cell_set(&cell, NULL), 0);
	assert_true(rill_once_cell_is_set(&cell));
	assert_int_equal(rill_once_cell_set(&cell, &seven), -EEXIST);
}

TASK_TEST(set_wakes_all_who_wait)
{
	struct rill_set_once s;
	struct call c[3];

	rill_set_once_init(&s);
	for (unsigned i = 0; i < 3; i++) {
		c[i] = (struct call){.fn = wait_set, .obj = &s};
		call_start(&c[i]);
	}
	CHECK(rill_set_once_set(&s, &seven), ==, 0);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(call_join(&c[i]), ==, 0);
		CHECK(c[i].msg, ==, (uint64_t)(uintptr_t)&seven);
	}
	return NULL;
}

TASK_TEST(cancelled_wait_leaves_nothing_behind)
{
	struct rill_set_once s;
	struct call aborted = {.fn = wait_set, .obj = &s}, cancelled = aborted, patient = aborted;
	struct call late = {.fn = wait_set, .obj = &s, .deadline_ns = rill_after(RILL_SEC)};

	rill_set_once_init(&s);
	call_start(&aborted);
	CHECK(call_abort(&aborted), ==, -ECANCELED);
	CHECK(rill_token_create(&cancelled.token), ==, 0);
	call_start(&cancelled);
	rill_token_cancel(cancelled.token);
	CHECK(call_join(&cancelled), ==, -ECANCELED);
	rill_token_unref(cancelled.token);
	call_start(&late);
	CHECK(call_join(&late), ==, -ETIMEDOUT);
	CHECK(late.msg, ==, 0u);
	call_start(&patient);
	call_start(&aborted);
	CHECK(rill_set_once_set(&s, &seven), ==, 0);
	/* it was woken first, and says so */
	CHECK(call_abort(&aborted), ==, 0);
	CHECK(aborted.msg, ==, (uint64_t)(uintptr_t)&seven);
	CHECK(call_join(&patient), ==, 0);
	return NULL;
}

static int set_or_notified(struct call *c)
{
	struct rill_case cases[2];
	void *value = NULL;

	rill_case_notify(&cases[0], c->other);
	rill_case_set_once(&cases[1], c->obj, &value);
	int r = rill_select(cases, 2, RILL_SELECT_BIASED);

	c->msg = (uint64_t)(uintptr_t)value;
	return r;
}

TASK_TEST(set_once_in_a_select)
{
	struct rill_set_once s;
	struct rill_notify n;
	struct call c = {.fn = set_or_notified, .obj = &s, .other = &n};

	rill_set_once_init(&s);
	rill_notify_init(&n);
	call_start(&c);
	CHECK(rill_set_once_set(&s, &seven), ==, 0);
	rill_notify_one(&n);
	/* both are there, and the one that did not win says nothing */
	CHECK(call_join(&c), ==, 0);
	CHECK(c.msg, ==, 0u);
	CHECK(set_or_notified(&c), ==, 1);
	CHECK(c.msg, ==, (uint64_t)(uintptr_t)&seven);
	return NULL;
}

/* ---- rill_once_cell ---- */

static int give_arg(void *arg, void **ret_value)
{
	*ret_value = arg;
	return 0;
}

static int fail_with(void *arg, void **ret_value)
{
	*ret_value = &seven;
	return (int)(intptr_t)arg;
}

static int must_not_run(void *arg, void **ret_value)
{
	RILL_ASSERT(false);
	return 0;
}

static void cell_is_set_once_and_taken(void **state)
{
	static struct rill_once_cell cell; /* zeros will do */

	assert_false(rill_once_cell_is_set(&cell));
	assert_null(rill_once_cell_get(&cell));
	assert_null(rill_once_cell_take(&cell));
	assert_int_equal(rill_once_cell_set(&cell, &seven), 0);
	assert_int_equal(rill_once_cell_set(&cell, &forty_two), -EEXIST);
	assert_ptr_equal(rill_once_cell_get(&cell), &seven);
	assert_ptr_equal(rill_once_cell_take(&cell), &seven);
	assert_false(rill_once_cell_is_set(&cell));
	assert_null(rill_once_cell_get(&cell));
	assert_int_equal(rill_once_cell_set(&cell, &forty_two), 0);
	assert_ptr_equal(rill_once_cell_get(&cell), &forty_two);
}

static void initialised_by_the_first_who_asks(void **state)
{
	struct rill_once_cell cell;
	void *value = NULL;

	rill_once_cell_init(&cell);
	assert_int_equal(rill_once_cell_get_or_init(&cell, give_arg, &seven, &value), 0);
	assert_ptr_equal(value, &seven);
	value = NULL;
	assert_int_equal(rill_once_cell_get_or_init(&cell, must_not_run, NULL, &value), 0);
	assert_ptr_equal(value, &seven);
	assert_int_equal(rill_once_cell_set(&cell, &forty_two), -EEXIST);
}

static void failed_initialiser_leaves_it_empty(void **state)
{
	struct rill_once_cell cell;
	void *value = &forty_two;

	rill_once_cell_init(&cell);
	assert_int_equal(
		rill_once_cell_get_or_init(&cell, fail_with, (void *)(intptr_t)-EIO, &value), -EIO);
	assert_ptr_equal(value, &forty_two);
	assert_false(rill_once_cell_is_set(&cell));
	assert_int_equal(rill_once_cell_get_or_init(&cell, give_arg, &seven, &value), 0);
	assert_ptr_equal(value, &seven);
}

/* An initialiser that waits to be told how to end. */
struct slow {
	struct rill_once_cell cell;
	struct rill_notify go;
	int result;
	void (*leave)(void);
	unsigned begun;
};

static int slow_init(void *arg, void **ret_value)
{
	struct slow *s = arg;

	s->begun++;
	int r = rill_notify_wait(&s->go);

	if (r < 0)
		return r;
	if (s->leave)
		s->leave();
	*ret_value = &forty_two;
	return s->result;
}

static int ask_slow(struct call *c)
{
	struct slow *s = c->obj;
	void *value = NULL;
	int r = rill_once_cell_get_or_init(&s->cell, slow_init, s, &value);

	c->msg = (uint64_t)(uintptr_t)value;
	return r;
}

static void slow_start(struct slow *s, struct call *c, unsigned n)
{
	*s = (struct slow){0};
	rill_once_cell_init(&s->cell);
	rill_notify_init(&s->go);
	for (unsigned i = 0; i < n; i++) {
		c[i] = (struct call){.fn = ask_slow, .obj = s};
		call_start(&c[i]);
	}
	CHECK(s->begun, ==, 1u);
}

/* The one that leads now is told to go on, and succeeds; so all others do. */
static void slow_succeed(struct slow *s, struct call *c, unsigned n)
{
	s->leave = NULL;
	s->result = 0;
	rill_notify_one(&s->go);
	for (unsigned i = 0; i < n; i++) {
		CHECK(call_join(&c[i]), ==, 0);
		CHECK(c[i].msg, ==, (uint64_t)(uintptr_t)&forty_two);
	}
}

TASK_TEST(one_initialises_while_the_others_wait)
{
	struct call c[3];
	struct slow s;

	slow_start(&s, c, 3);
	CHECK(rill_once_cell_set(&s.cell, &seven), ==, -EBUSY);
	RILL_ASSERT(!rill_once_cell_is_set(&s.cell));
	RILL_ASSERT(!rill_once_cell_get(&s.cell));
	slow_succeed(&s, c, 3);
	CHECK(s.begun, ==, 1u);
	RILL_ASSERT(rill_once_cell_get(&s.cell) == &forty_two);
	return NULL;
}

TASK_TEST(after_a_failure_the_longest_waiter_starts_its_own)
{
	struct call c[3];
	struct slow s;

	slow_start(&s, c, 3);
	s.result = -EIO;
	rill_notify_one(&s.go);
	CHECK(call_join(&c[0]), ==, -EIO);
	/* It is spoken for, also before the next one runs. */
	CHECK(rill_once_cell_set(&s.cell, &seven), ==, -EBUSY);
	while (s.begun < 2)
		CHECK(rill_yield(), ==, 0);
	slow_succeed(&s, c + 1, 2);
	CHECK(s.begun, ==, 2u);
	return NULL;
}

TASK_TEST(aborted_initialiser_makes_room)
{
	struct call c[2];
	struct slow s;

	slow_start(&s, c, 2);
	CHECK(call_abort(&c[0]), ==, -ECANCELED);
	slow_succeed(&s, c + 1, 1);
	CHECK(s.begun, ==, 2u);
	return NULL;
}

static void exit_task(void)
{
	rill_exit(NULL);
}

static void fail_task(void)
{
	rill_fail("on purpose");
}

TASK_TEST(initialiser_that_exits_or_fails_makes_room)
{
	void (*const ways[])(void) = {exit_task, fail_task};

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(ways); i++) {
		struct call c[2];
		struct slow s;

		slow_start(&s, c, 2);
		s.leave = ways[i];
		rill_notify_one(&s.go);
		CHECK(rill_join(c[0].task, NULL), ==, i == 0 ? 0 : RILL_JOIN_FAILED);
		slow_succeed(&s, c + 1, 1);
		CHECK(s.begun, ==, 2u);
	}
	return NULL;
}

TASK_TEST(cancelled_waiter_takes_no_turn)
{
	struct call c[3];
	struct slow s;

	slow_start(&s, c, 3);
	CHECK(call_abort(&c[1]), ==, -ECANCELED);
	s.result = -EIO;
	rill_notify_one(&s.go);
	CHECK(call_join(&c[0]), ==, -EIO);
	slow_succeed(&s, c + 2, 1);
	CHECK(s.begun, ==, 2u);
	return NULL;
}

TASK_TEST(abort_after_the_promise_passes_the_turn_on)
{
	struct call c[3];
	struct slow s;

	slow_start(&s, c, 3);
	s.result = -EIO;
	rill_notify_one(&s.go);
	CHECK(call_join(&c[0]), ==, -EIO);
	/* It was promised the turn, and its initialiser may have begun. */
	CHECK(call_abort(&c[1]), ==, -ECANCELED);
	slow_succeed(&s, c + 2, 1);
	return NULL;
}

static int ask_again(void *arg, void **ret_value)
{
	return rill_once_cell_get_or_init(arg, give_arg, &seven, ret_value);
}

static void asking_inside_is_a_deadlock(void **state)
{
	struct rill_once_cell cell;
	void *value;

	rill_once_cell_init(&cell);
	assert_int_equal(rill_once_cell_get_or_init(&cell, ask_again, &cell, &value), -EDEADLK);
	assert_int_equal(rill_once_cell_get_or_init(&cell, give_arg, &seven, &value), 0);
	assert_ptr_equal(value, &seven);
}

/* ---- under load ---- */

struct race {
	struct rill_once_cell cell;
	struct rill_set_once done;
	RILL_ATOMIC(uint32_t) inside, succeeded, won;
	RILL_ATOMIC(uint64_t) seed;
	int target;
};

/* Fails mostly, and takes its time. */
static int race_init(void *arg, void **ret_value)
{
	struct race *r = arg;
	struct rill_rand rand;

	CHECK(rill_fetch_add_relaxed(&r->inside, 1), ==, 0u);
	rill_rand_init(&rand, rill_fetch_add_relaxed(&r->seed, 1));
	rill_yield();
	bool fails = rill_rand_below(&rand, 50) != 0;

	CHECK(rill_fetch_sub_relaxed(&r->inside, 1), ==, 1u);
	if (fails)
		return -EIO;
	rill_fetch_add_relaxed(&r->succeeded, 1);
	*ret_value = &r->target;
	return 0;
}

static void *race_for_it(void *arg)
{
	struct race *r = arg;
	struct rill_rand rand;
	void *value = NULL;
	int result;

	rill_rand_init(&rand, rill_fetch_add_relaxed(&r->seed, 1));
	do {
		struct rill_scope scope;

		rill_scope_begin(&scope, rill_after(rill_rand_below(&rand, 300) * RILL_US), NULL);
		result = rill_once_cell_get_or_init(&r->cell, race_init, r, &value);
		if (result == 0 && rill_rand_below(&rand, 2) == 0)
			rill_set_once_wait(&r->done, NULL);
		rill_scope_end(&scope);
	} while (result != 0);
	RILL_ASSERT(value == &r->target);
	RILL_ASSERT(rill_once_cell_get(&r->cell) == value);
	if (rill_set_once_set(&r->done, value) == 0)
		rill_fetch_add_relaxed(&r->won, 1);
	CHECK(rill_set_once_wait(&r->done, &value), ==, 0);
	RILL_ASSERT(value == &r->target);
	return NULL;
}

STRESS_TEST(stress_one_succeeds)
{
	enum { TASKS = STRESS(1000), THREADS = 2 };
	struct rill_task **t = malloc(TASKS * sizeof(struct rill_task *));
	pthread_t threads[THREADS];

	for (unsigned round = 0; round < 3; round++) {
		struct race r = {.seed = round * 10000 + 1};

		for (unsigned i = 0; i < TASKS; i++)
			t[i] = spawn(race_for_it, &r);
		for (unsigned i = 0; i < THREADS; i++)
			threads[i] = thread_start(race_for_it, &r);
		for (unsigned i = 0; i < TASKS; i++)
			join(t[i]);
		for (unsigned i = 0; i < THREADS; i++)
			thread_join(threads[i]);
		CHECK(r.succeeded, ==, 1u);
		CHECK(r.won, ==, 1u);
	}
	free(t);
	return NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_once_is_set_once),
		cmocka_unit_test(null_is_a_value),
		cmocka_unit_test(set_wakes_all_who_wait),
		cmocka_unit_test(cancelled_wait_leaves_nothing_behind),
		cmocka_unit_test(set_once_in_a_select),
		cmocka_unit_test(cell_is_set_once_and_taken),
		cmocka_unit_test(initialised_by_the_first_who_asks),
		cmocka_unit_test(failed_initialiser_leaves_it_empty),
		cmocka_unit_test(one_initialises_while_the_others_wait),
		cmocka_unit_test(after_a_failure_the_longest_waiter_starts_its_own),
		cmocka_unit_test(aborted_initialiser_makes_room),
		cmocka_unit_test(initialiser_that_exits_or_fails_makes_room),
		cmocka_unit_test(cancelled_waiter_takes_no_turn),
		cmocka_unit_test(abort_after_the_promise_passes_the_turn_on),
		cmocka_unit_test(asking_inside_is_a_deadlock),
		cmocka_unit_test(stress_one_succeeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
