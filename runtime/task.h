/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A task and its stack. struct rill_task lies at the top of its own stack, so that a parked task
 * touches one page. Stacks come from slabs that stay mapped until the runtime goes, so a task's
 * memory is type-stable: a late wake of a task that has ended hits a state word which ignores it.
 */
#ifndef RILL_RUNTIME_TASK_H
#define RILL_RUNTIME_TASK_H

#include "base/wheel.h"
#include "runtime/context.h"
#include "runtime/fiber.h"
#include "runtime/waiter.h"

struct rill_runtime;
struct rill_worker;

/* What a task asks of the scheduler when it switches to it. */
enum rill_task_action {
	RILL_TASK_PARK,
	RILL_TASK_YIELD,
	RILL_TASK_EXIT,
};

/* struct rill_task.join besides a waiter's address */
#define RILL_JOIN_NONE ((struct rill_waiter *)0)
#define RILL_JOIN_WAKING ((struct rill_waiter *)1) /* ended; its joiner is being woken */
#define RILL_JOIN_DONE ((struct rill_waiter *)2)

struct rill_task {
	struct rill_waiter waiter; /* first: a task's waiter is the task */
	struct rill_context context;
	struct rill_runtime *rt;
	void *(*fn)(void *);
	void *arg;		    /* then the result */
	RILL_ATOMIC(uint32_t) refs; /* the scheduler's, and the handle's */
	RILL_ATOMIC(bool) live;	    /* between spawn and end; scanned by shutdown */
	bool abort_seen;	    /* a call has returned -ECANCELED because of an abort */
	uint8_t action;		    /* enum rill_task_action */
	RILL_ATOMIC(struct rill_waiter *) join;
	struct rill_worker *timer_worker; /* whose wheel may hold timer; NULL: none */
	struct rill_timer timer;
	uint64_t id;
	const char *name;
	const char *wait_what; /* while parked */
	const void *wait_obj;
	void *stack_low; /* lowest usable byte */
	struct rill_fiber fiber;
};

static inline struct rill_task *rill_task_of(struct rill_waiter *w)
{
	return RILL_CONTAINER_OF(w, struct rill_task, waiter);
}

/* Takes the scheduler's reference of an ended task away. */
void rill_task_put(struct rill_task *t);

/* Publishes the end of t to its joiner. On the scheduler's stack, t's own being idle. */
void rill_task_complete(struct rill_task *t);

#endif
