/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/undo.h"

#include "netstack/tcp/cc.h"
#include "netstack/tcp/rtt.h"

void rill_tcp_undo_begin(struct rill_tcb *tcb)
{
	struct rill_tcp_xfer *x = tcb->x;

	x->flags |= RILL_XF_UNDO;
	x->flags &= ~(uint32_t)(RILL_XF_UNDO_TS | RILL_XF_DSACK_SEEN);
	x->undo_mark = tcb->snd_una;
	x->undo_retrans = 0;
	x->prior_cwnd = tcb->cwnd;
	x->prior_ssthresh = tcb->ssthresh;
}

void rill_tcp_undo_on_retransmit(struct rill_tcb *tcb, uint32_t start, uint32_t end, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;

	if ((x->flags & RILL_XF_UNDO) == 0)
		return;
	x->undo_start = x->undo_retrans ? rill_seq_min(x->undo_start, start) : start;
	x->undo_end = x->undo_retrans ? rill_seq_max(x->undo_end, end) : end;
	x->undo_retrans++;
	if ((x->flags & RILL_XF_UNDO_TS) != 0)
		return;
	x->flags |= RILL_XF_UNDO_TS;
	x->undo_ts = rill_tcp_ts_now(tcb, now);
}

void rill_tcp_undo_on_dsack(struct rill_tcb *tcb, struct rill_tcp_env *env,
			    const struct rill_tcp_acked *a)
{
	struct rill_tcp_xfer *x = tcb->x;
	uint32_t segs;

	if (!a->dsack || (x->flags & RILL_XF_UNDO) == 0 || x->undo_retrans == 0)
		return;
	if (rill_seq_leq(a->dsack_end, x->undo_mark))
		return; /* of an episode before */
	if (rill_seq_leq(a->dsack_end, x->undo_start) || rill_seq_geq(a->dsack_start, x->undo_end))
		return; /* never sent again: the network's own duplicate (RFC 3708, 2) */
	segs = (a->dsack_end - a->dsack_start + tcb->snd_mss - 1) / tcb->snd_mss;
	segs = RILL_MIN(segs, x->undo_retrans);
	x->undo_retrans -= segs;
	x->flags |= RILL_XF_DSACK_SEEN;
	rill_counter_add(&env->stats.spurious_retransmits, segs);
	tcb->spurious = (uint16_t)RILL_MIN(tcb->spurious + segs, (uint32_t)UINT16_MAX);
}

bool rill_tcp_undo_due(const struct rill_tcb *tcb, const struct rill_tcp_acked *a)
{
	const struct rill_tcp_xfer *x = tcb->x;

	if ((x->flags & RILL_XF_UNDO) == 0)
		return false;
	if ((x->flags & RILL_XF_DSACK_SEEN) != 0 && x->undo_retrans == 0)
		return true;
	/* RFC 3522, 3.2, step 4. Only the first new ACK tells: the next may answer the original
	 * of what was not sent again. */
	return a->advanced && a->prior_una == x->undo_mark && a->has_tsecr &&
	       (x->flags & RILL_XF_UNDO_TS) != 0 && rill_seq_lt(a->tsecr, x->undo_ts);
}

void rill_tcp_undo(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;

	x->flags &= ~(uint32_t)(RILL_XF_UNDO | RILL_XF_UNDO_TS | RILL_XF_DSACK_SEEN);
	tcb->cwnd = RILL_MAX(tcb->cwnd, x->prior_cwnd);
	tcb->ssthresh = RILL_MAX(tcb->ssthresh, x->prior_ssthresh);
	rill_tcp_unmark_lost(tcb);
	rill_counter_add(&env->stats.undos, 1);
	if (tcb->cc->on_undo)
		tcb->cc->on_undo(tcb, now);
}
