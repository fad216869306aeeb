/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets by number, and what the core tells them. */
#include "netstack/bare/socket.h"

#include <errno.h>
#include <string.h>

#define SOCKETS_START 16
#define UDP_RECV_BUFFER (256u << 10)

/* ---- numbers ---- */

struct rill_socket *rill_socket_of(const struct rill_stack *s, int fd)
{
	return fd >= 0 && (unsigned)fd < s->sockets_size ? s->sockets[fd] : NULL;
}

/* Twice as many places. */
static int grow(struct rill_stack *s)
{
	unsigned size =
		RILL_MIN(s->sockets_size ? 2 * s->sockets_size : SOCKETS_START, s->sockets_max);
	struct rill_socket **sockets;

	if (size == s->sockets_size)
		return -EMFILE;
	sockets = s->memory.alloc(s->memory.ctx, size * sizeof(struct rill_socket *));
	if (!sockets)
		return -ENOMEM;
	memset(sockets, 0, size * sizeof(struct rill_socket *));
	if (s->sockets_size) {
		memcpy(sockets, s->sockets, s->sockets_size * sizeof(struct rill_socket *));
		s->memory.free(s->memory.ctx, s->sockets,
			       s->sockets_size * sizeof(struct rill_socket *));
	}
	s->sockets = sockets;
	s->sockets_size = size;
	return 0;
}

/* The lowest free number. Everything below free_from is taken. */
static int pick_number(struct rill_stack *s)
{
	unsigned fd = s->free_from;

	while (fd < s->sockets_size && s->sockets[fd])
		fd++;
	s->free_from = fd;
	if (fd < s->sockets_size)
		return (int)fd;
	int r = grow(s);

	return r < 0 ? r : (int)fd;
}

int rill_socket_alloc(struct rill_stack *s, bool stream, struct rill_socket **ret_socket)
{
	int fd = pick_number(s);
	struct rill_socket *so;

	if (fd < 0)
		return fd;
	so = rill_slab_alloc(&s->socket_slab);
	if (!so)
		return -ENOMEM;
	memset(so, 0, sizeof(*so));
	so->stack = s;
	so->fd = fd;
	so->stream = stream;
	so->recv_low_water = 1;
	so->options.recv_buffer = stream ? 0 : UDP_RECV_BUFFER;
	s->sockets[fd] = so;
	s->socket_count++;
	*ret_socket = so;
	return fd;
}

void rill_socket_free(struct rill_socket *so)
{
	struct rill_stack *s = so->stack;

	rill_conn_options_put(&s->core, &so->options);
	s->sockets[so->fd] = NULL;
	s->free_from = RILL_MIN(s->free_from, (unsigned)so->fd);
	s->socket_count--;
	rill_slab_free(&s->socket_slab, so);
}

int rill_socket_take_error(struct rill_socket *so)
{
	int error = so->error;

	so->error = 0;
	return error;
}

bool rill_socket_owns(const struct rill_stack *s, const struct rill_ip *ip)
{
	static const uint8_t any[16];

	return ip->family == RILL_AF_NONE || memcmp(ip->bytes, any, sizeof(any)) == 0 ||
	       (ip->family == RILL_AF_IP4 && rill_l3_owns(&s->core.l3, rill_ip4_get(ip)));
}

/* ---- local ports ---- */

static bool is_free(const struct rill_socket *so, const struct rill_port *at)
{
	const struct rill_stack *s = so->stack;

	return !rill_port_conflicts(so->stream ? &s->bound : &s->core.udp_ports, at);
}

/* One that nobody has, whether they would share it or not. */
static int pick_port(struct rill_socket *so, const struct rill_ip *ip)
{
	struct rill_core *core = &so->stack->core;
	uint64_t draw[1] = {core->port_draws++};
	uint64_t random = rill_siphash(&core->env.secret, draw, sizeof(draw));

	for (uint32_t i = 0; i < RILL_PORT_EPHEMERAL_COUNT; i++) {
		uint32_t offset = (uint32_t)((random + i) % RILL_PORT_EPHEMERAL_COUNT);
		struct rill_addr addr = {*ip, (uint16_t)(RILL_PORT_EPHEMERAL_FIRST + offset)};
		struct rill_port at = rill_port_make(&addr, false, 0);

		if (is_free(so, &at))
			return addr.port;
	}
	return -EADDRNOTAVAIL;
}

static int bind_to(struct rill_socket *so, const struct rill_addr *addr)
{
	struct rill_stack *s = so->stack;

	so->at = rill_port_make(addr, so->reuse_port, s->port_ids + 1);
	if (!is_free(so, &so->at))
		return -EADDRINUSE;
	s->port_ids++;
	so->local = (struct rill_addr){.ip = so->at.ip ? addr->ip : s->ip, .port = addr->port};
	so->bound = true;
	if (so->stream) {
		rill_port_insert(&s->bound, &so->at);
		return 0;
	}
	so->udp.queue.max = so->options.recv_buffer;
	rill_udp_port_init(&so->udp.port, &s->core, &so->at);
	return 0;
}

static int bind_free(struct rill_socket *so, const struct rill_ip *ip)
{
	int port = pick_port(so, ip);
	struct rill_addr addr = {*ip, (uint16_t)port};

	return port < 0 ? port : bind_to(so, &addr);
}

int rill_socket_autobind(struct rill_socket *so)
{
	static const struct rill_ip any = {.family = RILL_AF_NONE};

	return so->bound ? 0 : bind_free(so, &any);
}

int rill_stack_bind(struct rill_stack *s, int fd, const struct rill_addr *addr)
{
	struct rill_socket *so = rill_socket_of(s, fd);

	if (!so)
		return -EBADF;
	if (so->bound || so->role != RILL_SOCKET_IDLE || addr->ip.family == RILL_AF_IP6)
		return -EINVAL;
	if (!rill_socket_owns(s, &addr->ip))
		return -EADDRNOTAVAIL;
	return addr->port == 0 ? bind_free(so, &addr->ip) : bind_to(so, addr);
}

/* ---- what Linux would call it ---- */

enum rill_tcp_state rill_socket_state(const struct rill_socket *so)
{
	enum rill_tcp_state state;

	if (so->role != RILL_SOCKET_CONNECTION)
		return RILL_TCP_CLOSED;
	state = so->conn->tcb.state;
	return state == RILL_TCP_TIME_WAIT ? RILL_TCP_CLOSED : state;
}

bool rill_socket_is_opening(const struct rill_socket *so)
{
	enum rill_tcp_state state = rill_socket_state(so);

	if (state == RILL_TCP_SYN_RCVD)
		return (so->conn->tcb.flags & RILL_TCB_PASSIVE) == 0;
	return state == RILL_TCP_SYN_SENT;
}

unsigned rill_socket_shutdowns(const struct rill_socket *so)
{
	unsigned shut = so->shut;

	if (so->role != RILL_SOCKET_CONNECTION)
		return shut;
	if (rill_socket_state(so) == RILL_TCP_CLOSED)
		return RILL_SHUT_RDWR;
	if ((so->conn->tcb.flags & RILL_TCB_FIN_RCVD) != 0)
		shut |= RILL_SHUT_RD;
	if ((so->conn->tcb.flags & RILL_TCB_FIN_QUEUED) != 0)
		shut |= RILL_SHUT_WR;
	return shut;
}

/* ---- from the core ---- */

static void tell_ready(struct rill_socket *so)
{
	if (so->stack->ops.ready)
		so->stack->ops.ready(so->stack->ctx, so->fd);
}

/* What Linux calls a RST in CLOSE-WAIT. */
int rill_socket_end_error(const struct rill_tcb *tcb)
{
	uint32_t fins = tcb->flags & (RILL_TCB_FIN_RCVD | RILL_TCB_FIN_QUEUED);

	return tcb->error == -ECONNRESET && fins == RILL_TCB_FIN_RCVD ? -EPIPE : tcb->error;
}

void rill_socket_conn_event(struct rill_core *core, struct rill_conn *c, uint32_t events)
{
	struct rill_socket *so = c->user;

	(void)core;
	if ((events & RILL_TCB_CLOSED) != 0) {
		if (so->ended)
			return;
		so->ended = true;
		so->error = rill_socket_end_error(&c->tcb);
	}
	tell_ready(so);
}

void rill_socket_acceptable(struct rill_core *core, struct rill_acceptor *a)
{
	(void)core;
	tell_ready(RILL_CONTAINER_OF(a, struct rill_socket, acceptor));
}

enum rill_drop rill_socket_udp_input(struct rill_core *core, struct rill_udp_port *p,
				     struct rill_buf *chain, const struct rill_udp_hdr *hdr,
				     const struct rill_addr *from)
{
	struct rill_socket *so = RILL_CONTAINER_OF(p, struct rill_socket, udp.port);
	enum rill_drop drop;

	(void)core;
	drop = rill_udp_queue_push(&so->udp.queue, chain, hdr, from);
	if (drop == RILL_DROP_NONE)
		tell_ready(so);
	return drop;
}

/* Only a connected socket learns of it (RFC 1122, 4.1.3.3; udp(7)). */
void rill_socket_udp_error(struct rill_core *core, struct rill_udp_port *p,
			   const struct rill_addr *remote, int error, bool hard)
{
	struct rill_socket *so = RILL_CONTAINER_OF(p, struct rill_socket, udp.port);

	(void)core, (void)remote;
	if (!hard || so->remote.ip.family == RILL_AF_NONE)
		return;
	so->error = error;
	tell_ready(so);
}
