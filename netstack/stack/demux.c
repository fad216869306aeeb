/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/demux.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "netstack/stack/conn.h"
#include "netstack/stack/listener.h"
#include "netstack/stack/net.h"
#include "netstack/stack/udp_port.h"
#include "netstack/udp/datagram.h"
#include "netstack/wire/eth.h"

/* ---- between shards ---- */

/* A packet on its way to another shard: the operation lies in the buffer's cookies. */
struct parcel {
	struct rill_shard_op op;
	uint32_t src;
};

RILL_STATIC_ASSERT(sizeof(struct parcel) <= sizeof(((struct rill_buf *)0)->cookie),
		   "in the cookies");

static struct parcel *parcel_of(struct rill_buf *b)
{
	return (struct parcel *)(void *)b->cookie;
}

static struct rill_buf *buf_of(struct rill_shard_op *op)
{
	struct parcel *p = RILL_CONTAINER_OF(op, struct parcel, op);

	return RILL_CONTAINER_OF((uint64_t(*)[8])(void *)p, struct rill_buf, cookie);
}

static void deliver_frame(struct rill_shard *sh, struct rill_shard_op *op)
{
	rill_l3_input(&sh->l3, buf_of(op), sh->now_ns);
}

static void send_parcel(struct rill_shard *to, struct rill_buf *b,
			void (*fn)(struct rill_shard *, struct rill_shard_op *))
{
	struct rill_shard_op *op = &parcel_of(b)->op;

	op->fn = fn;
	if (!rill_shard_post(to, op))
		return;
	fn(to, op);
	rill_shard_leave(to);
}

/*
 * ARP packets come on one queue, but each shard keeps its own neighbours: the others get copies.
 * They are few, and a copy that finds no buffer is like one lost on the wire.
 */
static void share_arp(struct rill_shard *sh, const struct rill_buf *frame)
{
	for (unsigned i = 0; i < sh->net->shard_count; i++) {
		struct rill_shard *to = &sh->net->shards[i];
		struct rill_buf *copy;

		if (to == sh)
			continue;
		copy = rill_buf_alloc(sh->queue->pool);
		if (!copy)
			return;
		if (rill_buf_tailroom(copy) < frame->len) {
			rill_buf_put_owner(sh->queue->pool, copy);
			return;
		}
		memcpy(rill_buf_append(copy, frame->len), frame->data, frame->len);
		send_parcel(to, copy, deliver_frame);
	}
}

static bool is_arp(const struct rill_buf *b)
{
	return b->len >= RILL_ETH_LEN && b->data[12] == 0x08 && b->data[13] == 0x06;
}

void rill_demux_frame(struct rill_shard *sh, struct rill_buf *frame)
{
	if (RILL_UNLIKELY(sh->net->shard_count > 1 && is_arp(frame)))
		share_arp(sh, frame);
	rill_l3_input(&sh->l3, frame, sh->now_ns);
}

/* ---- TCP ---- */

/* A segment for no connection of the shard's. */
static enum rill_drop tcp_no_conn(struct rill_shard *sh, const struct rill_tcp_seg *seg,
				  const struct rill_tcb *old)
{
	/* acquire: pairs with the release in rill_net_bind_port() */
	struct rill_listener *l = rill_load_acquire(&sh->net->listeners[seg->dst_port]);

	if (!l) {
		rill_tcp_reject(&sh->env, seg);
		return RILL_DROP_TCP_CLOSED;
	}
	enum rill_drop drop = rill_tcp_listen_check(&sh->env, seg);

	if (drop != RILL_DROP_NONE)
		return drop;
	return rill_listener_syn(l, sh, seg, old);
}

/* An old connection in TIME-WAIT gives way to a new one on the same addresses. */
static enum rill_drop tcp_reopen(struct rill_shard *sh, struct rill_tcp *c,
				 const struct rill_tcp_seg *seg)
{
	struct rill_tcb old = c->tcb;

	if (!rill_load_relaxed(&sh->net->listeners[seg->dst_port]))
		return RILL_DROP_TCP_CLOSED;
	/* Out of the table at once; a holder keeps the rest. */
	rill_tcb_abort(&c->tcb, &sh->env, sh->now_ns);
	rill_conn_settle(sh, c);
	return tcp_no_conn(sh, seg, &old);
}

static enum rill_drop tcp_input(struct rill_shard *sh, struct rill_buf *b, struct rill_tcp_seg *seg,
				struct rill_tcp *c)
{
	/* It ended within this burst and is not settled yet: its addresses are free all the same.
	 */
	if (RILL_UNLIKELY(c && c->tcb.state == RILL_TCP_CLOSED)) {
		rill_conn_settle(sh, c);
		c = NULL;
	}
	if (!c) {
		enum rill_drop drop = tcp_no_conn(sh, seg, NULL);

		if (drop == RILL_DROP_NONE)
			rill_buf_put_owner(sh->queue->pool, b);
		return drop;
	}
	if (RILL_UNLIKELY(c->tcb.state == RILL_TCP_TIME_WAIT) && rill_tcb_reusable(&c->tcb, seg)) {
		enum rill_drop drop = tcp_reopen(sh, c, seg);

		if (drop == RILL_DROP_NONE)
			rill_buf_put_owner(sh->queue->pool, b);
		return drop;
	}
	uint32_t una = c->tcb.snd_una;
	enum rill_drop drop = rill_tcb_input(&c->tcb, &sh->env, seg, b, sh->now_ns);

	/* The buffer is gone either way, so that its drop is counted here and not by the caller. */
	if (drop != RILL_DROP_NONE)
		rill_counter_add(&sh->drops[drop], 1);
	else if (c->tcb.snd_una != una)
		rill_l3_neigh_confirm(&sh->l3, &c->dst, sh->now_ns);
	rill_conn_touch(sh, c);
	return RILL_DROP_NONE;
}

/* The NIC put a segment of another shard's connection into our queue. */
static void deliver_steered(struct rill_shard *sh, struct rill_shard_op *op)
{
	struct rill_buf *b = buf_of(op);
	struct rill_ip src = {.family = RILL_AF_IP4};
	struct rill_tcp_seg seg;
	enum rill_drop drop;

	memcpy(src.bytes, &parcel_of(b)->src, 4);
	rill_counter_add(&sh->stats.steered_in, 1);
	drop = rill_tcp_parse(b, &src, &sh->net->ip, &seg);
	if (drop == RILL_DROP_NONE)
		drop = tcp_input(sh, b, &seg,
				 rill_conn_find(sh, seg.src, seg.src_port, seg.dst_port));
	if (drop == RILL_DROP_NONE)
		return;
	rill_counter_add(&sh->drops[drop], 1);
	rill_buf_put_owner(sh->queue->pool, b);
}

/* Looks for the owner among the other shards; true when the packet has gone there. */
static bool tcp_steer(struct rill_shard *sh, struct rill_buf *b, const struct rill_ip_meta *m,
		      const struct rill_tcp_seg *seg, uint8_t *header)
{
	struct rill_flow_key key = {*seg->src, seg->src_port, seg->dst_port};
	struct rill_shard *to =
		rill_steer_find(&sh->net->steer, rill_flow_hash(&sh->net->secret, &key), &key);

	if (!to || to == sh)
		return false;
	/* Parsing left the payload alone; the owner parses again, without the checksum. */
	rill_buf_push(b, (uint32_t)(b->data - header));
	b->flags |= RILL_BUF_CSUM_OK;
	memcpy(&parcel_of(b)->src, m->src.bytes, 4);
	rill_counter_add(&sh->stats.steered_out, 1);
	send_parcel(to, b, deliver_steered);
	return true;
}

enum rill_drop rill_demux_tcp(void *ctx, struct rill_buf *b, const struct rill_ip_meta *m)
{
	struct rill_shard *sh = ctx;
	uint8_t *header = b->data;
	struct rill_tcp_seg seg;

	if (RILL_UNLIKELY(m->broadcast))
		return RILL_DROP_IP4_BROADCAST;
	enum rill_drop drop = rill_tcp_parse(b, &m->src, &m->dst, &seg);

	if (drop != RILL_DROP_NONE)
		return drop;
	struct rill_tcp *c = rill_conn_find(sh, seg.src, seg.src_port, seg.dst_port);

	if (RILL_UNLIKELY(!c && sh->net->shard_count > 1) && tcp_steer(sh, b, m, &seg, header))
		return RILL_DROP_NONE;
	return tcp_input(sh, b, &seg, c);
}

/* ---- UDP ---- */

enum rill_drop rill_demux_udp(void *ctx, struct rill_buf *b, const struct rill_ip_meta *m)
{
	struct rill_shard *sh = ctx;
	struct rill_udp_hdr hdr;
	enum rill_drop drop = rill_udp_input(b, m, &hdr);

	if (drop != RILL_DROP_NONE)
		return drop;
	/* acquire: pairs with the release in rill_net_bind_port() */
	struct rill_udp *u = rill_load_acquire(&sh->net->udp[hdr.dst_port]);

	if (!u)
		return RILL_DROP_UDP_NO_PORT;
	struct rill_addr from = {.ip = m->src, .port = hdr.src_port};

	return rill_udp_deliver(u, b, &hdr, &from, &sh->wakes);
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

static void apply_icmp_error(struct rill_shard *sh, struct rill_tcp *c,
			     const struct rill_icmp_error *e)
{
	bool hard = false;
	int error = -EHOSTUNREACH;

	if (e->type == RILL_ICMP4_UNREACHABLE && e->code == 4) {
		rill_tcb_icmp_too_big(&c->tcb, e->mtu, e->tcp_seq);
	} else {
		if (e->type == RILL_ICMP4_UNREACHABLE)
			error = unreachable_errno(e->code, &hard);
		rill_tcb_icmp_error(&c->tcb, &sh->env, error, hard, e->tcp_seq);
	}
	rill_conn_touch(sh, c);
}

/* b holds a copy of an error that came on another shard's queue. */
static void deliver_icmp_error(struct rill_shard *sh, struct rill_shard_op *op)
{
	struct rill_buf *b = buf_of(op);
	struct rill_icmp_error e;
	struct rill_tcp *c;

	memcpy(&e, b->data, sizeof(e));
	rill_buf_put_owner(sh->queue->pool, b);
	c = rill_conn_find(sh, &e.remote, e.remote_port, e.local_port);
	if (c)
		apply_icmp_error(sh, c, &e);
}

/* The NIC hashes an error by its own addresses, so that it mostly comes to the wrong shard. */
static void steer_icmp_error(struct rill_shard *sh, const struct rill_icmp_error *e)
{
	struct rill_flow_key key = {e->remote, e->remote_port, e->local_port};
	uint64_t hash = rill_flow_hash(&sh->net->secret, &key);
	struct rill_shard *to = rill_steer_find(&sh->net->steer, hash, &key);
	struct rill_buf *b;

	if (!to || to == sh)
		return;
	b = rill_buf_alloc(sh->queue->pool);
	if (!b)
		return;
	memcpy(rill_buf_append(b, sizeof(*e)), e, sizeof(*e));
	send_parcel(to, b, deliver_icmp_error);
}

void rill_demux_icmp_error(void *ctx, const struct rill_icmp_error *e)
{
	struct rill_shard *sh = ctx;

	if (e->proto != IPPROTO_TCP)
		return;
	struct rill_tcp *c = rill_conn_find(sh, &e->remote, e->remote_port, e->local_port);

	if (c)
		apply_icmp_error(sh, c, e);
	else if (sh->net->shard_count > 1)
		steer_icmp_error(sh, e);
}

struct unreachable_scan {
	struct rill_shard *sh;
	const struct rill_ip *dst;
};

static void fail_opening(struct rill_flow *f, void *ctx)
{
	struct unreachable_scan *scan = ctx;
	struct rill_tcp *c = rill_conn_of_flow(f);

	if (c->tcb.state != RILL_TCP_SYN_SENT ||
	    memcmp(&f->key.remote, scan->dst, sizeof(*scan->dst)) != 0)
		return;
	rill_tcb_icmp_error(&c->tcb, &scan->sh->env, -EHOSTUNREACH, true, c->tcb.snd_una);
	rill_conn_touch(scan->sh, c);
}

void rill_demux_unreachable(void *ctx, const struct rill_ip *dst)
{
	struct unreachable_scan scan = {.sh = ctx, .dst = dst};

	rill_flow_for_each(&scan.sh->flows, fail_opening, &scan);
}
