/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/reset.h"

#include "netstack/tcp/reass.h"
#include "netstack/tcp/recvq.h"
#include "netstack/tcp/sendq.h"
#include "netstack/tcp/trace.h"
#include "netstack/tcp/transmit.h"
#include "netstack/tcp/xfer.h"

void rill_tcp_reset(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	rill_tcp_trace(tcb, env, RILL_TCP_EV_RESET_OUT, tcb->state, tcb->snd_nxt - tcb->snd_una,
		       now);
	if (rill_tcp_transmit_empty(tcb, env, tcb->snd_nxt, RILL_TCP_RST | RILL_TCP_ACK, now))
		rill_counter_add(&env->stats.resets_out, 1);
}

void rill_tcp_end(struct rill_tcb *tcb, struct rill_tcp_env *env, int error)
{
	tcb->state = RILL_TCP_CLOSED;
	tcb->error = (int16_t)error;
	tcb->events |= RILL_TCB_CLOSED | RILL_TCB_READABLE | RILL_TCB_WRITABLE;
	tcb->flags &= ~(uint32_t)(RILL_TCB_ACK_NOW | RILL_TCB_PROBE | RILL_TCB_SYN_DUE);
	tcb->rtx_at = RILL_FOREVER;
	tcb->ack_at = RILL_FOREVER;
	tcb->wait_at = RILL_FOREVER;
	rill_sendq_clear(tcb, env);
	rill_reass_clear(tcb, env);
	rill_tcp_xfer_drop(tcb, env);
	if ((tcb->flags & RILL_TCB_ORPHAN) != 0)
		rill_recvq_clear(tcb, env);
}

/*
 * RFC 9293, 3.10.7.1: a number the sender must accept comes from its own ACK; without one, it
 * starts from zero and acknowledges all of the segment.
 */
void rill_tcp_reject(struct rill_tcp_env *env, const struct rill_tcp_seg *seg)
{
	struct rill_tcp_header h = {
		.src = &(struct rill_addr){*seg->dst, seg->dst_port},
		.dst = &(struct rill_addr){*seg->src, seg->src_port},
		.flags = RILL_TCP_RST,
	};
	struct rill_buf *b;

	if ((seg->flags & RILL_TCP_RST) != 0)
		return;
	b = env->ops->alloc(env);
	if (!b) {
		rill_counter_add(&env->stats.no_buffer, 1);
		return;
	}
	if ((seg->flags & RILL_TCP_ACK) != 0) {
		h.seq = seg->ack;
	} else {
		h.flags |= RILL_TCP_ACK;
		h.ack = seg->seq + rill_tcp_seg_span(seg);
	}
	rill_tcp_emit(b, &h, env->csum_offload);
	rill_counter_add(&env->stats.segs_out, 1);
	rill_counter_add(&env->stats.resets_out, 1);
	env->ops->xmit(env, &(struct rill_tcp_xmit){.src = &h.src->ip, .dst = &h.dst->ip}, b);
}
