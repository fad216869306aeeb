/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Explicit congestion notification: RFC 3168 (one echo for a round trip: ECE until CWR), the
 * receiver of DCTCP (RFC 8257, 3.2) where the connection's congestion control needs it, and AccECN
 * (RFC 9768) by its ACE field, which counts segments with CE modulo 8, and its options (accecn.h).
 *
 * Flags of the tcb: ECN and ACCECN from our SYN on as asked for, then as agreed on. ECE_DUE is the
 * echo of RFC 3168; under DCTCP and AccECN it is whether the last data came with CE.
 */
#ifndef RILL_NETSTACK_TCP_ECN_H
#define RILL_NETSTACK_TCP_ECN_H

#include "netstack/tcp/input.h"

/* ---- handshake ---- */

/* About to connect: what to ask for. */
void rill_tcp_ecn_ask(struct rill_tcb *tcb, const struct rill_tcp_env *env);
/* seg is the peer's SYN or SYN-ACK: what is agreed on. */
void rill_tcp_ecn_on_syn(struct rill_tcb *tcb, const struct rill_tcp_env *env,
			 const struct rill_tcp_seg *seg);
/* The ACK that completes a passive open (RFC 9768, 3.2.2.1). */
void rill_tcp_ecn_on_handshake_ack(struct rill_tcb *tcb, const struct rill_tcp_seg *seg);

/* ---- receiving ---- */

/*
 * An acceptable segment, before its payload counts. Sends an ACK under DCTCP, when CE begins or
 * ends while one is delayed.
 */
void rill_tcp_ecn_on_segment(struct rill_tcp_rx *rx);

/* ---- sending ---- */

struct rill_tcp_ecn_out {
	uint16_t flags; /* to be set in the TCP header */
	uint8_t ecn;	/* enum rill_ecn, for the IP header */
};

/* For a segment that is about to be sent as seq; called once for each. snd_nxt does not cover it
 * yet when it is new. */
struct rill_tcp_ecn_out rill_tcp_ecn_out(struct rill_tcb *tcb, uint32_t seq, uint32_t len,
					 uint16_t flags);

struct rill_tcp_ecn_feedback {
	uint32_t ce_delivered; /* bytes of delivered that arrived with CE */
	bool ece;	       /* the ACK reports CE */
};

/* What an ACK that is not old says; delivered: bytes that it newly acknowledges, SACKs included. */
struct rill_tcp_ecn_feedback
rill_tcp_ecn_on_ack(struct rill_tcb *tcb, const struct rill_tcp_seg *seg, uint32_t delivered);

/* cwnd was reduced: the next new data says so (RFC 3168, 6.1.2). For any reason, once ECN is on. */
static inline void rill_tcp_ecn_reduced(struct rill_tcb *tcb)
{
	if ((tcb->flags & (RILL_TCB_ECN | RILL_TCB_ACCECN)) == RILL_TCB_ECN)
		tcb->flags |= RILL_TCB_CWR_DUE;
}

#endif
