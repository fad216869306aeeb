/* SPDX-License-Identifier: BSD-3-Clause */
/* What the algorithms share, and their names. */
#include "netstack/tcp/cc.h"

#include "netstack/tcp/cc_common.h"
#include "netstack/tcp/seq.h"

#include <string.h>

/* RFC 6928, 2. */
#define INITIAL_WINDOW_BYTES 1460
/* RFC 3465, 2.3: "L". */
#define ABC_LIMIT 2

uint32_t rill_tcp_initial_window(const struct rill_tcb *tcb, const struct rill_tcp_env *env)
{
	uint32_t mss = tcb->snd_mss;
	uint32_t segments = env->params.initial_window;

	/* RFC 5681, 3.1: one segment when the SYN was lost. */
	if (tcb->flags & RILL_TCB_SYN_RESENT)
		return mss;
	return RILL_MIN(segments * mss, RILL_MAX(2 * mss, segments * INITIAL_WINDOW_BYTES));
}

void rill_tcp_cc_switch(struct rill_tcb *tcb, const struct rill_tcp_env *env,
			const struct rill_tcp_cc *cc, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;

	if (tcb->cc == cc)
		return;
	tcb->cc = cc;
	if (!x)
		return;
	/* What one algorithm keeps means nothing to another. */
	memset(x->cc_priv, 0, sizeof(x->cc_priv));
	x->cc_acked = 0;
	x->pacing_rate = 0;
	cc->init(tcb, env, now);
}

void rill_tcp_cc_start(struct rill_tcb *tcb, const struct rill_tcp_env *env)
{
	if (tcb->cwnd)
		return;
	tcb->cwnd = rill_tcp_initial_window(tcb, env);
	tcb->ssthresh = RILL_TCP_CWND_MAX;
}

void rill_tcp_cc_restart(struct rill_tcb *tcb, const struct rill_tcp_env *env)
{
	uint32_t window = rill_tcp_initial_window(tcb, env);

	if (tcb->cwnd <= window)
		return;
	tcb->ssthresh = RILL_MAX(tcb->ssthresh, tcb->cwnd - tcb->cwnd / 4);
	tcb->cwnd = window;
}

bool rill_tcp_cc_may_grow(const struct rill_tcb *tcb, const struct rill_tcp_cc_ack *ack)
{
	if (!ack->cwnd_limited || ack->acked == 0)
		return false;
	/* After a timeout there is no PRR: slow start begins again while the losses are repaired.
	 */
	return !ack->in_recovery || rill_tcp_ca(tcb) == RILL_TCP_CA_LOSS;
}

void rill_tcp_cc_grow(struct rill_tcb *tcb, uint32_t bytes)
{
	bytes = RILL_MIN(bytes, RILL_TCP_CWND_MAX);
	tcb->cwnd = RILL_MIN(tcb->cwnd + bytes, RILL_TCP_CWND_MAX);
}

void rill_tcp_cc_slow_start(struct rill_tcb *tcb, uint32_t acked)
{
	/* While a timeout is repaired, acknowledgements say little of the path: L = 1. */
	uint32_t limit = rill_seq_lt(tcb->snd_una, tcb->recover) ? 1 : ABC_LIMIT;

	rill_tcp_cc_grow(tcb, RILL_MIN(acked, limit * tcb->snd_mss));
}

void rill_tcp_cc_reno_grow(struct rill_tcb *tcb, uint32_t acked)
{
	struct rill_tcp_xfer *x = tcb->x;

	if (rill_tcp_in_slow_start(tcb)) {
		rill_tcp_cc_slow_start(tcb, acked);
		return;
	}
	x->cc_acked += RILL_MIN(acked, RILL_TCP_CWND_MAX);
	if (x->cc_acked < tcb->cwnd)
		return;
	/* One segment for each window, and no credit beyond that: cwnd may just have shrunk. */
	x->cc_acked = RILL_MIN(x->cc_acked - tcb->cwnd, tcb->cwnd);
	rill_tcp_cc_grow(tcb, tcb->snd_mss);
}

uint32_t rill_tcp_cc_reduced(const struct rill_tcb *tcb, uint32_t flight, uint32_t percent)
{
	uint32_t reduced = (uint32_t)((uint64_t)flight * percent / 100);

	return RILL_MAX(reduced, 2 * (uint32_t)tcb->snd_mss);
}

const struct rill_tcp_cc *const rill_tcp_cc_all[] = {
	&rill_tcp_cc_cubic, &rill_tcp_cc_newreno, &rill_tcp_cc_dctcp, &rill_tcp_cc_bbr, NULL,
};

const struct rill_tcp_cc *rill_tcp_cc_find(const char *name)
{
	if (strcmp(name, "newreno") == 0)
		name = "reno";
	for (unsigned i = 0; rill_tcp_cc_all[i]; i++)
		if (strcmp(rill_tcp_cc_all[i]->name, name) == 0)
			return rill_tcp_cc_all[i];
	return NULL;
}
