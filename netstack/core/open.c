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
	struct rill_flow_key key = {&s->remote->ip, &local->ip, s->remote->port, local->port};

	if (rill_acceptor_listens(core, &local->ip, local->port) || rill_conn_find(core, &key))
		return RILL_PORT_TAKEN;
	if (core->ops->is_home && !core->ops->is_home(core, local, s->remote))
		return RILL_PORT_USABLE;
	return RILL_PORT_SUITS;
}

/* Another core may have the pair by a port that its user chose: then another one is tried. */
static int create_from(struct rill_core *core, const struct rill_ip *source,
		       const struct rill_addr *remote, const struct rill_conn_options *o,
		       struct rill_conn **ret_conn)
{
	struct search search = {core, remote};
	struct rill_port_request req = {
		.sources = source,
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

/* Each address has its ports: the next one's are used when those of the one before are. */
static int create_ephemeral(struct rill_core *core, const struct rill_ip *source,
			    const struct rill_addr *remote, const struct rill_conn_options *o,
			    struct rill_conn **ret_conn)
{
	int r = -EADDRNOTAVAIL;

	if (source->family != RILL_AF_NONE)
		return create_from(core, source, remote, o, ret_conn);
	for (unsigned i = 0; i < core->l3.addr_count && r == -EADDRNOTAVAIL; i++) {
		struct rill_ip ip;

		if (rill_l3_is_source(&core->l3, i, &remote->ip, &ip))
			r = create_from(core, &ip, remote, o, ret_conn);
	}
	return r;
}

static int create_at(struct rill_core *core, const struct rill_addr *local,
		     const struct rill_addr *remote, const struct rill_conn_options *o,
		     struct rill_conn **ret_conn)
{
	struct rill_addr from = *local;

	if (local->ip.family == RILL_AF_NONE)
		rill_l3_source(&core->l3, &remote->ip, &from.ip);
	return rill_conn_create(core, &from, remote, o, true, ret_conn);
}

int rill_conn_open(struct rill_core *core, const struct rill_addr *local,
		   const struct rill_addr *remote, const struct rill_conn_options *o,
		   struct rill_conn **ret_conn)
{
	struct rill_conn *c = NULL;
	int r;

	if (core->link_error)
		return core->link_error;
	if (!is_destination(core, remote))
		return -ENETUNREACH;
	if (local->ip.family != RILL_AF_NONE && !rill_l3_owns(&core->l3, rill_ip4_get(&local->ip)))
		return -EADDRNOTAVAIL;
	if (local->port == 0)
		r = create_ephemeral(core, &local->ip, remote, o, &c);
	else
		r = create_at(core, local, remote, o, &c);
	if (r < 0)
		return r;
	rill_tcb_connect(&c->tcb, &core->env, core->now_ns);
	rill_conn_touch(c);
	*ret_conn = c;
	return 0;
}
