/* SPDX-License-Identifier: BSD-3-Clause */
/* Threads for calls that may block in the kernel. They come when needed and leave after a time
 * without work. */
#ifndef RILL_RUNTIME_BLOCKING_H
#define RILL_RUNTIME_BLOCKING_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "base/list.h"

struct rill_runtime;

struct rill_blocking_pool {
	struct rill_runtime *rt;
	cpu_set_t cpus; /* where the runtime's creator may run; so may the pool's threads */
	bool cpus_known;
	pthread_mutex_t lock;
	pthread_cond_t work;
	pthread_cond_t gone;
	struct rill_list queue;
	unsigned threads; /* that take jobs */
	unsigned leaving; /* that no longer do */
	unsigned idle;
	unsigned queued;
	unsigned jobs; /* calls that have not returned */
	bool closing;
};

/* By rt's options. */
void rill_blocking_pool_init(struct rill_blocking_pool *p, struct rill_runtime *rt);
/* No job may be left. Waits for the threads. */
void rill_blocking_pool_fini(struct rill_blocking_pool *p);

/* The body of a task of rill_spawn_blocking(). */
void *rill_blocking_task(void *arg);

#endif
