/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <rill/group.h>
#include <string.h>

#include "tests/unit/runtime/rt.h"

static void *count(void *arg)
{
	rill_fetch_add_relaxed((unsigned *)arg, 1);
	return NULL;
}

/* What a child does, on its parent's stack. */
struct child {
	RILL_ATOMIC(bool) begun;
	int sleep_result;
	bool ended;
};

static void *sleep_for_ever(void *arg)
{
	struct child *c = arg;
	struct rill_scope shield;

	rill_store_relaxed(&c->begun, true);
	c->sleep_result = rill_sleep(RILL_FOREVER);
	/* Takes its time, abort or not. */
	rill_scope_begin_shield(&shield);
	for (int i = 0; i < 10; i++)
		rill_yield();
	rill_sleep(100 * RILL_US);
	rill_scope_end(&shield);
	c->ended = true;
	return NULL;
}

static void *fails(void *arg)
{
	rill_fail("child %d failed", 3);
}

static void *returns(void *arg)
{
	return arg;
}

/* A child that is aborted before it has begun never runs. */
static void until_begun(const struct child *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		while (!rill_load_relaxed(&c[i].begun))
			rill_yield();
}

static void *children_use_the_stack(void *arg)
{
	struct rill_nursery n;
	unsigned counts[10] = {0};

	rill_nursery_begin(&n, NULL);
	RILL_ASSERT_CMP((int)rill_nursery_len(&n), ==, 0);
	for (int i = 0; i < 100; i++)
		RILL_ASSERT_CMP(rill_nursery_spawn(&n, count, &counts[i % 10]), ==, 0);
	RILL_ASSERT_CMP(rill_nursery_spawn_blocking(&n, NULL, count, &counts[0], NULL), ==, 0);
	RILL_ASSERT_CMP(rill_nursery_end(&n, NULL), ==, 0);
	RILL_ASSERT_CMP(counts[0], ==, 11u);
	for (int i = 1; i < 10; i++)
		RILL_ASSERT_CMP(counts[i], ==, 10u);
	return NULL;
}

static void test_children_use_the_stack(void **state)
{
	in_each_flavor(children_use_the_stack, NULL);
}

static void *scope_ends(void *arg)
{
	struct child children[5] = {0};
	struct rill_outcome o = {.id = 7};
	struct rill_scope scope;
	struct rill_nursery n;

	rill_scope_begin(&scope, rill_after(RILL_MS), NULL);
	rill_nursery_begin(&n, NULL);
	for (int i = 0; i < 5; i++)
		RILL_ASSERT_CMP(rill_nursery_spawn(&n, sleep_for_ever, &children[i]), ==, 0);
	RILL_ASSERT_CMP(rill_nursery_end(&n, &o), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
	for (int i = 0; i < 5; i++)
		RILL_ASSERT(children[i].ended && children[i].sleep_result == -ECANCELED);
	RILL_ASSERT_CMP((int)o.id, ==, 7);
	return NULL;
}

static void test_expired_scope_aborts_and_waits(void **state)
{
	struct rill_runtime *rt = start_paused();

	run(rt, scope_ends, NULL);
	stop(rt);
}

struct parent {
	struct child child;
	int result;
	bool waits;
};

static void *parent(void *arg)
{
	struct parent *p = arg;
	struct rill_nursery n;

	rill_nursery_begin(&n, NULL);
	RILL_ASSERT_CMP(rill_nursery_spawn(&n, sleep_for_ever, &p->child), ==, 0);
	until_begun(&p->child, 1);
	rill_store_release(&p->waits, true);
	p->result = rill_nursery_end(&n, NULL);
	RILL_ASSERT(p->child.ended);
	return NULL;
}

static void *abort_parent(void *arg)
{
	struct parent p = {.result = 1};
	struct rill_task *t = spawn(parent, &p);

	while (!rill_load_acquire(&p.waits))
		rill_yield();
	rill_abort(t);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, RILL_JOIN_ABORTED);
	RILL_ASSERT_CMP(p.result, ==, -ECANCELED);
	RILL_ASSERT(p.child.ended && p.child.sleep_result == -ECANCELED);
	return NULL;
}

static void test_aborted_parent_waits_for_its_children(void **state)
{
	in_each_flavor(abort_parent, NULL);
}

static void *first_failure(void *arg)
{
	struct rill_nursery_options o = {RILL_OPTIONS(o), .abort_on_failure = true};
	struct rill_spawn_options so = {RILL_OPTIONS(so), .name = "unlucky"};
	struct child children[5] = {0};
	struct rill_abort_handle h;
	struct rill_nursery n;
	struct rill_outcome out;

	rill_nursery_begin(&n, &o);
	for (int i = 0; i < 5; i++)
		RILL_ASSERT_CMP(rill_nursery_spawn(&n, sleep_for_ever, &children[i]), ==, 0);
	until_begun(children, 5);
	RILL_ASSERT_CMP(rill_nursery_spawn_with(&n, &so, fails, NULL, &h), ==, 0);
	RILL_ASSERT_CMP(rill_nursery_end(&n, &out), ==, RILL_JOIN_FAILED);
	RILL_ASSERT(out.id == h.id && out.status == RILL_JOIN_FAILED);
	RILL_ASSERT(!strcmp(out.name, "unlucky") && !strcmp(out.reason, "child 3 failed"));
	for (int i = 0; i < 5; i++)
		RILL_ASSERT(children[i].ended && children[i].sleep_result == -ECANCELED);
	return NULL;
}

static void test_first_failure_aborts_the_others(void **state)
{
	in_each_flavor(first_failure, NULL);
}

static void *errors(void *arg)
{
	struct rill_nursery_options o = {RILL_OPTIONS(o), .errors = true};
	struct rill_nursery n;
	struct rill_outcome out;
	unsigned counts = 0;

	/* without the option it is a value like any other */
	rill_nursery_begin(&n, NULL);
	RILL_ASSERT_CMP(rill_nursery_spawn(&n, returns, (void *)-EIO), ==, 0);
	RILL_ASSERT_CMP(rill_nursery_end(&n, NULL), ==, 0);

	/* The others run on. */
	rill_nursery_begin(&n, &o);
	RILL_ASSERT_CMP(rill_nursery_spawn(&n, returns, (void *)-EIO), ==, 0);
	while (rill_nursery_len(&n) > 0)
		rill_yield();
	RILL_ASSERT_CMP(rill_nursery_spawn(&n, returns, (void *)-ENOSPC), ==, 0);
	RILL_ASSERT_CMP(rill_nursery_spawn(&n, returns, (void *)3), ==, 0);
	RILL_ASSERT_CMP(rill_nursery_spawn(&n, count, &counts), ==, 0);
	RILL_ASSERT_CMP(rill_nursery_end(&n, &out), ==, -EIO);
	RILL_ASSERT(out.status == 0 && out.value == (void *)-EIO && counts == 1);
	return NULL;
}

static void test_errors_are_failures(void **state)
{
	in_each_flavor(errors, NULL);
}

static void *aborted(void *arg)
{
	struct rill_nursery_options o = {RILL_OPTIONS(o), .errors = true};
	struct child c = {0};
	struct rill_nursery n;

	rill_nursery_begin(&n, &o);
	RILL_ASSERT_CMP(rill_nursery_spawn(&n, sleep_for_ever, &c), ==, 0);
	until_begun(&c, 1);
	rill_nursery_abort(&n);
	RILL_ASSERT_CMP(rill_nursery_spawn(&n, sleep_for_ever, &c), ==, -ECANCELED);
	RILL_ASSERT_CMP(rill_nursery_end(&n, NULL), ==, 0);
	RILL_ASSERT(c.ended && c.sleep_result == -ECANCELED);
	return NULL;
}

static void test_abort(void **state)
{
	in_each_flavor(aborted, NULL);
}

/* ---- children spawn children ---- */

struct tree {
	struct rill_nursery *n;
	unsigned depth;
	unsigned *leaves;
};

static void *grow(void *arg)
{
	struct tree *t = arg;
	struct tree twigs[2] = {{t->n, t->depth - 1, t->leaves}, {t->n, t->depth - 1, t->leaves}};
	struct rill_nursery own;

	if (t->depth == 0)
		return count(t->leaves);
	rill_nursery_begin(&own, NULL);
	for (int i = 0; i < 2; i++)
		RILL_ASSERT_CMP(rill_nursery_spawn(&own, grow, &twigs[i]), ==, 0);
	/* and one for the trunk */
	RILL_ASSERT_CMP(rill_nursery_spawn(t->n, count, t->leaves), ==, 0);
	RILL_ASSERT_CMP(rill_nursery_end(&own, NULL), ==, 0);
	return NULL;
}

static void *grow_many(void *arg)
{
	for (unsigned i = 0; i < ROUNDS(200); i++) {
		struct rill_nursery n;
		unsigned leaves = 0;
		struct tree t = {&n, 6, &leaves};

		rill_nursery_begin(&n, NULL);
		RILL_ASSERT_CMP(rill_nursery_spawn(&n, grow, &t), ==, 0);
		RILL_ASSERT_CMP(rill_nursery_end(&n, NULL), ==, 0);
		RILL_ASSERT_CMP(leaves, ==, 64u + 63u);
	}
	return NULL;
}

static void test_trees_on_all_workers(void **state)
{
	struct rill_runtime *rt = start_multi(4);

	run(rt, grow_many, NULL);
	assert_int_equal(rill_runtime_live_tasks(rt), 0);
	stop(rt);
}

/* Children end, fail, and are aborted while the nursery ends: its memory is used no more then. */
static void *racing(void *arg)
{
	struct rill_nursery_options o = {RILL_OPTIONS(o), .abort_on_failure = true};

	for (unsigned i = 0; i < ROUNDS(2000); i++) {
		struct rill_nursery n;
		struct rill_outcome out;
		unsigned counts = 0;
		int r = 0;

		rill_nursery_begin(&n, &o);
		for (unsigned j = 0; j < 8 && r == 0; j++)
			r = rill_nursery_spawn(&n, i % 2 && j == i % 8 ? fails : count, &counts);
		RILL_ASSERT(r == 0 || (r == -ECANCELED && i % 2));
		r = rill_nursery_end(&n, &out);
		RILL_ASSERT(i % 2 ? r == RILL_JOIN_FAILED : r == 0 && counts == 8);
		memset(&n, 0xff, sizeof(n));
	}
	return NULL;
}

static void *racing_many(void *arg)
{
	struct rill_nursery n;

	rill_nursery_begin(&n, NULL);
	for (int i = 0; i < 4; i++)
		RILL_ASSERT_CMP(rill_nursery_spawn(&n, racing, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_nursery_end(&n, NULL), ==, 0);
	return NULL;
}

static void test_ends_race(void **state)
{
	struct rill_runtime *rt = start_multi(4);

	run(rt, racing_many, NULL);
	stop(rt);
}

/* ---- exits, threads ---- */

static void *exits_inside(void *arg)
{
	struct child *c = arg;
	struct rill_nursery n;

	rill_nursery_begin(&n, NULL);
	RILL_ASSERT_CMP(rill_nursery_spawn(&n, sleep_for_ever, c), ==, 0);
	until_begun(c, 1);
	rill_exit(c);
}

static void *exit_waits(void *arg)
{
	struct child c = {0};
	void *value;

	RILL_ASSERT_CMP(rill_join(spawn(exits_inside, &c), &value), ==, 0);
	RILL_ASSERT(value == &c && c.ended && c.sleep_result == -ECANCELED);
	return NULL;
}

static void test_exit_inside_waits_for_the_children(void **state)
{
	in_each_flavor(exit_waits, NULL);
}

static void test_plain_thread(void **state)
{
	struct rill_runtime *rt = start_multi(2);
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt};
	struct child c = {0};
	struct rill_nursery n;
	struct rill_scope scope;
	unsigned counts = 0;

	rill_nursery_begin(&n, NULL);
	assert_int_equal(rill_nursery_spawn(&n, count, &counts), -EINVAL);
	for (int i = 0; i < 100; i++)
		assert_int_equal(rill_nursery_spawn_with(&n, &o, count, &counts, NULL), 0);
	assert_int_equal(rill_nursery_end(&n, NULL), 0);
	assert_int_equal(counts, 100);

	rill_scope_begin(&scope, 0, NULL);
	rill_nursery_begin(&n, NULL);
	assert_int_equal(rill_nursery_spawn_with(&n, &o, sleep_for_ever, &c, NULL), 0);
	assert_int_equal(rill_nursery_end(&n, NULL), -ETIMEDOUT);
	rill_scope_end(&scope);
	/* It was aborted before it began, or has ended. */
	assert_true(c.sleep_result == 0 || c.ended);
	stop(rt);
}

/* ---- guard ---- */

static void *sleep_in_gate(void *arg)
{
	return gate_wait(arg) == -ECANCELED ? arg : NULL;
}

static int guarded(struct gate *g, bool leave)
{
	struct rill_task_guard guard __attribute__((cleanup(rill_task_guard_end)));

	rill_task_guard_begin(&guard, spawn(sleep_in_gate, g));
	if (leave)
		return 0;
	gate_post(g);
	int r = rill_task_guard_join(&guard, NULL);

	RILL_ASSERT(!rill_task_guard_take(&guard));
	return r;
}

static void *exits_guarded(void *arg)
{
	struct rill_task_guard guard;

	rill_task_guard_begin(&guard, spawn(sleep_in_gate, arg));
	rill_exit(NULL);
}

static void *guards(void *arg)
{
	struct rill_runtime *rt = rill_runtime_current();
	struct rill_task_guard guard;
	struct rill_task *t;
	struct gate g;

	gate_init(&g);
	RILL_ASSERT_CMP(guarded(&g, false), ==, 0);
	RILL_ASSERT_CMP(guarded(&g, true), ==, 0);
	RILL_ASSERT_CMP(rill_join(spawn(exits_guarded, &g), NULL), ==, 0);
	/* Both were aborted: nobody has opened the gate for them. */
	while (rill_runtime_live_tasks(rt) > 1)
		rill_yield();

	rill_task_guard_begin(&guard, spawn(sleep_in_gate, &g));
	t = rill_task_guard_take(&guard);
	rill_task_guard_end(&guard);
	gate_post(&g);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return NULL;
}

static void test_task_guard(void **state)
{
	in_each_flavor(guards, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_children_use_the_stack),
		cmocka_unit_test(test_expired_scope_aborts_and_waits),
		cmocka_unit_test(test_aborted_parent_waits_for_its_children),
		cmocka_unit_test(test_first_failure_aborts_the_others),
		cmocka_unit_test(test_errors_are_failures),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_trees_on_all_workers),
		cmocka_unit_test(test_ends_race),
		cmocka_unit_test(test_exit_inside_waits_for_the_children),
		cmocka_unit_test(test_plain_thread),
		cmocka_unit_test(test_task_guard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
