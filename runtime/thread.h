/* SPDX-License-Identifier: BSD-3-Clause */
/* Threads of the runtime's own: signals are for the program's, so these take none. */
#ifndef RILL_RUNTIME_THREAD_H
#define RILL_RUNTIME_THREAD_H

#include <pthread.h>
#include <stddef.h>

/* As pthread_create(), with all signals blocked; stack_size 0: the system's. -errno. */
int rill_thread_create(pthread_t *ret_thread, size_t stack_size, void *(*fn)(void *), void *arg);

struct rill_runtime;

/*
 * The runtime whose thread this is although it is no worker's (one for blocking calls, or that
 * calls the program's hooks), or NULL: it must not wait for that runtime's end.
 */
struct rill_runtime *rill_thread_runtime(void);
void rill_thread_set_runtime(struct rill_runtime *rt);

#endif
