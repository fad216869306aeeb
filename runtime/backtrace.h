/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading stacks that are not ours: of parked tasks, which may run again while we read, and of code
 * that a signal has interrupted. Nothing here faults, takes a lock or allocates; all of it may be
 * called by a signal handler.
 */
#ifndef RILL_RUNTIME_BACKTRACE_H
#define RILL_RUNTIME_BACKTRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/task.h"

/*
 * For functions that read what others may write at the same time, and use nothing of it without
 * having checked it; or that read memory in which a sanitizer has put red zones.
 */
#define RILL_NO_SANITIZE __attribute__((no_sanitize("address", "thread"), noinline))

/* Bytes below the stack pointer that are in use: a function that is about to return has its
 * caller's frame pointer there. */
#define RILL_RED_ZONE 128

/* Mapped and readable from low, below high. */
struct rill_stack_bounds {
	uintptr_t low;
	uintptr_t high;
};

/* Where a thread or task stands. */
struct rill_cpu {
	uintptr_t pc;
	uintptr_t sp;
	uintptr_t fp;
	uint64_t dwarf[32]; /* the general registers by their DWARF numbers */
	unsigned dwarf_count;
};

/* What t's functions may use. */
static inline struct rill_stack_bounds rill_task_bounds(const struct rill_task *t)
{
	return (struct rill_stack_bounds){(uintptr_t)t->stack_low, (uintptr_t)t};
}

static inline bool rill_stack_holds(struct rill_stack_bounds b, uintptr_t at)
{
	return at >= b.low && at < b.high;
}

/*
 * pc, and by the chain of frame pointers the calls around it (their return addresses less one);
 * how many. Ends where the chain leaves the bounds or does not go up.
 */
unsigned rill_frames_walk(uintptr_t pc, uintptr_t fp, struct rill_stack_bounds bounds,
			  const void **frames, unsigned max);

/*
 * The frame pointer of code without one that stands at sp: the first word from there on that begins
 * a chain which ends in a frame pointer of 0. 0: there is none. A guess: words left behind by
 * earlier calls look the same.
 */
uintptr_t rill_frames_guess(uintptr_t sp, struct rill_stack_bounds bounds);

/* What a signal handler's third argument says. */
void rill_cpu_of_signal(const void *ucontext, struct rill_cpu *ret_cpu);

/* The same from a stack pointer and a frame pointer alone. */
void rill_cpu_make_dwarf(struct rill_cpu *cpu);

/*
 * Of memory that others may write: every aligned word is whole, and not older than those of an
 * earlier call.
 */
void rill_copy_racy(void *to, const void *from, size_t bytes);

/* Of memory that may not be there any more: false then. */
bool rill_copy_checked(void *to, const void *from, size_t bytes);

#endif
