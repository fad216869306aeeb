/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/core/conn.h"

#include "netstack/core/acceptor.h"
#include "netstack/tcp/xfer.h"

#include <errno.h>
#include <string.h>

static bool flow_enter(struct rill_conn *c)
{
	struct rill_core *core = c->core;
	const struct rill_addr *local = &c->tcb.local, *remote = &c->tcb.remote;
	struct rill_flow_key key = {&remote->ip, &local->ip, remote->port, local->port};
	uint32_t hash = rill_flow_hash(&core->flow_secret, &key);

	if (rill_flow_find(&core->flows, hash, &key))
		return false;
	if (core->ops->claim && !core->ops->claim(core, c))
		return false;
	rill_flow_insert(&core->flows, hash, c);
	c->in_flows = true;
	return true;
}

static void flow_leave(struct rill_conn *c)
{
	struct rill_core *core = c->core;

	if (!c->in_flows)
		return;
	c->in_flows = false;
	rill_flow_remove(&core->flows, c);
	if (core->ops->release)
		core->ops->release(core, c);
	if (c->ephemeral)
		rill_ephemeral_put(core->ephemeral, &c->tcb.local, &c->tcb.remote);
	c->ephemeral = false;
}

/* ---- options ---- */

struct rill_tcp_settings *rill_conn_options_own(struct rill_core *core, struct rill_conn_options *o)
{
	struct rill_tcp_settings *s = o->settings;

	if (s && s->refs == 1)
		return s;
	s = rill_slab_alloc(&core->env.settings_slab);
	if (!s)
		return NULL;
	*s = o->settings ? *o->settings : core->env.settings;
	s->refs = 1;
	rill_tcp_settings_put(&core->env, o->settings);
	o->settings = s;
	return s;
}

struct rill_conn_options rill_conn_options_get(const struct rill_conn_options *o)
{
	if (o->settings)
		rill_tcp_settings_get(o->settings);
	return *o;
}

void rill_conn_options_put(struct rill_core *core, struct rill_conn_options *o)
{
	rill_tcp_settings_put(&core->env, o->settings);
	o->settings = NULL;
}

void rill_conn_options_apply(struct rill_core *core, struct rill_tcb *tcb,
			     const struct rill_conn_options *o)
{
	if (o->send_buffer)
		rill_tcb_set_send_buffer(tcb, o->send_buffer);
	if (o->recv_buffer)
		rill_tcb_set_recv_buffer(tcb, o->recv_buffer);
	tcb->flags |= o->flags;
	if (o->cc)
		tcb->cc = o->cc;
	if (!o->settings)
		return;
	rill_tcp_settings_put(&core->env, tcb->settings);
	tcb->settings = rill_tcp_settings_get(o->settings);
	if (tcb->settings->mss_clamp)
		tcb->mss_ours = RILL_MIN(tcb->mss_ours, tcb->settings->mss_clamp);
}

/* ---- the beginning ---- */

int rill_conn_create(struct rill_core *core, const struct rill_addr *local,
		     const struct rill_addr *remote, const struct rill_conn_options *o, bool held,
		     struct rill_conn **ret_conn)
{
	struct rill_conn *c = rill_slab_alloc(&core->conns);

	if (!c)
		return -ENOMEM;
	memset(c, 0, core->conns.object_bytes);
	c->core = core;
	c->held = held;
	rill_list_init(&c->link);
	rill_timer_init(&c->timer);
	rill_tcb_init(&c->tcb, &core->env, local, remote);
	if (!flow_enter(c)) {
		rill_tcb_fini(&c->tcb, &core->env);
		rill_slab_free(&core->conns, c);
		return -EADDRINUSE;
	}
	rill_conn_options_apply(core, &c->tcb, o);
	*ret_conn = c;
	return 0;
}

/* ---- caches ---- */

#define CACHE_LINE 64

static void prefetch(const void *object, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += CACHE_LINE)
		__builtin_prefetch((const char *)object + at, 1);
}

void rill_conn_prefetch(const struct rill_conn *c)
{
	prefetch(c, sizeof(*c));
}

void rill_conn_prefetch_transfer(const struct rill_conn *c)
{
	if (c->tcb.sendq_first)
		prefetch(c->tcb.sendq_first, sizeof(*c->tcb.sendq_first));
	if (c->tcb.x)
		prefetch(c->tcb.x, sizeof(*c->tcb.x));
}

/* ---- the end ---- */

/* link is in the list of TIME-WAIT, and in no other. */
static bool in_time_wait(const struct rill_conn *c)
{
	return rill_list_linked(&c->link) && !c->passive_open && c->in_flows;
}

static void leave_time_wait(struct rill_conn *c)
{
	if (!in_time_wait(c))
		return;
	rill_list_del(&c->link);
	c->core->time_wait_count--;
}

void rill_conn_detach(struct rill_conn *c)
{
	rill_timers_stop(&c->core->timers, c);
	leave_time_wait(c);
	flow_leave(c);
}

void rill_conn_destroy(struct rill_conn *c)
{
	struct rill_core *core = c->core;

	rill_tcb_fini(&c->tcb, &core->env);
	rill_conn_detach(c);
	rill_list_del(&c->link);
	if (c->passive_open)
		rill_acceptor_forget(c->acceptor);
	if (c->counted)
		rill_acceptor_uncount(c);
	if (c->early)
		rill_acceptor_early_over(c);
	rill_slab_free(&core->conns, c);
}

void rill_conn_abort(struct rill_conn *c)
{
	rill_tcb_abort(&c->tcb, &c->core->env, c->core->now_ns);
	rill_conn_detach(c);
	rill_conn_touch(c);
}

/* ---- settling ---- */

static void tell(struct rill_conn *c)
{
	uint32_t events = c->tcb.events;

	c->tcb.events &= RILL_TCB_CLOSED;
	if (RILL_UNLIKELY(c->passive_open)) {
		if ((events & RILL_TCB_ACCEPTABLE) != 0)
			rill_acceptor_ready(c->acceptor, c);
		return;
	}
	if (c->held)
		c->core->ops->conn_event(c->core, c, events);
}

static void set_timer(struct rill_conn *c)
{
	uint64_t deadline = rill_tcb_next_deadline(&c->tcb);

	if (deadline != RILL_FOREVER)
		rill_timers_set(&c->core->timers, c, deadline, c->core->now_ns);
}

/* The state is bounded: with too many in TIME-WAIT the oldest goes early. */
static void enter_time_wait(struct rill_conn *c)
{
	struct rill_core *core = c->core;

	if (c->tcb.state != RILL_TCP_TIME_WAIT || rill_list_linked(&c->link))
		return;
	if (c->counted)
		rill_acceptor_uncount(c);
	rill_list_push_back(&core->time_wait, &c->link);
	if (++core->time_wait_count > RILL_CORE_TIME_WAIT_MAX)
		rill_conn_abort(RILL_LIST_ENTRY(core->time_wait.next, struct rill_conn, link));
}

void rill_conn_settle(struct rill_conn *c)
{
	struct rill_core *core = c->core;

	rill_tcb_output(&c->tcb, &core->env, core->now_ns);
	if (c->tcb.events)
		tell(c);
	if (RILL_UNLIKELY(c->early) && c->tcb.state != RILL_TCP_SYN_RCVD)
		rill_acceptor_early_over(c);
	if (RILL_LIKELY(c->tcb.state != RILL_TCP_CLOSED)) {
		enter_time_wait(c);
		set_timer(c);
		return;
	}
	if (!c->held) {
		rill_conn_destroy(c);
		return;
	}
	/* Only its holder can still see it; the addresses are free again. */
	rill_conn_detach(c);
	if (!rill_list_linked(&c->link))
		rill_list_push_back(&core->detached, &c->link);
}
