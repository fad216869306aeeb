/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/shard.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "netstack/stack/conn.h"
#include "netstack/stack/listener.h"
#include "netstack/stack/metrics.h"
#include "netstack/stack/net.h"
#include "netstack/stack/parcel.h"
#include "netstack/stack/trouble.h"
#include "netstack/stack/udp_port.h"
#include "netstack/stack/vlan.h"
#include "runtime/await.h"
#include "runtime/runtime.h"

/* How long a shard sleeps at most while all its packet buffers are in other hands. */
#define DRY_RETRY_NS RILL_MS
/* Between two tries to get at a shard from outside. */
#define TRY_PAUSE_NS (50 * RILL_US)

/* ---- lock and mailbox ---- */

static bool try_enter(struct rill_shard *sh)
{
	struct rill_shard_op *free = NULL;

	/* acquire: pairs with the release of the word in release_or_take() */
	return rill_cas_acquire(&sh->word, &free, RILL_SHARD_LOCKED);
}

static void entered(struct rill_shard *sh, uint64_t now)
{
	rill_core_enter(&sh->core, now);
	sh->queue->now_ns = sh->core.now_ns;
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

static void transmit(struct rill_core *core, struct rill_buf **bufs, unsigned count)
{
	struct rill_shard *sh = rill_shard_of_core(core);

	if (RILL_UNLIKELY(sh->net->vlan))
		rill_vlan_send(sh->net->vlan, bufs, count);
	unsigned sent = sh->driver->tx_burst(sh->queue, bufs, count);

	/* A full ring drops: TCP sends again, and nothing here may grow. */
	for (unsigned i = sent; i < count; i++)
		rill_l3_tx_drop(&core->l3, bufs[i], RILL_DROP_TX_FULL);
	sh->tx_pending = true;
}

/* ---- holding and letting go ---- */

static void settle(struct rill_shard *sh)
{
	rill_core_settle(&sh->core);
	if (sh->tx_pending) {
		sh->tx_pending = false;
		sh->driver->tx_flush(sh->queue);
	}
}

/* Publishes when the shard must be polled next. A deadline that moved away is corrected when it
 * comes. */
static void publish_deadline(struct rill_shard *sh)
{
	uint64_t next = rill_core_next_deadline(&sh->core);

	if (sh->link_wake_ns)
		next = RILL_MIN(next, sh->link_wake_ns);
	uint64_t published = rill_load_relaxed(&sh->poller.deadline_ns);

	if (next < published || published <= sh->core.now_ns)
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

bool rill_shard_try_call(struct rill_shard *sh, uint64_t wait_ns,
			 void (*fn)(struct rill_shard *sh, void *arg), void *arg)
{
	const struct timespec pause = {.tv_nsec = TRY_PAUSE_NS};
	/* By the clock, for each pause takes longer than it says. */
	uint64_t end = rill_clock_mono() + wait_ns;

	while (!try_enter(sh)) {
		if (rill_clock_mono() >= end)
			return false;
		nanosleep(&pause, NULL);
	}
	entered_now(sh);
	fn(sh, arg);
	rill_shard_leave(sh);
	return true;
}

/* ---- polling ---- */

static bool receive(struct rill_shard *sh)
{
	struct rill_buf *bufs[RILL_SHARD_BURST];
	unsigned n = sh->driver->rx_burst(sh->queue, bufs, RILL_SHARD_BURST);

	bool any = n > 0;

	for (unsigned i = 0; i < n; i++)
		bufs[i]->time_ns = sh->core.now_ns;
	if (RILL_UNLIKELY(sh->net->vlan))
		n = rill_vlan_receive(sh, bufs, n);
	rill_shard_input(sh, bufs, n);
	return any;
}

/* A hint, so that the shard is not taken for nothing while its worker waits. */
static bool poll_due(const struct rill_shard *sh, uint64_t now)
{
	const struct rill_driver *driver = sh->driver;

	return !driver->poll_due || now >= rill_load_relaxed(&sh->poller.deadline_ns) ||
	       driver->poll_due(sh->queue);
}

static bool poll_shard(struct rill_poller *p, uint64_t now)
{
	struct rill_shard *sh = RILL_CONTAINER_OF(p, struct rill_shard, poller);

	if (!poll_due(sh, now))
		return false;
	if (!try_enter(sh)) {
		rill_fetch_add_relaxed(&sh->stats.polls_busy, 1);
		return false;
	}
	entered(sh, now);
	if (sh->link_next_ns && now >= sh->link_next_ns)
		rill_link_look(sh);
	bool any = receive(sh);

	any |= rill_core_run_timers(&sh->core);
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
	uint64_t retry = sh->core.now_ns + DRY_RETRY_NS;
	uint64_t next = sh->driver->rx_next ? sh->driver->rx_next(sh->queue) : RILL_FOREVER;

	/* What this wakes is seen before the sleep: that is looked for last. */
	rill_shard_leave(sh);
	/* The NIC may be without buffers to receive into. Some came back: poll once more, and post
	 * them. */
	if (had == 0 && has > 0)
		return false;
	/* None: whoever gives them back does not tell us, so look again soon. */
	if (has == 0 && retry < rill_load_relaxed(&p->deadline_ns))
		rill_poller_set_deadline(p, retry);
	if (next < rill_load_relaxed(&p->deadline_ns))
		rill_poller_set_deadline(p, next);
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
	.visit_troubles = rill_shard_visit_troubles,
};

static const struct rill_core_ops core_ops = {
	.tx = transmit,
	.conn_event = rill_tcp_event,
	.acceptable = rill_listener_acceptable,
	.udp_input = rill_udp_deliver,
	.udp_error = rill_udp_fail,
};

static bool claim(struct rill_core *core, struct rill_conn *c)
{
	return rill_steer_insert(&rill_shard_of_core(core)->net->steer, rill_tcp_of(c));
}

static void release(struct rill_core *core, struct rill_conn *c)
{
	rill_steer_remove(&rill_shard_of_core(core)->net->steer, rill_tcp_of(c));
}

static bool is_home(struct rill_core *core, const struct rill_addr *local,
		    const struct rill_addr *remote)
{
	return rill_steer_is_home(rill_shard_of_core(core), local, remote);
}

/* Of one among several. */
static const struct rill_core_ops core_ops_shared = {
	.tx = transmit,
	.conn_event = rill_tcp_event,
	.acceptable = rill_listener_acceptable,
	.udp_input = rill_udp_deliver,
	.udp_error = rill_udp_fail,
	.claim = claim,
	.release = release,
	.admit = rill_listener_admit,
	.dismiss = rill_listener_dismiss,
	.foreign_segment = rill_parcel_segment,
	.foreign_error = rill_parcel_error,
	.is_home = is_home,
};

int rill_shard_init(struct rill_shard *sh, struct rill_net *net, unsigned index,
		    const struct rill_l3_config *l3)
{
	struct rill_core_config config = {
		.ops = net->shard_count > 1 ? &core_ops_shared : &core_ops,
		.pool = net->nic->queues[index]->pool,
		.memory = &rill_memory_heap,
		.conn_bytes = sizeof(struct rill_tcp),
		.flow_secret = net->secret,
		.ephemeral = &net->ephemeral,
		.csum_offload = (net->nic->caps & RILL_NIC_TX_CSUM) != 0,
		.gso_max = net->nic->caps & RILL_NIC_TX_TSO ? net->nic->gso_max : 0,
		.l3 = *l3,
	};
	int err;

	sh->net = net;
	sh->index = index;
	sh->queue = net->nic->queues[index];
	sh->driver = net->nic->driver;
	sh->poller.ops = &poller_ops;
	sh->poller.fd = sh->driver->rx_fd(sh->queue);
	config.l3.shard = index;
	config.l3.shards = net->shard_count;
	rill_rand_secret(&config.l3.seed, sizeof(config.l3.seed));
	rill_rand_secret(&config.tcp_secret, sizeof(config.tcp_secret));
	err = rill_core_init(&sh->core, &config, rill_runtime_now(net->rt));
	if (err)
		return err;
	/* What queues hold must leave buffers for the NIC's rings, and to answer from. */
	sh->core.env.params.mem_max =
		config.pool->size * (uint64_t)(RILL_BUF_HEADER_SIZE + config.pool->buf_bytes) / 2;
	rill_quota_join(&sh->core.env.mem_share, &net->rt->tcp_memory);
	return 0;
}

void rill_shard_fini(struct rill_shard *sh)
{
	if (sh->core.ops)
		rill_core_fini(&sh->core);
}
