/* SPDX-License-Identifier: BSD-3-Clause */
/* RFC 5681 with byte counting (RFC 3465) and an initial window of ten segments (RFC 6928). */
#include "netstack/tcp/cc.h"

#include "netstack/tcp/seq.h"

#define INITIAL_WINDOW_BYTES 14600
/* Enough for any buffer, and far from where sums of 32 bits overflow. */
#define CWND_MAX (UINT32_C(1) << 30)
/* RFC 3465, 2.3: "L". */
#define ABC_LIMIT 2

static uint32_t initial_window(const struct rill_tcb *tcb)
{
	uint32_t mss = tcb->snd_mss;

	/* RFC 5681, 3.1: one segment when the SYN was lost. */
	if (tcb->flags & RILL_TCB_SYN_RESENT)
		return mss;
	return RILL_MIN(10 * mss, RILL_MAX(2 * mss, (uint32_t)INITIAL_WINDOW_BYTES));
}

static void newreno_init(struct rill_tcb *tcb)
{
	tcb->cwnd = initial_window(tcb);
	tcb->ssthresh = CWND_MAX;
	tcb->cc_acked = 0;
}

static void grow(struct rill_tcb *tcb, uint32_t bytes)
{
	tcb->cwnd = RILL_MIN(tcb->cwnd + bytes, CWND_MAX);
}

static void newreno_on_ack(struct rill_tcb *tcb, uint32_t acked)
{
	if (tcb->cwnd < tcb->ssthresh) {
		/* While a timeout is repaired, acknowledgements say little of the path: L = 1. */
		uint32_t limit = rill_seq_lt(tcb->snd_una, tcb->recover) ? 1 : ABC_LIMIT;

		grow(tcb, RILL_MIN(acked, limit * tcb->snd_mss));
		return;
	}
	tcb->cc_acked += acked;
	if (tcb->cc_acked < tcb->cwnd)
		return;
	tcb->cc_acked -= tcb->cwnd;
	grow(tcb, tcb->snd_mss);
}

static void newreno_on_loss(struct rill_tcb *tcb, uint32_t flight)
{
	tcb->ssthresh = RILL_MAX(flight / 2, 2 * (uint32_t)tcb->snd_mss);
	tcb->cc_acked = 0;
}

/* The restart window (RFC 5681, 4.1). */
static void newreno_on_idle(struct rill_tcb *tcb)
{
	tcb->cwnd = RILL_MIN(tcb->cwnd, initial_window(tcb));
}

const struct rill_tcp_cc rill_tcp_cc_newreno = {
	.name = "newreno",
	.init = newreno_init,
	.on_ack = newreno_on_ack,
	.on_loss = newreno_on_loss,
	.on_idle = newreno_on_idle,
};
