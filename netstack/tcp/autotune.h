/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Buffer sizes that follow the transfer. The receive buffer, and with it the window, becomes twice
 * what the user takes in a round-trip time (dynamic right-sizing, Fisk and Feng 2001), so that the
 * window is never what holds the sender back; the send buffer becomes twice cwnd. Both only grow,
 * up to params.recv_buffer_max and send_buffer_max, not beyond what the user set
 * (rill_tcb_set_recv_buffer()), and not while memory is low (mem.h).
 */
#ifndef RILL_NETSTACK_TCP_AUTOTUNE_H
#define RILL_NETSTACK_TCP_AUTOTUNE_H

#include "netstack/tcp/input.h"

/* Which sizes the user has fixed: tcb->buf_locks. */
enum rill_tcp_buf_locks {
	RILL_TCP_RCVBUF_LOCK = 1,
	RILL_TCP_SNDBUF_LOCK = 2,
};

/* Data was delivered in order: measures the round trip as the receiver sees it. */
void rill_tcp_autotune_on_data(struct rill_tcp_rx *rx);
/* The user has read. */
void rill_tcp_autotune_on_read(struct rill_tcb *tcb, struct rill_tcp_env *env);
/*
 * Something was acknowledged, and cwnd is up to date. Also lets a sender go on that was refused for
 * lack of memory.
 */
void rill_tcp_autotune_on_ack(struct rill_tcb *tcb, struct rill_tcp_env *env);

#endif
