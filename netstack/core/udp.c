/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/core/udp.h"

#include "netstack/udp/datagram.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

void rill_udp_port_init(struct rill_udp_port *p, struct rill_core *core, uint16_t port)
{
	*p = (struct rill_udp_port){.at = {.port = port}, .core = core};
	rill_port_insert(&core->udp_ports, &p->at);
}

void rill_udp_port_fini(struct rill_udp_port *p)
{
	rill_port_remove(&p->core->udp_ports, &p->at);
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
	struct rill_udp_out udp = {
		.src = s->from.ip,
		.dst = s->to.ip,
		.src_port = s->from.port,
		.dst_port = s->to.port,
		.offload = core->env.csum_offload,
		.payload_max = l3->payload_max,
	};
	struct rill_ip_out ip = {
		.dst = s->to.ip,
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
