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
	struct rill_addr addr;
	struct rill_list net_link; /* the net's port_lock */
	struct rill_spinlock lock;
	/* under lock */
	struct rill_udp_queue queue;
	struct rill_list readers; /* struct rill_await */
	/* not under it */
	struct rill_polls polls;
	struct rill_udp_part parts[];
};

/* See struct rill_core_ops. */
enum rill_drop rill_udp_deliver(struct rill_core *core, struct rill_udp_port *p,
				struct rill_buf *chain, const struct rill_udp_hdr *hdr,
				const struct rill_addr *from);

#endif
