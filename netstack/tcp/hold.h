/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small segments that wait for more data: Nagle (RFC 9293, 3.7.4), cork, and MSG_MORE.
 */
#ifndef RILL_NETSTACK_TCP_HOLD_H
#define RILL_NETSTACK_TCP_HOLD_H

#include "netstack/tcp/tcb.h"

/*
 * Whether the next n bytes, of snd_cur, shall wait although they could be sent: for an ACK (Nagle),
 * or for x->cork_at, which is set then. tcb->x is there.
 */
bool rill_tcp_held_back(struct rill_tcb *tcb, uint32_t n, uint64_t now);

#endif
