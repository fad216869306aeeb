/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/urgent.h"

#include "netstack/tcp/recvq.h"
#include "netstack/tcp/seq.h"

#include <errno.h>

static uint32_t read_seq(const struct rill_tcb *tcb)
{
	return tcb->rcv_nxt - tcb->rcv_queued - !!(tcb->flags & RILL_TCB_FIN_RCVD);
}

static uint32_t mark(const struct rill_tcb *tcb)
{
	return tcb->rcv_up - 1;
}

static bool in_line(const struct rill_tcb *tcb)
{
	return tcb->settings->oob_inline;
}

void rill_tcp_urgent_on_segment(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	uint32_t up = rx->seg->seq + rx->seg->urg;
	uint32_t seq = read_seq(tcb);

	/* What was read already is urgent no more; nor does a pointer of zero point at anything. */
	if (rx->seg->urg == 0 || rill_seq_leq(up, seq))
		return;
	if ((tcb->flags & RILL_TCB_URG_IN) != 0 && rill_seq_leq(up, tcb->rcv_up))
		return;
	tcb->rcv_up = up;
	tcb->flags |= RILL_TCB_URG_IN;
	tcb->flags &= ~(uint32_t)RILL_TCB_OOB_READY;
	tcb->events |= RILL_TCB_URGENT;
	/* It may have come before the pointer that names it. */
	for (struct rill_buf *b = tcb->recvq.first; b; seq += b->len, b = b->next)
		rill_tcp_urgent_on_data(tcb, b, seq);
}

void rill_tcp_urgent_on_data(struct rill_tcb *tcb, const struct rill_buf *b, uint32_t seq)
{
	uint32_t at = mark(tcb) - seq;

	if (in_line(tcb) || at >= b->len)
		return;
	tcb->oob_byte = b->data[at];
	tcb->flags |= RILL_TCB_OOB_READY;
	tcb->events |= RILL_TCB_URGENT;
}

size_t rill_tcp_urgent_view(const struct rill_tcb *tcb, size_t len, uint32_t *ret_skip)
{
	uint32_t ahead = mark(tcb) - read_seq(tcb);

	*ret_skip = ahead == 0 && !in_line(tcb);
	if (ahead != 0)
		return RILL_MIN(len, (size_t)ahead);
	return RILL_MIN(len, (size_t)(tcb->rcv_queued - *ret_skip));
}

size_t rill_tcp_urgent_limit(struct rill_tcb *tcb, struct rill_tcp_env *env, size_t len)
{
	uint32_t skip;
	uint8_t gone;

	len = rill_tcp_urgent_view(tcb, len, &skip);
	if (skip > 0) {
		rill_recvq_copy(tcb, env, &gone, 1);
		tcb->flags &= ~(uint32_t)RILL_TCB_URG_IN;
	}
	return len;
}

void rill_tcp_urgent_on_read(struct rill_tcb *tcb)
{
	if (rill_seq_gt(read_seq(tcb), mark(tcb)))
		tcb->flags &= ~(uint32_t)RILL_TCB_URG_IN;
}

bool rill_tcb_at_mark(const struct rill_tcb *tcb)
{
	return (tcb->flags & RILL_TCB_URG_IN) != 0 && read_seq(tcb) == mark(tcb);
}

int rill_tcb_recv_urgent(struct rill_tcb *tcb, bool peek, uint8_t *ret_byte)
{
	/* Announced, and beyond what has come in order: else it was read, or there is none. */
	bool coming = (tcb->flags & RILL_TCB_URG_IN) != 0 && !in_line(tcb) &&
		      rill_seq_leq(tcb->rcv_nxt, mark(tcb));

	if ((tcb->flags & RILL_TCB_OOB_READY) == 0)
		return coming ? -EAGAIN : -EINVAL;
	*ret_byte = tcb->oob_byte;
	if (!peek)
		tcb->flags &= ~(uint32_t)RILL_TCB_OOB_READY;
	return 1;
}

ssize_t rill_tcb_send_urgent(struct rill_tcb *tcb, struct rill_tcp_env *env, const void *data,
			     size_t len)
{
	ssize_t n = rill_tcb_send(tcb, env, data, len);

	/* Only the last byte is urgent: if it was not taken, none is. */
	if (n > 0 && (size_t)n == len) {
		tcb->snd_up = tcb->snd_end;
		tcb->flags |= RILL_TCB_URG_OUT;
	}
	return n;
}
