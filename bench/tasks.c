/* SPDX-License-Identifier: BSD-3-Clause */
/* What tasks cost: switching, yielding, starting and joining. */
#include "bench/bench.h"

#include <rill/sync.h>
#include <rill/task.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SWITCHES_EACH 10000
#define YIELDS 10000
#define YIELDERS 200
#define YIELDS_EACH 1000
#define JOINED 10000
#define CHAIN_LINKS 1000
#define SPAWNS 10000

static void *yielder(void *times)
{
	for (uintptr_t n = (uintptr_t)times; n > 0; n--)
		rill_yield();
	return NULL;
}

/* n tasks which yield so many times each. */
static void run_yielders(struct rill_task **tasks, unsigned n, uintptr_t times)
{
	for (unsigned i = 0; i < n; i++)
		tasks[i] = bench_spawn(yielder, (void *)times);
	bench_join_all(tasks, n);
}

/* Two tasks take turns. */
static int round_of_switches(void *state, uint64_t *ret_ops)
{
	struct rill_task *tasks[2];

	run_yielders(tasks, 2, SWITCHES_EACH);
	*ret_ops = 2 * SWITCHES_EACH;
	return 0;
}

/* The task of the benchmark is alone. */
static int round_of_yields(void *state, uint64_t *ret_ops)
{
	yielder((void *)(uintptr_t)YIELDS);
	*ret_ops = YIELDS;
	return 0;
}

static int round_of_many_yields(void *state, uint64_t *ret_ops)
{
	struct rill_task *tasks[YIELDERS];

	run_yielders(tasks, YIELDERS, YIELDS_EACH);
	*ret_ops = YIELDERS * YIELDS_EACH;
	return 0;
}

static void *nothing(void *arg)
{
	return arg;
}

static int round_of_joins(void *state, uint64_t *ret_ops)
{
	for (int i = 0; i < JOINED; i++) {
		struct rill_task *task = bench_spawn(nothing, NULL);

		bench_join_all(&task, 1);
	}
	*ret_ops = JOINED;
	return 0;
}

/* What the tasks of a round count down. Whoever comes last sends. */
struct countdown {
	struct rill_oneshot *done;
	atomic_uint left;
};

static void countdown_begin(struct countdown *c, unsigned n)
{
	bench_must(rill_oneshot_create(sizeof(char), &c->done), "oneshot");
	atomic_init(&c->left, n);
}

/* True for the last. */
static bool count(struct countdown *c)
{
	/* Relaxed as in Tokio's benchmark: the oneshot orders what matters. */
	if (atomic_fetch_sub_explicit(&c->left, 1, memory_order_relaxed) > 1)
		return false;
	rill_oneshot_send(c->done, "");
	return true;
}

/* The receiver's half of the channel is gone after this. */
static void countdown_wait(struct rill_oneshot *done)
{
	char message;

	bench_must(rill_oneshot_recv(done, &message), "oneshot");
	rill_oneshot_close_receiver(done);
}

static void *chain_link(void *arg)
{
	if (!count(arg))
		bench_must(rill_spawn(chain_link, arg, NULL), "spawn");
	return NULL;
}

static int round_of_chain(void *state, uint64_t *ret_ops)
{
	struct countdown c;

	countdown_begin(&c, CHAIN_LINKS);
	bench_must(rill_spawn(chain_link, &c, NULL), "spawn");
	countdown_wait(c.done);
	*ret_ops = CHAIN_LINKS;
	return 0;
}

static void *counter(void *arg)
{
	count(arg);
	return NULL;
}

static int round_of_spawns(void *state, uint64_t *ret_ops)
{
	struct countdown c;

	countdown_begin(&c, SPAWNS);
	for (int i = 0; i < SPAWNS; i++)
		bench_must(rill_spawn(counter, &c, NULL), "spawn");
	countdown_wait(c.done);
	*ret_ops = SPAWNS;
	return 0;
}

/* Tasks started by a plain thread. */
struct remote {
	struct rill_runtime *rt;
	struct rill_task *tasks[SPAWNS];
};

static int remote_open(struct rill_runtime *rt, void **ret_state)
{
	struct remote *r = malloc(sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->rt = rt;
	*ret_state = r;
	return 0;
}

static void *join_remote(void *arg)
{
	struct remote *r = arg;

	bench_join_all(r->tasks, SPAWNS);
	return NULL;
}

static int round_of_remote_spawns(void *state, uint64_t *ret_ops)
{
	struct remote *r = state;
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = r->rt};

	for (int i = 0; i < SPAWNS; i++)
		bench_must(rill_spawn_with(&o, nothing, NULL, &r->tasks[i]), "spawn");
	*ret_ops = SPAWNS;
	return rill_block_on(r->rt, join_remote, r, NULL);
}

const struct bench bench_tasks[] = {
	{.name = "switch", .round = round_of_switches},
	{.name = "yield", .round = round_of_yields},
	{.name = "yield_many", .round = round_of_many_yields},
	{.name = "spawn_join", .round = round_of_joins},
	{.name = "chained_spawn", .round = round_of_chain},
	{.name = "spawn_many", .round = round_of_spawns},
	{.name = "remote_spawn",
	 .outside = true,
	 .round = round_of_remote_spawns,
	 .open = remote_open,
	 .close = free},
	{0},
};
