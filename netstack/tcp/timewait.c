/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/timewait.h"

#include "netstack/tcp/reass.h"
#include "netstack/tcp/seq.h"
#include "netstack/tcp/xfer.h"

/* Beyond everything that old could still have had in flight. */
#define ISS_STEP 65536

void rill_tcp_time_wait(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	/* All was sent and all has come: what waits here for minutes shall be small. */
	if (rill_reass_empty(tcb))
		rill_tcp_xfer_drop(tcb, env);
	tcb->state = RILL_TCP_TIME_WAIT;
	tcb->rtx_at = RILL_FOREVER;
	tcb->wait_at = now + env->params.time_wait_us * RILL_US;
}

void rill_tcp_fin_wait_2_bound(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	uint32_t own_ms = tcb->settings->linger2_ms;
	uint64_t ns = own_ms ? own_ms * RILL_MS : env->params.fin_wait2_us * RILL_US;

	if (tcb->state != RILL_TCP_FIN_WAIT_2 || (tcb->flags & RILL_TCB_ORPHAN) == 0)
		return;
	tcb->wait_at = now + ns;
	/* All was acknowledged, and what comes now but a FIN resets. */
	if (rill_reass_empty(tcb))
		rill_tcp_xfer_drop(tcb, env);
}

bool rill_tcb_reusable(const struct rill_tcb *tcb, const struct rill_tcp_seg *seg)
{
	bool both_stamped = (tcb->flags & RILL_TCB_TIMESTAMPS) != 0 &&
			    (seg->opt.present & RILL_TCP_OPT_TIMESTAMPS) != 0;

	if (tcb->state != RILL_TCP_TIME_WAIT)
		return false;
	if ((seg->flags & (RILL_TCP_SYN | RILL_TCP_ACK | RILL_TCP_RST)) != RILL_TCP_SYN)
		return false;
	/*
	 * RFC 6191, 2: a later timestamp, or the same with a later number, proves a new connection.
	 */
	if (both_stamped && seg->opt.tsval != tcb->ts_recent)
		return rill_seq_gt(seg->opt.tsval, tcb->ts_recent);
	return rill_seq_gt(seg->seq, tcb->rcv_nxt);
}

uint32_t rill_tcp_time_wait_iss(const struct rill_tcb *old, uint32_t isn)
{
	uint32_t least = old->snd_nxt + ISS_STEP;

	return rill_seq_lt(isn, least) ? least : isn;
}
