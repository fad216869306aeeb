/* SPDX-License-Identifier: BSD-3-Clause */
/* What a connection tells of itself. */
#include "netstack/socket/tcp.h"

struct rill_addr rill_tcp_local(const struct rill_tcp *c)
{
	return c->conn.tcb.local;
}

struct rill_addr rill_tcp_peer(const struct rill_tcp *c)
{
	return c->conn.tcb.remote;
}

static int op_info(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	rill_tcb_info(&c->conn.tcb, call->data);
	rill_tcb_info_now(&c->conn.tcb, &sh->core.env, sh->core.now_ns, call->data);
	return 0;
}

int rill_tcp_info(struct rill_tcp *c, struct rill_tcp_info *ret_info)
{
	struct rill_tcp_call call = {.op = op_info, .data = ret_info};

	return rill_tcp_call_now(c, &call);
}
