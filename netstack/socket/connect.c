/* SPDX-License-Identifier: BSD-3-Clause */
/* Active opens. */
#include <errno.h>

#include "netstack/socket/options.h"
#include "netstack/socket/tcp.h"
#include "netstack/stack/net.h"

struct opening {
	struct rill_addr local;
	const struct rill_addr *remote;
	const struct rill_tcp_options *asked;
	struct rill_conn_options options;
	struct rill_conn *c;
	int result;
};

/* For the SYN, or as much of it as a segment takes; the rest follows the handshake. */
static int queue_early(struct rill_shard *sh, struct opening *o)
{
	struct rill_tcb *tcb = &o->c->tcb;
	ssize_t n = rill_tcb_send(tcb, &sh->core.env, o->asked->early, o->asked->early_len);

	if (n == (ssize_t)o->asked->early_len)
		return 0;
	/* held by nobody, it goes with the next settling */
	rill_tcb_abort(tcb, &sh->core.env, sh->core.now_ns);
	rill_conn_let_go(o->c);
	return n < 0 && n != -EAGAIN ? (int)n : -EMSGSIZE;
}

static int open_conn(struct rill_shard *sh, struct opening *o)
{
	struct rill_core *core = &sh->core;
	int r = rill_tcp_options_settle(o->asked, core, &o->options);

	if (r < 0)
		return r;
	if (o->asked->early_len > 0) {
		core->env.params.fast_open_client = true;
		o->options.flags |= RILL_TCB_FAST_OPEN;
	}
	r = rill_conn_open(core, &o->local, o->remote, &o->options, &o->c);
	if (r == 0 && o->asked->early_len > 0)
		r = queue_early(sh, o);
	return r;
}

static void open_held(struct rill_shard *sh, void *arg)
{
	struct opening *o = arg;

	o->result = open_conn(sh, o);
	rill_conn_options_put(&sh->core, &o->options);
}

static int op_connected(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	const struct rill_tcb *tcb = &c->conn.tcb;

	(void)sh, (void)call;
	if (tcb->state == RILL_TCP_SYN_SENT || tcb->state == RILL_TCP_SYN_RCVD)
		return -EAGAIN;
	/* What the peer does after the handshake, a RST included, is for the first call to tell. */
	return tcb->state == RILL_TCP_CLOSED ? (tcb->error ? tcb->error : -ECONNRESET) : 0;
}

int rill_tcp_connect(struct rill_net *net, const struct rill_addr *local,
		     const struct rill_addr *remote, const struct rill_tcp_options *in,
		     struct rill_tcp **ret_conn)
{
	struct rill_tcp_call call = {.op = op_connected, .direction = RILL_TCP_WRITE};
	struct opening o = {.remote = remote};
	struct rill_tcp_options options;
	struct rill_tcp *t;
	int r = rill_tcp_options_read(in, &options, &o.options);

	if (r < 0)
		return r;
	if (local && !rill_net_owns(net, &local->ip))
		return -EADDRNOTAVAIL;
	o.asked = &options;
	if (local)
		o.local = *local;
	if (local && rill_net_is_any(&local->ip))
		o.local.ip.family = RILL_AF_NONE;
	rill_shard_call(rill_net_shard(net), open_held, &o);
	if (o.result < 0)
		return o.result;
	t = rill_tcp_of(o.c);
	r = rill_tcp_call_wait(t, &call);
	if (r < 0) {
		rill_tcp_abort(t);
		return r;
	}
	*ret_conn = t;
	return 0;
}
