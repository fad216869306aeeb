/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/rate.h"

#include "netstack/tcp/cc.h"
#include "netstack/tcp/sendq.h"

void rill_tcp_rate_on_send(struct rill_tcb *tcb, struct rill_buf *b, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;
	struct rill_send_cb *cb = rill_send_cb(b);
	uint32_t pipe = rill_tcp_pipe(tcb);

	/* With nothing under way the clock begins here: the silence before was not the path's. */
	if (pipe == 0) {
		x->first_tx_ns = now;
		x->delivered_ns = now;
	}
	cb->first_tx_ns = x->first_tx_ns;
	cb->delivered_ns = x->delivered_ns;
	cb->delivered = (uint32_t)x->delivered;
	cb->lost = (uint32_t)x->lost_total;
	cb->tx_in_flight = pipe + cb->len;
	cb->marks &= (uint16_t)~RILL_SEND_APP_LIMITED;
	if (x->app_limited != 0)
		cb->marks |= RILL_SEND_APP_LIMITED;
}

/* Sent last among those delivered so far; of two sent at once, the one with the higher number. */
static bool is_newest(const struct rill_tcp_xfer *x, const struct rill_buf *b, uint32_t end_seq,
		      const struct rill_tcp_rate *rs)
{
	if (!rs->valid || b->time_ns > x->first_tx_ns)
		return true;
	return b->time_ns == x->first_tx_ns && rill_seq_gt(end_seq, rs->end_seq);
}

void rill_tcp_rate_on_delivered(struct rill_tcb *tcb, struct rill_buf *b, uint32_t n, uint64_t now,
				struct rill_tcp_rate *rs)
{
	struct rill_tcp_xfer *x = tcb->x;
	const struct rill_send_cb *cb = rill_send_cb(b);
	uint32_t end_seq = cb->seq + cb->len;
	uint64_t send_ns, ack_ns;

	x->delivered += n;
	x->delivered_ns = now;
	if (b->time_ns == 0 || !is_newest(x, b, end_seq, rs))
		return;
	send_ns = b->time_ns - RILL_MIN(cb->first_tx_ns, b->time_ns);
	ack_ns = now - RILL_MIN(cb->delivered_ns, now);
	rs->valid = true;
	rs->end_seq = end_seq;
	rs->prior_delivered = x->delivered - (uint32_t)((uint32_t)x->delivered - cb->delivered);
	rs->lost = (uint32_t)x->lost_total - cb->lost;
	rs->tx_in_flight = cb->tx_in_flight;
	rs->app_limited = (cb->marks & RILL_SEND_APP_LIMITED) != 0;
	/* ACKs may come in bunches, so the slower of the two rates is the one to believe. */
	rs->interval_ns = RILL_MAX(send_ns, ack_ns);
	x->first_tx_ns = b->time_ns;
}

void rill_tcp_rate_finish(struct rill_tcb *tcb, uint64_t now, struct rill_tcp_rate *rs)
{
	struct rill_tcp_xfer *x = tcb->x;

	(void)now;
	if (x->app_limited != 0 && x->delivered > x->app_limited)
		x->app_limited = 0;
	if (!rs->valid)
		return;
	rs->delivered = (uint32_t)(x->delivered - rs->prior_delivered);
	/*
	 * Faster than any round trip: the answer was to an earlier transmission of this segment
	 * (4.1.2.3).
	 */
	if (x->min_rtt_us != UINT32_MAX && rs->interval_ns < x->min_rtt_us * RILL_US)
		rs->interval_ns = 0;
	if (rs->interval_ns != 0 && (!rs->app_limited || x->rate_ns == 0)) {
		x->rate_delivered = rs->delivered;
		x->rate_ns = rs->interval_ns;
	}
}

void rill_tcp_rate_on_lost(struct rill_tcb *tcb, struct rill_buf *b, uint64_t now)
{
	tcb->x->lost_total += rill_send_cb(b)->len;
	if (tcb->cc->on_lost)
		tcb->cc->on_lost(tcb, b, now);
}

void rill_tcp_rate_mark_app_limited(struct rill_tcb *tcb)
{
	struct rill_tcp_xfer *x = tcb->x;

	x->app_limited = RILL_MAX(x->delivered + rill_tcp_pipe(tcb), UINT64_C(1));
}

void rill_tcp_rate_check_app_limited(struct rill_tcb *tcb)
{
	const struct rill_tcp_xfer *x = tcb->x;
	uint32_t unsent = rill_seq_lt(tcb->snd_nxt, tcb->snd_end) ? tcb->snd_end - tcb->snd_nxt : 0;

	if (unsent < tcb->snd_mss && x->lost <= x->retrans && (x->flags & RILL_XF_PACED_OUT) == 0 &&
	    rill_tcp_pipe(tcb) < tcb->cwnd)
		rill_tcp_rate_mark_app_limited(tcb);
}

uint64_t rill_tcp_rate_bps(const struct rill_tcp_rate *rs)
{
	if (rs->interval_ns == 0)
		return 0;
	return rs->delivered * RILL_SEC / rs->interval_ns;
}
