/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port and its queues. Three things keep people apart on a queue:
 *
 *   turn      who talks to the NIC's queue (a driver allows one thread), for one burst: the poller,
 *             a task that receives, whoever sends. Also of the pool.
 *   polling   whoever is in poll(), the handler included; nobody waits for it
 *   lock      the tasks that wait; a few instructions
 *
 * Taken in that order from the bottom: never turn under lock, never polling under turn.
 */
#ifndef RILL_PORTS_PORT_H
#define RILL_PORTS_PORT_H

#include <pthread.h>
#include <rill/port.h>

#include "base/list.h"
#include "base/spinlock.h"
#include "drivers/driver.h"
#include "runtime/poller.h"

/* Written with the turn held, read by anybody. */
struct rill_port_counts {
	uint64_t tx_full, tx_too_long, tx_no_packet, tx_gso, tx_fixed;
	uint64_t handed_back; /* by whoever polls */
};

struct rill_port_queue {
	struct rill_port *port RILL_CACHE_ALIGNED;
	struct rill_nic_queue *nicq;
	const struct rill_driver *driver;
	struct rill_poller poller;
	/* of whoever polls */
	bool armed;
	RILL_ATOMIC(uint64_t) link_next_ns; /* when to look whether the NIC is there */
	RILL_ATOMIC(unsigned) held_count;   /* with a handler: what it left. Else under turn */
	struct rill_buf *held[RILL_PORT_BURST];

	RILL_ATOMIC(uint32_t) turn RILL_CACHE_ALIGNED;
	RILL_ATOMIC(uint32_t) polling;
	RILL_ATOMIC(bool) tx_pending; /* given to the NIC, but not flushed */
	struct rill_port_counts counts;
	RILL_ATOMIC(uint32_t) waiting RILL_CACHE_ALIGNED; /* in waiters; changed under lock */
	struct rill_spinlock lock;
	struct rill_list waiters; /* struct rill_await */
};

struct rill_port {
	struct rill_runtime *rt;
	struct rill_nic *nic;
	unsigned (*handler)(struct rill_port *port, unsigned queue, struct rill_pkt **pkts,
			    unsigned n, void *ctx);
	void *ctx;
	char *name;
	uint32_t tx_able;	 /* flags of packets that the NIC sees to */
	pthread_mutex_t control; /* rules and link: the driver wants them one at a time */
	bool stopped;
	RILL_ATOMIC(bool) gone;
	unsigned queue_count;
	struct rill_port_queue *queues;
};

static inline void rill_port_take_turn(struct rill_port_queue *q)
{
	unsigned n = 0;

	/* acquire: pairs with the release in rill_port_end_turn() */
	while (RILL_UNLIKELY(rill_exchange_acquire(&q->turn, 1) != 0))
		do
			rill_spin_pause(++n);
		while (rill_load_relaxed(&q->turn) != 0);
}

static inline void rill_port_end_turn(struct rill_port_queue *q)
{
	/* release: pairs with the acquire in rill_port_take_turn() */
	rill_store_release(&q->turn, 0);
}

static inline struct rill_buf *rill_buf_of_pkt(const struct rill_pkt *p)
{
	return (struct rill_buf *)(uintptr_t)p;
}

static inline struct rill_pkt *rill_pkt_of_buf(struct rill_buf *b)
{
	return (struct rill_pkt *)(void *)b;
}

/* From the NIC, with the turn held, stamped with the time. */
unsigned rill_port_receive(struct rill_port_queue *q, struct rill_buf **bufs, unsigned max,
			   uint64_t now);

/* NULL: no such queue. */
static inline struct rill_port_queue *rill_port_queue(const struct rill_port *port, unsigned queue)
{
	return queue < port->queue_count ? &port->queues[queue] : NULL;
}

/* Asks the driver: true, taken away for good. */
bool rill_port_ask_gone(struct rill_port *port);

/* ---- poll.c ---- */

extern const struct rill_poller_ops rill_port_handler_ops, rill_port_task_ops;

/* ---- fit.c ---- */

/*
 * b as the NIC can send it: b, or another that replaces it. NULL: it cannot be sent, and was put
 * back and counted. With the turn held.
 */
struct rill_buf *rill_port_fit(struct rill_port_queue *q, struct rill_buf *b);

/* The frames that b, with RILL_BUF_GSO, stands for; b is as it was. False: counted. The same. */
bool rill_port_cut(struct rill_port_queue *q, struct rill_buf *b, struct rill_buf_queue *ret);

/* ---- metrics.c ---- */

bool rill_port_print_family(struct rill_poller *p, FILE *out, unsigned family, bool header);

#endif
