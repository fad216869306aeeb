/* SPDX-License-Identifier: BSD-3-Clause */
/* What the algorithms share. For cc*.c alone. */
#ifndef RILL_NETSTACK_TCP_CC_COMMON_H
#define RILL_NETSTACK_TCP_CC_COMMON_H

#include "netstack/tcp/cc.h"

/* Enough for any buffer, and far from where sums of 32 bits overflow; "arbitrarily high". */
#define RILL_TCP_CWND_MAX (UINT32_C(1) << 30)

/* The algorithm's own state. */
#define RILL_TCP_CC_PRIV(tcb, type)                                                                \
	({                                                                                         \
		RILL_STATIC_ASSERT(sizeof(type) <= RILL_TCP_CC_PRIV_WORDS * sizeof(uint64_t),      \
				   "cc_priv holds it");                                            \
		(type *)(void *)(tcb)->x->cc_priv;                                                 \
	})

/* A new connection's cwnd and ssthresh; nothing for one that had a transfer before. */
void rill_tcp_cc_start(struct rill_tcb *tcb, const struct rill_tcp_env *env);
/* The restart window (RFC 5681, 4.1); ssthresh remembers what was there (RFC 7661, 4.4.3). */
void rill_tcp_cc_restart(struct rill_tcb *tcb, const struct rill_tcp_env *env);
/*
 * Whether this ACK may raise cwnd: cwnd was what held the sender back (RFC 7661, 4.2), and PRR does
 * not own it.
 */
bool rill_tcp_cc_may_grow(const struct rill_tcb *tcb, const struct rill_tcp_cc_ack *ack);
/* cwnd += bytes, up to the most there can be. */
void rill_tcp_cc_grow(struct rill_tcb *tcb, uint32_t bytes);
/* Slow start by bytes (RFC 3465, 2.2 and 2.3). */
void rill_tcp_cc_slow_start(struct rill_tcb *tcb, uint32_t acked);
/* Slow start or congestion avoidance of RFC 5681. */
void rill_tcp_cc_reno_grow(struct rill_tcb *tcb, uint32_t acked);
/* percent of flight, at least two segments: the ssthresh after congestion. */
uint32_t rill_tcp_cc_reduced(const struct rill_tcb *tcb, uint32_t flight, uint32_t percent);

static inline bool rill_tcp_in_slow_start(const struct rill_tcb *tcb)
{
	return tcb->cwnd < tcb->ssthresh;
}

#endif
