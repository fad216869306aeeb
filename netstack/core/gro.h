/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receive coalescing: in a burst, segments of one connection that follow one another go through the
 * stack together. What they say in common is checked and acted upon once; what counts by segment
 * (ACKs and their delay, counters, round trips, memory) is done for each. The connection cannot
 * tell the difference, nor can its peer.
 *
 * A run is two segments or more, adjacent in the burst: plain headers without IP options, the same
 * flow, ECN field, ACK, window, timestamps and options, flags ACK alone (PSH in the last), each
 * beginning where the one before ends, with right checksums. It is taken only where its first
 * segment is the next that an established connection expects (header prediction). All else goes
 * the usual way, frame by frame, in order. Nothing waits: a run ends with the burst.
 *
 * A frame that the NIC merged (RILL_BUF_GSO) or that lies in several buffers (RILL_BUF_CHAIN) is a
 * run by itself.
 */
#ifndef RILL_NETSTACK_CORE_GRO_H
#define RILL_NETSTACK_CORE_GRO_H

#include "netstack/core/core.h"

/*
 * Takes a run from the front of a burst of n > 0 frames, their references with it: how many frames
 * that were. 0: there is none, or the first is not for here; nothing has changed, but for
 * RILL_BUF_CSUM_OK where a sum was found right.
 */
unsigned rill_gro_take(struct rill_core *core, struct rill_buf **bufs, unsigned n);

#endif
