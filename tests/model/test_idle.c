/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sleep: whatever is given to a runtime while its workers go to sleep is seen by them, or wakes
 * them. A wake that is lost shows as a deadlock, for nobody here sleeps with a timeout.
 */
#include <rill/time.h>

#include "runtime/poller.h"
#include "tests/model/rt.h"

static unsigned input;

static void setup_1(void)
{
	rill_rt_setup(1, 2);
}

static void setup_2(void)
{
	rill_rt_setup(2, 2);
}

static void *nothing(void *arg)
{
	return arg;
}

/* ---- work from outside ---- */

static void join(struct rill_task *t)
{
	RILL_ASSERT(rill_join(t, NULL) == 0);
}

static void spawn(void)
{
	join(rill_rt_spawn(nothing, &input));
	rill_rt_stop();
}

static void spawn_2(void)
{
	struct rill_task *first = rill_rt_spawn(nothing, &input);
	struct rill_task *second = rill_rt_spawn(nothing, &input);

	join(first);
	join(second);
	rill_rt_stop();
}

static void spawn_pinned(void)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rill_rt,
				       .placement = RILL_PLACE_PINNED, .worker = 0};
	struct rill_task *t;

	RILL_ASSERT(rill_spawn_with(&o, nothing, &input, &t) == 0);
	join(t);
	rill_rt_stop();
}

static void spawn_urgent(void)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rill_rt,
				       .priority = RILL_PRIORITY_URGENT};
	struct rill_task *t;

	RILL_ASSERT(rill_spawn_with(&o, nothing, &input, &t) == 0);
	join(t);
	rill_rt_stop();
}

/* ---- work from a worker that goes on working: only the other one can do it ---- */

static RILL_ATOMIC(unsigned) stage;

static void *second_half(void *arg)
{
	rill_store_release(&stage, 1u);
	return arg;
}

static void *hands_over(void *arg)
{
	struct rill_task *t;

	RILL_ASSERT(rill_spawn(second_half, arg, &t) == 0);
	rill_detach(t);
	/* pushes the first into the ring */
	RILL_ASSERT(rill_spawn(nothing, arg, &t) == 0);
	rill_detach(t);
	while (rill_load_acquire(&stage) == 0)
		rill_cpu_relax();
	return arg;
}

static void setup_stage(void)
{
	setup_2();
	stage = 0;
}

static void spawn_hands_over(void)
{
	join(rill_rt_spawn(hands_over, &input));
	rill_rt_stop();
}

/* ---- deadlines of pollers, and taking them away ---- */

static struct {
	struct rill_poller poller;
	unsigned polls;
	RILL_ATOMIC(bool) late; /* polled since the deadline was set */
} p;

static bool poll_it(struct rill_poller *poller, uint64_t now)
{
	p.polls++;
	if (rill_load_relaxed(&poller->deadline_ns) != UINT64_MAX) {
		rill_poller_set_deadline(poller, UINT64_MAX);
		rill_store_release(&p.late, true);
	}
	return false;
}

static bool arm_it(struct rill_poller *poller)
{
	p.polls++;
	return true;
}

static void disarm_it(struct rill_poller *poller)
{
	p.polls++;
}

static const struct rill_poller_ops ops = {.poll = poll_it, .arm = arm_it, .disarm = disarm_it};

static void setup_poller(void)
{
	setup_1();
	p.polls = 0;
	p.late = false;
	p.poller = (struct rill_poller){.ops = &ops, .fd = -1};
	RILL_ASSERT(rill_poller_add(rill_rt, &p.poller) == 0);
	rill_model_name(&p, sizeof(p), "poller");
}

static void set_deadline(void)
{
	rill_poller_set_deadline(&p.poller, 1);
	while (!rill_load_acquire(&p.late))
		rill_cpu_relax();
	rill_rt_stop();
}

/* Afterwards it is the caller's alone. */
static void remove_poller(void)
{
	rill_poller_remove(&p.poller);
	p.polls = 0;
	rill_rt_stop();
}

#define TEST(n, ...) RILL_RT_TEST(n, rill_rt_check_idle, __VA_ARGS__)

static const struct rill_model_test tests[] = {
	TEST("outside", setup_1, 3, 2, spawn, rill_rt_work_0),
	TEST("outside_2", setup_1, 2, 1, spawn_2, rill_rt_work_0),
	TEST("pinned", setup_2, 1, 1, spawn_pinned, rill_rt_work_0, rill_rt_work_1),
	TEST("urgent", setup_2, 1, 1, spawn_urgent, rill_rt_work_0, rill_rt_work_1),
	TEST("hand_over", setup_stage, 1, 1, spawn_hands_over, rill_rt_work_0, rill_rt_work_1),
	TEST("deadline", setup_poller, 3, 2, set_deadline, rill_rt_work_0),
	TEST("remove", setup_poller, 2, 3, remove_poller, rill_rt_work_0),
};

#define IDLE "runtime/idle.c"
#define WORKER "runtime/worker.c"
#define SCHEDULE "runtime/schedule.c"

static const struct rill_model_mutation mutations[] = {
	{"recheck_lost", "outside", IDLE, "work_left", "load", "inject.len", RILL_MODEL_VALUE, 0,
	 0},
	{"sleep_relaxed", "hand_over", IDLE, "go_to_sleep", "rmw", "word", RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"notify_relaxed", "hand_over", IDLE, "rill_idle_notify", "rmw", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"kick_lost", "outside", IDLE, "rill_idle_kick", "rmw", NULL, RILL_MODEL_SKIP, 0, 0},
	{"ring_recheck_lost", "hand_over", "runtime/queue.h", "rill_queue_len", "load", "tail",
	 RILL_MODEL_VALUE, 0, 0},
	{"park_acq_rel", "deadline", IDLE, "rill_idle_park", "rmw", "park_deadline",
	 RILL_MODEL_WEAKEN, __ATOMIC_ACQ_REL, 0},
	{"deadline_acq_rel", "deadline", IDLE, "rill_poller_set_deadline", "rmw", "deadline_ns",
	 RILL_MODEL_WEAKEN, __ATOMIC_ACQ_REL, 0},
	{"inbox_acquire", "pinned", SCHEDULE, "push_inbox", "load", "park_deadline",
	 RILL_MODEL_WEAKEN, __ATOMIC_ACQUIRE, 0},
	{"epoch_relaxed", "remove", WORKER, "take_turn", "store", "epoch_seen", RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"quiesce_relaxed", "remove", "runtime/shutdown.c", "rill_runtime_quiesce", "load",
	 "epoch_seen", RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"enter_acquire", "remove", WORKER, "worker_enter", "load", "epoch", RILL_MODEL_WEAKEN,
	 __ATOMIC_ACQUIRE, 0},
	{"running_relaxed", "remove", WORKER, "worker_enter", "rmw", "running", RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
