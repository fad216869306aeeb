/* SPDX-License-Identifier: BSD-3-Clause */
/* What it costs to wake a parked task. */
#include "bench/bench.h"

#include <rill/sync.h>
#include <rill/task.h>
#include <rill/time.h>

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define ROUND_TRIPS 10000
#define ONESHOT_ROUND_TRIPS 1000
#define PAIRS 1000
#define WAKEUPS 500
#define REST_US 1000

/* Two tasks notify each other in turn. */
struct rally {
	struct rill_notify served, returned;
};

static void *server(void *arg)
{
	struct rally *r = arg;

	for (int i = 0; i < ROUND_TRIPS; i++) {
		rill_notify_one(&r->served);
		bench_must(rill_notify_wait(&r->returned), "wait");
	}
	return NULL;
}

static void *returner(void *arg)
{
	struct rally *r = arg;

	for (int i = 0; i < ROUND_TRIPS; i++) {
		bench_must(rill_notify_wait(&r->served), "wait");
		rill_notify_one(&r->returned);
	}
	return NULL;
}

static void play(const struct rill_spawn_options o[2])
{
	struct rill_task *tasks[2];
	struct rally r;

	rill_notify_init(&r.served);
	rill_notify_init(&r.returned);
	bench_must(rill_spawn_with(&o[0], returner, &r, &tasks[0]), "spawn");
	bench_must(rill_spawn_with(&o[1], server, &r, &tasks[1]), "spawn");
	bench_join_all(tasks, 2);
}

static int round_of_notifies(void *state, uint64_t *ret_ops)
{
	struct rill_spawn_options o[2] = {{RILL_OPTIONS(o[0])}, {RILL_OPTIONS(o[1])}};

	play(o);
	*ret_ops = ROUND_TRIPS;
	return 0;
}

/* Each task on a worker of its own. */
static int round_across(void *state, uint64_t *ret_ops)
{
	struct rill_spawn_options o[2];

	for (unsigned i = 0; i < 2; i++)
		o[i] = (struct rill_spawn_options){RILL_OPTIONS(o[i]),
						   .placement = RILL_PLACE_PINNED, .worker = i};
	play(o);
	*ret_ops = ROUND_TRIPS;
	return 0;
}

/* The same with channels that carry one message each. */
struct oneshots {
	struct rill_oneshot *there[ONESHOT_ROUND_TRIPS];
	struct rill_oneshot *back[ONESHOT_ROUND_TRIPS];
};

static struct rill_oneshot *new_oneshot(void)
{
	struct rill_oneshot *ch;

	bench_must(rill_oneshot_create(sizeof(char), &ch), "oneshot");
	return ch;
}

/* Takes the message; the channel is gone after this. */
static void take(struct rill_oneshot *ch)
{
	char message;

	bench_must(rill_oneshot_recv(ch, &message), "oneshot");
	rill_oneshot_close_receiver(ch);
}

static void *asker(void *arg)
{
	struct oneshots *o = arg;

	for (int i = 0; i < ONESHOT_ROUND_TRIPS; i++) {
		rill_oneshot_send(o->there[i], "");
		take(o->back[i]);
	}
	return NULL;
}

static void *answerer(void *arg)
{
	struct oneshots *o = arg;

	for (int i = 0; i < ONESHOT_ROUND_TRIPS; i++) {
		take(o->there[i]);
		rill_oneshot_send(o->back[i], "");
	}
	return NULL;
}

static int round_of_oneshots(void *state, uint64_t *ret_ops)
{
	struct rill_task *tasks[2];
	struct oneshots o;

	for (int i = 0; i < ONESHOT_ROUND_TRIPS; i++) {
		o.there[i] = new_oneshot();
		o.back[i] = new_oneshot();
	}
	tasks[0] = bench_spawn(answerer, &o);
	tasks[1] = bench_spawn(asker, &o);
	bench_join_all(tasks, 2);
	*ret_ops = ONESHOT_ROUND_TRIPS;
	return 0;
}

/* Many pairs of tasks, each with one question and one answer. */
struct pairs {
	struct rill_oneshot *done;
	atomic_uint left;
};

struct question {
	struct rill_oneshot *there, *back;
};

static void *answer(void *arg)
{
	struct question *q = arg;
	struct rill_oneshot *back = q->back;

	take(q->there);
	/* The asker's stack, where the question lies, may go with this. */
	rill_oneshot_send(back, "");
	return NULL;
}

static void *ask(void *arg)
{
	struct pairs *p = arg;
	struct question q = {new_oneshot(), new_oneshot()};

	bench_must(rill_spawn(answer, &q, NULL), "spawn");
	rill_oneshot_send(q.there, "");
	take(q.back);
	if (atomic_fetch_sub_explicit(&p->left, 1, memory_order_relaxed) == 1)
		rill_oneshot_send(p->done, "");
	return NULL;
}

static void *ask_all(void *arg)
{
	for (int i = 0; i < PAIRS; i++)
		bench_must(rill_spawn(ask, arg, NULL), "spawn");
	return NULL;
}

static int round_of_pairs(void *state, uint64_t *ret_ops)
{
	struct pairs p = {.done = new_oneshot(), .left = PAIRS};
	struct rill_oneshot *done = p.done;

	bench_must(rill_spawn(ask_all, &p, NULL), "spawn");
	take(done);
	*ret_ops = PAIRS;
	return 0;
}

/* A plain thread notifies a task whose worker sleeps. */
struct sleeper {
	struct rill_notify bell;
	_Atomic uint64_t rung_ns;
	atomic_int heard;
	uint64_t took_ns[WAKEUPS];
};

static void *sleeper(void *arg)
{
	struct sleeper *s = arg;

	for (int i = 0; i < WAKEUPS; i++) {
		bench_must(rill_notify_wait(&s->bell), "wait");
		s->took_ns[i] = rill_now() - s->rung_ns;
		s->heard = i + 1;
	}
	return NULL;
}

/* The worker has the first CPU that the process may use, as always; this thread gets the last. */
static void leave_to_worker(void)
{
	cpu_set_t all, last;

	sched_getaffinity(0, sizeof(all), &all);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&last);
		CPU_SET(cpu, &last);
	}
	sched_setaffinity(0, sizeof(last), &last);
}

static int wakeup_latency(struct rill_runtime *rt, uint64_t size, double *ret_figures)
{
	static struct sleeper s;
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt};
	struct rill_task *task;

	leave_to_worker();
	rill_notify_init(&s.bell);
	bench_must(rill_spawn_with(&o, sleeper, &s, &task), "spawn");
	for (int i = 0; i < WAKEUPS; i++) {
		/* Long enough for the worker to give up spinning. */
		do
			usleep(REST_US);
		while (s.heard < i);
		s.rung_ns = rill_now();
		rill_notify_one(&s.bell);
	}
	bench_join_all(&task, 1);
	return bench_percentiles_us(s.took_ns, WAKEUPS, ret_figures);
}

const struct bench bench_wakes[] = {
	{.name = "notify_pingpong", .round = round_of_notifies},
	{.name = "pingpong_cross", .round = round_across},
	{.name = "oneshot_pingpong", .round = round_of_oneshots},
	{.name = "ping_pong", .round = round_of_pairs},
	{.name = "wakeup_latency", .figures = wakeup_latency},
	{0},
};
