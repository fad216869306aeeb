/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/core/demux.h"

#include "netstack/core/acceptor.h"
#include "netstack/core/conn.h"
#include "netstack/core/udp.h"
#include "netstack/udp/datagram.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

/* ---- TCP ---- */

static inline struct rill_flow_key key_of(const struct rill_tcp_seg *seg)
{
	return (struct rill_flow_key){seg->src, seg->dst, seg->src_port, seg->dst_port};
}

static struct rill_conn *find(struct rill_core *core, const struct rill_tcp_seg *seg)
{
	struct rill_flow_key key = key_of(seg);

	return rill_conn_find(core, &key);
}

/* A segment for no connection. old: the one in TIME-WAIT that gives way. */
static enum rill_drop tcp_no_conn(struct rill_core *core, struct rill_buf *b,
				  struct rill_tcp_seg *seg, const struct rill_tcb *old)
{
	struct rill_flow_key key = key_of(seg);
	struct rill_acceptor *a = rill_acceptor_find(core, &key);

	if (a)
		return rill_acceptor_input(a, seg, b, old);
	rill_tcp_reject(&core->env, seg);
	return RILL_DROP_TCP_CLOSED;
}

/* An old connection in TIME-WAIT gives way to a new one on the same addresses. */
static enum rill_drop tcp_reopen(struct rill_core *core, struct rill_buf *b, struct rill_conn *c,
				 struct rill_tcp_seg *seg)
{
	struct rill_tcb old = c->tcb;

	/* Out of the table at once; a holder keeps the rest. */
	rill_conn_abort(c);
	return tcp_no_conn(core, b, seg, &old);
}

static bool gives_way(struct rill_core *core, const struct rill_conn *c,
		      const struct rill_tcp_seg *seg)
{
	return c->tcb.state == RILL_TCP_TIME_WAIT && rill_tcb_reusable(&c->tcb, seg) &&
	       rill_acceptor_listens(core, seg->dst, seg->dst_port);
}

static enum rill_drop tcp_input(struct rill_core *core, struct rill_buf *b,
				struct rill_tcp_seg *seg, struct rill_conn *c)
{
	rill_counter_add(&core->env.stats.segs_in, 1);
	/* It ended within this burst and is not settled yet: its addresses are free all the same.
	 */
	if (RILL_UNLIKELY(c && c->tcb.state == RILL_TCP_CLOSED)) {
		rill_conn_detach(c);
		c = NULL;
	}
	if (!c)
		return tcp_no_conn(core, b, seg, NULL);
	if (RILL_UNLIKELY(gives_way(core, c, seg)))
		return tcp_reopen(core, b, c, seg);
	uint32_t una = c->tcb.snd_una;
	enum rill_drop drop = rill_tcb_input(&c->tcb, &core->env, seg, b, core->now_ns);

	/* The buffer is gone either way, so that its drop is counted here and not by the caller. */
	if (drop != RILL_DROP_NONE)
		rill_core_count_drop(core, drop);
	else if (c->tcb.snd_una != una)
		rill_l3_neigh_confirm(&core->l3, &c->dst, core->now_ns);
	rill_conn_touch(c);
	return RILL_DROP_NONE;
}

/* Then it is here, and no other core has to be asked. */
static bool is_half_open(const struct rill_core *core, const struct rill_tcp_seg *seg)
{
	return rill_syncache_find(&core->syns, seg->dst, seg->dst_port, seg->src, seg->src_port);
}

enum rill_drop rill_demux_tcp(void *ctx, struct rill_buf *b, const struct rill_ip_meta *m)
{
	struct rill_core *core = ctx;
	uint8_t *header = b->data;
	struct rill_tcp_seg seg;

	if (RILL_UNLIKELY(m->broadcast))
		return RILL_DROP_IP4_BROADCAST;
	enum rill_drop drop = rill_tcp_parse(b, &m->src, &m->dst, &seg);

	if (drop != RILL_DROP_NONE)
		return drop;
	seg.ecn = m->tos & 3;
	struct rill_conn *c = find(core, &seg);

	if (RILL_UNLIKELY(!c && core->ops->foreign_segment) && !is_half_open(core, &seg) &&
	    core->ops->foreign_segment(core, b, m, &seg, header))
		return RILL_DROP_NONE;
	return tcp_input(core, b, &seg, c);
}

void rill_demux_segment(struct rill_core *core, struct rill_buf *b, const struct rill_ip_meta *m)
{
	struct rill_tcp_seg seg;
	enum rill_drop drop = rill_tcp_parse(b, &m->src, &m->dst, &seg);

	seg.ecn = m->tos & 3;
	if (drop == RILL_DROP_NONE)
		drop = tcp_input(core, b, &seg, find(core, &seg));
	if (drop == RILL_DROP_NONE)
		return;
	rill_core_count_drop(core, drop);
	rill_core_put(core, b);
}

/* ---- UDP ---- */

enum rill_drop rill_demux_udp(void *ctx, struct rill_buf *b, const struct rill_ip_meta *m)
{
	struct rill_core *core = ctx;
	struct rill_udp_hdr hdr;
	enum rill_drop drop = rill_udp_input(b, m, &hdr);

	if (drop != RILL_DROP_NONE)
		return drop;
	struct rill_addr from = {.ip = m->src, .port = hdr.src_port};
	struct rill_addr to = {.ip = m->dst, .port = hdr.dst_port};
	struct rill_udp_port *p = rill_udp_port_find(core, &to, &from);

	if (!p)
		return RILL_DROP_UDP_NO_PORT;
	return core->ops->udp_input(core, p, b, &hdr, &from);
}

/* ---- ICMP and neighbours ---- */

/* What Linux makes of destination unreachable's codes 0 to 15, and which are hard (RFC
 * 1122, 4.2.3.9). */
static int unreachable_errno(uint8_t code, bool *ret_hard)
{
	*ret_hard = code == 2 || code == 3;
	switch (code) {
	case 0:
	case 6:
	case 11:
		return -ENETUNREACH;
	case 2:
		return -ENOPROTOOPT;
	case 3:
		return -ECONNREFUSED;
	default:
		return -EHOSTUNREACH;
	}
}

static void half_open_error(struct rill_core *core, struct rill_syn_entry *half,
			    const struct rill_icmp_error *e)
{
	bool hard = false;

	if (e->type == RILL_ICMP4_UNREACHABLE)
		unreachable_errno(e->code, &hard);
	rill_syncache_icmp_error(&core->syns, half, hard, e->tcp_seq);
}

static void tcp_error(struct rill_core *core, struct rill_conn *c, const struct rill_icmp_error *e)
{
	bool hard = false;
	int error = -EHOSTUNREACH;

	if (e->type == RILL_ICMP4_UNREACHABLE && e->code == 4) {
		rill_tcb_icmp_too_big(&c->tcb, e->mtu, e->tcp_seq);
	} else {
		if (e->type == RILL_ICMP4_UNREACHABLE)
			error = unreachable_errno(e->code, &hard);
		rill_tcb_icmp_error(&c->tcb, &core->env, error, hard, e->tcp_seq);
	}
	rill_conn_touch(c);
}

static struct rill_conn *find_failed(struct rill_core *core, const struct rill_icmp_error *e)
{
	struct rill_flow_key key = {&e->remote, &e->local, e->remote_port, e->local_port};

	return rill_conn_find(core, &key);
}

void rill_demux_error(struct rill_core *core, const struct rill_icmp_error *e)
{
	struct rill_conn *c = find_failed(core, e);
	struct rill_syn_entry *half = rill_syncache_find(&core->syns, &e->local, e->local_port,
							 &e->remote, e->remote_port);

	if (c)
		tcp_error(core, c, e);
	else if (half)
		half_open_error(core, half, e);
}

static void udp_error(struct rill_core *core, const struct rill_icmp_error *e)
{
	struct rill_addr local = {.ip = e->local, .port = e->local_port};
	struct rill_addr remote = {.ip = e->remote, .port = e->remote_port};
	struct rill_udp_port *p = rill_udp_port_find(core, &local, &remote);
	int error = -EHOSTUNREACH;
	bool hard = false;

	if (!p || !core->ops->udp_error)
		return;
	if (e->type == RILL_ICMP4_PARAMETER_PROBLEM)
		error = -EPROTO;
	else if (e->type == RILL_ICMP4_UNREACHABLE && e->code == RILL_ICMP4_FRAG_NEEDED)
		error = -EMSGSIZE;
	else if (e->type == RILL_ICMP4_UNREACHABLE)
		error = unreachable_errno(e->code, &hard);
	core->ops->udp_error(core, p, &remote, error, hard);
}

void rill_demux_icmp_error(void *ctx, const struct rill_icmp_error *e)
{
	struct rill_core *core = ctx;

	if (e->proto == IPPROTO_UDP)
		udp_error(core, e);
	if (e->proto != IPPROTO_TCP)
		return;
	if (core->ops->foreign_error && !find_failed(core, e))
		core->ops->foreign_error(core, e);
	else
		rill_demux_error(core, e);
}

struct unreachable_scan {
	struct rill_core *core;
	const struct rill_ip *dst;
};

static void fail_opening(struct rill_conn *c, void *ctx)
{
	struct unreachable_scan *scan = ctx;

	if (c->tcb.state != RILL_TCP_SYN_SENT ||
	    memcmp(&c->tcb.remote.ip, scan->dst, sizeof(*scan->dst)) != 0)
		return;
	rill_tcb_icmp_error(&c->tcb, &scan->core->env, -EHOSTUNREACH, true, c->tcb.snd_una);
	rill_conn_touch(c);
}

void rill_demux_unreachable(void *ctx, const struct rill_ip *dst)
{
	struct unreachable_scan scan = {.core = ctx, .dst = dst};

	rill_flow_for_each(&scan.core->flows, fail_opening, &scan);
}

/* Early data is marked as sent with its SYN, so that one is left to its timer. */
static void send_syn_now(struct rill_conn *c, void *ctx)
{
	(void)ctx;
	if (!c->syn_unsent)
		return;
	c->syn_unsent = false;
	if (c->tcb.state != RILL_TCP_SYN_SENT || (c->tcb.flags & RILL_TCB_FAST_OPEN) != 0)
		return;
	c->tcb.snd_nxt = c->tcb.iss;
	rill_conn_touch(c);
}

void rill_demux_resolved(void *ctx)
{
	struct rill_core *core = ctx;

	rill_flow_for_each(&core->flows, send_syn_now, NULL);
}
