/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tail loss probes (RFC 8985, 7). When the last segments of a flight are lost nothing arrives
 * behind them that could tell, and only the retransmission timer is left. So about two round trips
 * after the last transmission one segment goes out as a probe, a new one or else the last one
 * again: the SACK that it causes lets RACK find the rest, without waiting for a timeout and without
 * giving up cwnd.
 *
 * A probe that was a retransmission may itself have repaired the only loss, which would then go
 * unnoticed by congestion control: tlp_on_ack() finds that out (7.4).
 *
 * tcb->x is there.
 */
#ifndef RILL_NETSTACK_TCP_TLP_H
#define RILL_NETSTACK_TCP_TLP_H

#include "netstack/tcp/scoreboard.h"

/* When to probe; RILL_FOREVER: not (7.2). */
uint64_t rill_tcp_tlp_deadline(const struct rill_tcb *tcb, const struct rill_tcp_env *env,
			       uint64_t now);
/* The probe timer expired: output sends the probe. */
void rill_tcp_tlp_on_timer(struct rill_tcb *tcb);
/* The probe went out; retrans: the last segment, again. */
void rill_tcp_tlp_sent(struct rill_tcb *tcb, struct rill_tcp_env *env, bool retrans, uint64_t now);
/* 7.4.2. True: the probe repaired a loss, to which cwnd has to answer. */
bool rill_tcp_tlp_on_ack(struct rill_tcb *tcb, struct rill_tcp_env *env, uint32_t ack,
			 const struct rill_tcp_acked *a);

#endif
