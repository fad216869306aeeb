/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/core/udp.h"

#include "netstack/udp/datagram.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

void rill_udp_port_init(struct rill_udp_port *p, struct rill_core *core, const struct rill_port *at)
{
	*p = (struct rill_udp_port){.at = *at, .core = core};
	rill_port_insert(&core->udp_ports, &p->at);
}

void rill_udp_port_fini(struct rill_udp_port *p)
{
	rill_port_remove(&p->core->udp_ports, &p->at);
}

static struct rill_udp_port *udp_port_of(struct rill_port *p)
{
	return RILL_CONTAINER_OF(p, struct rill_udp_port, at);
}

/* The struct has a hole. */
static bool same_addr(const struct rill_addr *a, const struct rill_addr *b)
{
	return a->port == b->port && memcmp(&a->ip, &b->ip, sizeof(a->ip)) == 0;
}

/* How particular a port is about what comes from peer; 0: it does not take that. */
static unsigned rank_of(const struct rill_udp_port *u, const struct rill_addr *peer)
{
	unsigned rank = u->at.ip ? 2 : 1;

	if (u->peer.ip.family == RILL_AF_NONE)
		return rank;
	return same_addr(&u->peer, peer) ? 2 + rank : 0;
}

struct rill_udp_port *rill_udp_port_find(const struct rill_core *core,
					 const struct rill_addr *local,
					 const struct rill_addr *peer)
{
	struct rill_flow_key key = {&peer->ip, &local->ip, peer->port, local->port};
	uint32_t ip = rill_ip4_get(&local->ip), hash = 0;
	struct rill_udp_port *best = NULL;
	unsigned best_rank = 0;

	for (struct rill_port *p = rill_port_bucket(&core->udp_ports, local->port); p;
	     p = p->next) {
		unsigned rank =
			rill_port_takes(p, ip, local->port) ? rank_of(udp_port_of(p), peer) : 0;

		if (rank < best_rank || rank == 0)
			continue;
		/* Two of the same rank: a group. */
		if (rank == best_rank) {
			hash = hash ? hash : rill_flow_hash(&core->flow_secret, &key);
			if (rill_port_score(p, hash) < rill_port_score(&best->at, hash))
				continue;
		}
		best_rank = rank;
		best = udp_port_of(p);
	}
	return best;
}

/* ---- the queue ---- */

static uint32_t memory_of(const struct rill_buf *chain)
{
	uint32_t bytes = 0;

	for (; chain; chain = chain->next)
		bytes += (uint32_t)(chain->end - chain->head);
	return bytes;
}

enum rill_drop rill_udp_queue_push(struct rill_udp_queue *q, struct rill_buf *chain,
				   const struct rill_udp_hdr *hdr, const struct rill_addr *from)
{
	uint32_t bytes = memory_of(chain);
	struct rill_udp_meta *meta = rill_udp_meta_of(chain);

	if (q->bytes + bytes > q->max && q->bufs.count > 0)
		return RILL_DROP_UDP_QUEUE_FULL;
	rill_udp_strip(chain, hdr);
	meta->from = *from;
	meta->rest = chain->next;
	q->bytes += bytes;
	rill_buf_queue_push(&q->bufs, chain);
	return RILL_DROP_NONE;
}

struct rill_buf *rill_udp_queue_pop(struct rill_udp_queue *q)
{
	struct rill_buf *b = rill_buf_queue_pop(&q->bufs);

	if (!b)
		return NULL;
	b->next = rill_udp_meta_of(b)->rest;
	q->bytes -= memory_of(b);
	return b;
}

void rill_udp_queue_unpop(struct rill_udp_queue *q, struct rill_buf *b)
{
	q->bytes += memory_of(b);
	b->next = q->bufs.first;
	q->bufs.first = b;
	if (!q->bufs.last)
		q->bufs.last = b;
	q->bufs.count++;
}

/* ---- sending ---- */

/* Where the payload has been copied to. */
struct filling {
	struct rill_buf *first;
	struct rill_buf *last;
	size_t len;
};

static bool add_buffer(struct rill_core *core, struct filling *f)
{
	struct rill_buf *b = rill_core_alloc(core);

	if (!b)
		return false;
	if (f->last)
		f->last->next = b;
	else
		f->first = b;
	f->last = b;
	return true;
}

static int append(struct rill_core *core, struct filling *f, const uint8_t *data, size_t len)
{
	if (len > RILL_UDP_PAYLOAD_MAX - f->len)
		return -EMSGSIZE;
	f->len += len;
	while (len > 0) {
		size_t n = RILL_MIN(len, rill_buf_tailroom(f->last));

		if (n == 0 && !add_buffer(core, f))
			return -ENOBUFS;
		memcpy(rill_buf_append(f->last, (uint32_t)n), data, n);
		data += n;
		len -= n;
	}
	return 0;
}

/* The payload in as many buffers as it needs, an empty one in one. */
static int fill(struct rill_core *core, struct filling *f, const struct rill_udp_send *s)
{
	int r = add_buffer(core, f) ? 0 : -ENOBUFS;

	for (int i = 0; i < s->count && r == 0; i++)
		r = append(core, f, s->iov[i].iov_base, s->iov[i].iov_len);
	return r;
}

int rill_udp_port_send(struct rill_core *core, const struct rill_udp_send *s)
{
	struct rill_l3 *l3 = &core->l3;
	struct rill_ip src = s->from.ip;

	if (core->link_error)
		return core->link_error;
	if (src.family == RILL_AF_NONE)
		rill_l3_source(l3, &s->to.ip, &src);
	else if (!rill_l3_owns(l3, rill_ip4_get(&src)))
		return -EADDRNOTAVAIL;
	struct rill_udp_out udp = {
		.src = src,
		.dst = s->to.ip,
		.src_port = s->from.port,
		.dst_port = s->to.port,
		.offload = core->env.csum_offload,
		.payload_max = l3->payload_max,
	};
	struct rill_ip_out ip = {
		.dst = s->to.ip,
		.src = rill_ip4_get(&src),
		.proto = IPPROTO_UDP,
		.tos = s->tos,
		.ttl = s->ttl,
		.chain = true,
	};
	struct filling f = {0};
	int r = fill(core, &f, s);

	if (r == 0)
		r = rill_udp_output(f.first, &udp);
	if (r < 0) {
		rill_l3_put_chain(l3, f.first);
		return r;
	}
	return rill_l3_output(l3, f.first, &ip, NULL, core->now_ns);
}
