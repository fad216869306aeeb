/* SPDX-License-Identifier: BSD-3-Clause */
/* From the public options to what the stack keeps. */
#ifndef RILL_NETSTACK_SOCKET_OPTIONS_H
#define RILL_NETSTACK_SOCKET_OPTIONS_H

#include <errno.h>
#include <string.h>

#include "netstack/stack/conn.h"

#define RILL_TCP_BUFFER_MAX (1u << 30)
#define RILL_TCP_BACKLOG_DEFAULT 1024

/* o may be NULL. -EINVAL: a buffer is too large. */
static inline int rill_tcp_options_read(const struct rill_tcp_options *in,
					struct rill_tcp_options *ret_o,
					struct rill_conn_options *ret_conn)
{
	struct rill_tcp_options o = {0};

	if (in)
		memcpy(&o, in, RILL_MIN(in->size, sizeof(o)));
	if (o.send_buffer > RILL_TCP_BUFFER_MAX || o.recv_buffer > RILL_TCP_BUFFER_MAX)
		return -EINVAL;
	if (o.backlog == 0)
		o.backlog = RILL_TCP_BACKLOG_DEFAULT;
	*ret_o = o;
	*ret_conn = (struct rill_conn_options){
		.send_buffer = o.send_buffer,
		.recv_buffer = o.recv_buffer,
		.flags = o.nodelay ? RILL_TCB_NODELAY : 0,
	};
	return 0;
}

#endif
