/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Spawn, end, join, detach and abort, on a runtime of real workers: nothing is lost, freed too
 * early or twice, and whoever joins sees the result.
 */
#include "runtime/await.h"
#include "tests/model/rt.h"
#include "tests/model/sem.h"

static unsigned input, output;

static void setup(unsigned workers)
{
	input = 21;
	output = 0;
	rill_sem_reset();
	rill_rt_setup(workers, 2);
}

static void setup_1(void)
{
	setup(1);
}

static void setup_2(void)
{
	setup(2);
}

/* ---- tasks ---- */

static void *twice(void *arg)
{
	unsigned *n = arg;

	output = *n * 2;
	return arg;
}

static void *yields(void *arg)
{
	rill_yield();
	return twice(arg);
}

static void *nothing(void *arg)
{
	return arg;
}

/* The first is pushed out of the LIFO slot by the second, so that the other worker may steal it. */
static void *has_children(void *arg)
{
	struct rill_task *first, *second;
	void *value;

	RILL_ASSERT(rill_spawn(twice, arg, &first) == 0);
	RILL_ASSERT(rill_spawn(nothing, arg, &second) == 0);
	RILL_ASSERT(rill_join(first, &value) == 0);
	RILL_ASSERT(value == arg);
	RILL_ASSERT_CMP(output, ==, 42u);
	RILL_ASSERT(rill_join(second, &value) == 0);
	RILL_ASSERT(value == arg);
	return arg;
}

static void *takes(void *arg)
{
	rill_sem_take();
	RILL_ASSERT_CMP(output, ==, 42u);
	return arg;
}

static void *gives(void *arg)
{
	twice(arg);
	rill_sem_give();
	return arg;
}

static void *has_pair(void *arg)
{
	struct rill_task *taker, *giver;

	RILL_ASSERT(rill_spawn(takes, arg, &taker) == 0);
	RILL_ASSERT(rill_spawn(gives, arg, &giver) == 0);
	RILL_ASSERT(rill_join(taker, NULL) == 0);
	RILL_ASSERT(rill_join(giver, NULL) == 0);
	return arg;
}

/* More than the ring holds, so that half of it goes to the inject queue. */
#define MANY (RILL_QUEUE_CAP + 3)

static void *has_many(void *arg)
{
	struct rill_task *t[MANY];

	for (unsigned i = 0; i < MANY; i++)
		RILL_ASSERT(rill_spawn(nothing, arg, &t[i]) == 0);
	for (unsigned i = 0; i < MANY; i++)
		RILL_ASSERT(rill_join(t[i], NULL) == 0);
	return twice(arg);
}

/* Waits for ever, unless it is aborted. */
static int never(struct rill_await *aw)
{
	return -EAGAIN;
}

static int never_disarm(struct rill_await *aw, bool take)
{
	return -EAGAIN;
}

static const struct rill_await_ops never_ops = {
	.what = "never", .try = never, .arm = never, .disarm = never_disarm};

static void *waits(void *arg)
{
	RILL_ASSERT(rill_await_on(&never_ops, NULL, NULL) == -ECANCELED);
	return twice(arg);
}

/* Joins what comes next anyhow, and so calls it. */
static void *calls(void *(*fn)(void *), void *arg)
{
	struct rill_task *child;
	void *value;

	RILL_ASSERT(rill_spawn(fn, arg, &child) == 0);
	RILL_ASSERT(rill_join(child, &value) == 0);
	RILL_ASSERT(value == arg);
	RILL_ASSERT_CMP(output, ==, 42u);
	return arg;
}

static void *calls_yields(void *arg)
{
	return calls(yields, arg);
}

/* Two callers at once, which are parked when the innermost yields. */
static void *calls_calls(void *arg)
{
	return calls(calls_yields, arg);
}

/* The child waits for what the parent does only when it is aborted. */
static void *calls_until_aborted(void *arg)
{
	struct rill_scope shield;
	struct rill_task *child;

	RILL_ASSERT(rill_spawn(takes, arg, &child) == 0);
	RILL_ASSERT(rill_join(child, NULL) == -ECANCELED);
	gives(arg);
	rill_scope_begin_shield(&shield);
	RILL_ASSERT(rill_join(child, NULL) == 0);
	rill_scope_end(&shield);
	return arg;
}

/* ---- threads ---- */

static struct rill_task *spawn_outside(void *(*fn)(void *))
{
	return rill_rt_spawn(fn, &input);
}

static void join(struct rill_task *t)
{
	void *value = NULL;

	/* As if this was the thread's first wait, for which it has got a waiter. */
	rill_waiter_current()->is_task = false;
	RILL_ASSERT(rill_join(t, &value) == 0);
	RILL_ASSERT(value == &input);
}

static void join_twice(struct rill_task *t)
{
	join(t);
	RILL_ASSERT_CMP(output, ==, 42u);
}

static void spawn_join(void)
{
	join_twice(spawn_outside(twice));
	rill_rt_stop();
}

/* On the same stack, with luck. */
static void spawn_join_again(void)
{
	join(spawn_outside(nothing));
	join(spawn_outside(nothing));
	rill_rt_stop();
}

static void spawn_join_yields(void)
{
	join_twice(spawn_outside(yields));
	rill_rt_stop();
}

static void spawn_join_children(void)
{
	join_twice(spawn_outside(has_children));
	rill_rt_stop();
}

static void spawn_join_pair(void)
{
	join_twice(spawn_outside(has_pair));
	rill_rt_stop();
}

static void spawn_join_many(void)
{
	join_twice(spawn_outside(has_many));
	rill_rt_stop();
}

/* The second task may get the first one's stack. */
static void spawn_detach(void)
{
	rill_detach(spawn_outside(nothing));
	struct rill_task *t = spawn_outside(twice);

	RILL_ASSERT(rill_join(t, NULL) == 0);
	rill_rt_stop();
}

/* The children may get the detached one's stack. */
static void detach_reuse(void)
{
	struct rill_task *t = spawn_outside(nothing);
	struct rill_task *parent = spawn_outside(has_children);

	/* what every spawn writes anew */
	RILL_ASSERT(t->parent == 0);
	rill_detach(t);
	RILL_ASSERT(rill_join(parent, NULL) == 0);
	rill_rt_stop();
}

static void spawn_abort(void)
{
	struct rill_task *t = spawn_outside(waits);

	rill_abort(t);
	RILL_ASSERT(rill_join(t, NULL) == RILL_JOIN_ABORTED);
	rill_rt_stop();
}

/* May come before, in and after the end; and then to another task on the same stack. */
static void spawn_abort_late(void)
{
	struct rill_task *t = spawn_outside(nothing);
	struct rill_abort_handle h = rill_abort_handle(t);

	rill_detach(t);
	rill_abort_by(h);
	t = spawn_outside(twice);
	RILL_ASSERT(rill_join(t, NULL) == 0);
	rill_rt_stop();
}

static void call(void)
{
	join_twice(spawn_outside(calls_yields));
	rill_rt_stop();
}

static void call_chain(void)
{
	join_twice(spawn_outside(calls_calls));
	rill_rt_stop();
}

static void call_abort(void)
{
	struct rill_task *t = spawn_outside(calls_until_aborted);

	rill_abort(t);
	RILL_ASSERT(rill_join(t, NULL) == RILL_JOIN_ABORTED);
	rill_rt_stop();
}

#define TEST(n, ...) RILL_RT_TEST(n, rill_rt_check_idle, __VA_ARGS__)

static const struct rill_model_test tests[] = {
	TEST("join", setup_1, 3, 2, spawn_join, rill_rt_work_0),
	TEST("join_yields", setup_1, 2, 2, spawn_join_yields, rill_rt_work_0),
	TEST("join_again", setup_1, 2, 1, spawn_join_again, rill_rt_work_0),
	TEST("detach_reuse", setup_1, 2, 1, detach_reuse, rill_rt_work_0),
	TEST("detach", setup_1, 2, 1, spawn_detach, rill_rt_work_0),
	TEST("abort", setup_1, 2, 1, spawn_abort, rill_rt_work_0),
	TEST("abort_late", setup_1, 2, 1, spawn_abort_late, rill_rt_work_0),
	TEST("call", setup_1, 2, 1, call, rill_rt_work_0),
	TEST("call_chain", setup_1, 2, 1, call_chain, rill_rt_work_0),
	TEST("call_abort", setup_1, 2, 1, call_abort, rill_rt_work_0),
	TEST("call_chain_2", setup_2, 1, 1, call_chain, rill_rt_work_0, rill_rt_work_1),
	TEST("call_abort_2", setup_2, 1, 1, call_abort, rill_rt_work_0, rill_rt_work_1),
	TEST("join_2", setup_2, 1, 1, spawn_join, rill_rt_work_0, rill_rt_work_1),
	TEST("children_2", setup_2, 1, 1, spawn_join_children, rill_rt_work_0, rill_rt_work_1),
	TEST("pair_2", setup_2, 1, 1, spawn_join_pair, rill_rt_work_0, rill_rt_work_1),
	TEST("many_2", setup_2, 1, 1, spawn_join_many, rill_rt_work_0, rill_rt_work_1),
};

#define TASK "runtime/task.c"
#define JOIN "runtime/join.c"

static const struct rill_model_mutation mutations[] = {
	/* the joiner goes, and frees the task, while its end is still being written */
	{"no_waking", "join_again", TASK, "rill_task_end_begin", "rmw", "join", RILL_MODEL_VALUE, 0,
	 (uintptr_t)RILL_JOIN_DONE},
	{"done_relaxed", "join", TASK, "rill_task_end_finish", "store", "join", RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"arm_unconditional", "join", JOIN, "join_arm", "cas", NULL, RILL_MODEL_FORCE, 0, 0},
	{"detach_unconditional", "detach", JOIN, "rill_detach", "cas", NULL, RILL_MODEL_FORCE, 0,
	 0},
	{"detach_relaxed", "detach_reuse", JOIN, "rill_detach", "cas", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"abort_relaxed", "abort", "runtime/waiter.h", "rill_wake_add", "rmw", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"settle_unconditional", "call_abort", "runtime/slice.c", "rill_worker_settle", "cas", NULL,
	 RILL_MODEL_FORCE, 0, 0},
	{"settle_relaxed", "call_abort_2", "runtime/slice.c", "rill_worker_settle", "cas", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"park_unconditional", "abort", "runtime/slice.h", "rill_slice_finish", "cas", NULL,
	 RILL_MODEL_FORCE, 0, 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
