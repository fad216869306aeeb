/* SPDX-License-Identifier: BSD-3-Clause */
/* The invariants of a connection. */
#include "netstack/tcp/reass.h"
#include "netstack/tcp/sendq.h"
#include "netstack/tcp/tcb.h"

static bool numbers_valid(const struct rill_tcb *t)
{
	return rill_seq_leq(t->snd_una, t->snd_rtx) && rill_seq_leq(t->snd_rtx, t->snd_nxt) &&
	       rill_seq_leq(t->snd_nxt, rill_sendq_limit(t)) && t->snd_mss > 0 &&
	       t->snd_wscale <= RILL_TCP_WSCALE_MAX && t->rcv_wscale <= RILL_TCP_WSCALE_MAX;
}

/* Gapless from snd_una (or the first byte) to snd_end, with snd_cur where snd_rtx is. */
static bool sendq_valid(const struct rill_tcb *t)
{
	uint32_t seq = rill_seq_max(t->snd_una, t->iss + 1);
	struct rill_buf *last = NULL;
	bool cur_found = !t->snd_cur;
	uint32_t count = 0;

	for (struct rill_buf *b = t->sendq_first; b; b = rill_send_cb(b)->next) {
		const struct rill_send_cb *cb = rill_send_cb(b);

		if (cb->seq != seq || cb->len == 0)
			return false;
		if (b == t->snd_cur) {
			uint32_t at = rill_seq_max(t->snd_rtx, t->iss + 1);

			cur_found = rill_seq_geq(at, seq) && rill_seq_lt(at, seq + cb->len);
		}
		seq += cb->len;
		last = b;
		count++;
	}
	if (!last && t->snd_cur)
		return false;
	/* Only when all is sent is there no current one. */
	if (last && !t->snd_cur && rill_seq_lt(t->snd_rtx, t->snd_end))
		return false;
	return cur_found && last == t->sendq_last && count == t->sendq_count &&
	       (!last || seq == t->snd_end);
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

static bool reass_valid(const struct rill_tcb *t)
{
	uint32_t from = t->rcv_nxt + 1; /* a gap of one byte at least */
	uint32_t edge = t->rcv_nxt + t->rcv_wnd;
	uint32_t count = 0;

	for (struct rill_buf *b = t->reass.first; b; b = b->next) {
		if (b->len == 0 || rill_seq_lt(*rill_reass_seq(b), from) ||
		    rill_seq_gt(rill_reass_end(b), edge))
			return false;
		from = rill_reass_end(b);
		count++;
	}
	return count == t->reass.count;
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
		return !t->sendq_first && !t->reass.first;
	return numbers_valid(t) && sendq_valid(t) && reass_valid(t);
}
