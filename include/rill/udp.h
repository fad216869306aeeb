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
};

RILL_API int rill_udp_bind(struct rill_net *net, const struct rill_addr *local,
			   const struct rill_udp_options *o, struct rill_udp **ret_udp);
/* One datagram; what does not fit into len is cut off. ret_from may be NULL. Cancel safe. */
RILL_API ssize_t rill_udp_recv(struct rill_udp *u, void *buf, size_t len,
			       struct rill_addr *ret_from);
/* One datagram. -EMSGSIZE when larger than 65,507 bytes, -ENETUNREACH, -ENOBUFS. Never waits. */
RILL_API ssize_t rill_udp_send(struct rill_udp *u, const void *buf, size_t len,
			       const struct rill_addr *to);
RILL_API struct rill_addr rill_udp_addr(const struct rill_udp *u);
/* No task may be in a call on it. */
RILL_API void rill_udp_close(struct rill_udp *u);

/* For rill_select(), see rill/select.h: a datagram waits. */
RILL_API void rill_case_udp_readable(struct rill_case *c, struct rill_udp *u);

RILL_END_DECLS

#endif
