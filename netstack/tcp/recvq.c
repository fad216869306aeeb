/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/recvq.h"

#include "netstack/tcp/mem.h"

#include <string.h>

/*
 * Payloads up to this size are copied behind the last one, so that they do not pin a buffer each.
 */
#define MERGE_BYTES 256
#define BUF_COST_MIN 512
#define BUFS_SPARE 16
/* What every connection may hold, however little memory there is: so much that it goes on. */
#define SHARE_SEGMENTS 4

uint32_t rill_recvq_bufs_max(const struct rill_tcb *tcb)
{
	return tcb->rcv_buf_max / BUF_COST_MIN + BUFS_SPARE;
}

bool rill_recvq_mergeable(const struct rill_buf *last, const struct rill_buf *b)
{
	return rill_buf_tailroom(last) >= b->len && rill_buf_exclusive(last);
}

bool rill_recvq_merge(struct rill_tcp_env *env, struct rill_buf *last, struct rill_buf *b,
		      bool force)
{
	if (b->len > MERGE_BYTES && !force)
		return false;
	if (!rill_recvq_mergeable(last, b))
		return false;
	memcpy(last->data + last->len, b->data, b->len);
	last->len += b->len;
	rill_tcp_mem_put(env, b);
	return true;
}

void rill_recvq_push(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b)
{
	struct rill_buf *last = tcb->recvq.last;
	bool force = tcb->recvq.count >= rill_recvq_bufs_max(tcb);

	tcb->rcv_queued += b->len;
	rill_tcp_mem_take(env, b);
	if (last && rill_recvq_merge(env, last, b, force))
		return;
	rill_buf_queue_push(&tcb->recvq, b);
}

uint32_t rill_recvq_copy(struct rill_tcb *tcb, struct rill_tcp_env *env, uint8_t *data, size_t len)
{
	uint32_t done = 0;

	while (done < len && tcb->recvq.first) {
		struct rill_buf *b = tcb->recvq.first;
		uint32_t n = (uint32_t)RILL_MIN((size_t)b->len, len - done);

		memcpy(data + done, b->data, n);
		done += n;
		rill_buf_pull(b, n);
		if (b->len == 0)
			rill_tcp_mem_put(env, rill_buf_queue_pop(&tcb->recvq));
	}
	tcb->rcv_queued -= done;
	return done;
}

struct rill_buf *rill_recvq_pop(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	struct rill_buf *b = rill_buf_queue_pop(&tcb->recvq);

	if (!b)
		return NULL;
	tcb->rcv_queued -= b->len;
	rill_tcp_mem_release(env, b);
	return b;
}

void rill_recvq_unpop(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b)
{
	struct rill_buf_queue *q = &tcb->recvq;

	tcb->rcv_queued += b->len;
	rill_tcp_mem_take(env, b);
	b->next = q->first;
	q->first = b;
	if (!q->last)
		q->last = b;
	q->count++;
}

void rill_recvq_clear(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	struct rill_buf *b;

	while ((b = rill_recvq_pop(tcb, env)))
		env->ops->put(env, b);
}

uint32_t rill_recvq_share(const struct rill_tcb *tcb)
{
	return SHARE_SEGMENTS * (uint32_t)tcb->rcv_mss;
}

/* What may be unread and on its way together. */
static uint32_t buffer_max(const struct rill_tcb *tcb)
{
	if (RILL_UNLIKELY((tcb->flags & RILL_TCB_MEM_HELD) != 0))
		return RILL_MIN(tcb->rcv_buf_max, rill_recvq_share(tcb));
	return tcb->rcv_buf_max;
}

static uint32_t window_max(const struct rill_tcb *tcb)
{
	uint32_t clamp = tcb->settings->window_clamp;
	uint32_t max = UINT32_C(0xffff) << tcb->rcv_wscale; /* more cannot be said */

	return clamp ? RILL_MIN(max, clamp) : max;
}

static uint32_t free_bytes(const struct rill_tcb *tcb)
{
	uint32_t most = buffer_max(tcb);
	uint32_t free = tcb->rcv_queued < most ? most - tcb->rcv_queued : 0;

	return RILL_MIN(free, window_max(tcb));
}

/* Receiver SWS avoidance: the right edge moves in steps worth sending for (RFC 9293, 3.8.6.2.2). */
static uint32_t window_to_offer(const struct rill_tcb *tcb)
{
	uint32_t free = free_bytes(tcb);
	uint32_t step = RILL_MIN(tcb->rcv_buf_max / 2, (uint32_t)tcb->rcv_mss);

	return free >= tcb->rcv_wnd + step ? free : tcb->rcv_wnd;
}

uint16_t rill_recvq_window(struct rill_tcb *tcb, uint8_t shift)
{
	uint32_t unit_mask = (UINT32_C(1) << shift) - 1;
	uint32_t wnd;

	/* What the first window is to be was decided when the connection opened. */
	if (tcb->state <= RILL_TCP_SYN_RCVD && tcb->rcv_wnd != 0)
		return (uint16_t)RILL_MIN(tcb->rcv_wnd, UINT32_C(0xffff));

	wnd = RILL_MIN(window_to_offer(tcb), UINT32_C(0xffff) << shift);
	/*
	 * The edge that was offered must not move left (RFC 7323, 2.4), so a window that is no
	 * multiple of the unit is rounded up where memory allows. Where it does not, what the peer
	 * sees is less than one unit short, and rcv_wnd goes on accepting up to the edge offered.
	 */
	if ((wnd & unit_mask) && ((wnd | unit_mask) >> shift) < 0xffff &&
	    (wnd | unit_mask) + 1 <= free_bytes(tcb))
		wnd = (wnd | unit_mask) + 1;
	else if (wnd > tcb->rcv_wnd)
		wnd &= ~unit_mask;
	tcb->rcv_wnd = RILL_MAX(wnd, tcb->rcv_wnd);
	return (uint16_t)RILL_MIN(tcb->rcv_wnd >> shift, UINT32_C(0xffff));
}

bool rill_recvq_update_due(const struct rill_tcb *tcb)
{
	uint32_t half = RILL_MIN(buffer_max(tcb), window_max(tcb)) / 2;
	uint32_t step = RILL_MIN(half, 2 * (uint32_t)tcb->rcv_mss);

	/* With half of it still open the peer learns it soon enough from the ACKs of its data. */
	if (tcb->rcv_wnd >= half)
		return false;
	return free_bytes(tcb) >= tcb->rcv_wnd + step;
}
