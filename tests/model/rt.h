/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A runtime of production code whose worker threads are threads of the model: its tasks run on
 * their own stacks, and sleep, steal and wake for real. Clock and randomness stand still.
 */
#ifndef RILL_MODEL_RT_H
#define RILL_MODEL_RT_H

#include "tests/model/doubles.h"

extern struct rill_runtime *rill_rt;

/* In setup. Worker i is thread first_thread + i of the test, the first being 1. */
void rill_rt_setup(unsigned workers, unsigned first_thread);

/* The threads of the workers: run until rill_rt_stop(). */
void rill_rt_work_0(void);
void rill_rt_work_1(void);
void rill_rt_stop(void);

/* For a check: every stack is free again, and nobody is in the middle of anything. */
void rill_rt_check_idle(void);

/* From a plain thread of the test. */
struct rill_task *rill_rt_spawn(void *(*fn)(void *), void *arg);

/* A test of such a runtime, searched to the end within its own bounds. */
#define RILL_RT_TEST(n, check_, setup_, preemptions_, stale_, ...)                                 \
	{                                                                                          \
		.name = n, .setup = setup_, .threads = {__VA_ARGS__}, .check = check_,             \
		.exhaustive = true, .preemptions = preemptions_, .stale = stale_,                  \
	}

#endif
