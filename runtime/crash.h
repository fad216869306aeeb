/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reports of crashes (rill_crash_install()), and what every thread that runs tasks needs for them:
 * a stack for signal handlers, for the one that overflowed cannot take them, and its signals
 * unblocked.
 */
#ifndef RILL_RUNTIME_CRASH_H
#define RILL_RUNTIME_CRASH_H

#include "runtime/backtrace.h"

struct rill_runtime;

/*
 * By a thread that has become a worker (rill_worker_current()). The first time on a thread it sets
 * it up, until the thread ends; later it costs next to nothing. Without memory for a stack there
 * will be no report of an overflow.
 */
void rill_crash_thread_init(void);
/* By the same thread when it stops being that worker: nobody looks for it there any more. */
void rill_crash_thread_leave(void);

/* Of the calling thread's own stack; empty before rill_crash_thread_init(). For handlers, too. */
struct rill_stack_bounds rill_crash_thread_bounds(void);

/* What creating a runtime installs. Idempotent. */
void rill_crash_install_default(void);

/*
 * Names and lines cannot be found out in a signal handler, so a monitor's helper does it, while the
 * crashed thread waits. Between begin and end it sees to it that what is wanted is done.
 */
void rill_crash_assist_begin(void);
bool rill_crash_wants_assistance(void);
void rill_crash_assist(void);
void rill_crash_assist_end(void);

#endif
