/* SPDX-License-Identifier: BSD-3-Clause */
/* Threads of the runtime's own: signals are for the program's, so these take none. */
#ifndef RILL_RUNTIME_THREAD_H
#define RILL_RUNTIME_THREAD_H

#include <pthread.h>
#include <stddef.h>

/* As pthread_create(), with all signals blocked; stack_size 0: the system's. -errno. */
int rill_thread_create(pthread_t *ret_thread, size_t stack_size, void *(*fn)(void *), void *arg);

#endif
