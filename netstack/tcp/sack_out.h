/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What SACK options say about what was received (RFC 2018, 4), and of what arrived twice (D-SACK,
 * RFC 2883). Kept in the transfer: a connection without one has nothing out of order, and of a
 * duplicate that comes then the ACK alone tells.
 */
#ifndef RILL_NETSTACK_TCP_SACK_OUT_H
#define RILL_NETSTACK_TCP_SACK_OUT_H

#include "netstack/tcp/tcb.h"
#include "netstack/tcp/xfer.h"

/* Bytes that the option takes for n blocks, padding included. */
#define RILL_TCP_SACK_LEN(n) (4 + 8 * (n))

/* A segment came that lies in the block from start to end, which is waiting beyond rcv_nxt. */
void rill_tcp_sack_note(struct rill_tcb *tcb, uint32_t start, uint32_t end);
/* Everything before seq was delivered, or everything from seq on given up. */
void rill_tcp_sack_forget_before(struct rill_tcb *tcb, uint32_t seq);
void rill_tcp_sack_forget_from(struct rill_tcb *tcb, uint32_t seq);
/* From start to end arrived again. Told once, with the next ACK. */
void rill_tcp_dsack_note(struct rill_tcb *tcb, struct rill_tcp_env *env, uint32_t start,
			 uint32_t end);

/* An ACK sent now would have blocks, if there is room. */
static inline bool rill_tcp_sack_wanted(const struct rill_tcb *tcb)
{
	const struct rill_tcp_xfer *x = tcb->x;

	return x && (tcb->flags & RILL_TCB_SACK) != 0 &&
	       (x->sack_count != 0 || x->dsack_start != x->dsack_end);
}

/*
 * The SACK blocks of an ACK that is being sent, into opt, when there are any and they fit into room
 * bytes. The newest is the first (RFC 2018, 4); in front of it what came twice (RFC 2883, 4).
 */
void rill_tcp_sack_option(struct rill_tcb *tcb, struct rill_tcp_options_seen *opt, uint32_t room);

#endif
