/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The end of a runtime, against spawns and wakes from outside: no task is left behind, and nobody
 * touches what was freed.
 */
#include <rill/runtime.h>

#include "runtime/handle.h"
#include "tests/model/rt.h"
#include "tests/model/sem.h"

static struct rill_handle *handle;

static void setup(void)
{
	rill_sem_reset();
	rill_rt_setup(1, 3);
	handle = rill_runtime_handle(rill_rt);
}

static void setup_alone(void)
{
	rill_sem_reset();
	rill_rt_setup(1, 2);
}

static void *nothing(void *arg)
{
	return arg;
}

/* Is aborted, or not even begun. */
static void *waits(void *arg)
{
	RILL_ASSERT(rill_await_on(&rill_sem_ops, NULL, NULL) == -ECANCELED);
	return arg;
}

static void *spawns(void *arg)
{
	struct rill_task *t;
	int r = rill_spawn(nothing, arg, &t);

	RILL_ASSERT(r == 0 || r == -ESHUTDOWN);
	if (r == 0)
		rill_detach(t);
	return arg;
}

static void destroy(void)
{
	RILL_ASSERT(rill_runtime_destroy(rill_rt) == 0);
}

static void detach_destroy(void)
{
	rill_detach(rill_rt_spawn(waits, NULL));
	destroy();
}

static void detach_spawner_destroy(void)
{
	rill_detach(rill_rt_spawn(spawns, NULL));
	destroy();
}

/* Through a handle, for the runtime may be gone. */
static void spawn(void *(*fn)(void *))
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .handle = handle};
	int r = rill_spawn_with(&o, fn, NULL, NULL);

	RILL_ASSERT(r == 0 || r == -ESHUTDOWN);
	rill_handle_put(handle);
}

static void spawn_nothing(void)
{
	spawn(nothing);
}

static void spawn_waits(void)
{
	spawn(waits);
}

/* What was spawned has ended. (The memory is the execution's, although it was freed.) */
static void check(void)
{
	const __typeof__(rill_rt->workers[0].metrics) *m = &rill_rt->workers[0].metrics;

	RILL_ASSERT_CMP(rill_rt->external_spawns + m->spawned, ==, m->finished);
}

#define TEST(n, ...) RILL_RT_TEST(n, check, __VA_ARGS__)

static const struct rill_model_test tests[] = {
	TEST("idle", setup_alone, 2, 1, destroy, rill_rt_work_0),
	TEST("waiting", setup_alone, 2, 1, detach_destroy, rill_rt_work_0),
	TEST("spawner", setup_alone, 2, 1, detach_spawner_destroy, rill_rt_work_0),
	TEST("spawn", setup, 1, 1, destroy, spawn_nothing, rill_rt_work_0),
	TEST("spawn_waits", setup, 1, 1, destroy, spawn_waits, rill_rt_work_0),
};

#define TASK "runtime/task.c"
#define SHUTDOWN "runtime/shutdown.c"

#define HANDLE "runtime/handle.c"

static const struct rill_model_mutation mutations[] = {
	{"live_acq_rel", "spawn_waits", TASK, "may_spawn", "rmw", "live", RILL_MODEL_WEAKEN,
	 __ATOMIC_ACQ_REL, 0},
	{"closing_acquire", "spawn_waits", TASK, "may_spawn", "load", "closing", RILL_MODEL_WEAKEN,
	 __ATOMIC_ACQUIRE, 0},
	{"close_release", "spawn_waits", SHUTDOWN, "rill_runtime_destroy", "store", "closing",
	 RILL_MODEL_WEAKEN, __ATOMIC_RELEASE, 0},
	{"scan_acquire", "spawn_waits", SHUTDOWN, "abort_live", "load", "live", RILL_MODEL_WEAKEN,
	 __ATOMIC_ACQUIRE, 0},
	{"grow_release", "spawn_waits", "runtime/stack.c", "pool_grow", "store", "slabs",
	 RILL_MODEL_WEAKEN, __ATOMIC_RELEASE, 0},
	{"walk_acquire", "spawn_waits", "runtime/stack.c", "rill_stack_for_each", "load", "slabs",
	 RILL_MODEL_WEAKEN, __ATOMIC_ACQUIRE, 0},
	{"users_acq_rel", "spawn", HANDLE, "rill_handle_enter", "rmw", "users", RILL_MODEL_WEAKEN,
	 __ATOMIC_ACQ_REL, 0},
	{"gone_acq_rel", "spawn", HANDLE, "rill_handle_close", "rmw", "rt", RILL_MODEL_WEAKEN,
	 __ATOMIC_ACQ_REL, 0},
	{"handle_exit_relaxed", "spawn", HANDLE, "rill_handle_exit", "rmw", "users",
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
