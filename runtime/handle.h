/* SPDX-License-Identifier: BSD-3-Clause */
/* A runtime's handle, as the runtime and spawn see it. */
#ifndef RILL_RUNTIME_HANDLE_H
#define RILL_RUNTIME_HANDLE_H

#include "base/atomic.h"

struct rill_runtime;

struct rill_handle {
	RILL_ATOMIC(uint32_t) refs;
	RILL_ATOMIC(uint32_t) users;	       /* in the middle of a call */
	RILL_ATOMIC(struct rill_runtime *) rt; /* NULL: gone */
};

/* With one reference, the runtime's. NULL: no memory. */
struct rill_handle *rill_handle_create(struct rill_runtime *rt);

/* The runtime, which stays until exit; or NULL, and nothing to exit. */
struct rill_runtime *rill_handle_enter(struct rill_handle *h);
void rill_handle_exit(struct rill_handle *h);

struct rill_spawn_options;

/*
 * For what follows a spawn by o, and touches the task or its runtime: keeps the runtime while it
 * goes on, if it is named by a handle only. False: gone, and nothing to exit.
 */
bool rill_handle_enter_by(const struct rill_spawn_options *o);
void rill_handle_exit_by(const struct rill_spawn_options *o);

/* Waits until nobody is inside, lets nobody in any more, and gives the runtime's reference back. */
void rill_handle_close(struct rill_handle *h);

#endif
