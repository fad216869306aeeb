/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/core/core.h"

#include "netstack/core/acceptor.h"
#include "netstack/core/conn.h"
#include "netstack/core/demux.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

/* ---- buffers and packets ---- */

struct rill_buf *rill_core_alloc(struct rill_core *core)
{
	struct rill_buf *b = rill_buf_alloc(core->pool);

	if (RILL_UNLIKELY(!b) && core->ops->refill && core->ops->refill(core))
		b = rill_buf_alloc(core->pool);
	return b;
}

static void tx_burst(struct rill_core *core)
{
	unsigned count = core->tx_count;

	core->tx_count = 0;
	core->ops->tx(core, core->tx, count);
}

static void l3_tx(void *ctx, struct rill_buf *b)
{
	struct rill_core *core = ctx;

	core->tx[core->tx_count++] = b;
	if (core->tx_count == RILL_CORE_TX_BURST)
		tx_burst(core);
}

static struct rill_buf *l3_alloc(void *ctx)
{
	return rill_core_alloc(ctx);
}

static void l3_put(void *ctx, struct rill_buf *b)
{
	rill_core_put(ctx, b);
}

static const struct rill_l3_ops l3_ops = {
	.tcp = rill_demux_tcp,
	.udp = rill_demux_udp,
	.icmp_error = rill_demux_icmp_error,
	.unreachable = rill_demux_unreachable,
	.resolved = rill_demux_resolved,
	.alloc = l3_alloc,
	.tx = l3_tx,
	.put = l3_put,
};

static struct rill_core *core_of(struct rill_tcp_env *env)
{
	return RILL_CONTAINER_OF(env, struct rill_core, env);
}

static struct rill_buf *tcp_alloc(struct rill_tcp_env *env)
{
	return rill_core_alloc(core_of(env));
}

static void tcp_put(struct rill_tcp_env *env, struct rill_buf *b)
{
	rill_core_put(core_of(env), b);
}

static inline struct rill_ip_out ip_of(const struct rill_tcp_xmit *to)
{
	return (struct rill_ip_out){
		.dst = *to->dst,
		.src = rill_ip4_get(to->src),
		.proto = IPPROTO_TCP,
		.tos = to->tos,
		.ttl = to->ttl,
		.dont_fragment = true,
	};
}

static inline struct rill_l3_dst *cache_of(const struct rill_tcp_xmit *to)
{
	struct rill_tcb *tcb = (struct rill_tcb *)(uintptr_t)to->tcb;

	return tcb ? &RILL_CONTAINER_OF(tcb, struct rill_conn, tcb)->dst : NULL;
}

/* Too many wait for the next hop: see rill_demux_resolved(). */
static void syn_waits(struct rill_conn *c)
{
	c->syn_unsent = c->tcb.state == RILL_TCP_SYN_SENT;
}

static void tcp_xmit(struct rill_tcp_env *env, const struct rill_tcp_xmit *to, struct rill_buf *b)
{
	struct rill_core *core = core_of(env);
	struct rill_ip_out out = ip_of(to);

	struct rill_l3_dst *cache = cache_of(to);
	int r = rill_l3_output(&core->l3, b, &out, cache, core->now_ns);

	/* A packet that could not be sent is lost like any other: the timers know what to do. */
	if (RILL_UNLIKELY(r == -EAGAIN))
		syn_waits(RILL_CONTAINER_OF(cache, struct rill_conn, dst));
}

static void tcp_xmit_burst(struct rill_tcp_env *env, const struct rill_tcp_xmit *to,
			   struct rill_buf **bufs, unsigned count)
{
	struct rill_core *core = core_of(env);
	struct rill_ip_out out = ip_of(to);

	rill_l3_output_burst(&core->l3, bufs, count, &out, cache_of(to), core->now_ns);
}

static const struct rill_tcp_env_ops env_ops = {
	.alloc = tcp_alloc,
	.xmit = tcp_xmit,
	.xmit_burst = tcp_xmit_burst,
	.put = tcp_put,
};

/* ---- timers and settling ---- */

static struct rill_conn *conn_of(struct rill_list *n)
{
	return RILL_CONTAINER_OF(RILL_LIST_ENTRY(n, struct rill_timer, link), struct rill_conn,
				 timer);
}

/* Mostly nothing is due: the deadline has moved away since the timer was set. */
static void fire(struct rill_core *core, struct rill_conn *c)
{
	uint64_t deadline = rill_tcb_next_deadline(&c->tcb);

	if (RILL_LIKELY(deadline > core->now_ns)) {
		if (deadline != RILL_FOREVER)
			rill_timers_set(&core->timers, c, deadline, core->now_ns);
		return;
	}
	rill_tcb_on_timer(&c->tcb, &core->env, core->now_ns);
	rill_conn_touch(c);
}

bool rill_core_run_timers(struct rill_core *core)
{
	struct rill_list expired;
	struct rill_list *n;

	if (core->now_ns < rill_core_next_deadline(core))
		return false;
	if (rill_l3_next_deadline(&core->l3) <= core->now_ns)
		rill_l3_on_timer(&core->l3, core->now_ns);
	rill_syncache_on_timer(&core->syns, core->now_ns);
	if (core->now_ns < core->timers.next_ns)
		return false;
	rill_list_init(&expired);
	bool any = rill_timers_advance(&core->timers, core->now_ns, &expired);

	while ((n = rill_list_pop_front(&expired))) {
		if (!rill_list_empty(&expired))
			rill_conn_prefetch_deadlines(conn_of(expired.next));
		fire(core, conn_of(n));
	}
	return any;
}

static struct rill_conn *pop_dirty(struct rill_core *core)
{
	struct rill_conn *c = core->dirty_first;

	if (!c)
		return NULL;
	core->dirty_first = c->dirty_next == c ? NULL : c->dirty_next;
	c->dirty_next = NULL;
	return c;
}

void rill_core_settle(struct rill_core *core)
{
	struct rill_conn *c;

	while ((c = pop_dirty(core)))
		rill_conn_settle(c);
	if (core->tx_count > 0)
		tx_burst(core);
}

static void abort_one(struct rill_conn *c, void *ctx)
{
	(void)ctx;
	rill_conn_abort(c);
}

static void count_closing(struct rill_conn *c, void *arg)
{
	unsigned *count = arg;

	if (!c->held && !c->passive_open && c->tcb.state != RILL_TCP_TIME_WAIT)
		(*count)++;
}

unsigned rill_core_count_closing(const struct rill_core *core)
{
	unsigned count = 0;

	rill_flow_for_each(&core->flows, count_closing, &count);
	return count;
}

void rill_core_abort_all(struct rill_core *core)
{
	rill_flow_for_each(&core->flows, abort_one, NULL);
}

struct leaving {
	const struct rill_ip *ip;
};

static void abort_leaving(struct rill_conn *c, void *ctx)
{
	const struct leaving *leaving = ctx;

	if (memcmp(&c->tcb.local.ip, leaving->ip, sizeof(*leaving->ip)) != 0)
		return;
	rill_conn_abort(c);
	if (c->tcb.error != 0)
		c->tcb.error = -EADDRNOTAVAIL;
}

int rill_core_del_addr(struct rill_core *core, const struct rill_ip *ip)
{
	struct leaving leaving = {ip};
	int r = rill_l3_del_addr(&core->l3, ip);

	if (r < 0)
		return r;
	/* A RST still says that it comes from there. */
	rill_flow_for_each(&core->flows, abort_leaving, &leaving);
	rill_syncache_forget_local(&core->syns, ip);
	return 0;
}

/* ---- life ---- */

static int ephemeral_init(struct rill_core *core, const struct rill_core_config *config)
{
	const struct rill_memory *m = config->memory;

	core->ephemeral = config->ephemeral;
	if (core->ephemeral)
		return 0;
	core->ephemeral = m->alloc(m->ctx, sizeof(*core->ephemeral));
	if (!core->ephemeral)
		return -ENOMEM;
	core->owns_ephemeral = true;
	rill_ephemeral_init(core->ephemeral, m, &config->tcp_secret);
	return 0;
}

static void ephemeral_fini(struct rill_core *core)
{
	const struct rill_memory *m = core->conns.memory;

	if (!core->owns_ephemeral)
		return;
	rill_ephemeral_fini(core->ephemeral);
	m->free(m->ctx, core->ephemeral, sizeof(*core->ephemeral));
}

int rill_core_init(struct rill_core *core, const struct rill_core_config *config, uint64_t now)
{
	int r;

	core->now_ns = now;
	core->ops = config->ops;
	core->pool = config->pool;
	core->flow_secret = config->flow_secret;
	rill_list_init(&core->time_wait);
	rill_list_init(&core->detached);
	rill_timers_init(&core->timers, now);
	rill_slab_init(&core->conns, config->memory, config->conn_bytes, config->conn_max);
	rill_tcp_env_init(&core->env, &env_ops, config->memory, &config->tcp_secret);
	core->env.params.mtu = config->l3.mtu;
	core->env.csum_offload = config->csum_offload;
	core->env.gso_max = RILL_MIN(config->gso_max, (uint32_t)RILL_IP4_TOTAL_MAX);
	rill_fast_open_init(&core->fast_open, &config->flow_secret);
	core->env.fast_open = &core->fast_open;
	rill_syncache_init(&core->syns, &core->env, config->memory, &rill_acceptor_syncache_ops);
	rill_prefix_init(&core->conn_counts, config->memory, &core->env.secret,
			 core->env.params.prefix4_len, core->env.params.prefix6_len);
	r = ephemeral_init(core, config);
	if (r == 0)
		r = rill_flow_table_init(&core->flows, &core->flow_secret, config->memory);
	if (r == 0)
		r = rill_port_table_init(&core->acceptors, config->memory);
	if (r == 0)
		r = rill_port_table_init(&core->udp_ports, config->memory);
	if (r == 0)
		r = rill_l3_init(&core->l3, &config->l3, &l3_ops, core, now);
	if (r < 0) {
		rill_core_fini(core);
		core->ops = NULL;
	}
	return r;
}

static void destroy_one(struct rill_conn *c, void *ctx)
{
	(void)ctx;
	rill_conn_destroy(c);
}

static void destroy_list(struct rill_list *list)
{
	while (!rill_list_empty(list))
		rill_conn_destroy(RILL_LIST_ENTRY(list->next, struct rill_conn, link));
}

/* What was closed while it waited to be accepted is in no other place. */
static void destroy_ready(struct rill_port_table *acceptors)
{
	for (uint32_t i = 0; i <= acceptors->mask; i++)
		for (struct rill_port *p = acceptors->buckets[i]; p; p = p->next)
			destroy_list(&RILL_CONTAINER_OF(p, struct rill_acceptor, at)->ready);
}

void rill_core_fini(struct rill_core *core)
{
	if (core->l3.ops) {
		destroy_ready(&core->acceptors);
		rill_flow_for_each(&core->flows, destroy_one, NULL);
		destroy_list(&core->detached);
		rill_l3_fini(&core->l3);
		for (unsigned i = 0; i < core->tx_count; i++)
			rill_buf_put(core->tx[i]);
	}
	rill_syncache_fini(&core->syns);
	rill_prefix_fini(&core->conn_counts);
	ephemeral_fini(core);
	rill_tcp_env_fini(&core->env);
	rill_port_table_fini(&core->udp_ports);
	rill_port_table_fini(&core->acceptors);
	rill_flow_table_fini(&core->flows);
	rill_slab_fini(&core->conns);
}
