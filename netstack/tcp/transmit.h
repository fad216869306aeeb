/* SPDX-License-Identifier: BSD-3-Clause */
/* One segment of a connection, headers and all, handed to the layer below. */
#ifndef RILL_NETSTACK_TCP_TRANSMIT_H
#define RILL_NETSTACK_TCP_TRANSMIT_H

#include "netstack/tcp/tcb.h"

/*
 * Sends b, whose data is the payload, as seq with flags, the ACK of now with it. Takes one
 * reference.
 */
void rill_tcp_transmit(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b,
		       uint32_t seq, uint16_t flags, uint64_t now);
/* A segment without payload. False: no buffer. */
bool rill_tcp_transmit_empty(struct rill_tcb *tcb, struct rill_tcp_env *env, uint32_t seq,
			     uint16_t flags, uint64_t now);
/*
 * All of a buffer of the send queue, new or again: by reference where nobody else looks at it, else
 * from a copy, for the NIC may be reading it. The scoreboard, the rates and the pacer learn of it.
 * Before snd_nxt moves. False: no buffer for the copy.
 */
bool rill_tcp_transmit_queued(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b,
			      uint16_t flags, uint64_t now);
/* A window probe: the first byte of b, of which nobody takes account. */
bool rill_tcp_transmit_first_byte(struct rill_tcb *tcb, struct rill_tcp_env *env,
				  struct rill_buf *b, uint64_t now);

#endif
