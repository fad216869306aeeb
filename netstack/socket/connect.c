/* SPDX-License-Identifier: BSD-3-Clause */
/* Active opens. */
#include <stdlib.h>

#include "netstack/socket/options.h"
#include "netstack/socket/tcp.h"
#include "netstack/stack/net.h"

struct opening {
	struct rill_addr local;
	const struct rill_addr *remote;
	struct rill_conn_buffers buffers;
	struct rill_tcp *c;
	int result;
};

/*
 * A random free port of the dynamic range (RFC 6056, algorithm 1): any that makes a new pair of
 * addresses will do.
 */
static struct rill_tcp *create_ephemeral(struct rill_shard *sh, struct opening *o)
{
	uint64_t random;

	rill_rand_secret(&random, sizeof(random));
	for (uint32_t i = 0; i < RILL_PORT_EPHEMERAL_COUNT; i++) {
		uint32_t at = (uint32_t)((random + i) % RILL_PORT_EPHEMERAL_COUNT);

		o->local.port = (uint16_t)(RILL_PORT_EPHEMERAL_FIRST + at);
		if (rill_conn_find(sh, &o->remote->ip, o->remote->port, o->local.port))
			continue;
		struct rill_tcp *c = rill_conn_create(sh, &o->local, o->remote, &o->buffers, true);

		if (c)
			return c;
	}
	return NULL;
}

static void open_held(struct rill_shard *sh, void *arg)
{
	struct opening *o = arg;
	bool ephemeral = o->local.port == 0;

	if (!rill_l3_has_route(&sh->l3, &o->remote->ip)) {
		o->result = -ENETUNREACH;
		return;
	}
	if (ephemeral)
		o->c = create_ephemeral(sh, o);
	else
		o->c = rill_conn_create(sh, &o->local, o->remote, &o->buffers, true);
	if (!o->c) {
		o->result = ephemeral ? -EADDRNOTAVAIL : -EADDRINUSE;
		return;
	}
	rill_tcb_connect(&o->c->tcb, &sh->env, sh->now_ns);
	rill_conn_touch(sh, o->c);
}

static int op_connected(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	(void)sh, (void)call;
	if (c->tcb.state == RILL_TCP_SYN_SENT || c->tcb.state == RILL_TCP_SYN_RCVD)
		return -EAGAIN;
	/* What the peer does after the handshake, a RST included, is for the first call to tell. */
	return c->tcb.state == RILL_TCP_CLOSED ? (c->tcb.error ? c->tcb.error : -ECONNRESET) : 0;
}

/* Can a SYN go there at all (MUST-46, MUST-63)? */
static bool is_destination(const struct rill_net *net, const struct rill_addr *remote)
{
	uint8_t first = remote->ip.bytes[0];

	return remote->ip.family == RILL_AF_IP4 && remote->port != 0 && first != 0 &&
	       first != 127 && first < 224 && !(rill_net_owns(net, &remote->ip));
}

int rill_tcp_connect(struct rill_net *net, const struct rill_addr *local,
		     const struct rill_addr *remote, const struct rill_tcp_options *in,
		     struct rill_tcp **ret_conn)
{
	struct rill_tcp_call call = {.op = op_connected, .direction = RILL_TCP_WRITE};
	struct opening o = {.local = {.ip = net->ip}, .remote = remote};
	struct rill_tcp_options options;
	int r = rill_tcp_options_read(in, &options, &o.buffers);

	if (r < 0)
		return r;
	if (!is_destination(net, remote))
		return -ENETUNREACH;
	if (local && !rill_net_owns(net, &local->ip))
		return -EADDRNOTAVAIL;
	if (local)
		o.local.port = local->port;
	rill_shard_call(rill_net_shard(net), open_held, &o);
	if (o.result < 0)
		return o.result;
	r = rill_tcp_call_wait(o.c, &call);
	if (r < 0) {
		rill_tcp_abort(o.c);
		return r;
	}
	*ret_conn = o.c;
	return 0;
}
