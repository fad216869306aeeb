/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/ack.h"

#include "netstack/tcp/xfer.h"

/* Small segments that one ACK may cover: a sender may count segments rather than bytes. */
#define SEGMENTS_MAX 4
/* With more data on its way, an ACK waits this many times as long as segments are apart. */
#define GAPS 4
/* But no shorter than timers are precise. */
#define DELAY_MIN_US 1000
/* Weight of the newest gap between two arrivals: 1/8. */
#define GAP_DIV 8

/* How far apart the peer's segments come; longer silences are the application's. */
static void note_gap(struct rill_tcp_rx *rx)
{
	struct rill_tcp_xfer *x = rx->tcb->x;
	uint64_t gap_us;

	if (!x)
		return;
	gap_us = (rx->now - x->rcv_data_ns) / RILL_US;
	x->rcv_data_ns = rx->now;
	if (gap_us == 0 || gap_us >= rx->env->params.delack_us)
		return;
	x->rcv_gap_us =
		x->rcv_gap_us ? x->rcv_gap_us - x->rcv_gap_us / GAP_DIV + (uint32_t)gap_us / GAP_DIV
			      : (uint32_t)gap_us;
}

/*
 * After the end of a write (PSH) an answer of the application may carry the ACK. Without PSH the
 * sender has more: either that is on its way and comes soon, or it is our ACK that the sender waits
 * for, because of a small window or cwnd.
 */
static uint64_t delay_ns(const struct rill_tcp_rx *rx)
{
	const struct rill_tcp_xfer *x = rx->tcb->x;
	uint32_t us = rx->env->params.delack_us;

	if ((rx->seg->flags & RILL_TCP_PSH) == 0 && x && x->rcv_gap_us != 0)
		us = RILL_MIN(us, RILL_MAX(GAPS * x->rcv_gap_us, (uint32_t)DELAY_MIN_US));
	return us * RILL_US;
}

/* More than half of a segment would not fit twice: the sender may wait for window, not for us. */
static bool window_limited(const struct rill_tcb *tcb, uint32_t len)
{
	return tcb->rcv_wnd < 2 * (uint32_t)tcb->rcv_mss || tcb->rcv_wnd < len;
}

static bool due_now(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint32_t len)
{
	if (tcb->quick_acks > 0) {
		/* The peer is in slow start: each ACK lets it grow. */
		tcb->quick_acks--;
		return true;
	}
	/*
	 * More than one full segment, not two: a sender may cut them shorter than it can, and wait
	 * with the next for the ACK of both.
	 */
	return tcb->rcv_nxt - tcb->last_ack_sent > tcb->rcv_mss ||
	       tcb->segs_unacked >= SEGMENTS_MAX || window_limited(tcb, len) ||
	       (tcb->flags & RILL_TCB_QUICK) != 0 || env->params.delack_us == 0;
}

void rill_tcp_ack_on_data(struct rill_tcp_rx *rx, uint32_t len)
{
	struct rill_tcb *tcb = rx->tcb;

	if (len > tcb->rcv_mss)
		tcb->rcv_mss = (uint16_t)RILL_MIN(len, (uint32_t)tcb->mss_ours);
	/* Whatever was sent meanwhile acknowledged all that was there. */
	if (tcb->rcv_nxt - len == tcb->last_ack_sent)
		tcb->segs_unacked = 0;
	tcb->segs_unacked++;
	note_gap(rx);
	if (due_now(tcb, rx->env, len))
		tcb->flags |= RILL_TCB_ACK_NOW;
	else if (tcb->ack_at == RILL_FOREVER)
		tcb->ack_at = rx->now + delay_ns(rx);
}
