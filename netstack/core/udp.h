/* SPDX-License-Identifier: BSD-3-Clause */
/* A bound UDP port of one core, what waits there, and sending. */
#ifndef RILL_NETSTACK_CORE_UDP_H
#define RILL_NETSTACK_CORE_UDP_H

#include <sys/uio.h>

#include "netstack/core/core.h"

/* ---- ports ---- */

struct rill_udp_port {
	struct rill_port at;
	struct rill_addr peer; /* connected: nothing else comes here; family NONE: it is not */
	struct rill_core *core;
};

/* Nothing is in at's way. */
void rill_udp_port_init(struct rill_udp_port *p, struct rill_core *core,
			const struct rill_port *at);
void rill_udp_port_fini(struct rill_udp_port *p);

/*
 * Whose a datagram from peer to local is: one that is connected to peer before others, then one
 * bound to that address before one bound to any, then by the flow's hash. NULL: nobody's.
 */
struct rill_udp_port *rill_udp_port_find(const struct rill_core *core,
					 const struct rill_addr *local,
					 const struct rill_addr *peer);

/* ---- a queue of received datagrams; whoever has it serialises the calls ---- */

struct rill_udp_queue {
	struct rill_buf_queue bufs; /* one for each; the rest of a chain hangs on its cookies */
	uint32_t bytes;		    /* of buffer memory */
	uint32_t max;
};

/* What is kept with a queued datagram, in its first buffer's cookies. */
struct rill_udp_meta {
	struct rill_addr from;
	struct rill_buf *rest;
};

RILL_STATIC_ASSERT(sizeof(struct rill_udp_meta) <= sizeof(((struct rill_buf *)0)->cookie),
		   "fits the cookies");

static inline struct rill_udp_meta *rill_udp_meta_of(const struct rill_buf *b)
{
	return (struct rill_udp_meta *)(void *)(uintptr_t)b->cookie;
}

/* Takes the chain on RILL_DROP_NONE, else leaves it as it was. One datagram always has room. */
enum rill_drop rill_udp_queue_push(struct rill_udp_queue *q, struct rill_buf *chain,
				   const struct rill_udp_hdr *hdr, const struct rill_addr *from);
/* The oldest, as a chain whose first buffer has the meta, or NULL. */
struct rill_buf *rill_udp_queue_pop(struct rill_udp_queue *q);
/* Puts one back that was popped, as the oldest. */
void rill_udp_queue_unpop(struct rill_udp_queue *q, struct rill_buf *b);

/* ---- sending ---- */

struct rill_udp_send {
	struct rill_addr from, to; /* whole, but for an IP to choose (family NONE) */
	const struct iovec *iov;
	int count;
	uint8_t tos, ttl; /* ttl 0: the default */
};

/* One datagram. -EMSGSIZE, -ENETUNREACH, -ENOBUFS; -EADDRNOTAVAIL: from is not ours any more. */
int rill_udp_port_send(struct rill_core *core, const struct rill_udp_send *s);

#endif
