/* SPDX-License-Identifier: BSD-3-Clause */
/* A bound UDP port of an interface and what has arrived for it. Any shard delivers; any task
 * receives. */
#ifndef RILL_NETSTACK_STACK_UDP_PORT_H
#define RILL_NETSTACK_STACK_UDP_PORT_H

#include "netstack/core/udp.h"
#include "netstack/stack/net.h"
#include "netstack/stack/poll.h"
#include "runtime/await.h"

/* On one shard. */
struct rill_udp_part {
	struct rill_udp_port port;
	struct rill_udp *udp;
};

struct rill_udp {
	struct rill_net *net;
	struct rill_net_binding binding; /* the net's port_lock */
	bool all_errors;		 /* also soft ones, and with no peer */
	struct rill_spinlock lock;
	/* under lock */
	struct rill_udp_queue queue;
	struct rill_addr peer;	  /* connected to; family NONE: not */
	struct rill_addr failed;  /* whom the last error was about */
	int error;		  /* to be told once; 0: none */
	struct rill_list readers; /* struct rill_await */
	/* not under it */
	struct rill_polls polls;
	struct rill_udp_part parts[];
};

/* See struct rill_core_ops. */
enum rill_drop rill_udp_deliver(struct rill_core *core, struct rill_udp_port *p,
				struct rill_buf *chain, const struct rill_udp_hdr *hdr,
				const struct rill_addr *from);
void rill_udp_fail(struct rill_core *core, struct rill_udp_port *p, const struct rill_addr *remote,
		   int error, bool hard);

/* The error to be told, which is told by this; 0: there is none. Under lock. */
static inline int rill_udp_take_error(struct rill_udp *u)
{
	int error = u->error;

	u->error = 0;
	return error;
}

#endif
