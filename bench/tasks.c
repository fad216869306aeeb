/* SPDX-License-Identifier: BSD-3-Clause */
/* What tasks cost: switching, yielding, starting and joining. */
#include "bench/bench.h"

#include <rill/task.h>

#define SWITCHES_EACH 10000
#define SPAWNS 10000
#define YIELDERS 1000
#define YIELDS_EACH 100

static void *yielder(void *times)
{
	for (uintptr_t n = (uintptr_t)times; n > 0; n--)
		rill_yield();
	return NULL;
}

/* n tasks which yield times each, joined in the order of their start. */
static int run_yielders(struct rill_task **tasks, unsigned n, uintptr_t times)
{
	unsigned started = 0;
	int err = 0;

	while (started < n && err == 0) {
		err = rill_spawn(yielder, (void *)times, &tasks[started]);
		if (err == 0)
			started++;
	}
	for (unsigned i = 0; i < started; i++) {
		int joined = rill_join(tasks[i], NULL);

		err = err ? err : joined;
	}
	return err;
}

/* Two tasks take turns. */
static int round_of_switches(void *state, uint64_t *ret_ops)
{
	struct rill_task *tasks[2];

	*ret_ops = 2 * SWITCHES_EACH;
	return run_yielders(tasks, 2, SWITCHES_EACH);
}

static int round_of_yields(void *state, uint64_t *ret_ops)
{
	static struct rill_task *tasks[YIELDERS];

	*ret_ops = YIELDERS * YIELDS_EACH;
	return run_yielders(tasks, YIELDERS, YIELDS_EACH);
}

static void *nothing(void *arg)
{
	return arg;
}

static int round_of_spawns(void *state, uint64_t *ret_ops)
{
	for (int i = 0; i < SPAWNS; i++) {
		struct rill_task *task;
		int err = rill_spawn(nothing, NULL, &task);

		if (err == 0)
			err = rill_join(task, NULL);
		if (err < 0)
			return err;
	}
	*ret_ops = SPAWNS;
	return 0;
}

const struct bench bench_tasks[] = {
	{.name = "switch", .round = round_of_switches},
	{.name = "spawn_join", .round = round_of_spawns},
	{.name = "yield", .round = round_of_yields},
	{0},
};
