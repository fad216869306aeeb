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
	rill_udp_port_init(&u->parts[sh->index].port, &sh->core, &u->binding.at);
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
	struct rill_udp *u = calloc(1, sizeof(*u) + net->shard_count * sizeof(u->parts[0]));

	if (!u)
		return -ENOMEM;
	u->net = net;
	u->all_errors = o.all_errors;
	u->queue.max = o.recv_buffer ? o.recv_buffer : RECV_BUFFER_DEFAULT;
	rill_list_init(&u->binding.link);
	rill_list_init(&u->readers);
	rill_polls_init(&u->polls);
	int r = rill_net_bind(net, &net->udp_ports, local, o.reuse_port, &u->binding);

	if (r < 0) {
		free(u);
		return r;
	}
	for (unsigned i = 0; i < net->shard_count; i++)
		rill_shard_call(&net->shards[i], part_open, u);
	*ret_udp = u;
	return 0;
}

/* ---- peers ---- */

struct connecting {
	struct rill_udp *u;
	struct rill_addr peer;
};

static void part_connect(struct rill_shard *sh, void *arg)
{
	struct connecting *c = arg;

	c->u->parts[sh->index].port.peer = c->peer;
}

int rill_udp_connect(struct rill_udp *u, const struct rill_addr *peer)
{
	struct connecting c = {.u = u};

	if (peer && (peer->ip.family != RILL_AF_IP4 || peer->port == 0))
		return -EINVAL;
	if (peer)
		c.peer = *peer;
	rill_spin_lock(&u->lock);
	u->peer = c.peer;
	rill_spin_unlock(&u->lock);
	for (unsigned i = 0; i < u->net->shard_count; i++)
		rill_shard_call(&u->net->shards[i], part_connect, &c);
	return 0;
}

struct rill_addr rill_udp_failed_peer(struct rill_udp *u)
{
	struct rill_addr failed;

	rill_spin_lock(&u->lock);
	failed = u->failed;
	rill_spin_unlock(&u->lock);
	return failed;
}

/* ---- receiving ---- */

static bool ready(const struct rill_udp *u)
{
	return u->error != 0 || u->queue.bufs.count > 0 ||
	       rill_load_relaxed(&u->net->link.gone);
}

/* An error comes first, as on Linux. Under lock. */
static int take(struct rill_udp *u, struct rill_buf **ret_chain)
{
	int error = rill_udp_take_error(u);

	if (error)
		return error;
	*ret_chain = rill_udp_queue_pop(&u->queue);
	if (*ret_chain)
		return 0;
	return rill_load_relaxed(&u->net->link.gone) ? -ENODEV : -EAGAIN;
}

/* arg: where the datagram goes. */
static int recv_try(struct rill_await *aw)
{
	struct rill_udp *u = aw->obj;
	int r;

	rill_spin_lock(&u->lock);
	r = take(u, aw->arg);
	rill_spin_unlock(&u->lock);
	return r;
}

/* Without a place to put it, it only waits for one. */
static int recv_arm(struct rill_await *aw)
{
	struct rill_udp *u = aw->obj;
	int r;

	rill_spin_lock(&u->lock);
	if (aw->arg)
		r = take(u, aw->arg);
	else
		r = ready(u) ? 0 : -EAGAIN;
	if (r == -EAGAIN)
		rill_list_push_back(&u->readers, &aw->link);
	rill_spin_unlock(&u->lock);
	return r;
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

		if (next && ready(u))
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
	int r = ready(u) ? 0 : -EAGAIN;

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

/* Whom to send to, unless there is an error to be told first. */
static int destination(struct rill_udp *u, const struct rill_addr *to, struct rill_addr *ret_to)
{
	int r;

	rill_spin_lock(&u->lock);
	*ret_to = to ? *to : u->peer;
	r = rill_udp_take_error(u);
	rill_spin_unlock(&u->lock);
	if (r == 0 && !to && ret_to->ip.family == RILL_AF_NONE)
		return -EDESTADDRREQ;
	if (r == 0 && (ret_to->ip.family != RILL_AF_IP4 || ret_to->port == 0))
		return -EINVAL;
	return r;
}

ssize_t rill_udp_send(struct rill_udp *u, const void *buf, size_t len, const struct rill_addr *to)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
	struct sending s = {.send = {.iov = &iov, .count = 1}};
	int r;

	if (len > RILL_UDP_PAYLOAD_MAX)
		return -EMSGSIZE;
	r = destination(u, to, &s.send.to);
	if (r < 0)
		return r;
	s.send.from = rill_udp_addr(u);
	/* The route says. */
	if (u->binding.at.ip == 0)
		s.send.from.ip.family = RILL_AF_NONE;
	/* Never waits, so that only this lets others, and the NIC, have their turn in a loop of
	 * sends. */
	rill_consume_budget();
	rill_shard_call(rill_net_shard(u->net), send_held, &s);
	return s.result < 0 ? s.result : (ssize_t)len;
}

struct rill_addr rill_udp_addr(const struct rill_udp *u)
{
	return rill_net_bound_addr(u->net, &u->binding);
}

void rill_udp_close(struct rill_udp *u)
{
	struct rill_buf *b;

	if (!u)
		return;
	for (unsigned i = 0; i < u->net->shard_count; i++)
		rill_shard_call(&u->net->shards[i], part_close, u);
	rill_polls_forget(&u->polls, u->net);
	rill_net_unbind(u->net, &u->net->udp_ports, &u->binding);
	while ((b = rill_udp_queue_pop(&u->queue)))
		put_chain(b);
	free(u);
}
