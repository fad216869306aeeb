/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Executions. Threads are coroutines on one thread of the system. Each runs up to its next atomic
 * operation, announces it, and waits for its turn: so whoever chooses knows what each would do.
 * Thread 0 runs the setup, starts the others, and checks when all have ended.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/engine/engine.h"

#define EXECUTIONS_DEFAULT 1000000

struct rill_model rill_model;

static uint8_t stacks[RILL_MODEL_CLOCKS][RILL_MODEL_STACK_SIZE] __attribute__((aligned(64)));

unsigned rill_model_self(void)
{
	return rill_model.self;
}

void *rill_model_local(void)
{
	return rill_model_thread()->local;
}

void rill_model_set_local(void *local)
{
	rill_model_thread()->local = local;
}

/* ---- failure ---- */

void rill_model_fail(const char *kind, const char *fmt, ...)
{
	struct rill_model_thread *t = rill_model_thread();
	va_list ap;

	rill_model.failure = kind;
	va_start(ap, fmt);
	vsnprintf(rill_model.message, sizeof(rill_model.message), fmt, ap);
	va_end(ap);
	rill_fiber_leave(&t->fiber, &rill_model.main_fiber, false);
	rill_context_switch(&t->context, &rill_model.main);
	__builtin_unreachable();
}

/* In place of base/assert.c. */
void rill_assert_failed(const char *file, int line, const char *what)
{
	rill_model_fail("assertion", "%s:%d: %s", file, line, what);
}

void rill_assert_failed_cmp(const char *file, int line, const char *what, long long a, long long b)
{
	rill_model_fail("assertion", "%s:%d: %s (%lld, %lld)", file, line, what, a, b);
}

/* ---- whose turn ---- */

static void switch_to(unsigned next)
{
	struct rill_model_thread *from = rill_model_thread();
	struct rill_model_thread *to = &rill_model.threads[next];

	if (from == to)
		return;
	rill_model.self = next;
	rill_fiber_leave(&from->fiber, &to->fiber, false);
	rill_context_switch(&from->context, &to->context);
	rill_fiber_arrive(&from->fiber, NULL);
}

/* Has another thread stored something since this one's loop came round last? */
static bool may_have_news(unsigned thread)
{
	for (unsigned i = 1; i < rill_model.thread_count; i++)
		if (i != thread && rill_model.threads[i].stored > rill_model.threads[thread].round)
			return true;
	return false;
}

static bool ready(unsigned thread)
{
	const struct rill_model_thread *t = &rill_model.threads[thread];

	if (t->finished)
		return false;
	switch (t->op.kind) {
	case RILL_MODEL_OP_LOCK:
		return rill_model_peek(t->op.addr, t->op.size) == 0;
	case RILL_MODEL_OP_RELAX:
		return may_have_news(thread);
	case RILL_MODEL_OP_WAIT:
		return t->op.ready(t->op.arg);
	default:
		return true;
	}
}

static bool all_finished(void)
{
	for (unsigned i = 1; i < rill_model.thread_count; i++)
		if (!rill_model.threads[i].finished)
			return false;
	return true;
}

/* The calling thread has said what it does next, or is at its end: somebody goes on. */
static void go_on(void)
{
	const struct rill_model_thread *self = rill_model_thread();
	unsigned bit = 1u << rill_model.self;
	unsigned enabled = 0;

	for (unsigned i = 1; i < rill_model.thread_count; i++)
		enabled |= (unsigned)ready(i) << i;
	if (enabled == 0) {
		if (!all_finished())
			rill_model_fail("deadlock", "nobody can go on");
		switch_to(0);
		return;
	}
	/* Who spins lets others go first. */
	bool spins = self->op.kind == RILL_MODEL_OP_RELAX;

	if (spins && (enabled & ~bit))
		enabled &= ~bit;
	switch_to(rill_model_choose_thread(enabled, rill_model.self, (enabled & bit) && !spins,
					   &rill_model.choice));
}

struct rill_model_step *rill_model_step(const struct rill_model_op *op)
{
	struct rill_model_thread *t = rill_model_thread();

	t->op = *op;
	if (rill_model.starting)
		switch_to(0);
	else if (rill_model.parallel)
		go_on();
	if (rill_model.step_count == RILL_MODEL_STEPS_MAX)
		rill_model_fail("livelock", "more than %d steps", RILL_MODEL_STEPS_MAX);
	struct rill_model_step *s = &rill_model.steps[rill_model.step_count];

	*s = (struct rill_model_step){
		.site = op->site,
		.kind = op->kind,
		.thread = (uint8_t)rill_model.self,
		.order = op->order,
		.addr = op->addr,
		.from = op->from,
		.choice = rill_model.choice,
	};
	if (rill_model.parallel) {
		rill_model.step_count++;
		t->clock.at[rill_model.self]++;
	}
	return s;
}

void rill_model_wait(bool (*is_ready)(const void *arg), const void *arg,
		     const struct rill_model_site *site)
{
	rill_model_step(&(struct rill_model_op){
		.kind = RILL_MODEL_OP_WAIT, .ready = is_ready, .arg = arg, .site = *site});
}

static bool is_finished(const void *arg)
{
	const struct rill_model_thread *t = arg;

	return t->finished;
}

void rill_model_join(unsigned thread)
{
	struct rill_model_thread *t = &rill_model.threads[thread];

	rill_model_wait(is_finished, t, RILL_MODEL_SITE("join"));
	rill_model_clock_join(&rill_model_thread()->clock, &t->clock);
	rill_model_clock_join(&rill_model_thread()->order, &t->order);
}

/* ---- one execution ---- */

static void start_threads(void)
{
	rill_model.starting = true;
	for (unsigned i = 1; i < rill_model.thread_count; i++) {
		rill_model.threads[i].clock.at[i] = 1;
		switch_to(i);
	}
	rill_model.starting = false;
	rill_model.parallel = true;
}

/* Thread 0. */
static void direct(void)
{
	struct rill_model_thread *self = rill_model_thread();

	if (rill_model.test->setup)
		rill_model.test->setup();
	start_threads();
	go_on();
	rill_model.parallel = false;
	for (unsigned i = 1; i < rill_model.thread_count; i++)
		rill_model_clock_join(&self->clock, &rill_model.threads[i].clock);
	if (rill_model.test->check)
		rill_model.test->check();
	rill_fiber_leave(&self->fiber, &rill_model.main_fiber, false);
	rill_context_switch(&self->context, &rill_model.main);
}

static void thread_entry(void)
{
	unsigned self = rill_model.self;
	struct rill_model_thread *t = rill_model_thread();

	rill_fiber_arrive(&t->fiber, self == 0 ? &rill_model.main_fiber : NULL);
	if (self == 0)
		direct();
	rill_model.test->threads[self - 1]();
	t->finished = true;
	if (rill_model.starting)
		switch_to(0);
	else
		go_on();
	__builtin_unreachable();
}

static void thread_reset(unsigned i)
{
	struct rill_model_thread *t = &rill_model.threads[i];
	struct rill_fiber fiber = t->fiber;

#ifdef RILL_ASAN
	__asan_unpoison_memory_region(stacks[i], sizeof(stacks[i]));
	fiber.fake_stack = NULL;
#endif
	memset(t, 0, sizeof(*t));
	t->fiber = fiber;
	rill_fiber_renew(&t->fiber);
	rill_context_init(&t->context, stacks[i] + sizeof(stacks[i]), thread_entry);
}

static void execute(void)
{
	for (unsigned i = 0; i < rill_model.thread_count; i++)
		thread_reset(i);
	rill_model_memory_reset();
	rill_model_plain_reset();
	rill_model_kernel_reset();
	rill_model_relax_reset();
	rill_model_trace_reset();
	rill_model_explore_rewind();
	rill_model.self = 0;
	rill_model.starting = false;
	rill_model.parallel = false;
	rill_model.step_count = 0;
	rill_model.seq = 0;
	rill_model.racing[0] = rill_model.racing[1] = NULL;
	memset(&rill_model.seq_cst_fences, 0, sizeof(rill_model.seq_cst_fences));
	memset(&rill_model.fence_conflict, 0, sizeof(rill_model.fence_conflict));
	rill_fiber_leave(&rill_model.main_fiber, &rill_model.threads[0].fiber, false);
	rill_context_switch(&rill_model.main, &rill_model.threads[0].context);
	rill_fiber_arrive(&rill_model.main_fiber, NULL);
}

/* ---- one test ---- */

static void threads_init(const struct rill_model_test *t)
{
	static bool once;

	rill_model.thread_count = 1;
	while (rill_model.thread_count <= RILL_MODEL_THREADS &&
	       t->threads[rill_model.thread_count - 1])
		rill_model.thread_count++;
	if (once)
		return;
	once = true;
	rill_fiber_init_thread(&rill_model.main_fiber);
	for (unsigned i = 0; i < RILL_MODEL_CLOCKS; i++)
		rill_fiber_init(&rill_model.threads[i].fiber, stacks[i], sizeof(stacks[i]));
}

static bool report(const struct rill_model_test *t, unsigned long executions, bool bounded)
{
	const char *failure = rill_model.failure;
	bool expected = t->fails && failure && strcmp(t->fails, failure) == 0;

	printf("%s: ", t->name);
	if (expected)
		printf("ok, %s found in execution %lu\n", failure, executions);
	else if (failure)
		printf("FAILED in execution %lu, %s: %s\n", executions, failure,
		       rill_model.message);
	else if (t->fails)
		printf("FAILED: no %s in %lu executions\n", t->fails, executions);
	else
		printf("%s, %lu executions, %s\n", bounded && t->exhaustive ? "FAILED" : "ok",
		       executions,
		       bounded ? "STOPPED BY THE BOUND ON EXECUTIONS" : "all there are");
	if (failure && (!expected || getenv("RILL_MODEL_VERBOSE")))
		rill_model_trace_print();
	fflush(stdout);
	return failure || t->fails ? expected : !(bounded && t->exhaustive);
}

bool rill_model_run(const struct rill_model_test *t)
{
	const char *replay = getenv("RILL_MODEL_REPLAY");
	const char *max = getenv("RILL_MODEL_EXECUTIONS");
	unsigned long executions_max = max ? strtoul(max, NULL, 10) : EXECUTIONS_DEFAULT;
	unsigned long executions = 0;
	bool more = true;

	rill_model.test = t;
	rill_model.failure = NULL;
	threads_init(t);
	rill_model_explore_begin(t, replay && *replay ? replay : NULL);
	while (more && !rill_model.failure && executions < executions_max) {
		execute();
		executions++;
		if (!rill_model.failure)
			more = rill_model_explore_next();
	}
	return report(t, executions, more && !rill_model.failure);
}
