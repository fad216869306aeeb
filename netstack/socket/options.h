/* SPDX-License-Identifier: BSD-3-Clause */
/* From the public options to what the stack keeps. */
#ifndef RILL_NETSTACK_SOCKET_OPTIONS_H
#define RILL_NETSTACK_SOCKET_OPTIONS_H

#include "netstack/stack/conn.h"
#include "netstack/tcp/tune.h"

#define RILL_TCP_BUFFER_MIN (1u << 10)
#define RILL_TCP_BUFFER_MAX (1u << 30)
#define RILL_TCP_BACKLOG_DEFAULT 1024

#define RILL_TCP_KEEPALIVE_CHANGES 4

/* What k says, turned on, with the defaults for 0: how many changes. */
unsigned rill_tcp_keepalive_changes(const struct rill_tcp_keepalive *k,
				    struct rill_tcp_change *ret_changes);

/* o may be NULL. -EINVAL: a value out of its bounds. -ENOENT: no such congestion control. */
int rill_tcp_options_read(const struct rill_tcp_options *in, struct rill_tcp_options *ret_o,
			  struct rill_conn_options *ret_conn);
/*
 * The settings that o, which was read, asks for, as conn's own where it asks for any. Holder of
 * the core. -ENOMEM. They are given back by rill_conn_options_put().
 */
int rill_tcp_options_settle(const struct rill_tcp_options *o, struct rill_core *core,
			    struct rill_conn_options *conn);

#endif
