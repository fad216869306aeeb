/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A connection: the protocol's tcb, its place in the shard, and who waits for it. All functions are
 * for the holder of its shard.
 *
 * Life: it exists as long as its tcb is not CLOSED or somebody holds it (held: the user's handle,
 * or the accept queue). rill_conn_settle() frees it when neither is so.
 */
#ifndef RILL_NETSTACK_STACK_CONN_H
#define RILL_NETSTACK_STACK_CONN_H

#include "netstack/stack/shard.h"
#include "netstack/tcp/tcb.h"
#include "runtime/await.h"

struct rill_tcp {
	struct rill_tcb tcb;
	struct rill_flow flow;
	struct rill_l3_dst dst;
	struct rill_timer timer;
	struct rill_list conn_link; /* in the shard's list of all */
	struct rill_list dirty_link;
	struct rill_list time_wait_link;
	struct rill_list readers; /* of struct rill_await */
	struct rill_list writers; /* also: connect */
	const void *sender;	  /* a send that is not done: others wait, so that each is whole */
	struct rill_listener *listener; /* while half open */
	struct rill_list accept_link;	/* in its queue; the listener's lock */
	bool held;
	bool in_flows;
};

struct rill_conn_buffers {
	uint32_t send, recv;
	bool nodelay;
};

/* In the flow table, CLOSED, with one holder or none. NULL: out of memory, or the tuple is taken.
 */
struct rill_tcp *rill_conn_create(struct rill_shard *sh, const struct rill_addr *local,
				  const struct rill_addr *remote,
				  const struct rill_conn_buffers *buffers, bool held);

/* The connection has had input, or a call: have it settled before the shard is let go. */
void rill_conn_touch(struct rill_shard *sh, struct rill_tcp *c);

/* Sends what is due, tells waiters, sets the timer, frees what is over. c may be gone afterwards.
 */
void rill_conn_settle(struct rill_shard *sh, struct rill_tcp *c);
void rill_conn_settle_all(struct rill_shard *sh);

/* Its wheel timer fired. */
void rill_conn_on_timer(struct rill_shard *sh, struct rill_tcp *c);

/* At the end of the interface: frees it whoever holds it. */
void rill_conn_destroy(struct rill_shard *sh, struct rill_tcp *c);

struct rill_tcp *rill_conn_find(struct rill_shard *sh, const struct rill_ip *remote,
				uint16_t remote_port, uint16_t local_port);

static inline struct rill_tcp *rill_conn_of_flow(struct rill_flow *f)
{
	return RILL_CONTAINER_OF(f, struct rill_tcp, flow);
}

#endif
