/* SPDX-License-Identifier: BSD-3-Clause */
/* 5.2: what happens at each event, and in which order. */
#include "netstack/tcp/cc_bbr.h"

#include "netstack/tcp/rate.h"
#include "netstack/tcp/sendq.h"

static void bbr_init(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now)
{
	struct rill_bbr *b = rill_bbr(tcb);

	rill_tcp_cc_start(tcb, env);
	/* No ssthresh: the model says when enough is enough. */
	tcb->ssthresh = RILL_TCP_CWND_MAX;
	b->initial_cwnd = rill_tcp_initial_window(tcb, env);
	rill_bbr_model_init(tcb, now);
	rill_bbr_enter_startup(b);
	rill_bbr_init_pacing_rate(tcb);
}

static void update_model_and_state(struct rill_bbr_rx *rx)
{
	rill_bbr_update_latest_signals(rx);
	rill_bbr_update_congestion_signals(rx);
	rill_bbr_update_aggregation(rx);
	rill_bbr_check_full_bw(rx);
	rill_bbr_check_startup_done(rx);
	rill_bbr_check_drain_done(rx);
	rill_bbr_update_cycle(rx);
	rill_bbr_update_min_rtt(rx);
	rill_bbr_check_probe_rtt(rx);
	rill_bbr_advance_latest_signals(rx);
	rill_bbr_bound_bw(rx->b);
}

static void bbr_on_ack(struct rill_tcb *tcb, const struct rill_tcp_cc_ack *ack)
{
	struct rill_bbr *b = rill_bbr(tcb);
	struct rill_bbr_rx rx = {
		.tcb = tcb,
		.b = b,
		.ack = ack,
		.bw = RILL_MIN(rill_tcp_rate_bps(&ack->rate), RILL_BBR_BW_MAX),
		.now = ack->now_ns,
		.inflight = rill_tcp_pipe(tcb),
	};

	if (!ack->rate.valid)
		return;
	update_model_and_state(&rx);
	if (!b->rtt_seen && (tcb->flags & RILL_TCB_RTT_VALID) != 0)
		rill_bbr_init_pacing_rate(tcb);
	rill_bbr_set_pacing_rate(tcb, rill_bbr_pacing_gain(b));
	rill_bbr_set_cwnd(&rx);
}

/*
 * 3.7: the draft has no answer of its own to CE, but asks for one. A report of CE is taken like
 * losses beyond the threshold: it ends a probe, and otherwise lowers the short-term bounds at the
 * end of the round.
 */
static void on_ce(struct rill_tcb *tcb, uint32_t flight, uint64_t now)
{
	struct rill_bbr *b = rill_bbr(tcb);

	rill_bbr_note_loss(tcb);
	if (b->state == RILL_BBR_STARTUP)
		rill_bbr_leave_startup(tcb);
	else if (b->is_bw_probe_sample)
		rill_bbr_handle_too_high(tcb, flight, false, now);
}

static void bbr_on_event(struct rill_tcb *tcb, enum rill_tcp_cc_event event, uint32_t flight,
			 uint64_t now)
{
	struct rill_bbr *b = rill_bbr(tcb);

	if (event == RILL_TCP_CC_ECN) {
		on_ce(tcb, flight, now);
		return;
	}
	/* The losses that lead here were noted one by one: then it is saved already (5.6.4.4). */
	if (!b->is_loss_in_round)
		rill_bbr_save_upon_loss(tcb);
	b->in_recovery = true;
	/* Nothing that was in flight is believed to be any more. */
	if (event == RILL_TCP_CC_RTO)
		tcb->cwnd = tcb->snd_mss;
}

static void bbr_on_recovered(struct rill_tcb *tcb, uint64_t now)
{
	(void)now;
	rill_bbr(tcb)->in_recovery = false;
	rill_bbr_restore_cwnd(tcb);
	rill_bbr_bound_cwnd(tcb);
}

/* 5.5.11.2. */
static void bbr_on_undo(struct rill_tcb *tcb, uint64_t now)
{
	struct rill_bbr *b = rill_bbr(tcb);

	(void)now;
	b->in_recovery = false;
	rill_bbr_restore_cwnd(tcb);
	b->is_loss_in_round = false;
	rill_bbr_reset_full_bw(b);
	b->bw_shortterm = RILL_MAX(b->bw_shortterm, b->undo_bw_shortterm);
	b->inflight_shortterm = RILL_MAX(b->inflight_shortterm, b->undo_inflight_shortterm);
	b->inflight_longterm = RILL_MAX(b->inflight_longterm, b->undo_inflight_longterm);
	if (b->undo_state == RILL_BBR_STARTUP && b->state != RILL_BBR_STARTUP) {
		b->full_bw_reached = false;
		if (b->state != RILL_BBR_PROBE_RTT)
			rill_bbr_enter_startup(b);
	} else if (b->undo_state == RILL_BBR_UP && b->state != RILL_BBR_UP &&
		   b->state != RILL_BBR_PROBE_RTT) {
		rill_bbr_start_refill(tcb);
	}
	b->undo_state = RILL_BBR_NO_STATE;
}

/* 5.4.1: cwnd stays; what restarts is paced at the bandwidth known. */
static void bbr_on_idle(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now)
{
	(void)tcb, (void)env, (void)now;
}

static void bbr_on_send(struct rill_tcb *tcb, uint32_t n, uint64_t now)
{
	struct rill_bbr *b = rill_bbr(tcb);

	(void)n;
	if (RILL_LIKELY(tcb->x->app_limited == 0) || rill_tcp_pipe(tcb) != 0)
		return;
	b->idle_restart = true;
	b->extra_acked_interval_start = now;
	if (rill_bbr_in_probe_bw(b))
		rill_bbr_set_pacing_rate(tcb, 100);
	else if (b->state == RILL_BBR_PROBE_RTT)
		rill_bbr_check_probe_rtt_done(tcb, now);
}

/*
 * At which flight the losses crossed the threshold (5.5.10.2): b may be a burst of which a part
 * fitted. In hundredths: LossThresh is 2.
 */
static uint32_t inflight_at_loss(uint32_t size, uint32_t tx_in_flight, uint32_t lost)
{
	int64_t inflight_prev = (int64_t)tx_in_flight - size;
	int64_t lost_prev = (int64_t)lost - size;
	int64_t lost_prefix = (2 * inflight_prev - 100 * lost_prev) / 98;

	return (uint32_t)RILL_MAX(inflight_prev + lost_prefix, INT64_C(0));
}

static void bbr_on_lost(struct rill_tcb *tcb, const struct rill_buf *buf, uint64_t now)
{
	struct rill_bbr *b = rill_bbr(tcb);
	const struct rill_send_cb *cb = (const struct rill_send_cb *)(const void *)buf->cookie;
	uint32_t lost = (uint32_t)tcb->x->lost_total - cb->lost;

	rill_bbr_note_loss(tcb);
	if (cb->seq != b->last_lost_end && b->lost_ranges < UINT8_MAX)
		b->lost_ranges++;
	b->last_lost_end = cb->seq + cb->len;
	if (!b->is_bw_probe_sample || !rill_bbr_too_high(tcb, lost, cb->tx_in_flight))
		return;
	rill_bbr_handle_too_high(tcb, inflight_at_loss(cb->len, cb->tx_in_flight, lost),
				 (cb->marks & RILL_SEND_APP_LIMITED) != 0, now);
}

const struct rill_tcp_cc rill_tcp_cc_bbr = {
	.name = "bbr",
	.own_recovery = true,
	.paces = true,
	.init = bbr_init,
	.on_ack = bbr_on_ack,
	.on_event = bbr_on_event,
	.on_recovered = bbr_on_recovered,
	.on_undo = bbr_on_undo,
	.on_idle = bbr_on_idle,
	.on_send = bbr_on_send,
	.on_lost = bbr_on_lost,
};
