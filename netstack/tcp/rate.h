/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Delivery rate estimation (draft-ietf-ccwg-bbr, 4.1; before that draft-cheng-iccrg-delivery-rate-
 * estimation): how fast data arrived between the sending of a segment and the news of its arrival.
 * A segment carries what the connection had delivered when it was sent; the difference, over the
 * longer of the time it took to send and the time it took to acknowledge, is a sample. Bytes and
 * nanoseconds; C.delivered is x->delivered, P's values are in struct rill_send_cb, RS is struct
 * rill_tcp_rate.
 *
 * All of these want tcb->x to be there.
 */
#ifndef RILL_NETSTACK_TCP_RATE_H
#define RILL_NETSTACK_TCP_RATE_H

#include "netstack/tcp/tcb.h"
#include "netstack/tcp/xfer.h"

/*
 * b goes out now, for the first time or again. Before SND.NXT and b's marks follow, so that the
 * pipe is the one it finds.
 */
void rill_tcp_rate_on_send(struct rill_tcb *tcb, struct rill_buf *b, uint64_t now);
/*
 * n bytes of b are newly known to have arrived: acknowledged, and not SACKed before, or SACKed. rs
 * begins each ACK as zeroes. b->time_ns is when it was sent last.
 */
void rill_tcp_rate_on_delivered(struct rill_tcb *tcb, struct rill_buf *b, uint32_t n, uint64_t now,
				struct rill_tcp_rate *rs);
/* After all segments of one ACK, and after its round-trip time was taken. */
void rill_tcp_rate_finish(struct rill_tcb *tcb, uint64_t now, struct rill_tcp_rate *rs);
/* b was just marked LOST: counts it, and tells the algorithm. */
void rill_tcp_rate_on_lost(struct rill_tcb *tcb, struct rill_buf *b, uint64_t now);
/*
 * Whether the application left the path unused (4.1.2.4). When there is nothing more to send now:
 * samples of what is sent next are then marked until all that is under way has arrived.
 */
void rill_tcp_rate_check_app_limited(struct rill_tcb *tcb);
/* The same by decree: samples say little for one round trip. */
void rill_tcp_rate_mark_app_limited(struct rill_tcb *tcb);

/* Bytes per second; 0: no sample. */
uint64_t rill_tcp_rate_bps(const struct rill_tcp_rate *rs);

#endif
