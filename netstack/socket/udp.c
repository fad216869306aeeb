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

static void part_open(struct rill_shard *sh, void *arg)
{
	struct rill_udp *u = arg;

	u->parts[sh->index].udp = u;
	rill_udp_port_init(&u->parts[sh->index].port, &sh->core, u->addr.port);
}

static void part_close(struct rill_shard *sh, void *arg)
{
	struct rill_udp *u = arg;

	rill_udp_port_fini(&u->parts[sh->index].port);
}

int rill_udp_bind(struct rill_net *net, const struct rill_addr *local,
		  const struct rill_udp_options *in, struct rill_udp **ret_udp)
{
	struct rill_udp_options o = {0};

	if (in)
		memcpy(&o, in, RILL_MIN(in->size, sizeof(o)));
	if (!rill_net_owns(net, &local->ip))
		return -EADDRNOTAVAIL;
	struct rill_udp *u = calloc(1, sizeof(*u) + net->shard_count * sizeof(u->parts[0]));

	if (!u)
		return -ENOMEM;
	u->net = net;
	u->queue.max = o.recv_buffer ? o.recv_buffer : RECV_BUFFER_DEFAULT;
	rill_list_init(&u->net_link);
	rill_list_init(&u->readers);
	rill_polls_init(&u->polls);
	int r = rill_net_take_port(net, &net->udp_ports, local->port, &net->udps, &u->net_link);

	if (r < 0) {
		free(u);
		return r;
	}
	u->addr = (struct rill_addr){.ip = net->ip, .port = (uint16_t)r};
	for (unsigned i = 0; i < net->shard_count; i++)
		rill_shard_call(&net->shards[i], part_open, u);
	*ret_udp = u;
	return 0;
}

/* ---- receiving ---- */

/* arg: where the datagram goes. */
static int recv_try(struct rill_await *aw)
{
	struct rill_udp *u = aw->obj;

	rill_spin_lock(&u->lock);
	struct rill_buf *b = rill_udp_queue_pop(&u->queue);

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
		b = rill_udp_queue_pop(&u->queue);
	if (!b && !(u->queue.bufs.count > 0))
		rill_list_push_back(&u->readers, &aw->link);
	bool ready = b || u->queue.bufs.count > 0;

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

		if (next && u->queue.bufs.count > 0)
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
	int r = u->queue.bufs.count > 0 ? 0 : -EAGAIN;

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
	struct rill_udp_send send;
	int result;
};

static void send_held(struct rill_shard *sh, void *arg)
{
	struct sending *s = arg;

	s->result = rill_udp_port_send(&sh->core, &s->send);
}

ssize_t rill_udp_send(struct rill_udp *u, const void *buf, size_t len, const struct rill_addr *to)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
	struct sending s = {.send = {.from = u->addr, .to = *to, .iov = &iov, .count = 1}};

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
	for (unsigned i = 0; i < u->net->shard_count; i++)
		rill_shard_call(&u->net->shards[i], part_close, u);
	rill_polls_forget(&u->polls, u->net);
	rill_net_release_port(u->net, &u->net->udp_ports, u->addr.port, &u->net_link);
	while ((b = rill_udp_queue_pop(&u->queue)))
		put_chain(b);
	free(u);
}
