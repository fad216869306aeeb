/* SPDX-License-Identifier: BSD-3-Clause */
/* The ACK field (RFC 9293, 3.10.7.4, fifth; RFC 5681; RFC 5961, 5). */
#include "netstack/tcp/cc.h"
#include "netstack/tcp/challenge.h"
#include "netstack/tcp/input.h"
#include "netstack/tcp/recovery.h"
#include "netstack/tcp/reset.h"
#include "netstack/tcp/rtt.h"
#include "netstack/tcp/sendq.h"
#include "netstack/tcp/timewait.h"

/*
 * Prefers the clock of our own over echoed timestamps, which are coarser. Those serve for segments
 * that were sent twice, since they tell which one is answered (RFC 7323, 4.1).
 */
static void measure_rtt(struct rill_tcp_rx *rx, const struct rill_sendq_acked *acked,
			uint32_t flight)
{
	struct rill_tcb *tcb = rx->tcb;
	const struct rill_tcp_options_seen *o = &rx->seg->opt;
	int32_t elapsed_ms;

	if (acked->sent_ns) {
		rill_tcp_rtt_sample(tcb, rx->env, rx->now - acked->sent_ns, flight);
		return;
	}
	if ((tcb->flags & RILL_TCB_TIMESTAMPS) == 0 ||
	    (o->present & RILL_TCP_OPT_TIMESTAMPS) == 0 || o->tsecr == 0)
		return;
	/* An answer to the original, come after the timeout: that wait was not the path's. */
	if (acked->resent && rill_seq_lt(o->tsecr, tcb->rtx_ts))
		return;
	elapsed_ms = (int32_t)(rill_tcp_ts_now(tcb, rx->now) - o->tsecr);
	if (elapsed_ms >= 0)
		rill_tcp_rtt_sample(tcb, rx->env, (uint64_t)elapsed_ms * RILL_MS, flight);
}

/*
 * cwnd grows only while it is what holds the sender back: unused window proves nothing (RFC 7661,
 * 1).
 */
static bool cwnd_limited(const struct rill_tcb *tcb, uint32_t flight)
{
	if (tcb->cwnd < tcb->ssthresh)
		return tcb->cwnd < 2 * flight;
	return tcb->cwnd <= flight + 2 * (uint32_t)tcb->snd_mss;
}

static void wake_writer(struct rill_tcb *tcb, uint32_t room_before)
{
	uint32_t enough = RILL_MAX(tcb->snd_buf_max / 4, 1u);

	if (room_before < enough && rill_sendq_room(tcb) >= enough)
		tcb->events |= RILL_TCB_WRITABLE;
}

void rill_tcp_ack_advance(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	uint32_t ack = rx->seg->ack;
	uint32_t flight = tcb->snd_rtx - tcb->snd_una;
	uint32_t room_before = rill_sendq_room(tcb);
	struct rill_sendq_acked acked = rill_sendq_ack(tcb, rx->env, ack);
	bool restart = true;

	tcb->snd_una = ack;
	tcb->snd_rtx = rill_seq_max(tcb->snd_rtx, ack);
	measure_rtt(rx, &acked, flight);
	tcb->dup_acks = 0;
	tcb->rtx_count = 0;
	tcb->backoff = 0;
	if ((tcb->flags & RILL_TCB_RECOVERY) != 0)
		restart = rill_tcp_recovery_on_ack(tcb, acked.bytes);
	else
		tcb->cc->on_ack(tcb, &(struct rill_tcp_cc_ack){
					     .now_ns = rx->now,
					     .acked = acked.bytes,
					     .cwnd_limited = cwnd_limited(tcb, flight),
				     });
	/* "recover" follows, lest it come to lie ahead again once 2 GiB are sent without a loss. */
	if (rill_seq_gt(ack, tcb->recover))
		tcb->recover = ack - 1;
	/* RFC 6298, 5.2 and 5.3: output sets it again if something is still outstanding. */
	if (restart || ack == tcb->snd_nxt)
		tcb->rtx_at = RILL_FOREVER;
	wake_writer(tcb, room_before);
}

/* RFC 5681, 2: what makes an ACK a duplicate one. */
static bool is_duplicate(const struct rill_tcp_rx *rx)
{
	const struct rill_tcb *tcb = rx->tcb;
	const struct rill_tcp_seg *seg = rx->seg;

	return tcb->snd_rtx != tcb->snd_una && !rx->had_data && (seg->flags & RILL_TCP_FIN) == 0 &&
	       (uint32_t)seg->wnd << tcb->snd_wscale == tcb->snd_wnd;
}

/* The peer is alive: probing a closed window may go on for ever (RFC 9293, MUST-37). */
static void probe_answered(struct rill_tcb *tcb)
{
	if ((tcb->flags & RILL_TCB_PERSIST) != 0)
		tcb->rtx_count = 0;
}

static void update_window(struct rill_tcb *tcb, const struct rill_tcp_seg *seg)
{
	uint32_t wnd = (uint32_t)seg->wnd << tcb->snd_wscale;

	/* Not from a segment older than the one that the window was taken from. */
	if (rill_seq_lt(seg->seq, tcb->snd_wl1) ||
	    (seg->seq == tcb->snd_wl1 && rill_seq_lt(seg->ack, tcb->snd_wl2)))
		return;
	if (tcb->snd_wnd == 0 && wnd > 0)
		tcb->backoff = 0;
	tcb->snd_wnd = wnd;
	tcb->snd_wl1 = seg->seq;
	tcb->snd_wl2 = seg->ack;
	tcb->max_snd_wnd = RILL_MAX(tcb->max_snd_wnd, wnd);
}

/* Our FIN is acknowledged: one step on in the closing states. */
static void after_fin_acked(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;

	if ((tcb->flags & RILL_TCB_FIN_QUEUED) == 0 || tcb->snd_una != tcb->snd_end + 1)
		return;
	switch (tcb->state) {
	case RILL_TCP_FIN_WAIT_1:
		tcb->state = RILL_TCP_FIN_WAIT_2;
		rill_tcp_fin_wait_2_bound(tcb, rx->env, rx->now);
		return;
	case RILL_TCP_CLOSING:
		rill_tcp_time_wait(tcb, rx->env, rx->now);
		return;
	case RILL_TCP_LAST_ACK:
		rill_tcp_end(tcb, rx->env, 0);
		return;
	default:
		return;
	}
}

/* SYN-RECEIVED: either the ACK of our SYN, or a segment of some other connection. */
static enum rill_drop ack_of_syn(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;

	if (!rill_seq_gt(rx->seg->ack, tcb->snd_una) || !rill_seq_leq(rx->seg->ack, tcb->snd_nxt)) {
		rill_tcp_reject(rx->env, rx->seg);
		return RILL_DROP_TCP_ACK;
	}
	rill_tcp_established(rx);
	return RILL_DROP_NONE;
}

enum rill_drop rill_tcp_input_ack(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	const struct rill_tcp_seg *seg = rx->seg;

	if ((seg->flags & RILL_TCP_ACK) == 0)
		return RILL_DROP_TCP_NO_ACK;
	if (tcb->state == RILL_TCP_SYN_RCVD)
		return ack_of_syn(rx);
	if (rill_seq_gt(seg->ack, tcb->snd_nxt) ||
	    rill_seq_lt(seg->ack, tcb->snd_una - tcb->max_snd_wnd)) {
		rill_tcp_challenge(tcb, rx->env, rx->now);
		return RILL_DROP_TCP_ACK;
	}
	probe_answered(tcb);
	if (rill_seq_gt(seg->ack, tcb->snd_una))
		rill_tcp_ack_advance(rx);
	else if (seg->ack == tcb->snd_una && is_duplicate(rx))
		rill_tcp_on_dup_ack(tcb, rx->env);
	if (rill_seq_geq(seg->ack, tcb->snd_una))
		update_window(tcb, seg);
	after_fin_acked(rx);
	return RILL_DROP_NONE;
}
