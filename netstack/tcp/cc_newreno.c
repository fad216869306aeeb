/* SPDX-License-Identifier: BSD-3-Clause */
/* RFC 5681 with byte counting (RFC 3465) and a milder answer to ECN (ABE, RFC 8511). */
#include "netstack/tcp/cc_common.h"

/* In hundredths. */
#define BETA_LOSS 50
#define BETA_ECN 80 /* RFC 8511, 3.1 */

static void newreno_init(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now)
{
	(void)now;
	rill_tcp_cc_start(tcb, env);
}

static void newreno_on_ack(struct rill_tcb *tcb, const struct rill_tcp_cc_ack *ack)
{
	if (rill_tcp_cc_may_grow(tcb, ack))
		rill_tcp_cc_reno_grow(tcb, ack->acked);
}

static void newreno_on_event(struct rill_tcb *tcb, enum rill_tcp_cc_event event, uint32_t flight,
			     uint64_t now)
{
	uint32_t beta = BETA_LOSS;

	(void)now;
	/*
	 * Only in congestion avoidance: slow start overshoots by up to a whole window, whoever
	 * reports it.
	 */
	if (event == RILL_TCP_CC_ECN && !rill_tcp_in_slow_start(tcb))
		beta = BETA_ECN;
	tcb->ssthresh = rill_tcp_cc_reduced(tcb, flight, beta);
	tcb->x->cc_acked = 0;
}

static void newreno_on_idle(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now)
{
	(void)now;
	rill_tcp_cc_restart(tcb, env);
	tcb->x->cc_acked = 0;
}

const struct rill_tcp_cc rill_tcp_cc_newreno = {
	.name = "reno",
	.init = newreno_init,
	.on_ack = newreno_on_ack,
	.on_event = newreno_on_event,
	.on_idle = newreno_on_idle,
};
