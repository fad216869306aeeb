/* SPDX-License-Identifier: BSD-3-Clause */
/* TIME-WAIT, and the shorter wait of a FIN-WAIT-2 without user. */
#ifndef RILL_NETSTACK_TCP_TIMEWAIT_H
#define RILL_NETSTACK_TCP_TIMEWAIT_H

#include "netstack/tcp/tcb.h"

/* Enters TIME-WAIT, or begins its 2 MSL again. */
void rill_tcp_time_wait(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now);
/* Bounds FIN-WAIT-2 once nobody is there to receive. */
void rill_tcp_fin_wait_2_bound(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now);
/* A sequence number that no segment of old can be taken for (RFC 9293, 3.6.1). */
uint32_t rill_tcp_time_wait_iss(const struct rill_tcb *old, uint32_t isn);

#endif
