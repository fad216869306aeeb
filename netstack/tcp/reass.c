/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/reass.h"

#include "netstack/tcp/input.h"
#include "netstack/tcp/mem.h"
#include "netstack/tcp/recvq.h"
#include "netstack/tcp/sack_out.h"
#include "netstack/tcp/seq.h"

/* The last run that begins at or before seq; NULL: none. Most arrivals belong to the last one. */
static struct rill_buf *find_prev(const struct rill_tcp_reass *q, uint32_t seq)
{
	struct rill_buf *prev = NULL;

	if (q->last && rill_seq_leq(rill_reass_run(q->last)->seq, seq))
		return q->last;
	for (struct rill_buf *r = q->first; r && rill_seq_leq(rill_reass_run(r)->seq, seq);
	     r = rill_reass_run(r)->next)
		prev = r;
	return prev;
}

static struct rill_buf **slot_after(struct rill_tcp_reass *q, struct rill_buf *prev)
{
	return prev ? &rill_reass_run(prev)->next : &q->first;
}

/* Takes the run behind prev (NULL: the first) out; its buffers stay counted. */
static struct rill_buf *unlink_after(struct rill_tcp_reass *q, struct rill_buf *prev)
{
	struct rill_buf **at = slot_after(q, prev);
	struct rill_buf *r = *at;

	*at = rill_reass_run(r)->next;
	if (q->last == r)
		q->last = prev;
	q->runs--;
	return r;
}

static void free_run(struct rill_tcp_reass *q, struct rill_tcp_env *env, struct rill_buf *r)
{
	while (r) {
		struct rill_buf *next = r->next;

		q->count--;
		rill_tcp_mem_put(env, r);
		r = next;
	}
}

/*
 * What is there already wins: cuts b, which begins at seq, to what is new before the next run. Runs
 * that it covers whole are dropped.
 */
static void cut_tail(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *prev,
		     struct rill_buf *b, uint32_t seq)
{
	struct rill_tcp_reass *q = &tcb->x->reass;
	uint32_t end = seq + b->len;
	struct rill_buf *next;

	while ((next = *slot_after(q, prev))) {
		const struct rill_reass_run *n = rill_reass_run(next);

		if (rill_seq_leq(end, n->seq))
			return;
		rill_tcp_dsack_note(tcb, env, n->seq, rill_seq_min(end, n->end));
		if (rill_seq_lt(end, n->end)) {
			b->len -= end - n->seq;
			return;
		}
		free_run(q, env, unlink_after(q, prev));
	}
}

/* Adds b at the end of prev's run, which it continues. */
static void join(struct rill_tcp_reass *q, struct rill_tcp_env *env, struct rill_buf *prev,
		 struct rill_buf *b, bool full)
{
	struct rill_reass_run *p = rill_reass_run(prev);

	p->end += b->len;
	if (rill_recvq_merge(env, p->last, b, full))
		return;
	b->next = NULL;
	p->last->next = b;
	p->last = b;
	q->count++;
}

static struct rill_buf *new_run(struct rill_tcp_reass *q, struct rill_buf *prev, struct rill_buf *b,
				uint32_t seq)
{
	struct rill_buf **at = slot_after(q, prev);

	*rill_reass_run(b) = (struct rill_reass_run){
		.next = *at,
		.last = b,
		.seq = seq,
		.end = seq + b->len,
	};
	b->next = NULL;
	*at = b;
	if (q->last == prev)
		q->last = b;
	q->runs++;
	q->count++;
	return b;
}

/* The hole between r and the run behind it may just have been filled. */
static void close_gap(struct rill_tcp_reass *q, struct rill_buf *r)
{
	struct rill_reass_run *run = rill_reass_run(r);
	struct rill_buf *next = run->next;

	if (!next || rill_reass_run(next)->seq != run->end)
		return;
	run->last->next = unlink_after(q, r);
	run->last = rill_reass_run(next)->last;
	run->end = rill_reass_run(next)->end;
}

static enum rill_drop refuse(struct rill_tcp_env *env, struct rill_buf *b, enum rill_drop why)
{
	rill_tcp_mem_put(env, b);
	return why;
}

enum rill_drop rill_reass_insert(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b,
				 uint32_t seq)
{
	struct rill_tcp_reass *q = &tcb->x->reass;
	struct rill_buf *prev = find_prev(q, seq);
	struct rill_reass_run *p = prev ? rill_reass_run(prev) : NULL;
	bool full = q->count >= rill_recvq_bufs_max(tcb);
	struct rill_buf *run = prev;
	uint32_t end = seq + b->len;
	bool joins;

	rill_tcp_mem_take(env, b);
	if (p && rill_seq_lt(seq, p->end)) {
		rill_tcp_dsack_note(tcb, env, seq, rill_seq_min(end, p->end));
		rill_tcp_sack_note(tcb, p->seq, p->end);
		if (rill_seq_leq(end, p->end))
			return refuse(env, b, RILL_DROP_TCP_OLD);
		rill_buf_pull(b, p->end - seq);
		seq = p->end;
	}
	joins = p && p->end == seq;
	if (!joins && q->runs >= RILL_REASS_RUNS_MAX)
		return refuse(env, b, RILL_DROP_TCP_REASSEMBLY);
	if (full && !(joins && rill_recvq_mergeable(p->last, b)))
		return refuse(env, b, RILL_DROP_TCP_REASSEMBLY);
	cut_tail(tcb, env, prev, b, seq);
	if (joins)
		join(q, env, prev, b, full);
	else
		run = new_run(q, prev, b, seq);
	close_gap(q, run);
	rill_tcp_sack_note(tcb, rill_reass_run(run)->seq, rill_reass_run(run)->end);
	return RILL_DROP_NONE;
}

/* One run that begins at or before rcv_nxt. */
static void deliver_run(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b)
{
	uint32_t seq = rill_reass_run(b)->seq;

	rill_tcp_dsack_note(tcb, env, seq, rill_seq_min(rill_reass_run(b)->end, tcb->rcv_nxt));
	while (b) {
		struct rill_buf *next = b->next;
		uint32_t old = RILL_MIN(tcb->rcv_nxt - seq, b->len);

		seq += b->len;
		tcb->x->reass.count--;
		b->next = NULL;
		rill_buf_pull(b, old);
		rill_tcp_mem_release(env, b);
		if (b->len > 0)
			rill_tcp_deliver(tcb, env, b);
		else
			env->ops->put(env, b);
		b = next;
	}
}

bool rill_reass_deliver(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	struct rill_tcp_reass *q = &tcb->x->reass;
	bool any = false;

	while (q->first && rill_seq_leq(rill_reass_run(q->first)->seq, tcb->rcv_nxt)) {
		deliver_run(tcb, env, unlink_after(q, NULL));
		any = true;
	}
	if (any)
		rill_tcp_sack_forget_before(tcb, tcb->rcv_nxt);
	return any;
}

uint32_t rill_reass_limit(const struct rill_tcb *tcb)
{
	return rill_reass_empty(tcb) ? tcb->rcv_nxt : rill_reass_run(tcb->x->reass.last)->end;
}

bool rill_reass_prune(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	struct rill_buf *prev = NULL;
	struct rill_tcp_reass *q;

	if (rill_reass_empty(tcb))
		return false;
	q = &tcb->x->reass;
	for (struct rill_buf *r = q->first; r != q->last; r = rill_reass_run(r)->next)
		prev = r;
	rill_tcp_sack_forget_from(tcb, rill_reass_run(q->last)->seq);
	free_run(q, env, unlink_after(q, prev));
	rill_counter_add(&env->stats.pruned, 1);
	return true;
}

void rill_reass_clear(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	if (rill_reass_empty(tcb))
		return;
	while (tcb->x->reass.first)
		free_run(&tcb->x->reass, env, unlink_after(&tcb->x->reass, NULL));
	tcb->x->sack_count = 0;
}

static bool run_valid(struct rill_buf *r, uint32_t *count)
{
	const struct rill_reass_run *run = rill_reass_run(r);
	uint32_t seq = run->seq;
	struct rill_buf *last = NULL;

	for (struct rill_buf *b = r; b; b = b->next) {
		if (b->len == 0)
			return false;
		seq += b->len;
		last = b;
		++*count;
	}
	return seq == run->end && last == run->last;
}

bool rill_reass_valid(const struct rill_tcb *tcb)
{
	uint32_t from = tcb->rcv_nxt + 1; /* a gap of one byte at least */
	uint32_t edge = tcb->rcv_nxt + tcb->rcv_wnd;
	uint32_t count = 0;
	uint32_t runs = 0;

	if (rill_reass_empty(tcb))
		return !tcb->x || (!tcb->x->reass.last && tcb->x->reass.count == 0 &&
				   tcb->x->reass.runs == 0 && tcb->x->sack_count == 0);
	for (struct rill_buf *r = tcb->x->reass.first; r; r = rill_reass_run(r)->next) {
		const struct rill_reass_run *run = rill_reass_run(r);

		if (!run_valid(r, &count) || rill_seq_lt(run->seq, from) ||
		    rill_seq_gt(run->end, edge))
			return false;
		if (!run->next && r != tcb->x->reass.last)
			return false;
		from = run->end + 1;
		runs++;
	}
	return count == tcb->x->reass.count && runs == tcb->x->reass.runs;
}
