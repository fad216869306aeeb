/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CUBIC (RFC 9438) with HyStart++ (RFC 9406) and ABE (RFC 8511). cwnd follows a cubic of the time
 * since congestion avoidance began: it flattens out towards W_max, where the last loss was, and
 * then looks for more, faster and faster. Where Reno would be faster, it is Reno.
 *
 *      W_cubic(t) = C (t - K)^3 + W_max,      K = cbrt((W_max - cwnd_epoch) / C)
 *
 * in segments and seconds; here in bytes and milliseconds, and nothing overflows: cwnd is at most
 * 2^30, and the time at most 2^20 ms.
 */
#include "netstack/tcp/cc_cubic.h"

#include "netstack/tcp/cc_common.h"

/* C is 0.4 and so 4/10; both betas in hundredths. */
#define C_NUM 4
#define C_DEN 10
#define BETA_CUBIC 70
#define BETA_ECN 85 /* RFC 8511, 3.1 */
/* 3 (1 - beta) / (1 + beta) = 9/17. */
#define ALPHA_NUM 9
#define ALPHA_DEN 17
/* Far beyond where the cubic reaches the largest cwnd from the smallest: 17 min. */
#define TIME_MAX_MS (INT64_C(1) << 20)

/* The largest r with r^3 <= a. */
static uint32_t cube_root(uint64_t a)
{
	uint32_t r = 0;

	for (int bit = 20; bit >= 0; bit--) {
		uint64_t try = r | UINT32_C(1) << bit;

		if (try * try * try <= a)
			r = (uint32_t)try;
	}
	return r;
}

/* cbrt(bytes / mss / C), in ms. Below 2^64: bytes < 2^30 and 10^10 < 2^34. */
static uint32_t time_to_grow_ms(uint32_t bytes, uint32_t mss)
{
	return cube_root((uint64_t)bytes * C_DEN * (1000 * 1000 * 1000) / (C_NUM * mss));
}

/* C (t - K)^3 + W_max. The division in two steps keeps it within 2^58 and loses less than a byte.
 */
static uint32_t w_cubic(const struct rill_tcp_cubic *c, int64_t t_ms, uint32_t mss)
{
	int64_t d = t_ms - c->k_ms;
	int64_t w;

	d = RILL_MAX(d, -TIME_MAX_MS);
	d = RILL_MIN(d, TIME_MAX_MS);
	w = d * d * d / (1000 * 1000) * (C_NUM * mss) / (C_DEN * 1000) + c->w_max;
	w = RILL_MAX(w, INT64_C(0));
	return (uint32_t)RILL_MIN(w, (int64_t)RILL_TCP_CWND_MAX);
}

static void begin_epoch(struct rill_tcp_cubic *c, const struct rill_tcb *tcb, uint64_t now)
{
	c->epoch_ns = now;
	c->in_epoch = true;
	c->w_est = tcb->cwnd;
	c->w_est_rest = 0;
	c->grow_rest = 0;
	c->at_ms = -1;
	/*
	 * After a timeout, and when slow start ended without a loss, W_max says nothing of this
	 * path (4.8, 4.10).
	 */
	if (c->forget_w_max || tcb->cwnd >= c->w_max) {
		c->forget_w_max = false;
		c->w_max = tcb->cwnd;
		c->k_ms = 0;
		return;
	}
	c->k_ms = time_to_grow_ms(c->w_max - tcb->cwnd, tcb->snd_mss);
}

/* 4.3: what Reno with this beta would have reached. */
static void estimate_reno(struct rill_tcp_cubic *c, const struct rill_tcb *tcb, uint32_t acked)
{
	bool caught_up = c->w_est >= c->cwnd_prior;
	uint64_t num = (uint64_t)acked * tcb->snd_mss;
	uint64_t den = tcb->cwnd;

	if (!caught_up) {
		num *= ALPHA_NUM;
		den *= ALPHA_DEN;
	}
	num += RILL_MIN(c->w_est_rest, den);
	c->w_est = (uint32_t)RILL_MIN(c->w_est + num / den, (uint64_t)RILL_TCP_CWND_MAX);
	c->w_est_rest = num % den;
}

/* 4.2, 4.4 and 4.5: both values of the curve that an ACK needs, once for each millisecond. */
static void follow_curve(struct rill_tcp_cubic *c, const struct rill_tcb *tcb, uint64_t now)
{
	int64_t t_ms = (int64_t)((now - RILL_MIN(c->epoch_ns, now)) / RILL_MS);

	if (t_ms == c->at_ms)
		return;
	c->at_ms = t_ms;
	c->w_now = w_cubic(c, t_ms, tcb->snd_mss);
	c->w_target = w_cubic(c, t_ms + tcb->srtt_us / 1000, tcb->snd_mss);
}

static void avoid_congestion(struct rill_tcp_cubic *c, struct rill_tcb *tcb, uint32_t acked,
			     uint64_t now)
{
	uint32_t target;
	uint64_t num;

	if (!c->in_epoch)
		begin_epoch(c, tcb, now);
	follow_curve(c, tcb, now);
	estimate_reno(c, tcb, acked);
	if (c->w_now < c->w_est) {
		tcb->cwnd = RILL_MAX(tcb->cwnd, c->w_est);
		return;
	}
	target = RILL_MIN(c->w_target, tcb->cwnd + tcb->cwnd / 2);
	if (target <= tcb->cwnd)
		return;
	num = (uint64_t)(target - tcb->cwnd) * acked + RILL_MIN(c->grow_rest, (uint64_t)tcb->cwnd);
	c->grow_rest = num % tcb->cwnd;
	rill_tcp_cc_grow(tcb, (uint32_t)RILL_MIN(num / tcb->cwnd, (uint64_t)RILL_TCP_CWND_MAX));
}

static void cubic_init(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now)
{
	struct rill_tcp_cubic *c = RILL_TCP_CC_PRIV(tcb, struct rill_tcp_cubic);

	rill_tcp_cc_start(tcb, env);
	c->last_ack_ns = now;
	rill_tcp_hystart_init(&c->hystart, tcb);
}

static void cubic_on_ack(struct rill_tcb *tcb, const struct rill_tcp_cc_ack *ack)
{
	struct rill_tcp_cubic *c = RILL_TCP_CC_PRIV(tcb, struct rill_tcp_cubic);
	uint64_t since_ns = ack->now_ns - RILL_MIN(c->last_ack_ns, ack->now_ns);

	c->last_ack_ns = ack->now_ns;
	if (!rill_tcp_cc_may_grow(tcb, ack)) {
		/* Time in which cwnd was not used is not on the curve's clock (4.2). */
		c->epoch_ns += since_ns;
		return;
	}
	if (!rill_tcp_in_slow_start(tcb)) {
		avoid_congestion(c, tcb, RILL_MIN(ack->acked, RILL_TCP_CWND_MAX), ack->now_ns);
		return;
	}
	if (tcb->ssthresh == RILL_TCP_CWND_MAX)
		rill_tcp_hystart_on_ack(&c->hystart, tcb, ack);
	else
		rill_tcp_cc_slow_start(tcb, ack->acked);
}

static void cubic_on_event(struct rill_tcb *tcb, enum rill_tcp_cc_event event, uint32_t flight,
			   uint64_t now)
{
	struct rill_tcp_cubic *c = RILL_TCP_CC_PRIV(tcb, struct rill_tcp_cubic);
	uint32_t beta = BETA_CUBIC;

	(void)now;
	c->undo = (struct rill_tcp_cubic_undo){
		.epoch_ns = c->epoch_ns,
		.w_max = c->w_max,
		.cwnd_prior = c->cwnd_prior,
		.w_est = c->w_est,
		.k_ms = c->k_ms,
		.in_epoch = c->in_epoch,
	};
	/* Fast convergence (4.7): the share shrinks, so room is made for the others. */
	c->w_max = tcb->cwnd < c->w_max ? (uint32_t)((uint64_t)tcb->cwnd * (100 + BETA_CUBIC) / 200)
					: tcb->cwnd;
	c->cwnd_prior = tcb->cwnd;
	c->in_epoch = false;
	c->forget_w_max = event == RILL_TCP_CC_RTO;
	if (event == RILL_TCP_CC_ECN && !rill_tcp_in_slow_start(tcb))
		beta = BETA_ECN;
	/* What limited transmit sent beyond cwnd does not count (RFC 5681, 3.2, step 2). */
	tcb->ssthresh = rill_tcp_cc_reduced(tcb, RILL_MIN(flight, tcb->cwnd), beta);
}

/* 4.9. */
static void cubic_on_undo(struct rill_tcb *tcb, uint64_t now)
{
	struct rill_tcp_cubic *c = RILL_TCP_CC_PRIV(tcb, struct rill_tcp_cubic);
	const struct rill_tcp_cubic_undo *u = &c->undo;

	(void)now;
	c->epoch_ns = u->epoch_ns;
	c->w_max = u->w_max;
	c->cwnd_prior = u->cwnd_prior;
	c->w_est = u->w_est;
	c->k_ms = u->k_ms;
	c->in_epoch = u->in_epoch;
	c->at_ms = -1;
	c->forget_w_max = false;
}

static void cubic_on_idle(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now)
{
	struct rill_tcp_cubic *c = RILL_TCP_CC_PRIV(tcb, struct rill_tcp_cubic);

	rill_tcp_cc_restart(tcb, env);
	c->in_epoch = false;
	c->last_ack_ns = now;
	rill_tcp_hystart_init(&c->hystart, tcb);
}

const struct rill_tcp_cc rill_tcp_cc_cubic = {
	.name = "cubic",
	.init = cubic_init,
	.on_ack = cubic_on_ack,
	.on_event = cubic_on_event,
	.on_undo = cubic_on_undo,
	.on_idle = cubic_on_idle,
};
