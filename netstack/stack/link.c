/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/link.h"

#include <errno.h>
#include <string.h>

#include "netstack/stack/conn.h"
#include "netstack/stack/listener.h"
#include "netstack/stack/net.h"
#include "netstack/stack/udp_port.h"
#include "netstack/tcp/reset.h"
#include "runtime/runtime.h"

/* ---- in each shard ---- */

static void end_gone(struct rill_conn *c, void *ctx)
{
	rill_tcp_end(&c->tcb, ctx, -ENODEV);
	rill_conn_touch(c);
}

static void shrink(struct rill_conn *c, void *ctx)
{
	const uint16_t *mtu = ctx;

	rill_tcb_link_mtu(&c->tcb, *mtu);
	rill_conn_touch(c);
}

static void set_mtu(struct rill_core *core, uint16_t mtu)
{
	uint16_t was = core->l3.mtu;

	if (mtu == was || mtu < RILL_IP_MTU_MIN)
		return;
	core->l3.mtu = mtu;
	core->l3.payload_max = (uint32_t)mtu - RILL_IP4_LEN;
	core->env.params.mtu = mtu;
	if (mtu < was)
		rill_flow_for_each(&core->flows, shrink, &mtu);
}

static int error_of(const struct rill_nic_link *link)
{
	if (link->gone)
		return -ENODEV;
	return link->up ? 0 : -ENETDOWN;
}

/* The newest state: another change may have come while this was in the mailbox. */
static void apply(struct rill_shard *sh, struct rill_shard_op *op)
{
	struct rill_link *l = &sh->net->link;
	struct rill_core *core = &sh->core;
	struct rill_nic_link link;

	(void)op;
	/* acq_rel: the next one may be posted; before the state is read, so that none is missed */
	(void)rill_exchange_acq_rel(&sh->link_posted, false);
	rill_spin_lock(&l->lock);
	link = l->now;
	rill_spin_unlock(&l->lock);
	/* relaxed: the metrics read it */
	rill_store_relaxed(&core->link_error, error_of(&link));
	set_mtu(core, RILL_MIN(link.mtu, l->mtu_max));
	memcpy(core->l3.mac, link.mac, sizeof(core->l3.mac));
	if (link.gone)
		rill_flow_for_each(&core->flows, end_gone, &core->env);
}

static void post(struct rill_shard *sh)
{
	/* acq_rel: pairs with apply(): either that one has yet to read the state, or we post */
	if (rill_exchange_acq_rel(&sh->link_posted, true))
		return;
	sh->link_op.fn = apply;
	if (!rill_shard_post(sh, &sh->link_op))
		return;
	apply(sh, &sh->link_op);
	rill_shard_leave(sh);
}

/* ---- gone ---- */

static void wake_udp(struct rill_udp *u, struct rill_wake_batch *wakes)
{
	struct rill_await *aw;

	rill_spin_lock(&u->lock);
	while ((aw = rill_await_first(&u->readers)))
		rill_await_wake(aw, wakes);
	rill_spin_unlock(&u->lock);
	rill_polls_notify(&u->polls, u->net, wakes);
}

static void wake_listener(struct rill_listener *l, struct rill_wake_batch *wakes)
{
	struct rill_await *aw;

	rill_spin_lock(&l->lock);
	while ((aw = rill_await_first(&l->waiters)))
		rill_await_wake(aw, wakes);
	rill_store_relaxed(&l->waiting, 0);
	rill_spin_unlock(&l->lock);
	rill_polls_notify(&l->polls, l->net, wakes);
}

/* Who waits for a datagram or a connection finds gone set, under the socket's lock. */
static void wake_all(struct rill_net *net, struct rill_wake_batch *wakes)
{
	rill_spin_lock(&net->port_lock);
	RILL_LIST_FOR_EACH (n, &net->udps)
		wake_udp(RILL_LIST_ENTRY(n, struct rill_udp, binding.link), wakes);
	RILL_LIST_FOR_EACH (n, &net->listeners)
		wake_listener(RILL_LIST_ENTRY(n, struct rill_listener, binding.link), wakes);
	rill_spin_unlock(&net->port_lock);
}

/* ---- looking ---- */

static bool same(const struct rill_nic_link *a, const struct rill_nic_link *b)
{
	return a->up == b->up && a->gone == b->gone && a->mtu == b->mtu &&
	       memcmp(a->mac, b->mac, sizeof(a->mac)) == 0;
}

static void changed(struct rill_shard *home, const struct rill_nic_link *was,
		    const struct rill_nic_link *now)
{
	struct rill_net *net = home->net;
	struct rill_link *l = &net->link;

	rill_counter_add(&l->changes, 1);
	rill_counter_add(&l->downs, was->up && !now->up);
	/* Up again: perhaps with another table. */
	if (!was->up && now->up && net->steer.map)
		rill_steer_map_restart(net->steer.map);
	if (now->gone)
		rill_store_relaxed(&l->gone, true);
	apply(home, NULL);
	for (unsigned i = 1; i < net->shard_count; i++)
		post(&net->shards[i]);
	if (now->gone)
		wake_all(net, &home->wakes);
}

/* A paused clock would jump from one look to the next for ever: then only who is awake looks. */
static void look_again(struct rill_shard *sh, uint64_t now)
{
	sh->link_next_ns = now + RILL_LINK_LOOK_NS;
	sh->link_wake_ns = rill_clock_is_paused(sh->net->rt) ? 0 : sh->link_next_ns;
}

void rill_link_look(struct rill_shard *sh)
{
	struct rill_net *net = sh->net;
	struct rill_link *l = &net->link;
	struct rill_nic_link was, now;

	look_again(sh, sh->core.now_ns);
	if (rill_load_relaxed(&l->gone))
		return;
	net->nic->driver->link(net->nic, &now);
	rill_spin_lock(&l->lock);
	was = l->now;
	l->now = now;
	rill_spin_unlock(&l->lock);
	if (!same(&was, &now))
		changed(sh, &was, &now);
}

void rill_link_start(struct rill_net *net)
{
	struct rill_nic *nic = net->nic;
	struct rill_link *l = &net->link;

	l->now = (struct rill_nic_link){.up = true, .mtu = nic->mtu};
	memcpy(l->now.mac, nic->mac, sizeof(l->now.mac));
	l->mtu_max = UINT16_MAX;
	if (!nic->driver->link)
		return;
	nic->driver->link(nic, &l->now);
	if (nic->mtu < l->now.mtu)
		l->mtu_max = nic->mtu;
	for (unsigned i = 0; i < net->shard_count; i++)
		net->shards[i].core.link_error = error_of(&l->now);
	look_again(&net->shards[0], rill_runtime_now(net->rt));
}

void rill_link_describe(struct rill_net *net, char *buf, size_t len)
{
	struct rill_link *l = &net->link;

	buf[0] = 0;
	rill_spin_lock(&l->lock);
	if (l->now.gone)
		snprintf(buf, len, "; the NIC is gone");
	else if (!l->now.up)
		snprintf(buf, len, "; link down");
	else if (l->now.mtu != net->nic->mtu && l->now.mtu < l->mtu_max)
		snprintf(buf, len, "; mtu now %u", l->now.mtu);
	rill_spin_unlock(&l->lock);
}
