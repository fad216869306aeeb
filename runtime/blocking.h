/* SPDX-License-Identifier: BSD-3-Clause */
/* Threads for calls that may block in the kernel. They come when needed and leave after 10 s
 * without work. */
#ifndef RILL_RUNTIME_BLOCKING_H
#define RILL_RUNTIME_BLOCKING_H

#include <pthread.h>
#include <stdbool.h>

#include "base/list.h"

#define RILL_BLOCKING_KEEP_ALIVE_S 10

struct rill_blocking_pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	pthread_cond_t gone;
	struct rill_list queue;
	unsigned threads;
	unsigned idle;
	unsigned max;
	unsigned queued;
	unsigned jobs; /* calls that have not returned */
	bool closing;
};

void rill_blocking_pool_init(struct rill_blocking_pool *p, unsigned max_threads);
/* No job may be left. Waits for the threads. */
void rill_blocking_pool_fini(struct rill_blocking_pool *p);

#endif
