/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What was received is sent on: the buffers themselves go from one connection to the other, which
 * may be of another shard or another interface.
 */
#include <errno.h>
#include <rill/task.h>
#include <rill/time.h>

#include "netstack/socket/tcp.h"

#define NO_BUFFER_RETRY_NS (200 * RILL_US)

/* Buffers moved in one go, so that neither shard is held for long. */
#define BATCH 64

/* ---- one buffer ---- */

/*
 * Nobody else looks at b, and it is about a segment: a larger one would have to be split, and a
 * smaller one takes a segment's place for itself, where a copy goes behind what is queued.
 */
static bool goes_whole(const struct rill_tcb *tcb, const struct rill_buf *b, const uint8_t *data,
		       size_t len)
{
	uint32_t cap = rill_tcb_send_cap(tcb);

	return rill_buf_exclusive(b) && data >= b->head + RILL_BUF_HEADROOM && len <= cap &&
	       len >= cap / 2;
}

/*
 * Queues the bytes of b, and takes them off its front: how many, or why not. With the last the
 * reference is taken. Holder of c's shard.
 */
static ssize_t send_on(struct rill_shard *sh, struct rill_tcp *c, struct rill_buf *b)
{
	struct rill_tcb *tcb = &c->conn.tcb;
	struct rill_tcp_env *env = &sh->core.env;
	uint32_t len = b->len;
	ssize_t n;

	tcb->flags &= ~(uint32_t)RILL_TCB_MORE;
	if (goes_whole(tcb, b, b->data, len)) {
		/* it comes as from the pool: what the NIC said of it on receipt is no more */
		b->next = NULL;
		b->flags = 0;
		b->time_ns = 0;
		int r = rill_tcb_send_buf(tcb, env, b);

		return r < 0 ? r : (ssize_t)len;
	}
	n = rill_tcb_send(tcb, env, b->data, len);
	if (n < 0)
		return n;
	rill_buf_pull(b, (uint32_t)n);
	if (b->len == 0)
		env->ops->put(env, b);
	return n;
}

/* ---- received slices ---- */

static int op_send_slice(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	if (c->conn.user)
		return -EAGAIN;
	ssize_t n = send_on(sh, c, call->buf);

	/* -ENOBUFS comes from copying, which the caller does better */
	if (n > 0)
		rill_conn_touch(&c->conn);
	return (int)n;
}

static ssize_t send_slice_copied(struct rill_tcp *c, struct rill_bytes *b)
{
	ssize_t n = rill_tcp_send(c, b->data, b->len);

	if (n <= 0)
		return n;
	b->data += n;
	b->len -= (size_t)n;
	if (b->len == 0)
		rill_bytes_release(b);
	return n;
}

static int op_takes_whole(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	const struct rill_bytes *b = call->data;

	(void)sh;
	return goes_whole(&c->conn.tcb, call->buf, b->data, b->len);
}

ssize_t rill_tcp_send_bytes(struct rill_tcp *c, struct rill_bytes *b)
{
	struct rill_buf *buf = b->owner;
	struct rill_tcp_call look = {.op = op_takes_whole, .data = b, .buf = buf};
	struct rill_tcp_call call = {.op = op_send_slice, .direction = RILL_TCP_WRITE, .buf = buf};
	size_t len = b->len;
	int n;

	if (len == 0) {
		rill_bytes_release(b);
		return 0;
	}
	if (rill_tcp_call_now(c, &look) != 1)
		return send_slice_copied(c, b);
	buf->data = (uint8_t *)(uintptr_t)b->data;
	buf->len = (uint32_t)len;
	n = rill_tcp_call_wait(c, &call);
	if (n == (int)len) {
		*b = (struct rill_bytes){0};
		return n;
	}
	if (n > 0) {
		b->data += n;
		b->len -= (size_t)n;
	}
	if (n < 0 && n != -ENOBUFS)
		return n;
	ssize_t rest = send_slice_copied(c, b);

	if (rest < 0)
		return n > 0 ? n : rest;
	return (n > 0 ? n : 0) + rest;
}

/* ---- between two connections ---- */

/* Why moving stopped. */
enum stop {
	STOP_NONE,
	STOP_FROM, /* nothing more to read, for now or for good: error */
	STOP_TO,   /* no room, or for good: error */
};

struct moving {
	struct rill_tcp *from, *to;
	uint64_t left;
	uint64_t moved;
	struct rill_buf_queue bufs; /* taken from from, and not given to to */
	enum stop stop;
	int error; /* -EAGAIN: it may go on; 0: the end of the stream */
};

static void stop(struct moving *m, enum stop why, int error)
{
	if (m->stop != STOP_NONE)
		return;
	m->stop = why;
	m->error = error;
}

/* The first bytes of a buffer that is longer. */
static int take_part(struct moving *m, struct rill_shard *sh, uint32_t len)
{
	struct rill_tcb *tcb = &m->from->conn.tcb;
	struct rill_buf *b = rill_core_alloc(&sh->core);
	ssize_t n;

	if (!b)
		return -ENOBUFS;
	len = RILL_MIN(len, (uint32_t)rill_buf_tailroom(b));
	n = rill_tcb_recv(tcb, &sh->core.env, rill_buf_append(b, 0), len);
	if (n <= 0) {
		rill_core_put(&sh->core, b);
		return n == 0 ? 0 : (int)n;
	}
	rill_buf_append(b, (uint32_t)n);
	rill_buf_queue_push(&m->bufs, b);
	m->left -= (uint64_t)n;
	return 1;
}

/* As rill_tcb_recv_buf(). */
static int take_next(struct moving *m, struct rill_shard *sh)
{
	struct rill_tcb *tcb = &m->from->conn.tcb;
	const struct rill_buf *first = tcb->recvq.first;
	struct rill_buf *b;
	int r;

	/* Reads end at the urgent byte, and that may have to be taken out. */
	if (first && (first->len > m->left || (tcb->flags & RILL_TCB_URG_IN) != 0))
		return take_part(m, sh, (uint32_t)RILL_MIN(m->left, (uint64_t)first->len));
	r = rill_tcb_recv_buf(tcb, &sh->core.env, &b);
	if (r == 1) {
		m->left -= b->len;
		rill_buf_queue_push(&m->bufs, b);
	}
	return r;
}

static void take_held(struct rill_shard *sh, void *arg)
{
	struct moving *m = arg;

	while (m->left > 0 && m->bufs.count < BATCH) {
		int r = take_next(m, sh);

		if (r == 1)
			continue;
		stop(m, STOP_FROM, r);
		break;
	}
	rill_tcp_settle_read(m->from);
}

static void give_held(struct rill_shard *sh, void *arg)
{
	struct moving *m = arg;

	while (m->bufs.first) {
		struct rill_buf *b = m->bufs.first;
		struct rill_buf *next = b->next;
		uint32_t len = b->len;
		ssize_t n = m->to->conn.user ? -EAGAIN : send_on(sh, m->to, b);

		if (n < 0) {
			b->next = next;
			m->stop = STOP_TO;
			m->error = (int)n;
			break;
		}
		m->moved += (uint64_t)n;
		if ((uint32_t)n < len)
			continue;
		m->bufs.first = next;
		m->bufs.count--;
	}
	if (!m->bufs.first)
		m->bufs = (struct rill_buf_queue){0};
	rill_conn_touch(&m->to->conn);
}

/* What to had no room for is from's again, the last first. */
static void give_back_held(struct rill_shard *sh, void *arg)
{
	struct moving *m = arg;
	struct rill_buf *reversed = NULL;
	struct rill_buf *b;

	while ((b = rill_buf_queue_pop(&m->bufs))) {
		b->next = reversed;
		reversed = b;
	}
	while ((b = reversed)) {
		reversed = b->next;
		m->left += b->len;
		rill_tcb_unrecv_buf(&m->from->conn.tcb, &sh->core.env, b);
	}
	rill_conn_touch(&m->from->conn);
}

/* No other send is half done, either. */
static bool has_room(const struct rill_tcp *c)
{
	return !c->conn.user && rill_tcb_writable(&c->conn.tcb);
}

static void room_held(struct rill_shard *sh, void *arg)
{
	struct moving *m = arg;

	(void)sh;
	if (!has_room(m->to))
		stop(m, STOP_TO, -EAGAIN);
}

static void move_held(struct rill_shard *sh, void *arg)
{
	struct moving *m = arg;

	room_held(sh, m);
	if (m->stop != STOP_NONE)
		return;
	take_held(sh, m);
	give_held(sh, m);
	if (m->bufs.first)
		give_back_held(sh, m);
}

/* Moves what there is, without waiting. */
static void move(struct moving *m)
{
	struct rill_shard *from = rill_tcp_shard(m->from);
	struct rill_shard *to = rill_tcp_shard(m->to);

	m->stop = STOP_NONE;
	m->error = -EAGAIN;
	if (from == to) {
		rill_shard_call(from, move_held, m);
		return;
	}
	rill_shard_call(to, room_held, m);
	if (m->stop != STOP_NONE)
		return;
	rill_shard_call(from, take_held, m);
	if (!m->bufs.first)
		return;
	rill_shard_call(to, give_held, m);
	if (m->bufs.first)
		rill_shard_call(from, give_back_held, m);
}

static int op_bytes(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	(void)sh, (void)call;
	return rill_tcb_readable(&c->conn.tcb) ? 0 : -EAGAIN;
}

static int op_room(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	(void)sh, (void)call;
	return has_room(c) ? 0 : -EAGAIN;
}

/* Until it may go on. */
static int wait_for(const struct moving *m)
{
	struct rill_tcp_call bytes = {.op = op_bytes, .direction = RILL_TCP_READ};
	struct rill_tcp_call room = {.op = op_room, .direction = RILL_TCP_WRITE};

	if (m->error == -ENOBUFS)
		return rill_sleep(NO_BUFFER_RETRY_NS);
	return m->stop == STOP_FROM ? rill_tcp_call_wait(m->from, &bytes)
				    : rill_tcp_call_wait(m->to, &room);
}

int rill_tcp_splice(struct rill_tcp *from, struct rill_tcp *to, uint64_t max, uint64_t *ret_moved)
{
	struct moving m = {.from = from, .to = to, .left = max};
	int r = from == to ? -EINVAL : 0;

	while (r == 0 && m.left > 0) {
		move(&m);
		if (m.stop == STOP_NONE) {
			r = rill_consume_budget();
		} else if (m.error == -EAGAIN || m.error == -ENOBUFS) {
			r = wait_for(&m);
		} else {
			r = m.error;
			break;
		}
	}
	*ret_moved = m.moved;
	return r;
}
