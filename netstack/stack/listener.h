/* SPDX-License-Identifier: BSD-3-Clause */
/* A listening port: its options, how many connections it may have waiting, and those that are
 * ready. */
#ifndef RILL_NETSTACK_STACK_LISTENER_H
#define RILL_NETSTACK_STACK_LISTENER_H

#include "netstack/stack/conn.h"
#include "netstack/stack/net.h"

struct rill_listener {
	struct rill_net *net;
	struct rill_addr addr;
	struct rill_conn_buffers buffers;
	uint32_t backlog;
	RILL_ATOMIC(uint32_t) pending; /* half open, or in ready */
	struct rill_spinlock lock;
	/* under lock */
	struct rill_list ready;	  /* connections, by accept_link */
	struct rill_list waiters; /* accepts, struct rill_await */
	bool closed;
};

/* A SYN came: makes a connection in SYN-RCVD, or says why not. Holder of sh. old: TIME-WAIT,
 * replaced. */
enum rill_drop rill_listener_syn(struct rill_listener *l, struct rill_shard *sh,
				 const struct rill_tcp_seg *seg, const struct rill_tcb *old);
/* A half-open connection of l is established: hand it over. c is held from now on. Holder of its
 * shard. */
void rill_listener_ready(struct rill_listener *l, struct rill_tcp *c,
			 struct rill_wake_batch *wakes);
/* A half-open connection of l has ended. */
void rill_listener_forget(struct rill_listener *l);

#endif
