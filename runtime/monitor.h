/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thread that looks at all workers every millisecond or so, less often while all sleep. One that
 * has not been in its loop since the last look is marked, and another worker is sent to do what its
 * loop would do (poll its shards, fire its timers, run its tasks). One that has worked for one and
 * the same slice for longer than options.stuck_ns is reported.
 *
 * It also looks whether a signal handler wants something done: a dump, names in a crash report.
 */
#ifndef RILL_RUNTIME_MONITOR_H
#define RILL_RUNTIME_MONITOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "runtime/helper.h"

struct rill_runtime;

/* What it knows of one worker. All but the atomics are the monitor's own. */
struct rill_stuck_watch {
	uint64_t beat;	 /* at the last look */
	uint64_t slices; /* the same */
	uint64_t cpu_ns; /* of the thread, at the last look of this slice; 0: this slice is new */
	uint64_t worked_ns;		/* by this slice, as far as it was watched */
	RILL_ATOMIC(uint64_t) stuck_ns; /* worked_ns, once it is reported; else 0 */
	RILL_ATOMIC(uint64_t)
	report;			     /* slices + 1 of the one to be reported; taken by the helper */
	RILL_ATOMIC(uint64_t) times; /* reported so far */
	RILL_ATOMIC(uint64_t) longest_ns;
};

struct rill_monitor {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool started;
	bool stop;			  /* under lock */
	struct rill_stuck_watch *watches; /* one for each worker */
	struct rill_helper helper;
	uint64_t looked_ns; /* when it looked last; the monitor's */
};

int rill_monitor_start(struct rill_runtime *rt);
void rill_monitor_stop(struct rill_runtime *rt);

#endif
