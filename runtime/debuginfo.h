/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the debug information of the program and its libraries says, by elfutils' libdw: names and
 * lines of program counters, and the way out of functions without frame pointers. All of it
 * allocates and serialises its callers; built without libdw it knows nothing.
 */
#ifndef RILL_RUNTIME_DEBUGINFO_H
#define RILL_RUNTIME_DEBUGINFO_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/backtrace.h"

/* Inlined calls at one place, at most. */
#define RILL_LOCATIONS_MAX 12

/* A function that a program counter lies in. The strings stay until the library is unloaded. */
struct rill_location {
	const char *function; /* or NULL */
	const char *file;     /* or NULL */
	int line;
};

/* A copy of stack memory: bytes[0] was at. */
struct rill_stack_copy {
	uintptr_t at;
	const uint8_t *bytes;
	size_t len;
};

#ifdef RILL_HAVE_LIBDW
/* Innermost first; how many, 0 when nothing is known of pc. */
unsigned rill_debuginfo_locate(uintptr_t pc, struct rill_location *locations, unsigned max);
/*
 * The frames of what stood at cpu, as rill_frames_walk(), as far as the copy reaches. ret_sps, of
 * max entries or NULL: each frame's stack pointer, 0 where it is not known.
 */
unsigned rill_debuginfo_unwind(const struct rill_cpu *cpu, struct rill_stack_copy stack,
			       const void **frames, uintptr_t *ret_sps, unsigned max);
#else
static inline unsigned rill_debuginfo_locate(uintptr_t pc, struct rill_location *locations,
					     unsigned max)
{
	(void)pc, (void)locations, (void)max;
	return 0;
}

static inline unsigned rill_debuginfo_unwind(const struct rill_cpu *cpu,
					     struct rill_stack_copy stack, const void **frames,
					     uintptr_t *ret_sps, unsigned max)
{
	(void)cpu, (void)stack, (void)frames, (void)ret_sps, (void)max;
	return 0;
}
#endif

/*
 * One list, in frames, of what the unwinder found and what the walk by frame pointers found: the
 * first knows the way out of functions without one, the other reaches further. How many.
 */
unsigned rill_debuginfo_merge(const void **frames, unsigned unwound, const void *const *walked,
			      unsigned walked_count, unsigned max);

#endif
