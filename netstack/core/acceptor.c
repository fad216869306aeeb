/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/core/acceptor.h"

#include "netstack/tcp/fastopen.h"

/* How long a peer whose cookie was refused may take to repeat it: some of its timeouts. */
#define COOKIE_PATIENCE_NS (10 * RILL_SEC)

void rill_acceptor_init(struct rill_acceptor *a, struct rill_core *core, const struct rill_port *at,
			const struct rill_conn_options *o, uint32_t backlog)
{
	*a = (struct rill_acceptor){
		.at = *at,
		.core = core,
		.options = rill_conn_options_get(o),
		.backlog = backlog,
	};
	rill_list_init(&a->ready);
	rill_port_insert(&core->acceptors, &a->at);
}

bool rill_acceptor_listens(const struct rill_core *core, const struct rill_ip *local, uint16_t port)
{
	return rill_port_find(&core->acceptors, rill_ip4_get(local), port) != NULL;
}

struct rill_acceptor *rill_acceptor_find(const struct rill_core *core,
					 const struct rill_flow_key *key)
{
	struct rill_port *p =
		rill_port_find(&core->acceptors, rill_ip4_get(key->local), key->local_port);

	if (p && p->shared)
		p = rill_port_choose(p, rill_flow_hash(&core->flow_secret, key));
	return p ? rill_acceptor_of(p) : NULL;
}

void rill_acceptor_defer(struct rill_acceptor *a, uint32_t ms)
{
	struct rill_tcp_settings *s = rill_conn_options_own(a->core, &a->options);

	if (s)
		s->defer_accept_ms = ms;
}

static void abort_half_open(struct rill_conn *c, void *ctx)
{
	struct rill_acceptor *a = ctx;

	if (!c->passive_open || c->acceptor != a || c->held)
		return;
	c->passive_open = false;
	c->user = NULL;
	rill_acceptor_forget(a);
	rill_conn_abort(c);
}

void rill_acceptor_fini(struct rill_acceptor *a)
{
	struct rill_conn *c;

	rill_port_remove(&a->core->acceptors, &a->at);
	rill_syncache_forget(&a->core->syns, a);
	while ((c = rill_acceptor_pop(a))) {
		c->held = false;
		rill_conn_abort(c);
	}
	if (a->pending > 0)
		rill_flow_for_each(&a->core->flows, abort_half_open, a);
	rill_conn_options_put(a->core, &a->options);
}

/* The peer tries again, and finds room if somebody accepts meanwhile. */
static bool admit(struct rill_acceptor *a, bool always)
{
	const struct rill_core_ops *ops = a->core->ops;

	if (ops->admit ? !ops->admit(a->core, a, always) : a->pending >= a->backlog && !always)
		return false;
	a->pending++;
	return true;
}

void rill_acceptor_forget(struct rill_acceptor *a)
{
	a->pending--;
	if (a->core->ops->dismiss)
		a->core->ops->dismiss(a->core, a);
}

/* ---- limits ---- */

/* Counted by id, which survives the acceptor, and all of one as one network. */
static const void *count_owner(uint32_t id)
{
	return (const void *)(uintptr_t)id;
}

static const struct rill_ip everywhere;

static bool limited(const struct rill_acceptor *a)
{
	return a->conn_max != 0 || a->prefix_max != 0;
}

static uint32_t bound(uint32_t max)
{
	return max ? max : UINT32_MAX;
}

static bool over_limit(const struct rill_acceptor *a, const struct rill_ip *remote)
{
	const struct rill_prefix_table *t = &a->core->conn_counts;
	const void *owner = count_owner(a->at.id);

	return rill_prefix_count(t, owner, &everywhere) >= bound(a->conn_max) ||
	       rill_prefix_count(t, owner, remote) >= bound(a->prefix_max);
}

static bool count(const struct rill_acceptor *a, const struct rill_ip *remote)
{
	struct rill_prefix_table *t = &a->core->conn_counts;
	const void *owner = count_owner(a->at.id);

	if (!rill_prefix_take(t, owner, &everywhere, bound(a->conn_max)))
		return false;
	if (rill_prefix_take(t, owner, remote, bound(a->prefix_max)))
		return true;
	rill_prefix_put(t, owner, &everywhere);
	return false;
}

/* NULL: it has stopped. */
static struct rill_acceptor *find_listener(const struct rill_conn *c)
{
	struct rill_port *p = rill_port_bucket(&c->core->acceptors, c->tcb.local.port);

	while (p && p->id != c->listener_id)
		p = p->next;
	return p ? rill_acceptor_of(p) : NULL;
}

void rill_acceptor_uncount(struct rill_conn *c)
{
	struct rill_prefix_table *t = &c->core->conn_counts;
	const void *owner = count_owner(c->listener_id);
	struct rill_acceptor *a = find_listener(c);

	rill_prefix_put(t, owner, &everywhere);
	rill_prefix_put(t, owner, &c->tcb.remote.ip);
	c->counted = false;
	if (a)
		rill_syncache_room(&c->core->syns, a);
}

/* Another kind of count for the same. */
static const void *early_owner(uint32_t id)
{
	return (const void *)(uintptr_t)(id | UINT64_C(1) << 32);
}

static bool early_full(const struct rill_acceptor *a)
{
	return rill_prefix_count(&a->core->conn_counts, early_owner(a->at.id), &everywhere) >=
	       a->early_max;
}

void rill_acceptor_early_over(struct rill_conn *c)
{
	c->early = false;
	rill_prefix_put(&c->core->conn_counts, early_owner(c->listener_id), &everywhere);
}

/* ---- opening ---- */

static void prepare(void *listener, struct rill_tcb *tcb)
{
	struct rill_acceptor *a = listener;

	rill_conn_options_apply(a->core, tcb, &a->options);
}

/* What a member of a group leaves behind is shared among the others as new flows would be. */
static void *heir(void *listener, const struct rill_ip *local, const struct rill_ip *remote,
		  uint16_t remote_port)
{
	struct rill_acceptor *a = listener;
	struct rill_flow_key key = {remote, local, remote_port, a->at.port};
	struct rill_acceptor *other = a->at.shared ? rill_acceptor_find(a->core, &key) : NULL;

	return other && other->at.ip == a->at.ip ? other : NULL;
}

const struct rill_syncache_ops rill_acceptor_syncache_ops = {.prepare = prepare, .heir = heir};

static bool queue_full(struct rill_acceptor *a)
{
	if (!admit(a, false))
		return true;
	rill_acceptor_forget(a);
	return false;
}

static enum rill_drop open_conn(struct rill_acceptor *a, const struct rill_tcp_seg *seg,
				struct rill_conn **ret_conn)
{
	struct rill_addr local = {.ip = *seg->dst, .port = seg->dst_port};
	struct rill_addr remote = {.ip = *seg->src, .port = seg->src_port};
	struct rill_conn *c;

	if (!admit(a, false)) {
		a->overflows++;
		rill_counter_add(&a->core->env.stats.accept_overflows, 1);
		return RILL_DROP_TCP_BACKLOG;
	}
	if (limited(a) && !count(a, seg->src)) {
		a->limited++;
		rill_counter_add(&a->core->env.stats.prefix_limited, 1);
		rill_acceptor_forget(a);
		return RILL_DROP_TCP_LIMIT;
	}
	if (rill_conn_create(a->core, &local, &remote, &a->options, false, &c) < 0) {
		rill_acceptor_forget(a);
		if (limited(a)) {
			rill_prefix_put(&a->core->conn_counts, count_owner(a->at.id), &everywhere);
			rill_prefix_put(&a->core->conn_counts, count_owner(a->at.id), &remote.ip);
		}
		return RILL_DROP_TCP_NO_MEMORY;
	}
	c->passive_open = true;
	c->acceptor = a;
	c->listener_id = a->at.id;
	c->counted = limited(a);
	a->opened++;
	*ret_conn = c;
	return RILL_DROP_NONE;
}

/* seg completes a handshake: now there is a connection, which gets it. */
static enum rill_drop complete(struct rill_acceptor *a, const struct rill_tcp_syn *syn,
			       struct rill_tcp_seg *seg, struct rill_buf *b)
{
	struct rill_core *core = a->core;
	struct rill_conn *c;
	enum rill_drop drop = open_conn(a, seg, &c);

	if (drop != RILL_DROP_NONE)
		return drop;
	rill_tcb_from_handshake(&c->tcb, &core->env, syn, core->now_ns);
	drop = rill_tcb_input(&c->tcb, &core->env, seg, b, core->now_ns);
	if (drop != RILL_DROP_NONE)
		rill_core_count_drop(core, drop);
	rill_conn_touch(c);
	return RILL_DROP_NONE;
}

static enum rill_drop half_open(struct rill_acceptor *a, struct rill_syn_entry *e,
				struct rill_tcp_seg *seg, struct rill_buf *b)
{
	struct rill_core *core = a->core;
	enum rill_drop drop;

	if (!rill_syncache_input(&core->syns, e, seg, core->now_ns, &drop)) {
		if (drop == RILL_DROP_NONE)
			rill_core_put(core, b);
		return drop;
	}
	drop = complete(a, &e->syn, seg, b);
	if (drop == RILL_DROP_NONE)
		rill_syncache_remove(&core->syns, e);
	else
		rill_syncache_put_off(&core->syns, e);
	return drop;
}

/* RFC 7413, 4.2.2: the cookie has shown that the peer is there, so that it needs no handshake. */
static enum rill_drop open_early(struct rill_acceptor *a, const struct rill_tcp_seg *seg,
				 struct rill_buf *b, const struct rill_tcb *old)
{
	struct rill_core *core = a->core;
	struct rill_conn *c;
	enum rill_drop drop = open_conn(a, seg, &c);

	if (drop != RILL_DROP_NONE)
		return drop;
	rill_tcb_accept(&c->tcb, &core->env, seg, old, core->now_ns);
	rill_tcb_accept_early(&c->tcb, &core->env, seg, b, core->now_ns);
	c->early = rill_prefix_take(&core->conn_counts, early_owner(a->at.id), &everywhere,
				    a->early_max);
	rill_conn_touch(c);
	return RILL_DROP_NONE;
}

static bool early_good(const struct rill_acceptor *a, const struct rill_tcp_seg *seg)
{
	const struct rill_tcp_env *env = &a->core->env;

	return rill_tcp_fast_open_good(
		env, a->options.settings ? a->options.settings : &env->settings, seg);
}

/* The peer tries again, and finds room if somebody accepts, or a connection ends, meanwhile. */
static enum rill_drop take_syn(struct rill_acceptor *a, const struct rill_tcp_seg *seg,
			       struct rill_buf *b, const struct rill_tcb *old)
{
	struct rill_core *core = a->core;
	enum rill_drop drop;

	if (queue_full(a)) {
		a->overflows++;
		return RILL_DROP_TCP_BACKLOG;
	}
	if (limited(a) && over_limit(a, seg->src)) {
		a->limited++;
		rill_counter_add(&core->env.stats.prefix_limited, 1);
		return RILL_DROP_TCP_LIMIT;
	}
	if (a->early_max > 0 && early_good(a, seg) && !early_full(a))
		return open_early(a, seg, b, old);
	drop = rill_syncache_syn(&core->syns, a, seg, old, core->now_ns);
	if (drop == RILL_DROP_NONE)
		rill_core_put(core, b);
	return drop;
}

/*
 * Where the queue is full, no entry remembers the peer. Its later segments have no cookie to show,
 * and must not be answered with a RST: it takes itself for connected, and repeats the first.
 */
static enum rill_drop by_cookie(struct rill_acceptor *a, const struct rill_tcp_syn *syn,
				struct rill_tcp_seg *seg, struct rill_buf *b)
{
	enum rill_drop drop = complete(a, syn, seg, b);

	if (drop != RILL_DROP_NONE)
		a->cookies_wait_until = a->core->now_ns + COOKIE_PATIENCE_NS;
	return drop;
}

enum rill_drop rill_acceptor_input(struct rill_acceptor *a, struct rill_tcp_seg *seg,
				   struct rill_buf *b, const struct rill_tcb *old)
{
	struct rill_core *core = a->core;
	struct rill_syn_entry *e =
		rill_syncache_find(&core->syns, seg->dst, seg->dst_port, seg->src, seg->src_port);
	struct rill_tcp_syn syn;
	enum rill_drop drop;

	/* Its group may have changed since. */
	if (e)
		return half_open(e->listener, e, seg, b);
	if (rill_syncache_cookie(&core->syns, seg, core->now_ns, &syn))
		return by_cookie(a, &syn, seg, b);
	if (core->now_ns < a->cookies_wait_until &&
	    (seg->flags & (RILL_TCP_SYN | RILL_TCP_RST | RILL_TCP_ACK)) == RILL_TCP_ACK)
		return RILL_DROP_TCP_BACKLOG;
	/* Who does not take early data gives no cookies. */
	if (a->early_max == 0)
		seg->opt.present &= (uint8_t)~RILL_TCP_OPT_FAST_OPEN;
	drop = rill_tcp_listen_check(&core->env, seg);
	return drop == RILL_DROP_NONE ? take_syn(a, seg, b, old) : drop;
}

void rill_acceptor_ready(struct rill_acceptor *a, struct rill_conn *c)
{
	c->held = true;
	rill_list_push_back(&a->ready, &c->link);
	a->ready_count++;
	a->core->ops->acceptable(a->core, a);
}

struct rill_conn *rill_acceptor_pop(struct rill_acceptor *a)
{
	struct rill_list *n = rill_list_pop_front(&a->ready);
	struct rill_conn *c;

	if (!n)
		return NULL;
	c = RILL_LIST_ENTRY(n, struct rill_conn, link);
	a->ready_count--;
	c->passive_open = false;
	c->user = NULL;
	rill_acceptor_forget(a);
	rill_syncache_room(&a->core->syns, a);
	/* It ended while it waited: settled, but for its list. */
	if (!c->in_flows)
		rill_list_push_back(&a->core->detached, &c->link);
	return c;
}

void rill_acceptor_unpop(struct rill_acceptor *a, struct rill_conn *c)
{
	/* Nobody has seen it, so it cannot be in TIME-WAIT; it may have ended. */
	rill_list_del(&c->link);
	c->passive_open = true;
	c->acceptor = a;
	/* With its place given away meanwhile there is one too many, but none is lost. */
	admit(a, true);
	rill_list_push_front(&a->ready, &c->link);
	a->ready_count++;
}
