/* SPDX-License-Identifier: BSD-3-Clause */
/* Listening and accepting. */
#include "netstack/socket/options.h"
#include "netstack/socket/tcp.h"
#include "netstack/stack/listener.h"

/* ---- opening ---- */

struct part_opening {
	struct rill_listener *l;
	const struct rill_tcp_options *o;
	int result;
};

static void part_open(struct rill_shard *sh, void *arg)
{
	struct part_opening *opening = arg;
	struct rill_listener *l = opening->l;
	struct rill_listener_part *part = &l->parts[sh->index];
	int r;

	rill_acceptor_init(&part->acceptor, &sh->core, &l->binding.at, &l->options, l->backlog);
	part->acceptor.conn_max = l->conn_max;
	part->acceptor.prefix_max = l->prefix_max;
	if (l->defer_accept_ms > 0)
		rill_acceptor_defer(&part->acceptor, l->defer_accept_ms);
	part->acceptor.early_max = opening->o->fast_open;
	if (opening->o->fast_open > 0)
		sh->core.env.params.fast_open_server = true;
	part->open = true;
	r = rill_tcp_options_settle(opening->o, &sh->core, &part->acceptor.options);
	if (r < 0)
		opening->result = r;
}

/* Rounded up: 0 stays 0, and nothing else becomes it. */
static uint32_t share(uint32_t max, unsigned shards)
{
	return max / shards + (max % shards > 0);
}

int rill_tcp_listen(struct rill_net *net, const struct rill_addr *local,
		    const struct rill_tcp_options *in, struct rill_listener **ret_listener)
{
	struct rill_conn_options options;
	struct rill_tcp_options o;
	int r = rill_tcp_options_read(in, &o, &options);

	if (r < 0)
		return r;
	struct rill_listener *l = rill_listener_alloc(net);

	if (!l)
		return -ENOMEM;
	r = rill_net_bind(net, &net->tcp_ports, local, o.reuse_port, &l->binding);
	if (r < 0) {
		rill_listener_free(l);
		return r;
	}
	l->options = options;
	l->backlog = o.backlog;
	l->conn_max = share(o.max_conns, net->shard_count);
	l->prefix_max = share(o.max_conns_per_network, net->shard_count);
	l->defer_accept_ms = o.defer_accept_ms;
	struct part_opening opening = {.l = l, .o = &o};

	for (unsigned i = 0; i < net->shard_count; i++)
		rill_shard_call(&net->shards[i], part_open, &opening);
	if (opening.result < 0) {
		rill_listener_close(l);
		return opening.result;
	}
	*ret_listener = l;
	return 0;
}

/* ---- facts ---- */

struct listener_facts {
	struct rill_listener *l;
	struct rill_listener_info *info;
};

struct rill_addr rill_listener_addr(const struct rill_listener *l)
{
	return rill_net_bound_addr(l->net, &l->binding);
}

static void add_part(struct rill_shard *sh, void *arg)
{
	struct listener_facts *f = arg;
	const struct rill_listener_part *part = &f->l->parts[sh->index];
	const struct rill_acceptor *a = &part->acceptor;

	if (part->open)
		f->info->ready += a->ready_count;
	f->info->opened += a->opened;
	f->info->overflows += a->overflows;
	f->info->limited += a->limited;
}

void rill_listener_info(struct rill_listener *l, struct rill_listener_info *ret_info)
{
	struct listener_facts f = {l, ret_info};

	*ret_info = (struct rill_listener_info){0};
	for (unsigned i = 0; i < l->net->shard_count; i++)
		rill_shard_call(&l->net->shards[i], add_part, &f);
}

/* ---- accepting ---- */

struct taking {
	struct rill_listener *l;
	struct rill_tcp *t;
};

static void take_held(struct rill_shard *sh, void *arg)
{
	struct taking *taking = arg;

	taking->t = rill_listener_pop(&taking->l->parts[sh->index]);
}

/* Why nothing more will be accepted; 0: it may. */
static int ended(const struct rill_listener *l)
{
	if (rill_load_relaxed(&l->closed))
		return -ESHUTDOWN;
	return rill_load_relaxed(&l->net->link.gone) ? -ENODEV : 0;
}

/* From the caller's own shard first, then from the others. arg: where the connection goes. */
static int accept_try(struct rill_await *aw)
{
	struct taking taking = {.l = aw->obj};
	struct rill_net *net = taking.l->net;
	unsigned home = rill_net_shard(net)->index;

	int r = ended(taking.l);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < net->shard_count && !taking.t; i++) {
		unsigned at = (home + i) % net->shard_count;

		if (rill_load_relaxed(&taking.l->parts[at].ready) > 0)
			rill_shard_call(&net->shards[at], take_held, &taking);
	}
	if (!taking.t)
		return -EAGAIN;
	*(struct rill_tcp **)aw->arg = taking.t;
	return 0;
}

static void match_held(struct rill_shard *sh, void *arg)
{
	struct rill_listener *l = arg;

	rill_listener_match(sh, &l->parts[sh->index]);
}

static int accept_arm(struct rill_await *aw)
{
	struct rill_listener *l = aw->obj;
	struct rill_net *net = l->net;

	rill_spin_lock(&l->lock);
	int r = ended(l);

	if (r < 0) {
		rill_spin_unlock(&l->lock);
		return r;
	}
	rill_list_push_back(&l->waiters, &aw->link);
	/* seq_cst: seen before we look; pairs with the load in became_ready() */
	rill_publish(&l->waiting, rill_load_relaxed(&l->waiting) + 1);
	rill_spin_unlock(&l->lock);
	for (unsigned i = 0; i < net->shard_count; i++)
		/* seq_cst: pairs with the publishing in became_ready() */
		if (rill_load_seq_cst(&l->parts[i].ready) > 0)
			rill_shard_call(&net->shards[i], match_held, l);
	return -EAGAIN;
}

static void give_back_held(struct rill_shard *sh, void *arg)
{
	struct taking *taking = arg;

	rill_listener_give_back(sh, &taking->l->parts[sh->index], taking->t);
}

static int accept_disarm(struct rill_await *aw, bool take)
{
	struct taking taking = {.l = aw->obj};

	rill_spin_lock(&taking.l->lock);
	bool granted = rill_await_granted(aw);

	if (rill_list_linked(&aw->link)) {
		rill_list_del(&aw->link);
		rill_counter_add(&taking.l->waiting, -1);
	}
	rill_spin_unlock(&taking.l->lock);
	if (granted && take)
		return 0;
	if (!granted)
		return -EAGAIN;
	taking.t = *(struct rill_tcp **)aw->arg;
	rill_shard_call(rill_tcp_shard(taking.t), give_back_held, &taking);
	return -EAGAIN;
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

int rill_tcp_try_accept(struct rill_listener *l, struct rill_tcp **ret_conn)
{
	struct rill_tcp *c = NULL;
	struct rill_await aw;

	rill_await_init(&aw, &accept_ops, l, &c);
	int r = accept_try(&aw);

	if (r == 0)
		*ret_conn = c;
	return r;
}

void rill_case_accept(struct rill_case *c, struct rill_listener *l, struct rill_tcp **ret_conn)
{
	rill_await_init(rill_await_of(c), &accept_ops, l, ret_conn);
}

/* ---- the end ---- */

/* Once this has returned, no connection comes into the part's queue any more. */
static void part_close(struct rill_shard *sh, void *arg)
{
	struct rill_listener *l = arg;
	struct rill_listener_part *part = &l->parts[sh->index];

	part->open = false;
	rill_acceptor_fini(&part->acceptor);
	rill_store_relaxed(&part->ready, 0);
}

static void wake_waiters(struct rill_listener *l)
{
	struct rill_wake_batch wakes = RILL_WAKE_BATCH_INIT;
	struct rill_await *aw;

	rill_spin_lock(&l->lock);
	while ((aw = rill_await_first(&l->waiters)))
		rill_await_wake(aw, &wakes);
	rill_store_relaxed(&l->waiting, 0);
	rill_spin_unlock(&l->lock);
	rill_wake_flush(&wakes);
}

static void tell_polls(struct rill_listener *l)
{
	struct rill_wake_batch wakes = RILL_WAKE_BATCH_INIT;

	rill_polls_notify(&l->polls, l->net, &wakes);
	rill_wake_flush(&wakes);
}

void rill_listener_shutdown(struct rill_listener *l)
{
	struct rill_net *net = l->net;

	rill_spin_lock(&l->lock);
	bool first = !rill_load_relaxed(&l->closed);

	rill_store_relaxed(&l->closed, true);
	rill_spin_unlock(&l->lock);
	if (!first)
		return;
	for (unsigned i = 0; i < net->shard_count; i++)
		rill_shard_call(&net->shards[i], part_close, l);
	rill_net_unbind(net, &net->tcp_ports, &l->binding);
	wake_waiters(l);
	tell_polls(l);
}

void rill_listener_close(struct rill_listener *l)
{
	if (!l)
		return;
	rill_listener_shutdown(l);
	rill_polls_forget(&l->polls, l->net);
	rill_listener_free(l);
}
