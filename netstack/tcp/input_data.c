/* SPDX-License-Identifier: BSD-3-Clause */
/* Payload and FIN (RFC 9293, 3.10.7.4, seventh and eighth). */
#include "netstack/tcp/ack.h"
#include "netstack/tcp/autotune.h"
#include "netstack/tcp/input.h"
#include "netstack/tcp/mem.h"
#include "netstack/tcp/reass.h"
#include "netstack/tcp/recvq.h"
#include "netstack/tcp/reset.h"
#include "netstack/tcp/seq.h"
#include "netstack/tcp/timewait.h"
#include "netstack/tcp/trace.h"
#include "netstack/tcp/urgent.h"

void rill_tcp_deliver(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b)
{
	if (RILL_UNLIKELY((tcb->flags & RILL_TCB_URG_IN) != 0))
		rill_tcp_urgent_on_data(tcb, b, tcb->rcv_nxt);
	tcb->rcv_nxt += b->len;
	tcb->rcv_wnd -= RILL_MIN(b->len, tcb->rcv_wnd);
	tcb->bytes_received += b->len;
	if ((tcb->flags & RILL_TCB_RCV_SHUT) != 0) {
		env->ops->put(env, b);
		return;
	}
	rill_recvq_push(tcb, env, b);
	tcb->events |= RILL_TCB_READABLE;
}

/*
 * No memory, and its share of it has not been read: what was offered before memory went low is
 * refused, and comes again. The ACK says that the window is as it was.
 */
static bool refused(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;

	if (tcb->rcv_queued < rill_recvq_share(tcb))
		return false;
	rill_counter_add(&rx->env->stats.mem_pressure, 1);
	rill_tcp_trace(tcb, rx->env, RILL_TCP_EV_MEMORY, tcb->rcv_queued, rx->seg->len, rx->now);
	tcb->flags |= RILL_TCB_ACK_NOW;
	return true;
}

void rill_tcp_data_in_order(struct rill_tcp_rx *rx)
{
	uint32_t len = rx->seg->len;

	if (RILL_UNLIKELY(rill_tcp_mem_full(rx->env)) && refused(rx))
		return;
	rill_tcp_deliver(rx->tcb, rx->env, rx->b);
	rx->b = NULL;
	rill_tcp_autotune_on_data(rx);
	rill_tcp_ack_on_data(rx, len);
}

/* Fills a gap, or is simply next. */
static void in_order(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;

	rill_tcp_data_in_order(rx);
	if (rill_reass_empty(tcb))
		return;
	rill_reass_deliver(tcb, rx->env);
	/*
	 * The sender waits for this one (RFC 5681, 4.2); duplicates that were due have become
	 * stale.
	 */
	tcb->dup_acks_due = 0;
	tcb->flags |= RILL_TCB_ACK_NOW;
}

static enum rill_drop out_of_order(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	enum rill_drop drop = RILL_DROP_TCP_REASSEMBLY;

	rill_counter_add(&rx->env->stats.out_of_order, 1);
	tcb->rcv_ooo++;
	rill_tcp_trace(tcb, rx->env, RILL_TCP_EV_OOO, rx->seg->seq - tcb->rcv_nxt, rx->seg->len,
		       rx->now);
	if (rill_tcp_mem_full(rx->env)) {
		rill_tcp_trace(tcb, rx->env, RILL_TCP_EV_MEMORY, tcb->rcv_queued, rx->seg->len,
			       rx->now);
		rill_reass_prune(tcb, rx->env);
	} else if (rill_tcp_xfer_get(tcb, rx->env, rx->now)) {
		drop = rill_reass_insert(tcb, rx->env, rx->b, rx->seg->seq);
		rx->b = NULL;
	}
	/* One duplicate ACK each: three of them tell the sender, more keep it sending. */
	if (tcb->dup_acks_due < UINT16_MAX)
		tcb->dup_acks_due++;
	tcb->flags |= RILL_TCB_ACK_NOW;
	return drop;
}

static bool peer_may_send(const struct rill_tcb *tcb)
{
	return tcb->state == RILL_TCP_ESTABLISHED || tcb->state == RILL_TCP_FIN_WAIT_1 ||
	       tcb->state == RILL_TCP_FIN_WAIT_2;
}

/* The first FIN says where the stream ends; nothing counts behind it. */
static void note_fin(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	struct rill_tcp_seg *seg = rx->seg;

	if ((tcb->flags & RILL_TCB_FIN_SEEN) != 0) {
		uint32_t room = rill_seq_lt(seg->seq, tcb->fin_seq) ? tcb->fin_seq - seg->seq : 0;

		seg->len = RILL_MIN(seg->len, room);
		rx->b->len = seg->len;
	} else if ((seg->flags & RILL_TCP_FIN) != 0) {
		tcb->fin_seq = seg->seq + seg->len;
		/* Bytes queued behind it contradict it: then the FIN is the liar's. */
		if (rill_seq_leq(rill_reass_limit(tcb), tcb->fin_seq))
			tcb->flags |= RILL_TCB_FIN_SEEN;
	}
}

static void take_fin(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;

	tcb->rcv_nxt++;
	tcb->rcv_wnd -= RILL_MIN(1u, tcb->rcv_wnd);
	tcb->flags |= RILL_TCB_FIN_RCVD | RILL_TCB_ACK_NOW;
	tcb->events |= RILL_TCB_READABLE;
	if (tcb->state == RILL_TCP_ESTABLISHED)
		tcb->state = RILL_TCP_CLOSE_WAIT;
	else if (tcb->state == RILL_TCP_FIN_WAIT_1)
		tcb->state = RILL_TCP_CLOSING;
	else
		rill_tcp_time_wait(tcb, rx->env, rx->now);
}

enum rill_drop rill_tcp_input_data(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	struct rill_tcp_seg *seg = rx->seg;
	enum rill_drop drop = RILL_DROP_NONE;

	if ((seg->flags & RILL_TCP_URG) != 0 && peer_may_send(tcb))
		rill_tcp_urgent_on_segment(rx);
	if (seg->len == 0 && (seg->flags & RILL_TCP_FIN) == 0)
		return RILL_DROP_NONE;
	if (!peer_may_send(tcb)) {
		if (tcb->state != RILL_TCP_CLOSED)
			tcb->flags |= RILL_TCB_ACK_NOW;
		return RILL_DROP_TCP_AFTER_FIN;
	}
	if (seg->len > 0 && (tcb->flags & RILL_TCB_ORPHAN) != 0) {
		/* RFC 9293, 3.6.1: the peer must learn that nobody reads this. */
		rill_tcp_reset(tcb, rx->env, rx->now);
		rill_tcp_end(tcb, rx->env, 0);
		return RILL_DROP_TCP_NO_READER;
	}
	note_fin(rx);
	if (seg->len > 0 && seg->seq == tcb->rcv_nxt)
		in_order(rx);
	else if (seg->len > 0)
		drop = out_of_order(rx);
	else
		tcb->flags |= RILL_TCB_ACK_NOW;
	if ((tcb->flags & RILL_TCB_FIN_SEEN) != 0 && tcb->rcv_nxt == tcb->fin_seq)
		take_fin(rx);
	return drop;
}
