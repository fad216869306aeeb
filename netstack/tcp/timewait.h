/* SPDX-License-Identifier: BSD-3-Clause */
/* Waits that a connection does not outlive: TIME-WAIT, FIN-WAIT-2 without user, linger, connect. */
#ifndef RILL_NETSTACK_TCP_TIMEWAIT_H
#define RILL_NETSTACK_TCP_TIMEWAIT_H

#include "netstack/tcp/tcb.h"

/* Enters TIME-WAIT, or begins its 2 MSL again. */
void rill_tcp_time_wait(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);
/* Bounds FIN-WAIT-2 once nobody is there to receive. */
void rill_tcp_fin_wait_2_bound(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);
/* A sequence number that no segment of old can be taken for (RFC 9293, 3.6.1). */
uint32_t rill_tcp_time_wait_iss(const struct rill_tcb *old, uint32_t isn);

/*
 * Closed with SO_LINGER, and not everything has arrived: wait_at is when the connection is given up
 * with a RST.
 */
static inline bool rill_tcp_lingers(const struct rill_tcb *tcb)
{
	const uint32_t both = RILL_TCB_ORPHAN | RILL_TCB_LINGER;

	return (tcb->flags & both) == both &&
	       (tcb->state == RILL_TCP_FIN_WAIT_1 || tcb->state == RILL_TCP_CLOSING ||
		tcb->state == RILL_TCP_LAST_ACK);
}

/* The user's patience with a connect (RFC 5482): wait_at is when it ends. */
static inline bool rill_tcp_connect_is_bounded(const struct rill_tcb *tcb)
{
	return tcb->state == RILL_TCP_SYN_SENT && tcb->settings->user_timeout_ms != 0;
}

#endif
