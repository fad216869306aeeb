/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/reass.h"

#include "netstack/tcp/input.h"
#include "netstack/tcp/recvq.h"
#include "netstack/tcp/seq.h"

static void link_after(struct rill_buf_queue *q, struct rill_buf *prev, struct rill_buf *b)
{
	struct rill_buf **at = prev ? &prev->next : &q->first;

	b->next = *at;
	*at = b;
	if (!b->next)
		q->last = b;
	q->count++;
}

static struct rill_buf *unlink_after(struct rill_buf_queue *q, struct rill_buf *prev)
{
	struct rill_buf **at = prev ? &prev->next : &q->first;
	struct rill_buf *b = *at;

	*at = b->next;
	if (q->last == b)
		q->last = prev;
	q->count--;
	b->next = NULL;
	return b;
}

/* The last buffer that begins at or before seq. Most arrivals belong at the end. */
static struct rill_buf *find_prev(const struct rill_buf_queue *q, uint32_t seq)
{
	struct rill_buf *prev = NULL;

	if (q->last && rill_seq_leq(*rill_reass_seq(q->last), seq))
		return q->last;
	for (struct rill_buf *b = q->first; b && rill_seq_leq(*rill_reass_seq(b), seq); b = b->next)
		prev = b;
	return prev;
}

/*
 * What is there already wins: cuts b to what is new before the next one, dropping those that it
 * covers.
 */
static void cut_tail(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *prev,
		     struct rill_buf *b)
{
	struct rill_buf *next;

	while ((next = prev ? prev->next : tcb->reass.first)) {
		uint32_t end = rill_reass_end(b);

		if (rill_seq_leq(end, *rill_reass_seq(next)))
			return;
		if (rill_seq_lt(end, rill_reass_end(next))) {
			b->len -= end - *rill_reass_seq(next);
			return;
		}
		env->ops->put(env, unlink_after(&tcb->reass, prev));
	}
}

static bool queue_full(const struct rill_tcb *tcb)
{
	return tcb->reass.count >= rill_recvq_bufs_max(tcb);
}

enum rill_drop rill_reass_insert(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b,
				 uint32_t seq)
{
	struct rill_buf *prev = find_prev(&tcb->reass, seq);

	*rill_reass_seq(b) = seq;
	if (prev && rill_seq_lt(seq, rill_reass_end(prev))) {
		uint32_t overlap = rill_reass_end(prev) - seq;

		if (overlap >= b->len) {
			env->ops->put(env, b);
			return RILL_DROP_TCP_OLD;
		}
		rill_buf_pull(b, overlap);
		*rill_reass_seq(b) += overlap;
	}
	cut_tail(tcb, env, prev, b);
	if (prev && rill_reass_end(prev) == *rill_reass_seq(b) &&
	    rill_recvq_merge(env, prev, b, queue_full(tcb)))
		return RILL_DROP_NONE;
	if (queue_full(tcb)) {
		env->ops->put(env, b);
		return RILL_DROP_TCP_REASSEMBLY;
	}
	link_after(&tcb->reass, prev, b);
	return RILL_DROP_NONE;
}

bool rill_reass_deliver(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	bool any = false;

	while (tcb->reass.first && rill_seq_leq(*rill_reass_seq(tcb->reass.first), tcb->rcv_nxt)) {
		struct rill_buf *b = rill_buf_queue_pop(&tcb->reass);
		uint32_t old = tcb->rcv_nxt - *rill_reass_seq(b);

		any = true;
		if (old >= b->len) {
			env->ops->put(env, b);
			continue;
		}
		rill_buf_pull(b, old);
		rill_tcp_deliver(tcb, env, b);
	}
	return any;
}

void rill_reass_clear(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	struct rill_buf *b;

	while ((b = rill_buf_queue_pop(&tcb->reass)))
		env->ops->put(env, b);
}
