/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/frto.h"

void rill_tcp_frto_begin(struct rill_tcb *tcb, const struct rill_tcp_env *env, bool first)
{
	struct rill_tcp_xfer *x = tcb->x;

	x->flags &= ~(uint32_t)(RILL_XF_FRTO | RILL_XF_FRTO_NEW_DATA);
	/* 3.1, step 1: not when an earlier timeout is still being repaired. */
	if (env->params.no_frto || !first)
		return;
	x->flags |= RILL_XF_FRTO;
	x->frto_high = tcb->snd_nxt;
}

static void stop(struct rill_tcp_xfer *x)
{
	x->flags &= ~(uint32_t)(RILL_XF_FRTO | RILL_XF_FRTO_NEW_DATA);
}

static bool new_data_can_go(const struct rill_tcb *tcb)
{
	return rill_seq_lt(tcb->snd_nxt, tcb->snd_end) &&
	       tcb->snd_nxt - tcb->snd_una < tcb->snd_wnd;
}

/*
 * Something sent once, before the timeout, was reported. SND.UNA that moves over the retransmission
 * as well proves nothing: what it jumps over may have waited behind that hole, and the SACKs of it
 * may have been lost.
 */
static bool original_arrived(const struct rill_tcp_acked *a)
{
	return a->orig_sacked || (a->orig_acked && !a->resent);
}

bool rill_tcp_frto_on_ack(struct rill_tcb *tcb, const struct rill_tcp_acked *a)
{
	struct rill_tcp_xfer *x = tcb->x;

	if ((x->flags & RILL_XF_FRTO) == 0)
		return false;
	if (original_arrived(a)) {
		stop(x);
		return true;
	}
	if (rill_seq_geq(tcb->snd_una, x->frto_high)) {
		stop(x); /* step 2a: the retransmission filled the only hole, or all was late */
	} else if ((x->flags & RILL_XF_FRTO_NEW_DATA) != 0) {
		if (a->dup || a->sacked || a->advanced)
			stop(x); /* step 3a: the new data arrived, the old did not */
	} else if (a->advanced) {
		if (new_data_can_go(tcb))
			x->flags |= RILL_XF_FRTO_NEW_DATA;
		else
			stop(x);
	} else if (a->dup && (tcb->flags & RILL_TCB_SACK) == 0) {
		stop(x); /* step 2a without SACK */
	}
	return false;
}

/* Nagle may hold it back, or a window too small for it. The pacer has a deadline of its own. */
bool rill_tcp_frto_is_stuck(struct rill_tcb *tcb)
{
	struct rill_tcp_xfer *x = tcb->x;

	if (x->newest || (x->flags & RILL_XF_PACED_OUT) != 0)
		return false;
	stop(x);
	return true;
}
