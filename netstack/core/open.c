/* SPDX-License-Identifier: BSD-3-Clause */
/* Active opens. */
#include "netstack/core/acceptor.h"
#include "netstack/core/conn.h"

#include <errno.h>

/* Ports that turn out to be another core's before a search is given up. */
#define TRIES_MAX 64

/* Can a SYN go there at all (MUST-46, MUST-63)? */
static bool is_destination(const struct rill_core *core, const struct rill_addr *remote)
{
	return remote->ip.family == RILL_AF_IP4 && remote->port != 0 &&
	       rill_l3_has_route(&core->l3, &remote->ip);
}

struct search {
	struct rill_core *core;
	const struct rill_addr *remote;
};

/* Where somebody listens is left alone, as replies to both would come to one port. */
static enum rill_port_fit fits(void *ctx, const struct rill_addr *local)
{
	const struct search *s = ctx;
	struct rill_core *core = s->core;

	if (rill_acceptor_find(core, local->port) ||
	    rill_conn_find(core, &s->remote->ip, s->remote->port, local->port))
		return RILL_PORT_TAKEN;
	if (core->ops->is_home && !core->ops->is_home(core, local, s->remote))
		return RILL_PORT_USABLE;
	return RILL_PORT_SUITS;
}

/* Another core may have the pair by a port that its user chose: then another one is tried. */
static int create_ephemeral(struct rill_core *core, const struct rill_addr *local,
			    const struct rill_addr *remote, const struct rill_conn_options *o,
			    struct rill_conn **ret_conn)
{
	struct search search = {core, remote};
	struct rill_port_request req = {
		.sources = &local->ip,
		.source_count = 1,
		.remote = remote,
		.fit = fits,
		.ctx = &search,
	};
	struct rill_addr from;
	int r = -EADDRINUSE;

	for (int tries = 0; tries < TRIES_MAX && r == -EADDRINUSE; tries++) {
		r = rill_ephemeral_get(core->ephemeral, &req, &from);
		if (r < 0)
			return r;
		r = rill_conn_create(core, &from, remote, o, true, ret_conn);
		if (r < 0)
			rill_ephemeral_put(core->ephemeral, &from, remote);
		else
			(*ret_conn)->ephemeral = true;
	}
	return r == -EADDRINUSE ? -EADDRNOTAVAIL : r;
}

int rill_conn_open(struct rill_core *core, const struct rill_addr *local,
		   const struct rill_addr *remote, const struct rill_conn_options *o,
		   struct rill_conn **ret_conn)
{
	struct rill_conn *c = NULL;
	int r;

	if (!is_destination(core, remote))
		return -ENETUNREACH;
	if (local->port == 0)
		r = create_ephemeral(core, local, remote, o, &c);
	else
		r = rill_conn_create(core, local, remote, o, true, &c);
	if (r < 0)
		return r;
	rill_tcb_connect(&c->tcb, &core->env, core->now_ns);
	rill_conn_touch(c);
	*ret_conn = c;
	return 0;
}
