/* SPDX-License-Identifier: BSD-3-Clause */
/* A bound UDP port and what has arrived for it. Any shard delivers; any task receives. */
#ifndef RILL_NETSTACK_STACK_UDP_PORT_H
#define RILL_NETSTACK_STACK_UDP_PORT_H

#include "netstack/stack/net.h"
#include "netstack/wire/udp.h"
#include "runtime/await.h"

struct rill_udp {
	struct rill_net *net;
	struct rill_addr addr;
	struct rill_spinlock lock;
	/* under lock */
	struct rill_buf_queue queue; /* datagrams; the rest of a chain hangs on cookie[3] */
	uint32_t queued_bytes;	     /* of buffer memory */
	uint32_t recv_buffer;
	struct rill_list readers; /* struct rill_await */
};

/* What is kept with a queued datagram, in its first buffer's cookies. */
struct rill_udp_meta {
	struct rill_addr from;
	struct rill_buf *rest;
};

RILL_STATIC_ASSERT(sizeof(struct rill_udp_meta) <= sizeof(((struct rill_buf *)0)->cookie),
		   "fits the cookies");

static inline struct rill_udp_meta *rill_udp_meta_of(struct rill_buf *b)
{
	return (struct rill_udp_meta *)(void *)b->cookie;
}

/*
 * A validated datagram. Takes the chain on RILL_DROP_NONE, else leaves it as it was. Holder of some
 * shard, whose wakes get the reader.
 */
enum rill_drop rill_udp_deliver(struct rill_udp *u, struct rill_buf *chain,
				const struct rill_udp_hdr *hdr, const struct rill_addr *from,
				struct rill_wake_batch *wakes);

#endif
