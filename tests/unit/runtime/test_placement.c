/* SPDX-License-Identifier: BSD-3-Clause */
/* Where tasks run, and in which order: homes, pinning, priorities, the LIFO slot. */
#include <errno.h>
#include <rill/group.h>

#include "tests/unit/runtime/rt.h"

#define WORKERS 4
#define ROUNDS_PINNED 200

static struct rill_task *spawn_with(struct rill_spawn_options o, void *(*fn)(void *), void *arg)
{
	struct rill_task *t = NULL;

	o.size = sizeof(o);
	RILL_ASSERT_CMP(rill_spawn_with(&o, fn, arg, &t), ==, 0);
	return t;
}

static void *stay(void *arg)
{
	int home = (int)(uintptr_t)arg;

	for (int i = 0; i < ROUNDS_PINNED; i++) {
		RILL_ASSERT_CMP(rill_worker_index(), ==, home);
		if (i % 4 == 0)
			rill_sleep(RILL_US);
		else
			rill_yield();
	}
	return NULL;
}

static void *spawn_pinned(void *arg)
{
	struct rill_task *tasks[WORKERS * 8];

	for (unsigned i = 0; i < WORKERS * 8; i++) {
		struct rill_spawn_options o = {
			.placement = RILL_PLACE_PINNED,
			.worker = i % WORKERS,
			.priority = i % 3 ? RILL_PRIORITY_NORMAL : RILL_PRIORITY_URGENT,
		};

		tasks[i] = spawn_with(o, stay, (void *)(uintptr_t)(i % WORKERS));
	}
	for (unsigned i = 0; i < WORKERS * 8; i++)
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), ==, 0);
	return NULL;
}

static void test_pinned_tasks_stay(void **state)
{
	struct rill_runtime *rt = start_multi(WORKERS);

	run(rt, spawn_pinned, NULL);
	stop(rt);
}

struct pinned_wait {
	struct gate gate;
	unsigned woken;
};

static void *wait_pinned(void *arg)
{
	struct pinned_wait *p = arg;

	for (int i = 0; i < ROUNDS(2000); i++) {
		RILL_ASSERT_CMP(gate_wait(&p->gate), ==, 0);
		RILL_ASSERT_CMP(rill_worker_index(), ==, 1);
		p->woken++;
	}
	return NULL;
}

/* Woken from a plain thread, and while its worker sleeps now and then. */
static void test_pinned_task_is_woken_from_outside(void **state)
{
	struct rill_runtime *rt =
		start((struct rill_runtime_options){.workers = 2, .spin_ns = 1000});
	struct pinned_wait p = {.woken = 0};
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt,
				       .placement = RILL_PLACE_PINNED, .worker = 1};
	struct rill_task *t;

	gate_init(&p.gate);
	assert_int_equal(rill_spawn_with(&o, wait_pinned, &p, &t), 0);
	for (int i = 0; i < ROUNDS(2000); i++) {
		gate_post(&p.gate);
		if (i % 64 == 0)
			rill_sleep(50 * RILL_US);
	}
	assert_int_equal(rill_join(t, NULL), 0);
	assert_int_equal(p.woken, ROUNDS(2000));
	stop(rt);
}

static void *where(void *arg)
{
	return (void *)(uintptr_t)rill_worker_index();
}

static void *spawn_home(void *arg)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		struct rill_spawn_options o = {.placement = RILL_PLACE_HOME, .worker = i};
		void *at;

		RILL_ASSERT_CMP(rill_join(spawn_with(o, where, NULL), &at), ==, 0);
	}
	struct rill_spawn_options self = {.placement = RILL_PLACE_PINNED,
					  .worker = RILL_WORKER_SELF};
	void *at;
	int here = rill_worker_index();
	struct rill_task *t = spawn_with(self, where, NULL);

	RILL_ASSERT_CMP(rill_join(t, &at), ==, 0);
	RILL_ASSERT_CMP((int)(uintptr_t)at, ==, here);
	return NULL;
}

static void test_home(void **state)
{
	struct rill_runtime *rt = start_multi(WORKERS);

	run(rt, spawn_home, NULL);
	stop(rt);
}

static void *bad_options(void *arg)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .placement = RILL_PLACE_PINNED,
				       .worker = 7};

	RILL_ASSERT_CMP(rill_spawn_with(&o, where, NULL, NULL), ==, -EINVAL);
	o = (struct rill_spawn_options){RILL_OPTIONS(o), .stack_size = SIZE_MAX / 2};
	RILL_ASSERT_CMP(rill_spawn_with(&o, where, NULL, NULL), ==, -EINVAL);
	o = (struct rill_spawn_options){RILL_OPTIONS(o), .priority = 9};
	RILL_ASSERT_CMP(rill_spawn_with(&o, where, NULL, NULL), ==, -EINVAL);
	o = (struct rill_spawn_options){.name = "no size"};
	RILL_ASSERT_CMP(rill_spawn_with(&o, where, NULL, NULL), ==, -EINVAL);
	return NULL;
}

static void test_bad_options(void **state)
{
	struct rill_runtime *rt = start_multi(2);
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt,
				       .placement = RILL_PLACE_PINNED, .worker = RILL_WORKER_SELF};

	run(rt, bad_options, NULL);
	/* a plain thread is on no worker */
	assert_int_equal(rill_spawn_with(&o, where, NULL, NULL), -EINVAL);
	assert_int_equal(rill_worker_index(), -ENOENT);
	stop(rt);
}

/* ---- priorities ---- */

static char log_text[256];
static unsigned log_len;

static void *write_one(void *arg)
{
	log_text[log_len++] = (char)(uintptr_t)arg;
	return NULL;
}

static void *urgent_first(void *arg)
{
	struct rill_task *tasks[64];
	unsigned n = 0;

	log_len = 0;
	for (int i = 0; i < 32; i++) {
		struct rill_spawn_options urgent = {.priority = RILL_PRIORITY_URGENT};

		tasks[n++] = spawn_with((struct rill_spawn_options){0}, write_one, (void *)'n');
		tasks[n++] = spawn_with(urgent, write_one, (void *)'u');
	}
	for (unsigned i = 0; i < n; i++)
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), ==, 0);
	RILL_ASSERT_CMP(log_len, ==, 64u);
	return NULL;
}

static unsigned count(char c, unsigned first, unsigned n)
{
	unsigned found = 0;

	for (unsigned i = first; i < first + n; i++)
		found += log_text[i] == c;
	return found;
}

static void test_urgent_runs_first_but_not_for_ever(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, urgent_first, NULL);
	stop(rt);
	/* 32 urgent ones need 36 or so slices: one in eight is for the others */
	assert_true(count('u', 0, 38) == 32);
	assert_in_range(count('n', 0, 36), 3, 6);
}

static void *endless(void *arg)
{
	while (!rill_load_relaxed((bool *)arg))
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	return NULL;
}

static void *raise_flag(void *arg)
{
	/* release: pairs with the acquire in wake_and_compute() */
	rill_store_release((bool *)arg, true);
	return NULL;
}

/* Urgent tasks that never stop yielding do not keep a normal one out. */
static void *urgent_crowd(void *arg)
{
	struct rill_spawn_options urgent = {.priority = RILL_PRIORITY_URGENT};
	struct rill_task *tasks[20];
	bool stop_all = false;

	for (int i = 0; i < 20; i++)
		tasks[i] = spawn_with(urgent, endless, &stop_all);
	struct rill_task *t = spawn(raise_flag, &stop_all);

	for (int i = 0; i < 20; i++)
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), ==, 0);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return NULL;
}

static void test_urgent_crowd_starves_nobody(void **state)
{
	in_each_flavor(urgent_crowd, NULL);
}

/* Spilling and stealing of urgent tasks loses none. */
static void *many_urgent(void *arg)
{
	enum { N = 2000 };
	static struct rill_task *tasks[N];
	/* more than a ring holds in any case */
	const unsigned n = RILL_MAX(ROUNDS(N), 600);

	for (unsigned i = 0; i < n; i++) {
		struct rill_spawn_options o = {.priority = i % 2 ? RILL_PRIORITY_URGENT
								 : RILL_PRIORITY_NORMAL};

		tasks[i] = spawn_with(o, where, NULL);
	}
	for (unsigned i = 0; i < n; i++)
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), ==, 0);
	return NULL;
}

static void test_many_urgent(void **state)
{
	struct rill_runtime *rt = start_multi(WORKERS);

	run(rt, many_urgent, NULL);
	stop(rt);
}

/* ---- the LIFO slot ---- */

/*
 * The slot is left alone by thieves, so that a woken task finds its message in the cache, until its
 * worker has been in one task for a millisecond: then somebody else takes it. Here the task in the
 * slot is what the busy one waits for; were the slot not taken ever, this would hang.
 */
static void *wake_and_compute(void *arg)
{
	bool ran = false;

	RILL_ASSERT_CMP(rill_spawn(raise_flag, &ran, NULL), ==, 0);
	/* acquire: pairs with raise_flag() */
	while (!rill_load_acquire(&ran))
		rill_cpu_relax();
	return NULL;
}

static void test_lifo_slot_of_a_stuck_worker_is_relieved(void **state)
{
	struct rill_runtime *rt = start_multi(2);

	for (int i = 0; i < 5; i++)
		run(rt, wake_and_compute, NULL);
	stop(rt);
}

static void *order_of_wakes(void *arg)
{
	struct rill_task *tasks[3];

	log_len = 0;
	for (int i = 0; i < 3; i++)
		tasks[i] = spawn(write_one, (void *)(uintptr_t)('a' + i));
	for (int i = 0; i < 3; i++)
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), ==, 0);
	return NULL;
}

static void test_lifo_slot_can_be_switched_off(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, order_of_wakes, NULL);
	stop(rt);
	assert_memory_equal(log_text, "cab", 3);
	rt = start((struct rill_runtime_options){.flavor = RILL_CURRENT_THREAD, .no_lifo = true});
	run(rt, order_of_wakes, NULL);
	stop(rt);
	assert_memory_equal(log_text, "abc", 3);
}

/* What runs here, after the end of a task that woke somebody, computes: the slot must be empty. */
static void *look_at_the_slot(void *arg)
{
	RILL_ASSERT(!rill_load_relaxed(&rill_worker_current()->lifo));
	return NULL;
}

/* Its last act is to make the other one runnable; that it has ended is said after the switch. */
static void *spawn_and_end(void *arg)
{
	struct rill_task **ret_other = arg;

	*ret_other = spawn(look_at_the_slot, NULL);
	return NULL;
}

static void *wait_for_ends(void *arg)
{
	struct rill_task *other;
	struct rill_join_set *set;
	struct rill_outcome o;

	RILL_ASSERT_CMP(rill_join_set_create(&set), ==, 0);
	for (int i = 0; i < 100; i++) {
		RILL_ASSERT_CMP(rill_join_set_spawn(set, spawn_and_end, &other), ==, 0);
		RILL_ASSERT_CMP(rill_join_set_join_next(set, &o), ==, 0);
		RILL_ASSERT_CMP(rill_join(other, NULL), ==, 0);
	}
	rill_join_set_destroy(set);
	/* Urgent tasks keep a joiner from following at once: it is woken as others are. */
	struct rill_spawn_options urgent = {.priority = RILL_PRIORITY_URGENT};

	RILL_ASSERT_CMP(rill_join(spawn_with(urgent, where, NULL), NULL), ==, 0);
	for (int i = 0; i < 100; i++) {
		RILL_ASSERT_CMP(rill_join(spawn(spawn_and_end, &other), NULL), ==, 0);
		RILL_ASSERT_CMP(rill_join(other, NULL), ==, 0);
	}
	return NULL;
}

static void test_lifo_slot_is_not_for_wakes_by_an_ended_task(void **state)
{
	in_each_flavor(wait_for_ends, NULL);
}

/* ---- pinned tasks among others ---- */

#define PLAYERS 4
#define PINGS ROUNDS(40000)
#define STARVED 1000 /* rounds; a handful are right */

struct ping_pong {
	struct gate gates[PLAYERS];
	struct gate pinned_gate;
	unsigned rounds;
	unsigned asked_at; /* the pinned task was woken in this round; 0: it waits */
	unsigned answers;
	unsigned longest;
	bool over;
};

struct player {
	struct ping_pong *game;
	unsigned me;
};

static void *play(void *arg)
{
	struct player *p = arg;
	struct ping_pong *g = p->game;

	while (g->rounds < PINGS) {
		g->rounds++;
		/* at odd distances, so that it meets every phase of the worker's counters */
		if (p->me == 0 && !g->asked_at && g->rounds % 101 < 4) {
			g->asked_at = g->rounds;
			gate_post(&g->pinned_gate);
		}
		gate_post(&g->gates[p->me ^ 1]);
		RILL_ASSERT_CMP(gate_wait(&g->gates[p->me]), ==, 0);
	}
	gate_post(&g->gates[p->me ^ 1]);
	return NULL;
}

static void *answer_pinned(void *arg)
{
	struct ping_pong *g = arg;

	for (;;) {
		RILL_ASSERT_CMP(gate_wait(&g->pinned_gate), ==, 0);
		if (g->over)
			return NULL;
		g->longest = RILL_MAX(g->longest, g->rounds - g->asked_at);
		g->answers++;
		g->asked_at = 0;
	}
}

static void *run_game(void *arg)
{
	struct ping_pong *g = arg;
	struct rill_spawn_options pinned = {.placement = RILL_PLACE_PINNED};
	struct player players[PLAYERS];
	struct rill_task *tasks[PLAYERS];
	struct rill_task *t = spawn_with(pinned, answer_pinned, g);

	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	for (unsigned i = 0; i < PLAYERS; i++) {
		players[i] = (struct player){g, i};
		tasks[i] = spawn(play, &players[i]);
	}
	for (unsigned i = 0; i < PLAYERS; i++)
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), ==, 0);
	g->over = true;
	gate_post(&g->pinned_gate);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return NULL;
}

static void play_with(unsigned inject_interval, bool no_lifo)
{
	static struct ping_pong g;
	struct rill_runtime *rt =
		start((struct rill_runtime_options){.flavor = RILL_CURRENT_THREAD,
						    .inject_interval = inject_interval,
						    .no_lifo = no_lifo});

	g = (struct ping_pong){0};
	gate_init(&g.pinned_gate);
	for (unsigned i = 0; i < PLAYERS; i++)
		gate_init(&g.gates[i]);
	run(rt, run_game, &g);
	stop(rt);
	assert_in_range(g.longest, 0, STARVED);
	assert_in_range(g.answers, PINGS / STARVED, PINGS);
}

/* Tasks that wake each other keep the queue full: those pinned here have their turns all the same.
 */
static void test_pinned_is_not_starved_whatever_the_interval(void **state)
{
	const unsigned intervals[] = {0, 1, 2, 4, 8, 16, 31, 60, 64, 100, 124};

	for (size_t i = 0; i < RILL_ARRAY_SIZE(intervals); i++) {
		play_with(intervals[i], false);
		play_with(intervals[i], true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pinned_tasks_stay),
		cmocka_unit_test(test_pinned_task_is_woken_from_outside),
		cmocka_unit_test(test_home),
		cmocka_unit_test(test_bad_options),
		cmocka_unit_test(test_urgent_runs_first_but_not_for_ever),
		cmocka_unit_test(test_urgent_crowd_starves_nobody),
		cmocka_unit_test(test_many_urgent),
		cmocka_unit_test(test_lifo_slot_of_a_stuck_worker_is_relieved),
		cmocka_unit_test(test_lifo_slot_can_be_switched_off),
		cmocka_unit_test(test_lifo_slot_is_not_for_wakes_by_an_ended_task),
		cmocka_unit_test(test_pinned_is_not_starved_whatever_the_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
