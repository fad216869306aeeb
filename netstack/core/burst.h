/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A burst of frames of many connections. Each connection is some twenty cache lines, which are not
 * in the cache when there are thousands of them: taken in one by one, every segment would wait for
 * its own. So the burst goes through the table first, in steps that each ask for all the lines that
 * the next one reads, and the memory answers them together.
 */
#ifndef RILL_NETSTACK_CORE_BURST_H
#define RILL_NETSTACK_CORE_BURST_H

#include "netstack/core/core.h"

/* Frames at once; more come in several portions. */
#define RILL_CORE_RX_BURST 64

/* rill_core_input() of each, in order. Takes the references. */
void rill_core_input_burst(struct rill_core *core, struct rill_buf **bufs, unsigned count);

#endif
