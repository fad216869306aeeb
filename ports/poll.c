/* SPDX-License-Identifier: BSD-3-Clause */
/* What workers do for a port's queues: run the handler, or look out for those who wait. */
#include <limits.h>

#include "ports/port.h"
#include "runtime/await.h"
#include "runtime/runtime.h"

/* How long the queue's worker sleeps at most while all its packets are in other hands, or the
 * handler takes none. */
#define RETRY_NS (50 * RILL_US)
/* How soon it is seen that a NIC was taken away. */
#define LINK_EVERY_NS (500 * RILL_MS)

static struct rill_port_queue *queue_of(struct rill_poller *p)
{
	return RILL_CONTAINER_OF(p, struct rill_port_queue, poller);
}

/* ---- what both do ---- */

static bool begin(struct rill_port_queue *q)
{
	/* acquire: pairs with the release in end() */
	return rill_load_relaxed(&q->polling) == 0 && rill_exchange_acquire(&q->polling, 1) == 0;
}

static void end(struct rill_port_queue *q)
{
	/* release: pairs with the acquire in begin() */
	rill_store_release(&q->polling, 0);
}

/* A hint, so that a queue is not taken for nothing. */
static bool is_due(struct rill_port_queue *q, uint64_t now)
{
	if (now >= rill_load_relaxed(&q->poller.deadline_ns)) {
		rill_poller_set_deadline(&q->poller, RILL_FOREVER);
		return true;
	}
	return !q->driver->poll_due || rill_load_relaxed(&q->tx_pending) ||
	       now >= rill_load_relaxed(&q->link_next_ns) || q->driver->poll_due(q->nicq);
}

/* With the turn: also what the NIC would not take last time. */
static void flush(struct rill_port_queue *q)
{
	rill_store_relaxed(&q->tx_pending, false);
	q->driver->tx_flush(q->nicq);
}

static void poll_by(struct rill_port_queue *q, uint64_t deadline_ns)
{
	if (deadline_ns < rill_load_relaxed(&q->poller.deadline_ns))
		rill_poller_set_deadline(&q->poller, deadline_ns);
}

/* Makes the descriptor tell of packets. False: there are some. */
static bool arm_nic(struct rill_port_queue *q)
{
	struct rill_buf_pool *pool = q->nicq->pool;
	uint64_t now = rill_runtime_now_coarse(q->port->rt);

	rill_port_take_turn(q);
	q->nicq->now_ns = now;
	bool quiet = q->driver->rx_arm(q->nicq);

	q->armed = true;
	uint32_t had = pool->available;
	uint32_t has = rill_buf_pool_reclaim(pool);
	uint64_t next = q->driver->rx_next ? q->driver->rx_next(q->nicq) : RILL_FOREVER;

	rill_port_end_turn(q);
	/* The NIC may be without packets to receive into. Some came back: poll, and post them. */
	if (had == 0 && has > 0)
		return false;
	/* None: whoever gives them back does not tell us. */
	if (has == 0 && !pool->refill)
		poll_by(q, now + RETRY_NS);
	poll_by(q, RILL_MIN(next, rill_load_relaxed(&q->link_next_ns)));
	return quiet;
}

/* rx_arm() may have said no, and is to be undone even then. */
static void disarm(struct rill_poller *p)
{
	struct rill_port_queue *q = queue_of(p);

	if (q->armed)
		q->driver->rx_disarm(q->nicq);
	q->armed = false;
}

static void look_at_link(struct rill_port_queue *q, uint64_t now)
{
	if (now < rill_load_relaxed(&q->link_next_ns))
		return;
	rill_store_relaxed(&q->link_next_ns, now + LINK_EVERY_NS);
	/* relaxed: whoever is woken for this sees it by the wake */
	if (rill_port_ask_gone(q->port))
		rill_store_relaxed(&q->port->gone, true);
}

/* ---- handler ---- */

static struct rill_pkt **packets(struct rill_buf **bufs)
{
	return (struct rill_pkt **)(void *)bufs;
}

/* Offers what is held; keeps what is left in front. */
static unsigned hand_over(struct rill_port_queue *q)
{
	unsigned n = q->held_count;
	unsigned taken =
		q->port->handler(q->port, q->nicq->index, packets(q->held), n, q->port->ctx);

	RILL_ASSERT(taken <= n);
	for (unsigned i = taken; i < n; i++)
		q->held[i - taken] = q->held[i];
	rill_store_relaxed(&q->held_count, n - taken);
	if (RILL_UNLIKELY(n != taken))
		rill_counter_add(&q->counts.handed_back, n - taken);
	return taken;
}

static bool poll_handler(struct rill_poller *p, uint64_t now)
{
	struct rill_port_queue *q = queue_of(p);

	/* held_count: only a hint here */
	if (rill_load_relaxed(&q->held_count) == 0 && !is_due(q, now))
		return false;
	if (!begin(q))
		return false;
	look_at_link(q, now);
	rill_port_take_turn(q);
	unsigned n =
		rill_port_receive(q, q->held + q->held_count, RILL_PORT_BURST - q->held_count, now);

	flush(q);
	rill_port_end_turn(q);
	rill_store_relaxed(&q->held_count, q->held_count + n);
	unsigned taken = q->held_count ? hand_over(q) : 0;

	end(q);
	return taken > 0;
}

static bool arm_handler(struct rill_poller *p)
{
	struct rill_port_queue *q = queue_of(p);
	bool quiet = arm_nic(q);

	if (rill_load_relaxed(&q->held_count) > 0)
		poll_by(q, rill_runtime_now_coarse(q->port->rt) + RETRY_NS);
	return quiet;
}

const struct rill_poller_ops rill_port_handler_ops = {
	.poll = poll_handler,
	.arm = arm_handler,
	.disarm = disarm,
	.print_family = rill_port_print_family,
};

/* ---- tasks ---- */

static void wake(struct rill_port_queue *q, unsigned n)
{
	struct rill_wake_batch wakes = RILL_WAKE_BATCH_INIT;
	struct rill_await *aw;

	rill_spin_lock(&q->lock);
	while (n-- > 0 && (aw = rill_await_first(&q->waiters))) {
		rill_await_wake(aw, &wakes);
		rill_store_relaxed(&q->waiting, q->waiting - 1);
	}
	rill_spin_unlock(&q->lock);
	rill_wake_flush(&wakes);
}

/* Hints, both: whoever was woken took less than there was, and others still wait for the rest. */
static bool owes(struct rill_port_queue *q)
{
	return rill_load_relaxed(&q->held_count) > 0 && rill_load_relaxed(&q->waiting) > 0;
}

/* The first packets wait in held until the task that was woken comes for them. */
static bool poll_tasks(struct rill_poller *p, uint64_t now)
{
	struct rill_port_queue *q = queue_of(p);

	if (!owes(q) && !is_due(q, now))
		return false;
	if (!begin(q))
		return false;
	look_at_link(q, now);
	/* seq_cst: pairs with whoever begins to wait, see recv.c */
	bool wanted = rill_load_seq_cst(&q->waiting) > 0;

	rill_port_take_turn(q);
	if (wanted && q->held_count == 0)
		rill_store_relaxed(&q->held_count,
				   rill_port_receive(q, q->held, RILL_PORT_BURST, now));
	bool any = wanted && q->held_count > 0;

	flush(q);
	rill_port_end_turn(q);
	if (RILL_UNLIKELY(rill_load_relaxed(&q->port->gone)))
		wake(q, UINT_MAX);
	else if (any)
		wake(q, 1);
	end(q);
	return any;
}

/* Nobody waits: packets that come are nothing to wake up for. */
static bool arm_tasks(struct rill_poller *p)
{
	struct rill_port_queue *q = queue_of(p);

	/* seq_cst: pairs with whoever begins to wait, see recv.c */
	if (rill_load_seq_cst(&q->waiting) == 0) {
		p->fd = -1;
		return true;
	}
	p->fd = q->driver->rx_fd(q->nicq);
	return arm_nic(q) && rill_load_relaxed(&q->held_count) == 0;
}

const struct rill_poller_ops rill_port_task_ops = {
	.poll = poll_tasks,
	.arm = arm_tasks,
	.disarm = disarm,
	.print_family = rill_port_print_family,
};
