/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/scoreboard.h"

#include "netstack/tcp/inflight.h"
#include "netstack/tcp/rack.h"
#include "netstack/tcp/rate.h"

#include <string.h>

#define LOSS_MARKS (RILL_SEND_LOST | RILL_SEND_RETRANS)

/* n bytes of a segment with these marks are no longer in the sums. */
static void subtract(struct rill_tcp_xfer *x, uint16_t marks, uint32_t n)
{
	if ((marks & RILL_SEND_SACKED) != 0)
		x->sacked -= n;
	if ((marks & RILL_SEND_LOST) != 0)
		x->lost -= n;
	if ((marks & RILL_SEND_RETRANS) != 0)
		x->retrans -= n;
	if ((marks & LOSS_MARKS) == RILL_SEND_LOST)
		x->rtx_pending -= n;
}

void rill_tcp_mark_sent(struct rill_tcb *tcb, struct rill_buf *b, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;
	struct rill_send_cb *cb = rill_send_cb(b);

	rill_tcp_rate_on_send(tcb, b, now);
	if (b->time_ns != 0) {
		rill_inflight_remove(x, cb);
		if ((cb->marks & LOSS_MARKS) == RILL_SEND_LOST)
			x->rtx_pending -= cb->len;
		if ((cb->marks & RILL_SEND_RETRANS) == 0)
			x->retrans += cb->len;
		cb->marks |= RILL_SEND_RETRANS | RILL_SEND_EVER_RETRANS;
	}
	b->time_ns = now;
	rill_inflight_append(x, b);
}

/* n bytes of b, of which nothing was known, have arrived. */
static void delivered(struct rill_tcb *tcb, struct rill_buf *b, uint32_t n,
		      struct rill_tcp_acked *a)
{
	struct rill_tcp_xfer *x = tcb->x;
	uint32_t end = rill_send_end(b);
	bool once = (rill_send_cb(b)->marks & RILL_SEND_EVER_RETRANS) == 0;

	a->delivered += n;
	rill_tcp_rate_on_delivered(tcb, b, n, a->now, &a->rate);
	rill_tcp_rack_on_delivered(tcb, b, a);
	/* RFC 8985, 6.2, step 3: below what had arrived before, and never sent again. */
	if (rill_seq_geq(end, x->high_sacked))
		x->high_sacked = end;
	else if (once)
		rill_tcp_rack_reordered(tcb, x->high_sacked - end);
	if (!once)
		return;
	a->rtt_ns = a->now - b->time_ns;
	a->orig_acked |= rill_seq_leq(end, x->frto_high);
}

/* The bookkeeping of a segment with a history. */
static void forget(struct rill_tcp_xfer *x, struct rill_buf *b, uint32_t n)
{
	struct rill_send_cb *cb = rill_send_cb(b);

	subtract(x, cb->marks, n);
	if ((cb->marks & RILL_SEND_SACKED) == 0 || n < cb->len)
		return;
	x->sacked_segs--;
	for (unsigned i = 0; i < RILL_TCP_SACK_HINTS; i++)
		if (x->sack_hint[i].last == b)
			x->sack_hint[i].last = NULL;
}

void rill_tcp_mark_acked(struct rill_tcb *tcb, struct rill_buf *b, uint32_t n,
			 struct rill_tcp_acked *a)
{
	struct rill_tcp_xfer *x = tcb->x;
	struct rill_send_cb *cb = rill_send_cb(b);

	a->bytes += n;
	if ((cb->marks & RILL_SEND_SACKED) == 0 && b->time_ns != 0)
		delivered(tcb, b, n, a);
	a->resent |= (cb->marks & RILL_SEND_EVER_RETRANS) != 0;
	if (RILL_UNLIKELY(cb->marks & (RILL_SEND_SACKED | LOSS_MARKS)))
		forget(x, b, n);
	if (n < cb->len)
		return;
	rill_inflight_remove(x, cb);
	if (x->rtx_next == b)
		x->rtx_next = NULL;
	if (x->sack_far == b)
		x->sack_far = NULL;
}

void rill_tcp_mark_sacked(struct rill_tcb *tcb, struct rill_buf *b, struct rill_tcp_acked *a)
{
	struct rill_tcp_xfer *x = tcb->x;
	struct rill_send_cb *cb = rill_send_cb(b);

	delivered(tcb, b, cb->len, a);
	a->orig_sacked |= (cb->marks & RILL_SEND_EVER_RETRANS) == 0 &&
			  rill_seq_leq(rill_send_end(b), x->frto_high);
	subtract(x, cb->marks, cb->len);
	rill_inflight_remove(x, cb);
	cb->marks &= (uint16_t)~LOSS_MARKS;
	cb->marks |= RILL_SEND_SACKED;
	x->sacked += cb->len;
	x->sacked_segs++;
	a->sacked = true;
}

void rill_tcp_mark_lost(struct rill_tcb *tcb, struct rill_buf *b, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;
	struct rill_send_cb *cb = rill_send_cb(b);

	if ((cb->marks & RILL_SEND_SACKED) != 0 || (cb->marks & LOSS_MARKS) == RILL_SEND_LOST)
		return;
	rill_inflight_remove(x, cb);
	subtract(x, cb->marks, cb->len);
	cb->marks &= (uint16_t)~RILL_SEND_RETRANS;
	cb->marks |= RILL_SEND_LOST;
	x->lost += cb->len;
	x->rtx_pending += cb->len;
	if (x->rtx_next && rill_seq_lt(cb->seq, rill_send_cb(x->rtx_next)->seq))
		x->rtx_next = b;
	rill_tcp_rate_on_lost(tcb, b, now);
}

void rill_tcp_mark_split(struct rill_tcb *tcb, struct rill_buf *b, struct rill_buf *rest)
{
	struct rill_tcp_xfer *x = tcb->x;
	struct rill_send_cb *cb = rill_send_cb(b);

	if ((cb->marks & RILL_SEND_SACKED) != 0)
		x->sacked_segs++;
	if ((cb->marks & RILL_SEND_IN_ORDER) != 0)
		rill_inflight_insert(x, cb->newer, rest);
}

void rill_tcp_mark_lost_before(struct rill_tcb *tcb, uint64_t sent_before, uint64_t now)
{
	struct rill_buf *b = tcb->x->oldest;

	while (b && b->time_ns < sent_before) {
		struct rill_buf *newer = rill_send_cb(b)->newer;

		rill_tcp_mark_lost(tcb, b, now);
		b = newer;
	}
}

/* b goes back into the list of what is in flight, with the others of chain. */
static struct rill_buf *chained(struct rill_buf *b, struct rill_buf *chain)
{
	rill_send_cb(b)->newer = chain;
	return b;
}

void rill_tcp_unmark_lost(struct rill_tcb *tcb)
{
	struct rill_tcp_xfer *x = tcb->x;
	struct rill_buf *chain = NULL;

	for (struct rill_buf *b = tcb->sendq_first; b && x->lost > 0; b = rill_send_cb(b)->next) {
		struct rill_send_cb *cb = rill_send_cb(b);

		if ((cb->marks & RILL_SEND_LOST) == 0)
			continue;
		x->lost -= cb->len;
		cb->marks &= (uint16_t)~RILL_SEND_LOST;
		if ((cb->marks & RILL_SEND_RETRANS) != 0)
			continue;
		x->rtx_pending -= cb->len;
		chain = chained(b, chain);
	}
	if (chain)
		rill_inflight_bring_back(x, chain);
	x->rtx_next = NULL;
}

void rill_tcp_unmark_sacked(struct rill_tcb *tcb)
{
	struct rill_tcp_xfer *x = tcb->x;
	struct rill_buf *chain = NULL;

	for (struct rill_buf *b = tcb->sendq_first; b && x->sacked > 0; b = rill_send_cb(b)->next) {
		struct rill_send_cb *cb = rill_send_cb(b);

		if ((cb->marks & RILL_SEND_SACKED) == 0)
			continue;
		x->sacked -= cb->len;
		x->sacked_segs--;
		cb->marks &= (uint16_t)~RILL_SEND_SACKED;
		chain = chained(b, chain);
	}
	if (chain)
		rill_inflight_bring_back(x, chain);
	memset(x->sack_hint, 0, sizeof(x->sack_hint));
	x->sack_far = NULL;
	x->high_sacked = tcb->snd_una;
}

struct rill_buf *rill_tcp_next_lost(struct rill_tcb *tcb)
{
	struct rill_tcp_xfer *x = tcb->x;
	struct rill_buf *b = x->rtx_next ? x->rtx_next : tcb->sendq_first;

	if (x->rtx_pending == 0)
		return NULL;
	while ((rill_send_cb(b)->marks & LOSS_MARKS) != RILL_SEND_LOST)
		b = rill_send_cb(b)->next;
	x->rtx_next = b;
	return b;
}

void rill_tcp_scoreboard_clear(struct rill_tcb *tcb)
{
	struct rill_tcp_xfer *x = tcb->x;

	x->sacked = 0;
	x->sacked_segs = 0;
	x->lost = 0;
	x->rtx_pending = 0;
	x->retrans = 0;
	x->reno_sacked = 0;
	x->oldest = NULL;
	x->newest = NULL;
	x->rtx_next = NULL;
	x->sack_far = NULL;
	memset(x->sack_hint, 0, sizeof(x->sack_hint));
}
