/* SPDX-License-Identifier: BSD-3-Clause */
/* The calls that open and end: socket, listen, accept, connect, shutdown, close. */
#include "netstack/bare/socket.h"

#include <errno.h>
#include <sys/socket.h>

int rill_stack_socket(struct rill_stack *s, int type)
{
	struct rill_socket *so;

	type &= ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (type != SOCK_STREAM && type != SOCK_DGRAM)
		return -EPROTONOSUPPORT;
	return rill_socket_alloc(s, type == SOCK_STREAM, &so);
}

/* ---- servers ---- */

int rill_stack_listen(struct rill_stack *s, int fd, int backlog)
{
	struct rill_socket *so = rill_socket_of(s, fd);
	uint32_t max = (uint32_t)RILL_MAX(backlog, 0) + 1;
	int r;

	if (!so)
		return -EBADF;
	if (!so->stream)
		return -EOPNOTSUPP;
	if (so->role == RILL_SOCKET_CONNECTION)
		return -EINVAL;
	if (so->role == RILL_SOCKET_LISTENER) {
		so->acceptor.backlog = max;
		return 0;
	}
	r = rill_socket_autobind(so);
	if (r < 0)
		return r;
	rill_acceptor_init(&so->acceptor, &s->core, &so->at, &so->options, max);
	so->acceptor.early_max = (uint32_t)so->fast_open_queue;
	so->role = RILL_SOCKET_LISTENER;
	return 0;
}

/* The socket that the connection at the front of the listener's queue gets. */
static void adopt(struct rill_socket *so, const struct rill_socket *listener, struct rill_conn *c)
{
	so->role = RILL_SOCKET_CONNECTION;
	so->conn = c;
	so->local = c->tcb.local;
	so->established = true;
	so->options = rill_conn_options_get(&listener->acceptor.options);
	so->inq = listener->inq;
	so->recv_low_water = listener->recv_low_water;
	so->reuse_addr = listener->reuse_addr;
	so->reuse_port = listener->reuse_port;
	c->user = so;
	if (c->tcb.state != RILL_TCP_CLOSED)
		return;
	so->ended = true;
	so->error = rill_socket_end_error(&c->tcb);
}

int rill_stack_accept(struct rill_stack *s, int fd, struct rill_addr *ret_peer)
{
	struct rill_socket *so = rill_socket_of(s, fd);
	struct rill_socket *accepted;
	int r;

	if (!so)
		return -EBADF;
	if (!so->stream)
		return -EOPNOTSUPP;
	if (so->role != RILL_SOCKET_LISTENER)
		return -EINVAL;
	if (rill_list_empty(&so->acceptor.ready))
		return -EAGAIN;
	r = rill_socket_alloc(s, true, &accepted);
	if (r < 0)
		return r;
	adopt(accepted, so, rill_acceptor_pop(&so->acceptor));
	if (ret_peer)
		*ret_peer = accepted->conn->tcb.remote;
	return r;
}

/* ---- clients ---- */

/* The socket has nothing to do with its connection any more. */
static void drop_conn(struct rill_socket *so)
{
	so->conn->user = NULL;
	rill_conn_let_go(so->conn);
	so->conn = NULL;
	so->role = RILL_SOCKET_IDLE;
	so->shut = 0;
	so->ended = false;
	so->established = false;
}

/* How the attempt stands. */
static int connect_again(struct rill_socket *so)
{
	enum rill_tcp_state state = rill_socket_state(so);
	int error;

	if (so->established)
		return -EISCONN;
	if (state == RILL_TCP_SYN_SENT || state == RILL_TCP_SYN_RCVD)
		return -EALREADY;
	if (state != RILL_TCP_CLOSED) {
		so->established = true;
		return 0;
	}
	error = rill_socket_take_error(so);
	drop_conn(so);
	return error ? error : -ECONNABORTED;
}

bool rill_socket_has_cookie(struct rill_socket *so, const struct rill_addr *addr)
{
	struct rill_core *core = &so->stack->core;

	return core->env.params.fast_open_client && core->env.fast_open &&
	       rill_fast_open_knows(core->env.fast_open, &addr->ip);
}

int rill_socket_open(struct rill_socket *so, const struct rill_addr *addr, bool fast_open)
{
	struct rill_core *core = &so->stack->core;
	struct rill_conn_options options = so->options;
	struct rill_addr local = so->local;
	int r;

	if (addr->ip.family != RILL_AF_IP4)
		return -EAFNOSUPPORT;
	if (so->at.ip == 0)
		local.ip.family = RILL_AF_NONE;
	if (fast_open)
		options.flags |= RILL_TCB_FAST_OPEN;
	r = rill_conn_open(core, &local, addr, &options, &so->conn);
	if (r < 0)
		/* Linux's word for a pair of addresses that is in use. */
		return r == -EADDRINUSE ? -EADDRNOTAVAIL : r;
	so->role = RILL_SOCKET_CONNECTION;
	so->conn->user = so;
	so->local = so->conn->tcb.local;
	so->shut = 0;
	so->error = 0;
	so->deferred = false;
	return -EINPROGRESS;
}

static int connect_stream(struct rill_socket *so, const struct rill_addr *addr)
{
	if (so->role == RILL_SOCKET_LISTENER || so->deferred)
		return -EISCONN;
	if (so->role == RILL_SOCKET_CONNECTION)
		return connect_again(so);
	if (addr->ip.family == RILL_AF_NONE)
		return 0;
	if (!so->fast_open_connect || !rill_socket_has_cookie(so, addr))
		return rill_socket_open(so, addr, so->fast_open_connect);
	so->deferred = true;
	so->remote = *addr;
	return 0;
}

static int connect_datagram(struct rill_socket *so, const struct rill_addr *addr)
{
	if (addr->ip.family == RILL_AF_NONE) {
		so->remote = *addr;
		if (so->bound)
			so->udp.port.peer = *addr;
		return 0;
	}
	if (addr->ip.family != RILL_AF_IP4 || addr->port == 0)
		return -EINVAL;
	int r = rill_socket_autobind(so);

	if (r < 0)
		return r;
	so->remote = so->udp.port.peer = *addr;
	if (so->at.ip == 0)
		rill_l3_source(&so->stack->core.l3, &addr->ip, &so->local.ip);
	return 0;
}

int rill_stack_connect(struct rill_stack *s, int fd, const struct rill_addr *addr)
{
	struct rill_socket *so = rill_socket_of(s, fd);
	int r;

	if (!so)
		return -EBADF;
	rill_stack_enter(s);
	r = so->stream ? connect_stream(so, addr) : connect_datagram(so, addr);
	rill_stack_leave(s);
	return r;
}

/* ---- the end ---- */

static void stop_listening(struct rill_socket *so)
{
	rill_acceptor_fini(&so->acceptor);
	so->role = RILL_SOCKET_IDLE;
}

static int shutdown_conn(struct rill_socket *so, unsigned how)
{
	enum rill_tcp_state state = rill_socket_state(so);

	if (state == RILL_TCP_CLOSED) {
		so->shut |= how;
		return -ENOTCONN;
	}
	/* Linux gives the attempt up. */
	if (state == RILL_TCP_SYN_SENT) {
		rill_conn_abort(so->conn);
		drop_conn(so);
		so->error = -ECONNRESET;
		return 0;
	}
	so->shut |= how;
	if ((how & RILL_SHUT_WR) != 0)
		rill_tcb_shutdown_send(&so->conn->tcb);
	rill_conn_touch(so->conn);
	return 0;
}

static int shutdown_socket(struct rill_socket *so, unsigned how)
{
	if (so->deferred) {
		so->deferred = false;
		return 0;
	}
	if (so->role == RILL_SOCKET_CONNECTION)
		return shutdown_conn(so, how);
	if (so->role == RILL_SOCKET_LISTENER) {
		if ((how & RILL_SHUT_RD) != 0)
			stop_listening(so);
		return 0;
	}
	so->shut |= how;
	return !so->stream && so->remote.ip.family != RILL_AF_NONE ? 0 : -ENOTCONN;
}

int rill_stack_shutdown(struct rill_stack *s, int fd, int how)
{
	struct rill_socket *so = rill_socket_of(s, fd);
	int r;

	if (!so)
		return -EBADF;
	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return -EINVAL;
	rill_stack_enter(s);
	/* SHUT_RD is 0; as bits they are one more. */
	r = shutdown_socket(so, (unsigned)how + 1);
	rill_stack_leave(s);
	return r;
}

static void close_conn(struct rill_socket *so)
{
	struct rill_conn *c = so->conn;

	rill_tcb_close(&c->tcb, &c->core->env, c->core->now_ns);
	drop_conn(so);
}

static void close_datagram(struct rill_socket *so)
{
	struct rill_buf *b;

	if (!so->bound)
		return;
	rill_udp_port_fini(&so->udp.port);
	while ((b = rill_udp_queue_pop(&so->udp.queue)))
		rill_l3_put_chain(&so->stack->core.l3, b);
}

int rill_stack_close(struct rill_stack *s, int fd)
{
	struct rill_socket *so = rill_socket_of(s, fd);

	if (!so)
		return -EBADF;
	rill_stack_enter(s);
	if (so->role == RILL_SOCKET_CONNECTION)
		close_conn(so);
	if (so->role == RILL_SOCKET_LISTENER)
		stop_listening(so);
	if (!so->stream)
		close_datagram(so);
	if (so->stream && so->bound)
		rill_port_remove(&s->bound, &so->at);
	rill_socket_free(so);
	rill_stack_leave(s);
	return 0;
}
