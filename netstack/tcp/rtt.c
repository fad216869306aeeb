/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/rtt.h"

#include "netstack/tcp/xfer.h"

/* Of our timers. */
#define GRANULARITY_US UINT32_C(1000)
/* A sample beyond this says that the peer is broken, not the path slow. */
#define RTT_MAX_US (UINT32_C(300) * 1000 * 1000)
/* RFC 6298, 2.3: alpha = 1/8, beta = 1/4. */
#define ALPHA_DIV 8
#define BETA_DIV 4

static void first_sample(struct rill_tcb *tcb, uint32_t r_us)
{
	tcb->srtt_us = r_us;
	tcb->rttvar_us = r_us / 2;
	/* Of the handshake; a transfer goes on from there. */
	tcb->min_rtt_us = RILL_MIN(tcb->min_rtt_us, r_us);
	tcb->flags |= RILL_TCB_RTT_VALID;
}

/*
 * With n samples per round trip each must weigh an n-th, else history is forgotten within one (RFC
 * 7323, 4.2 and appendix G).
 */
static void next_sample(struct rill_tcb *tcb, uint32_t r_us, uint32_t n)
{
	int64_t err = (int64_t)r_us - tcb->srtt_us;
	int64_t dev = (err < 0 ? -err : err) - (int64_t)tcb->rttvar_us;

	/* n is 1 but in a bulk transfer, and then no division by a variable is needed. */
	if (RILL_LIKELY(n == 1)) {
		tcb->rttvar_us = (uint32_t)(tcb->rttvar_us + dev / BETA_DIV);
		tcb->srtt_us = (uint32_t)(tcb->srtt_us + err / ALPHA_DIV);
		return;
	}
	tcb->rttvar_us = (uint32_t)(tcb->rttvar_us + dev / (int64_t)(BETA_DIV * n));
	tcb->srtt_us = (uint32_t)(tcb->srtt_us + err / (int64_t)(ALPHA_DIV * n));
}

/*
 * "G" of RFC 6298, 2.3, and more: where round trips hardly differ 4 RTTVAR goes towards nothing,
 * and on a path longer than rto_min the first ACK that the peer delays would be late. Half a round
 * trip is more than any delay of 40 ms from there on; rto_min is what Linux adds at least.
 */
static uint32_t slack_us(const struct rill_tcb *tcb, const struct rill_tcp_env *env)
{
	return RILL_MAX(RILL_MIN(tcb->srtt_us / 2, env->params.rto_min_us), GRANULARITY_US);
}

void rill_tcp_rtt_sample(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t rtt_ns,
			 uint32_t flight)
{
	uint32_t r_us = (uint32_t)RILL_MIN(rtt_ns / RILL_US, (uint64_t)RTT_MAX_US);
	uint32_t per_rtt = 1;
	uint32_t rto_us;

	if (flight > 2 * (uint32_t)tcb->snd_mss)
		per_rtt = (flight + 2 * tcb->snd_mss - 1) / (2 * (uint32_t)tcb->snd_mss);
	if (tcb->flags & RILL_TCB_RTT_VALID)
		next_sample(tcb, r_us, per_rtt);
	else
		first_sample(tcb, r_us);
	rto_us = tcb->srtt_us + RILL_MAX(slack_us(tcb, env), 4 * tcb->rttvar_us);
	rto_us = RILL_MAX(rto_us, env->params.rto_min_us);
	tcb->rto_us = RILL_MIN(rto_us, env->params.rto_max_us);
}

void rill_tcp_min_rtt_sample(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t rtt_ns,
			     uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;
	uint32_t r_us = (uint32_t)RILL_MIN(rtt_ns / RILL_US, (uint64_t)RTT_MAX_US);

	/* A path may become longer: what was measured long ago is forgotten. */
	if (r_us > x->min_rtt_us && now - x->min_rtt_ns <= env->params.min_rtt_window_us * RILL_US)
		return;
	x->min_rtt_us = r_us;
	x->min_rtt_ns = now;
}

void rill_tcp_rto_backoff(struct rill_tcb *tcb, const struct rill_tcp_env *env)
{
	uint64_t us = (uint64_t)tcb->rto_us * 2;

	tcb->rto_us = (uint32_t)RILL_MIN(us, (uint64_t)env->params.rto_max_us);
}
