/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/input.h"

#include "netstack/tcp/reass.h"
#include "netstack/tcp/reset.h"
#include "netstack/tcp/seq.h"
#include "netstack/tcp/trace.h"

static enum rill_drop input_closed(struct rill_tcp_rx *rx)
{
	rill_tcp_reject(rx->env, rx->seg);
	return RILL_DROP_TCP_CLOSED;
}

/* SYN-RECEIVED and everything after it: the order of RFC 9293, 3.10.7.4. */
static enum rill_drop input_synchronized(struct rill_tcp_rx *rx)
{
	enum rill_drop drop = rill_tcp_input_check(rx);

	if (drop != RILL_DROP_NONE || rx->tcb->state == RILL_TCP_CLOSED)
		return drop;
	drop = rill_tcp_input_ack(rx);
	if (drop == RILL_DROP_NONE)
		drop = rill_tcp_input_data(rx);
	return drop;
}

static enum rill_drop (*const by_state[RILL_TCP_STATE_COUNT])(struct rill_tcp_rx *rx) = {
	[RILL_TCP_CLOSED] = input_closed,	    [RILL_TCP_SYN_SENT] = rill_tcp_input_syn_sent,
	[RILL_TCP_SYN_RCVD] = input_synchronized,   [RILL_TCP_ESTABLISHED] = input_synchronized,
	[RILL_TCP_FIN_WAIT_1] = input_synchronized, [RILL_TCP_FIN_WAIT_2] = input_synchronized,
	[RILL_TCP_CLOSE_WAIT] = input_synchronized, [RILL_TCP_CLOSING] = input_synchronized,
	[RILL_TCP_LAST_ACK] = input_synchronized,   [RILL_TCP_TIME_WAIT] = input_synchronized,
};

/*
 * Header prediction: the next bytes in order or an ACK of something new, with nothing else to look
 * at. For such a segment every check of input_synchronized() is known to pass.
 */
static bool predicted(const struct rill_tcb *tcb, const struct rill_tcp_seg *seg)
{
	const uint32_t special =
		RILL_TCB_FIN_SEEN | RILL_TCB_RCV_SHUT | RILL_TCB_ACCECN | RILL_TCB_ECE_DUE;
	bool stamped = (seg->opt.present & RILL_TCP_OPT_TIMESTAMPS) != 0;

	if (tcb->state != RILL_TCP_ESTABLISHED || (tcb->flags & special) != 0)
		return false;
	if (tcb->timer == RILL_TCP_TIMER_PERSIST || tcb->snd_wnd == 0 || seg->wnd == 0 ||
	    (seg->opt.present & (RILL_TCP_OPT_SACK | RILL_TCP_OPT_USER_TIMEOUT)) != 0)
		return false;
	if ((seg->flags & ~(uint8_t)RILL_TCP_PSH) != RILL_TCP_ACK || seg->ecn == RILL_ECN_CE)
		return false;
	if (seg->seq != tcb->rcv_nxt || seg->len > tcb->rcv_wnd || !rill_reass_empty(tcb))
		return false;
	if (rill_seq_lt(seg->seq, tcb->snd_wl1))
		return false;
	if (stamped != ((tcb->flags & RILL_TCB_TIMESTAMPS) != 0))
		return false;
	if (stamped && rill_seq_lt(seg->opt.tsval, tcb->ts_recent))
		return false;
	/* A pure ACK must be new; one with data may repeat the last. */
	return seg->ack - tcb->snd_una <= tcb->snd_nxt - tcb->snd_una &&
	       (seg->len > 0 || seg->ack != tcb->snd_una);
}

static enum rill_drop input_predicted(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	struct rill_tcp_seg *seg = rx->seg;

	rill_tcp_note_timestamp(rx);
	if (seg->ack != tcb->snd_una)
		rill_tcp_ack_advance(rx);
	tcb->snd_wnd = (uint32_t)seg->wnd << tcb->snd_wscale;
	tcb->max_snd_wnd = RILL_MAX(tcb->max_snd_wnd, tcb->snd_wnd);
	tcb->snd_wl1 = seg->seq;
	tcb->snd_wl2 = seg->ack;
	if (seg->len > 0)
		rill_tcp_data_in_order(rx);
	return RILL_DROP_NONE;
}

enum rill_drop rill_tcb_input(struct rill_tcb *tcb, struct rill_tcp_env *env,
			      struct rill_tcp_seg *seg, struct rill_buf *b, uint64_t now)
{
	struct rill_tcp_rx rx = {tcb, env, seg, b, now, seg->len > 0};
	enum rill_drop drop;

	tcb->segs_in++;
	tcb->data_segs_in += seg->len > 0;
	if (RILL_LIKELY(predicted(tcb, seg)))
		drop = input_predicted(&rx);
	else
		drop = by_state[tcb->state](&rx);
	if (drop == RILL_DROP_NONE)
		tcb->last_recv_ns = now;
	if (RILL_UNLIKELY(drop != RILL_DROP_NONE))
		rill_tcp_trace(tcb, env, RILL_TCP_EV_DROP, drop, seg->seq - tcb->rcv_nxt, now);
	if (rx.b)
		env->ops->put(env, rx.b);
	return drop;
}

/* ---- runs ---- */

/*
 * Whether the segment behind one that was predicted is, too: what the two have in common has not
 * changed. Memory may have refused the one before.
 */
static bool still_predicted(const struct rill_tcb *tcb, const struct rill_tcp_seg *seg)
{
	return seg->seq == tcb->rcv_nxt && seg->len <= tcb->rcv_wnd &&
	       tcb->timer != RILL_TCP_TIMER_PERSIST;
}

bool rill_tcb_predicts(const struct rill_tcb *tcb, const struct rill_tcp_seg *seg)
{
	return predicted(tcb, seg);
}

unsigned rill_tcb_input_run(struct rill_tcb *tcb, struct rill_tcp_env *env,
			    struct rill_tcp_seg *seg, const struct rill_tcp_run *run, uint64_t now)
{
	struct rill_tcp_rx rx = {tcb, env, seg, run->bufs[0], now, true};
	uint32_t segments;
	unsigned n = 0;

	seg->len = rx.b->len;
	if (run->count == 1)
		seg->flags = run->last_flags;
	if (!predicted(tcb, seg))
		return 0;
	input_predicted(&rx);
	for (;;) {
		if (RILL_UNLIKELY(rx.b != NULL))
			env->ops->put(env, rx.b);
		if (++n == run->count)
			break;
		seg->seq += seg->len;
		seg->len = run->bufs[n]->len;
		if (RILL_UNLIKELY(!still_predicted(tcb, seg)))
			break;
		if (n + 1 == run->count)
			seg->flags = run->last_flags;
		rx.b = run->bufs[n];
		tcb->snd_wl1 = seg->seq;
		rill_tcp_data_in_order(&rx);
	}
	segments = run->segments ? run->segments : n;
	tcb->segs_in += segments;
	tcb->data_segs_in += segments;
	tcb->last_recv_ns = now;
	return n;
}
