/* SPDX-License-Identifier: BSD-3-Clause */
/* Readiness, addresses, byte counts, and what there is. */
#include "netstack/bare/socket.h"
#include "netstack/tcp/seq.h"
#include "netstack/tcp/trace.h"
#include "netstack/wire/drop.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* ---- poll ---- */

static int poll_datagram(const struct rill_socket *so)
{
	int mask = POLLOUT | POLLWRNORM;

	if (so->udp.queue.bufs.count > 0 || (so->shut & RILL_SHUT_RD) != 0)
		mask |= POLLIN | POLLRDNORM;
	if ((so->shut & RILL_SHUT_RD) != 0)
		mask |= POLLRDHUP;
	if (so->shut == RILL_SHUT_RDWR)
		mask |= POLLHUP;
	return so->error ? mask | POLLERR : mask;
}

/* The urgent byte has come, and was not read. */
static bool urgent_here(const struct rill_tcb *tcb)
{
	if ((tcb->flags & RILL_TCB_OOB_READY) != 0)
		return true;
	return tcb->settings->oob_inline && (tcb->flags & RILL_TCB_URG_IN) != 0 &&
	       rill_seq_geq(tcb->rcv_nxt, tcb->rcv_up);
}

/* Without the urgent byte at the front, which is read apart. */
static uint32_t readable_bytes(const struct rill_tcb *tcb)
{
	uint32_t n = rill_tcb_unread(tcb);

	return n > 0 && rill_tcb_at_mark(tcb) && !tcb->settings->oob_inline ? n - 1 : n;
}

/* Data on an open connection, and room for more. */
static int poll_data(const struct rill_socket *so, unsigned shut)
{
	const struct rill_tcb *tcb = so->conn ? &so->conn->tcb : NULL;
	uint32_t n = tcb ? readable_bytes(tcb) : 0;
	int mask = 0;

	if (n > 0 && n >= (uint32_t)so->recv_low_water)
		mask |= POLLIN | POLLRDNORM;
	if ((shut & RILL_SHUT_WR) != 0 || !tcb || rill_tcb_writable(tcb))
		mask |= POLLOUT | POLLWRNORM;
	if (tcb && urgent_here(tcb))
		mask |= POLLPRI;
	return mask;
}

/* As Linux's tcp_poll() decides it, for what poll(2) documents. */
static int poll_stream(const struct rill_socket *so)
{
	unsigned shut = rill_socket_shutdowns(so);
	int mask = 0;

	if (so->role == RILL_SOCKET_LISTENER)
		return rill_list_empty(&so->acceptor.ready) ? 0 : POLLIN | POLLRDNORM;
	if (so->deferred)
		return POLLOUT | POLLWRNORM;
	if (shut == RILL_SHUT_RDWR || rill_socket_state(so) == RILL_TCP_CLOSED)
		mask |= POLLHUP;
	if ((shut & RILL_SHUT_RD) != 0)
		mask |= POLLIN | POLLRDNORM | POLLRDHUP;
	if (!rill_socket_is_opening(so))
		mask |= poll_data(so, shut);
	return so->error ? mask | POLLERR : mask;
}

int rill_stack_poll(const struct rill_stack *s, int fd)
{
	const struct rill_socket *so = rill_socket_of(s, fd);

	if (!so)
		return POLLNVAL;
	return so->stream ? poll_stream(so) : poll_datagram(so);
}

/* ---- addresses ---- */

int rill_stack_local(const struct rill_stack *s, int fd, struct rill_addr *ret_addr)
{
	const struct rill_socket *so = rill_socket_of(s, fd);

	if (!so)
		return -EBADF;
	*ret_addr = so->local;
	ret_addr->ip.family = RILL_AF_IP4;
	return 0;
}

int rill_stack_peer(const struct rill_stack *s, int fd, struct rill_addr *ret_addr)
{
	const struct rill_socket *so = rill_socket_of(s, fd);

	if (!so)
		return -EBADF;
	if (!so->stream && so->remote.ip.family != RILL_AF_NONE) {
		*ret_addr = so->remote;
		return 0;
	}
	if (rill_socket_state(so) == RILL_TCP_CLOSED || rill_socket_is_opening(so))
		return -ENOTCONN;
	*ret_addr = so->conn->tcb.remote;
	return 0;
}

/* ---- byte counts ---- */

/* A socket with a connection past its handshake, or an error; NULL: there is nothing to count. */
static int counted(const struct rill_stack *s, int fd, const struct rill_socket **ret_so)
{
	const struct rill_socket *so = rill_socket_of(s, fd);

	if (!so)
		return -EBADF;
	if (so->role == RILL_SOCKET_LISTENER)
		return -EINVAL;
	*ret_so = so;
	return 0;
}

ssize_t rill_stack_unread(const struct rill_stack *s, int fd)
{
	const struct rill_socket *so;
	int r = counted(s, fd, &so);
	const struct rill_buf *b;

	if (r < 0)
		return r;
	if (so->stream)
		return so->conn && !rill_socket_is_opening(so)
			       ? (ssize_t)rill_tcb_unread(&so->conn->tcb)
			       : 0;
	b = so->udp.queue.bufs.first;
	if (!b)
		return 0;
	ssize_t n = (ssize_t)b->len;

	for (b = rill_udp_meta_of(b)->rest; b; b = b->next)
		n += (ssize_t)b->len;
	return n;
}

/* The connection whose queue is to be counted; NULL: there is nothing in it. */
static int counted_tcb(const struct rill_stack *s, int fd, const struct rill_tcb **ret_tcb)
{
	const struct rill_socket *so;
	int r = counted(s, fd, &so);

	if (r < 0)
		return r;
	*ret_tcb = NULL;
	if (so->conn && !rill_socket_is_opening(so) && rill_socket_state(so) != RILL_TCP_CLOSED)
		*ret_tcb = &so->conn->tcb;
	return 0;
}

ssize_t rill_stack_unacked(const struct rill_stack *s, int fd)
{
	const struct rill_tcb *tcb;
	int r = counted_tcb(s, fd, &tcb);

	return r == 0 && tcb ? (ssize_t)rill_tcb_unacked(tcb) : r;
}

ssize_t rill_stack_unsent(const struct rill_stack *s, int fd)
{
	const struct rill_tcb *tcb;
	int r = counted_tcb(s, fd, &tcb);

	return r == 0 && tcb ? (ssize_t)rill_tcb_unsent(tcb) : r;
}

int rill_stack_at_mark(const struct rill_stack *s, int fd)
{
	const struct rill_socket *so = rill_socket_of(s, fd);

	if (!so)
		return -EBADF;
	if (!so->stream)
		return -EOPNOTSUPP;
	if (!so->conn)
		return 0;
	return rill_tcb_at_mark(&so->conn->tcb);
}

/* ---- everything there is ---- */

static const uint8_t linux_states[RILL_TCP_STATE_COUNT] = {
	[RILL_TCP_CLOSED] = RILL_STACK_CLOSED,
	[RILL_TCP_SYN_SENT] = RILL_STACK_SYN_SENT,
	[RILL_TCP_SYN_RCVD] = RILL_STACK_SYN_RECEIVED,
	[RILL_TCP_ESTABLISHED] = RILL_STACK_ESTABLISHED,
	[RILL_TCP_FIN_WAIT_1] = RILL_STACK_FIN_WAIT_1,
	[RILL_TCP_FIN_WAIT_2] = RILL_STACK_FIN_WAIT_2,
	[RILL_TCP_CLOSE_WAIT] = RILL_STACK_CLOSE_WAIT,
	[RILL_TCP_CLOSING] = RILL_STACK_CLOSING,
	[RILL_TCP_LAST_ACK] = RILL_STACK_LAST_ACK,
	[RILL_TCP_TIME_WAIT] = RILL_STACK_TIME_WAIT,
};

enum rill_stack_state rill_socket_linux_state(enum rill_tcp_state state)
{
	return (enum rill_stack_state)linux_states[state];
}

struct listing {
	struct rill_stack_endpoint *list;
	size_t count, max;
};

static void list_add(struct listing *l, const struct rill_stack_endpoint *e)
{
	if (l->count < l->max)
		l->list[l->count] = *e;
	l->count++;
}

static void list_conn(struct listing *l, const struct rill_conn *c, int fd)
{
	struct rill_tcp_info info;

	rill_tcb_info(&c->tcb, &info);
	list_add(l, &(struct rill_stack_endpoint){
			    .fd = fd,
			    .type = SOCK_STREAM,
			    .state = (int)rill_socket_linux_state(c->tcb.state),
			    .local = c->tcb.local,
			    .remote = c->tcb.remote,
			    .unread = info.unread,
			    .unacked = info.unacked + info.unsent,
		    });
}

static void list_socket(struct listing *l, const struct rill_socket *so)
{
	struct rill_stack_endpoint e = {
		.fd = so->fd,
		.type = so->stream ? SOCK_STREAM : SOCK_DGRAM,
		.state = RILL_STACK_CLOSED,
		.local = so->local,
		.remote = so->remote,
	};

	if (so->role == RILL_SOCKET_CONNECTION) {
		list_conn(l, so->conn, so->fd);
		return;
	}
	if (!so->stream)
		e.unread = (uint32_t)rill_stack_unread(so->stack, so->fd);
	if (so->role == RILL_SOCKET_LISTENER) {
		e.state = RILL_STACK_LISTEN;
		e.unread = so->acceptor.ready_count;
		e.unacked = so->acceptor.backlog;
	}
	list_add(l, &e);
}

static void list_orphan(struct rill_conn *c, void *ctx)
{
	if (!c->held || c->passive_open)
		list_conn(ctx, c, -1);
}

static void list_half_open(struct listing *l, const struct rill_syn_entry *e)
{
	struct rill_stack_endpoint out = {
		.fd = -1,
		.type = SOCK_STREAM,
		.state = RILL_STACK_SYN_RECEIVED,
		.local = {.ip.family = e->ip6 ? RILL_AF_IP6 : RILL_AF_IP4, .port = e->local_port},
		.remote = {.port = e->remote_port},
	};

	out.remote.ip.family = out.local.ip.family;
	memcpy(out.local.ip.bytes, e->local, sizeof(e->local));
	memcpy(out.remote.ip.bytes, e->remote, sizeof(e->remote));
	list_add(l, &out);
}

static void list_syncache(struct listing *l, const struct rill_syncache *c)
{
	for (unsigned step = 0; step < RILL_SYNCACHE_STEPS; step++) {
		const struct rill_list *list = &c->steps[step];

		for (const struct rill_list *n = list->next; n != list; n = n->next)
			list_half_open(l, RILL_LIST_ENTRY(n, struct rill_syn_entry, link));
	}
}

size_t rill_stack_endpoints(const struct rill_stack *s, struct rill_stack_endpoint *list,
			    size_t max)
{
	struct listing l = {.list = list, .max = max};

	for (unsigned fd = 0; fd < s->sockets_size; fd++)
		if (s->sockets[fd])
			list_socket(&l, s->sockets[fd]);
	rill_flow_for_each(&s->core.flows, list_orphan, &l);
	list_syncache(&l, &s->core.syns);
	return l.count;
}

/* ---- sums ---- */

void rill_stack_stats(const struct rill_stack *s, struct rill_stack_stats *ret_stats)
{
	const struct rill_core *core = &s->core;
	uint64_t dropped = 0;

	for (unsigned i = RILL_DROP_NONE + 1; i < RILL_DROP_COUNT; i++)
		dropped += core->l3.drops[i] + core->drops[i];
	*ret_stats = (struct rill_stack_stats){
		.packets_in = s->packets_in,
		.packets_out = s->packets_out,
		.packets_dropped = dropped,
		.segments_in = core->env.stats.segs_in,
		.segments_out = core->env.stats.segs_out,
		.retransmits = core->env.stats.retransmits,
		.resets_in = core->env.stats.resets_in,
		.resets_out = core->env.stats.resets_out,
		.sockets = s->socket_count,
		.connections = core->conns.used,
		.packet_buffers = s->pool.size - s->pool.available,
		.memory = s->memory_used,
	};
}

const char *rill_stack_drops(const struct rill_stack *s, unsigned i, uint64_t *ret_count)
{
	enum rill_drop drop = (enum rill_drop)(i + 1);

	if (i >= RILL_DROP_COUNT - 1)
		return NULL;
	*ret_count = s->core.l3.drops[drop] + s->core.drops[drop];
	return rill_drop_name(drop);
}

/* ---- what went wrong ---- */

struct telling {
	void (*visit)(void *ctx, const struct rill_tcp_trouble *t);
	void *ctx;
	bool archived;
};

static void tell(void *ctx, const struct rill_tcp_trace_block *t)
{
	const struct telling *to = ctx;
	struct rill_tcp_trouble trouble;

	rill_tcp_trace_tell(t, to->archived, &trouble);
	to->visit(to->ctx, &trouble);
}

void rill_stack_troubles(const struct rill_stack *s,
			 void (*visit)(void *ctx, const struct rill_tcp_trouble *t), void *ctx)
{
	struct telling to = {visit, ctx, false};

	rill_tcp_trace_each(&s->core.env, false, tell, &to);
	to.archived = true;
	rill_tcp_trace_each(&s->core.env, true, tell, &to);
}
