/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lets its waiters go once n of them have come, then begins anew. Zero bytes are not a valid one:
 * init it.
 */
#ifndef RILL_BARRIER_H
#define RILL_BARRIER_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_barrier {
	uint64_t opaque[4];
};

/* n of 0 counts as 1. */
RILL_API void rill_barrier_init(struct rill_barrier *b, uint32_t n);
/*
 * 1 for the last to come, who leads, 0 for the others. Cancel safe: who gives up is no longer
 * counted. The barrier stays until all calls have returned, not just one.
 */
RILL_API int rill_barrier_wait(struct rill_barrier *b);

RILL_END_DECLS

#endif
