/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/rand.h"
#include "tests/unit/runtime/bodies.h"

static struct rill_token *token_new(void)
{
	struct rill_token *t = NULL;

	RILL_ASSERT_CMP(rill_token_create(&t), ==, 0);
	return t;
}

static struct rill_token *child_of(struct rill_token *parent)
{
	struct rill_token *t = NULL;

	RILL_ASSERT_CMP(rill_token_child(parent, &t), ==, 0);
	return t;
}

static void in_paused_time(void *(*fn)(void *))
{
	struct rill_runtime *rt = start_paused();

	run(rt, fn, NULL);
	stop(rt);
}

/* ---- the tree ---- */

static void test_cancel_is_for_ever(void **state)
{
	struct rill_token *t = token_new();

	assert_false(rill_token_is_cancelled(t));
	rill_token_cancel(t);
	assert_true(rill_token_is_cancelled(t));
	rill_token_cancel(t);
	assert_true(rill_token_is_cancelled(t));
	rill_token_unref(t);
	rill_token_unref(NULL);
}

static void test_cancel_reaches_all_descendants(void **state)
{
	struct rill_token *t[7] = {token_new()};

	/* a heap: two children each */
	for (int i = 1; i < 7; i++)
		t[i] = child_of(t[(i - 1) / 2]);
	rill_token_cancel(t[1]);
	for (int i = 0; i < 7; i++)
		assert_int_equal(rill_token_is_cancelled(t[i]), i == 1 || i == 3 || i == 4);
	rill_token_cancel(t[0]);
	for (int i = 0; i < 7; i++) {
		assert_true(rill_token_is_cancelled(t[i]));
		rill_token_unref(t[i]);
	}
}

static void test_cancel_of_a_child_leaves_parent_and_siblings(void **state)
{
	struct rill_token *parent = token_new(), *a = child_of(parent), *b = child_of(parent);

	rill_token_cancel(a);
	assert_true(rill_token_is_cancelled(a));
	assert_false(rill_token_is_cancelled(parent));
	assert_false(rill_token_is_cancelled(b));
	rill_token_unref(a);
	rill_token_unref(parent);
	assert_false(rill_token_is_cancelled(b));
	rill_token_unref(b);
}

static void test_child_of_a_cancelled_one_is_cancelled(void **state)
{
	struct rill_token *parent = token_new(), *child, *grandchild;

	rill_token_cancel(parent);
	child = child_of(parent);
	grandchild = child_of(child);
	assert_true(rill_token_is_cancelled(child));
	assert_true(rill_token_is_cancelled(grandchild));
	rill_token_unref(parent);
	rill_token_unref(child);
	rill_token_unref(grandchild);
}

static void test_children_of_a_dropped_one_go_to_its_parent(void **state)
{
	struct rill_token *top = token_new(), *middle = child_of(top);
	struct rill_token *a = child_of(middle), *b = child_of(middle);

	rill_token_unref(middle);
	assert_false(rill_token_is_cancelled(a));
	rill_token_cancel(top);
	assert_true(rill_token_is_cancelled(a));
	assert_true(rill_token_is_cancelled(b));
	rill_token_unref(top);
	rill_token_unref(a);
	rill_token_unref(b);
}

static void test_children_outlive_the_root(void **state)
{
	struct rill_token *top = token_new(), *child = child_of(top);
	struct rill_token *grandchild = child_of(child);

	rill_token_unref(top);
	rill_token_cancel(child);
	assert_true(rill_token_is_cancelled(grandchild));
	rill_token_unref(child);
	rill_token_unref(grandchild);
}

static void test_references(void **state)
{
	struct rill_token *t = token_new();

	assert_ptr_equal(rill_token_ref(t), t);
	rill_token_unref(t);
	rill_token_cancel(t);
	assert_true(rill_token_is_cancelled(t));
	rill_token_unref(t);
}

#define MANY 100000

enum shape { DEEP, WIDE, RANDOM };

/* Of each shape, with the root first. Every third one of the others is dropped at once. */
static struct rill_token **grow(enum shape shape, bool drop)
{
	struct rill_token **t = calloc(MANY, sizeof(*t));
	struct rill_rand rand;

	rill_rand_init(&rand, 7);
	t[0] = token_new();
	for (uint32_t i = 1; i < MANY; i++) {
		uint32_t parent = shape == WIDE ? 0 : i - 1;

		if (shape == RANDOM)
			parent = rill_rand_below(&rand, i);
		while (!t[parent])
			parent--;
		t[i] = child_of(t[parent]);
		if (drop && i % 3 == 2) {
			rill_token_unref(t[i - 1]);
			t[i - 1] = NULL;
		}
	}
	return t;
}

static void test_large_trees(void **state)
{
	for (int n = 0; n < 6; n++) {
		struct rill_token **t = grow((enum shape)(n / 2), n % 2);

		rill_token_cancel(t[0]);
		for (int i = 0; i < MANY; i++) {
			assert_true(!t[i] || rill_token_is_cancelled(t[i]));
			rill_token_unref(t[i]);
		}
		free(t);
	}
}

static void test_large_trees_go_from_either_end(void **state)
{
	for (int n = 0; n < 4; n++) {
		struct rill_token **t = grow((enum shape)(n / 2), false);

		/* All hang on the last one to go, or on nothing. */
		for (int i = 0; i < MANY; i++)
			rill_token_unref(t[n % 2 ? i : MANY - 1 - i]);
		free(t);
	}
}

/* ---- waiting ---- */

struct waiting {
	struct rill_token *token;
	struct rill_token *scope_token;
	uint64_t deadline_ns;
	bool begun;
	int result;
};

static void *wait_for_token(void *arg)
{
	struct waiting *w = arg;
	struct rill_scope s;

	rill_scope_begin(&s, w->deadline_ns, w->scope_token);
	rill_store_relaxed(&w->begun, true);
	w->result = rill_token_wait(w->token);
	rill_scope_end(&s);
	return NULL;
}

/* Waits when this returns, being on the one worker. */
static struct rill_task *start_waiting(struct waiting *w, struct rill_token *t)
{
	*w = (struct waiting){
		.token = t,
		.scope_token = w->scope_token,
		.deadline_ns = w->deadline_ns ? w->deadline_ns : RILL_FOREVER,
		.result = 1,
	};
	struct rill_task *task = spawn(wait_for_token, w);

	while (!rill_load_relaxed(&w->begun))
		rill_yield();
	return task;
}

static void *waits_end_with_the_cancel(void *arg)
{
	struct rill_token *top = token_new(), *t = child_of(top);
	struct waiting w[3] = {0};
	struct rill_task *task[3];

	for (int i = 0; i < 3; i++)
		task[i] = start_waiting(&w[i], i ? t : top);
	rill_yield();
	for (int i = 0; i < 3; i++)
		RILL_ASSERT(!rill_is_finished(task[i]));
	rill_token_cancel(top);
	for (int i = 0; i < 3; i++) {
		RILL_ASSERT_CMP(rill_join(task[i], NULL), ==, 0);
		RILL_ASSERT_CMP(w[i].result, ==, 0);
	}
	RILL_ASSERT_CMP(rill_token_wait(t), ==, 0);
	rill_token_unref(top);
	rill_token_unref(t);
	return NULL;
}

static void *cancelled_waits(void *arg)
{
	struct rill_token *t = token_new(), *other = token_new();
	struct waiting w[3] = {{.scope_token = other}, {.deadline_ns = rill_after(RILL_SEC)}, {0}};
	struct rill_task *task[3];

	for (int i = 0; i < 3; i++)
		task[i] = start_waiting(&w[i], t);
	rill_token_cancel(other);
	rill_abort(task[2]);
	for (int i = 0; i < 3; i++) {
		RILL_ASSERT_CMP(rill_join(task[i], NULL), >=, 0);
		RILL_ASSERT_CMP(w[i].result, ==, i == 1 ? -ETIMEDOUT : -ECANCELED);
	}
	/* Nobody is left in its list. */
	rill_token_cancel(t);
	rill_token_unref(t);
	rill_token_unref(other);
	return NULL;
}

static void *token_and_scope_at_once(void *arg)
{
	struct rill_token *t = token_new();
	struct waiting w = {.scope_token = t};
	struct rill_task *task = start_waiting(&w, t);

	rill_token_cancel(t);
	RILL_ASSERT_CMP(rill_join(task, NULL), ==, 0);
	/* a call that waits and finds both takes the thing */
	RILL_ASSERT_CMP(w.result, ==, 0);
	rill_token_unref(t);
	return NULL;
}

/* In one go of a cancel, that is: some wait for the token itself, others in a scope that has it. */
static void *more_waiters_than_are_woken_at_once(void *arg)
{
	struct rill_token *top = token_new(), *t = child_of(top), *never = token_new();
	struct waiting w[101] = {0};
	struct rill_task *task[RILL_ARRAY_SIZE(w)];

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(w); i++) {
		w[i].scope_token = i % 2 ? t : NULL;
		task[i] = start_waiting(&w[i], i % 2 ? never : t);
	}
	rill_token_cancel(top);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(w); i++) {
		RILL_ASSERT_CMP(rill_join(task[i], NULL), ==, 0);
		RILL_ASSERT_CMP(w[i].result, ==, i % 2 ? -ECANCELED : 0);
	}
	rill_token_unref(top);
	rill_token_unref(t);
	rill_token_unref(never);
	return NULL;
}

static void *cases(void *arg)
{
	struct rill_token *top = token_new(), *t[2] = {child_of(top), child_of(top)};
	struct rill_case c[4];

	rill_case_token(&c[0], t[0]);
	rill_case_token(&c[1], t[1]);
	rill_case_token(&c[2], t[1]);
	rill_case_sleep_until(&c[3], rill_after(RILL_SEC));
	RILL_ASSERT_CMP(rill_select(c, 4, 0), ==, 3);
	rill_token_cancel(t[1]);
	int i = rill_select(c, 3, 0);

	RILL_ASSERT((i == 1 || i == 2) && c[i].result == 0);
	/* the same, prepared once */
	RILL_ASSERT_CMP(rill_select(c, 3, RILL_SELECT_BIASED), ==, 1);
	RILL_ASSERT_CMP(rill_select(c, 1, RILL_SELECT_NONBLOCKING), ==, -EAGAIN);
	rill_token_cancel(top);
	RILL_ASSERT_CMP(rill_select(c, 3, RILL_SELECT_BIASED), ==, 0);
	rill_token_unref(top);
	rill_token_unref(t[0]);
	rill_token_unref(t[1]);
	return NULL;
}

static void test_waits(void **state)
{
	in_paused_time(waits_end_with_the_cancel);
	in_paused_time(cancelled_waits);
	in_paused_time(token_and_scope_at_once);
	in_paused_time(more_waiters_than_are_woken_at_once);
	in_paused_time(cases);
}

static void *cancel_thread(void *arg)
{
	rill_token_cancel(arg);
	return NULL;
}

static void test_plain_threads(void **state)
{
	struct rill_token *top = token_new(), *t = child_of(top);
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, cancel_thread, top), 0);
	assert_int_equal(rill_token_wait(t), 0);
	rill_token_unref(t);
	assert_int_equal(pthread_join(thread, NULL), 0);
	rill_token_unref(top);
}

/* A scope with a token hears of the cancel of its ancestors. */
static void *sleep_in_scope(void *arg)
{
	struct rill_scope s;

	rill_scope_begin(&s, RILL_FOREVER, arg);
	int r = rill_sleep(RILL_FOREVER);

	rill_scope_end(&s);
	return (void *)(intptr_t)r;
}

static void *scopes_hear_of_ancestors(void *arg)
{
	struct rill_token *top = token_new(), *middle = child_of(top), *t = child_of(middle);
	struct rill_task *task = spawn(sleep_in_scope, t);
	void *value;

	rill_yield();
	rill_token_unref(middle);
	rill_token_cancel(top);
	RILL_ASSERT_CMP(rill_join(task, &value), ==, 0);
	RILL_ASSERT_CMP((intptr_t)value, ==, -ECANCELED);
	rill_token_unref(top);
	rill_token_unref(t);
	return NULL;
}

static void test_scopes(void **state)
{
	in_paused_time(scopes_hear_of_ancestors);
}

/* ---- run_until_cancelled ---- */

static int sleep_long(void *arg)
{
	unsigned *calls = arg;

	++*calls;
	return rill_sleep(RILL_SEC);
}

static void *cancel_soon(void *arg)
{
	rill_sleep(RILL_MS);
	rill_token_cancel(arg);
	return NULL;
}

static void *run_until(void *arg)
{
	struct rill_token *t = token_new();
	unsigned calls = 0;
	int result = 7;

	RILL_ASSERT_CMP(rill_token_run_until_cancelled(t, sleep_long, &calls, &result), ==, 0);
	RILL_ASSERT(calls == 1 && result == 0);
	struct rill_task *task = spawn(cancel_soon, t);

	RILL_ASSERT_CMP(rill_token_run_until_cancelled(t, sleep_long, &calls, &result), ==, 0);
	RILL_ASSERT(calls == 2 && result == -ECANCELED);
	RILL_ASSERT_CMP(rill_join(task, NULL), ==, 0);
	result = 7;
	RILL_ASSERT_CMP(rill_token_run_until_cancelled(t, sleep_long, &calls, &result), ==,
			-ECANCELED);
	RILL_ASSERT(calls == 2 && result == 7);
	/* the scope has ended */
	RILL_ASSERT_CMP(rill_sleep(RILL_MS), ==, 0);
	rill_token_unref(t);
	return NULL;
}

static void test_run_until_cancelled(void **state)
{
	in_paused_time(run_until);
}

/* ---- guards ---- */

enum leaving { RETURN, DISARM, EXIT, FAIL };

struct guarded {
	struct rill_token *token;
	enum leaving leaving;
};

static void leave(enum leaving how)
{
	if (how == EXIT)
		rill_exit(NULL);
	if (how == FAIL)
		rill_fail("as it is meant to");
}

static void *guarded(void *arg)
{
	struct guarded *g = arg;
	struct rill_token_guard guard;

	rill_token_guard_begin(&guard, g->token);
	/* the guard has its own */
	rill_token_unref(g->token);
	if (g->leaving == DISARM)
		rill_token_guard_disarm(&guard);
	leave(g->leaving);
	RILL_ASSERT(!rill_token_is_cancelled(guard.token));
	rill_token_guard_end(&guard);
	return NULL;
}

static void *guards(void *arg)
{
	for (int how = RETURN; how <= FAIL; how++) {
		struct rill_token *t = token_new(), *child = child_of(t);
		struct guarded g = {rill_token_ref(t), (enum leaving)how};
		int r = rill_join(spawn(guarded, &g), NULL);

		RILL_ASSERT_CMP(r, ==, how == FAIL ? RILL_JOIN_FAILED : 0);
		RILL_ASSERT(rill_token_is_cancelled(t) == (how != DISARM));
		RILL_ASSERT(rill_token_is_cancelled(child) == (how != DISARM));
		rill_token_unref(t);
		rill_token_unref(child);
	}
	return NULL;
}

static void test_guards(void **state)
{
	struct guarded g = {token_new(), RETURN};

	in_paused_time(guards);
	/* a plain thread */
	rill_token_ref(g.token);
	guarded(&g);
	assert_true(rill_token_is_cancelled(g.token));
	rill_token_unref(g.token);
}

/* ---- all at once ---- */

#define GARDENERS 8
#define GARDEN 32

/* Each slot is a token that one reference is held of, or NULL. */
struct garden {
	RILL_ATOMIC(struct rill_token *) slot[GARDEN];
	RILL_ATOMIC(unsigned) cancels;
};

/* A few waits that a cancel or the clock ends; then it has to be cancelled in the first case. */
static void rest(struct rill_token *t, struct rill_rand *rand)
{
	struct rill_scope s;
	struct rill_case c[2];

	if (rill_rand_below(rand, 2)) {
		rill_scope_begin(&s, RILL_FOREVER, t);
		if (rill_sleep(5 * RILL_US) == -ECANCELED)
			RILL_ASSERT(rill_token_is_cancelled(t));
		rill_scope_end(&s);
		return;
	}
	rill_case_token(&c[0], t);
	rill_case_sleep_until(&c[1], rill_after(5 * RILL_US));
	if (rill_select(c, 2, 0) == 0)
		RILL_ASSERT(rill_token_is_cancelled(t));
}

/* Has the token of a slot to itself while it is out of there. */
static void work_on(struct garden *g, struct rill_token *t, struct rill_rand *rand, uint32_t at)
{
	struct rill_token *child, *old;

	switch (rill_rand_below(rand, 8)) {
	case 0:
		rill_token_cancel(t);
		RILL_ASSERT(rill_token_is_cancelled(t));
		rill_fetch_add_relaxed(&g->cancels, 1);
		break;
	case 1:
	case 2:
		rest(t, rand);
		break;
	case 3:
		rill_token_unref(t);
		t = token_new();
		break;
	default:
		child = child_of(t);
		/* acq_rel: pairs with the other exchanges of slots */
		old = rill_exchange_acq_rel(&g->slot[rill_rand_below(rand, GARDEN)], child);
		rill_token_unref(old);
	}
	/* acq_rel: as above */
	rill_token_unref(rill_exchange_acq_rel(&g->slot[at], t));
}

static void tend(struct garden *g, uint64_t seed)
{
	struct rill_rand rand;

	rill_rand_init(&rand, seed);
	for (int i = 0; i < ROUNDS(20000); i++) {
		uint32_t at = rill_rand_below(&rand, GARDEN);
		/* acq_rel: as above */
		struct rill_token *t = rill_exchange_acq_rel(&g->slot[at], NULL);

		work_on(g, t ? t : token_new(), &rand, at);
	}
}

struct gardener {
	struct garden *garden;
	uint64_t seed;
};

static void *gardener(void *arg)
{
	struct gardener *me = arg;

	tend(me->garden, me->seed);
	return NULL;
}

static void *tend_all(void *arg)
{
	struct garden g = {.cancels = 0};
	struct gardener who[GARDENERS];
	struct rill_task *task[GARDENERS - 2];
	pthread_t thread[2];

	for (unsigned i = 0; i < GARDENERS; i++)
		who[i] = (struct gardener){&g, i + 1};
	for (unsigned i = 0; i < 2; i++)
		RILL_ASSERT_CMP(pthread_create(&thread[i], NULL, gardener, &who[i]), ==, 0);
	for (unsigned i = 2; i < GARDENERS; i++)
		task[i - 2] = spawn(gardener, &who[i]);
	for (unsigned i = 2; i < GARDENERS; i++)
		RILL_ASSERT_CMP(rill_join(task[i - 2], NULL), ==, 0);
	for (unsigned i = 0; i < 2; i++)
		RILL_ASSERT_CMP(pthread_join(thread[i], NULL), ==, 0);
	for (unsigned i = 0; i < GARDEN; i++)
		rill_token_unref(g.slot[i]);
	RILL_ASSERT(g.cancels > 0);
	return NULL;
}

static void test_stress(void **state)
{
	struct rill_runtime *rt = start_multi(2);

	run(rt, tend_all, NULL);
	stop(rt);
}

/* Two cancels of one tree: each returns when all is cancelled. */
#define LEAVES 200

struct race {
	struct rill_token *top[2];
	struct rill_token *leaf[LEAVES];
	pthread_barrier_t barrier;
	unsigned rounds;
};

static void race_round(struct race *r, int me)
{
	pthread_barrier_wait(&r->barrier);
	rill_token_cancel(r->top[me]);
	/* those of the lower one are below both */
	for (int i = 0; i < LEAVES; i++)
		RILL_ASSERT(rill_token_is_cancelled(r->leaf[i]));
	pthread_barrier_wait(&r->barrier);
}

static void *race_thread(void *arg)
{
	struct race *r = arg;

	for (unsigned i = 0; i < r->rounds; i++)
		race_round(r, 1);
	return NULL;
}

static void test_overlapping_cancels(void **state)
{
	struct race r = {.rounds = ROUNDS(2000)};
	pthread_t thread;

	assert_int_equal(pthread_barrier_init(&r.barrier, NULL, 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, race_thread, &r), 0);
	for (unsigned i = 0; i < r.rounds; i++) {
		r.top[0] = token_new();
		r.top[1] = child_of(r.top[0]);
		for (int k = 0; k < LEAVES; k++)
			r.leaf[k] = child_of(k % 3 ? r.leaf[k - 1] : r.top[1]);
		race_round(&r, 0);
		for (int k = 0; k < LEAVES; k++)
			rill_token_unref(r.leaf[k]);
		rill_token_unref(r.top[0]);
		rill_token_unref(r.top[1]);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_barrier_destroy(&r.barrier);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cancel_is_for_ever),
		cmocka_unit_test(test_cancel_reaches_all_descendants),
		cmocka_unit_test(test_cancel_of_a_child_leaves_parent_and_siblings),
		cmocka_unit_test(test_child_of_a_cancelled_one_is_cancelled),
		cmocka_unit_test(test_children_of_a_dropped_one_go_to_its_parent),
		cmocka_unit_test(test_children_outlive_the_root),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_large_trees),
		cmocka_unit_test(test_large_trees_go_from_either_end),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_plain_threads),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_run_until_cancelled),
		cmocka_unit_test(test_guards),
		cmocka_unit_test(test_stress),
		cmocka_unit_test(test_overlapping_cancels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
