/* SPDX-License-Identifier: BSD-3-Clause */
/* The user's calls: send, receive, and the ways to stop (RFC 9293, 3.10.2 to 3.10.5). */
#include "netstack/tcp/autotune.h"
#include "netstack/tcp/mem.h"
#include "netstack/tcp/reass.h"
#include "netstack/tcp/recvq.h"
#include "netstack/tcp/reset.h"
#include "netstack/tcp/sendq.h"
#include "netstack/tcp/tcb.h"
#include "netstack/tcp/timewait.h"
#include "netstack/tcp/trace.h"
#include "netstack/tcp/urgent.h"

#include <errno.h>
#include <string.h>

static bool never_opened(const struct rill_tcb *tcb)
{
	return tcb->state == RILL_TCP_CLOSED && (tcb->events & RILL_TCB_CLOSED) == 0 &&
	       tcb->iss == tcb->snd_end;
}

/* Why nothing can be sent; 0: it can. */
static int send_error(const struct rill_tcb *tcb)
{
	if (tcb->error)
		return tcb->error;
	if (never_opened(tcb))
		return -ENOTCONN;
	if (tcb->state == RILL_TCP_CLOSED || (tcb->flags & RILL_TCB_FIN_QUEUED) != 0)
		return -EPIPE;
	return 0;
}

/* One more buffer with the first bytes of data. How many; 0: no buffer. */
static uint32_t send_new_buf(struct rill_tcb *tcb, struct rill_tcp_env *env, const uint8_t *data,
			     uint32_t len)
{
	struct rill_buf *b = env->ops->alloc(env);
	uint32_t n;

	if (!b) {
		rill_counter_add(&env->stats.no_buffer, 1);
		return 0;
	}
	n = RILL_MIN((uint32_t)tcb->snd_mss, (uint32_t)rill_buf_tailroom(b));
	n = RILL_MIN(n, len);
	rill_tcp_mem_take(env, b);
	rill_sendq_push_copy(tcb, env, b, data, n);
	return n;
}

/*
 * How much may be queued. When memory is out a connection that has something queued waits until
 * that is acknowledged; the others get one segment, so that none starves.
 */
static uint32_t send_room(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	uint32_t room = rill_sendq_room(tcb);

	if (room == 0)
		tcb->flags |= RILL_TCB_NO_SPACE;
	if (RILL_LIKELY(!rill_tcp_mem_full(env)) || room == 0)
		return room;
	if (!tcb->sendq_first)
		return RILL_MIN(room, (uint32_t)tcb->snd_mss);
	tcb->flags |= RILL_TCB_SEND_HELD | RILL_TCB_NO_SPACE;
	rill_counter_add(&env->stats.mem_pressure, 1);
	return 0;
}

ssize_t rill_tcb_send(struct rill_tcb *tcb, struct rill_tcp_env *env, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t done = 0;
	int err = send_error(tcb);

	if (err)
		return err;
	while (done < len) {
		uint32_t room = send_room(tcb, env);
		uint32_t want = (uint32_t)RILL_MIN(len - done, (size_t)room);
		uint32_t n;

		if (room == 0)
			return done ? (ssize_t)done : -EAGAIN;
		n = rill_sendq_extend(tcb, p + done, want);
		if (n == 0)
			n = send_new_buf(tcb, env, p + done, want);
		if (n == 0)
			return done ? (ssize_t)done : -ENOBUFS;
		done += n;
	}
	return (ssize_t)done;
}

uint32_t rill_tcb_send_cap(const struct rill_tcb *tcb)
{
	return tcb->snd_mss;
}

int rill_tcb_send_buf(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b)
{
	int err = send_error(tcb);

	if (err)
		return err;
	RILL_ASSERT(b->len > 0 && rill_buf_exclusive(b));
	RILL_ASSERT(rill_buf_headroom(b) >= RILL_BUF_HEADROOM);
	/* The last buffer may go beyond the limit, else a small room would never be used. */
	if (send_room(tcb, env) == 0)
		return -EAGAIN;
	rill_tcp_mem_take(env, b);
	rill_sendq_push(tcb, b);
	return 0;
}

/* What a reader gets when the queue is empty. */
static int recv_end(const struct rill_tcb *tcb)
{
	if ((tcb->flags & (RILL_TCB_FIN_RCVD | RILL_TCB_RCV_SHUT)) != 0)
		return 0;
	if (tcb->error)
		return tcb->error;
	if (never_opened(tcb))
		return -ENOTCONN;
	return tcb->state == RILL_TCP_CLOSED ? 0 : -EAGAIN;
}

static void after_read(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	rill_tcp_autotune_on_read(tcb, env);
	if (RILL_UNLIKELY((tcb->flags & RILL_TCB_URG_IN) != 0))
		rill_tcp_urgent_on_read(tcb);
	if (tcb->state > RILL_TCP_SYN_RCVD && (tcb->flags & RILL_TCB_FIN_RCVD) == 0 &&
	    rill_recvq_update_due(tcb))
		tcb->flags |= RILL_TCB_ACK_NOW;
}

ssize_t rill_tcb_recv(struct rill_tcb *tcb, struct rill_tcp_env *env, void *data, size_t len)
{
	uint32_t n;

	if (tcb->recvq.first && RILL_UNLIKELY((tcb->flags & RILL_TCB_URG_IN) != 0))
		len = rill_tcp_urgent_limit(tcb, env, len);
	if (!tcb->recvq.first)
		return recv_end(tcb);
	n = rill_recvq_copy(tcb, env, data, len);
	after_read(tcb, env);
	return (ssize_t)n;
}

ssize_t rill_tcb_peek(struct rill_tcb *tcb, void *data, size_t len)
{
	uint8_t *p = data;
	uint32_t skip = 0;
	size_t done = 0;

	if (tcb->recvq.first && RILL_UNLIKELY((tcb->flags & RILL_TCB_URG_IN) != 0))
		len = rill_tcp_urgent_view(tcb, len, &skip);
	if (tcb->rcv_queued == skip)
		return recv_end(tcb);
	for (struct rill_buf *b = tcb->recvq.first; b && done < len; b = b->next) {
		size_t n = RILL_MIN((size_t)b->len - skip, len - done);

		memcpy(p + done, b->data + skip, n);
		done += n;
		skip = 0;
	}
	return (ssize_t)done;
}

int rill_tcb_recv_buf(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf **ret_b)
{
	struct rill_buf *b = rill_recvq_pop(tcb, env);

	if (!b)
		return recv_end(tcb);
	after_read(tcb, env);
	*ret_b = b;
	return 1;
}

void rill_tcb_unrecv_buf(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b)
{
	if ((tcb->flags & (RILL_TCB_RCV_SHUT | RILL_TCB_ORPHAN)) != 0) {
		env->ops->put(env, b);
		return;
	}
	rill_recvq_unpop(tcb, env, b);
	tcb->events |= RILL_TCB_READABLE;
}

bool rill_tcb_readable(const struct rill_tcb *tcb)
{
	/* The urgent byte that is read apart is nothing to read here (RFC 6093). */
	bool only_urgent = (tcb->flags & RILL_TCB_URG_IN) != 0 && tcb->rcv_queued == 1 &&
			   rill_tcb_at_mark(tcb) && !tcb->settings->oob_inline;

	return (tcb->recvq.first && !only_urgent) || recv_end(tcb) != -EAGAIN;
}

bool rill_tcb_writable(const struct rill_tcb *tcb)
{
	if (send_error(tcb) != 0)
		return true;
	if (tcb->settings->notsent_lowat != 0 &&
	    rill_tcb_unsent(tcb) >= tcb->settings->notsent_lowat)
		return false;
	return rill_sendq_room(tcb) > 0 && (tcb->flags & RILL_TCB_SEND_HELD) == 0;
}

uint32_t rill_tcb_unread(const struct rill_tcb *tcb)
{
	return tcb->rcv_queued;
}

uint32_t rill_tcb_unacked(const struct rill_tcb *tcb)
{
	return tcb->sendq_first ? rill_sendq_bytes(tcb) : 0;
}

uint32_t rill_tcb_unsent(const struct rill_tcb *tcb)
{
	bool before_syn = tcb->state <= RILL_TCP_SYN_RCVD && tcb->snd_nxt == tcb->iss;
	uint32_t first = tcb->snd_nxt + before_syn;

	return rill_seq_lt(first, tcb->snd_end) ? tcb->snd_end - first : 0;
}

uint64_t rill_tcb_bytes_sent(const struct rill_tcb *tcb)
{
	return tcb->bytes_acked + rill_sendq_bytes(tcb) - rill_tcb_unsent(tcb);
}

/* In the opening states the FIN waits for the handshake (RFC 9293, 3.10.4). */
static void queue_fin(struct rill_tcb *tcb)
{
	if ((tcb->flags & RILL_TCB_FIN_QUEUED) != 0)
		return;
	tcb->flags |= RILL_TCB_FIN_QUEUED;
	if (tcb->state == RILL_TCP_ESTABLISHED)
		tcb->state = RILL_TCP_FIN_WAIT_1;
	else if (tcb->state == RILL_TCP_CLOSE_WAIT)
		tcb->state = RILL_TCP_LAST_ACK;
}

int rill_tcb_shutdown_send(struct rill_tcb *tcb)
{
	if (tcb->state == RILL_TCP_CLOSED)
		return tcb->error ? tcb->error : -ENOTCONN;
	queue_fin(tcb);
	return 0;
}

void rill_tcb_shutdown_recv(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	tcb->flags |= RILL_TCB_RCV_SHUT;
	tcb->events |= RILL_TCB_READABLE;
	rill_recvq_clear(tcb, env);
	after_read(tcb, env);
}

static bool lingers_not(const struct rill_tcb *tcb)
{
	return (tcb->flags & RILL_TCB_LINGER) != 0 && tcb->settings->linger_ms == 0;
}

void rill_tcb_close(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	bool unread = tcb->recvq.first || !rill_reass_empty(tcb);

	rill_tcp_trace(tcb, env, RILL_TCP_EV_CLOSE, tcb->state, tcb->snd_end - tcb->snd_nxt, now);
	tcb->flags |= RILL_TCB_ORPHAN;
	rill_recvq_clear(tcb, env);
	if (tcb->state == RILL_TCP_CLOSED)
		return;
	if (tcb->state == RILL_TCP_SYN_SENT) {
		rill_tcp_end(tcb, env, 0);
		return;
	}
	if (tcb->state != RILL_TCP_TIME_WAIT && (unread || lingers_not(tcb))) {
		rill_tcb_abort(tcb, env, now);
		return;
	}
	queue_fin(tcb);
	if (rill_tcp_lingers(tcb))
		tcb->wait_at = now + tcb->settings->linger_ms * RILL_MS;
	rill_tcp_fin_wait_2_bound(tcb, env, now);
}

void rill_tcb_abort(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if (tcb->state == RILL_TCP_CLOSED)
		return;
	/* After both FINs the peer wants nothing, and nothing is lost. */
	if (tcb->state == RILL_TCP_TIME_WAIT) {
		rill_tcp_end(tcb, env, 0);
		return;
	}
	/* Before the handshake it knows nothing. */
	if (tcb->state != RILL_TCP_SYN_SENT)
		rill_tcp_reset(tcb, env, now);
	rill_tcp_end(tcb, env, -ECONNABORTED);
	rill_recvq_clear(tcb, env);
}
