/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments that came out of order: x->reass, in runs. A run is a chain of buffers without a gap;
 * runs are sorted, and between any two of them, as between rcv_nxt and the first, at least one byte
 * is missing. So inserting costs by the number of holes, not by the number of segments, and each
 * run is a SACK block as it stands.
 *
 *      rcv_nxt ... [run: buf buf buf] ... [run: buf] ... [run: buf buf]
 *                  first                                 last
 *
 * Bounded in bytes by the window, in buffers (rill_recvq_bufs_max()) and in runs.
 */
#ifndef RILL_NETSTACK_TCP_REASS_H
#define RILL_NETSTACK_TCP_REASS_H

#include "netstack/tcp/tcb.h"
#include "netstack/tcp/xfer.h"

/* More holes than this in one window are an attack on our time, not loss. */
#define RILL_REASS_RUNS_MAX 256

/* In the cookie of a run's first buffer. */
struct rill_reass_run {
	struct rill_buf *next; /* the run behind it */
	struct rill_buf *last; /* its last buffer */
	uint32_t seq;	       /* of its first byte */
	uint32_t end;	       /* one past its last */
};

RILL_STATIC_ASSERT(sizeof(struct rill_reass_run) <= sizeof(((struct rill_buf *)0)->cookie),
		   "the cookie holds it");

static inline struct rill_reass_run *rill_reass_run(struct rill_buf *b)
{
	return (struct rill_reass_run *)(void *)b->cookie;
}

static inline bool rill_reass_empty(const struct rill_tcb *tcb)
{
	return !tcb->x || !tcb->x->reass.first;
}

/* One past the highest byte there; rcv_nxt when it is empty. */
uint32_t rill_reass_limit(const struct rill_tcb *tcb);
/*
 * b begins at seq, beyond rcv_nxt, inside the window; there is an x. Takes the reference. Notes for
 * SACK and D-SACK what has arrived.
 */
enum rill_drop rill_reass_insert(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b,
				 uint32_t seq);
/* Moves what has become in order to the receive queue; whether there was something. */
bool rill_reass_deliver(struct rill_tcb *tcb, struct rill_tcp_env *env);
/*
 * Gives up the highest run, for lack of memory: the sender has to keep it until it is acknowledged
 * (RFC 2018, 8). False: there is none.
 */
bool rill_reass_prune(struct rill_tcb *tcb, struct rill_tcp_env *env);
void rill_reass_clear(struct rill_tcb *tcb, struct rill_tcp_env *env);
bool rill_reass_valid(const struct rill_tcb *tcb);

#endif
