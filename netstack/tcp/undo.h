/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Undoing a reduction of cwnd that no loss had deserved (RFC 4015). Two witnesses:
 *
 *   - Eifel (RFC 3522): the first ACK that moves SND.UNA after a retransmission echoes a timestamp
 *     older than the retransmission. So it answers the original, which was late, not lost.
 *   - D-SACK (RFC 2883, RFC 3708): everything that was sent again since was reported as a
 * duplicate.
 *
 * F-RTO (frto.h) is a third, for timeouts. tcb->x is there.
 */
#ifndef RILL_NETSTACK_TCP_UNDO_H
#define RILL_NETSTACK_TCP_UNDO_H

#include "netstack/tcp/scoreboard.h"

/* cwnd is about to be reduced: remembers what it was. */
void rill_tcp_undo_begin(struct rill_tcb *tcb);
/* A segment is sent again: from start up to, but not with, end. */
void rill_tcp_undo_on_retransmit(struct rill_tcb *tcb, uint32_t start, uint32_t end, uint64_t now);
/* Counts the duplicates that a D-SACK reports. Once for each ACK. */
void rill_tcp_undo_on_dsack(struct rill_tcb *tcb, struct rill_tcp_env *env,
			    const struct rill_tcp_acked *a);
/* Whether one of the witnesses has spoken. */
bool rill_tcp_undo_due(const struct rill_tcb *tcb, const struct rill_tcp_acked *a);
/* cwnd and ssthresh as they were. What waits to be sent again does so no longer. */
void rill_tcp_undo(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);

#endif
