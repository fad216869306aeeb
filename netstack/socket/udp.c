/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP sockets. */
#include <errno.h>
#include <rill/task.h>
#include <stdlib.h>
#include <string.h>

#include "netstack/stack/udp_port.h"
#include "netstack/udp/datagram.h"
#include "netstack/wire/chain.h"

#define RECV_BUFFER_DEFAULT (256u << 10)

int rill_udp_bind(struct rill_net *net, const struct rill_addr *local,
		  const struct rill_udp_options *in, struct rill_udp **ret_udp)
{
	struct rill_udp_options o = {0};

	if (in)
		memcpy(&o, in, RILL_MIN(in->size, sizeof(o)));
	if (!rill_net_owns(net, &local->ip))
		return -EADDRNOTAVAIL;
	struct rill_udp *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->net = net;
	u->recv_buffer = o.recv_buffer ? o.recv_buffer : RECV_BUFFER_DEFAULT;
	rill_list_init(&u->readers);
	u->addr.ip = net->ip;
	int r = rill_net_bind_port(net, (void **)net->udp, local->port, u);

	if (r < 0) {
		free(u);
		return r;
	}
	u->addr.port = (uint16_t)r;
	*ret_udp = u;
	return 0;
}

/* ---- receiving ---- */

static struct rill_buf *pop_locked(struct rill_udp *u)
{
	struct rill_buf *b = rill_buf_queue_pop(&u->queue);

	if (!b)
		return NULL;
	b->next = rill_udp_meta_of(b)->rest;
	for (const struct rill_buf *part = b; part; part = part->next)
		u->queued_bytes -= (uint32_t)(part->end - part->head);
	return b;
}

/* arg: where the datagram goes. */
static int recv_try(struct rill_await *aw)
{
	struct rill_udp *u = aw->obj;

	rill_spin_lock(&u->lock);
	struct rill_buf *b = pop_locked(u);

	rill_spin_unlock(&u->lock);
	if (!b)
		return -EAGAIN;
	*(struct rill_buf **)aw->arg = b;
	return 0;
}

static int recv_arm(struct rill_await *aw)
{
	struct rill_udp *u = aw->obj;
	struct rill_buf *b = NULL;

	rill_spin_lock(&u->lock);
	/* only waiting for it, when there is no place to put it */
	if (aw->arg)
		b = pop_locked(u);
	if (!b && !(u->queue.count > 0))
		rill_list_push_back(&u->readers, &aw->link);
	bool ready = b || u->queue.count > 0;

	rill_spin_unlock(&u->lock);
	if (b)
		*(struct rill_buf **)aw->arg = b;
	return ready ? 0 : -EAGAIN;
}

static int recv_disarm(struct rill_await *aw, bool take)
{
	struct rill_udp *u = aw->obj;
	struct rill_wake_batch wakes = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&u->lock);
	if (rill_list_linked(&aw->link)) {
		rill_list_del(&aw->link);
	} else if (!take || !aw->arg) {
		/* We were woken for a datagram that we do not fetch: the next reader may. */
		struct rill_await *next = rill_await_first(&u->readers);

		if (next && u->queue.count > 0)
			rill_await_wake(next, &wakes);
	}
	rill_spin_unlock(&u->lock);
	rill_wake_flush(&wakes);
	return -EAGAIN;
}

static const struct rill_await_ops recv_ops = {
	.what = "udp recv",
	.try = recv_try,
	.arm = recv_arm,
	.disarm = recv_disarm,
};

static int readable_try(struct rill_await *aw)
{
	struct rill_udp *u = aw->obj;

	rill_spin_lock(&u->lock);
	int r = u->queue.count > 0 ? 0 : -EAGAIN;

	rill_spin_unlock(&u->lock);
	return r;
}

static const struct rill_await_ops readable_ops = {
	.what = "udp readable",
	.try = readable_try,
	.arm = recv_arm,
	.disarm = recv_disarm,
};

void rill_case_udp_readable(struct rill_case *c, struct rill_udp *u)
{
	rill_await_init(rill_await_of(c), &readable_ops, u, NULL);
}

static void put_chain(struct rill_buf *b)
{
	while (b) {
		struct rill_buf *next = b->next;

		rill_buf_put(b);
		b = next;
	}
}

ssize_t rill_udp_recv(struct rill_udp *u, void *buf, size_t len, struct rill_addr *ret_from)
{
	struct rill_buf *b = NULL;
	struct rill_chain_cursor cursor = {0};
	int r = rill_await_on(&recv_ops, u, &b);

	if (r < 0)
		return r;
	if (ret_from)
		*ret_from = rill_udp_meta_of(b)->from;
	cursor.b = b;
	size_t n = rill_chain_read(&cursor, buf, len);

	put_chain(b);
	return (ssize_t)n;
}

/* ---- sending ---- */

struct sending {
	struct rill_udp *u;
	const struct rill_addr *to;
	const uint8_t *data;
	size_t len;
	int result;
};

/* The payload in as many buffers as it needs. */
static struct rill_buf *fill_chain(struct rill_shard *sh, const uint8_t *data, size_t len)
{
	struct rill_buf *first = NULL;
	struct rill_buf **tail = &first;

	do {
		struct rill_buf *b = rill_buf_alloc(sh->queue->pool);

		if (!b) {
			rill_l3_put_chain(&sh->l3, first);
			return NULL;
		}
		size_t n = RILL_MIN(len, rill_buf_tailroom(b));

		/* data may be NULL for an empty datagram */
		if (n > 0)
			memcpy(rill_buf_append(b, (uint32_t)n), data, n);
		data += n;
		len -= n;
		*tail = b;
		tail = &b->next;
	} while (len > 0);
	return first;
}

static void send_held(struct rill_shard *sh, void *arg)
{
	struct sending *s = arg;
	struct rill_buf *b = fill_chain(sh, s->data, s->len);
	struct rill_udp_out udp = {
		.src = s->u->addr.ip,
		.dst = s->to->ip,
		.src_port = s->u->addr.port,
		.dst_port = s->to->port,
		.offload = sh->env.csum_offload,
		.payload_max = sh->l3.payload_max,
	};
	struct rill_ip_out ip = {.dst = s->to->ip, .proto = 17, .chain = true};

	s->result = -ENOBUFS;
	if (!b)
		return;
	s->result = rill_udp_output(b, &udp);
	if (s->result < 0) {
		rill_l3_put_chain(&sh->l3, b);
		return;
	}
	s->result = rill_l3_output(&sh->l3, b, &ip, NULL, sh->now_ns);
}

ssize_t rill_udp_send(struct rill_udp *u, const void *buf, size_t len, const struct rill_addr *to)
{
	struct sending s = {.u = u, .to = to, .data = buf, .len = len};

	if (len > RILL_UDP_PAYLOAD_MAX)
		return -EMSGSIZE;
	if (to->ip.family != RILL_AF_IP4 || to->port == 0)
		return -EINVAL;
	/* Never waits, so that only this lets others, and the NIC, have their turn in a loop of
	 * sends. */
	rill_consume_budget();
	rill_shard_call(rill_net_shard(u->net), send_held, &s);
	return s.result < 0 ? s.result : (ssize_t)len;
}

struct rill_addr rill_udp_addr(const struct rill_udp *u)
{
	return u->addr;
}

void rill_udp_close(struct rill_udp *u)
{
	struct rill_buf *b;

	if (!u)
		return;
	rill_net_unbind_port(u->net, (void **)u->net->udp, u->addr.port);
	while ((b = pop_locked(u)))
		put_chain(b);
	free(u);
}
