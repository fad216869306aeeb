/* SPDX-License-Identifier: BSD-3-Clause */
/* Round-trip time and retransmission timeout (RFC 6298). */
#ifndef RILL_NETSTACK_TCP_RTT_H
#define RILL_NETSTACK_TCP_RTT_H

#include "netstack/tcp/tcb.h"

/*
 * One measurement. flight: bytes that were outstanding, from which follows how many there are per
 * RTT.
 */
void rill_tcp_rtt_sample(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t rtt_ns,
			 uint32_t flight);

/*
 * The smallest round trip within params.min_rtt_window_us (RFC 8985, 6.2, step 2). Not from
 * timestamps, which are too coarse. tcb->x is there.
 */
void rill_tcp_min_rtt_sample(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t rtt_ns,
			     uint64_t now);

/* Doubles rto_us (RFC 6298, 5.5). It stays so until there is a new measurement (5.7, Karn). */
void rill_tcp_rto_backoff(struct rill_tcb *tcb, const struct rill_tcp_env *env);

/* The clock of our timestamps: 1 ms (RFC 7323, 5.4), shifted by the connection's offset. */
static inline uint32_t rill_tcp_ts_now(const struct rill_tcb *tcb, uint64_t now)
{
	return (uint32_t)(now / RILL_MS) + tcb->ts_offset;
}

#endif
