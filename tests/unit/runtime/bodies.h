/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tasks of several tests do. */
#ifndef RILL_TESTS_UNIT_RUNTIME_BODIES_H
#define RILL_TESTS_UNIT_RUNTIME_BODIES_H

#include "tests/unit/runtime/rt.h"

static inline void *same(void *arg)
{
	return arg;
}

/* Until it is aborted. */
static inline void *sleep_for_ever(void *arg)
{
	rill_sleep(RILL_FOREVER);
	return arg;
}

/* arg, or NULL when it was aborted at the gate. */
static inline void *wait_at_gate(void *arg)
{
	return gate_wait(arg) < 0 ? NULL : arg;
}

/* For some microseconds, by arg. */
static inline void *nap(void *arg)
{
	rill_sleep((uintptr_t)arg % 7 * 3 * RILL_US);
	return arg;
}

/* From a task: until it is the only one. */
static inline void until_alone(void)
{
	while (rill_runtime_live_tasks(rill_runtime_current()) > 1)
		rill_yield();
}

/* Many tasks that yield a few times, and one sleep: something to be measured. */
#define LOAD_SPAWNS 500
#define LOAD_YIELDS 7

static inline void *load_task(void *arg)
{
	for (int i = 0; i < LOAD_YIELDS; i++)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	return NULL;
}

static inline void *load(void *arg)
{
	struct rill_task *t[LOAD_SPAWNS];

	for (int i = 0; i < LOAD_SPAWNS; i++)
		t[i] = spawn(load_task, NULL);
	for (int i = 0; i < LOAD_SPAWNS; i++)
		RILL_ASSERT_CMP(rill_join(t[i], NULL), ==, 0);
	RILL_ASSERT_CMP(rill_sleep(RILL_MS), ==, 0);
	return NULL;
}

#endif
