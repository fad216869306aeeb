/* SPDX-License-Identifier: BSD-3-Clause */
/* The ACK field (RFC 9293, 3.10.7.4, fifth; RFC 5681; RFC 5961, 5). */
#include "netstack/tcp/autotune.h"
#include "netstack/tcp/cc.h"
#include "netstack/tcp/challenge.h"
#include "netstack/tcp/chrono.h"
#include "netstack/tcp/ecn.h"
#include "netstack/tcp/input.h"
#include "netstack/tcp/mtu.h"
#include "netstack/tcp/pace.h"
#include "netstack/tcp/rate.h"
#include "netstack/tcp/recovery.h"
#include "netstack/tcp/reset.h"
#include "netstack/tcp/rtt.h"
#include "netstack/tcp/rtx_timer.h"
#include "netstack/tcp/sack.h"
#include "netstack/tcp/timewait.h"
#include "netstack/tcp/trace.h"

/*
 * Prefers the clock of our own over echoed timestamps, which are coarser. Those serve for segments
 * that were sent twice, since they tell which one is answered (RFC 7323, 4.1).
 */
static void measure_rtt(const struct rill_tcp_rx *rx, struct rill_tcp_acked *a, uint32_t out)
{
	struct rill_tcb *tcb = rx->tcb;
	int32_t elapsed_ms;

	if (a->resent)
		a->rtt_ns = 0;
	if (a->rtt_ns != 0) {
		rill_tcp_rtt_sample(tcb, rx->env, a->rtt_ns, out);
		rill_tcp_min_rtt_sample(tcb, rx->env, a->rtt_ns, a->now);
		return;
	}
	if (!a->advanced || !a->has_tsecr)
		return;
	/* An answer to the original, come after the timeout: that wait was not the path's. */
	if (a->resent && (tcb->x->flags & RILL_XF_UNDO_TS) != 0 &&
	    rill_seq_lt(a->tsecr, tcb->x->undo_ts))
		return;
	elapsed_ms = (int32_t)(rill_tcp_ts_now(tcb, rx->now) - a->tsecr);
	if (elapsed_ms >= 0)
		rill_tcp_rtt_sample(tcb, rx->env, (uint64_t)elapsed_ms * RILL_MS, out);
}

/*
 * cwnd grows only while it is what holds the sender back: unused window proves nothing (RFC 7661,
 * 1).
 */
static bool cwnd_limited(const struct rill_tcb *tcb, uint32_t out)
{
	if (tcb->cwnd < tcb->ssthresh)
		return tcb->cwnd < 2 * out;
	return tcb->cwnd <= out + 2 * (uint32_t)tcb->snd_mss;
}

static void wake_writer(struct rill_tcb *tcb, uint32_t room_before)
{
	uint32_t enough = RILL_MAX(tcb->snd_buf_max / 4, 1u);

	if (room_before < enough && rill_sendq_room(tcb) >= enough)
		tcb->events |= RILL_TCB_WRITABLE;
}

static void begin(const struct rill_tcp_rx *rx, struct rill_tcp_acked *a)
{
	const struct rill_tcb *tcb = rx->tcb;
	const struct rill_tcp_options_seen *o = &rx->seg->opt;

	*a = (struct rill_tcp_acked){
		.now = rx->now,
		.prior_una = tcb->snd_una,
		.prior_pipe = rill_tcp_pipe(tcb),
		.prior_lost = tcb->x->lost_total,
		.tsecr = o->tsecr,
		.has_tsecr = (tcb->flags & RILL_TCB_TIMESTAMPS) != 0 &&
			     (o->present & RILL_TCP_OPT_TIMESTAMPS) != 0 && o->tsecr != 0,
	};
}

/* SND.UNA moves to ack. */
static void advance(const struct rill_tcp_rx *rx, uint32_t ack, struct rill_tcp_acked *a)
{
	struct rill_tcb *tcb = rx->tcb;

	a->advanced = true;
	rill_sendq_ack(tcb, rx->env, ack, a);
	tcb->snd_una = ack;
	tcb->bytes_acked += a->bytes;
	tcb->rtx_count = 0;
	tcb->backoff = 0;
	/* These follow, lest they come to lie ahead again once 2 GiB are sent without a loss. */
	if (rill_seq_gt(ack, tcb->recover))
		tcb->recover = ack - 1;
	if (rill_seq_gt(ack, tcb->x->cwr_seq))
		tcb->x->cwr_seq = ack;
	if (rill_seq_gt(ack, tcb->x->rack_dsack_seq))
		tcb->x->rack_dsack_seq = ack;
	if ((tcb->flags & RILL_TCB_URG_OUT) != 0 && rill_seq_geq(ack, tcb->snd_up))
		tcb->flags &= ~(uint32_t)RILL_TCB_URG_OUT;
	if (RILL_UNLIKELY(tcb->x->mss_before != 0))
		rill_tcp_mtu_on_ack(tcb, rx->env);
}

/* A round trip is over when something arrives that was sent after the last one was over. */
static bool round_starts(struct rill_tcp_xfer *x, const struct rill_tcp_rate *rs)
{
	if (!rs->valid || rs->prior_delivered < x->round_delivered)
		return false;
	x->round_delivered = x->delivered;
	return true;
}

/* After the scoreboard and recovery: cwnd. */
static void control(const struct rill_tcp_rx *rx, struct rill_tcp_acked *a, uint32_t out,
		    bool was_in_recovery)
{
	struct rill_tcb *tcb = rx->tcb;
	struct rill_tcp_xfer *x = tcb->x;
	struct rill_tcp_ecn_feedback ecn = rill_tcp_ecn_on_ack(tcb, rx->seg, a->delivered);
	bool reduces = ecn.ece && !tcb->cc->needs_ecn;

	if (reduces)
		rill_tcp_on_ece(tcb, rx->env, rx->now);
	/* Such an ACK does not let cwnd grow (RFC 3168, 6.1.2). */
	tcb->cc->on_ack(
		tcb, &(struct rill_tcp_cc_ack){
			     .now_ns = rx->now,
			     .acked = a->bytes,
			     .delivered = a->delivered,
			     .lost = (uint32_t)(x->lost_total - a->prior_lost),
			     .flight = a->prior_pipe,
			     .rtt_ns = a->rtt_ns,
			     .ce_delivered = ecn.ce_delivered,
			     .ece = ecn.ece,
			     .cwnd_limited = !reduces && cwnd_limited(tcb, out),
			     .in_recovery = was_in_recovery || x->ca_state >= RILL_TCP_CA_RECOVERY,
			     .round_start = round_starts(x, &a->rate),
			     .rate = a->rate,
		     });
	rill_tcp_pace_update(tcb, rx->env);
}

/*
 * RFC 6298, 5.2 and 5.3. Without SACK only the first partial ACK: after many losses a timeout is
 * quicker than one hole for each round trip ("impatient", RFC 6582, 4).
 */
static void restart_timer(struct rill_tcb *tcb, uint32_t flags_before, uint64_t now)
{
	if (tcb->x->ca_state == RILL_TCP_CA_RECOVERY && (tcb->flags & RILL_TCB_SACK) == 0 &&
	    (flags_before & RILL_XF_PARTIAL_ACKED) != 0)
		return;
	rill_tcp_rtx_restart(tcb, now);
}

static void tell_reordering(const struct rill_tcp_rx *rx, uint16_t n)
{
	struct rill_tcb *tcb = rx->tcb;

	rill_counter_add(&rx->env->stats.reorder_seen, n);
	rill_tcp_trace(tcb, rx->env, RILL_TCP_EV_REORDER, rx->seg->ack - tcb->iss,
		       tcb->x->reorder_bytes, rx->now);
}

/* Everything that an ACK tells the sender, but for the window. */
static void learn(struct rill_tcp_rx *rx, uint32_t ack, bool dup)
{
	struct rill_tcb *tcb = rx->tcb;
	struct rill_tcp_xfer *x = tcb->x;
	bool blocks = (rx->seg->opt.present & RILL_TCP_OPT_SACK) != 0;
	uint32_t out = tcb->snd_nxt - tcb->snd_una;
	uint32_t room = rill_sendq_room(tcb);
	uint32_t flags = x->flags;
	uint16_t reorders = tcb->reorders;
	bool in_recovery = x->ca_state >= RILL_TCP_CA_RECOVERY;
	struct rill_tcp_acked a;

	begin(rx, &a);
	a.dup = dup;
	if (rill_seq_gt(ack, tcb->snd_una))
		advance(rx, ack, &a);
	if (RILL_UNLIKELY(blocks) && (tcb->flags & RILL_TCB_SACK) != 0)
		rill_tcp_sack_input(tcb, rx->env, rx->seg, &a);
	if (RILL_UNLIKELY(tcb->reorders != reorders))
		tell_reordering(rx, (uint16_t)(tcb->reorders - reorders));
	measure_rtt(rx, &a, out);
	rill_tcp_rate_finish(tcb, rx->now, &a.rate);
	if (RILL_UNLIKELY(blocks || dup || !rill_tcp_recovery_idle(tcb)))
		rill_tcp_recovery_on_ack(tcb, rx->env, ack, &a);
	if (a.advanced || a.delivered > 0)
		control(rx, &a, out, in_recovery);
	if (!a.advanced)
		return;
	restart_timer(tcb, flags, rx->now);
	rill_tcp_autotune_on_ack(tcb, rx->env);
	wake_writer(tcb, room);
	rill_tcp_chrono_on_ack(tcb, rx->now);
}

void rill_tcp_ack_advance(struct rill_tcp_rx *rx)
{
	learn(rx, rx->seg->ack, false);
}

/* RFC 5681, 2: what makes an ACK a duplicate one. */
static bool is_duplicate(const struct rill_tcp_rx *rx)
{
	const struct rill_tcb *tcb = rx->tcb;
	const struct rill_tcp_seg *seg = rx->seg;

	return !rx->had_data && (seg->flags & RILL_TCP_FIN) == 0 &&
	       (uint32_t)seg->wnd << tcb->snd_wscale == tcb->snd_wnd;
}

/*
 * The peer is alive: probing a closed window may go on for ever (RFC 9293, MUST-37), as long as
 * there is a user who may lose patience.
 */
static void probe_answered(struct rill_tcb *tcb)
{
	if ((tcb->flags & RILL_TCB_ORPHAN) != 0)
		return;
	if (tcb->timer == RILL_TCP_TIMER_PERSIST || tcb->snd_wnd == 0)
		tcb->rtx_count = 0;
}

static void update_window(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	const struct rill_tcp_seg *seg = rx->seg;
	uint32_t wnd = (uint32_t)seg->wnd << tcb->snd_wscale;

	/* Not from a segment older than the one that the window was taken from. */
	if (rill_seq_lt(seg->seq, tcb->snd_wl1) ||
	    (seg->seq == tcb->snd_wl1 && rill_seq_lt(seg->ack, tcb->snd_wl2)))
		return;
	if (tcb->snd_wnd == 0 && wnd > 0) {
		tcb->backoff = 0;
		rill_tcp_trace(tcb, rx->env, RILL_TCP_EV_WINDOW_OPEN, tcb->snd_una - tcb->iss, wnd,
			       rx->now);
	} else if (tcb->snd_wnd > 0 && wnd == 0) {
		rill_tcp_trace(tcb, rx->env, RILL_TCP_EV_ZERO_WINDOW, tcb->snd_una - tcb->iss,
			       tcb->snd_end - tcb->snd_nxt, rx->now);
	}
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
	/* Somebody may wait for just that, see rill_tcp_set_linger(). */
	tcb->events |= RILL_TCB_WRITABLE;
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

/*
 * SACK blocks tell something even when nothing is outstanding: what arrived twice. So does a
 * duplicate when a probe was sent (RFC 8985, 7.4.2).
 */
static void news(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	bool outstanding = tcb->snd_una != tcb->snd_nxt;
	bool probed = (tcb->x->flags & RILL_XF_TLP_OUT) != 0;
	bool dup = (outstanding || probed) && rx->seg->ack == tcb->snd_una && is_duplicate(rx);

	if (dup)
		rill_counter_add(&rx->env->stats.dup_acks_in, 1);
	if (dup || (outstanding && rill_seq_gt(rx->seg->ack, tcb->snd_una)) ||
	    (rx->seg->opt.present & RILL_TCP_OPT_SACK) != 0)
		learn(rx, rx->seg->ack, dup);
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
	/* With Fast Open there may have been data behind it. */
	if (tcb->state >= RILL_TCP_ESTABLISHED && rx->seg->ack != tcb->snd_una) {
		news(rx);
		after_fin_acked(rx);
	}
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
	if (tcb->x)
		news(rx);
	if (rill_seq_geq(seg->ack, tcb->snd_una))
		update_window(rx);
	after_fin_acked(rx);
	return RILL_DROP_NONE;
}
