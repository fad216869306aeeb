/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Circles in the graph of who waits for whom. Each task waits for one other at most, so the graph
 * is followed from every task until it ends or meets itself.
 */
#ifndef RILL_RUNTIME_DEADLOCK_H
#define RILL_RUNTIME_DEADLOCK_H

#include <rill/dump.h>

/* Calls found for every circle, until it returns false. Any thread. -ENOMEM. */
int rill_deadlock_each(struct rill_runtime *rt,
		       bool (*found)(void *ctx, const struct rill_deadlock *d), void *ctx);

#endif
