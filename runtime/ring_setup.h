/* SPDX-License-Identifier: BSD-3-Clause */
/* Making rings, and what is told of them. For the ring's files only. */
#ifndef RILL_RUNTIME_RING_SETUP_H
#define RILL_RUNTIME_RING_SETUP_H

#include "runtime/ring.h"

extern const struct rill_poller_ops rill_ring_poller_ops;

bool rill_ring_print_family(struct rill_poller *p, FILE *out, unsigned family, bool header);

#endif
