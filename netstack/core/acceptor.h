/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A listening port of one core: how many connections it may have waiting, and those that are ready.
 * Half-open ones are entries of the core's SYN cache (netstack/tcp/syncache.h) or cookies, and do
 * not count. With the queue full SYNs are dropped, and a handshake that is complete stays half open
 * until there is room: either way the peer asks again.
 */
#ifndef RILL_NETSTACK_CORE_ACCEPTOR_H
#define RILL_NETSTACK_CORE_ACCEPTOR_H

#include "netstack/core/conn.h"

struct rill_acceptor {
	struct rill_port at;
	struct rill_core *core;
	struct rill_conn_options options; /* of new connections */
	uint32_t backlog;
	uint32_t pending;    /* established, and not popped yet */
	uint32_t conn_max;   /* connections at most but for TIME-WAIT; 0: no bound */
	uint32_t prefix_max; /* of one remote network (env->params.prefix4_len); 0: no bound */
	/*
	 * Connections at most whose SYN brought data and whose handshake is not over (RFC 7413,
	 * 5.1), where params allow any; 0: none.
	 */
	uint32_t early_max;
	uint32_t ready_count;
	/* Connections that were established, and what the peers of others heard nothing for: the
	 * queue was full; conn_max or prefix_max. */
	uint64_t opened, overflows, limited;
	uint64_t cookies_wait_until; /* peers with cookies were put off, and may come again */
	struct rill_list ready;	     /* connections by link, held by the queue */
};

/* Begins to listen: nothing is in at's way. */
void rill_acceptor_init(struct rill_acceptor *a, struct rill_core *core, const struct rill_port *at,
			const struct rill_conn_options *o, uint32_t backlog);
/* New connections are ready with their first data, or after ms. Without memory they do not wait. */
void rill_acceptor_defer(struct rill_acceptor *a, uint32_t ms);
/*
 * Stops listening, and resets what is ready. Handshakes go on with others of its group; without
 * any they are forgotten.
 */
void rill_acceptor_fini(struct rill_acceptor *a);

/* The oldest ready connection, which is the caller's now, or NULL. */
struct rill_conn *rill_acceptor_pop(struct rill_acceptor *a);
/* Gives one back that was popped, as the oldest. */
void rill_acceptor_unpop(struct rill_acceptor *a, struct rill_conn *c);

static inline struct rill_acceptor *rill_acceptor_of(struct rill_port *p)
{
	return RILL_CONTAINER_OF(p, struct rill_acceptor, at);
}

/* Does anybody listen there? */
bool rill_acceptor_listens(const struct rill_core *core, const struct rill_ip *local,
			   uint16_t port);
/* Who takes the flow, if it is new. NULL: nobody listens there. */
struct rill_acceptor *rill_acceptor_find(const struct rill_core *core,
					 const struct rill_flow_key *key);

/* ---- for the files of this folder ---- */

extern const struct rill_syncache_ops rill_acceptor_syncache_ops;

/*
 * A segment for no connection. old: the one in TIME-WAIT whose place it takes. Takes the reference
 * on NONE.
 */
enum rill_drop rill_acceptor_input(struct rill_acceptor *a, struct rill_tcp_seg *seg,
				   struct rill_buf *b, const struct rill_tcb *old);
/* The handshake of a connection counted against early_max is over, or the connection is. */
void rill_acceptor_early_over(struct rill_conn *c);
/* A connection that counted against conn_max or prefix_max of its port is gone, or in TIME-WAIT. */
void rill_acceptor_uncount(struct rill_conn *c);
/* A half-open connection is established. */
void rill_acceptor_ready(struct rill_acceptor *a, struct rill_conn *c);
/* One that was established, or ready, is gone. */
void rill_acceptor_forget(struct rill_acceptor *a);

#endif
