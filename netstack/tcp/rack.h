/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RACK (RFC 8985, 6): losses found by time. A path that delivers in order delivers what was sent
 * earlier first. So once a segment has arrived, every other that was sent before it and has not
 * arrived is lost, or late by reordering; it is given reo_wnd to show up:
 *
 *      sent          arrives
 *      1 ----------> ack        x->rack_sent_ns, rack_end_seq: the one sent last of those that
 *      2 ---- ?                 arrived (here 4), and its round trip rack_rtt_us. 2 and 3 were sent
 *      3 ---- ?                 before it: each is lost when
 *      4 ----------> sack
 *                                   sent + rack_rtt + reo_wnd <= now
 *
 * Counting duplicates (RFC 6675) needs three segments behind the hole and is fooled when three
 * overtake; this needs one, and finds a lost retransmission as well, for only the time of the last
 * transmission counts. When time has to pass yet, x->reo_at says until when.
 *
 * reo_wnd is a quarter of the smallest round trip; 0 before any reordering was seen, when three
 * segments arrived or recovery has begun; and more, up to one round trip, when D-SACKs tell that
 * segments were sent again for nothing (6.2, step 4).
 *
 * Used when SACK was agreed on and unless params.no_rack; tcb->x is there.
 */
#ifndef RILL_NETSTACK_TCP_RACK_H
#define RILL_NETSTACK_TCP_RACK_H

#include "netstack/tcp/scoreboard.h"

/* b, still with its marks, has arrived (step 2). */
void rill_tcp_rack_on_delivered(struct rill_tcb *tcb, struct rill_buf *b,
				const struct rill_tcp_acked *a);
/* A segment arrived that distance bytes behind it have overtaken (step 3). */
void rill_tcp_rack_reordered(struct rill_tcb *tcb, uint32_t distance);
/* Once for each ACK, before losses are looked for: what D-SACKs say of reo_wnd (step 4). */
void rill_tcp_rack_adapt(struct rill_tcb *tcb, const struct rill_tcp_acked *a);
/* A recovery is over (step 4). */
void rill_tcp_rack_recovered(struct rill_tcb *tcb);
/* Marks what is lost by now; sets x->reo_at (step 5). */
void rill_tcp_rack_detect(struct rill_tcb *tcb, uint64_t now);
/* After a timeout: the first segment, and all whose time has passed (6.3). */
void rill_tcp_rack_mark_on_rto(struct rill_tcb *tcb, uint64_t now);

#endif
