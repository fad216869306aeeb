/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/sendq.h"

#include <string.h>

/* What a buffer counts at least against the send buffer, however little is in it. */
#define BUF_COST_MIN 512
#define BUFS_SPARE 16

uint32_t rill_sendq_room(const struct rill_tcb *tcb)
{
	uint32_t used = rill_sendq_bytes(tcb);

	if (tcb->sendq_count >= tcb->snd_buf_max / BUF_COST_MIN + BUFS_SPARE)
		return 0;
	return used < tcb->snd_buf_max ? tcb->snd_buf_max - used : 0;
}

void rill_sendq_push(struct rill_tcb *tcb, struct rill_buf *b)
{
	*rill_send_cb(b) = (struct rill_send_cb){
		.seq = tcb->snd_end,
		.len = b->len,
		.at = (uint16_t)(b->data - b->head),
	};
	if (tcb->sendq_last)
		rill_send_cb(tcb->sendq_last)->next = b;
	else
		tcb->sendq_first = b;
	tcb->sendq_last = b;
	tcb->sendq_count++;
	tcb->snd_end += b->len;
	if (!tcb->snd_cur)
		tcb->snd_cur = b;
}

uint32_t rill_sendq_extend(struct rill_tcb *tcb, const void *data, uint32_t len)
{
	struct rill_buf *b = tcb->sendq_last;
	struct rill_send_cb *cb;
	uint32_t room;

	if (!b)
		return 0;
	cb = rill_send_cb(b);
	/*
	 * A segment keeps its bounds once it was sent: what is sent again must not cover new bytes.
	 */
	if (rill_seq_lt(cb->seq, tcb->snd_nxt) || cb->len >= tcb->snd_mss || !rill_buf_exclusive(b))
		return 0;
	room = (uint32_t)(b->end - (rill_send_payload(b) + cb->len));
	room = RILL_MIN(room, tcb->snd_mss - cb->len);
	len = RILL_MIN(len, room);
	memcpy(rill_send_payload(b) + cb->len, data, len);
	cb->len += len;
	tcb->snd_end += len;
	return len;
}

/* The first bytes of a buffer have arrived, the rest not yet. */
static void trim(struct rill_buf *b, uint32_t n)
{
	struct rill_send_cb *cb = rill_send_cb(b);

	cb->seq += n;
	cb->at = (uint16_t)(cb->at + n);
	cb->len -= n;
}

static void pop(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	struct rill_buf *b = tcb->sendq_first;

	tcb->sendq_first = rill_send_cb(b)->next;
	if (!tcb->sendq_first)
		tcb->sendq_last = NULL;
	if (tcb->snd_cur == b)
		tcb->snd_cur = tcb->sendq_first;
	tcb->sendq_count--;
	env->ops->put(env, b);
}

struct rill_sendq_acked rill_sendq_ack(struct rill_tcb *tcb, struct rill_tcp_env *env, uint32_t ack)
{
	struct rill_sendq_acked ret = {0};

	while (tcb->sendq_first) {
		struct rill_send_cb *cb = rill_send_cb(tcb->sendq_first);
		uint32_t n = ack - cb->seq;

		if (rill_seq_leq(ack, cb->seq))
			break;
		if (n < cb->len) {
			trim(tcb->sendq_first, n);
			ret.bytes += n;
			break;
		}
		ret.bytes += cb->len;
		ret.sent_ns = cb->first_tx_ns;
		ret.resent |= (cb->marks & RILL_SEND_EVER_RETRANS) != 0;
		pop(tcb, env);
	}
	/* What waited behind a hole was not under way for so long. */
	if (ret.resent)
		ret.sent_ns = 0;
	return ret;
}

void rill_sendq_rewind(struct rill_tcb *tcb)
{
	tcb->snd_rtx = tcb->snd_una;
	tcb->snd_cur = tcb->sendq_first;
}

void rill_sendq_advance(struct rill_tcb *tcb, uint32_t n)
{
	struct rill_send_cb *cb = rill_send_cb(tcb->snd_cur);

	tcb->snd_rtx += n;
	if (tcb->snd_rtx == cb->seq + cb->len)
		tcb->snd_cur = cb->next;
}

void rill_sendq_clear(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	while (tcb->sendq_first)
		pop(tcb, env);
}
