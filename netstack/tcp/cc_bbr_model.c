/* SPDX-License-Identifier: BSD-3-Clause */
/* 5.5: what is believed of the path. */
#include "netstack/tcp/cc_bbr.h"

/* In hundredths: Beta, 2.8. */
#define BETA 70
#define PROBE_RTT_INTERVAL_NS (5 * RILL_SEC)
#define MIN_RTT_FILTER_NS (10 * RILL_SEC)
/* Half of ExtraAckedFilterLen. */
#define EXTRA_ACKED_HALF_ROUNDS 5

void rill_bbr_model_init(struct rill_tcb *tcb, uint64_t now)
{
	struct rill_bbr *b = rill_bbr(tcb);

	b->min_rtt_ns = UINT64_MAX;
	if ((tcb->flags & RILL_TCB_RTT_VALID) != 0)
		b->min_rtt_ns = tcb->srtt_us * RILL_US;
	b->min_rtt_stamp = now;
	b->probe_rtt_min_ns = UINT64_MAX;
	b->probe_rtt_min_stamp = now;
	b->extra_acked_interval_start = now;
	b->undo_state = RILL_BBR_NO_STATE;
	b->inflight_longterm = UINT32_MAX;
	b->probe_up_acked_per_inc = UINT32_MAX;
	b->last_lost_end = tcb->snd_una;
	rill_bbr_reset_short_term(b);
}

/* 5.5.1. */
void rill_bbr_start_round(struct rill_tcb *tcb)
{
	rill_bbr(tcb)->next_round_delivered = tcb->x->delivered;
}

static void update_round(struct rill_bbr_rx *rx)
{
	struct rill_bbr *b = rx->b;

	b->round_start = rx->ack->rate.prior_delivered >= b->next_round_delivered;
	if (!b->round_start)
		return;
	rill_bbr_start_round(rx->tcb);
	b->round_count++;
	b->rounds_since_probe_up++;
}

/* 5.5.5. A sample that the application limited counts only if it is better than all others. */
static void update_max_bw(struct rill_bbr_rx *rx)
{
	struct rill_bbr *b = rx->b;

	update_round(rx);
	if (rx->bw == 0 || (rx->bw < b->max_bw && rx->ack->rate.app_limited))
		return;
	b->max_bw_slot[1] = RILL_MAX(b->max_bw_slot[1], rx->bw);
	b->max_bw = RILL_MAX(b->max_bw_slot[0], b->max_bw_slot[1]);
}

/* 5.5.6. A cycle without a sample is none: the estimate outlives it. */
void rill_bbr_advance_max_bw(struct rill_bbr *b)
{
	if (b->max_bw_slot[1] == 0)
		return;
	b->max_bw_slot[0] = b->max_bw_slot[1];
	b->max_bw_slot[1] = 0;
	b->max_bw = b->max_bw_slot[0];
}

/* 5.5.10.3. */
void rill_bbr_update_latest_signals(struct rill_bbr_rx *rx)
{
	struct rill_bbr *b = rx->b;

	b->loss_round_start = false;
	b->bw_latest = RILL_MAX(b->bw_latest, rx->bw);
	b->inflight_latest = RILL_MAX(b->inflight_latest, rx->ack->rate.delivered);
	if (rx->ack->rate.prior_delivered < b->loss_round_delivered)
		return;
	b->loss_round_delivered = rx->tcb->x->delivered;
	b->loss_round_start = true;
}

void rill_bbr_advance_latest_signals(struct rill_bbr_rx *rx)
{
	struct rill_bbr *b = rx->b;

	if (!b->loss_round_start)
		return;
	b->bw_latest = rx->bw;
	b->inflight_latest = rx->ack->rate.delivered;
	b->is_loss_in_round = false;
	b->lost_ranges = 0;
}

void rill_bbr_reset_congestion_signals(struct rill_bbr *b)
{
	b->is_loss_in_round = false;
	b->lost_ranges = 0;
	b->bw_latest = 0;
	b->inflight_latest = 0;
}

void rill_bbr_reset_short_term(struct rill_bbr *b)
{
	b->bw_shortterm = UINT64_MAX;
	b->inflight_shortterm = UINT32_MAX;
}

void rill_bbr_reset_full_bw(struct rill_bbr *b)
{
	b->full_bw = 0;
	b->full_bw_count = 0;
	b->full_bw_now = false;
}

static bool is_probing_bw(const struct rill_bbr *b)
{
	return b->state == RILL_BBR_STARTUP || b->state == RILL_BBR_REFILL ||
	       b->state == RILL_BBR_UP;
}

/* A round with a loss, and no probe to blame for it: the path has become narrower. */
static void adapt_lower_bounds(struct rill_tcb *tcb)
{
	struct rill_bbr *b = rill_bbr(tcb);
	uint32_t inflight;

	if (is_probing_bw(b) || !b->is_loss_in_round)
		return;
	if (b->bw_shortterm == UINT64_MAX)
		b->bw_shortterm = b->max_bw;
	if (b->inflight_shortterm == UINT32_MAX)
		b->inflight_shortterm = tcb->cwnd;
	inflight = (uint32_t)((uint64_t)b->inflight_shortterm * BETA / 100);
	b->bw_shortterm = RILL_MAX(b->bw_latest, b->bw_shortterm * BETA / 100);
	b->inflight_shortterm = RILL_MAX(b->inflight_latest, inflight);
}

void rill_bbr_update_congestion_signals(struct rill_bbr_rx *rx)
{
	update_max_bw(rx);
	if (!rx->b->loss_round_start)
		return;
	adapt_lower_bounds(rx->tcb);
}

void rill_bbr_bound_bw(struct rill_bbr *b)
{
	b->bw = RILL_MIN(b->max_bw, b->bw_shortterm);
}

/* 5.5.11.1. */
void rill_bbr_save_upon_loss(struct rill_tcb *tcb)
{
	struct rill_bbr *b = rill_bbr(tcb);

	rill_bbr_save_cwnd(tcb);
	b->undo_state = RILL_BBR_NO_STATE;
	b->undo_bw_shortterm = b->bw_shortterm;
	b->undo_inflight_shortterm = b->inflight_shortterm;
	b->undo_inflight_longterm = b->inflight_longterm;
}

void rill_bbr_note_loss(struct rill_tcb *tcb)
{
	struct rill_bbr *b = rill_bbr(tcb);

	if (!b->is_loss_in_round) {
		b->loss_round_delivered = tcb->x->delivered;
		rill_bbr_save_upon_loss(tcb);
	}
	b->is_loss_in_round = true;
}

static void note_extra_acked(struct rill_bbr *b, uint32_t extra)
{
	uint32_t half = b->full_bw_reached ? EXTRA_ACKED_HALF_ROUNDS : 1;

	if (b->round_start && b->round_count - b->extra_acked_round >= half) {
		/* In Startup one round is remembered, not two halves. */
		b->extra_acked[0] = b->full_bw_reached ? b->extra_acked[1] : 0;
		b->extra_acked[1] = 0;
		b->extra_acked_round = b->round_count;
	}
	b->extra_acked[1] = RILL_MAX(b->extra_acked[1], extra);
}

/* 5.5.9: by how much the ACKs run ahead of the bandwidth. */
void rill_bbr_update_aggregation(struct rill_bbr_rx *rx)
{
	struct rill_bbr *b = rx->b;
	uint64_t since = rx->now - RILL_MIN(b->extra_acked_interval_start, rx->now);
	uint64_t expected, extra;

	expected = rill_bbr_volume(b->bw, RILL_MIN(since, RILL_BBR_TIME_MAX_NS));
	if (b->extra_acked_delivered <= expected) {
		b->extra_acked_delivered = 0;
		b->extra_acked_interval_start = rx->now;
		expected = 0;
	}
	b->extra_acked_delivered += rx->ack->delivered;
	extra = b->extra_acked_delivered - expected;
	note_extra_acked(b, (uint32_t)RILL_MIN(extra, (uint64_t)rx->tcb->cwnd));
}

uint32_t rill_bbr_extra_acked(const struct rill_bbr *b)
{
	return RILL_MAX(b->extra_acked[0], b->extra_acked[1]);
}

/* 5.3.4.3. */
void rill_bbr_update_min_rtt(struct rill_bbr_rx *rx)
{
	struct rill_bbr *b = rx->b;
	uint64_t rtt_ns = RILL_MIN(rx->ack->rtt_ns, RILL_BBR_TIME_MAX_NS);

	b->probe_rtt_expired = rx->now > b->probe_rtt_min_stamp + PROBE_RTT_INTERVAL_NS;
	if (rtt_ns != 0 && (rtt_ns < b->probe_rtt_min_ns || b->probe_rtt_expired)) {
		b->probe_rtt_min_ns = rtt_ns;
		b->probe_rtt_min_stamp = rx->now;
	}
	if (b->probe_rtt_min_ns == UINT64_MAX)
		return;
	if (b->probe_rtt_min_ns < b->min_rtt_ns || rx->now > b->min_rtt_stamp + MIN_RTT_FILTER_NS) {
		b->min_rtt_ns = b->probe_rtt_min_ns;
		b->min_rtt_stamp = b->probe_rtt_min_stamp;
	}
}
