/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/sendq.h"

#include "netstack/tcp/mem.h"
#include "netstack/tcp/scoreboard.h"
#include "netstack/tcp/xfer.h"
#include "netstack/wire/checksum.h"

#include <string.h>

/* What a buffer counts at least against the send buffer, however little is in it. */
#define BUF_COST_MIN 512
#define BUFS_SPARE 16
/* Below it, to sum up what was just copied costs no more than to do so on the way. */
#define SUM_MIN 512

static uint32_t bufs_max(const struct rill_tcb *tcb)
{
	return tcb->snd_buf_max / BUF_COST_MIN + BUFS_SPARE;
}

uint32_t rill_sendq_room(const struct rill_tcb *tcb)
{
	uint32_t used = rill_sendq_bytes(tcb);

	if (tcb->sendq_count >= bufs_max(tcb))
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
	b->time_ns = 0;
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

void rill_sendq_push_copy(struct rill_tcb *tcb, const struct rill_tcp_env *env, struct rill_buf *b,
			  const void *data, uint32_t len)
{
	uint8_t *to = rill_buf_append(b, len);

	if (env->csum_offload || len < SUM_MIN) {
		memcpy(to, data, len);
		rill_sendq_push(tcb, b);
		return;
	}
	b->csum_start = rill_csum_fold_partial(rill_csum_copy(0, to, data, len));
	rill_sendq_push(tcb, b);
	rill_send_cb(b)->marks |= RILL_SEND_SUMMED;
}

/* n bytes behind the at there are, which are summed up. */
static void copy_summed(struct rill_buf *b, uint8_t *to, const void *data, uint32_t at, uint32_t n)
{
	uint16_t sum = rill_csum_fold_partial(rill_csum_copy(0, to, data, n));

	if (at % 2)
		sum = __builtin_bswap16(sum);
	b->csum_start = rill_csum_fold_partial((uint32_t)b->csum_start + sum);
}

uint32_t rill_sendq_extend(struct rill_tcb *tcb, const void *data, uint32_t len)
{
	struct rill_buf *b = tcb->sendq_last;
	struct rill_send_cb *cb;
	uint32_t room;

	if (!b)
		return 0;
	cb = rill_send_cb(b);
	if (rill_seq_lt(cb->seq, tcb->snd_nxt) || cb->len >= tcb->snd_mss || !rill_buf_exclusive(b))
		return 0;
	room = (uint32_t)(b->end - (rill_send_payload(b) + cb->len));
	room = RILL_MIN(room, tcb->snd_mss - cb->len);
	len = RILL_MIN(len, room);
	if ((cb->marks & RILL_SEND_SUMMED) != 0)
		copy_summed(b, rill_send_payload(b) + cb->len, data, cb->len, len);
	else
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
	cb->marks &= (uint16_t)~RILL_SEND_SUMMED;
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
	rill_tcp_mem_put(env, b);
}

void rill_sendq_ack(struct rill_tcb *tcb, struct rill_tcp_env *env, uint32_t ack,
		    struct rill_tcp_acked *a)
{
	while (tcb->sendq_first) {
		struct rill_buf *b = tcb->sendq_first;
		struct rill_send_cb *cb = rill_send_cb(b);
		uint32_t n = ack - cb->seq;

		if (rill_seq_leq(ack, cb->seq))
			return;
		if (n < cb->len) {
			rill_tcp_mark_acked(tcb, b, n, a);
			trim(b, n);
			return;
		}
		rill_tcp_mark_acked(tcb, b, cb->len, a);
		pop(tcb, env);
	}
}

void rill_sendq_skip(struct rill_tcb *tcb, struct rill_tcp_env *env, uint32_t n)
{
	while (n > 0 && tcb->sendq_first) {
		uint32_t len = rill_send_cb(tcb->sendq_first)->len;

		if (n < len) {
			trim(tcb->sendq_first, n);
			return;
		}
		n -= len;
		pop(tcb, env);
	}
}

bool rill_sendq_split(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b,
		      uint32_t n)
{
	struct rill_send_cb *cb = rill_send_cb(b);
	struct rill_buf *rest;
	uint32_t len = cb->len - n;

	RILL_DEBUG_ASSERT(n > 0 && n < cb->len);
	/*
	 * Small pieces pin whole buffers, and a peer could ask for them. The first one may be cut
	 * in any case: when the path became narrower nothing would be sent again otherwise.
	 */
	if (tcb->sendq_count >= bufs_max(tcb) && b != tcb->sendq_first)
		return false;
	rest = env->ops->alloc(env);
	if (!rest) {
		rill_counter_add(&env->stats.no_buffer, 1);
		return false;
	}
	RILL_ASSERT(rill_buf_tailroom(rest) >= len);
	rill_tcp_mem_take(env, rest);
	memcpy(rill_buf_append(rest, len), rill_send_payload(b) + n, len);
	cb->marks &= (uint16_t)~RILL_SEND_SUMMED;
	*rill_send_cb(rest) = *cb;
	rill_send_cb(rest)->seq += n;
	rill_send_cb(rest)->len = len;
	rill_send_cb(rest)->at = (uint16_t)(rest->data - rest->head);
	rest->time_ns = b->time_ns;
	cb->len = n;
	cb->next = rest;
	if (tcb->sendq_last == b)
		tcb->sendq_last = rest;
	tcb->sendq_count++;
	rill_tcp_mark_split(tcb, b, rest);
	return true;
}

void rill_sendq_sent(struct rill_tcb *tcb)
{
	struct rill_send_cb *cb = rill_send_cb(tcb->snd_cur);

	tcb->snd_nxt = cb->seq + cb->len;
	tcb->snd_cur = cb->next;
}

void rill_sendq_clear(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	while (tcb->sendq_first)
		pop(tcb, env);
	if (tcb->x)
		rill_tcp_scoreboard_clear(tcb);
}
