/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A connection of the runtime's: the core's, and who waits for it. All but its addresses and its
 * shard is for the holder of its shard.
 */
#ifndef RILL_NETSTACK_STACK_CONN_H
#define RILL_NETSTACK_STACK_CONN_H

#include "netstack/core/conn.h"
#include "netstack/stack/shard.h"
#include "runtime/await.h"

enum rill_tcp_direction {
	RILL_TCP_READ,
	RILL_TCP_WRITE,
};

/*
 * The one form that every waiting TCP call takes: op runs with the shard held and returns its
 * result, or -EAGAIN to wait until the connection is readable (writable); then whoever holds the
 * shard runs it again, and the waiter finds the result in its awaitable's value. The awaitable's
 * arg points at the call, which op and data may be used through until then.
 */
struct rill_tcp_call {
	int (*op)(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call);
	enum rill_tcp_direction direction;
	void *data;
	size_t len;
	struct rill_buf *buf;
	const void *sender; /* of a send: the same for all its steps */
};

/* Waiters as a ring without a head, the first first. NULL: nobody. */
struct rill_wait_ring {
	struct rill_list *first;
};

struct rill_tcp {
	/* conn.user: a send that is not done. The others wait, so that each is whole. */
	struct rill_conn conn;
	struct rill_tcp *steer_next;
	struct rill_wait_ring readers; /* of struct rill_await, by link */
	struct rill_wait_ring writers; /* also: connect */
};

/*
 * 512 bytes with its bucket in the flow table, its timer and what the slab needs for itself;
 * buffers come on top while there is data.
 */
RILL_STATIC_ASSERT(sizeof(struct rill_tcp) <= 496, "a million of them fit half a gigabyte");

static inline void rill_wait_ring_push(struct rill_wait_ring *r, struct rill_await *aw)
{
	rill_list_init(&aw->link);
	if (r->first)
		rill_list_push_back(r->first, &aw->link);
	else
		r->first = &aw->link;
}

/* aw is in it. */
static inline void rill_wait_ring_remove(struct rill_wait_ring *r, struct rill_await *aw)
{
	if (r->first == &aw->link)
		r->first = rill_list_linked(&aw->link) ? aw->link.next : NULL;
	rill_list_del(&aw->link);
}

static inline struct rill_shard *rill_tcp_shard(const struct rill_tcp *t)
{
	return rill_shard_of_core(t->conn.core);
}

static inline struct rill_tcp *rill_tcp_of(struct rill_conn *c)
{
	return RILL_CONTAINER_OF(c, struct rill_tcp, conn);
}

/* See struct rill_core_ops. */
void rill_tcp_event(struct rill_core *core, struct rill_conn *c, uint32_t events);

#endif
