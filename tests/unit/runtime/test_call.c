/* SPDX-License-Identifier: BSD-3-Clause */
/* Joins of the task that comes next, which run it at once. */
#include <errno.h>
#include <rill/dump.h>

#include "tests/unit/runtime/rt.h"

static void *nothing(void *arg)
{
	return arg;
}

/* ---- nested ---- */

static void *fib(void *arg)
{
	uintptr_t n = (uintptr_t)arg;
	void *a, *b;

	if (n < 2)
		return arg;
	/* Some of the calls are given up in the middle. */
	if (n % 3 == 0)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	struct rill_task *left = spawn(fib, (void *)(n - 1));
	struct rill_task *right = spawn(fib, (void *)(n - 2));

	RILL_ASSERT_CMP(rill_join(right, &b), ==, 0);
	RILL_ASSERT_CMP(rill_join(left, &a), ==, 0);
	return (void *)((uintptr_t)a + (uintptr_t)b);
}

static void *fibs(void *arg)
{
	void *value;

	RILL_ASSERT_CMP(rill_join(spawn(fib, (void *)12), &value), ==, 0);
	RILL_ASSERT_CMP((uintptr_t)value, ==, 144u);
	return NULL;
}

static void test_nested(void **state)
{
	in_each_flavor(fibs, NULL);
}

static void *dig(void *arg)
{
	uintptr_t depth = (uintptr_t)arg;

	if (depth == 0)
		return (void *)(uintptr_t)(rill_yield() == 0);
	void *value;

	RILL_ASSERT_CMP(rill_join(spawn(dig, (void *)(depth - 1)), &value), ==, 0);
	return value;
}

/* The innermost yields, and all of its callers are parked. */
static void *dig_deep(void *arg)
{
	RILL_ASSERT(dig((void *)100) == (void *)1);
	return NULL;
}

static void test_all_callers_are_parked(void **state)
{
	in_each_flavor(dig_deep, NULL);
}

/* ---- a caller that is aborted ---- */

struct family {
	struct rill_task *parent, *child;
	bool go;
};

/* Leaves its slice, so that its parent sees the abort, and waits for what the parent does then. */
static void *abort_parent(void *arg)
{
	struct family *f = arg;

	rill_abort(f->parent);
	while (!rill_load_relaxed(&f->go))
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	return f;
}

static void *has_bad_child(void *arg)
{
	struct family *f = arg;
	struct rill_scope shield;
	void *value = NULL;

	f->parent = rill_task_current();
	f->child = spawn(abort_parent, f);
	RILL_ASSERT_CMP(rill_join(f->child, &value), ==, -ECANCELED);
	RILL_ASSERT(!rill_is_finished(f->child));
	rill_store_relaxed(&f->go, true);
	rill_scope_begin_shield(&shield);
	RILL_ASSERT_CMP(rill_join(f->child, &value), ==, 0);
	rill_scope_end(&shield);
	RILL_ASSERT(value == f);
	return NULL;
}

static void *aborted(void *arg)
{
	struct family f = {.go = false};

	RILL_ASSERT_CMP(rill_join(spawn(has_bad_child, &f), NULL), ==, RILL_JOIN_ABORTED);
	return NULL;
}

static void test_abort(void **state)
{
	in_each_flavor(aborted, NULL);
}

/* ---- bounds ---- */

static void *raise_flag(void *arg)
{
	rill_store_relaxed((bool *)arg, true);
	return NULL;
}

/* Calls go on for no longer than other wakes by tasks would: the rest gets its turn. */
static void *call_for_long(void *arg)
{
	bool flag = false;
	struct rill_task *other = spawn(raise_flag, &flag);
	unsigned n = 0;

	for (; !rill_load_relaxed(&flag); n++)
		RILL_ASSERT_CMP(rill_join(spawn(nothing, NULL), NULL), ==, 0);
	RILL_ASSERT_CMP(n, <, 10u);
	RILL_ASSERT_CMP(rill_join(other, NULL), ==, 0);
	return NULL;
}

static void test_others_get_their_turn(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, call_for_long, NULL);
	stop(rt);
}

static void *spend_all(void *arg)
{
	while (rill_has_budget_remaining())
		RILL_ASSERT_CMP(rill_consume_budget(), ==, 0);
	return NULL;
}

/* What the child spends its parent has no more. */
static void *shares_budget(void *arg)
{
	RILL_ASSERT_CMP(rill_join(spawn(spend_all, NULL), NULL), ==, 0);
	RILL_ASSERT(!rill_has_budget_remaining());
	return NULL;
}

static void test_budget(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, shares_budget, NULL);
	stop(rt);
}

/* ---- for those who look on ---- */

static void find_parent(void *ctx, const struct rill_dump_task *t)
{
	struct family *f = ctx;

	if (t->id != rill_task_id(f->parent))
		return;
	RILL_ASSERT(t->state == RILL_DUMP_PARKED);
	RILL_ASSERT(t->wait_obj == f->child);
	RILL_ASSERT_CMP(t->holder, ==, rill_task_id(f->child));
	f->go = true;
}

static void *look_at_parent(void *arg)
{
	struct rill_dump_visitor v = {.ctx = arg, .task = find_parent};

	RILL_ASSERT_CMP(rill_runtime_visit(rill_task_current()->rt, &v), ==, 0);
	return NULL;
}

static void *is_looked_at(void *arg)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .stack_size = 256 << 10};
	struct family f = {.parent = rill_task_current()};

	RILL_ASSERT_CMP(rill_spawn_with(&o, look_at_parent, &f, &f.child), ==, 0);
	RILL_ASSERT_CMP(rill_join(f.child, NULL), ==, 0);
	RILL_ASSERT(f.go);
	return NULL;
}

static void test_dump_shows_the_caller_parked(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, is_looked_at, NULL);
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nested), cmocka_unit_test(test_all_callers_are_parked),
		cmocka_unit_test(test_abort),  cmocka_unit_test(test_others_get_their_turn),
		cmocka_unit_test(test_budget), cmocka_unit_test(test_dump_shows_the_caller_parked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
