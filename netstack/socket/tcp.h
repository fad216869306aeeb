/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls on connections (struct rill_tcp_call). */
#ifndef RILL_NETSTACK_SOCKET_TCP_H
#define RILL_NETSTACK_SOCKET_TCP_H

#include "netstack/stack/conn.h"

/* Waits for its result. What op has done is never undone: a call that is cancelled then succeeds.
 */
int rill_tcp_call_wait(struct rill_tcp *c, struct rill_tcp_call *call);
/* After reading: the peer may have to be told of the room. */
void rill_tcp_settle_read(struct rill_tcp *c);
/* Runs it once. */
int rill_tcp_call_now(struct rill_tcp *c, struct rill_tcp_call *call);

/* The send that conn.user stands for is done, or given up: the others' turn. The shard is held. */
void rill_tcp_end_send(struct rill_tcp *c);
/* Of a send of which some was taken: the rest is not to come. */
void rill_tcp_give_up_send(struct rill_tcp *c, const void *sender);

/* The handle is given up, its tcb being told by end (close or abort). c is gone afterwards. */
void rill_tcp_let_go(struct rill_tcp *c,
		     void (*end)(struct rill_tcb *, struct rill_tcp_env *, uint64_t));

#endif
