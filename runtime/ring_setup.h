/* SPDX-License-Identifier: BSD-3-Clause */
/* Making rings, and what is told of them. For the ring's files only. */
#ifndef RILL_RUNTIME_RING_SETUP_H
#define RILL_RUNTIME_RING_SETUP_H

#include "runtime/ring.h"

/*
 * Whether the kernel may be kept from writing to the worker's wake_fd while that is awake. It says
 * that there is a completion, and then reads whether to write: on x86 by a locked instruction, and
 * elsewhere by one that orders nothing, so that it might miss that the worker has gone to sleep.
 */
#if defined(__x86_64__)
#define RILL_RING_QUIET true
#else
#define RILL_RING_QUIET false
#endif

extern const struct rill_poller_ops rill_ring_poller_ops;

bool rill_ring_print_family(struct rill_poller *p, FILE *out, unsigned family, bool header);

#endif
