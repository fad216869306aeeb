/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of programs that use rill: tasks run one slice at a time, in the order that the test
 * says and on a clock that it moves; or under one random order after another, each of which can be
 * had again by its seed. docs/testing.md shows how. Nothing here belongs into a running program.
 */
#ifndef RILL_TEST_H
#define RILL_TEST_H

#include <rill/base.h>
#include <rill/runtime.h>
#include <rill/task.h>

RILL_BEGIN_DECLS

/* ---- the stepper ---- */

/*
 * A CURRENT_THREAD runtime with a paused clock, whose tasks run only when the test has them run, on
 * the calling thread. All tasks of it do so, those which tasks spawn, too. A slice goes from one
 * park or yield to the next.
 *
 * From one plain thread, outside of its tasks. The thread stays a plain one: rill_now() is the real
 * clock there (see rill_stepper_now()), a blocking call blocks it, and what makes a task runnable
 * (a send, an unlock) is recorded for that task. Using any of it in a way that can't be meant ends
 * the process with a line that says what was wrong.
 */
struct rill_stepper;

struct rill_stepper_options {
	size_t size;	     /* sizeof, by RILL_OPTIONS */
	uint64_t seed;	     /* 0: run_until_idle goes round; else it draws the next task by lot */
	size_t stack_size;   /* of the tasks; 0: the runtime's default */
	unsigned max_slices; /* after so many in one call a task is taken to be running in circles;
				0: one million */
};

/* o may be NULL. -EINVAL, -ENOMEM, and -EDEADLK in a task. */
RILL_API int rill_stepper_create(const struct rill_stepper_options *o, struct rill_stepper **ret_s);
/*
 * Aborts all tasks and runs them to their ends, moving the clock where they wait for it. A task
 * that then still waits for something else is named, and ends the process. NULL is fine.
 */
RILL_API void rill_stepper_destroy(struct rill_stepper *s);

/* To spawn with other options, or to make a network interface in it. Not to be driven otherwise. */
RILL_API struct rill_runtime *rill_stepper_runtime(struct rill_stepper *s);

/* A task that is yet to take its first step; name may be NULL. The handle is the caller's. */
RILL_API int rill_stepper_spawn(struct rill_stepper *s, const char *name, void *(*fn)(void *),
				void *arg, struct rill_task **ret_task);

/* What a task did at the end of a slice. */
enum rill_step {
	RILL_STEP_PARKED = 1, /* waits for something */
	RILL_STEP_YIELDED,    /* would go on at once */
	RILL_STEP_FINISHED,
};

/*
 * Runs one slice of the task: how it ended, an enum rill_step. -EAGAIN: it waits, and nothing has
 * woken it; -ESRCH: it has ended.
 */
RILL_API int rill_stepper_step(struct rill_stepper *s, struct rill_task *task);
/* Steps the task until it waits (RILL_STEP_PARKED) or has ended (RILL_STEP_FINISHED). */
RILL_API int rill_stepper_step_until_idle(struct rill_stepper *s, struct rill_task *task);
/* Steps whatever task is runnable until none is; how many slices that took. Time stands still. */
RILL_API unsigned rill_stepper_run_until_idle(struct rill_stepper *s);
/* Aborts the task and steps it until it has ended, or waits in a shielded scope. */
RILL_API int rill_stepper_cancel(struct rill_stepper *s, struct rill_task *task);

/* A step would run it: it is new, has yielded, or was woken. */
RILL_API bool rill_stepper_is_woken(struct rill_stepper *s, struct rill_task *task);
/* It waits, and nothing has woken it. */
RILL_API bool rill_stepper_is_parked(struct rill_stepper *s, struct rill_task *task);
RILL_API bool rill_stepper_is_finished(struct rill_stepper *s, struct rill_task *task);
/* How often something has woken it from waiting; twice in one wait counts once. */
RILL_API unsigned rill_stepper_wake_count(struct rill_stepper *s, struct rill_task *task);
/* What it waits, or was waiting when woken, for: "sleep", "mutex" and so on. "" when it does not.
 */
RILL_API const char *rill_stepper_waits_for(struct rill_stepper *s, struct rill_task *task);

/* As rill_join_outcome(), for a task that has ended; releases the handle. */
RILL_API void rill_stepper_result(struct rill_stepper *s, struct rill_task *task,
				  struct rill_outcome *ret_outcome);

/* The stepper's clock. */
RILL_API uint64_t rill_stepper_now(struct rill_stepper *s);
/* Moves it and wakes those who wait for a time until then, exactly; runs nobody. */
RILL_API void rill_stepper_advance(struct rill_stepper *s, uint64_t dur_ns);

/* ---- many orders ---- */

/*
 * Runs fn(arg) as a task under count seeds from first (not 0) on, each in a CURRENT_THREAD runtime
 * with a paused clock, whose next task is always drawn by seed: the same seed, the same order. Ends
 * at the first run in which fn returns anything but 0 or fails: prints the seed, and returns what
 * fn returned (-EIO when it failed) with the seed in *ret_seed (may be
 * NULL). 0: all was well. Negative also when a runtime can't be had. With RILL_TEST_SEED in the
 * environment only that seed is run. From plain threads.
 */
RILL_API int rill_test_seeds(uint64_t first, unsigned count, int (*fn)(void *arg), void *arg,
			     uint64_t *ret_seed);

RILL_END_DECLS

#endif
