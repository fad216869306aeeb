/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/prr.h"

void rill_tcp_prr_begin(struct rill_tcb *tcb, const struct rill_tcp_acked *a)
{
	struct rill_tcp_xfer *x = tcb->x;

	x->prr_delivered = 0;
	x->prr_out = 0;
	/* What was SACKed before will not be delivered in recovery; what this ACK told, is. */
	x->recover_fs = tcb->snd_nxt - tcb->snd_una - x->sacked - x->reno_sacked;
	if (a)
		x->recover_fs += a->delivered;
	x->recover_fs = RILL_MAX(x->recover_fs, (uint32_t)tcb->snd_mss);
}

static uint32_t minus(uint64_t a, uint64_t b)
{
	return a > b ? (uint32_t)(a - b) : 0;
}

void rill_tcp_prr_on_ack(struct rill_tcb *tcb, uint32_t delivered, bool advanced, uint32_t lost)
{
	struct rill_tcp_xfer *x = tcb->x;
	uint32_t pipe = rill_tcp_pipe(tcb);
	uint32_t n;

	if (delivered == 0)
		return;
	x->prr_delivered += delivered;
	if (pipe > tcb->ssthresh) {
		uint64_t share = (uint64_t)x->prr_delivered * tcb->ssthresh + x->recover_fs - 1;

		n = minus(share / x->recover_fs, x->prr_out);
	} else {
		n = RILL_MAX(minus(x->prr_delivered, x->prr_out), delivered);
		if (advanced && lost == 0)
			n += tcb->snd_mss;
		n = RILL_MIN(n, tcb->ssthresh - pipe);
	}
	/* The fast retransmit itself. */
	if (x->prr_out == 0)
		n = RILL_MAX(n, (uint32_t)tcb->snd_mss);
	tcb->cwnd = pipe + n;
}
