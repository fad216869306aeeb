/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A listening port of an interface: an acceptor on each shard, with its own queue, and the accepts
 * that wait. An accept takes from the home shard's queue first, then from the others'.
 *
 * A shard that puts a connection into its queue and then sees somebody waiting hands it over; an
 * accept that begins to wait and then sees a queue that is not empty has its shard do so. Each
 * publishes first and looks then, so that one of the two sees the other (Dekker).
 */
#ifndef RILL_NETSTACK_STACK_LISTENER_H
#define RILL_NETSTACK_STACK_LISTENER_H

#include "netstack/core/acceptor.h"
#include "netstack/stack/conn.h"
#include "netstack/stack/net.h"
#include "netstack/stack/poll.h"

/* On one shard. */
struct rill_listener_part {
	struct rill_acceptor acceptor;
	struct rill_listener *listener;
	RILL_ATOMIC(uint32_t) ready; /* in the acceptor's queue; written by the shard's holder */
	bool open;		     /* the shard's holder */
} RILL_CACHE_ALIGNED;

struct rill_listener {
	struct rill_net *net;
	struct rill_net_binding binding; /* the net's port_lock */
	struct rill_conn_options options;
	uint32_t backlog;
	uint32_t conn_max, prefix_max; /* see struct rill_acceptor */
	uint32_t defer_accept_ms;
	RILL_ATOMIC(uint32_t) pending; /* ready, on several shards together */
	struct rill_spinlock lock;
	RILL_ATOMIC(uint32_t) waiting; /* accepts in waiters; written under lock */
	RILL_ATOMIC(bool) closed;
	struct rill_list waiters; /* struct rill_await; lock */
	struct rill_polls polls;
	struct rill_listener_part parts[];
};

/* NULL: out of memory. Not listening yet. */
struct rill_listener *rill_listener_alloc(struct rill_net *net);
void rill_listener_free(struct rill_listener *l);

/* See struct rill_core_ops. */
void rill_listener_acceptable(struct rill_core *core, struct rill_acceptor *a);
bool rill_listener_admit(struct rill_core *core, struct rill_acceptor *a, bool always);
void rill_listener_dismiss(struct rill_core *core, struct rill_acceptor *a);
/* Hands ready connections to who waits. Holder of the part's shard. */
void rill_listener_match(struct rill_shard *sh, struct rill_listener_part *part);
/* The oldest of the part's queue, or NULL. Holder of its shard. */
struct rill_tcp *rill_listener_pop(struct rill_listener_part *part);
/* Gives one back that nobody wants after all. Holder of its shard. */
void rill_listener_give_back(struct rill_shard *sh, struct rill_listener_part *part,
			     struct rill_tcp *t);

#endif
