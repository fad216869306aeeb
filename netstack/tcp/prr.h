/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Proportional rate reduction (RFC 9937, which is 6937bis): how much may be sent in fast recovery.
 *
 * Congestion control has chosen ssthresh. While more than that is in flight, for each byte that
 * arrives ssthresh / recover_fs of one goes out, so that cwnd is there when recovery ends, and the
 * ACK clock does not stop meanwhile. Once less is in flight (the losses did the work already), what
 * arrives is replaced byte by byte ("CRB"), and one segment more for each ACK that shows progress
 * without new losses ("SSRB": such an ACK is a SafeACK), up to ssthresh.
 *
 * tcb->x is there. Not for algorithms with own_recovery.
 */
#ifndef RILL_NETSTACK_TCP_PRR_H
#define RILL_NETSTACK_TCP_PRR_H

#include "netstack/tcp/scoreboard.h"

/* Recovery begins with this ACK, or, with NULL, by a timer. */
void rill_tcp_prr_begin(struct rill_tcb *tcb, const struct rill_tcp_acked *a);
/* For each ACK in recovery, the first included: sets cwnd. lost: bytes newly marked. */
void rill_tcp_prr_on_ack(struct rill_tcb *tcb, uint32_t delivered, bool advanced, uint32_t lost);

#endif
