/* SPDX-License-Identifier: BSD-3-Clause */
/* Sending: the NIC's transmit ring, and what happens when that is full. */
#include <errno.h>
#include <rill/task.h>
#include <rill/time.h>

#include "ports/port.h"
#include "runtime/runtime.h"

/* No NIC tells when its ring has room again, so that is looked for: a ring drains in no less. */
#define ROOM_RETRY_NS (20 * RILL_US)

/* What a NIC may lack. */
#define FIT_FLAGS                                                                                  \
	(RILL_BUF_CHAIN | RILL_BUF_PARTS | RILL_BUF_VLAN | RILL_BUF_GSO | RILL_BUF_CSUM_PARTIAL)

/* False: the ring is full; the frame stays the caller's, who has *at. */
static bool give_one(struct rill_port_queue *q, struct rill_buf **at)
{
	*at = rill_port_fit(q, *at);
	return !*at || q->driver->tx_burst(q->nicq, at, 1) == 1;
}

/*
 * What one frame becomes is sent as far as the ring has room, and what it has none for is lost, as
 * a NIC that cuts would lose it. When there is room for nothing the frame stays whole, and *at.
 */
static bool give_cut(struct rill_port_queue *q, struct rill_buf **at)
{
	struct rill_buf_queue frames = {0};
	unsigned sent = 0;
	struct rill_buf *b;

	if (!rill_port_cut(q, *at, &frames)) {
		rill_buf_put(*at);
		return true;
	}
	while ((b = rill_buf_queue_pop(&frames))) {
		if (give_one(q, &b)) {
			sent++;
			continue;
		}
		if (sent > 0)
			rill_counter_add(&q->counts.tx_full, frames.count + 1);
		rill_buf_put(b);
		break;
	}
	while ((b = rill_buf_queue_pop(&frames)))
		rill_buf_put(b);
	if (sent == 0)
		return false;
	rill_buf_put(*at);
	return true;
}

/* One at a time, for what happens to one must be known before the next. */
static RILL_NOINLINE unsigned give_fitted(struct rill_port_queue *q, struct rill_buf **bufs,
					  unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		bool cut = bufs[i]->flags & RILL_BUF_GSO & ~q->port->tx_able;

		if (!(cut ? give_cut(q, &bufs[i]) : give_one(q, &bufs[i])))
			return i;
	}
	return n;
}

static unsigned give(struct rill_port_queue *q, struct rill_buf **bufs, unsigned n)
{
	unsigned flags = 0;

	for (unsigned i = 0; i < n; i++)
		flags |= bufs[i]->flags;
	if (RILL_UNLIKELY(flags & FIT_FLAGS & ~q->port->tx_able))
		return give_fitted(q, bufs, n);
	return q->driver->tx_burst(q->nicq, bufs, n);
}

static unsigned give_burst(struct rill_port_queue *q, struct rill_buf **bufs, unsigned n,
			   unsigned flags)
{
	uint64_t now = rill_runtime_now_coarse(q->port->rt);
	unsigned sent;

	rill_port_take_turn(q);
	q->nicq->now_ns = now;
	sent = give(q, bufs, n);
	/* A full ring is emptied by a flush. */
	if (flags & RILL_PORT_MORE && sent == n) {
		rill_store_relaxed(&q->tx_pending, true);
	} else {
		rill_store_relaxed(&q->tx_pending, false);
		q->driver->tx_flush(q->nicq);
	}
	if (flags & RILL_PORT_DROP)
		rill_counter_add(&q->counts.tx_full, n - sent);
	rill_port_end_turn(q);
	return sent;
}

/* A handler runs on a worker, but in no task. */
static bool may_wait(void)
{
	const struct rill_worker *w = rill_worker_current();

	return !w || w->current;
}

static int wait_for_room(struct rill_port_queue *q)
{
	if (rill_load_relaxed(&q->port->gone))
		return -ENODEV;
	return rill_sleep(ROOM_RETRY_NS);
}

static int send_all(struct rill_port_queue *q, struct rill_buf **bufs, unsigned n, unsigned flags)
{
	unsigned sent = 0;
	int err = 0;

	for (;;) {
		sent += give_burst(q, bufs + sent, n - sent, flags);
		if (sent == n)
			return (int)n;
		err = wait_for_room(q);
		if (err < 0)
			return sent ? (int)sent : err;
	}
}

int rill_port_send(struct rill_port *port, unsigned queue, struct rill_pkt **pkts, unsigned n,
		   unsigned flags)
{
	struct rill_port_queue *q = rill_port_queue(port, queue);
	struct rill_buf **bufs = (struct rill_buf **)(void *)pkts;
	unsigned sent;

	if (!q)
		return -EINVAL;
	if (n == 0)
		return 0;
	if (!may_wait() || flags & (RILL_PORT_NOWAIT | RILL_PORT_DROP)) {
		sent = give_burst(q, bufs, n, flags);
		if (!(flags & RILL_PORT_DROP))
			return (int)sent;
		rill_pkt_free(pkts + sent, n - sent);
		return (int)n;
	}
	/* May never wait, so that only this lets others, and the NIC, have their turn in a loop. */
	rill_consume_budget();
	return send_all(q, bufs, n, flags);
}

void rill_port_flush(struct rill_port *port, unsigned queue)
{
	struct rill_port_queue *q = rill_port_queue(port, queue);

	if (!q)
		return;
	rill_port_take_turn(q);
	rill_store_relaxed(&q->tx_pending, false);
	q->driver->tx_flush(q->nicq);
	rill_port_end_turn(q);
}
