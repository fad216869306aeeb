/* SPDX-License-Identifier: BSD-3-Clause */
/* A task's stack has served others before: nothing of them is left. */
#include <errno.h>
#include <rill/group.h>
#include <stdlib.h>

#include "tests/unit/runtime/rt.h"

static void *nothing(void *arg)
{
	return arg;
}

static void not_called(void *arg)
{
	abort();
}

/* ---- tasks that leave something behind ---- */

static void *with_options(void)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .name = "named", .budget = 7, .user = &o};
	struct rill_task *t;

	RILL_ASSERT_CMP(rill_spawn_with(&o, nothing, NULL, &t), ==, 0);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return t;
}

static void *pinned(void)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .placement = RILL_PLACE_PINNED,
				       .worker = RILL_WORKER_SELF};
	struct rill_task *t;

	RILL_ASSERT_CMP(rill_spawn_with(&o, nothing, NULL, &t), ==, 0);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return t;
}

static void *blocking(void)
{
	struct rill_task *t;

	RILL_ASSERT_CMP(rill_spawn_blocking(NULL, nothing, NULL, &t), ==, 0);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return t;
}

static void *note_self(void *arg)
{
	*(struct rill_task **)arg = rill_task_current();
	return NULL;
}

static void *in_a_nursery(void)
{
	struct rill_nursery n;
	struct rill_task *t = NULL;

	rill_nursery_begin(&n, NULL);
	RILL_ASSERT_CMP(rill_nursery_spawn(&n, note_self, &t), ==, 0);
	RILL_ASSERT_CMP(rill_nursery_end(&n, NULL), ==, 0);
	return t;
}

static struct rill_task *joined(void *(*fn)(void *), int expected)
{
	struct rill_task *t = spawn(fn, NULL);

	RILL_ASSERT_CMP(rill_join(t, NULL), ==, expected);
	return t;
}

static void *set_user(void *arg)
{
	rill_task_set_user(NULL, &arg);
	return NULL;
}

static void *user_set(void)
{
	return joined(set_user, 0);
}

static void *open_unconstrained(void *arg)
{
	rill_unconstrained_begin();
	return NULL;
}

static void *unconstrained(void)
{
	return joined(open_unconstrained, 0);
}

static struct rill_cleanup left;

static void *leave_cleanup(void *arg)
{
	rill_cleanup_push(&left, not_called, NULL);
	return NULL;
}

static void *cleanup_left(void)
{
	return joined(leave_cleanup, 0);
}

static void *fail_self(void *arg)
{
	rill_fail("on purpose");
}

static void *failed(void)
{
	return joined(fail_self, RILL_JOIN_FAILED);
}

static void *abort_self(void *arg)
{
	rill_abort(rill_task_current());
	RILL_ASSERT_CMP(rill_yield(), ==, -ECANCELED);
	return NULL;
}

static void *aborted(void)
{
	return joined(abort_self, RILL_JOIN_ABORTED);
}

/* A late abort by a handle, which must not reach the next one on the stack. */
static void *aborted_late(void)
{
	struct rill_task *t = spawn(nothing, NULL);
	struct rill_abort_handle h = rill_abort_handle(t);

	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	rill_abort_by(h);
	return t;
}

static void *leave_scope(void *arg)
{
	static struct rill_scope scope;

	rill_scope_begin(&scope, 1, NULL);
	RILL_ASSERT_CMP(rill_yield(), ==, -ETIMEDOUT);
	return NULL;
}

static void *scope_left(void)
{
	return joined(leave_scope, 0);
}

/* ---- the one after ---- */

static void *is_new(void *arg)
{
	const struct rill_task *t = rill_task_current();

	RILL_ASSERT(t == arg); /* else this proves nothing */
	RILL_ASSERT(rill_task_name(NULL)[0] == '\0');
	RILL_ASSERT(!rill_task_user(NULL));
	RILL_ASSERT_CMP(t->budget, ==, t->rt->o.budget);
	RILL_ASSERT(!t->owner && !t->cleanups && !t->blocking && !t->monitor && !t->waiter.scope);
	RILL_ASSERT(!t->locals && !t->timer_worker && !t->wait_what);
	RILL_ASSERT_CMP(t->place, ==, 0);
	RILL_ASSERT_CMP(t->status, ==, 0);
	RILL_ASSERT_CMP(t->unconstrained, ==, 0);
	RILL_ASSERT(!t->abort_seen && !t->ready && !rill_task_aborted(t));
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	return t->rt;
}

static void *one_after_another(void *arg)
{
	static void *(*const before[])(void) = {
		with_options, pinned, blocking, in_a_nursery, user_set,	  unconstrained,
		cleanup_left, failed, aborted,	aborted_late, scope_left,
	};

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(before); i++) {
		void *value = NULL;

		RILL_ASSERT_CMP(rill_join(spawn(is_new, before[i]()), &value), ==, 0);
		RILL_ASSERT(value == arg);
	}
	return NULL;
}

static void test_nothing_is_left(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, one_after_another, rt);
	stop(rt);
}

/* ---- from where nobody can ---- */

static void test_arguments(void **state)
{
	struct rill_task *t;

	assert_int_equal(rill_spawn(nothing, NULL, &t), -EINVAL);
	assert_int_equal(rill_spawn(NULL, NULL, &t), -EINVAL);
}

static void *without_function(void *arg)
{
	struct rill_task *t;

	RILL_ASSERT_CMP(rill_spawn(NULL, NULL, &t), ==, -EINVAL);
	return NULL;
}

static void test_no_function(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, without_function, NULL);
	stop(rt);
}

/* ---- without a slot for what comes next ---- */

static void *append(void *arg)
{
	char **at = arg;

	*(*at)++ = 'x';
	return NULL;
}

static void *spawn_some(void *arg)
{
	char text[4] = "", *at = text;
	struct rill_task *tasks[3];

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(tasks); i++)
		tasks[i] = spawn(append, &at);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(tasks); i++)
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), ==, 0);
	RILL_ASSERT(at == text + 3);
	return NULL;
}

static void test_no_lifo(void **state)
{
	struct rill_runtime *rt = start(
		(struct rill_runtime_options){.flavor = RILL_CURRENT_THREAD, .no_lifo = true});

	run(rt, spawn_some, NULL);
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_left),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_no_function),
		cmocka_unit_test(test_no_lifo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
