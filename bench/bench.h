/* SPDX-License-Identifier: BSD-3-Clause */
/* rill's side of the benchmarks: what the files of measurements share. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <rill/base.h>
#include <rill/runtime.h>

#define BENCH_FIGURES_MAX 2

struct rill_task;

/* One measurement, on a runtime made for it. It has either round or figures. */
struct bench {
	const char *name;
	enum rill_idle idle;
	/* round, open and close run on the plain thread that made the runtime, not in
	 * a task. */
	bool outside;
	/* What is measured, many times; does *ret_ops operations. 0, or a negative
	 * errno. */
	int (*round)(void *state, uint64_t *ret_ops);
	/* Around all rounds; may be NULL. open leaves in *ret_state what round is
	 * given. */
	int (*open)(struct rill_runtime *rt, void **ret_state);
	void (*close)(void *state);
	/*
	 * Measures by itself, on the plain thread: the number of figures in
	 * ret_figures, or a negative errno. size comes from the command line; 0: the
	 * usual one.
	 */
	int (*figures)(struct rill_runtime *rt, uint64_t size, double *ret_figures);
};

/* How long to measure, in ns. */
uint64_t bench_run_ns(void);

/* Ends the program with what failed. */
void bench_fail(int err, const char *what);

/* The same when err is negative. Inline: it is in loops that are measured. */
static inline void bench_must(int err, const char *what)
{
	if (err < 0)
		bench_fail(err, what);
}

/* As rill_spawn(), but cannot fail; returns the handle. */
struct rill_task *bench_spawn(void *(*fn)(void *), void *arg);
/* Joins n tasks in order. */
void bench_join_all(struct rill_task **tasks, uint64_t n);

/* Sorts the samples; ret_figures gets their median and their 99th percentile,
 * in us. Returns 2. */
int bench_percentiles_us(uint64_t *samples_ns, uint64_t n, double *ret_figures);

/* What of this process is in memory. */
uint64_t bench_resident_bytes(void);

/* Each ends with an entry whose name is NULL. */
extern const struct bench bench_tasks[];
extern const struct bench bench_wakes[];
extern const struct bench bench_timers[];
extern const struct bench bench_idle[];
extern const struct bench bench_locks[];
extern const struct bench bench_channels[];
extern const struct bench bench_net[];
extern const struct bench bench_stream[];
extern const struct bench bench_conns[];
extern const struct bench bench_files[];
extern const struct bench bench_input[];
extern const struct bench bench_ports[];

#endif
