/* SPDX-License-Identifier: BSD-3-Clause */
/* What timers cost, and how late they are. */
#include "bench/bench.h"

#include <rill/task.h>
#include <rill/time.h>

#include <errno.h>
#include <stdlib.h>

#define TIMERS 10000
#define LIVE_TIMERS 1000000
#define FAR (3600 * RILL_SEC)
#define SLEEPERS 100000
#define LONGEST_SLEEP_MS 1000

/* An empty queue. */
static int queue_open(struct rill_runtime *rt, void **ret_state)
{
	struct rill_delay_queue *q;
	int err = rill_delay_queue_create(0, &q);

	if (err == 0)
		*ret_state = q;
	return err;
}

/* A queue with a million other timers. */
static int full_queue_open(struct rill_runtime *rt, void **ret_state)
{
	struct rill_delay_key key;
	int err = queue_open(rt, ret_state);

	for (uint64_t i = 0; i < LIVE_TIMERS && err == 0; i++)
		err = rill_delay_queue_insert(*ret_state, NULL, FAR + i * RILL_US, &key);
	return err;
}

static void queue_close(void *state)
{
	rill_delay_queue_destroy(state);
}

static int round_of_timers(void *state, uint64_t *ret_ops)
{
	struct rill_delay_key key;

	for (uint64_t i = 0; i < TIMERS; i++) {
		uint64_t dur = FAR + i % 1000 * RILL_MS;

		bench_must(rill_delay_queue_insert(state, NULL, dur, &key), "insert");
		bench_must(rill_delay_queue_remove(state, key, NULL), "remove");
	}
	*ret_ops = TIMERS;
	return 0;
}

/* Tasks which sleep once each. */
struct sleepers {
	uint64_t count;
	uint64_t *late_ns;
	struct rill_task **tasks;
};

/* Given how long to sleep, leaves there how late it was. */
static void *nap(void *arg)
{
	uint64_t *ns = arg;
	uint64_t due = rill_after(*ns);

	bench_must(rill_sleep_until(due), "sleep");
	*ns = rill_now() - due;
	return NULL;
}

static void *nap_all(void *arg)
{
	struct sleepers *s = arg;

	for (uint64_t i = 0; i < s->count; i++) {
		/* Evenly spread, in an order that looks random. */
		s->late_ns[i] = (1 + i * 7919 % LONGEST_SLEEP_MS) * RILL_MS;
		s->tasks[i] = bench_spawn(nap, &s->late_ns[i]);
	}
	bench_join_all(s->tasks, s->count);
	return NULL;
}

/* How late 100,000 sleeps of 1 to 1,000 ms end. */
static int lateness(struct rill_runtime *rt, uint64_t size, double *ret_figures)
{
	struct sleepers s = {.count = size ? size : SLEEPERS};

	s.late_ns = calloc(s.count, sizeof(*s.late_ns));
	s.tasks = calloc(s.count, sizeof(struct rill_task *));
	if (!s.late_ns || !s.tasks)
		bench_must(-ENOMEM, "sleepers");
	/* The first time the stacks are made. */
	for (int i = 0; i < 2; i++)
		bench_must(rill_block_on(rt, nap_all, &s, NULL), "block_on");
	bench_percentiles_us(s.late_ns, s.count, ret_figures);
	free(s.tasks);
	free(s.late_ns);
	return 2;
}

const struct bench bench_timers[] = {
	{.name = "timer_create_cancel",
	 .round = round_of_timers,
	 .open = queue_open,
	 .close = queue_close},
	{.name = "timer_live_1m",
	 .round = round_of_timers,
	 .open = full_queue_open,
	 .close = queue_close},
	{.name = "sleep_100k", .figures = lateness},
	{.name = "sleep_100k_spin", .idle = RILL_IDLE_SPIN, .figures = lateness},
	{0},
};
