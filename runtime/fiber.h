/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the sanitizers and valgrind must be told of stacks and switches. Empty in ordinary builds.
 */
#ifndef RILL_RUNTIME_FIBER_H
#define RILL_RUNTIME_FIBER_H

#include <stddef.h>

#include "base/compiler.h"

#ifdef RILL_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef RILL_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* One for each stack: a task's, or a worker thread's own. */
struct rill_fiber {
#ifdef RILL_ASAN
	void *fake_stack;
	const void *bottom;
	size_t size;
#endif
#ifdef RILL_TSAN
	void *tsan;
	unsigned uses;
#endif
	char unused_; /* an empty struct is not C */
};

static inline void rill_fiber_init(struct rill_fiber *f, const void *bottom, size_t size)
{
#ifdef RILL_ASAN
	f->fake_stack = NULL;
	f->bottom = bottom;
	f->size = size;
#endif
#ifdef RILL_TSAN
	f->tsan = __tsan_create_fiber(0);
#endif
	(void)f, (void)bottom, (void)size;
}

/*
 * For the next task on the same stack. The last one left without returning from its calls, which
 * ThreadSanitizer counts, up to 64 Ki; but a new fiber takes it a millisecond.
 */
#define RILL_FIBER_USES_MAX 4096

static inline void rill_fiber_renew(struct rill_fiber *f)
{
#ifdef RILL_TSAN
	if (++f->uses % RILL_FIBER_USES_MAX != 0)
		return;
	__tsan_destroy_fiber(f->tsan);
	f->tsan = __tsan_create_fiber(0);
#endif
	(void)f;
}

static inline void rill_fiber_fini(struct rill_fiber *f)
{
#ifdef RILL_TSAN
	__tsan_destroy_fiber(f->tsan);
#endif
	(void)f;
}

/* The calling thread's own stack; ASan learns its bounds at the first switch away from it. */
static inline void rill_fiber_init_thread(struct rill_fiber *f)
{
#ifdef RILL_ASAN
	f->fake_stack = NULL;
	f->bottom = NULL;
	f->size = 0;
#endif
#ifdef RILL_TSAN
	f->tsan = __tsan_get_current_fiber();
#endif
	(void)f;
}

/* Before a switch; dying: nobody will come back to from. */
static RILL_ALWAYS_INLINE void rill_fiber_leave(struct rill_fiber *from, struct rill_fiber *to,
						bool dying)
{
#ifdef RILL_ASAN
	/* The last frames are never returned from: their red zones must not be there for the next
	 * user. */
	if (dying)
		__asan_unpoison_memory_region(from->bottom, from->size);
	__sanitizer_start_switch_fiber(dying ? NULL : &from->fake_stack, to->bottom, to->size);
	/* The next task on this stack begins with a fake stack of its own. */
	if (dying)
		from->fake_stack = NULL;
#endif
#ifdef RILL_TSAN
	__tsan_switch_to_fiber(to->tsan, 0);
#endif
	(void)from, (void)to, (void)dying;
}

/* First thing after a switch: self is where we are now, previous where we came from. */
static RILL_ALWAYS_INLINE void rill_fiber_arrive(struct rill_fiber *self,
						 struct rill_fiber *previous)
{
#ifdef RILL_ASAN
	const void *bottom;
	size_t size;

	__sanitizer_finish_switch_fiber(self->fake_stack, &bottom, &size);
	if (previous && !previous->bottom) {
		previous->bottom = bottom;
		previous->size = size;
	}
#endif
	(void)self, (void)previous;
}

#endif
