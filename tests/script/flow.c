/* SPDX-License-Identifier: BSD-3-Clause */
/* Flows: which connection a number in a script counts from. */
#include "world.h"

#include <string.h>

#define FIRST_PEER_PORT 40000
#define OUR_PORT 80
#define FIRST_PEER_ISN 5000000u

struct world_flow *world_flow(struct world *w, int64_t n)
{
	if (n < 1 || n >= WORLD_FLOWS_MAX)
		world_fail(w, "flows are @1 to @%d", WORLD_FLOWS_MAX - 1);
	return &w->flows[n];
}

void world_flow_reset(struct world_flow *f, unsigned n)
{
	*f = (struct world_flow){.peer_ip = WORLD_PEER_IP,
				 .our_ip = WORLD_OUR_IP,
				 .peer_port = (uint16_t)(FIRST_PEER_PORT + n),
				 .our_port = OUR_PORT,
				 .peer_isn = FIRST_PEER_ISN * n};
}

static bool matches(const struct world_flow *f, const struct packet *p)
{
	bool opening = (p->flags & (PACKET_SYN | PACKET_ACK)) == PACKET_SYN;

	return f->peer_ip == p->dst && f->peer_port == p->dst_port && f->our_ip == p->src &&
	       (f->our_port == p->src_port || (opening && !f->port_known));
}

struct world_flow *world_flow_of(struct world *w, const struct packet *p)
{
	struct world_flow *f = NULL;
	const struct packet_option *ts, *fo;

	for (unsigned n = 1; n < WORLD_FLOWS_MAX && !f; n++)
		if (matches(&w->flows[n], p))
			f = &w->flows[n];
	if (!f)
		return NULL;
	if ((p->flags & PACKET_SYN) && !f->isn_known) {
		f->isn_known = f->port_known = true;
		f->our_isn = p->seq;
		f->our_port = p->src_port;
	}
	fo = packet_option(p, OPTION_FAST_OPEN);
	if (fo && fo->len && fo->len <= sizeof(f->cookie)) {
		memcpy(f->cookie, fo->value, fo->len);
		f->cookie_len = fo->len;
	}
	ts = packet_option(p, OPTION_TS);
	if (ts && ts->len == 8 && !f->ts_known) {
		f->ts_known = true;
		f->ts_base = packet_get32(ts->value);
	}
	return f;
}
