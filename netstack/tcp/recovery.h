/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loss recovery: what an ACK or a timer means for the segments outstanding and for cwnd. Where it
 * stands is in x->ca_state:
 *
 *                 SACK or duplicates                 something is LOST
 *       OPEN ------------------------> DISORDER -----------------------> RECOVERY
 *         ^  <------------------------    |  (or from OPEN at once)         |
 *         |                               | RTO                             | RTO
 *         |                               v                                 |
 *         +---------------------------- LOSS <------------------------------+
 *         |   SND.UNA reaches recover                                       |
 *         +-----------------------------------------------------------------+
 *
 * RECOVERY: cwnd belongs to PRR (prr.h). LOSS: slow start from one segment. Either way what is LOST
 * is sent again first, then new data, as far as pipe stays within cwnd (output.c).
 *
 * With SACK, losses are found by RACK (rack.h). Without, duplicates are counted: each stands for
 * one segment that has left the network (x->reno_sacked), the third says that the first is lost
 * (RFC 5681, 3.2), and each partial ACK that the next hole is at SND.UNA (NewReno, RFC 6582).
 * Limited transmit (RFC 3042) needs no code: a duplicate makes pipe smaller. The same counting
 * serves with SACK when params.no_rack.
 *
 * tcb->x is there in all of these.
 */
#ifndef RILL_NETSTACK_TCP_RECOVERY_H
#define RILL_NETSTACK_TCP_RECOVERY_H

#include "netstack/tcp/scoreboard.h"

/* One ACK, after the scoreboard has it; ack is its number. */
void rill_tcp_recovery_on_ack(struct rill_tcb *tcb, struct rill_tcp_env *env, uint32_t ack,
			      struct rill_tcp_acked *a);
/* Nothing in it for recovery: an ACK of what was in order, with no marks set and nothing to undo.
 */
bool rill_tcp_recovery_idle(const struct rill_tcb *tcb);
/* The peer reports CE: cwnd goes down, once for each round trip. Not for cc->needs_ecn. */
void rill_tcp_on_ece(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);
/* The retransmission timer expired on data or FIN. */
void rill_tcp_on_loss_timeout(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);
/* x->reo_at has come. */
void rill_tcp_on_reorder_timer(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);
/* What is LOST is to be sent again, but congestion was not the reason (RFC 1191, 6.3). */
void rill_tcp_repair_without_reduction(struct rill_tcb *tcb);

#endif
