/* SPDX-License-Identifier: BSD-3-Clause */
/* 5.6: from the model to pacing rate and cwnd. */
#include "netstack/tcp/cc_bbr.h"

#include "netstack/tcp/pace.h"

/* In hundredths: gains, margins, headroom. */
#define STARTUP_PACING_GAIN 277
#define PACING_MARGIN 1
#define HEADROOM 15
#define PROBE_RTT_CWND_GAIN 50
#define MIN_PIPE_SEGMENTS 4

/* 5.6.1. */
static const struct {
	uint16_t pacing, cwnd;
} gains[] = {
	[RILL_BBR_STARTUP] = {STARTUP_PACING_GAIN, 200},
	[RILL_BBR_DRAIN] = {50, 200},
	[RILL_BBR_DOWN] = {90, 200},
	[RILL_BBR_CRUISE] = {100, 200},
	[RILL_BBR_REFILL] = {100, 200},
	[RILL_BBR_UP] = {125, 225},
	[RILL_BBR_PROBE_RTT] = {100, PROBE_RTT_CWND_GAIN},
};

uint32_t rill_bbr_pacing_gain(const struct rill_bbr *b)
{
	return gains[b->state].pacing;
}

/*
 * 5.6.2. A connection that had a transfer before has a cwnd of about two BDPs: then half of it says
 * more than the initial window.
 */
void rill_bbr_init_pacing_rate(struct rill_tcb *tcb)
{
	struct rill_bbr *b = rill_bbr(tcb);
	uint64_t volume = RILL_MAX(b->initial_cwnd, tcb->cwnd / 2);
	uint64_t rtt_us = 1000;

	if ((tcb->flags & RILL_TCB_RTT_VALID) != 0) {
		rtt_us = RILL_MAX(tcb->srtt_us, UINT32_C(1));
		b->rtt_seen = true;
	}
	tcb->x->pacing_rate = volume * (1000 * 1000 / 100) * STARTUP_PACING_GAIN / rtt_us;
}

/* bw < 2^36, and gain * 99 < 2^15. */
void rill_bbr_set_pacing_rate(struct rill_tcb *tcb, uint32_t gain)
{
	struct rill_bbr *b = rill_bbr(tcb);
	uint64_t rate = b->bw * gain * (100 - PACING_MARGIN) / (100 * 100);

	/* 0 would mean no pacing at all. */
	if (rate > 0 && (b->full_bw_reached || rate > tcb->x->pacing_rate))
		tcb->x->pacing_rate = rate;
}

/* Long times lose their nanoseconds, lest the product overflow: 2^36 * 10^8 is below 2^63. */
uint64_t rill_bbr_volume(uint64_t bw, uint64_t ns)
{
	if (ns < UINT64_C(1) << 27)
		return bw * ns / RILL_SEC;
	return bw * (ns / RILL_US) / (RILL_SEC / RILL_US);
}

uint32_t rill_bbr_bdp(const struct rill_bbr *b, uint64_t bw, uint32_t gain)
{
	uint64_t bdp;

	if (b->min_rtt_ns == UINT64_MAX)
		return b->initial_cwnd;
	bdp = rill_bbr_volume(bw, b->min_rtt_ns);
	bdp = RILL_MIN(bdp, (uint64_t)RILL_TCP_CWND_MAX) * gain / 100;
	return (uint32_t)RILL_MIN(bdp, (uint64_t)RILL_TCP_CWND_MAX);
}

static uint32_t min_pipe_cwnd(const struct rill_tcb *tcb)
{
	return MIN_PIPE_SEGMENTS * (uint32_t)tcb->snd_mss;
}

/* 5.5.8.1 and 5.6.4.2: three bursts, one leaving, one under way, one being acknowledged. */
static uint32_t quantization_budget(const struct rill_tcb *tcb, uint32_t cap)
{
	const struct rill_bbr *b = (const struct rill_bbr *)(const void *)tcb->x->cc_priv;
	uint32_t quantum = rill_tcp_pace_quantum(tcb, tcb->x->pacing_rate);

	cap = RILL_MAX(cap, 3 * quantum);
	cap = RILL_MAX(cap, min_pipe_cwnd(tcb));
	if (b->state == RILL_BBR_UP)
		cap += 2 * (uint32_t)tcb->snd_mss;
	return cap;
}

uint32_t rill_bbr_inflight(const struct rill_tcb *tcb, uint64_t bw, uint32_t gain)
{
	const struct rill_bbr *b = (const struct rill_bbr *)(const void *)tcb->x->cc_priv;

	return quantization_budget(tcb, rill_bbr_bdp(b, bw, gain));
}

uint32_t rill_bbr_target_inflight(const struct rill_tcb *tcb)
{
	const struct rill_bbr *b = (const struct rill_bbr *)(const void *)tcb->x->cc_priv;
	uint32_t bdp = rill_bbr_bdp(b, b->bw, 100);

	return RILL_MIN(bdp, tcb->cwnd);
}

uint32_t rill_bbr_inflight_with_headroom(const struct rill_tcb *tcb)
{
	const struct rill_bbr *b = (const struct rill_bbr *)(const void *)tcb->x->cc_priv;
	uint32_t headroom;

	if (b->inflight_longterm == UINT32_MAX)
		return UINT32_MAX;
	headroom = (uint32_t)((uint64_t)b->inflight_longterm * HEADROOM / 100);
	headroom = RILL_MAX(headroom, (uint32_t)tcb->snd_mss);
	headroom = RILL_MIN(headroom, b->inflight_longterm);
	return RILL_MAX(b->inflight_longterm - headroom, min_pipe_cwnd(tcb));
}

uint32_t rill_bbr_probe_rtt_cwnd(const struct rill_tcb *tcb)
{
	const struct rill_bbr *b = (const struct rill_bbr *)(const void *)tcb->x->cc_priv;
	uint32_t half = rill_bbr_bdp(b, b->bw, PROBE_RTT_CWND_GAIN);

	return RILL_MAX(half, min_pipe_cwnd(tcb));
}

void rill_bbr_save_cwnd(struct rill_tcb *tcb)
{
	struct rill_bbr *b = rill_bbr(tcb);

	if (!b->in_recovery && b->state != RILL_BBR_PROBE_RTT)
		b->prior_cwnd = tcb->cwnd;
	else
		b->prior_cwnd = RILL_MAX(b->prior_cwnd, tcb->cwnd);
}

void rill_bbr_restore_cwnd(struct rill_tcb *tcb)
{
	tcb->cwnd = RILL_MAX(tcb->cwnd, rill_bbr(tcb)->prior_cwnd);
}

/* 5.6.4.7. */
void rill_bbr_bound_cwnd(struct rill_tcb *tcb)
{
	const struct rill_bbr *b = rill_bbr(tcb);
	uint32_t cap = UINT32_MAX;

	if (b->state == RILL_BBR_PROBE_RTT || b->state == RILL_BBR_CRUISE)
		cap = rill_bbr_inflight_with_headroom(tcb);
	else if (rill_bbr_in_probe_bw(b))
		cap = b->inflight_longterm;
	cap = RILL_MIN(cap, b->inflight_shortterm);
	cap = RILL_MAX(cap, min_pipe_cwnd(tcb));
	tcb->cwnd = RILL_MIN(tcb->cwnd, cap);
}

/* 5.6.4.6: down at once, up no faster than data is delivered. */
void rill_bbr_set_cwnd(struct rill_bbr_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	struct rill_bbr *b = rx->b;
	uint32_t cap = rill_bbr_bdp(b, b->bw, gains[b->state].cwnd) + rill_bbr_extra_acked(b);
	uint32_t max_inflight = quantization_budget(tcb, cap);

	if (b->full_bw_reached) {
		rill_tcp_cc_grow(tcb, rx->ack->delivered);
		tcb->cwnd = RILL_MIN(tcb->cwnd, max_inflight);
	} else if (tcb->cwnd < max_inflight || tcb->x->delivered < b->initial_cwnd) {
		rill_tcp_cc_grow(tcb, rx->ack->delivered);
	}
	tcb->cwnd = RILL_MAX(tcb->cwnd, min_pipe_cwnd(tcb));
	if (b->state == RILL_BBR_PROBE_RTT)
		tcb->cwnd = RILL_MIN(tcb->cwnd, rill_bbr_probe_rtt_cwnd(tcb));
	rill_bbr_bound_cwnd(tcb);
}
