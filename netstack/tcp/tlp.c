/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/tlp.h"

#include "netstack/tcp/trace.h"

/* Without a measurement (RFC 8985, 7.2). */
#define PTO_INITIAL_NS RILL_SEC
/* G of RFC 6298: our timer is finer, the peer's delayed ACKs are not. */
#define PTO_SLACK_NS (2 * RILL_MS)

static bool wanted(const struct rill_tcb *tcb, const struct rill_tcp_env *env)
{
	const struct rill_tcp_xfer *x = tcb->x;

	if (env->params.no_tlp || env->params.no_rack || (tcb->flags & RILL_TCB_SACK) == 0)
		return false;
	/* Recovery and its timer are at work already; and one probe at a time. */
	return x->ca_state != RILL_TCP_CA_RECOVERY && x->ca_state != RILL_TCP_CA_LOSS &&
	       x->sacked == 0 && (x->flags & RILL_XF_TLP_OUT) == 0;
}

uint64_t rill_tcp_tlp_deadline(const struct rill_tcb *tcb, const struct rill_tcp_env *env,
			       uint64_t now)
{
	uint64_t pto = PTO_INITIAL_NS;

	if (!wanted(tcb, env))
		return RILL_FOREVER;
	if ((tcb->flags & RILL_TCB_RTT_VALID) != 0) {
		pto = 2 * tcb->srtt_us * RILL_US + PTO_SLACK_NS;
		/* A single segment is what the peer may delay the ACK of. */
		if (tcb->snd_nxt - tcb->snd_una <= tcb->snd_mss)
			pto += env->params.tlp_max_ack_delay_us * RILL_US;
	}
	return now + pto;
}

void rill_tcp_tlp_on_timer(struct rill_tcb *tcb)
{
	tcb->flags |= RILL_TCB_PROBE;
	tcb->x->tlp_at = RILL_FOREVER;
}

void rill_tcp_tlp_sent(struct rill_tcb *tcb, struct rill_tcp_env *env, bool retrans, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;

	x->flags |= RILL_XF_TLP_OUT;
	x->flags &= ~(uint32_t)RILL_XF_TLP_RETRANS;
	if (retrans)
		x->flags |= RILL_XF_TLP_RETRANS;
	x->tlp_end_seq = tcb->snd_nxt;
	x->tlp_at = RILL_FOREVER;
	if (tcb->probes < UINT16_MAX)
		tcb->probes++;
	rill_counter_add(&env->stats.tlp_probes, 1);
	rill_tcp_trace(tcb, env, RILL_TCP_EV_TLP, tcb->snd_nxt - tcb->iss, retrans, now);
}

bool rill_tcp_tlp_on_ack(struct rill_tcb *tcb, struct rill_tcp_env *env, uint32_t ack,
			 const struct rill_tcp_acked *a)
{
	struct rill_tcp_xfer *x = tcb->x;
	bool repaired = false;

	if ((x->flags & RILL_XF_TLP_OUT) == 0 || rill_seq_lt(ack, x->tlp_end_seq))
		return false;
	if ((x->flags & RILL_XF_TLP_RETRANS) != 0) {
		bool both_arrived = a->dsack && rill_seq_geq(a->dsack_end, x->tlp_end_seq - 1);

		if (!both_arrived && rill_seq_gt(ack, x->tlp_end_seq))
			repaired = true;
		else if (!both_arrived && !(a->dup && !a->had_sack))
			return false; /* the next ACK tells: a duplicate of the probe, or more */
	}
	x->flags &= ~(uint32_t)(RILL_XF_TLP_OUT | RILL_XF_TLP_RETRANS);
	if (repaired)
		rill_counter_add(&env->stats.tlp_recoveries, 1);
	return repaired;
}
