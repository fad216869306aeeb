/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/pace.h"

#include "netstack/tcp/cc.h"

#define QUANTUM_MAX_BYTES (64 * 1024)
#define QUANTUM_US UINT32_C(1000)
#define PERCENT_SLOW_START 200
#define PERCENT_AVOIDANCE 120
/* Whatever the rate is. As long as the horizon of Linux's fq, beyond which nothing is paced. */
#define WAIT_MAX_NS (10 * RILL_SEC)
/* Longer than a quantum takes at all but low rates: then the wait is looked at. */
#define LONG_WAIT_NS (4 * RILL_MS)
/* More than any NIC; keeps the sums below within 64 bits. */
#define RATE_MAX (UINT64_C(1) << 40)

/* cwnd reaches 2^30 and the time is in microseconds: 2^30 * 200 * 10^4 is below 2^51. */
static uint64_t rate_of_cwnd(const struct rill_tcb *tcb)
{
	/* Half of ssthresh: there slow start may end before the next ACK comes. */
	uint64_t percent = tcb->cwnd < tcb->ssthresh / 2 ? PERCENT_SLOW_START : PERCENT_AVOIDANCE;

	return tcb->cwnd * percent * (1000 * 1000 / 100) / RILL_MAX(tcb->srtt_us, UINT32_C(1));
}

void rill_tcp_pace_update(struct rill_tcb *tcb, const struct rill_tcp_env *env)
{
	struct rill_tcp_xfer *x = tcb->x;

	if (env->params.no_pacing) {
		x->pacing_rate = 0;
		return;
	}
	if (tcb->cc->paces)
		return;
	x->pacing_rate = tcb->settings->max_pacing_rate;
	if (env->params.pace_all && (tcb->flags & RILL_TCB_RTT_VALID) != 0)
		x->pacing_rate = RILL_MAX(rate_of_cwnd(tcb), UINT64_C(1));
}

uint64_t rill_tcp_pace_rate(const struct rill_tcb *tcb)
{
	uint64_t rate = tcb->x->pacing_rate;

	if (rate == 0)
		return 0;
	if (tcb->settings->max_pacing_rate != 0)
		rate = RILL_MIN(rate, tcb->settings->max_pacing_rate);
	return RILL_MIN(rate, RATE_MAX);
}

uint32_t rill_tcp_pace_quantum(const struct rill_tcb *tcb, uint64_t rate)
{
	uint32_t us = QUANTUM_US;
	uint64_t quantum;

	if ((tcb->flags & RILL_TCB_RTT_VALID) != 0)
		us = RILL_MIN(us, tcb->srtt_us / 4);
	quantum = RILL_MIN(rate, RATE_MAX) * us / (1000 * 1000);
	quantum = RILL_MIN(quantum, (uint64_t)QUANTUM_MAX_BYTES);
	return RILL_MAX((uint32_t)quantum, 2 * (uint32_t)tcb->snd_mss);
}

static uint64_t time_of(uint64_t bytes, uint64_t rate)
{
	return bytes * RILL_SEC / rate;
}

/*
 * A wait that was set by a rate of the past, much lower than today's, is that of today's rate: what
 * was sent in a burst was no more than a quantum and a segment.
 */
static void shorten(struct rill_tcb *tcb, uint64_t now)
{
	uint64_t rate = rill_tcp_pace_rate(tcb);
	uint64_t most = 0;

	if (rate != 0)
		most = time_of(2 * (uint64_t)rill_tcp_pace_quantum(tcb, rate), rate);
	most = RILL_MIN(most, WAIT_MAX_NS);
	tcb->x->pace_at = RILL_MIN(tcb->x->pace_at, now + most);
}

/*
 * pace_at runs ahead of now by what was sent in this burst. The burst is over once that is a
 * quantum; the next begins when now has caught up.
 */
bool rill_tcp_pace_allows(struct rill_tcb *tcb, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;
	uint64_t rate, quantum_ns;

	if (RILL_UNLIKELY(x->pace_at > now + LONG_WAIT_NS))
		shorten(tcb, now);
	if (RILL_LIKELY(x->pace_at <= now)) {
		x->flags &= ~(uint32_t)RILL_XF_PACED_OUT;
		return true;
	}
	if ((x->flags & RILL_XF_PACED_OUT) != 0)
		return false;
	rate = rill_tcp_pace_rate(tcb);
	if (rate == 0)
		return true;
	quantum_ns = time_of(rill_tcp_pace_quantum(tcb, rate), rate);
	if (x->pace_at - now < RILL_MIN(quantum_ns, WAIT_MAX_NS))
		return true;
	x->flags |= RILL_XF_PACED_OUT;
	return false;
}

void rill_tcp_pace_on_timer(struct rill_tcb *tcb, uint64_t now)
{
	if (tcb->x->pace_at <= now)
		tcb->x->flags &= ~(uint32_t)RILL_XF_PACED_OUT;
}

void rill_tcp_pace_sent(struct rill_tcb *tcb, uint32_t n, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;
	uint64_t rate = rill_tcp_pace_rate(tcb);

	if (RILL_LIKELY(rate == 0)) {
		x->pace_at = 0;
		return;
	}
	x->pace_at = RILL_MAX(x->pace_at, now) + time_of(n, rate);
	x->pace_at = RILL_MIN(x->pace_at, now + WAIT_MAX_NS);
}
