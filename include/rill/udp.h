/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP (RFC 768) over the interfaces of rill/net.h. A socket may be used by any task on any worker,
 * and by plain threads, several at once. Waiting calls honour the caller's scopes.
 */
#ifndef RILL_UDP_H
#define RILL_UDP_H

#include <rill/addr.h>

RILL_BEGIN_DECLS

struct rill_case;
struct rill_net;
struct rill_udp;

struct rill_udp_options {
	size_t size;	      /* sizeof, by RILL_OPTIONS */
	uint32_t recv_buffer; /* bytes of packet buffers that may wait; 0: 256 KiB; what comes
				 beyond is dropped, counted */
	/* Others may be bound to the same, if all of them said this: all datagrams of one peer go
	 * to one of them, by a keyed hash (SO_REUSEPORT). */
	bool reuse_port;
	/*
	 * ICMP errors of any kind about what was sent, to whomever, are told (IP_RECVERR); else
	 * only a connected socket hears that its peer's port or protocol is not there.
	 */
	bool all_errors;
};

/*
 * Binds to local: its IP may be unset (any own address; who is bound to the very address comes
 * first), its port 0 (a free one). o may be NULL. -EADDRINUSE, -EADDRNOTAVAIL.
 */
RILL_API int rill_udp_bind(struct rill_net *net, const struct rill_addr *local,
			   const struct rill_udp_options *o, struct rill_udp **ret_udp);
/*
 * From now on only what peer sends is received, before any socket that is not connected to it gets
 * it. NULL: from whomever. -EINVAL.
 */
RILL_API int rill_udp_connect(struct rill_udp *u, const struct rill_addr *peer);
/*
 * One datagram; what does not fit into len is cut off. ret_from may be NULL. Cancel safe. An ICMP
 * error is told once, by this or by the next send: -ECONNREFUSED, -ENOPROTOOPT, and with all_errors
 * -EHOSTUNREACH, -ENETUNREACH, -EMSGSIZE, -EPROTO.
 */
RILL_API ssize_t rill_udp_recv(struct rill_udp *u, void *buf, size_t len,
			       struct rill_addr *ret_from);
/* Whom the datagram was sent to that the last such error was about. */
RILL_API struct rill_addr rill_udp_failed_peer(struct rill_udp *u);
/*
 * One datagram; to NULL: to the peer (-EDESTADDRREQ: there is none). -EMSGSIZE when larger than
 * 65,507 bytes, -ENETUNREACH, -ENOBUFS, -EADDRNOTAVAIL (the socket's address was taken from the
 * interface). Never waits.
 */
RILL_API ssize_t rill_udp_send(struct rill_udp *u, const void *buf, size_t len,
			       const struct rill_addr *to);
RILL_API struct rill_addr rill_udp_addr(const struct rill_udp *u);
/* No task may be in a call on it. */
RILL_API void rill_udp_close(struct rill_udp *u);

/* For rill_select(), see rill/select.h: a datagram waits. */
RILL_API void rill_case_udp_readable(struct rill_case *c, struct rill_udp *u);

RILL_END_DECLS

#endif
