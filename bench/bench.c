/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rill-bench NAME [WORKERS [SIZE]] prints what one operation took, in ns, or
 * the figures of a benchmark which says otherwise. bench/run runs it beside its
 * peers, which read the same variables:
 *
 *   BENCH_MS             measure for so many milliseconds, after a fifth of that to warm up
 *   BENCH_ROUNDS         instead: do exactly so many rounds, print how many operations it were
 *
 * and rill alone BENCH_POLL_INTERVAL, slices between turns of the loop.
 */
#include "bench/bench.h"

#include <rill/rill.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN_MS 300
#define WARM_UP_SHARE 5

static const struct bench *const benches[] = {
	bench_tasks, bench_wakes,  bench_timers, bench_idle,  bench_locks, bench_channels,
	bench_net,   bench_stream, bench_conns,	 bench_files, bench_input, bench_ports};

#define BENCHES (sizeof(benches) / sizeof(benches[0]))

struct measurement {
	const struct bench *bench;
	struct rill_runtime *rt;
	double figure;
	int error;
};

static const struct bench *find(const char *name)
{
	for (size_t i = 0; i < BENCHES; i++)
		for (const struct bench *b = benches[i]; b->name; b++)
			if (strcmp(b->name, name) == 0)
				return b;
	return NULL;
}

static uint64_t variable(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 10) : otherwise;
}

uint64_t bench_run_ns(void)
{
	return variable("BENCH_MS", RUN_MS) * RILL_MS;
}

void bench_fail(int err, const char *what)
{
	fprintf(stderr, "rill-bench: %s: %s\n", what, strerror(-err));
	exit(1);
}

struct rill_task *bench_spawn(void *(*fn)(void *), void *arg)
{
	struct rill_task *task;

	bench_must(rill_spawn(fn, arg, &task), "spawn");
	return task;
}

void bench_join_all(struct rill_task **tasks, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		bench_must(rill_join(tasks[i], NULL), "join");
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int bench_percentiles_us(uint64_t *samples_ns, uint64_t n, double *ret_figures)
{
	qsort(samples_ns, n, sizeof(*samples_ns), by_value);
	ret_figures[0] = (double)samples_ns[n / 2] / RILL_US;
	ret_figures[1] = (double)samples_ns[n * 99 / 100] / RILL_US;
	return 2;
}

/* Rounds for at least time_ns. */
static int repeat(const struct bench *b, void *state, uint64_t time_ns, double *ret_ns_per_op)
{
	uint64_t begin = rill_now();
	uint64_t ops = 0;
	uint64_t took;

	do {
		uint64_t n = 0;
		int err = b->round(state, &n);

		if (err < 0)
			return err;
		ops += n;
		took = rill_now() - begin;
	} while (took < time_ns);
	*ret_ns_per_op = (double)took / (double)ops;
	return 0;
}

/* For counting instructions: nothing here depends on the clock. */
static int count_ops(const struct bench *b, void *state, uint64_t rounds, double *ret_ops)
{
	uint64_t ops = 0;

	while (rounds-- > 0) {
		uint64_t n = 0;
		int err = b->round(state, &n);

		if (err < 0)
			return err;
		ops += n;
	}
	*ret_ops = (double)ops;
	return 0;
}

static void *measure(void *arg)
{
	struct measurement *m = arg;
	const struct bench *b = m->bench;
	uint64_t rounds = variable("BENCH_ROUNDS", 0);
	void *state = NULL;

	m->error = b->open ? b->open(m->rt, &state) : 0;
	if (m->error < 0)
		return NULL;
	if (rounds) {
		m->error = count_ops(b, state, rounds, &m->figure);
	} else {
		m->error = repeat(b, state, bench_run_ns() / WARM_UP_SHARE, &m->figure);
		if (m->error == 0)
			m->error = repeat(b, state, bench_run_ns(), &m->figure);
	}
	if (b->close)
		b->close(state);
	return NULL;
}

/* The number of figures, or a negative errno. */
static int run(const struct bench *b, struct rill_runtime *rt, uint64_t size, double *ret_figures)
{
	struct measurement m = {.bench = b, .rt = rt};
	int err = 0;

	if (b->figures)
		return b->figures(rt, size, ret_figures);
	if (b->outside)
		measure(&m);
	else
		err = rill_block_on(rt, measure, &m, NULL);
	if (err == 0)
		err = m.error;
	ret_figures[0] = m.figure;
	return err < 0 ? err : 1;
}

int main(int argc, char **argv)
{
	const struct bench *b = argc >= 2 && argc <= 4 ? find(argv[1]) : NULL;
	struct rill_runtime_options o = {
		RILL_OPTIONS(o), .poll_interval = (unsigned)variable("BENCH_POLL_INTERVAL", 0)};
	double figures[BENCH_FIGURES_MAX];
	struct rill_runtime *rt;
	int n;

	if (!b) {
		fprintf(stderr, "usage: rill-bench NAME [WORKERS [SIZE]] (bench/README.md)\n");
		return 2;
	}
	o.idle = b->idle;
	o.workers = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
	n = rill_runtime_create(&o, &rt);
	if (n == 0) {
		n = run(b, rt, argc > 3 ? strtoull(argv[3], NULL, 10) : 0, figures);
		rill_runtime_destroy(rt);
	}
	if (n < 0) {
		fprintf(stderr, "rill-bench: %s: %s\n", b->name, strerror(-n));
		return 1;
	}
	for (int i = 0; i < n; i++)
		printf("%.3f\n", figures[i]);
	return 0;
}
