/* SPDX-License-Identifier: BSD-3-Clause */
/* What timers cost, and how late they are. */
#include "bench/bench.h"

#include <rill/sync.h>
#include <rill/task.h>
#include <rill/time.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define TIMERS 10000
#define LIVE_TIMERS 1000000
#define FAR (3600 * RILL_SEC)
#define ROUND_TRIPS 10000
#define SLEEPERS 100000
#define LEAD RILL_SEC /* by then all are asleep */
#define SLEEPS_END_IN RILL_SEC

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

/* Two tasks notify each other in turn, and each would wait for an hour. */
struct rally {
	struct rill_notify served, returned;
};

static void wait_at_most(struct rill_notify *n)
{
	struct rill_scope scope;

	rill_scope_begin(&scope, rill_after(FAR), NULL);
	bench_must(rill_notify_wait(n), "wait");
	rill_scope_end(&scope);
}

static void *server(void *arg)
{
	struct rally *r = arg;

	for (int i = 0; i < ROUND_TRIPS; i++) {
		rill_notify_one(&r->served);
		wait_at_most(&r->returned);
	}
	return NULL;
}

static void *returner(void *arg)
{
	struct rally *r = arg;

	for (int i = 0; i < ROUND_TRIPS; i++) {
		wait_at_most(&r->served);
		rill_notify_one(&r->returned);
	}
	return NULL;
}

static int round_of_timeouts(void *state, uint64_t *ret_ops)
{
	struct rill_task *tasks[2];
	struct rally r;

	rill_notify_init(&r.served);
	rill_notify_init(&r.returned);
	tasks[0] = bench_spawn(returner, &r);
	tasks[1] = bench_spawn(server, &r);
	bench_join_all(tasks, 2);
	*ret_ops = ROUND_TRIPS;
	return 0;
}

/* Tasks which sleep once each, beginning before and ending after a common moment. */
struct sleepers {
	uint64_t count;
	uint64_t *ns; /* for each: when its sleep is over; then, how late that was */
	atomic_ulong asleep, left;
	struct rill_oneshot *done;
};

struct nap {
	struct sleepers *all;
	uint64_t *ns;
};

static void *nap(void *arg)
{
	struct sleepers *s = ((struct nap *)arg)->all;
	uint64_t *ns = ((struct nap *)arg)->ns;

	atomic_fetch_add_explicit(&s->asleep, 1, memory_order_relaxed);
	bench_must(rill_sleep_until(*ns), "sleep");
	*ns = rill_now() - *ns;
	if (atomic_fetch_sub_explicit(&s->left, 1, memory_order_relaxed) == 1)
		rill_oneshot_send(s->done, "");
	return NULL;
}

/* Sleeps end evenly spread, in an order that looks random. */
static void *nap_all(void *arg)
{
	struct sleepers *s = arg;
	struct nap *naps = calloc(s->count, sizeof(*naps));
	uint64_t begin = rill_after(LEAD);
	char message;

	bench_must(naps ? rill_oneshot_create(sizeof(char), &s->done) : -ENOMEM, "sleepers");
	atomic_init(&s->asleep, 0);
	atomic_init(&s->left, s->count);
	for (uint64_t i = 0; i < s->count; i++) {
		naps[i] = (struct nap){s, &s->ns[i]};
		s->ns[i] = begin + i * 7919 % s->count * SLEEPS_END_IN / s->count;
		bench_must(rill_spawn(nap, &naps[i], NULL), "spawn");
	}
	while (s->asleep < s->count)
		rill_yield();
	bench_must(rill_now() < begin ? 0 : -ETIME, "falling asleep");
	bench_must(rill_oneshot_recv(s->done, &message), "oneshot");
	rill_oneshot_close_receiver(s->done);
	free(naps);
	return NULL;
}

/* How late 100,000 sleeps end that are over within a second. */
static int lateness(struct rill_runtime *rt, uint64_t size, double *ret_figures)
{
	struct sleepers s = {.count = size ? size : SLEEPERS};

	s.ns = calloc(s.count, sizeof(*s.ns));
	if (!s.ns)
		bench_must(-ENOMEM, "sleepers");
	/* The first time the stacks are made. */
	for (int i = 0; i < 2; i++)
		bench_must(rill_block_on(rt, nap_all, &s, NULL), "block_on");
	bench_percentiles_us(s.ns, s.count, ret_figures);
	free(s.ns);
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
	{.name = "timeout_pingpong", .round = round_of_timeouts},
	{.name = "sleep_100k", .figures = lateness},
	{.name = "sleep_100k_spin", .idle = RILL_IDLE_SPIN, .figures = lateness},
	{0},
};
