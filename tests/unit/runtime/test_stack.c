/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/stack.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/runtime/rt.h"

#define STACK_SIZE (64u << 10)
#define MANY 200

static void test_get_and_put(void **state)
{
	struct rill_stack_pool p;
	struct rill_task *tasks[MANY];

	rill_stack_pool_init(&p, STACK_SIZE);
	for (int i = 0; i < MANY; i++) {
		tasks[i] = rill_stack_get(&p, NULL);
		assert_non_null(tasks[i]);
		assert_int_equal((uintptr_t)tasks[i] % 64, 0);
		for (int k = 0; k < i; k++)
			assert_ptr_not_equal(tasks[i], tasks[k]);
	}
	uint64_t count = p.count;

	assert_true(count >= MANY);
	for (int i = 0; i < MANY; i++)
		rill_stack_put(&p, NULL, tasks[i]);
	/* the youngest first, and nothing new is mapped */
	assert_ptr_equal(rill_stack_get(&p, NULL), tasks[MANY - 1]);
	rill_stack_put(&p, NULL, tasks[MANY - 1]);
	for (int i = 0; i < MANY; i++)
		rill_stack_get(&p, NULL);
	assert_int_equal(p.count, count);
	rill_stack_pool_fini(&p);
}

/* The whole stack can be written, without touching the neighbours or the task at its top. */
static void test_stacks_do_not_overlap(void **state)
{
	struct rill_stack_pool p;
	struct rill_task *tasks[64];

	rill_stack_pool_init(&p, STACK_SIZE);
	for (int i = 0; i < 64; i++) {
		tasks[i] = rill_stack_get(&p, NULL);
		tasks[i]->id = 1000 + (uint64_t)i;
		size_t len = (size_t)((uint8_t *)tasks[i] - (uint8_t *)tasks[i]->stack_low);

		assert_in_range(len, STACK_SIZE - 8192, STACK_SIZE);
		memset(tasks[i]->stack_low, i, len);
	}
	for (int i = 0; i < 64; i++) {
		const uint8_t *low = tasks[i]->stack_low;

		assert_int_equal(tasks[i]->id, 1000 + (uint64_t)i);
		assert_int_equal(low[0], i);
		assert_int_equal(((uint8_t *)tasks[i])[-1], i);
	}
	rill_stack_pool_fini(&p);
}

static void test_cache(void **state)
{
	struct rill_stack_pool p;
	struct rill_stack_cache a = {.count = 0}, b = {.count = 0};
	struct rill_task *tasks[MANY];

	rill_stack_pool_init(&p, STACK_SIZE);
	for (int i = 0; i < MANY; i++)
		tasks[i] = rill_stack_get(&p, &a);
	uint64_t count = p.count;

	for (int i = 0; i < MANY; i++) {
		rill_stack_put(&p, &a, tasks[i]);
		assert_true(a.count <= RILL_STACK_CACHE);
	}
	assert_ptr_equal(rill_stack_get(&p, &a), tasks[MANY - 1]);
	/* what did not fit is there for other workers */
	for (unsigned i = 0; i < MANY - RILL_STACK_CACHE; i++)
		assert_non_null(rill_stack_get(&p, &b));
	assert_int_equal(p.count, count);
	rill_stack_pool_fini(&p);
}

static void count_one(struct rill_task *t, void *ctx)
{
	unsigned *n = ctx;

	assert_false(t->live);
	(*n)++;
}

static void test_for_each_sees_all(void **state)
{
	struct rill_stack_pool p;
	unsigned n = 0;

	rill_stack_pool_init(&p, STACK_SIZE);
	rill_stack_for_each(&p, count_one, &n);
	assert_int_equal(n, 0);
	for (int i = 0; i < MANY; i++)
		rill_stack_get(&p, NULL);
	rill_stack_for_each(&p, count_one, &n);
	assert_int_equal(n, p.count);
	rill_stack_pool_fini(&p);
}

/* The signal that ends a child which runs fn. */
static int death_of(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		/* The sanitizers have handlers, the test library too. */
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void write_below_the_stack(void)
{
	struct rill_stack_pool p;

	rill_stack_pool_init(&p, STACK_SIZE);
	struct rill_task *t = rill_stack_get(&p, NULL);

	((volatile uint8_t *)t->stack_low)[0] = 1;
	((volatile uint8_t *)t->stack_low)[-1] = 1;
}

static RILL_NOINLINE int recurse(volatile char *above, int depth)
{
	volatile char frame[512];

	frame[0] = above[0];
	return depth == 0 ? frame[0] : recurse(frame, depth - 1) + frame[0];
}

static void *overflow(void *arg)
{
	char c = 1;

	return (void *)(intptr_t)recurse(&c, 10000000);
}

static void overflow_in_a_task(void)
{
	struct rill_runtime_options o = {RILL_OPTIONS(o), .flavor = RILL_CURRENT_THREAD};
	struct rill_runtime *rt;

	RILL_ASSERT(rill_runtime_create(&o, &rt) == 0);
	rill_block_on(rt, overflow, NULL, NULL);
}

static void test_guard(void **state)
{
	assert_int_equal(death_of(write_below_the_stack), SIGSEGV);
	assert_int_equal(death_of(overflow_in_a_task), SIGSEGV);
}

/* A fair part of the promised size is the task's. */
static void *deep(void *arg)
{
	volatile char frame[40 << 10];

	for (size_t i = 0; i < sizeof(frame); i += 64)
		frame[i] = (char)i;
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	for (size_t i = 0; i < sizeof(frame); i += 64)
		RILL_ASSERT(frame[i] == (char)i);
	return NULL;
}

static void *deep_twice(void *arg)
{
	struct rill_task *a = spawn(deep, NULL);
	struct rill_task *b = spawn(deep, NULL);

	RILL_ASSERT_CMP(rill_join(a, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_join(b, NULL), ==, 0);
	return NULL;
}

static void test_default_size(void **state)
{
	in_each_flavor(deep_twice, NULL);
}

/* ---- sizes by option ---- */

#if defined(RILL_ASAN) || defined(RILL_TSAN)
#define FACTOR 8 /* the sanitizers' frames are larger, and so are the stacks */
#else
#define FACTOR 1
#endif

static void *use_much(void *arg)
{
	size_t len = (uintptr_t)arg;
	volatile char *frame = __builtin_alloca(len);

	for (size_t i = 0; i < len; i += 4096)
		frame[i] = 1;
	return (void *)(rill_stack_left() + len);
}

static void *sizes(void *arg)
{
	static const size_t asked[] = {1, 16 << 10, 17 << 10, 200 << 10, 4 << 20};
	static const size_t given[] = {16 << 10, 16 << 10, 32 << 10, 256 << 10, 4 << 20};

	for (int i = 0; i < 5; i++) {
		struct rill_spawn_options o = {RILL_OPTIONS(o), .stack_size = asked[i]};
		size_t use = RILL_MAX(asked[i] / 2, (size_t)4096);
		struct rill_task *t;
		void *had;

		RILL_ASSERT_CMP(rill_spawn_with(&o, use_much, (void *)use, &t), ==, 0);
		RILL_ASSERT_CMP(rill_join(t, &had), ==, 0);
		RILL_ASSERT_CMP((size_t)had, <=, given[i] * FACTOR);
		RILL_ASSERT_CMP((size_t)had, >, given[i] * FACTOR - (12 << 10));
	}
	return NULL;
}

static void test_sizes_by_option(void **state)
{
	in_each_flavor(sizes, NULL);
	assert_int_equal(rill_stack_left(), 0); /* no task's stack */
}

/* ---- what is used of them ---- */

static void *high_water(void *arg)
{
	struct gate g;
	struct rill_task *t;

	gate_init(&g);
	struct rill_spawn_options o = {RILL_OPTIONS(o), .stack_size = 1 << 20};

	RILL_ASSERT_CMP(rill_spawn_with(&o, use_much, (void *)(300 << 10), &t), ==, 0);
	while (!rill_is_finished(t))
		rill_yield();
	RILL_ASSERT_CMP(rill_stack_high_water(t), >=, (size_t)300 << 10);
	RILL_ASSERT_CMP(rill_stack_high_water(t), <, (size_t)(300 + FACTOR * 16) << 10);
	struct rill_runtime_metrics m;

	rill_runtime_metrics(rill_runtime_current(), &m);
	RILL_ASSERT_CMP(m.stack_high_water, ==, rill_stack_high_water(t));
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return NULL;
}

static void test_high_water_mark(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, high_water, NULL);
	stop(rt);
}

static void test_trim_gives_memory_back(void **state)
{
	struct rill_stack_pool p;
	struct rill_task *tasks[MANY];

	rill_stack_pool_init(&p, STACK_SIZE);
	for (int i = 0; i < MANY; i++) {
		tasks[i] = rill_stack_get(&p, NULL);
		memset(tasks[i]->stack_low, 1, STACK_SIZE / 2);
		assert_true(rill_stack_touched(tasks[i]) > STACK_SIZE / 2);
	}
	for (int i = 0; i < MANY; i++)
		rill_stack_put(&p, NULL, tasks[i]);
	/* they were needed since the last time, which there was none of */
	assert_int_equal(rill_stack_trim(&p, MANY), 0);
	/* and ten of them again since then */
	for (int i = 0; i < 10; i++)
		tasks[i] = rill_stack_get(&p, NULL);
	for (int i = 0; i < 10; i++)
		rill_stack_put(&p, NULL, tasks[i]);
	unsigned idle = (unsigned)p.count - 10;

	assert_int_equal(rill_stack_trim(&p, 50), 50);
	assert_int_equal(rill_stack_trim(&p, 1000), idle + 10 - 50);
	assert_int_equal(p.trimmed, idle + 10);
	for (unsigned i = 0; i < MANY; i++) {
		struct rill_task *t = rill_stack_get(&p, NULL);

		assert_non_null(t);
		assert_true(rill_stack_touched(t) <= 2 * 4096);
		assert_ptr_equal(t->pool, &p);
		memset(t->stack_low, 1, STACK_SIZE / 2);
	}
	rill_stack_pool_fini(&p);
}

/* The pools of a runtime that nobody else looks after. */
static void test_tending_keeps_its_pace(void **state)
{
	static struct rill_runtime rt;
	struct rill_task *tasks[MANY];
	struct rill_stack_pool *pools[] = {&rt.stacks, &rt.stack_classes[RILL_STACK_CLASSES - 1]};
	uint64_t now = RILL_SEC;

	for (int k = 0; k < 2; k++) {
		rill_stack_pool_init(pools[k], STACK_SIZE);
		for (int i = 0; i < MANY; i++)
			tasks[i] = rill_stack_get(pools[k], NULL);
		for (int i = 0; i < MANY; i++)
			rill_stack_put(pools[k], NULL, tasks[i]);
	}
	rill_stack_tend(&rt, now);
	rill_stack_tend(&rt, now + 99 * RILL_MS);
	for (int k = 0; k < 2; k++)
		assert_int_equal(pools[k]->trimmed, 0);
	/* a few at a time, until there are no more idle ones than at the beginning of the round */
	for (uint64_t n = 1; n <= 256 / 16; n++) {
		rill_stack_tend(&rt, now + (99 + n) * RILL_MS);
		for (int k = 0; k < 2; k++)
			assert_int_equal(pools[k]->trimmed, RILL_MIN(pools[k]->count, 16 * n));
	}
	rill_stack_tend(&rt, now + 150 * RILL_MS);
	for (int k = 0; k < 2; k++) {
		assert_int_equal(pools[k]->trimmed, RILL_MIN(pools[k]->count, (uint64_t)256));
		rill_stack_pool_fini(pools[k]);
	}
}

static void *crowd(void *arg)
{
	struct rill_task *tasks[MANY];

	for (int i = 0; i < MANY; i++)
		tasks[i] = spawn(deep, NULL);
	for (int i = 0; i < MANY; i++)
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), ==, 0);
	return NULL;
}

/* Ends because an idle runtime gives memory back by itself; nobody calls for it here. */
static void test_idle_runtime_gives_memory_back(void **state)
{
	struct rill_runtime *rt = start_multi(1);
	struct rill_runtime_metrics m;

	run(rt, crowd, NULL);
	do {
		sched_yield();
		rill_runtime_metrics(rt, &m);
	} while (m.stacks_trimmed == 0);
	/* and what was given back is as good as new */
	run(rt, crowd, NULL);
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get_and_put),
		cmocka_unit_test(test_stacks_do_not_overlap),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_for_each_sees_all),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_default_size),
		cmocka_unit_test(test_sizes_by_option),
		cmocka_unit_test(test_high_water_mark),
		cmocka_unit_test(test_trim_gives_memory_back),
		cmocka_unit_test(test_tending_keeps_its_pace),
		cmocka_unit_test(test_idle_runtime_gives_memory_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
