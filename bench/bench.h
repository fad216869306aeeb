/* SPDX-License-Identifier: BSD-3-Clause */
/* rill's side of the benchmarks: what the files of measurements share. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <rill/base.h>

/* One measurement: runs in a task on the only worker of a runtime; does *ret_ops operations. */
struct bench {
	const char *name;
	/* What is measured, many times. 0, or a negative errno. */
	int (*round)(void *state, uint64_t *ret_ops);
	/* Around all rounds; may be NULL. open leaves in *ret_state what round is given. */
	int (*open)(void **ret_state);
	void (*close)(void *state);
};

/* Each ends with an entry whose name is NULL. */
extern const struct bench bench_tasks[];
extern const struct bench bench_sync[];
extern const struct bench bench_net[];

#endif
