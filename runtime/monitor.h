/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thread that looks at all workers every millisecond or so. One that has not been in its loop
 * since the last look is stuck in a task: it is marked, and another worker is sent to do what its
 * loop would do (poll its shards, fire its timers, run its tasks). A runtime of one worker has no
 * monitor.
 */
#ifndef RILL_RUNTIME_MONITOR_H
#define RILL_RUNTIME_MONITOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct rill_runtime;

struct rill_monitor {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stop_cond;
	bool started;
	bool stop;	 /* under lock */
	uint64_t *beats; /* of each worker, at the last look */
};

int rill_monitor_start(struct rill_runtime *rt);
void rill_monitor_stop(struct rill_runtime *rt);

#endif
