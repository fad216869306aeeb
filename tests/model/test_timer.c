/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A task's timer: fired by its worker or by another, against the wake that it was there to bound,
 * and against the end of the task.
 */
#include "tests/model/rt.h"
#include "tests/model/sem.h"

static void setup(unsigned first_thread)
{
	rill_sem_reset();
	rill_rt_setup(1, first_thread);
}

static void setup_2(void)
{
	setup(2);
}

static void setup_3(void)
{
	setup(3);
}

/* One of the two tokens comes with a timer running, or after it. */
static void *takes_2(void *arg)
{
	if (rill_sem_take_late() != 0)
		rill_sem_take();
	rill_sem_take();
	return arg;
}

/* Then its stack is another's. */
static void *times_out(void *arg)
{
	RILL_ASSERT(rill_sem_take_late() == -ETIMEDOUT);
	return arg;
}

static void join(struct rill_task *t)
{
	RILL_ASSERT(rill_join(t, NULL) == 0);
}

static void give_2(void)
{
	struct rill_task *t = rill_rt_spawn(takes_2, NULL);

	rill_sem_give();
	rill_sem_give();
	join(t);
	rill_rt_stop();
}

static void time_out_2(void)
{
	join(rill_rt_spawn(times_out, NULL));
	join(rill_rt_spawn(times_out, NULL));
	rill_rt_stop();
}

/* Past the tick of every timer here. */
#define FIRED_BY 10000

/* As a worker that helps a stuck one. */
static void fire(void)
{
	rill_worker_fire_timers(&rill_rt->workers[0], FIRED_BY);
	rill_worker_fire_timers(&rill_rt->workers[0], FIRED_BY);
}

#define TEST(n, ...) RILL_RT_TEST(n, rill_rt_check_idle, __VA_ARGS__)

static const struct rill_model_test tests[] = {
	TEST("give", setup_2, 2, 1, give_2, rill_rt_work_0),
	TEST("time_out", setup_3, 1, 1, time_out_2, fire, rill_rt_work_0),
	TEST("give_or_fire", setup_3, 2, 1, give_2, fire, rill_rt_work_0),
};

#define TIMER "runtime/timer.c"

static const struct rill_model_mutation mutations[] = {
	{"arm_hides", "time_out", TIMER, "rill_task_timer_arm", "store", "wheel_next_ns",
	 RILL_MODEL_SKIP, 0, 0},
	{"lock_relaxed", "time_out", "base/spinlock.h", "rill_spin_lock", "lock", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"unlock_relaxed", "time_out", "base/spinlock.h", "rill_spin_unlock", "store", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"park_unconditional", "give_or_fire", "runtime/slice.h", "rill_slice_finish", "cas", NULL,
	 RILL_MODEL_FORCE, 0, 0},
	{"begin_keeps", "give", "runtime/slice.h", "rill_slice_begin", "rmw", NULL, RILL_MODEL_SKIP,
	 0, 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
