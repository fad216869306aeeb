/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DCTCP (RFC 8257): cwnd goes down by how much was marked, not by whether anything was. alpha is a
 * running share of the marked bytes, renewed once for each window of data. Without ECN, and for
 * losses, it is Reno (3.4).
 */
#include "netstack/tcp/cc_dctcp.h"

#include "netstack/tcp/cc_common.h"
#include "netstack/tcp/ecn.h"
#include "netstack/tcp/seq.h"

/* g = 1/16 (RFC 8257, 4.2). */
#define G_SHIFT 4
#define BETA_LOSS 50

static void begin_window(struct rill_tcp_dctcp *d, const struct rill_tcb *tcb)
{
	d->window_end = tcb->snd_nxt;
	d->bytes_acked = 0;
	d->bytes_marked = 0;
}

static void dctcp_init(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now)
{
	struct rill_tcp_dctcp *d = RILL_TCP_CC_PRIV(tcb, struct rill_tcp_dctcp);

	(void)now;
	rill_tcp_cc_start(tcb, env);
	/* Nothing is known of the path: the first mark halves (3.3). */
	d->alpha = RILL_TCP_DCTCP_ONE;
	d->reduced_at = tcb->snd_una;
	begin_window(d, tcb);
}

/* alpha = alpha (1 - g) + g M, M being the share of marked bytes. */
static void update_alpha(struct rill_tcp_dctcp *d)
{
	uint64_t m = d->bytes_marked * RILL_TCP_DCTCP_ONE / d->bytes_acked;
	uint32_t decay = d->alpha >> G_SHIFT;

	/* Shifting alone would never bring the last bits to zero. */
	if (decay == 0)
		decay = d->alpha != 0;
	d->alpha = RILL_MIN(d->alpha - decay + (uint32_t)(m >> G_SHIFT), RILL_TCP_DCTCP_ONE);
}

/* cwnd = cwnd (1 - alpha / 2), at most once for each window (RFC 8257, 3.3). */
static void react(struct rill_tcp_dctcp *d, struct rill_tcb *tcb)
{
	uint32_t cut = (uint32_t)((uint64_t)tcb->cwnd * d->alpha / (2 * RILL_TCP_DCTCP_ONE));

	/* What is acknowledged now was sent before the last cut could matter. */
	if (rill_seq_leq(tcb->snd_una, d->reduced_at))
		return;
	d->reduced_at = tcb->snd_nxt;
	tcb->cwnd = RILL_MAX(tcb->cwnd - cut, 2 * (uint32_t)tcb->snd_mss);
	tcb->ssthresh = tcb->cwnd;
	tcb->x->cc_acked = 0;
	rill_tcp_ecn_reduced(tcb);
}

static void dctcp_on_ack(struct rill_tcb *tcb, const struct rill_tcp_cc_ack *ack)
{
	struct rill_tcp_dctcp *d = RILL_TCP_CC_PRIV(tcb, struct rill_tcp_dctcp);

	d->bytes_acked += ack->delivered;
	d->bytes_marked += RILL_MIN(ack->ce_delivered, ack->delivered);
	if (rill_seq_geq(tcb->snd_una, d->window_end) && d->bytes_acked > 0) {
		update_alpha(d);
		begin_window(d, tcb);
	}
	if ((ack->ece || ack->ce_delivered > 0) && !ack->in_recovery) {
		react(d, tcb);
		return;
	}
	if (rill_tcp_cc_may_grow(tcb, ack))
		rill_tcp_cc_reno_grow(tcb, ack->acked);
}

static void dctcp_on_event(struct rill_tcb *tcb, enum rill_tcp_cc_event event, uint32_t flight,
			   uint64_t now)
{
	struct rill_tcp_dctcp *d = RILL_TCP_CC_PRIV(tcb, struct rill_tcp_dctcp);

	(void)event, (void)now;
	tcb->ssthresh = rill_tcp_cc_reduced(tcb, flight, BETA_LOSS);
	tcb->x->cc_acked = 0;
	/* The same window is not answered twice. */
	d->reduced_at = tcb->snd_nxt;
}

static void dctcp_on_idle(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now)
{
	struct rill_tcp_dctcp *d = RILL_TCP_CC_PRIV(tcb, struct rill_tcp_dctcp);

	(void)now;
	rill_tcp_cc_restart(tcb, env);
	d->reduced_at = tcb->snd_una;
	tcb->x->cc_acked = 0;
}

const struct rill_tcp_cc rill_tcp_cc_dctcp = {
	.name = "dctcp",
	.needs_ecn = true,
	.init = dctcp_init,
	.on_ack = dctcp_on_ack,
	.on_event = dctcp_on_event,
	.on_idle = dctcp_on_idle,
};
