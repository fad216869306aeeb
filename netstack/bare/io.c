/* SPDX-License-Identifier: BSD-3-Clause */
/* Sending and receiving. */
#include "netstack/bare/socket.h"
#include "netstack/tcp/urgent.h"
#include "netstack/udp/datagram.h"
#include "netstack/wire/chain.h"

#include <errno.h>
#include <sys/socket.h>

#define IOV_COUNT_MAX 1024 /* as Linux has it */

#define SEND_FLAGS (MSG_MORE | MSG_OOB | MSG_FASTOPEN | MSG_EOR | MSG_NOSIGNAL | MSG_DONTWAIT)
#define RECV_FLAGS                                                                                 \
	(MSG_PEEK | MSG_TRUNC | MSG_OOB | MSG_WAITALL | MSG_DONTWAIT | MSG_NOSIGNAL |              \
	 MSG_CMSG_CLOEXEC)

static int check_vectors(const struct iovec *iov, int count, size_t *ret_len)
{
	size_t len = 0;

	if (count < 0 || count > IOV_COUNT_MAX)
		return -EMSGSIZE;
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len > (size_t)INT32_MAX - len)
			return -EINVAL;
		len += iov[i].iov_len;
	}
	*ret_len = len;
	return 0;
}

/* ---- sending ---- */

/* Why nothing can be sent now, in Linux's order; 0: it can. */
static int send_error(struct rill_socket *so)
{
	enum rill_tcp_state state = rill_socket_state(so);

	if (so->error)
		return rill_socket_take_error(so);
	if (state == RILL_TCP_CLOSED || (rill_socket_shutdowns(so) & RILL_SHUT_WR) != 0)
		return -EPIPE;
	return rill_socket_is_opening(so) ? -EAGAIN : 0;
}

/* The first data of a connection, for its SYN. 0: it may be queued now. */
static int send_opens(struct rill_socket *so, const struct rill_addr *to)
{
	bool cookie;
	int r;

	if (!so->stack->core.env.params.fast_open_client)
		return -EOPNOTSUPP;
	if (so->role != RILL_SOCKET_IDLE)
		return rill_socket_is_opening(so) ? -EALREADY : -EISCONN;
	to = so->deferred ? &so->remote : to;
	if (!to)
		return -EINVAL;
	cookie = rill_socket_has_cookie(so, to);
	r = rill_socket_open(so, to, true);
	/* Without one this SYN asks for it, and the data has to wait. */
	return r == -EINPROGRESS && cookie ? 0 : r;
}

static int last_vector(const struct iovec *iov, int count)
{
	while (count > 0 && iov[count - 1].iov_len == 0)
		count--;
	return count - 1;
}

static ssize_t send_stream(struct rill_socket *so, const struct iovec *iov, int count, int flags,
			   const struct rill_addr *to)
{
	struct rill_tcp_env *env = &so->stack->core.env;
	int urgent = (flags & MSG_OOB) != 0 ? last_vector(iov, count) : -1;
	ssize_t done = 0;
	bool opens = so->deferred || (flags & MSG_FASTOPEN) != 0;
	int r = opens ? send_opens(so, to) : send_error(so);

	if (r < 0)
		return r;
	struct rill_tcb *tcb = &so->conn->tcb;

	/* Told before the first byte is queued: nothing goes out until the call is over. */
	tcb->flags &= ~(uint32_t)RILL_TCB_MORE;
	tcb->flags |= (flags & MSG_MORE) != 0 ? RILL_TCB_MORE : 0;
	rill_conn_touch(so->conn);
	for (int i = 0; i < count; i++) {
		size_t len = iov[i].iov_len;
		ssize_t n;

		if (len == 0)
			continue;
		n = i == urgent ? rill_tcb_send_urgent(tcb, env, iov[i].iov_base, len)
				: rill_tcb_send(tcb, env, iov[i].iov_base, len);
		if (n < 0)
			return done ? done : n;
		done += n;
		if ((size_t)n < len)
			break;
	}
	return done;
}

static ssize_t send_datagram(struct rill_socket *so, const struct iovec *iov, int count, size_t len,
			     const struct rill_addr *to)
{
	struct rill_core *core = &so->stack->core;
	const struct rill_tcp_settings *settings = so->options.settings;
	struct rill_udp_send send = {.iov = iov, .count = count};
	int r;

	if (so->error)
		return rill_socket_take_error(so);
	if ((so->shut & RILL_SHUT_WR) != 0)
		return -EPIPE;
	if (!to || to->ip.family == RILL_AF_NONE)
		to = &so->remote;
	if (to->ip.family == RILL_AF_NONE)
		return -EDESTADDRREQ;
	if (to->ip.family != RILL_AF_IP4 || to->port == 0)
		return -EINVAL;
	if (len > RILL_UDP_PAYLOAD_MAX)
		return -EMSGSIZE;
	if (!so->broadcast && rill_l3_is_broadcast(&core->l3, rill_ip4_get(&to->ip)))
		return -EACCES;
	r = rill_socket_autobind(so);
	if (r < 0)
		return r;
	send.from = so->local;
	if (so->at.ip == 0)
		send.from.ip.family = RILL_AF_NONE;
	send.to = *to;
	send.tos = settings ? settings->tos : 0;
	send.ttl = settings ? settings->ttl : 0;
	r = rill_udp_port_send(core, &send);
	return r < 0 ? r : (ssize_t)len;
}

ssize_t rill_stack_send(struct rill_stack *s, int fd, const struct iovec *iov, int count, int flags,
			const struct rill_addr *to)
{
	struct rill_socket *so = rill_socket_of(s, fd);
	size_t len = 0;
	ssize_t n;

	if (!so)
		return -EBADF;
	if ((flags & ~SEND_FLAGS) != 0)
		return -EOPNOTSUPP;
	n = check_vectors(iov, count, &len);
	if (n < 0)
		return n;
	/* Datagrams have nothing urgent, and no handshake. */
	if ((flags & (MSG_FASTOPEN | MSG_OOB)) != 0 && !so->stream)
		return -EOPNOTSUPP;
	rill_stack_enter(s);
	n = so->stream ? send_stream(so, iov, count, flags, to)
		       : send_datagram(so, iov, count, len, to);
	rill_stack_leave(s);
	return n;
}

/* ---- receiving ---- */

/* Why there is nothing to be had, in Linux's order; 0: the end of the stream. */
static int recv_error(struct rill_socket *so)
{
	bool fin = so->conn && (so->conn->tcb.flags & RILL_TCB_FIN_RCVD) != 0;

	if (fin)
		return 0;
	if (so->error)
		return rill_socket_take_error(so);
	if ((rill_socket_shutdowns(so) & RILL_SHUT_RD) != 0)
		return 0;
	return so->role == RILL_SOCKET_CONNECTION || so->deferred ? -EAGAIN : -ENOTCONN;
}

/* Bytes of a chain into the vectors, which stay there: how many there was room for. */
static size_t scatter(const struct rill_buf *b, const struct iovec *iov, int count)
{
	struct rill_chain_cursor cursor = {.b = b};
	size_t done = 0;

	for (int i = 0; i < count; i++)
		done += rill_chain_read(&cursor, iov[i].iov_base, iov[i].iov_len);
	return done;
}

/*
 * The bytes that a read would get, left where they are; without vectors only counted. There is an
 * unread byte.
 */
static ssize_t peek_stream(struct rill_socket *so, const struct iovec *iov, int count, size_t len)
{
	struct rill_tcb *tcb = &so->conn->tcb;
	struct rill_chain_cursor cursor = {.b = tcb->recvq.first};
	uint32_t skip = 0;
	size_t done = 0;
	uint8_t urgent;

	len = RILL_MIN(len, (size_t)rill_tcb_unread(tcb));
	if ((tcb->flags & RILL_TCB_URG_IN) != 0)
		len = rill_tcp_urgent_view(tcb, len, &skip);
	if (rill_tcb_unread(tcb) == skip)
		return recv_error(so);
	rill_chain_read(&cursor, &urgent, skip);
	for (int i = 0; i < count && done < len; i++)
		done += rill_chain_read(&cursor, iov[i].iov_base,
					RILL_MIN(iov[i].iov_len, len - done));
	return (ssize_t)(count > 0 ? done : len);
}

/* len bytes go, unseen. */
static ssize_t discard_bytes(struct rill_tcb *tcb, struct rill_tcp_env *env, size_t len)
{
	uint8_t scratch[512];
	size_t done = 0;

	while (done < len) {
		ssize_t n = rill_tcb_recv(tcb, env, scratch, RILL_MIN(len - done, sizeof(scratch)));

		if (n <= 0)
			return done ? (ssize_t)done : n;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static ssize_t take_bytes(struct rill_socket *so, const struct iovec *iov, int count, bool discard)
{
	struct rill_tcb *tcb = &so->conn->tcb;
	struct rill_tcp_env *env = &so->stack->core.env;
	ssize_t done = 0;

	for (int i = 0; i < count; i++) {
		size_t len = RILL_MIN(iov[i].iov_len, (size_t)rill_tcb_unread(tcb));
		ssize_t n;

		if (len == 0)
			continue;
		n = discard ? discard_bytes(tcb, env, len)
			    : rill_tcb_recv(tcb, env, iov[i].iov_base, len);
		/* Nothing but the urgent byte was there, which is gone now. */
		if (n <= 0) {
			done = done ? done : recv_error(so);
			break;
		}
		done += n;
		/* A read ends where urgent data is. */
		if ((size_t)n < len)
			break;
	}
	/* reading may be what the peer's window waits for */
	rill_conn_touch(so->conn);
	return done;
}

/* The urgent byte that is not in line. */
static ssize_t recv_urgent(struct rill_socket *so, const struct iovec *iov, int count, int flags)
{
	int to = 0;
	uint8_t byte;
	int r;

	if (!so->conn)
		return -EINVAL;
	r = rill_tcb_recv_urgent(&so->conn->tcb, (flags & MSG_PEEK) != 0, &byte);
	if (r < 0)
		return r;
	while (to < count && iov[to].iov_len == 0)
		to++;
	if (to == count)
		return 0;
	*(uint8_t *)iov[to].iov_base = byte;
	return 1;
}

static ssize_t recv_stream(struct rill_socket *so, const struct iovec *iov, int count, size_t len,
			   int flags)
{
	const struct rill_tcb *tcb = so->conn ? &so->conn->tcb : NULL;

	if (so->role == RILL_SOCKET_LISTENER)
		return -ENOTCONN;
	if ((flags & MSG_OOB) != 0)
		return recv_urgent(so, iov, count, flags);
	if (!tcb || rill_tcb_unread(tcb) == 0)
		return len == 0 && tcb ? 0 : recv_error(so);
	if ((flags & MSG_PEEK) == 0)
		return take_bytes(so, iov, count, (flags & MSG_TRUNC) != 0);
	return peek_stream(so, iov, (flags & MSG_TRUNC) != 0 ? 0 : count, len);
}

static ssize_t recv_datagram(struct rill_socket *so, const struct iovec *iov, int count, int flags,
			     struct rill_addr *ret_from, int *ret_flags)
{
	struct rill_udp_queue *q = &so->udp.queue;
	struct rill_buf *b;
	size_t whole, n;

	if (so->error)
		return rill_socket_take_error(so);
	b = rill_udp_queue_pop(q);
	if (!b)
		return (so->shut & RILL_SHUT_RD) != 0 ? 0 : -EAGAIN;
	whole = rill_chain_len(b);
	n = scatter(b, iov, count);
	if (ret_from)
		*ret_from = rill_udp_meta_of(b)->from;
	if (ret_flags)
		*ret_flags = n < whole ? MSG_TRUNC : 0;
	if ((flags & MSG_PEEK) != 0)
		rill_udp_queue_unpop(q, b);
	else
		rill_l3_put_chain(&so->stack->core.l3, b);
	return (ssize_t)((flags & MSG_TRUNC) != 0 ? whole : n);
}

ssize_t rill_stack_recv(struct rill_stack *s, int fd, const struct iovec *iov, int count, int flags,
			struct rill_addr *ret_from, int *ret_flags)
{
	struct rill_socket *so = rill_socket_of(s, fd);
	size_t len = 0;
	ssize_t n;

	if (!so)
		return -EBADF;
	if ((flags & ~RECV_FLAGS) != 0)
		return -EOPNOTSUPP;
	n = check_vectors(iov, count, &len);
	if (n < 0)
		return n;
	if ((flags & MSG_OOB) != 0 && !so->stream)
		return -EOPNOTSUPP;
	if (so->stream && ret_flags)
		*ret_flags = flags & MSG_OOB;
	if (so->stream && ret_from)
		*ret_from = (struct rill_addr){.port = 0};
	rill_stack_enter(s);
	n = so->stream ? recv_stream(so, iov, count, len, flags)
		       : recv_datagram(so, iov, count, flags, ret_from, ret_flags);
	rill_stack_leave(s);
	return n;
}
