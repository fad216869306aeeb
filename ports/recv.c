/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tasks that receive. Whoever comes takes straight from the NIC; who finds nothing waits in a list,
 * and the queue's worker looks out for him. That he waits, and that the worker need not look, are
 * both seen in time: he counts himself in waiting and then sets the poller's deadline, the worker
 * clears that deadline, or publishes that it sleeps, and then reads waiting.
 */
#include <errno.h>

#include "ports/port.h"
#include "runtime/await.h"
#include "runtime/runtime.h"

/* What a receiver wants, and gets. */
struct wish {
	struct rill_buf **bufs;
	unsigned max;
};

unsigned rill_port_receive(struct rill_port_queue *q, struct rill_buf **bufs, unsigned max,
			   uint64_t now)
{
	unsigned n;

	q->nicq->now_ns = now;
	n = q->driver->rx_burst(q->nicq, bufs, max);
	for (unsigned i = 0; i < n; i++)
		if (RILL_LIKELY(!(bufs[i]->flags & RILL_BUF_HW_TIME)))
			bufs[i]->time_ns = now;
	return n;
}

/* What was looked at already comes first. */
static unsigned take_held(struct rill_port_queue *q, struct rill_buf **bufs, unsigned max)
{
	unsigned n = RILL_MIN(max, q->held_count);

	for (unsigned i = 0; i < n; i++)
		bufs[i] = q->held[i];
	for (unsigned i = n; i < q->held_count; i++)
		q->held[i - n] = q->held[i];
	rill_store_relaxed(&q->held_count, q->held_count - n);
	return n;
}

static int recv_try(struct rill_await *aw)
{
	struct rill_port_queue *q = aw->obj;
	const struct wish *wish = aw->arg;
	uint64_t now = rill_runtime_now_coarse(q->port->rt);
	unsigned n;

	rill_port_take_turn(q);
	n = take_held(q, wish->bufs, wish->max);
	if (n < wish->max)
		n += rill_port_receive(q, wish->bufs + n, wish->max - n, now);
	rill_port_end_turn(q);
	if (n == 0)
		return rill_load_relaxed(&q->port->gone) ? -ENODEV : -EAGAIN;
	return (int)n;
}

static int readable_try(struct rill_await *aw)
{
	struct rill_port_queue *q = aw->obj;
	uint64_t now = rill_runtime_now_coarse(q->port->rt);
	bool any;

	rill_port_take_turn(q);
	if (q->held_count == 0)
		rill_store_relaxed(&q->held_count,
				   rill_port_receive(q, q->held, RILL_PORT_BURST, now));
	any = q->held_count > 0;
	rill_port_end_turn(q);
	return any ? 0 : -EAGAIN;
}

static int recv_arm(struct rill_await *aw)
{
	struct rill_port_queue *q = aw->obj;
	const struct rill_worker *w = rill_worker_current();

	rill_spin_lock(&q->lock);
	rill_list_push_back(&q->waiters, &aw->link);
	/* seq_cst: before the deadline below; see the head of this file */
	rill_store_seq_cst(&q->waiting, q->waiting + 1);
	rill_spin_unlock(&q->lock);
	/* The home worker comes by itself when this task has parked. */
	if (!w || w->rt != q->port->rt || w->index != q->poller.home)
		rill_poller_set_deadline(&q->poller, 0);
	return -EAGAIN;
}

static int recv_disarm(struct rill_await *aw, bool take)
{
	struct rill_port_queue *q = aw->obj;
	struct rill_wake_batch wakes = RILL_WAKE_BATCH_INIT;
	struct rill_await *next = NULL;

	rill_spin_lock(&q->lock);
	if (rill_list_linked(&aw->link)) {
		rill_list_del(&aw->link);
		rill_store_relaxed(&q->waiting, q->waiting - 1);
	} else if (!take || !aw->arg) {
		/* Woken for packets that we do not fetch: the next one may. */
		next = rill_await_first(&q->waiters);
	}
	if (next) {
		rill_await_wake(next, &wakes);
		rill_store_relaxed(&q->waiting, q->waiting - 1);
	}
	rill_spin_unlock(&q->lock);
	rill_wake_flush(&wakes);
	return -EAGAIN;
}

static const struct rill_await_ops recv_ops = {
	.what = "port recv",
	.try = recv_try,
	.arm = recv_arm,
	.disarm = recv_disarm,
};

static const struct rill_await_ops readable_ops = {
	.what = "port readable",
	.try = readable_try,
	.arm = recv_arm,
	.disarm = recv_disarm,
};

int rill_port_recv(struct rill_port *port, unsigned queue, struct rill_pkt **ret_pkts, unsigned max)
{
	struct wish wish = {.bufs = (struct rill_buf **)(void *)ret_pkts, .max = max};
	struct rill_port_queue *q = rill_port_queue(port, queue);

	if (!q || port->handler || max == 0)
		return -EINVAL;
	return rill_await_on(&recv_ops, q, &wish);
}

void rill_case_port_readable(struct rill_case *c, struct rill_port *port, unsigned queue)
{
	struct rill_port_queue *q = rill_port_queue(port, queue);

	RILL_ASSERT(q && !port->handler);
	rill_await_init(rill_await_of(c), &readable_ops, q, NULL);
}
