/* SPDX-License-Identifier: BSD-3-Clause */
/* RFC 5681 with byte counting (RFC 3465) and an initial window of ten segments (RFC 6928). */
#include "netstack/tcp/cc.h"

#include "netstack/tcp/seq.h"

/* Enough for any buffer, and far from where sums of 32 bits overflow. */
#define CWND_MAX (UINT32_C(1) << 30)
/* RFC 3465, 2.3: "L". */
#define ABC_LIMIT 2

static void newreno_init(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now)
{
	(void)now;
	if (tcb->cwnd)
		return;
	tcb->cwnd = rill_tcp_initial_window(tcb, env);
	tcb->ssthresh = CWND_MAX;
}

static void grow(struct rill_tcb *tcb, uint32_t bytes)
{
	tcb->cwnd = RILL_MIN(tcb->cwnd + bytes, CWND_MAX);
}

static void newreno_on_ack(struct rill_tcb *tcb, const struct rill_tcp_cc_ack *ack)
{
	uint32_t acked = ack->acked;

	if (ack->in_recovery || !ack->cwnd_limited)
		return;
	if (tcb->cwnd < tcb->ssthresh) {
		/* While a timeout is repaired, acknowledgements say little of the path: L = 1. */
		uint32_t limit = rill_seq_lt(tcb->snd_una, tcb->recover) ? 1 : ABC_LIMIT;

		grow(tcb, RILL_MIN(acked, limit * tcb->snd_mss));
		return;
	}
	tcb->x->cc_acked += acked;
	if (tcb->x->cc_acked < tcb->cwnd)
		return;
	tcb->x->cc_acked -= tcb->cwnd;
	grow(tcb, tcb->snd_mss);
}

static void newreno_on_event(struct rill_tcb *tcb, enum rill_tcp_cc_event event, uint32_t flight,
			     uint64_t now)
{
	(void)event, (void)now;
	tcb->ssthresh = RILL_MAX(flight / 2, 2 * (uint32_t)tcb->snd_mss);
	tcb->x->cc_acked = 0;
}

/* The restart window (RFC 5681, 4.1). */
static void newreno_on_idle(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now)
{
	(void)now;
	tcb->cwnd = RILL_MIN(tcb->cwnd, rill_tcp_initial_window(tcb, env));
}

const struct rill_tcp_cc rill_tcp_cc_newreno = {
	.name = "reno",
	.init = newreno_init,
	.on_ack = newreno_on_ack,
	.on_event = newreno_on_event,
	.on_idle = newreno_on_idle,
};
