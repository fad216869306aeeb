/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of the runtime share. Inside tasks they assert with RILL_ASSERT: cmocka's asserts
 * would jump off the task's stack.
 */
#ifndef RILL_TESTS_UNIT_RUNTIME_RT_H
#define RILL_TESTS_UNIT_RUNTIME_RT_H

#include <rill/runtime.h>
#include <rill/select.h>
#include <rill/task.h>
#include <rill/time.h>
#include <rill/token.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "runtime/await.h"
#include "runtime/runtime.h"

/* Rounds of a stress test; the sanitizers make each one dearer. */
#if defined(RILL_TSAN)
#define ROUNDS(n) ((n) / 20)
#elif defined(RILL_ASAN)
#define ROUNDS(n) ((n) / 5)
#else
#define ROUNDS(n) (n)
#endif

static inline struct rill_runtime *start(struct rill_runtime_options o)
{
	struct rill_runtime *rt = NULL;

	o.size = sizeof(o);
	o.no_pin = true;
	o.seed = 1;
	assert_int_equal(rill_runtime_create(&o, &rt), 0);
	return rt;
}

static inline struct rill_runtime *start_current(void)
{
	return start((struct rill_runtime_options){.flavor = RILL_CURRENT_THREAD});
}

static inline struct rill_runtime *start_paused(void)
{
	return start(
		(struct rill_runtime_options){.flavor = RILL_CURRENT_THREAD, .start_paused = true});
}

static inline struct rill_runtime *start_multi(unsigned workers)
{
	return start((struct rill_runtime_options){.workers = workers});
}

static inline void stop(struct rill_runtime *rt)
{
	assert_int_equal(rill_runtime_destroy(rt), 0);
}

static inline void *run(struct rill_runtime *rt, void *(*fn)(void *), void *arg)
{
	void *value = NULL;

	assert_int_equal(rill_block_on(rt, fn, arg, &value), 0);
	return value;
}

/* From a task. */
static inline struct rill_task *spawn(void *(*fn)(void *), void *arg)
{
	struct rill_task *t = NULL;

	RILL_ASSERT_CMP(rill_spawn(fn, arg, &t), ==, 0);
	return t;
}

/* A paused clock moves in ticks of the timing wheel. */
#define TICK_NS 1024

/* now is t, or less than a tick later */
#define ASSERT_NOW(t)                                                                              \
	do {                                                                                       \
		RILL_ASSERT_CMP(rill_now(), >=, (uint64_t)(t));                                    \
		RILL_ASSERT_CMP(rill_now(), <, (uint64_t)(t) + TICK_NS);                           \
	} while (0)

/* Moves a paused clock, without waking anybody. */
static inline void turn_clock(struct rill_runtime *rt, uint64_t ns)
{
	rill_clock_set(rt, true, (int64_t)(rill_runtime_now(rt) + ns));
}

/* Runs the test in a runtime of its own, of each kind. */
static inline void in_each_flavor(void *(*fn)(void *), void *arg)
{
	struct rill_runtime *rt = start_current();

	run(rt, fn, arg);
	assert_int_equal(rill_runtime_live_tasks(rt), 0);
	stop(rt);
	rt = start_multi(2);
	run(rt, fn, arg);
	assert_int_equal(rill_runtime_live_tasks(rt), 0);
	stop(rt);
}

/* A counting semaphore: the least that can be waited for. */
struct gate {
	struct rill_spinlock lock;
	unsigned permits;
	struct rill_list waiters;
};

void gate_init(struct gate *g);
void gate_post(struct gate *g);
int gate_wait(struct gate *g);
void gate_case(struct rill_case *c, struct gate *g);

#endif
