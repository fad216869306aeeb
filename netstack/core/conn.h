/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A connection: the protocol's tcb, and its place in the core.
 *
 * Life: it exists as long as its tcb is not CLOSED or somebody holds it: the user, or an accept
 * queue. Settling frees it when neither is so. Its addresses are taken as long as it is not CLOSED.
 */
#ifndef RILL_NETSTACK_CORE_CONN_H
#define RILL_NETSTACK_CORE_CONN_H

#include "netstack/core/core.h"
#include "netstack/tcp/tcb.h"

struct rill_conn {
	/* Next to the tcb's addresses: a search reads nothing else. */
	struct rill_conn *flow_next; /* in its bucket */
	struct rill_tcb tcb;
	struct rill_core *core;
	struct rill_conn *dirty_next; /* NULL: not in the dirty list; the last points at itself */
	union {
		struct rill_acceptor *acceptor; /* with passive_open */
		void *user;			/* else: the owner's */
	};
	/* In one of: an accept queue, the core's time_wait, its detached. */
	struct rill_list link;
	struct rill_timer timer;
	struct rill_l3_dst dst;
	uint32_t listener_id; /* of the port that it came from (netstack/core/port.h), or 0 */
	bool held : 1;
	bool in_flows : 1;
	bool passive_open : 1; /* half open or in the queue of acceptor, and counted there */
	bool counted : 1;      /* against the limits of its port, see rill_acceptor_uncount() */
	bool ephemeral : 1;    /* its port is of the core's ephemeral ones */
	bool syn_unsent : 1;   /* it goes when the next hop is known */
	bool early : 1;	       /* see rill_acceptor_early_over() */
	bool far_timer : 1;    /* the timer hangs in the far wheel */
};

/* What a new connection gets. 0 and NULL: the core's defaults. */
struct rill_conn_options {
	uint32_t send_buffer, recv_buffer;
	uint32_t flags; /* of enum rill_tcb_flags: what the user may set */
	const struct rill_tcp_cc *cc;
	struct rill_tcp_settings *settings; /* shared with the connection */
};

/* The options' settings, to be changed: their own. NULL: no memory. */
struct rill_tcp_settings *rill_conn_options_own(struct rill_core *core,
						struct rill_conn_options *o);
/* A copy that shares the settings; given back by the second. */
struct rill_conn_options rill_conn_options_get(const struct rill_conn_options *o);
void rill_conn_options_put(struct rill_core *core, struct rill_conn_options *o);

/*
 * In the flow table, CLOSED, with one holder or none; what the owner has after struct rill_conn is
 * zero. -ENOMEM; -EADDRINUSE: there is one with these addresses.
 */
int rill_conn_create(struct rill_core *core, const struct rill_addr *local,
		     const struct rill_addr *remote, const struct rill_conn_options *o, bool held,
		     struct rill_conn **ret_conn);

/*
 * Connects, from a free port if local has none, and where its IP is not set from the address that
 * the route says; with neither, from the next address when the ports of one are used up.
 * -ENETUNREACH: no route, or no address that a SYN may go to (MUST-46, MUST-63); -EADDRINUSE;
 * -EADDRNOTAVAIL: no free port, or not our address; -ENOMEM.
 */
int rill_conn_open(struct rill_core *core, const struct rill_addr *local,
		   const struct rill_addr *remote, const struct rill_conn_options *o,
		   struct rill_conn **ret_conn);

/* The connection has had input, or a call: it is to be settled. */
static inline void rill_conn_touch(struct rill_conn *c)
{
	struct rill_core *core = c->core;

	if (c->dirty_next)
		return;
	c->dirty_next = c;
	if (core->dirty_first)
		core->dirty_last->dirty_next = c;
	else
		core->dirty_first = c;
	core->dirty_last = c;
}

/* Asks for the lines that taking in a segment or a call will touch. */
void rill_conn_prefetch(const struct rill_conn *c);
/* The same for its transfer, once the connection itself is there. */
void rill_conn_prefetch_transfer(const struct rill_conn *c);

static inline void rill_conn_prefetch_deadlines(const struct rill_conn *c)
{
	__builtin_prefetch(&c->tcb.x);
	__builtin_prefetch(&c->tcb.rtx_at);
}

/* The holder lets go: a connection that is not CLOSED yet finishes by itself. */
static inline void rill_conn_let_go(struct rill_conn *c)
{
	c->held = false;
	rill_conn_touch(c);
}

/* Ends it with a RST, and makes its addresses free at once. */
void rill_conn_abort(struct rill_conn *c);

/* NULL: there is none. */
static inline struct rill_conn *rill_conn_find(struct rill_core *core,
					       const struct rill_flow_key *key)
{
	return rill_flow_lookup(&core->flows, key);
}

/* ---- for the files of this folder ---- */

void rill_conn_options_apply(struct rill_core *core, struct rill_tcb *tcb,
			     const struct rill_conn_options *o);

/* Sends what is due, tells who holds it, sets the timer, frees what is over. Not in the dirty list.
 */
void rill_conn_settle(struct rill_conn *c);
/* Frees it, whoever holds it. */
void rill_conn_destroy(struct rill_conn *c);
/* CLOSED: out of the flow table and TIME-WAIT, its timer stopped. */
void rill_conn_detach(struct rill_conn *c);

#endif
