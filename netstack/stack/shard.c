/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/shard.h"

#include <errno.h>
#include <string.h>

#include "netstack/stack/conn.h"
#include "netstack/stack/demux.h"
#include "netstack/stack/metrics.h"
#include "netstack/stack/net.h"
#include "netstack/tcp/tcb.h"
#include "runtime/await.h"
#include "runtime/runtime.h"

/* How long a shard sleeps at most while all its packet buffers are in other hands. */
#define DRY_RETRY_NS RILL_MS

/* ---- lock and mailbox ---- */

static bool try_enter(struct rill_shard *sh)
{
	struct rill_shard_op *free = NULL;

	/* acquire: pairs with the release of the word in release_or_take() */
	return rill_cas_acquire(&sh->word, &free, RILL_SHARD_LOCKED);
}

/* Workers read the clock at different moments: for the shard it never goes back. */
static void entered(struct rill_shard *sh, uint64_t now)
{
	sh->now_ns = RILL_MAX(sh->now_ns, now);
}

static void entered_now(struct rill_shard *sh)
{
	entered(sh, rill_runtime_now_coarse(sh->net->rt));
}

bool rill_shard_post(struct rill_shard *sh, struct rill_shard_op *op)
{
	struct rill_shard_op *old = rill_load_relaxed(&sh->word);

	for (;;) {
		struct rill_shard_op *new = old ? op : RILL_SHARD_LOCKED;

		op->next = old;
		/*
		 * acq_rel: taking the lock acquires what the last holder did; queueing releases op
		 * to the holder. Both pair with the word's operations in release_or_take().
		 */
		if (rill_cas_acq_rel(&sh->word, &old, new))
			break;
	}
	if (old)
		return false;
	entered_now(sh);
	return true;
}

/* Lets go, or returns the operations that came in, oldest first. */
static struct rill_shard_op *release_or_take(struct rill_shard *sh)
{
	struct rill_shard_op *locked = RILL_SHARD_LOCKED;
	struct rill_shard_op *ops = NULL;

	/* release: pairs with the acquires in try_enter() and rill_shard_post() */
	if (rill_cas_release(&sh->word, &locked, (struct rill_shard_op *)NULL))
		return NULL;
	/* acquire: the operations are whole; pairs with rill_shard_post() */
	struct rill_shard_op *newest = rill_exchange_acquire(&sh->word, RILL_SHARD_LOCKED);

	while (newest != RILL_SHARD_LOCKED) {
		struct rill_shard_op *next = newest->next;

		newest->next = ops;
		ops = newest;
		newest = next;
	}
	return ops;
}

/* ---- transmit ---- */

static void tx_burst(struct rill_shard *sh)
{
	unsigned sent = sh->driver->tx_burst(sh->queue, sh->tx, sh->tx_count);

	/* A full ring drops: TCP sends again, and nothing here may grow. */
	for (unsigned i = sent; i < sh->tx_count; i++)
		rill_l3_tx_drop(&sh->l3, sh->tx[i], RILL_DROP_TX_FULL);
	sh->tx_count = 0;
	sh->tx_pending = true;
}

static void l3_tx(void *ctx, struct rill_buf *b)
{
	struct rill_shard *sh = ctx;

	sh->tx[sh->tx_count++] = b;
	if (sh->tx_count == RILL_SHARD_BURST)
		tx_burst(sh);
}

static struct rill_buf *l3_alloc(void *ctx)
{
	struct rill_shard *sh = ctx;

	return rill_buf_alloc(sh->queue->pool);
}

static void l3_put(void *ctx, struct rill_buf *b)
{
	struct rill_shard *sh = ctx;

	rill_buf_put_owner(sh->queue->pool, b);
}

static struct rill_buf *tcp_alloc(struct rill_tcp_env *env)
{
	return l3_alloc(rill_shard_of_env(env));
}

static void tcp_put(struct rill_tcp_env *env, struct rill_buf *b)
{
	l3_put(rill_shard_of_env(env), b);
}

static void tcp_xmit(struct rill_tcp_env *env, const struct rill_tcp_xmit *to, struct rill_buf *b)
{
	struct rill_shard *sh = rill_shard_of_env(env);
	struct rill_ip_out out = {
		.dst = *to->dst,
		.proto = 6,
		.tos = to->tos,
		.ttl = to->ttl,
		.dont_fragment = true,
	};
	struct rill_tcb *tcb = (struct rill_tcb *)(uintptr_t)to->tcb;
	struct rill_l3_dst *cache = NULL;

	if (tcb)
		cache = &RILL_CONTAINER_OF(tcb, struct rill_tcp, tcb)->dst;
	/* A packet that could not be sent is lost like any other: the timers know what to do. */
	rill_l3_output(&sh->l3, b, &out, cache, sh->now_ns);
}

static const struct rill_tcp_env_ops env_ops = {
	.alloc = tcp_alloc,
	.xmit = tcp_xmit,
	.put = tcp_put,
};

static const struct rill_l3_ops l3_ops = {
	.tcp = rill_demux_tcp,
	.udp = rill_demux_udp,
	.icmp_error = rill_demux_icmp_error,
	.unreachable = rill_demux_unreachable,
	.alloc = l3_alloc,
	.tx = l3_tx,
	.put = l3_put,
};

/* ---- holding and letting go ---- */

static void settle(struct rill_shard *sh)
{
	rill_conn_settle_all(sh);
	if (sh->tx_count > 0)
		tx_burst(sh);
	if (sh->tx_pending) {
		sh->tx_pending = false;
		sh->driver->tx_flush(sh->queue);
	}
}

/* Publishes when the shard must be polled next. A deadline that moved away is corrected when it
 * comes. */
static void publish_deadline(struct rill_shard *sh)
{
	uint64_t next = RILL_MIN(sh->next_timer_ns, rill_l3_next_deadline(&sh->l3));
	uint64_t published = rill_load_relaxed(&sh->poller.deadline_ns);

	if (next < published || published <= sh->now_ns)
		rill_poller_set_deadline(&sh->poller, next);
}

void rill_shard_leave(struct rill_shard *sh)
{
	struct rill_shard_op *ops;

	for (;;) {
		settle(sh);
		publish_deadline(sh);
		struct rill_wake_batch wakes = sh->wakes;

		sh->wakes = (struct rill_wake_batch)RILL_WAKE_BATCH_INIT;
		ops = release_or_take(sh);
		/* Wakes go out without the shard when it is free; else the mailbox's owners wait as
		 * well. */
		rill_wake_flush(&wakes);
		if (!ops)
			return;
		entered_now(sh);
		while (ops) {
			struct rill_shard_op *next = ops->next;

			rill_counter_add(&sh->stats.mailbox_ops, 1);
			ops->fn(sh, ops);
			ops = next;
		}
	}
}

/* ---- calls ---- */

enum call_state {
	CALL_PENDING,
	CALL_RAN,  /* its waiter is being woken */
	CALL_DONE, /* nobody touches it any more */
};

/* On the caller's stack. */
struct call {
	struct rill_shard_op op;
	void (*fn)(struct rill_shard *sh, void *arg);
	void *arg;
	struct rill_waiter *waiter;
	RILL_ATOMIC(uint32_t) state;
};

static void call_run(struct rill_shard *sh, struct rill_shard_op *op)
{
	struct call *call = RILL_CONTAINER_OF(op, struct call, op);

	call->fn(sh, call->arg);
	/* release: the result is there; pairs with call_try() */
	rill_store_release(&call->state, CALL_RAN);
	rill_wake_add(&sh->wakes, call->waiter);
	/* release: from here on the caller may leave, and call with it; pairs with call_try() */
	rill_store_release(&call->state, CALL_DONE);
}

static int call_try(struct rill_await *aw)
{
	struct call *call = aw->obj;
	uint32_t state;

	/* acquire: pairs with call_run(); between RAN and DONE there are a few instructions */
	while ((state = rill_load_acquire(&call->state)) == CALL_RAN)
		rill_cpu_relax();
	return state == CALL_DONE ? 0 : -EAGAIN;
}

static const struct rill_await_ops call_ops = {
	.what = "shard",
	.try = call_try,
};

static RILL_NOINLINE void call_slow(struct rill_shard *sh,
				    void (*fn)(struct rill_shard *sh, void *arg), void *arg)
{
	struct call call = {
		.op = {.fn = call_run},
		.fn = fn,
		.arg = arg,
		.waiter = rill_waiter_current(),
		.state = CALL_PENDING,
	};
	struct rill_await aw;

	if (rill_shard_post(sh, &call.op)) {
		fn(sh, arg);
		rill_shard_leave(sh);
		return;
	}
	rill_await_init(&aw, &call_ops, &call, NULL);
	/* The holder is in the middle of a burst: this ends soon, whatever the caller's scopes say.
	 */
	rill_await(&aw, RILL_AWAIT_UNCANCELLABLE);
}

void rill_shard_call(struct rill_shard *sh, void (*fn)(struct rill_shard *sh, void *arg), void *arg)
{
	if (RILL_UNLIKELY(!try_enter(sh))) {
		call_slow(sh, fn, arg);
		return;
	}
	entered_now(sh);
	fn(sh, arg);
	rill_shard_leave(sh);
}

/* ---- polling ---- */

static bool receive(struct rill_shard *sh)
{
	struct rill_buf *bufs[RILL_SHARD_BURST];
	unsigned n = sh->driver->rx_burst(sh->queue, bufs, RILL_SHARD_BURST);

	for (unsigned i = 0; i < n; i++) {
		if (i + 1 < n)
			__builtin_prefetch(bufs[i + 1]->data);
		bufs[i]->time_ns = sh->now_ns;
		rill_demux_frame(sh, bufs[i]);
	}
	return n > 0;
}

static bool fire_timers(struct rill_shard *sh)
{
	struct rill_list expired;
	struct rill_list *n;

	if (rill_l3_next_deadline(&sh->l3) <= sh->now_ns)
		rill_l3_on_timer(&sh->l3, sh->now_ns);
	rill_list_init(&expired);
	if (sh->now_ns < sh->next_timer_ns)
		return false;
	bool any = rill_wheel_advance(&sh->wheel, sh->now_ns, &expired);

	sh->next_timer_ns = rill_wheel_next(&sh->wheel);
	while ((n = rill_list_pop_front(&expired))) {
		struct rill_timer *t = RILL_LIST_ENTRY(n, struct rill_timer, link);

		rill_conn_on_timer(sh, RILL_CONTAINER_OF(t, struct rill_tcp, timer));
	}
	return any;
}

static bool poll_shard(struct rill_poller *p, uint64_t now)
{
	struct rill_shard *sh = RILL_CONTAINER_OF(p, struct rill_shard, poller);

	if (!try_enter(sh)) {
		rill_fetch_add_relaxed(&sh->stats.polls_busy, 1);
		return false;
	}
	entered(sh, now);
	bool any = receive(sh);

	any |= fire_timers(sh);
	/* What the NIC would not take last time, or a held-back frame, goes with this. */
	sh->tx_pending = true;
	rill_shard_leave(sh);
	return any;
}

static bool arm_shard(struct rill_poller *p)
{
	struct rill_shard *sh = RILL_CONTAINER_OF(p, struct rill_shard, poller);

	/* Whoever helped out may still be polling, and leave something behind. */
	if (!try_enter(sh))
		return false;
	entered_now(sh);
	bool quiet = sh->driver->rx_arm(sh->queue);
	uint32_t had = sh->queue->pool->available;
	uint32_t has = rill_buf_pool_reclaim(sh->queue->pool);
	uint64_t retry = sh->now_ns + DRY_RETRY_NS;

	/* What this wakes is seen before the sleep: that is looked for last. */
	rill_shard_leave(sh);
	/* The NIC may be without buffers to receive into. Some came back: poll once more, and post
	 * them. */
	if (had == 0 && has > 0)
		return false;
	/* None: whoever gives them back does not tell us, so look again soon. */
	if (has == 0 && retry < rill_load_relaxed(&p->deadline_ns))
		rill_poller_set_deadline(p, retry);
	return quiet;
}

static void disarm_shard(struct rill_poller *p)
{
	struct rill_shard *sh = RILL_CONTAINER_OF(p, struct rill_shard, poller);

	sh->driver->rx_disarm(sh->queue);
}

static const struct rill_poller_ops poller_ops = {
	.poll = poll_shard,
	.arm = arm_shard,
	.disarm = disarm_shard,
	.print_family = rill_shard_print_family,
};

int rill_shard_init(struct rill_shard *sh, struct rill_net *net, unsigned index)
{
	struct rill_hash_key secret;

	sh->net = net;
	sh->index = index;
	sh->queue = net->nic->queues[index];
	sh->driver = net->nic->driver;
	entered_now(sh);
	rill_list_init(&sh->conns);
	rill_list_init(&sh->dirty);
	rill_list_init(&sh->time_wait);
	rill_wheel_init(&sh->wheel, sh->now_ns);
	sh->next_timer_ns = UINT64_MAX;
	rill_rand_secret(&secret, sizeof(secret));
	rill_tcp_env_init(&sh->env, &env_ops, &rill_memory_heap, &secret);
	sh->env.params.mtu = net->nic->mtu;
	sh->env.csum_offload = (net->nic->caps & RILL_NIC_TX_CSUM) != 0;
	sh->poller.ops = &poller_ops;
	sh->poller.fd = sh->driver->rx_fd(sh->queue);
	return rill_flow_table_init(&sh->flows);
}

const struct rill_l3_ops *rill_shard_l3_ops(void)
{
	return &l3_ops;
}

void rill_shard_fini(struct rill_shard *sh)
{
	if (sh->flows.buckets) {
		while (!rill_list_empty(&sh->conns))
			rill_conn_destroy(
				sh, RILL_LIST_ENTRY(sh->conns.next, struct rill_tcp, conn_link));
		for (unsigned i = 0; i < sh->tx_count; i++)
			rill_buf_put(sh->tx[i]);
	}
	rill_flow_table_fini(&sh->flows);
	rill_tcp_env_fini(&sh->env);
}
