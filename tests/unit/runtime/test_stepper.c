/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/runtime/rt.h"

#include <rill/test.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rill_stepper *make(struct rill_stepper_options o)
{
	struct rill_stepper *s = NULL;

	o.size = sizeof(o);
	assert_int_equal(rill_stepper_create(&o, &s), 0);
	return s;
}

static struct rill_task *begin(struct rill_stepper *s, void *(*fn)(void *), void *arg)
{
	struct rill_task *t = NULL;

	assert_int_equal(rill_stepper_spawn(s, "stepped", fn, arg, &t), 0);
	return t;
}

static void expect_result(struct rill_stepper *s, struct rill_task *t, int status, void *value)
{
	struct rill_outcome out;

	assert_true(rill_stepper_is_finished(s, t));
	rill_stepper_result(s, t, &out);
	assert_int_equal(out.status, status);
	assert_ptr_equal(out.value, value);
}

/* ---- slices ---- */

struct course {
	struct gate gate, other;
	int at;
};

static void course_init(struct course *c)
{
	*c = (struct course){0};
	gate_init(&c->gate);
	gate_init(&c->other);
}

static void *go_through(void *arg)
{
	struct course *c = arg;

	c->at = 1;
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	c->at = 2;
	RILL_ASSERT_CMP(gate_wait(&c->gate), ==, 0);
	c->at = 3;
	return c;
}

static void test_one_slice_at_a_time(void **state)
{
	struct rill_stepper *s = make((struct rill_stepper_options){0});
	struct course c;

	course_init(&c);
	struct rill_task *t = begin(s, go_through, &c);

	assert_int_equal(c.at, 0);
	assert_true(rill_stepper_is_woken(s, t));
	assert_false(rill_stepper_is_parked(s, t));
	assert_int_equal(rill_stepper_step(s, t), RILL_STEP_YIELDED);
	assert_int_equal(c.at, 1);
	assert_true(rill_stepper_is_woken(s, t));
	assert_int_equal(rill_stepper_step(s, t), RILL_STEP_PARKED);
	assert_int_equal(c.at, 2);
	assert_true(rill_stepper_is_parked(s, t));
	assert_false(rill_stepper_is_woken(s, t));
	assert_string_equal(rill_stepper_waits_for(s, t), "gate");
	assert_int_equal(rill_stepper_step(s, t), -EAGAIN);
	assert_int_equal(rill_stepper_wake_count(s, t), 0);
	gate_post(&c.gate);
	assert_true(rill_stepper_is_woken(s, t));
	assert_false(rill_stepper_is_parked(s, t));
	assert_int_equal(rill_stepper_wake_count(s, t), 1);
	assert_int_equal(c.at, 2);
	assert_int_equal(rill_stepper_step(s, t), RILL_STEP_FINISHED);
	assert_int_equal(c.at, 3);
	assert_int_equal(rill_stepper_wake_count(s, t), 1);
	assert_string_equal(rill_stepper_waits_for(s, t), "");
	assert_false(rill_stepper_is_woken(s, t));
	assert_false(rill_stepper_is_parked(s, t));
	assert_int_equal(rill_stepper_step(s, t), -ESRCH);
	expect_result(s, t, 0, &c);
	rill_stepper_destroy(s);
}

/* No slice is run that was not asked for. */
static void test_others_stand_still(void **state)
{
	struct rill_stepper *s = make((struct rill_stepper_options){0});
	struct course a, b;

	course_init(&a);
	course_init(&b);
	struct rill_task *ta = begin(s, go_through, &a), *tb = begin(s, go_through, &b);

	assert_int_equal(rill_stepper_step_until_idle(s, tb), RILL_STEP_PARKED);
	assert_int_equal(b.at, 2);
	assert_int_equal(a.at, 0);
	gate_post(&b.gate);
	assert_int_equal(rill_stepper_step_until_idle(s, tb), RILL_STEP_FINISHED);
	assert_int_equal(a.at, 0);
	gate_post(&a.gate);
	/* two slices: the gate is open by then */
	assert_int_equal(rill_stepper_run_until_idle(s), 2);
	assert_int_equal(a.at, 3);
	assert_int_equal(rill_stepper_run_until_idle(s), 0);
	expect_result(s, ta, 0, &a);
	expect_result(s, tb, 0, &b);
	rill_stepper_destroy(s);
}

static void *first_of_two(void *arg)
{
	struct course *c = arg;
	struct rill_case cases[2];

	for (int i = 0; i < 2; i++) {
		gate_case(&cases[0], &c->gate);
		gate_case(&cases[1], &c->other);
		RILL_ASSERT_CMP(rill_select(cases, 2, RILL_SELECT_BIASED), ==, i);
		c->at++;
	}
	return NULL;
}

static void test_wakes_are_counted(void **state)
{
	struct rill_stepper *s = make((struct rill_stepper_options){0});
	struct course c;

	course_init(&c);
	struct rill_task *t = begin(s, first_of_two, &c);

	assert_int_equal(rill_stepper_step_until_idle(s, t), RILL_STEP_PARKED);
	gate_post(&c.gate);
	gate_post(&c.other);
	assert_int_equal(rill_stepper_wake_count(s, t), 1);
	assert_int_equal(rill_stepper_step_until_idle(s, t), RILL_STEP_FINISHED);
	assert_int_equal(c.at, 2);
	assert_int_equal(rill_stepper_wake_count(s, t), 1);
	rill_stepper_destroy(s);
}

/* ---- time ---- */

static void *sleep_twice(void *arg)
{
	struct course *c = arg;

	for (int i = 0; i < 2; i++) {
		uint64_t t0 = rill_now();

		RILL_ASSERT_CMP(rill_sleep(10 * RILL_MS), ==, 0);
		RILL_ASSERT_CMP(rill_now(), ==, t0 + 10 * RILL_MS);
		c->at++;
	}
	return NULL;
}

static void test_time_moves_when_told(void **state)
{
	struct rill_stepper *s = make((struct rill_stepper_options){0});
	uint64_t t0 = rill_stepper_now(s);
	struct course c;

	course_init(&c);
	struct rill_task *t = begin(s, sleep_twice, &c);

	assert_int_equal(rill_stepper_run_until_idle(s), 1);
	assert_true(rill_stepper_now(s) == t0);
	assert_string_equal(rill_stepper_waits_for(s, t), "sleep");
	rill_stepper_advance(s, 10 * RILL_MS - 1);
	assert_true(rill_stepper_is_parked(s, t));
	rill_stepper_advance(s, 1);
	assert_true(rill_stepper_is_woken(s, t));
	assert_int_equal(c.at, 0);
	assert_int_equal(rill_stepper_step(s, t), RILL_STEP_PARKED);
	assert_int_equal(c.at, 1);
	/* nobody is run, however far it goes */
	rill_stepper_advance(s, 10 * RILL_MS);
	assert_int_equal(c.at, 1);
	assert_int_equal(rill_stepper_step(s, t), RILL_STEP_FINISHED);
	assert_true(rill_stepper_now(s) == t0 + 20 * RILL_MS);
	assert_int_equal(rill_stepper_wake_count(s, t), 2);
	rill_stepper_destroy(s);
}

static void *advance_inside(void *arg)
{
	RILL_ASSERT_CMP(rill_clock_advance(10 * RILL_MS), ==, 0);
	return NULL;
}

static void test_a_task_may_advance(void **state)
{
	struct rill_stepper *s = make((struct rill_stepper_options){0});
	struct course c;

	course_init(&c);
	struct rill_task *sleeper = begin(s, sleep_twice, &c);
	struct rill_task *t = begin(s, advance_inside, NULL);

	assert_int_equal(rill_stepper_step(s, sleeper), RILL_STEP_PARKED);
	assert_int_equal(rill_stepper_step(s, t), RILL_STEP_YIELDED);
	assert_true(rill_stepper_is_woken(s, sleeper));
	assert_int_equal(rill_stepper_step(s, t), RILL_STEP_FINISHED);
	assert_int_equal(rill_stepper_step(s, sleeper), RILL_STEP_PARKED);
	rill_stepper_advance(s, 10 * RILL_MS);
	assert_int_equal(rill_stepper_step(s, sleeper), RILL_STEP_FINISHED);
	rill_stepper_destroy(s);
}

/* ---- families ---- */

static void *child(void *arg)
{
	struct course *c = arg;

	c->at++;
	RILL_ASSERT_CMP(gate_wait(&c->gate), ==, 0);
	c->at++;
	return NULL;
}

static void *parent(void *arg)
{
	struct rill_task *t = spawn(child, arg);

	RILL_ASSERT_CMP(rill_spawn(child, arg, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return arg;
}

static void test_children_are_stepped_too(void **state)
{
	struct rill_stepper *s = make((struct rill_stepper_options){0});
	struct course c;

	course_init(&c);
	struct rill_task *t = begin(s, parent, &c);

	assert_int_equal(rill_stepper_step(s, t), RILL_STEP_PARKED);
	assert_string_equal(rill_stepper_waits_for(s, t), "join");
	assert_int_equal(c.at, 0);
	assert_int_equal(rill_stepper_run_until_idle(s), 2);
	assert_int_equal(c.at, 2);
	gate_post(&c.gate);
	gate_post(&c.gate);
	assert_int_equal(rill_stepper_run_until_idle(s), 3);
	assert_int_equal(c.at, 4);
	expect_result(s, t, 0, &c);
	rill_stepper_destroy(s);
}

/* ---- ends ---- */

static void *until_cancelled(void *arg)
{
	struct course *c = arg;
	struct rill_scope shield;

	RILL_ASSERT_CMP(gate_wait(&c->gate), ==, -ECANCELED);
	c->at = 1;
	rill_scope_begin_shield(&shield);
	RILL_ASSERT_CMP(rill_sleep(RILL_SEC), ==, 0);
	rill_scope_end(&shield);
	c->at = 2;
	return NULL;
}

static void test_cancel(void **state)
{
	struct rill_stepper *s = make((struct rill_stepper_options){0});
	struct course c;

	course_init(&c);
	struct rill_task *t = begin(s, until_cancelled, &c);
	struct rill_task *unborn = begin(s, go_through, &c);

	assert_int_equal(rill_stepper_step(s, t), RILL_STEP_PARKED);
	/* its clean-up takes a second of the stepper's time */
	assert_int_equal(rill_stepper_cancel(s, t), RILL_STEP_PARKED);
	assert_int_equal(c.at, 1);
	rill_stepper_advance(s, RILL_SEC);
	assert_int_equal(rill_stepper_cancel(s, t), RILL_STEP_FINISHED);
	assert_int_equal(c.at, 2);
	assert_int_equal(rill_stepper_cancel(s, t), RILL_STEP_FINISHED);
	expect_result(s, t, RILL_JOIN_ABORTED, NULL);
	assert_int_equal(rill_stepper_cancel(s, unborn), RILL_STEP_FINISHED);
	assert_int_equal(c.at, 2);
	expect_result(s, unborn, RILL_JOIN_ABORTED, NULL);
	rill_stepper_destroy(s);
}

static void *fails(void *arg)
{
	rill_fail("no %s", "luck");
}

static void test_failure_is_a_result(void **state)
{
	struct rill_stepper *s = make((struct rill_stepper_options){0});
	struct rill_task *t = begin(s, fails, NULL);
	struct rill_outcome out;

	assert_int_equal(rill_stepper_step(s, t), RILL_STEP_FINISHED);
	rill_stepper_result(s, t, &out);
	assert_int_equal(out.status, RILL_JOIN_FAILED);
	assert_string_equal(out.reason, "no luck");
	assert_string_equal(out.name, "stepped");
	rill_stepper_destroy(s);
}

static bool family_ended;

/* Waits for a child which waits for nothing that will come. */
static void *family_of_waiters(void *arg)
{
	struct rill_task *t = spawn(until_cancelled, arg);

	RILL_ASSERT_CMP(rill_join(t, NULL), ==, -ECANCELED);
	rill_detach(t);
	family_ended = true;
	return NULL;
}

static void test_destroy_ends_all(void **state)
{
	struct rill_stepper *s = make((struct rill_stepper_options){0});
	struct course cleaning, unborn, family;

	course_init(&cleaning);
	course_init(&unborn);
	course_init(&family);
	assert_int_equal(rill_stepper_step(s, begin(s, until_cancelled, &cleaning)),
			 RILL_STEP_PARKED);
	assert_int_equal(rill_stepper_step(s, begin(s, family_of_waiters, &family)),
			 RILL_STEP_PARKED);
	assert_int_equal(rill_stepper_run_until_idle(s), 1);
	begin(s, go_through, &unborn);
	rill_stepper_destroy(s);
	assert_int_equal(cleaning.at, 2);
	assert_int_equal(unborn.at, 0);
	assert_int_equal(family.at, 2);
	assert_true(family_ended);
	rill_stepper_destroy(NULL);
}

/* ---- threads ---- */

static void *called(void *arg)
{
	return arg;
}

static void *call_blocking(void *arg)
{
	void *value = NULL;

	RILL_ASSERT_CMP(rill_blocking(called, arg, &value), ==, 0);
	return value;
}

/* The pool's thread wakes the task, but does not run it. */
static void test_blocking_call(void **state)
{
	struct rill_stepper *s = make((struct rill_stepper_options){0});
	struct rill_task *t = begin(s, call_blocking, s);
	int r = rill_stepper_step_until_idle(s, t);

	/* it may have been over before the task could wait */
	while (r == RILL_STEP_PARKED) {
		while (!rill_stepper_is_woken(s, t))
			sched_yield();
		r = rill_stepper_step_until_idle(s, t);
	}
	assert_int_equal(r, RILL_STEP_FINISHED);
	expect_result(s, t, 0, s);
	rill_stepper_destroy(s);
}

/* ---- by lot ---- */

#define RUNNERS 6
#define ROUNDS_EACH 4

struct record {
	int n;
	char order[RUNNERS * ROUNDS_EACH + 1];
};

struct runner {
	struct record *record;
	char name;
};

static void *run_in_rounds(void *arg)
{
	struct runner *r = arg;

	for (int i = 0; i < ROUNDS_EACH; i++) {
		r->record->order[r->record->n++] = r->name;
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	}
	return NULL;
}

static struct record order_of(uint64_t seed)
{
	struct rill_stepper *s = make((struct rill_stepper_options){.seed = seed});
	struct runner runners[RUNNERS];
	struct record record = {0};

	for (int i = 0; i < RUNNERS; i++) {
		runners[i] = (struct runner){&record, (char)('a' + i)};
		begin(s, run_in_rounds, &runners[i]);
	}
	assert_int_equal(rill_stepper_run_until_idle(s), RUNNERS * (ROUNDS_EACH + 1));
	rill_stepper_destroy(s);
	return record;
}

static void test_order(void **state)
{
	struct record one = order_of(1);
	int different = 0;

	assert_string_equal(order_of(0).order, "abcdefabcdefabcdefabcdef");
	for (uint64_t seed = 2; seed < 20; seed++) {
		struct record r = order_of(seed);

		assert_string_equal(order_of(seed).order, r.order);
		different += strcmp(r.order, one.order) != 0;
	}
	assert_int_equal(different, 18);
}

/* ---- misuse ---- */

static struct rill_stepper *the_stepper;
static struct rill_task *the_task;

static void *step_inside(void *arg)
{
	rill_stepper_run_until_idle(the_stepper);
	return NULL;
}

static void call_inside(void)
{
	rill_stepper_step(the_stepper, begin(the_stepper, step_inside, NULL));
}

static void *in_circles(void *arg)
{
	while (rill_yield() == 0)
		;
	return NULL;
}

static void step_in_circles(void)
{
	rill_stepper_step_until_idle(the_stepper, begin(the_stepper, in_circles, NULL));
}

static void run_in_circles(void)
{
	begin(the_stepper, in_circles, NULL);
	rill_stepper_run_until_idle(the_stepper);
}

static void result_too_early(void)
{
	struct rill_outcome out;

	rill_stepper_result(the_stepper, the_task, &out);
}

static void step_a_strangers(void)
{
	struct rill_stepper *other = make((struct rill_stepper_options){0});

	rill_stepper_step(other, the_task);
}

static void *let_the_clock_run(void *arg)
{
	RILL_ASSERT_CMP(rill_clock_resume(), ==, 0);
	return NULL;
}

static void resume_inside(void)
{
	rill_stepper_step(the_stepper, begin(the_stepper, let_the_clock_run, NULL));
}

static struct gate nobodys;

static void *never_ends(void *arg)
{
	struct rill_scope shield;

	rill_scope_begin_shield(&shield);
	gate_wait(&nobodys);
	rill_scope_end(&shield);
	return NULL;
}

static void destroy_with_one_that_stays(void)
{
	gate_init(&nobodys);
	rill_stepper_step(the_stepper, begin(the_stepper, never_ends, NULL));
	rill_stepper_destroy(the_stepper);
}

static const struct misuse {
	void (*fn)(void);
	const char *text;
} misuses[] = {
	{call_inside, "run_until_idle(): called inside a task"},
	{step_in_circles, "\"stepped\" is still not idle after max_slices slices"},
	{run_in_circles, "are still not idle after max_slices slices"},
	{result_too_early, "\"stepped\" has not ended"},
	{step_a_strangers, "\"stepped\" is none of this stepper's"},
	{resume_inside, "has let the stepper's clock run on"},
	{destroy_with_one_that_stays, "still waits after its abort, for gate"},
};

/* What the process does that expect_death() starts. */
static int misuse(unsigned i)
{
	struct rill_stepper_options o = {RILL_OPTIONS(o), .max_slices = 100};
	struct course c;

	course_init(&c);
	if (rill_stepper_create(&o, &the_stepper) < 0 ||
	    rill_stepper_spawn(the_stepper, "stepped", go_through, &c, &the_task) < 0)
		return 1;
	misuses[i].fn();
	return 0;
}

static void expect_death(unsigned i)
{
	char said[512] = {0}, number[16];
	int fds[2], status;
	size_t n = 0;
	ssize_t r;

	snprintf(number, sizeof(number), "%u", i);
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		execl("/proc/self/exe", "misuse", number, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	while (n < sizeof(said) - 1 && (r = read(fds[0], said + n, sizeof(said) - 1 - n)) > 0)
		n += (size_t)r;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT || !strstr(said, misuses[i].text))
		fail_msg("misuse %u: status %d, said: %s", i, status, said);
}

static void test_misuse_is_named(void **state)
{
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(misuses); i++)
		expect_death(i);
}

static void *create_inside(void *arg)
{
	struct rill_stepper *s;

	RILL_ASSERT_CMP(rill_stepper_create(NULL, &s), ==, -EDEADLK);
	return NULL;
}

static void test_create(void **state)
{
	struct rill_stepper_options o = {RILL_OPTIONS(o), .stack_size = 1};
	struct rill_runtime *rt = start_current();
	struct rill_stepper *s = NULL;

	assert_int_equal(rill_stepper_create(&o, &s), -EINVAL);
	o.size = 0;
	assert_int_equal(rill_stepper_create(&o, &s), -EINVAL);
	assert_null(s);
	run(rt, create_inside, NULL);
	stop(rt);
	assert_int_equal(rill_stepper_create(NULL, &s), 0);
	assert_int_equal(rill_runtime_flavor(rill_stepper_runtime(s)), RILL_CURRENT_THREAD);
	rill_stepper_destroy(s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_slice_at_a_time),
		cmocka_unit_test(test_others_stand_still),
		cmocka_unit_test(test_wakes_are_counted),
		cmocka_unit_test(test_time_moves_when_told),
		cmocka_unit_test(test_a_task_may_advance),
		cmocka_unit_test(test_children_are_stepped_too),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_failure_is_a_result),
		cmocka_unit_test(test_destroy_ends_all),
		cmocka_unit_test(test_blocking_call),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_misuse_is_named),
		cmocka_unit_test(test_create),
	};

	if (argc > 1)
		return misuse((unsigned)strtoul(argv[1], NULL, 10));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
