/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/sack.h"

#define SACK_STEPS_MAX 512

struct walk {
	struct rill_tcb *tcb;
	struct rill_tcp_env *env;
	struct rill_tcp_acked *a;
	uint32_t steps; /* left */
};

/*
 * RFC 2883, 4: the first block is a duplicate's if it lies below the ACK, or within the second
 * block. It must be of what was sent, and not of ages ago.
 */
static bool is_dsack(const struct rill_tcb *tcb, const struct rill_tcp_seg *seg)
{
	const struct rill_tcp_sack_block *s = seg->opt.sack;

	if (!rill_seq_lt(s[0].start, s[0].end) || rill_seq_gt(s[0].end, tcb->snd_nxt) ||
	    rill_seq_lt(s[0].start, tcb->snd_una - tcb->max_snd_wnd))
		return false;
	if (rill_seq_leq(s[0].end, seg->ack))
		return true;
	return seg->opt.sack_count > 1 && rill_seq_geq(s[0].start, s[1].start) &&
	       rill_seq_leq(s[0].end, s[1].end);
}

/* What of a block is news about data outstanding; false: nothing, or nothing to believe. */
static bool clip(const struct rill_tcb *tcb, struct rill_tcp_sack_block *s)
{
	if (!rill_seq_lt(s->start, s->end) || rill_seq_gt(s->end, tcb->snd_nxt) ||
	    rill_seq_leq(s->end, tcb->snd_una) ||
	    rill_seq_lt(s->start, tcb->snd_una - tcb->max_snd_wnd))
		return false;
	s->start = rill_seq_max(s->start, tcb->snd_una);
	/* The FIN has a number, but no place in the queue; the byte of a window probe counts not.
	 */
	s->end =
		rill_seq_min(s->end, tcb->snd_cur ? rill_send_cb(tcb->snd_cur)->seq : tcb->snd_end);
	return rill_seq_lt(s->start, s->end);
}

/* The believable ones, by where they begin. */
static unsigned collect(const struct rill_tcb *tcb, const struct rill_tcp_seg *seg, unsigned from,
			struct rill_tcp_sack_block *ret)
{
	unsigned n = 0;

	for (unsigned i = from; i < seg->opt.sack_count && i < RILL_TCP_SACK_BLOCKS_MAX; i++) {
		struct rill_tcp_sack_block s = seg->opt.sack[i];
		unsigned at;

		if (!clip(tcb, &s))
			continue;
		for (at = n; at > 0 && rill_seq_lt(s.start, ret[at - 1].start); at--)
			ret[at] = ret[at - 1];
		ret[at] = s;
		n++;
	}
	return n;
}

/* The nearest known place at or before seq. */
static struct rill_buf *nearest(const struct rill_tcb *tcb, uint32_t seq)
{
	const struct rill_tcp_xfer *x = tcb->x;
	struct rill_buf *best = tcb->sendq_first;

	if (x->sack_far && rill_seq_leq(rill_send_cb(x->sack_far)->seq, seq))
		best = x->sack_far;
	for (unsigned i = 0; i < RILL_TCP_SACK_HINTS; i++) {
		const struct rill_tcp_sack_hint *h = &x->sack_hint[i];

		if (!h->last || rill_seq_leq(rill_send_cb(h->last)->seq, rill_send_cb(best)->seq))
			continue;
		/* Within the range, all up to its last is SACKED already. */
		if (rill_seq_leq(rill_send_cb(h->last)->seq, seq) ||
		    (rill_seq_leq(h->start, seq) && rill_seq_lt(seq, rill_send_end(h->last))))
			best = h->last;
	}
	return best;
}

/* The end of the SACKED range that begins with b, as far as that is known. */
static struct rill_buf *range_end(const struct rill_tcp_xfer *x, struct rill_buf *b)
{
	for (unsigned i = 0; i < RILL_TCP_SACK_HINTS; i++)
		if (x->sack_hint[i].last && x->sack_hint[i].start == rill_send_cb(b)->seq)
			return x->sack_hint[i].last;
	return b;
}

/* The one that a range touches; else a free one; else what was remembered longest goes. */
static struct rill_tcp_sack_hint *hint_for(struct rill_tcp_xfer *x, uint32_t start, uint32_t end)
{
	struct rill_tcp_sack_hint *free = NULL;

	for (unsigned i = 0; i < RILL_TCP_SACK_HINTS; i++) {
		struct rill_tcp_sack_hint *h = &x->sack_hint[i];

		if (!h->last)
			free = h;
		else if (rill_seq_leq(start, rill_send_end(h->last)) && rill_seq_geq(end, h->start))
			return h;
	}
	if (free)
		return free;
	for (unsigned i = 1; i < RILL_TCP_SACK_HINTS; i++)
		x->sack_hint[i - 1] = x->sack_hint[i];
	free = &x->sack_hint[RILL_TCP_SACK_HINTS - 1];
	free->last = NULL;
	return free;
}

/* All from start to the end of last is SACKED. */
static void remember(struct rill_tcp_xfer *x, uint32_t start, struct rill_buf *last)
{
	struct rill_tcp_sack_hint *h = hint_for(x, start, rill_send_end(last));

	if (!h->last) {
		h->start = start;
		h->last = last;
		return;
	}
	h->start = rill_seq_min(start, h->start);
	if (rill_seq_gt(rill_send_end(last), rill_send_end(h->last)))
		h->last = last;
}

/* The first segment that ends behind seq. NULL: not found in the steps that are left. */
static struct rill_buf *find(struct walk *w, uint32_t seq)
{
	struct rill_buf *b = nearest(w->tcb, seq);

	for (; w->steps > 0; w->steps--) {
		if (rill_seq_gt(rill_send_end(b), seq))
			return b;
		b = rill_send_cb(b)->next;
	}
	w->tcb->x->sack_far = b;
	return NULL;
}

/* Splits so that b lies within [start, end). NULL: it cannot be, or the next piece is the one. */
static struct rill_buf *fit(struct walk *w, struct rill_buf *b, const struct rill_tcp_sack_block *s)
{
	struct rill_send_cb *cb = rill_send_cb(b);

	if (rill_seq_lt(cb->seq, s->start)) {
		if (!rill_sendq_split(w->tcb, w->env, b, s->start - cb->seq))
			return NULL;
		b = cb->next;
		cb = rill_send_cb(b);
	}
	if (rill_seq_gt(rill_send_end(b), s->end) &&
	    !rill_sendq_split(w->tcb, w->env, b, s->end - cb->seq))
		return NULL;
	return b;
}

static void tag(struct walk *w, const struct rill_tcp_sack_block *s)
{
	struct rill_tcp_xfer *x = w->tcb->x;
	struct rill_buf *b = find(w, s->start);
	struct rill_buf *last = NULL;
	uint32_t start = 0;

	for (; b && rill_seq_lt(rill_send_cb(b)->seq, s->end); b = rill_send_cb(b)->next) {
		if (w->steps == 0)
			break;
		w->steps--;
		if ((rill_send_cb(b)->marks & RILL_SEND_SACKED) == 0) {
			struct rill_buf *whole = fit(w, b, s);

			if (!whole) {
				if (last)
					break;
				continue;
			}
			b = whole;
			rill_tcp_mark_sacked(w->tcb, b, w->a);
		}
		if (!last)
			start = rill_send_cb(b)->seq;
		b = range_end(x, b);
		last = b;
	}
	if (last)
		remember(x, start, last);
}

void rill_tcp_sack_input(struct rill_tcb *tcb, struct rill_tcp_env *env,
			 const struct rill_tcp_seg *seg, struct rill_tcp_acked *a)
{
	struct walk w = {tcb, env, a, SACK_STEPS_MAX};
	struct rill_tcp_sack_block blocks[RILL_TCP_SACK_BLOCKS_MAX];
	unsigned n;

	if (seg->opt.sack_count == 0)
		return;
	a->had_sack = true;
	a->dsack = is_dsack(tcb, seg);
	if (a->dsack) {
		a->dsack_start = seg->opt.sack[0].start;
		a->dsack_end = seg->opt.sack[0].end;
		rill_counter_add(&env->stats.dsacks_in, 1);
		if (tcb->dsacks < UINT16_MAX)
			tcb->dsacks++;
	}
	if (tcb->snd_una == tcb->snd_nxt || !tcb->sendq_first)
		return;
	n = collect(tcb, seg, a->dsack, blocks);
	for (unsigned i = 0; i < n; i++)
		tag(&w, &blocks[i]);
}
