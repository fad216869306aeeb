/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stacks: a pool used by several workers. Nobody gets a stack that another has, each is seen whole,
 * and whoever walks over all of them while the pool grows finds only finished ones.
 */
#include "runtime/stack.c"

#include "tests/model/engine/model.h"

static struct rill_stack_pool pool;
static struct rill_stack_cache caches[2];
static struct rill_task spare[RILL_STACK_CACHE];
static unsigned visited;

struct rill_worker *rill_worker_current(void)
{
	return NULL;
}

static void setup(void)
{
	memset(caches, 0, sizeof(caches));
	visited = 0;
	rill_stack_pool_init(&pool, 8192);
	pool.slab_stacks = 2;
	rill_model_name(&pool, sizeof(pool), "pool");
}

static void setup_grown(void)
{
	setup();
	rill_stack_put(&pool, NULL, rill_stack_get(&pool, NULL));
}

/* A cache that is about to spill. */
static void setup_full_cache(void)
{
	setup();
	memset(spare, 0, sizeof(spare));
	for (unsigned i = 0; i < RILL_STACK_CACHE; i++)
		caches[0].tasks[i] = &spare[i];
	caches[0].count = RILL_STACK_CACHE;
}

/* It is the caller's alone: else these race. */
static void use(struct rill_task *t)
{
	RILL_ASSERT(t);
	t->user = t;
	t->user = NULL;
}

static void get_put(void)
{
	struct rill_task *t = rill_stack_get(&pool, NULL);

	use(t);
	rill_stack_put(&pool, NULL, t);
}

static void get_2_put_2(void)
{
	struct rill_task *t = rill_stack_get(&pool, NULL);
	struct rill_task *other = rill_stack_get(&pool, NULL);

	RILL_ASSERT(t != other);
	use(t);
	use(other);
	rill_stack_put(&pool, NULL, t);
	rill_stack_put(&pool, NULL, other);
}

static void get_put_cached(void)
{
	struct rill_stack_cache *cache = &caches[rill_model_self() - 1];
	struct rill_task *t = rill_stack_get(&pool, cache);

	use(t);
	rill_stack_put(&pool, cache, t);
	RILL_ASSERT(rill_stack_get(&pool, cache) == t);
}

static struct rill_task extra;

static void spill(void)
{
	rill_stack_put(&pool, &caches[0], &extra);
	RILL_ASSERT_CMP(caches[0].count, ==, RILL_STACK_CACHE / 2 + 1u);
}

static void get_2(void)
{
	struct rill_task *t = rill_stack_get(&pool, NULL);
	struct rill_task *other = rill_stack_get(&pool, NULL);

	RILL_ASSERT(t != other);
	use(t);
	use(other);
}

static void visit(struct rill_task *t, void *ctx)
{
	/* prepared: the state ignores wakes */
	RILL_ASSERT(t->waiter.is_task);
	RILL_ASSERT_CMP(rill_load_relaxed(&t->waiter.state), ==,
			(unsigned)(RILL_WAITER_NOTIFIED | RILL_WAITER_PARKED));
	visited++;
}

static void walk(void)
{
	rill_stack_for_each(&pool, visit, NULL);
	RILL_ASSERT(visited % 2 == 0);
}

static void trim(void)
{
	rill_stack_trim(&pool, 2);
	rill_stack_trim(&pool, 2);
}

/* All are there again. */
static void check_all_free(void)
{
	unsigned n = 0;

	for (struct rill_waiter *w = pool.free; w; w = w->next)
		n++;
	RILL_ASSERT_CMP(pool.free_count, ==, n);
	for (struct rill_waiter *w = pool.cold; w; w = w->next)
		n++;
	RILL_ASSERT_CMP(pool.count, ==, n);
}

#define TEST(n, setup_, check_, ...)                                                               \
	{                                                                                          \
		.name = n, .setup = setup_, .threads = {__VA_ARGS__}, .check = check_,             \
		.exhaustive = true,                                                                \
	}

static const struct rill_model_test tests[] = {
	TEST("get_put", setup_grown, check_all_free, get_put, get_put, get_put),
	TEST("grow", setup, check_all_free, get_2_put_2, get_put),
	TEST("caches", setup_grown, NULL, get_put_cached, get_put_cached),
	TEST("spill", setup_full_cache, NULL, spill, get_2),
	TEST("walk", setup, NULL, get_put, get_put, walk),
	TEST("walk_grown", setup_grown, NULL, get_2, walk),
	TEST("trim", setup_grown, check_all_free, trim, get_put, get_put),
};

static const struct rill_model_mutation mutations[] = {
	{"slab_relaxed", "walk", "runtime/stack.c", "pool_grow", "store", "slabs",
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"walk_relaxed", "walk", "runtime/stack.c", "rill_stack_for_each", "load", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"lock_relaxed", "get_put", "base/spinlock.h", "rill_spin_lock", "lock", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"unlock_relaxed", "get_put", "base/spinlock.h", "rill_spin_unlock", "store", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
