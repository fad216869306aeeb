/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small segments that wait for more data: Nagle (RFC 9293, 3.7.4), cork, and MSG_MORE.
 */
#ifndef RILL_NETSTACK_TCP_HOLD_H
#define RILL_NETSTACK_TCP_HOLD_H

#include "netstack/tcp/xfer.h"

/* x->cork_at when it has come, but the window was closed, say: no deadline any more. */
#define RILL_TCP_CORK_OVER 1

/* Until when a small segment waits; RILL_FOREVER: none does. */
static inline uint64_t rill_tcp_cork_deadline(const struct rill_tcp_xfer *x)
{
	return x->cork_at > RILL_TCP_CORK_OVER ? x->cork_at : RILL_FOREVER;
}

/* The deadline has come: what waited goes with the next output, or is held by something else. */
static inline void rill_tcp_cork_on_timer(struct rill_tcp_xfer *x, uint64_t now)
{
	if (now >= rill_tcp_cork_deadline(x))
		x->cork_at = RILL_TCP_CORK_OVER;
}

/*
 * Whether the next n bytes, of snd_cur, shall wait although they could be sent: for an ACK (Nagle),
 * or for x->cork_at, which is set then. tcb->x is there.
 */
bool rill_tcp_held_back(struct rill_tcb *tcb, uint32_t n, uint64_t now);

#endif
