/* SPDX-License-Identifier: BSD-3-Clause */
/* The invariants of a connection. */
#include "netstack/tcp/reass.h"
#include "netstack/tcp/sendq.h"
#include "netstack/tcp/tcb.h"
#include "netstack/tcp/xfer.h"

static bool numbers_valid(const struct rill_tcb *t)
{
	return rill_seq_leq(t->snd_una, t->snd_nxt) &&
	       rill_seq_leq(t->snd_nxt, rill_sendq_limit(t)) && t->snd_mss > 0 &&
	       t->snd_wscale <= RILL_TCP_WSCALE_MAX && t->rcv_wscale <= RILL_TCP_WSCALE_MAX;
}

/* Bytes begin behind the SYN. */
static uint32_t behind_syn(const struct rill_tcb *t, uint32_t seq)
{
	return seq + (t->state <= RILL_TCP_SYN_RCVD && seq == t->iss);
}

/* snd_cur begins at snd_nxt, or one byte before it, when that was a window probe. */
static bool cur_valid(const struct rill_tcb *t)
{
	uint32_t nxt = behind_syn(t, t->snd_nxt);
	uint32_t seq;

	/* Only when all is sent is there no current one. */
	if (!t->snd_cur)
		return !t->sendq_first || rill_seq_geq(nxt, t->snd_end);
	seq = rill_send_cb(t->snd_cur)->seq;
	return seq == nxt || (seq + 1 == nxt && seq == t->snd_una);
}

/* Gapless from snd_una (or the first byte) to snd_end; sent before snd_cur, and not after. */
static bool sendq_valid(const struct rill_tcb *t)
{
	uint32_t seq = behind_syn(t, t->snd_una);
	struct rill_buf *last = NULL;
	bool sent = t->sendq_first != t->snd_cur;
	uint32_t count = 0;

	for (struct rill_buf *b = t->sendq_first; b; b = rill_send_cb(b)->next) {
		const struct rill_send_cb *cb = rill_send_cb(b);

		if (b == t->snd_cur)
			sent = false;
		if (cb->seq != seq || cb->len == 0 || sent != (b->time_ns != 0))
			return false;
		seq += cb->len;
		last = b;
		count++;
	}
	return cur_valid(t) && last == t->sendq_last && count == t->sendq_count &&
	       (!last || seq == t->snd_end);
}

struct sums {
	uint32_t sacked, lost, retrans, pending, segs, listed;
};

/* What may not be together, and the sums. */
static bool marks_valid(struct rill_buf *b, struct sums *sum)
{
	const struct rill_send_cb *cb = rill_send_cb(b);
	bool sacked = (cb->marks & RILL_SEND_SACKED) != 0;
	bool lost = (cb->marks & RILL_SEND_LOST) != 0;
	bool retrans = (cb->marks & RILL_SEND_RETRANS) != 0;
	bool in_flight = !sacked && (!lost || retrans);

	sum->sacked += sacked ? cb->len : 0;
	sum->segs += sacked;
	sum->lost += lost ? cb->len : 0;
	sum->retrans += retrans ? cb->len : 0;
	sum->pending += lost && !retrans ? cb->len : 0;
	sum->listed += in_flight;
	return !(sacked && (lost || retrans)) &&
	       in_flight == ((cb->marks & RILL_SEND_IN_ORDER) != 0);
}

static bool list_valid(const struct rill_tcp_xfer *x, uint32_t count)
{
	struct rill_buf *older = NULL;

	for (struct rill_buf *b = x->oldest; b; b = rill_send_cb(b)->newer) {
		if (count-- == 0 || rill_send_cb(b)->older != older)
			return false;
		if (older && older->time_ns > b->time_ns)
			return false;
		older = b;
	}
	return count == 0 && x->newest == older;
}

/* No hint names a buffer that is gone, nor one that is not SACKED. */
static bool hints_valid(const struct rill_tcb *t)
{
	unsigned hints = 0, found = 0;

	for (unsigned i = 0; i < RILL_TCP_SACK_HINTS; i++) {
		hints += t->x->sack_hint[i].last != NULL;
		for (struct rill_buf *b = t->sendq_first; b; b = rill_send_cb(b)->next)
			found += b == t->x->sack_hint[i].last &&
				 (rill_send_cb(b)->marks & RILL_SEND_SACKED) != 0;
	}
	return hints == found;
}

/* The sums are those of the marks, and nothing waits before rtx_next. */
static bool scoreboard_valid(const struct rill_tcb *t)
{
	const struct rill_tcp_xfer *x = t->x;
	struct sums sum = {0};
	uint32_t out = t->snd_nxt - t->snd_una;

	for (struct rill_buf *b = t->sendq_first; b && b->time_ns != 0; b = rill_send_cb(b)->next) {
		if (b == x->rtx_next && sum.pending != 0)
			return false;
		if (!marks_valid(b, &sum))
			return false;
	}
	return sum.sacked == x->sacked && sum.lost == x->lost && sum.retrans == x->retrans &&
	       sum.pending == x->rtx_pending && sum.segs == x->sacked_segs &&
	       x->sacked + x->lost + x->reno_sacked <= out && list_valid(x, sum.listed) &&
	       hints_valid(t);
}

static bool recvq_valid(const struct rill_tcb *t)
{
	uint32_t bytes = 0;
	uint32_t count = 0;

	for (struct rill_buf *b = t->recvq.first; b; b = b->next) {
		if (b->len == 0)
			return false;
		bytes += b->len;
		count++;
	}
	return bytes == t->rcv_queued && count == t->recvq.count;
}

/* Whatever waits for an answer has a timer. */
static bool timers_valid(const struct rill_tcb *t)
{
	if (t->state == RILL_TCP_CLOSED)
		return rill_tcb_next_deadline(t) == RILL_FOREVER;
	if (t->state == RILL_TCP_TIME_WAIT)
		return t->wait_at != RILL_FOREVER;
	return true;
}

bool rill_tcb_valid(const struct rill_tcb *t)
{
	if (t->state >= RILL_TCP_STATE_COUNT || !timers_valid(t))
		return false;
	if (!recvq_valid(t))
		return false;
	if (t->state == RILL_TCP_CLOSED)
		return !t->sendq_first && rill_reass_empty(t);
	if (t->x && !scoreboard_valid(t))
		return false;
	return numbers_valid(t) && sendq_valid(t) && rill_reass_valid(t);
}
