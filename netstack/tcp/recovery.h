/* SPDX-License-Identifier: BSD-3-Clause */
/* Loss recovery without SACK: fast retransmit, NewReno (RFC 5681, 6582), timeouts (RFC 6298). */
#ifndef RILL_NETSTACK_TCP_RECOVERY_H
#define RILL_NETSTACK_TCP_RECOVERY_H

#include "netstack/tcp/tcb.h"

/* A duplicate ACK (RFC 5681, 2) arrived. */
void rill_tcp_on_dup_ack(struct rill_tcb *tcb, struct rill_tcp_env *env);
/*
 * snd_una advanced by acked bytes while in fast recovery. True when the retransmission timer is to
 * start anew.
 */
bool rill_tcp_recovery_on_ack(struct rill_tcb *tcb, uint32_t acked);
/* The retransmission timer expired on data. */
void rill_tcp_on_loss_timeout(struct rill_tcb *tcb);
/* What may be sent beyond cwnd on the first two duplicates (RFC 3042). */
uint32_t rill_tcp_limited_transmit(const struct rill_tcb *tcb);

#endif
