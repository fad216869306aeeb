/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/xfer.h"

#include "netstack/tcp/cc.h"
#include "netstack/tcp/sendq.h"

#include <string.h>

struct rill_tcp_xfer *rill_tcp_xfer_get(struct rill_tcb *tcb, struct rill_tcp_env *env,
					uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;

	if (RILL_LIKELY(x))
		return x;
	x = rill_slab_alloc(&env->xfers);
	if (!x) {
		rill_counter_add(&env->stats.no_memory, 1);
		return NULL;
	}
	memset(x, 0, sizeof(*x));
	x->reo_wnd_mult = 1;
	x->min_rtt_us = tcb->min_rtt_us;
	x->min_rtt_ns = now;
	x->high_sacked = tcb->snd_una;
	x->undo_mark = tcb->snd_una;
	x->delivered_ns = now;
	x->first_tx_ns = now;
	x->rcv_space_seq = tcb->rcv_nxt;
	x->rcv_space_ns = now;
	tcb->x = x;
	tcb->cc->init(tcb, env, now);
	return x;
}

bool rill_tcp_xfer_at_rest(const struct rill_tcb *tcb)
{
	return tcb->snd_una == rill_sendq_limit(tcb) && !tcb->recvq.first && !tcb->reass.first &&
	       tcb->ack_at == RILL_FOREVER;
}

void rill_tcp_xfer_drop(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	if (!tcb->x)
		return;
	tcb->min_rtt_us = tcb->x->min_rtt_us;
	rill_slab_free(&env->xfers, tcb->x);
	tcb->x = NULL;
}
