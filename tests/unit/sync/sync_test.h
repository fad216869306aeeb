/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of sync/ share. Tasks check with RILL_ASSERT: cmocka's asserts jump, which would
 * leave the task's stack behind.
 */
#ifndef TESTS_UNIT_SYNC_SYNC_TEST_H
#define TESTS_UNIT_SYNC_SYNC_TEST_H

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <rill/runtime.h>
#include <rill/select.h>
#include <rill/sync.h>
#include <rill/task.h>
#include <rill/time.h>
#include <rill/token.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/compiler.h"
#include "base/rand.h"

#include <cmocka.h>

#ifdef RILL_TSAN
#define STRESS(n) ((n) / 10)
#else
#define STRESS(n) (n)
#endif

#define CHECK(a, op, b) RILL_ASSERT_CMP(a, op, b)

static inline struct rill_runtime *runtime_start(enum rill_flavor flavor)
{
	struct rill_runtime_options o = {
		RILL_OPTIONS(o),
		.flavor = flavor,
		.workers = flavor == RILL_MULTI_THREAD ? 2 : 1,
		.no_pin = true,
		.start_paused = flavor == RILL_CURRENT_THREAD,
		.seed = 1,
	};
	struct rill_runtime *rt;

	CHECK(rill_runtime_create(&o, &rt), ==, 0);
	return rt;
}

static inline void run_on(enum rill_flavor flavor, void *(*fn)(void *), void *arg)
{
	struct rill_runtime *rt = runtime_start(flavor);

	CHECK(rill_block_on(rt, fn, arg, NULL), ==, 0);
	CHECK(rill_runtime_destroy(rt), ==, 0);
}

/* A test that is one task of a fresh runtime: one worker and a paused clock, or two workers. */
#define TASK_TEST_ON(flavor, name)                                                                 \
	static void *name##_task(void *arg);                                                       \
	static void name(void **state)                                                             \
	{                                                                                          \
		run_on(flavor, name##_task, NULL);                                                 \
	}                                                                                          \
	static void *name##_task(void *arg)
#define TASK_TEST(name) TASK_TEST_ON(RILL_CURRENT_THREAD, name)
#define STRESS_TEST(name) TASK_TEST_ON(RILL_MULTI_THREAD, name)

static inline struct rill_task *spawn(void *(*fn)(void *), void *arg)
{
	struct rill_task *t;

	CHECK(rill_spawn(fn, arg, &t), ==, 0);
	return t;
}

static inline void join(struct rill_task *t)
{
	CHECK(rill_join(t, NULL), >=, 0);
}

/*
 * Waits until another task of the one worker has set the flag, its last act before it waits: as
 * nobody else runs meanwhile, it does wait when this returns.
 */
static inline void until_set(const bool *flag)
{
	while (!rill_load_relaxed(flag))
		CHECK(rill_yield(), ==, 0);
}

/* One blocking call in a task of its own, under a scope. */
struct call {
	int (*fn)(struct call *c);
	void *obj;
	void *other;
	uint64_t msg;
	unsigned *clock; /* counts the calls that returned */
	struct rill_token *token;
	uint64_t deadline_ns;
	bool started;
	int result;
	unsigned turn; /* when it returned, by the clock */
	struct rill_task *task;
};

static inline void *call_task(void *arg)
{
	struct call *c = arg;
	struct rill_scope scope;

	rill_scope_begin(&scope, c->deadline_ns ? c->deadline_ns : RILL_FOREVER, c->token);
	rill_store_relaxed(&c->started, true);
	c->result = c->fn(c);
	rill_scope_end(&scope);
	if (c->clock)
		c->turn = ++*c->clock;
	return NULL;
}

/* Starts the call, and returns when it waits. */
static inline void call_start(struct call *c)
{
	c->started = false;
	c->result = 1;
	c->task = spawn(call_task, c);
	until_set(&c->started);
}

static inline int call_join(struct call *c)
{
	join(c->task);
	return c->result;
}

static inline int call_abort(struct call *c)
{
	rill_abort(c->task);
	return call_join(c);
}

/* Looks, without waiting. */
static inline int look(struct rill_case *c)
{
	return rill_select(c, 1, RILL_SELECT_NONBLOCKING);
}

static inline pthread_t thread_start(void *(*fn)(void *), void *arg)
{
	pthread_t t;

	CHECK(pthread_create(&t, NULL, fn, arg), ==, 0);
	return t;
}

static inline void thread_join(pthread_t t)
{
	CHECK(pthread_join(t, NULL), ==, 0);
}

#endif
