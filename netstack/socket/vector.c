/* SPDX-License-Identifier: BSD-3-Clause */
/* Sending and receiving by vectors, with flags. */
#include <errno.h>
#include <limits.h>
#include <rill/time.h>

#include "netstack/socket/tcp.h"
#include "netstack/wire/chain.h"

#define NO_BUFFER_RETRY_NS (200 * RILL_US)

#define SEND_FLAGS (RILL_TCP_MORE | RILL_TCP_URGENT | RILL_TCP_NOWAIT)
#define RECV_FLAGS (RILL_TCP_URGENT | RILL_TCP_PEEK | RILL_TCP_NOWAIT)
#define LEN_MAX ((size_t)1 << 30)

/* A call, and how far it is. */
struct vectors {
	const struct iovec *iov;
	int count;
	unsigned flags;
	size_t len;  /* of all */
	size_t done; /* of len */
	int at;	     /* the vector that is next */
	size_t skip; /* of it */
};

static int vectors_init(struct vectors *v, const struct iovec *iov, int count, unsigned flags)
{
	*v = (struct vectors){.iov = iov, .count = count, .flags = flags};
	if (count < 0 || count > RILL_TCP_IOV_MAX)
		return -EINVAL;
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len > LEN_MAX - v->len)
			return -EINVAL;
		v->len += iov[i].iov_len;
	}
	return 0;
}

/* Past the empty ones. False: there is none left. */
static bool next_vector(struct vectors *v)
{
	while (v->at < v->count && v->skip == v->iov[v->at].iov_len) {
		v->at++;
		v->skip = 0;
	}
	return v->at < v->count;
}

/* ---- sending ---- */

static ssize_t send_one(struct rill_tcb *tcb, struct rill_tcp_env *env, struct vectors *v)
{
	const struct iovec *iov = &v->iov[v->at];
	const uint8_t *data = (const uint8_t *)iov->iov_base + v->skip;
	size_t len = iov->iov_len - v->skip;

	if ((v->flags & RILL_TCP_URGENT) != 0 && v->done + len == v->len)
		return rill_tcb_send_urgent(tcb, env, data, len);
	return rill_tcb_send(tcb, env, data, len);
}

/* What there is room for; conn.user keeps the others away until all is taken. */
static int op_sendv(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	struct rill_tcb *tcb = &c->conn.tcb;
	struct vectors *v = call->data;
	size_t before = v->done;
	ssize_t n = 0;

	if (c->conn.user && c->conn.user != v)
		return -EAGAIN;
	tcb->flags &= ~(uint32_t)RILL_TCB_MORE;
	tcb->flags |= (v->flags & RILL_TCP_MORE) != 0 ? (uint32_t)RILL_TCB_MORE : 0;
	while (next_vector(v)) {
		n = send_one(tcb, &sh->core.env, v);
		if (n < 0)
			break;
		v->skip += (size_t)n;
		v->done += (size_t)n;
	}
	if (v->done == before)
		return (int)n;
	if (v->done < v->len && (v->flags & RILL_TCP_NOWAIT) == 0)
		c->conn.user = v;
	else if (c->conn.user)
		rill_tcp_end_send(c);
	rill_conn_touch(&c->conn);
	return 0;
}

ssize_t rill_tcp_sendv(struct rill_tcp *c, const struct iovec *iov, int count, unsigned flags)
{
	struct vectors v;
	struct rill_tcp_call call = {.op = op_sendv, .direction = RILL_TCP_WRITE, .data = &v};
	int r = vectors_init(&v, iov, count, flags);

	if (r < 0 || (flags & ~(unsigned)SEND_FLAGS) != 0)
		return -EINVAL;
	if (v.len > 0 && (flags & RILL_TCP_NOWAIT) != 0) {
		r = rill_tcp_call_now(c, &call);
		return r < 0 ? r : (ssize_t)v.done;
	}
	while (v.done < v.len) {
		r = rill_tcp_call_wait(c, &call);
		if (r == -ENOBUFS)
			r = rill_sleep(NO_BUFFER_RETRY_NS);
		if (r < 0)
			break;
	}
	if (r < 0 && v.done > 0)
		rill_tcp_give_up_send(c, &v);
	return v.done > 0 || r >= 0 ? (ssize_t)v.done : r;
}

/* ---- receiving ---- */

static int peek(const struct rill_tcb *tcb, struct vectors *v)
{
	struct rill_chain_cursor cursor = {.b = tcb->recvq.first};

	for (int i = 0; i < v->count; i++)
		v->done += rill_chain_read(&cursor, v->iov[i].iov_base, v->iov[i].iov_len);
	return 0;
}

static int recv_urgent(struct rill_tcb *tcb, struct vectors *v)
{
	uint8_t byte;
	int r = rill_tcb_recv_urgent(tcb, (v->flags & RILL_TCP_PEEK) != 0, &byte);

	if (r < 0)
		return r;
	next_vector(v);
	*(uint8_t *)v->iov[v->at].iov_base = byte;
	v->done = 1;
	return 0;
}

/* An end, an error, or that there is nothing yet, is only for who has nothing. */
static int op_recvv(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	struct rill_tcb *tcb = &c->conn.tcb;
	struct vectors *v = call->data;
	ssize_t n = 0;

	if ((v->flags & RILL_TCP_URGENT) != 0)
		return recv_urgent(tcb, v);
	if ((v->flags & RILL_TCP_PEEK) != 0 && tcb->recvq.first)
		return peek(tcb, v);
	while (next_vector(v)) {
		size_t want = v->iov[v->at].iov_len - v->skip;

		n = rill_tcb_recv(tcb, &sh->core.env, (uint8_t *)v->iov[v->at].iov_base + v->skip,
				  want);
		if (n <= 0)
			break;
		v->skip += (size_t)n;
		v->done += (size_t)n;
		/* it ends before the urgent byte, or there was no more */
		if ((size_t)n < want)
			break;
	}
	rill_tcp_settle_read(c);
	return v->done > 0 ? 0 : (int)n;
}

ssize_t rill_tcp_recvv(struct rill_tcp *c, const struct iovec *iov, int count, unsigned flags)
{
	struct vectors v;
	struct rill_tcp_call call = {.op = op_recvv, .direction = RILL_TCP_READ, .data = &v};
	int r = vectors_init(&v, iov, count, flags);

	if (r < 0 || (flags & ~(unsigned)RECV_FLAGS) != 0)
		return -EINVAL;
	if (v.len == 0)
		return 0;
	r = (flags & RILL_TCP_NOWAIT) != 0 ? rill_tcp_call_now(c, &call)
					   : rill_tcp_call_wait(c, &call);
	return r < 0 ? r : (ssize_t)v.done;
}

static int op_at_mark(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	(void)sh, (void)call;
	return rill_tcb_at_mark(&c->conn.tcb);
}

bool rill_tcp_at_mark(struct rill_tcp *c)
{
	struct rill_tcp_call call = {.op = op_at_mark};

	return rill_tcp_call_now(c, &call) == 1;
}
