/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keep-alive (RFC 9293, 3.8.4): with settings->keepalive a connection on which nothing is
 * outstanding, and from which nothing was heard for keep_idle_ms, sends a segment that the peer
 * must answer: no data, SEQ = SND.NXT - 1; again every keep_intvl_ms, and gives up after keep_count
 * of them, or after user_timeout_ms. Off by default (MUST-25); while data is outstanding its
 * retransmission finds out (MUST-26). The time is measured from the last segment that came, so
 * traffic sets no timer; wait_at is only looked at when it has come.
 */
#ifndef RILL_NETSTACK_TCP_KEEPALIVE_H
#define RILL_NETSTACK_TCP_KEEPALIVE_H

#include "netstack/tcp/tcb.h"

/* When there is something to do; RILL_FOREVER: never. */
uint64_t rill_tcp_keepalive_deadline(const struct rill_tcb *tcb, uint64_t now);
/* Does what is due, and brings wait_at forward to the next time. May end the connection. */
void rill_tcp_keepalive_on_wait(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);

#endif
