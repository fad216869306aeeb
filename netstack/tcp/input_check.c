/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a segment must pass before its ACK and its data count (RFC 9293, 3.10.7.4, first to fourth).
 */
#include "netstack/tcp/challenge.h"
#include "netstack/tcp/ecn.h"
#include "netstack/tcp/input.h"
#include "netstack/tcp/reset.h"
#include "netstack/tcp/sack_out.h"
#include "netstack/tcp/seq.h"
#include "netstack/tcp/timewait.h"
#include "netstack/tcp/trace.h"
#include "netstack/tcp/uto.h"

#include <errno.h>

/* RFC 7323, 5.5: after 24 days a timestamp clock may have gone round. */
#define TS_RECENT_VALID_S (24 * 86400)

void rill_tcp_note_timestamp(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;

	if ((tcb->flags & RILL_TCB_TIMESTAMPS) == 0 ||
	    (rx->seg->opt.present & RILL_TCP_OPT_TIMESTAMPS) == 0)
		return;
	/*
	 * Of the segments that one ACK covers, the first is echoed: so the delay is measured too.
	 */
	if (rill_seq_gt(rx->seg->seq, tcb->last_ack_sent))
		return;
	tcb->ts_recent = rx->seg->opt.tsval;
	tcb->ts_recent_s = (uint32_t)(rx->now / RILL_SEC);
}

/* PAWS (RFC 7323, 5.3, R1). A RST passes whatever its timestamp (5.2). */
static enum rill_drop check_timestamp(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	const struct rill_tcp_seg *seg = rx->seg;

	if ((tcb->flags & RILL_TCB_TIMESTAMPS) == 0 || (seg->flags & RILL_TCP_RST) != 0)
		return RILL_DROP_NONE;
	/* A SYN without is of a peer that came up again, and to be challenged. */
	if ((seg->opt.present & RILL_TCP_OPT_TIMESTAMPS) == 0)
		return (seg->flags & RILL_TCP_SYN) != 0 ? RILL_DROP_NONE
							: RILL_DROP_TCP_NO_TIMESTAMP;
	if (rill_seq_geq(seg->opt.tsval, tcb->ts_recent) ||
	    (uint32_t)(rx->now / RILL_SEC) - tcb->ts_recent_s > TS_RECENT_VALID_S)
		return RILL_DROP_NONE;
	rill_counter_add(&rx->env->stats.paws_drops, 1);
	/* Old SYNs and old pure ACKs could be answered for ever. */
	if (seg->len > 0)
		tcb->flags |= RILL_TCB_ACK_NOW;
	else
		rill_tcp_answer_stray(tcb, rx->env, rx->now);
	return RILL_DROP_TCP_PAWS;
}

/*
 * RFC 9293, table 6, but for two cases: a bare ACK or FIN right at the edge is what a peer sends
 * that has filled the window, and a segment at rcv_nxt is let in against a closed window for its
 * ACK (its payload is cut off later).
 */
static bool acceptable(const struct rill_tcb *tcb, const struct rill_tcp_seg *seg)
{
	uint32_t span = rill_tcp_seg_span(seg);
	uint32_t edge = tcb->rcv_nxt + tcb->rcv_wnd;

	if (seg->seq == tcb->rcv_nxt)
		return true;
	if (span == 0 || seg->len == 0)
		return rill_seq_gt(seg->seq, tcb->rcv_nxt) && rill_seq_leq(seg->seq, edge);
	return rill_seq_lt(seg->seq, edge) && rill_seq_gt(seg->seq + span, tcb->rcv_nxt);
}

/*
 * RFC 5961, 3.2: only the exact number resets; anything else in the window asks the peer to prove
 * it.
 */
static enum rill_drop check_reset(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	uint32_t seq = rx->seg->seq;

	if (tcb->state == RILL_TCP_TIME_WAIT)
		return RILL_DROP_TCP_RST; /* RFC 1337 */
	if (seq != tcb->rcv_nxt) {
		if (rill_seq_gt(seq, tcb->rcv_nxt) && rill_seq_lt(seq, tcb->rcv_nxt + tcb->rcv_wnd))
			rill_tcp_challenge(tcb, rx->env, rx->now);
		return RILL_DROP_TCP_RST;
	}
	rill_counter_add(&rx->env->stats.resets_in, 1);
	rill_tcp_trace(tcb, rx->env, RILL_TCP_EV_RESET_IN, tcb->state, tcb->snd_nxt - tcb->snd_una,
		       rx->now);
	if (tcb->state == RILL_TCP_SYN_RCVD)
		rill_tcp_end(tcb, rx->env, -ECONNREFUSED);
	else if (tcb->state == RILL_TCP_CLOSING || tcb->state == RILL_TCP_LAST_ACK)
		rill_tcp_end(tcb, rx->env, 0); /* both sides had said all they wanted */
	else
		rill_tcp_end(tcb, rx->env, -ECONNRESET);
	return RILL_DROP_NONE;
}

/* The SYN that opened this connection, once more. False: go on with the segment, as an ACK. */
static bool repeated_syn(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	struct rill_tcp_seg *seg = rx->seg;

	if ((seg->flags & RILL_TCP_ACK) != 0) {
		/*
		 * Simultaneous open: the SYN was seen, its ACK is news (RFC 9293, figure 7). Its
		 * window is not scaled yet (RFC 7323, 2.2), as an ACK's is.
		 */
		seg->flags &= (uint8_t)~RILL_TCP_SYN;
		seg->seq++;
		seg->wnd = (uint16_t)(seg->wnd >> tcb->snd_wscale);
		return false;
	}
	tcb->flags |= RILL_TCB_SYN_DUE; /* the SYN-ACK was lost */
	/* The peer may have come to doubt that ECN gets through. */
	rill_tcp_ecn_on_syn(tcb, rx->env, seg);
	return true;
}

static void answer_unacceptable(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;

	/* RFC 2883, 4: what comes twice is told of. */
	if (rill_seq_lt(rx->seg->seq, tcb->rcv_nxt))
		rill_tcp_dsack_note(tcb, rx->env, rx->seg->seq,
				    rill_seq_min(rx->seg->seq + rx->seg->len, tcb->rcv_nxt));
	/* The peer's FIN once more; one that somebody makes up must not prolong the wait. */
	if (tcb->state == RILL_TCP_TIME_WAIT && (rx->seg->flags & RILL_TCP_FIN) != 0 &&
	    rx->seg->seq + rill_tcp_seg_span(rx->seg) == tcb->rcv_nxt)
		rill_tcp_time_wait(tcb, rx->env, rx->now);
	/*
	 * Two ends that disagree must not ACK each other's ACKs for ever. Probes of the window and
	 * of keep-alive are among them.
	 */
	if (rill_tcp_seg_span(rx->seg) > 0)
		tcb->flags |= RILL_TCB_ACK_NOW;
	else
		rill_tcp_answer_stray(tcb, rx->env, rx->now);
}

/* Leaves of the segment what lies in the window. */
static void trim(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	struct rill_tcp_seg *seg = rx->seg;
	uint32_t room;

	if (rill_seq_lt(seg->seq, tcb->rcv_nxt)) {
		uint32_t old = RILL_MIN(tcb->rcv_nxt - seg->seq, seg->len);

		rill_tcp_dsack_note(tcb, rx->env, seg->seq, seg->seq + old);
		rill_buf_pull(rx->b, old);
		seg->urg = seg->urg > old ? (uint16_t)(seg->urg - old) : 0;
		seg->len -= old;
		seg->seq += old;
		tcb->flags |= RILL_TCB_ACK_NOW;
	}
	room = tcb->rcv_nxt + tcb->rcv_wnd - seg->seq;
	if (seg->len > room) {
		rx->b->len = room;
		seg->len = room;
		seg->flags &= (uint8_t)~RILL_TCP_FIN;
		tcb->flags |= RILL_TCB_ACK_NOW;
	}
}

enum rill_drop rill_tcp_input_check(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	struct rill_tcp_seg *seg = rx->seg;
	enum rill_drop drop;

	if (tcb->state == RILL_TCP_SYN_RCVD && seg->seq == tcb->irs &&
	    (seg->flags & (RILL_TCP_SYN | RILL_TCP_RST)) == RILL_TCP_SYN && repeated_syn(rx))
		return RILL_DROP_TCP_SYN;
	drop = check_timestamp(rx);
	if (drop != RILL_DROP_NONE)
		return drop;
	if ((seg->flags & RILL_TCP_RST) != 0)
		return check_reset(rx);
	if ((seg->flags & RILL_TCP_SYN) != 0) {
		/* RFC 5961, 4: wherever it lies. */
		rill_tcp_challenge(tcb, rx->env, rx->now);
		return RILL_DROP_TCP_SYN;
	}
	if (!acceptable(tcb, seg)) {
		answer_unacceptable(rx);
		return rill_seq_lt(seg->seq, tcb->rcv_nxt) ? RILL_DROP_TCP_OLD
							   : RILL_DROP_TCP_WINDOW;
	}
	rill_tcp_note_timestamp(rx);
	rill_tcp_ecn_on_segment(rx);
	if (RILL_UNLIKELY((seg->opt.present & RILL_TCP_OPT_USER_TIMEOUT) != 0))
		rill_tcp_uto_on_segment(tcb, rx->env, seg);
	trim(rx);
	return RILL_DROP_NONE;
}
