/* SPDX-License-Identifier: BSD-3-Clause */
/* A socket of the bare stack: what a file descriptor is to Linux. */
#ifndef RILL_NETSTACK_BARE_SOCKET_H
#define RILL_NETSTACK_BARE_SOCKET_H

#include "netstack/bare/stack.h"
#include "netstack/core/acceptor.h"
#include "netstack/core/udp.h"

enum rill_socket_role {
	RILL_SOCKET_IDLE, /* stream: neither connected nor listening; datagram: always */
	RILL_SOCKET_LISTENER,
	RILL_SOCKET_CONNECTION, /* conn is there, in whatever state */
};

struct rill_socket {
	struct rill_stack *stack;
	int fd;
	uint8_t role; /* enum rill_socket_role */
	uint8_t shut; /* RILL_SHUT_RD and RILL_SHUT_WR, by the user */
	bool stream;
	bool bound;
	bool deferred;		 /* stream: the SYN goes to remote with the first data (RFC 7413) */
	bool established;	 /* stream: connect() has said so, or the socket was accepted */
	bool ended;		 /* stream: its connection has told why it is CLOSED */
	int error;		 /* negative errno, to be told once (SO_ERROR); 0: none */
	struct rill_addr local;	 /* bound to */
	struct rill_addr remote; /* datagram: connected to; family NONE: not */
	struct rill_conn *conn;
	struct rill_conn_options options;

	/* Options that are the socket's alone. */
	bool reuse_addr, reuse_port, broadcast, fast_open_connect, inq;
	int recv_low_water;
	int fast_open_queue; /* TCP_FASTOPEN of a listener */

	struct rill_port at; /* bound to; stream: in the stack's table */
	union {
		struct rill_acceptor acceptor; /* RILL_SOCKET_LISTENER */
		struct {
			struct rill_udp_port port; /* bound */
			struct rill_udp_queue queue;
		} udp;
	};
};

/* NULL: there is no such socket. */
struct rill_socket *rill_socket_of(const struct rill_stack *s, int fd);
/* A new one with the lowest number; -EMFILE, -ENOMEM. */
int rill_socket_alloc(struct rill_stack *s, bool stream, struct rill_socket **ret_socket);
/* It is closed, with nothing of it left in the core. */
void rill_socket_free(struct rill_socket *so);
/* To any free port, unless it is bound. -EADDRNOTAVAIL. */
int rill_socket_autobind(struct rill_socket *so);
/* The error to be told, which is told by this; 0: there is none. */
int rill_socket_take_error(struct rill_socket *so);
/* open.c: sends the SYN to addr; fast_open asks for a cookie, or uses one. As connect(). */
int rill_socket_open(struct rill_socket *so, const struct rill_addr *addr, bool fast_open);
/* Whether data may go with a SYN to addr. */
bool rill_socket_has_cookie(struct rill_socket *so, const struct rill_addr *addr);
/* Why a connection is CLOSED, as Linux says it. */
int rill_socket_end_error(const struct rill_tcb *tcb);
/* Is addr an IPv4 address of ours, or unset? */
bool rill_socket_owns(const struct rill_stack *s, const struct rill_ip *ip);

/* The state of a stream socket as Linux has it: TIME-WAIT is CLOSED to the user. */
enum rill_tcp_state rill_socket_state(const struct rill_socket *so);
/* It cannot carry data yet; a passive one whose SYN brought some can (RFC 7413, 4.2.2). */
bool rill_socket_is_opening(const struct rill_socket *so);
/* Linux's number for it. */
enum rill_stack_state rill_socket_linux_state(enum rill_tcp_state state);
/* Which directions are shut, by whomever: RILL_SHUT_RD, RILL_SHUT_WR. */
unsigned rill_socket_shutdowns(const struct rill_socket *so);

/* See struct rill_core_ops. */
void rill_socket_conn_event(struct rill_core *core, struct rill_conn *c, uint32_t events);
void rill_socket_acceptable(struct rill_core *core, struct rill_acceptor *a);
enum rill_drop rill_socket_udp_input(struct rill_core *core, struct rill_udp_port *p,
				     struct rill_buf *chain, const struct rill_udp_hdr *hdr,
				     const struct rill_addr *from);
void rill_socket_udp_error(struct rill_core *core, struct rill_udp_port *p,
			   const struct rill_addr *remote, int error, bool hard);

#endif
