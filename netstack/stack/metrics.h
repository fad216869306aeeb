/* SPDX-License-Identifier: BSD-3-Clause */
/* What a shard counts, as OpenMetrics. */
#ifndef RILL_NETSTACK_STACK_METRICS_H
#define RILL_NETSTACK_STACK_METRICS_H

#include <stdbool.h>
#include <stdio.h>

struct rill_poller;

/* See struct rill_poller_ops. */
bool rill_shard_print_family(struct rill_poller *p, FILE *out, unsigned family, bool header);

#endif
