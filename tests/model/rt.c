/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "runtime/runtime.c"
#include "tests/model/rt.h"

#define STACK_SIZE (32u << 10)
#define STACKS_PER_SLAB 4

struct rill_runtime *rill_rt;

void rill_rt_setup(unsigned workers, unsigned first_thread)
{
	struct rill_runtime_options o = {
		.size = sizeof(o),
		.workers = workers,
		.stack_size = STACK_SIZE,
		.budget = 128,
		.max_blocking = 1,
		.seed = 1,
	};

	struct rill_topology flat = {.nodes = 1};

	rill_doubles_reset();
	/* It spins for spin_ns, which is 0. */
	rill_model_no_wait_in("search");
	rill_rt = runtime_alloc(&o);
	RILL_ASSERT(rill_rt);
	rill_rt->stacks.slab_stacks = STACKS_PER_SLAB;
	for (unsigned i = 0; i < workers; i++) {
		RILL_ASSERT(worker_init(rill_rt, i) == 0);
		rill_rt->workers[i].thread = first_thread + i;
	}
	RILL_ASSERT(rill_topology_order(&flat, NULL, workers, &rill_rt->victims) == 0);
	rill_model_name(&rill_rt->workers[0], sizeof(struct rill_worker), "worker 0");
	rill_model_name(&rill_rt->workers[1], sizeof(struct rill_worker), "worker 1");
	rill_model_name(&rill_rt->inject, sizeof(rill_rt->inject), "inject");
	rill_model_name(&rill_rt->idle, sizeof(rill_rt->idle), "idle");
	rill_model_name(rill_rt, sizeof(*rill_rt), "rt");
}

static void work(unsigned i)
{
	rill_worker_run(&rill_rt->workers[i], NULL, NULL);
}

void rill_rt_work_0(void)
{
	work(0);
}

void rill_rt_work_1(void)
{
	work(1);
}

void rill_rt_stop(void)
{
	rill_runtime_stop_threads(rill_rt, rill_rt->worker_count);
}

void rill_rt_check_idle(void)
{
	unsigned n = 0;

	for (struct rill_waiter *w = rill_rt->stacks.free; w; w = w->next)
		n++;
	for (unsigned i = 0; i < rill_rt->worker_count; i++)
		n += rill_rt->workers[i].stacks.count;
	RILL_ASSERT_CMP(n, ==, rill_rt->stacks.count);
	RILL_ASSERT_CMP(rill_rt->outside, ==, 0u);
}

struct rill_task *rill_rt_spawn(void *(*fn)(void *), void *arg)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rill_rt};
	struct rill_task *t = NULL;

	RILL_ASSERT(rill_spawn_with(&o, fn, arg, &t) == 0);
	return t;
}

/* ---- neighbours ---- */

void rill_worker_set_current(struct rill_worker *w)
{
	rill_doubles_be_worker(w);
}

struct rill_runtime *rill_runtime_current(void)
{
	struct rill_worker *w = rill_worker_current();

	return w ? w->rt : NULL;
}

/* Until something has changed. */
int rill_sleep(uint64_t ns)
{
	rill_cpu_relax();
	return 0;
}
