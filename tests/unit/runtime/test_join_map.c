/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <rill/group.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/runtime/bodies.h"

static struct rill_join_map *map_new(size_t key_size)
{
	struct rill_join_map *m = NULL;

	RILL_ASSERT_CMP(rill_join_map_create(key_size, &m), ==, 0);
	return m;
}

static void test_create(void **state)
{
	struct rill_join_map *m = NULL;

	assert_int_equal(rill_join_map_create(0, &m), -EINVAL);
	assert_int_equal(rill_join_map_create(RILL_JOIN_MAP_KEY_MAX + 1, &m), -EINVAL);
	assert_null(m);
	assert_int_equal(rill_join_map_create(RILL_JOIN_MAP_KEY_MAX, &m), 0);
	assert_true(rill_join_map_is_empty(m));
	rill_join_map_destroy(m);
	rill_join_map_destroy(NULL);
}

static void *keyed(void *arg)
{
	struct rill_join_map *m = map_new(3);
	struct rill_outcome o;
	char key[4] = {0};
	struct rill_abort_handle h;

	RILL_ASSERT_CMP(rill_join_map_join_next(m, key, &o), ==, -ENOENT);
	RILL_ASSERT_CMP(rill_join_map_spawn_with(m, "abc", NULL, sleep_for_ever, m, &h), ==, 0);
	RILL_ASSERT_CMP(rill_join_map_try_join_next(m, key, &o), ==, -EAGAIN);
	RILL_ASSERT_CMP(rill_join_map_spawn(m, "xyz", same, m), ==, 0);
	RILL_ASSERT(rill_join_map_contains(m, "abc") && rill_join_map_contains(m, "xyz"));
	RILL_ASSERT(!rill_join_map_contains(m, "abx"));
	RILL_ASSERT(rill_join_map_contains_task(m, h.id) && !rill_join_map_contains_task(m, 0));
	RILL_ASSERT_CMP(rill_join_map_join_next(m, key, &o), ==, 0);
	RILL_ASSERT(!strcmp(key, "xyz") && o.status == 0 && o.value == m);
	RILL_ASSERT(!rill_join_map_contains(m, "xyz"));
	RILL_ASSERT_CMP((int)rill_join_map_len(m), ==, 1);
	RILL_ASSERT_CMP(rill_join_map_abort(m, "xyz"), ==, -ENOENT);
	RILL_ASSERT_CMP(rill_join_map_abort(m, "abc"), ==, 0);
	RILL_ASSERT(rill_join_map_contains(m, "abc"));
	RILL_ASSERT_CMP(rill_join_map_join_next(m, NULL, &o), ==, 0);
	RILL_ASSERT(o.status == RILL_JOIN_ABORTED && o.id == h.id);
	RILL_ASSERT(!rill_join_map_contains_task(m, h.id));
	RILL_ASSERT_CMP(rill_join_map_spawn_blocking(m, "blk", NULL, same, m, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_join_map_join_next(m, key, &o), ==, 0);
	RILL_ASSERT(!strcmp(key, "blk"));
	rill_join_map_destroy(m);
	return NULL;
}

static void test_keys_and_outcomes(void **state)
{
	in_each_flavor(keyed, NULL);
}

/* The replaced task is aborted, and nobody hears of it. */
static void *replace(void *arg)
{
	struct rill_join_map *m = map_new(sizeof(int));
	struct rill_abort_handle first, second;
	struct rill_outcome o;
	int key = 5, got = 0;

	RILL_ASSERT_CMP(rill_join_map_spawn_with(m, &key, NULL, sleep_for_ever, m, &first), ==, 0);
	for (int i = 0; i < 3; i++)
		rill_yield();
	RILL_ASSERT_CMP(rill_join_map_spawn_with(m, &key, NULL, same, &key, &second), ==, 0);
	RILL_ASSERT_CMP((int)rill_join_map_len(m), ==, 1);
	RILL_ASSERT(!rill_join_map_contains_task(m, first.id));
	while (!rill_is_finished_by(first) || !rill_is_finished_by(second))
		rill_yield();
	/* one that has ended and was not joined is replaced as well */
	RILL_ASSERT_CMP(rill_join_map_spawn(m, &key, same, m), ==, 0);
	RILL_ASSERT_CMP((int)rill_join_map_len(m), ==, 1);
	RILL_ASSERT_CMP(rill_join_map_join_next(m, &got, &o), ==, 0);
	RILL_ASSERT(got == 5 && o.status == 0 && o.value == m);
	RILL_ASSERT_CMP(rill_join_map_join_next(m, &got, &o), ==, -ENOENT);
	rill_join_map_destroy(m);
	until_alone();
	return NULL;
}

static void test_replace(void **state)
{
	in_each_flavor(replace, NULL);
}

static bool is_odd(void *user, const void *key)
{
	return *(const int *)key % 2;
}

#define MANY ((int)ROUNDS(5000))

/* The table grows, and every key is found with its own task. */
static void *many_keys(void *arg)
{
	static int keys[MANY];
	static bool seen[MANY];
	struct rill_join_map *m = map_new(sizeof(int));
	struct rill_outcome o;
	int key, odd = 0;

	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < MANY; i++)
		RILL_ASSERT_CMP(rill_join_map_spawn(m, &i, sleep_for_ever, (void *)(uintptr_t)i),
				==, 0);
	for (int i = 0; i < MANY; i++)
		RILL_ASSERT(rill_join_map_contains(m, &i));
	RILL_ASSERT_CMP((int)rill_join_map_keys(m, keys, 10), ==, MANY);
	RILL_ASSERT_CMP((int)rill_join_map_keys(m, keys, MANY), ==, MANY);
	for (int i = 0; i < MANY; i++) {
		RILL_ASSERT(!seen[keys[i]]);
		seen[keys[i]] = true;
	}
	RILL_ASSERT_CMP((int)rill_join_map_abort_matching(m, is_odd, NULL), ==, MANY / 2);
	for (; odd < MANY / 2; odd++) {
		RILL_ASSERT_CMP(rill_join_map_join_next(m, &key, &o), ==, 0);
		RILL_ASSERT(key % 2 == 1 && o.status == RILL_JOIN_ABORTED);
		RILL_ASSERT(!o.value || o.value == (void *)(uintptr_t)key);
	}
	RILL_ASSERT_CMP(rill_join_map_try_join_next(m, &key, &o), ==, -EAGAIN);
	rill_join_map_abort_all(m);
	RILL_ASSERT_CMP((int)rill_join_map_len(m), ==, MANY / 2);
	RILL_ASSERT_CMP(rill_join_map_shutdown(m), ==, 0);
	RILL_ASSERT_CMP((int)rill_join_map_keys(m, keys, MANY), ==, 0);
	rill_join_map_destroy(m);
	return NULL;
}

static void test_many_keys(void **state)
{
	in_each_flavor(many_keys, NULL);
}

static void *join_cancelled(void *arg)
{
	struct rill_join_map *m = map_new(1);
	struct rill_scope scope;
	struct rill_outcome o;
	struct rill_case c;
	struct gate g;
	char key = 0;

	gate_init(&g);
	RILL_ASSERT_CMP(rill_join_map_spawn(m, "k", wait_at_gate, &g), ==, 0);
	rill_scope_begin(&scope, rill_after(RILL_MS), NULL);
	RILL_ASSERT_CMP(rill_join_map_join_next(m, &key, &o), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
	gate_post(&g);
	rill_case_join_map(&c, m, &key, &o);
	RILL_ASSERT_CMP(rill_select(&c, 1, 0), ==, 0);
	RILL_ASSERT(c.result == 0 && key == 'k' && o.value == &g);
	rill_join_map_destroy(m);
	return NULL;
}

static void test_join_next_is_cancel_safe(void **state)
{
	in_each_flavor(join_cancelled, NULL);
}

static void *detach_destroy(void *arg)
{
	struct rill_outcome o;
	struct gate g;

	gate_init(&g);
	for (uintptr_t round = 0; round < 50; round++) {
		struct rill_join_map *m = map_new(sizeof(uintptr_t));
		uintptr_t key = 100;

		RILL_ASSERT_CMP(rill_join_map_spawn(m, &key, wait_at_gate, &g), ==, 0);
		rill_join_map_detach_all(m);
		RILL_ASSERT(rill_join_map_is_empty(m) && !rill_join_map_contains(m, &key));
		RILL_ASSERT_CMP(rill_join_map_join_next(m, &key, &o), ==, -ENOENT);
		gate_post(&g);
		for (uintptr_t i = 0; i < 10; i++)
			RILL_ASSERT_CMP(
				rill_join_map_spawn(m, &i, i % 3 ? nap : sleep_for_ever, (void *)i),
				==, 0);
		for (uintptr_t i = 0; i < round % 5; i++)
			rill_yield();
		rill_join_map_destroy(m);
	}
	until_alone();
	return NULL;
}

static void test_detach_and_destroy_while_tasks_run(void **state)
{
	struct rill_runtime *rt = start_multi(4);

	in_each_flavor(detach_destroy, NULL);
	run(rt, detach_destroy, NULL);
	stop(rt);
}

/* Spawners replace one another's tasks while joiners take them. */
struct crowd {
	struct rill_join_map *map;
	RILL_ATOMIC(uint64_t) joined;
};

static void *crowd_joins(void *arg)
{
	struct crowd *c = arg;
	struct rill_outcome o;
	uint64_t key;

	while (rill_join_map_join_next(c->map, &key, &o) == 0) {
		RILL_ASSERT(key < 64 && (o.status == RILL_JOIN_ABORTED || o.value == (void *)key));
		rill_fetch_add_relaxed(&c->joined, 1);
	}
	return NULL;
}

static void *crowd_spawns(void *arg)
{
	struct crowd *c = arg;

	for (uint64_t i = 0; i < ROUNDS(20000); i++) {
		uint64_t key = i * 7 % 64;

		RILL_ASSERT_CMP(
			rill_join_map_spawn(c->map, &key, key % 4 ? nap : same, (void *)key), ==,
			0);
		if (i % 16 == 0)
			rill_join_map_abort(c->map, &key);
		if (i % 256 == 0)
			crowd_joins(c);
	}
	return NULL;
}

static void *crowd(void *arg)
{
	struct crowd *c = arg;
	struct rill_task *t[8];

	for (int i = 0; i < 8; i++)
		t[i] = spawn(i % 2 ? crowd_spawns : crowd_joins, c);
	for (int i = 0; i < 8; i++)
		RILL_ASSERT_CMP(rill_join(t[i], NULL), ==, 0);
	crowd_joins(c);
	until_alone();
	return NULL;
}

static void test_many_on_all_workers(void **state)
{
	struct crowd c = {.map = map_new(sizeof(uint64_t))};
	struct rill_runtime *rt = start_multi(4);
	uint64_t key;

	run(rt, crowd, &c);
	assert_true(c.joined > 0 && c.joined <= 4 * ROUNDS(20000));
	assert_int_equal(rill_join_map_keys(c.map, &key, 1), 0);
	rill_join_map_destroy(c.map);
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_keys_and_outcomes),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_join_next_is_cancel_safe),
		cmocka_unit_test(test_detach_and_destroy_while_tasks_run),
		cmocka_unit_test(test_many_on_all_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
