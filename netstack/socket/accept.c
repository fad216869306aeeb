/* SPDX-License-Identifier: BSD-3-Clause */
/* Listening and accepting. */
#include <stdlib.h>

#include "netstack/socket/options.h"
#include "netstack/socket/tcp.h"
#include "netstack/stack/listener.h"

int rill_tcp_listen(struct rill_net *net, const struct rill_addr *local,
		    const struct rill_tcp_options *in, struct rill_listener **ret_listener)
{
	struct rill_conn_buffers buffers;
	struct rill_tcp_options o;
	int r = rill_tcp_options_read(in, &o, &buffers);

	if (r < 0)
		return r;
	if (!rill_net_owns(net, &local->ip))
		return -EADDRNOTAVAIL;
	struct rill_listener *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->net = net;
	l->buffers = buffers;
	l->backlog = o.backlog;
	rill_list_init(&l->ready);
	rill_list_init(&l->waiters);
	l->addr.ip = net->ip;
	/* a SYN may come as soon as it is bound: the port must be there by then */
	l->addr.port = local->port;
	r = rill_net_bind_port(net, (void **)net->listeners, local->port, l);
	if (r < 0) {
		free(l);
		return r;
	}
	l->addr.port = (uint16_t)r;
	*ret_listener = l;
	return 0;
}

static int take_locked(struct rill_listener *l, struct rill_tcp **ret_conn)
{
	struct rill_list *n;

	if (l->closed)
		return -ESHUTDOWN;
	n = rill_list_pop_front(&l->ready);
	if (!n)
		return -EAGAIN;
	rill_fetch_sub_relaxed(&l->pending, 1);
	*ret_conn = RILL_LIST_ENTRY(n, struct rill_tcp, accept_link);
	return 0;
}

static int accept_try(struct rill_await *aw)
{
	struct rill_listener *l = aw->obj;

	rill_spin_lock(&l->lock);
	int r = take_locked(l, aw->arg);

	rill_spin_unlock(&l->lock);
	return r;
}

static int accept_arm(struct rill_await *aw)
{
	struct rill_listener *l = aw->obj;

	rill_spin_lock(&l->lock);
	int r = take_locked(l, aw->arg);

	if (r == -EAGAIN)
		rill_list_push_back(&l->waiters, &aw->link);
	rill_spin_unlock(&l->lock);
	return r;
}

/* Passes a connection on that was handed to somebody who does not want it. */
static void pass_on_locked(struct rill_listener *l, struct rill_tcp *c,
			   struct rill_wake_batch *wakes)
{
	struct rill_await *next = rill_await_first(&l->waiters);

	if (next) {
		*(struct rill_tcp **)next->arg = c;
		rill_await_grant(next, wakes);
		return;
	}
	rill_fetch_add_relaxed(&l->pending, 1);
	rill_list_push_front(&l->ready, &c->accept_link);
}

static int accept_disarm(struct rill_await *aw, bool take)
{
	struct rill_listener *l = aw->obj;
	struct rill_wake_batch wakes = RILL_WAKE_BATCH_INIT;
	int r = -EAGAIN;

	rill_spin_lock(&l->lock);
	rill_list_del(&aw->link);
	if (rill_await_granted(aw)) {
		if (take)
			r = 0;
		else
			pass_on_locked(l, *(struct rill_tcp **)aw->arg, &wakes);
	}
	rill_spin_unlock(&l->lock);
	rill_wake_flush(&wakes);
	return r;
}

static const struct rill_await_ops accept_ops = {
	.what = "tcp accept",
	.try = accept_try,
	.arm = accept_arm,
	.disarm = accept_disarm,
};

int rill_tcp_accept(struct rill_listener *l, struct rill_tcp **ret_conn)
{
	struct rill_tcp *c = NULL;
	int r = rill_await_on(&accept_ops, l, &c);

	if (r == 0)
		*ret_conn = c;
	return r;
}

void rill_case_accept(struct rill_case *c, struct rill_listener *l, struct rill_tcp **ret_conn)
{
	rill_await_init(rill_await_of(c), &accept_ops, l, ret_conn);
}

struct rill_addr rill_listener_addr(const struct rill_listener *l)
{
	return l->addr;
}

/* ---- the end ---- */

struct half_open_scan {
	struct rill_shard *sh;
	struct rill_listener *l;
};

static void abort_half_open(struct rill_flow *f, void *ctx)
{
	struct half_open_scan *scan = ctx;
	struct rill_tcp *c = rill_conn_of_flow(f);

	if (c->listener != scan->l)
		return;
	rill_tcb_abort(&c->tcb, &scan->sh->env, scan->sh->now_ns);
	rill_conn_settle(scan->sh, c);
}

static void abort_all_half_open(struct rill_shard *sh, void *arg)
{
	struct half_open_scan scan = {.sh = sh, .l = arg};

	rill_flow_for_each(&sh->flows, abort_half_open, &scan);
}

/* Marks it closed, wakes who waits, and returns what was ready. */
static void close_queue(struct rill_listener *l, struct rill_list *ready)
{
	struct rill_wake_batch wakes = RILL_WAKE_BATCH_INIT;
	struct rill_await *aw;

	rill_list_init(ready);
	rill_spin_lock(&l->lock);
	while ((aw = rill_await_first(&l->waiters)))
		rill_await_wake(aw, &wakes);
	rill_list_splice_back(ready, &l->ready);
	rill_spin_unlock(&l->lock);
	rill_wake_flush(&wakes);
}

void rill_listener_shutdown(struct rill_listener *l)
{
	struct rill_list ready;
	struct rill_list *n;

	rill_spin_lock(&l->lock);
	bool first = !l->closed;

	l->closed = true;
	rill_spin_unlock(&l->lock);
	if (!first)
		return;
	rill_net_unbind_port(l->net, (void **)l->net->listeners, l->addr.port);
	/* No shard makes new ones; after this none has a half-open one either. */
	for (unsigned i = 0; i < l->net->shard_count; i++)
		rill_shard_call(&l->net->shards[i], abort_all_half_open, l);
	close_queue(l, &ready);
	while ((n = rill_list_pop_front(&ready)))
		rill_tcp_abort(RILL_LIST_ENTRY(n, struct rill_tcp, accept_link));
}

void rill_listener_close(struct rill_listener *l)
{
	struct rill_list ready;
	struct rill_list *n;

	if (!l)
		return;
	rill_listener_shutdown(l);
	/* A cancelled accept may have passed a connection on after the shutdown. */
	close_queue(l, &ready);
	while ((n = rill_list_pop_front(&ready)))
		rill_tcp_abort(RILL_LIST_ENTRY(n, struct rill_tcp, accept_link));
	free(l);
}
