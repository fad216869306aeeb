/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <rill/group.h>
#include <rill/local.h>
#include <sched.h>
#include <stdlib.h>

#include "tests/unit/runtime/rt.h"

static const struct rill_local_key plain = {RILL_OPTIONS(plain), .name = "plain"};
static const struct rill_local_key other = {RILL_OPTIONS(other), .name = "other"};
static const struct rill_local_key handed_down = {
	RILL_OPTIONS(handed_down),
	.name = "handed down",
	.inherit = true,
};

static RILL_ATOMIC(int) copies;

static int copy_number(void *value, void **ret_copy)
{
	uintptr_t *copy = malloc(sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	*copy = *(uintptr_t *)value + 1;
	rill_fetch_add_relaxed(&copies, 1);
	*ret_copy = copy;
	return 0;
}

static void destroy_number(void *copy)
{
	rill_fetch_sub_relaxed(&copies, 1);
	free(copy);
}

static const struct rill_local_key copied = {
	RILL_OPTIONS(copied), .name = "copied",		 .inherit = true,
	.copy = copy_number,  .destroy = destroy_number,
};

static int refuse(void *value, void **ret_copy)
{
	return -EPERM;
}

static const struct rill_local_key refused = {
	RILL_OPTIONS(refused),
	.inherit = true,
	.copy = refuse,
};

/* ---- scopes ---- */

static void nested(void)
{
	struct rill_local_scope a, b, c;
	void *value = &a;
	int x, y;

	RILL_ASSERT(!rill_local_get(&plain));
	RILL_ASSERT_CMP(rill_local_find(&plain, &value), ==, -ENOENT);
	RILL_ASSERT(value == &a);
	rill_local_begin(&a, &plain, &x);
	rill_local_begin(&b, &other, &y);
	RILL_ASSERT(rill_local_get(&plain) == &x && rill_local_get(&other) == &y);
	rill_local_begin(&c, &plain, NULL);
	RILL_ASSERT(!rill_local_get(&plain));
	RILL_ASSERT_CMP(rill_local_find(&plain, &value), ==, 0);
	RILL_ASSERT(!value && rill_local_get(&other) == &y);
	rill_local_end(&c);
	RILL_ASSERT(rill_local_get(&plain) == &x);
	rill_local_end(&b);
	RILL_ASSERT_CMP(rill_local_find(&other, &value), ==, -ENOENT);
	rill_local_end(&a);
	RILL_ASSERT_CMP(rill_local_find(&plain, &value), ==, -ENOENT);
}

static void *nested_task(void *arg)
{
	nested();
	return NULL;
}

static void test_nested_scopes_shadow_and_restore(void **state)
{
	in_each_flavor(nested_task, NULL);
	/* and on a plain thread */
	nested();
}

/* A task keeps its own, wherever it runs. */
static void *keeps_its_own(void *arg)
{
	struct rill_local_scope s;

	RILL_ASSERT(!rill_local_get(&plain));
	rill_local_begin(&s, &plain, arg);
	for (int i = 0; i < (int)ROUNDS(200); i++) {
		RILL_ASSERT(rill_local_get(&plain) == arg);
		if (i % 8)
			rill_yield();
		else
			rill_sleep(RILL_US);
	}
	rill_local_end(&s);
	return NULL;
}

static void *keep(void *arg)
{
	struct rill_nursery n;

	rill_nursery_begin(&n, NULL);
	for (uintptr_t i = 1; i <= 50; i++)
		RILL_ASSERT_CMP(rill_nursery_spawn(&n, keeps_its_own, (void *)i), ==, 0);
	RILL_ASSERT_CMP(rill_nursery_end(&n, NULL), ==, 0);
	return NULL;
}

static void test_each_task_has_its_own(void **state)
{
	struct rill_runtime *rt = start_multi(4);
	struct rill_local_scope s;

	rill_local_begin(&s, &plain, rt);
	run(rt, keep, NULL);
	assert_ptr_equal(rill_local_get(&plain), rt);
	rill_local_end(&s);
	stop(rt);
}

/* ---- inheritance ---- */

static void *sees_none(void *arg)
{
	void *value;

	RILL_ASSERT_CMP(rill_local_find(&plain, &value), ==, -ENOENT);
	return NULL;
}

static void *grandchild(void *arg)
{
	RILL_ASSERT(!rill_local_get(&plain) && rill_local_get(&handed_down) == arg);
	RILL_ASSERT_CMP(*(uintptr_t *)rill_local_get(&copied), ==, 12u);
	return NULL;
}

static void *child(void *arg)
{
	struct rill_local_scope s;
	uintptr_t *number = rill_local_get(&copied);

	RILL_ASSERT(!rill_local_get(&plain) && rill_local_get(&handed_down) == arg);
	RILL_ASSERT_CMP(*number, ==, 11u);
	RILL_ASSERT_CMP(rill_join(spawn(grandchild, arg), NULL), ==, 0);
	/* what was inherited is shadowed as any other */
	rill_local_begin(&s, &handed_down, NULL);
	RILL_ASSERT(!rill_local_get(&handed_down));
	rill_local_end(&s);
	RILL_ASSERT(rill_local_get(&handed_down) == arg);
	/* its own copy, when the parent's is long gone */
	for (int i = 0; i < 20; i++)
		rill_yield();
	RILL_ASSERT_CMP(*number, ==, 11u);
	return NULL;
}

static struct rill_task *spawn_with_locals(void *arg)
{
	struct rill_local_scope s[5];
	uintptr_t shadowed = 0, number = 10;

	rill_local_begin(&s[0], &copied, &shadowed);
	rill_local_begin(&s[1], &plain, arg);
	rill_local_begin(&s[2], &handed_down, NULL);
	rill_local_begin(&s[3], &handed_down, arg);
	rill_local_begin(&s[4], &copied, &number);
	struct rill_task *t = spawn(child, arg);

	for (int i = 4; i >= 0; i--)
		rill_local_end(&s[i]);
	return t;
}

static void *inherit(void *arg)
{
	struct rill_local_scope s;
	struct rill_task *t[10];

	rill_local_begin(&s, &plain, &s);
	RILL_ASSERT_CMP(rill_join(spawn(sees_none, NULL), NULL), ==, 0);
	rill_local_end(&s);
	for (int i = 0; i < 10; i++)
		t[i] = spawn_with_locals(&s);
	for (int i = 0; i < 10; i++)
		RILL_ASSERT_CMP(rill_join(t[i], NULL), ==, 0);
	RILL_ASSERT_CMP(rill_load_relaxed(&copies), ==, 0);
	return NULL;
}

static void test_inherited_by_key(void **state)
{
	in_each_flavor(inherit, NULL);
}

static void *spawn_refused(void *arg)
{
	struct rill_local_scope s, c;
	uintptr_t number = 1;
	struct rill_task *t = NULL;

	rill_local_begin(&s, &refused, NULL);
	rill_local_begin(&c, &copied, &number);
	RILL_ASSERT_CMP(rill_spawn(sees_none, NULL, &t), <, 0);
	RILL_ASSERT(!t);
	rill_local_end(&c);
	rill_local_end(&s);
	RILL_ASSERT_CMP(rill_load_relaxed(&copies), ==, 0);
	RILL_ASSERT_CMP(rill_join(spawn(sees_none, NULL), NULL), ==, 0);
	return NULL;
}

static void test_refused_copy_fails_the_spawn(void **state)
{
	in_each_flavor(spawn_refused, NULL);
}

/* One that never begins gives its copies back, too. */
static void *aborted_early(void *arg)
{
	struct rill_task *t = spawn_with_locals(&t);

	rill_abort(t);
	RILL_ASSERT_CMP(rill_join(t, NULL), >=, 0);
	RILL_ASSERT_CMP(rill_load_relaxed(&copies), ==, 0);
	return NULL;
}

static void test_aborted_before_it_began(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, aborted_early, NULL);
	stop(rt);
}

/* ---- clean-up handlers ---- */

struct seen {
	void *plain;
	void *handed_down;
};

static void look(void *arg)
{
	struct seen *s = arg;

	s->plain = rill_local_get(&plain);
	s->handed_down = rill_local_get(&handed_down);
}

static void *exits(void *arg)
{
	struct rill_local_scope a, b;
	struct rill_cleanup c;

	rill_local_begin(&a, &plain, arg);
	rill_cleanup_push(&c, look, arg);
	rill_local_begin(&b, &other, arg);
	rill_exit(arg);
}

static void *exit_with_locals(void *arg)
{
	struct rill_local_scope s, c;
	struct seen seen = {0};
	uintptr_t number = 1;

	rill_local_begin(&s, &handed_down, &s);
	rill_local_begin(&c, &copied, &number);
	RILL_ASSERT_CMP(rill_join(spawn(exits, &seen), NULL), ==, 0);
	RILL_ASSERT(seen.plain == &seen && seen.handed_down == &s);
	RILL_ASSERT_CMP(rill_load_relaxed(&copies), ==, 0);
	rill_local_end(&c);
	rill_local_end(&s);
	return NULL;
}

static void test_visible_in_cleanup_handlers(void **state)
{
	in_each_flavor(exit_with_locals, NULL);
}

/* ---- threads ---- */

static void *thread_sees_none(void *arg)
{
	RILL_ASSERT(!rill_local_get(&handed_down));
	nested();
	return NULL;
}

static void *blocking_sees_none(void *arg)
{
	struct rill_local_scope s;

	rill_local_begin(&s, &handed_down, &s);
	RILL_ASSERT_CMP(rill_blocking(thread_sees_none, NULL, NULL), ==, 0);
	rill_local_end(&s);
	return NULL;
}

static void test_threads_have_their_own(void **state)
{
	struct rill_local_scope s;
	pthread_t t;

	in_each_flavor(blocking_sees_none, NULL);
	rill_local_begin(&s, &handed_down, &s);
	assert_int_equal(pthread_create(&t, NULL, thread_sees_none, NULL), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_ptr_equal(rill_local_get(&handed_down), &s);
	rill_local_end(&s);
}

/* ---- the end of what was inherited ---- */

struct last_rites {
	RILL_ATOMIC(bool) begun;
	RILL_ATOMIC(bool) may_end;
	RILL_ATOMIC(bool) ended;
	struct rill_task *child;
};

static int share(void *value, void **ret_copy)
{
	*ret_copy = value;
	return 0;
}

static void destroy_when_let(void *value)
{
	struct last_rites *l = value;

	/* in no task, which could wait, spawn, or be aborted */
	RILL_ASSERT_CMP(rill_self_id(), ==, 0u);
	/* release: pairs with wait_for() */
	rill_store_release(&l->begun, true);
	/* acquire: pairs with the releases of whoever lets it end */
	while (!rill_load_acquire(&l->may_end))
		sched_yield();
	/* release: pairs with wait_for() */
	rill_store_release(&l->ended, true);
}

static const struct rill_local_key held = {
	RILL_OPTIONS(held),
	.inherit = true,
	.copy = share,
	.destroy = destroy_when_let,
};

static void *has_an_id(void *arg)
{
	RILL_ASSERT_CMP(rill_self_id(), !=, 0u);
	return NULL;
}

static struct rill_task *spawn_held(struct last_rites *l)
{
	struct rill_local_scope s;

	rill_local_begin(&s, &held, l);
	struct rill_task *t = spawn(has_an_id, NULL);

	rill_local_end(&s);
	return t;
}

static void *end_without_delay(void *arg)
{
	struct last_rites l = {.may_end = true};

	RILL_ASSERT_CMP(rill_join(spawn_held(&l), NULL), ==, 0);
	/* acquire: pairs with destroy_when_let() */
	RILL_ASSERT(rill_load_acquire(&l.ended));
	return NULL;
}

static void test_destroyed_in_no_task(void **state)
{
	in_each_flavor(end_without_delay, NULL);
}

static void *spawn_held_task(void *arg)
{
	struct last_rites *l = arg;

	l->child = spawn_held(l);
	return NULL;
}

static void wait_for(RILL_ATOMIC(bool) * flag)
{
	/* acquire: pairs with destroy_when_let() */
	while (!rill_load_acquire(flag))
		sched_yield();
}

/* The task that is let go ends only when it has been: who lets it go must not wait for it. */
static void test_destroy_keeps_nobody_waiting(void **state)
{
	struct rill_runtime *rt = start_multi(2);

	for (int i = 0; i < 20; i++) {
		struct last_rites l = {.child = NULL};

		run(rt, spawn_held_task, &l);
		wait_for(&l.begun);
		assert_false(rill_is_finished(l.child));
		rill_detach(l.child);
		/* release: pairs with destroy_when_let() */
		rill_store_release(&l.may_end, true);
		wait_for(&l.ended);
	}
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nested_scopes_shadow_and_restore),
		cmocka_unit_test(test_each_task_has_its_own),
		cmocka_unit_test(test_inherited_by_key),
		cmocka_unit_test(test_refused_copy_fails_the_spawn),
		cmocka_unit_test(test_aborted_before_it_began),
		cmocka_unit_test(test_visible_in_cleanup_handlers),
		cmocka_unit_test(test_threads_have_their_own),
		cmocka_unit_test(test_destroyed_in_no_task),
		cmocka_unit_test(test_destroy_keeps_nobody_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
