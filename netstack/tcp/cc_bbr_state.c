/* SPDX-License-Identifier: BSD-3-Clause */
/* 5.3: the state machine. */
#include "netstack/tcp/cc_bbr.h"

#include "netstack/tcp/rate.h"

/* LossThresh, in hundredths. */
#define LOSS_THRESH 2
#define BETA 70
#define STARTUP_FULL_LOSS_COUNT 6
#define FULL_BW_ROUNDS 3
#define FULL_BW_GROWTH 125
#define DRAIN_ROUNDS 3
#define RENO_ROUNDS_MAX 63
#define PROBE_WAIT_MIN_MS 2000
#define PROBE_WAIT_SPREAD_MS 1000
#define PROBE_RTT_DURATION_NS (200 * RILL_MS)

void rill_bbr_enter_startup(struct rill_bbr *b)
{
	b->state = RILL_BBR_STARTUP;
}

/* 5.3.1.2: three rounds that should have been faster by a quarter, and were not. */
void rill_bbr_check_full_bw(struct rill_bbr_rx *rx)
{
	struct rill_bbr *b = rx->b;

	if (b->full_bw_now || !b->round_start || rx->ack->rate.app_limited || rx->bw == 0)
		return;
	if (rx->bw >= b->full_bw + b->full_bw * (FULL_BW_GROWTH - 100) / 100) {
		rill_bbr_reset_full_bw(b);
		b->full_bw = rx->bw;
		return;
	}
	b->full_bw_count++;
	b->full_bw_now = b->full_bw_count >= FULL_BW_ROUNDS;
	if (b->full_bw_now)
		b->full_bw_reached = true;
}

void rill_bbr_leave_startup(struct rill_tcb *tcb)
{
	struct rill_bbr *b = rill_bbr(tcb);

	b->undo_state = RILL_BBR_STARTUP;
	b->full_bw_reached = true;
	b->inflight_longterm = RILL_MAX(rill_bbr_bdp(b, b->bw, 100), b->inflight_latest);
}

/* 5.3.1.3. */
static bool startup_lost_much(const struct rill_bbr_rx *rx)
{
	const struct rill_bbr *b = rx->b;
	const struct rill_tcp_rate *rs = &rx->ack->rate;

	if (!b->in_recovery || !b->is_loss_in_round)
		return false;
	/* Without SACK a round trip shows one loss at most. */
	if ((rx->tcb->flags & RILL_TCB_SACK) == 0)
		return true;
	return b->loss_round_start && b->lost_ranges >= STARTUP_FULL_LOSS_COUNT &&
	       rill_bbr_too_high(rx->tcb, rs->lost, rs->tx_in_flight);
}

void rill_bbr_check_startup_done(struct rill_bbr_rx *rx)
{
	struct rill_bbr *b = rx->b;

	if (b->state != RILL_BBR_STARTUP)
		return;
	if (!b->full_bw_reached && startup_lost_much(rx))
		rill_bbr_leave_startup(rx->tcb);
	if (!b->full_bw_reached)
		return;
	b->state = RILL_BBR_DRAIN;
	b->drain_start_round = b->round_count;
}

/* ---- ProbeBW, 5.3.3 ---- */

/*
 * 5.3.3.8.3. Flows must not probe in step, so the wait is random: a hash of what differs between
 * connections and between probes.
 */
static void pick_probe_wait(struct rill_tcb *tcb, uint64_t now)
{
	struct rill_bbr *b = rill_bbr(tcb);
	uint64_t h =
		(now ^ (uint64_t)tcb->iss << 32 ^ b->round_count) * UINT64_C(0x9e3779b97f4a7c15);

	h ^= h >> 32;
	b->rounds_since_probe_up = h & 1;
	b->bw_probe_wait_ms = PROBE_WAIT_MIN_MS + (uint32_t)(h >> 1) % (PROBE_WAIT_SPREAD_MS + 1);
}

static void start_down(struct rill_tcb *tcb, uint64_t now)
{
	struct rill_bbr *b = rill_bbr(tcb);

	rill_bbr_reset_congestion_signals(b);
	b->probe_up_acked_per_inc = UINT32_MAX;
	pick_probe_wait(tcb, now);
	b->cycle_stamp = now;
	b->ack_phase = RILL_BBR_ACKS_PROBE_STOPPING;
	rill_bbr_start_round(tcb);
	b->state = RILL_BBR_DOWN;
}

void rill_bbr_start_refill(struct rill_tcb *tcb)
{
	struct rill_bbr *b = rill_bbr(tcb);

	rill_bbr_reset_short_term(b);
	b->bw_probe_up_rounds = 0;
	b->bw_probe_up_acked = 0;
	b->prev_probe_precautionary = false;
	b->ack_phase = RILL_BBR_ACKS_REFILLING;
	rill_bbr_start_round(tcb);
	b->state = RILL_BBR_REFILL;
}

/* One segment more in this round, two in the next, four, ... spread over the round. */
static void raise_longterm_slope(struct rill_tcb *tcb)
{
	struct rill_bbr *b = rill_bbr(tcb);
	uint32_t per_inc = tcb->cwnd >> b->bw_probe_up_rounds;

	b->bw_probe_up_rounds = RILL_MIN(b->bw_probe_up_rounds + 1, 30);
	b->probe_up_acked_per_inc = RILL_MAX(per_inc, (uint32_t)tcb->snd_mss);
}

static void start_up(struct rill_bbr_rx *rx)
{
	struct rill_bbr *b = rx->b;

	b->ack_phase = RILL_BBR_ACKS_PROBE_STARTING;
	rill_bbr_start_round(rx->tcb);
	rill_bbr_reset_full_bw(b);
	b->full_bw = rx->bw;
	b->state = RILL_BBR_UP;
	raise_longterm_slope(rx->tcb);
}

void rill_bbr_check_drain_done(struct rill_bbr_rx *rx)
{
	struct rill_bbr *b = rx->b;

	if (b->state != RILL_BBR_DRAIN)
		return;
	if (rx->inflight <= rill_bbr_inflight(rx->tcb, b->bw, 100) ||
	    b->round_count > b->drain_start_round + DRAIN_ROUNDS)
		start_down(rx->tcb, rx->now);
}

static bool is_time_to_probe(const struct rill_bbr_rx *rx)
{
	const struct rill_bbr *b = rx->b;
	uint32_t rounds = rill_bbr_target_inflight(rx->tcb) / rx->tcb->snd_mss;

	return rx->now > b->cycle_stamp + b->bw_probe_wait_ms * RILL_MS ||
	       b->rounds_since_probe_up >= RILL_MIN(rounds, (uint32_t)RENO_ROUNDS_MAX);
}

static bool is_time_to_cruise(const struct rill_bbr_rx *rx)
{
	return rx->inflight <= rill_bbr_inflight_with_headroom(rx->tcb) &&
	       rx->inflight <= rill_bbr_inflight(rx->tcb, rx->b->max_bw, 100);
}

static bool is_time_to_go_down(struct rill_bbr_rx *rx)
{
	struct rill_bbr *b = rx->b;

	/* The last probe went too high from here: wait for news of this one first (5.3.3.6). */
	if (b->prev_probe_too_high && rx->inflight >= b->inflight_longterm) {
		b->prev_probe_precautionary = true;
		return true;
	}
	if (!rx->ack->cwnd_limited || rx->tcb->cwnd < b->inflight_longterm)
		return b->full_bw_now;
	/* inflight_longterm holds the rate down, so a plateau is not the path's. */
	rill_bbr_reset_full_bw(b);
	b->full_bw = rx->bw;
	return false;
}

bool rill_bbr_too_high(const struct rill_tcb *tcb, uint32_t lost, uint32_t tx_in_flight)
{
	if ((tcb->flags & RILL_TCB_SACK) == 0)
		return lost > 0;
	return (uint64_t)lost * 100 > (uint64_t)tx_in_flight * LOSS_THRESH;
}

void rill_bbr_handle_too_high(struct rill_tcb *tcb, uint32_t tx_in_flight, bool app_limited,
			      uint64_t now)
{
	struct rill_bbr *b = rill_bbr(tcb);
	uint32_t least = (uint32_t)((uint64_t)rill_bbr_target_inflight(tcb) * BETA / 100);

	b->prev_probe_too_high = true;
	b->is_bw_probe_sample = false;
	if (!app_limited)
		b->inflight_longterm = RILL_MAX(tx_in_flight, least);
	if (b->state != RILL_BBR_UP)
		return;
	b->undo_state = RILL_BBR_UP;
	start_down(tcb, now);
}

static void probe_longterm_upward(struct rill_bbr_rx *rx)
{
	struct rill_bbr *b = rx->b;
	uint64_t acked = (uint64_t)b->bw_probe_up_acked + rx->ack->delivered;
	uint64_t delta = acked / b->probe_up_acked_per_inc;

	if (!rx->ack->cwnd_limited || rx->tcb->cwnd < b->inflight_longterm)
		return;
	b->bw_probe_up_acked = (uint32_t)(acked % b->probe_up_acked_per_inc);
	delta = b->inflight_longterm + delta * rx->tcb->snd_mss;
	b->inflight_longterm = (uint32_t)RILL_MIN(delta, (uint64_t)RILL_TCP_CWND_MAX);
	if (b->round_start)
		raise_longterm_slope(rx->tcb);
}

/* The last ACKs of a probe are in. True: a new probe begins at once. */
static bool probe_stopped(struct rill_bbr_rx *rx)
{
	struct rill_bbr *b = rx->b;

	b->is_bw_probe_sample = false;
	b->ack_phase = RILL_BBR_ACKS_INIT;
	if (!rill_bbr_in_probe_bw(b))
		return false;
	if (!rx->ack->rate.app_limited)
		rill_bbr_advance_max_bw(b);
	if (!b->prev_probe_precautionary || b->prev_probe_too_high)
		return false;
	rill_bbr_start_refill(rx->tcb);
	return true;
}

static bool adapt_long_term_model(struct rill_bbr_rx *rx)
{
	struct rill_bbr *b = rx->b;
	const struct rill_tcp_rate *rs = &rx->ack->rate;

	if (b->round_start && b->ack_phase == RILL_BBR_ACKS_PROBE_STARTING)
		b->ack_phase = RILL_BBR_ACKS_PROBE_FEEDBACK;
	if (b->round_start && b->ack_phase == RILL_BBR_ACKS_PROBE_STOPPING && probe_stopped(rx))
		return true;
	if (b->inflight_longterm == UINT32_MAX ||
	    rill_bbr_too_high(rx->tcb, rs->lost, rs->tx_in_flight))
		return false;
	b->inflight_longterm = RILL_MAX(b->inflight_longterm, rs->tx_in_flight);
	if (b->state == RILL_BBR_UP)
		probe_longterm_upward(rx);
	return false;
}

void rill_bbr_update_cycle(struct rill_bbr_rx *rx)
{
	struct rill_bbr *b = rx->b;

	if (!b->full_bw_reached || adapt_long_term_model(rx))
		return;
	switch (b->state) {
	case RILL_BBR_DOWN:
		if (is_time_to_probe(rx))
			rill_bbr_start_refill(rx->tcb);
		else if (is_time_to_cruise(rx))
			b->state = RILL_BBR_CRUISE;
		return;
	case RILL_BBR_CRUISE:
		if (is_time_to_probe(rx))
			rill_bbr_start_refill(rx->tcb);
		return;
	case RILL_BBR_REFILL:
		if (!b->round_start)
			return;
		b->is_bw_probe_sample = true;
		start_up(rx);
		return;
	case RILL_BBR_UP:
		if (!is_time_to_go_down(rx))
			return;
		b->prev_probe_too_high = false;
		start_down(rx->tcb, rx->now);
		return;
	default:
		return;
	}
}

/* ---- ProbeRTT, 5.3.4 ---- */

static void exit_probe_rtt(struct rill_tcb *tcb, uint64_t now)
{
	struct rill_bbr *b = rill_bbr(tcb);

	rill_bbr_reset_short_term(b);
	if (!b->full_bw_reached) {
		rill_bbr_enter_startup(b);
		return;
	}
	/* No more is in flight than there should be, so there is nothing to drain. */
	start_down(tcb, now);
	b->state = RILL_BBR_CRUISE;
}

void rill_bbr_check_probe_rtt_done(struct rill_tcb *tcb, uint64_t now)
{
	struct rill_bbr *b = rill_bbr(tcb);

	if (b->probe_rtt_done_stamp == 0 || now <= b->probe_rtt_done_stamp)
		return;
	b->probe_rtt_min_stamp = now;
	rill_bbr_restore_cwnd(tcb);
	exit_probe_rtt(tcb, now);
}

static void handle_probe_rtt(struct rill_bbr_rx *rx)
{
	struct rill_bbr *b = rx->b;

	/* Samples are low on purpose. */
	rill_tcp_rate_mark_app_limited(rx->tcb);
	if (b->probe_rtt_done_stamp == 0) {
		if (rx->inflight > rill_bbr_probe_rtt_cwnd(rx->tcb))
			return;
		b->probe_rtt_done_stamp = rx->now + PROBE_RTT_DURATION_NS;
		b->probe_rtt_round_done = false;
		rill_bbr_start_round(rx->tcb);
		return;
	}
	b->probe_rtt_round_done |= b->round_start;
	if (b->probe_rtt_round_done)
		rill_bbr_check_probe_rtt_done(rx->tcb, rx->now);
}

void rill_bbr_check_probe_rtt(struct rill_bbr_rx *rx)
{
	struct rill_bbr *b = rx->b;

	if (b->state != RILL_BBR_PROBE_RTT && b->probe_rtt_expired && !b->idle_restart) {
		rill_bbr_save_cwnd(rx->tcb);
		b->state = RILL_BBR_PROBE_RTT;
		b->probe_rtt_done_stamp = 0;
		b->ack_phase = RILL_BBR_ACKS_PROBE_STOPPING;
		rill_bbr_start_round(rx->tcb);
	}
	if (b->state == RILL_BBR_PROBE_RTT)
		handle_probe_rtt(rx);
	if (rx->ack->rate.delivered > 0)
		b->idle_restart = false;
}
