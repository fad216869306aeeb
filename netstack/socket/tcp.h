/* SPDX-License-Identifier: BSD-3-Clause */
/* The one form that every waiting TCP call takes. */
#ifndef RILL_NETSTACK_SOCKET_TCP_H
#define RILL_NETSTACK_SOCKET_TCP_H

#include "netstack/stack/conn.h"

enum rill_tcp_direction {
	RILL_TCP_READ,
	RILL_TCP_WRITE,
};

/*
 * A call: op runs with the shard held and returns its result, or -EAGAIN to wait until the
 * connection is readable (writable). The awaitable's arg points at it.
 */
struct rill_tcp_call {
	int (*op)(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call);
	enum rill_tcp_direction direction;
	void *data;
	size_t len;
	struct rill_buf *buf;
	const void *sender; /* of a send: the same for all its steps */
};

/* Waits for it; cancel safe when op is. */
int rill_tcp_call_wait(struct rill_tcp *c, struct rill_tcp_call *call);
/* Runs it once. */
int rill_tcp_call_now(struct rill_tcp *c, struct rill_tcp_call *call);

extern const struct rill_await_ops rill_tcp_readable_ops;
extern const struct rill_await_ops rill_tcp_writable_ops;

/* The handle is given up, its tcb being told by end (close or abort). c is gone afterwards. */
void rill_tcp_let_go(struct rill_tcp *c,
		     void (*end)(struct rill_tcb *, struct rill_tcp_env *, uint64_t));

#endif
