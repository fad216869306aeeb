/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/listener.h"

enum rill_drop rill_listener_syn(struct rill_listener *l, struct rill_shard *sh,
				 const struct rill_tcp_seg *seg, const struct rill_tcb *old)
{
	struct rill_addr local = {.ip = *seg->dst, .port = seg->dst_port};
	struct rill_addr remote = {.ip = *seg->src, .port = seg->src_port};

	/* The peer tries again, and finds room if somebody accepts meanwhile. */
	if (rill_fetch_add_relaxed(&l->pending, 1) >= l->backlog) {
		rill_fetch_sub_relaxed(&l->pending, 1);
		return RILL_DROP_TCP_BACKLOG;
	}
	struct rill_tcp *c = rill_conn_create(sh, &local, &remote, &l->buffers, false);

	if (!c) {
		rill_fetch_sub_relaxed(&l->pending, 1);
		return RILL_DROP_TCP_NO_MEMORY;
	}
	c->listener = l;
	rill_tcb_accept(&c->tcb, &sh->env, seg, old, sh->now_ns);
	rill_conn_touch(sh, c);
	return RILL_DROP_NONE;
}

void rill_listener_ready(struct rill_listener *l, struct rill_tcp *c, struct rill_wake_batch *wakes)
{
	c->held = true;
	rill_spin_lock(&l->lock);
	struct rill_await *aw = rill_await_first(&l->waiters);

	if (aw) {
		/* handed over: no other accept can come between */
		*(struct rill_tcp **)aw->arg = c;
		rill_fetch_sub_relaxed(&l->pending, 1);
		rill_await_grant(aw, wakes);
	} else {
		rill_list_push_back(&l->ready, &c->accept_link);
	}
	rill_spin_unlock(&l->lock);
}

void rill_listener_forget(struct rill_listener *l)
{
	rill_fetch_sub_relaxed(&l->pending, 1);
}
