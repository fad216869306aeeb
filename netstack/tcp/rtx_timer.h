/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The retransmission timer (RFC 6298, 5). One timer, tcb->rtx_at, stands for four, of which at most
 * one is needed at a time; tcb->timer says which expires next:
 *
 *      persist   nothing is in flight and something waits: for window, or for a buffer
 *      reorder   a segment is late, and lost at x->reo_at (rack.h)
 *      TLP       the tail is probed at x->tlp_at (tlp.h)
 *      RTO       x->rto_at; always armed while something is in flight
 *
 * Before the handshake is complete there is the RTO alone, and no transfer.
 */
#ifndef RILL_NETSTACK_TCP_RTX_TIMER_H
#define RILL_NETSTACK_TCP_RTX_TIMER_H

#include "netstack/tcp/tcb.h"

/* SND.UNA moved, to an ACK of something new (5.2, 5.3): RTO and probe begin anew at the next arm.
 */
void rill_tcp_rtx_restart(struct rill_tcb *tcb, uint64_t now);
/* After each output: sets rtx_at. */
void rill_tcp_rtx_arm(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now);
void rill_tcp_rtx_stop(struct rill_tcb *tcb);
/* rtx_at has come. */
void rill_tcp_rtx_on_timer(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);

#endif
