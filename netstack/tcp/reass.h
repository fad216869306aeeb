/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments that came out of order: tcb->reass, sorted by sequence number, disjoint, all beyond
 * rcv_nxt. Bounded in bytes by the window, and in buffers.
 */
#ifndef RILL_NETSTACK_TCP_REASS_H
#define RILL_NETSTACK_TCP_REASS_H

#include "netstack/tcp/tcb.h"

/* The sequence number of b's first byte. */
static inline uint32_t *rill_reass_seq(struct rill_buf *b)
{
	return (uint32_t *)(void *)&b->cookie[0];
}

static inline uint32_t rill_reass_end(struct rill_buf *b)
{
	return *rill_reass_seq(b) + b->len;
}

/* b begins at seq, beyond rcv_nxt, inside the window. Takes the reference. */
enum rill_drop rill_reass_insert(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b,
				 uint32_t seq);
/* Moves what has become in order to the receive queue; whether there was something. */
bool rill_reass_deliver(struct rill_tcb *tcb, struct rill_tcp_env *env);
void rill_reass_clear(struct rill_tcb *tcb, struct rill_tcp_env *env);

#endif
