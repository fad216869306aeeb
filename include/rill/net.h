/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Networking on NICs that rill owns. A struct rill_net is one interface: a NIC, its addresses, and
 * the userspace TCP/UDP stack on it. Sockets of it may be used by any task on any worker, and by
 * plain threads; several tasks may use one socket at once (calls of one direction are then served
 * in some order, each whole, except that rill_tcp_recv_all() is as many calls as it takes).
 * Blocking calls honour the caller's scopes.
 *
 * TCP is RFC 9293 with window scaling and timestamps (RFC 7323), RTO by RFC 6298, NewReno (RFC
 * 5681, 6582), RFC 5961 and RFC 6528.
 */
#ifndef RILL_NET_H
#define RILL_NET_H

#include <rill/base.h>
#include <stdio.h>

RILL_BEGIN_DECLS

struct rill_runtime;
struct rill_runtime_options;
struct rill_net;
struct rill_listener;
struct rill_tcp;
struct rill_udp;

enum rill_family {
	RILL_AF_NONE = 0,
	RILL_AF_IP4 = 4,
	RILL_AF_IP6 = 6,
};

/* An address in network order; IPv4 lies in the first four bytes and the rest is zero. */
struct rill_ip {
	uint8_t family; /* enum rill_family */
	uint8_t bytes[16];
};

/* Address and port (host order). Port 0 asks for an ephemeral one where that makes sense. */
struct rill_addr {
	struct rill_ip ip;
	uint16_t port;
};

/* Enough for any address that rill_addr_format() writes, with its 0. */
#define RILL_ADDR_STRLEN 64

/* "198.18.0.1:80", "198.18.0.1" (port 0), ":80" (any IPv4 address). -EINVAL when it is none of
 * these. */
RILL_API int rill_addr_parse(const char *text, struct rill_addr *ret_addr);
/* "198.18.0.1/24". -EINVAL. */
RILL_API int rill_cidr_parse(const char *text, struct rill_ip *ret_ip, unsigned *ret_prefix);
/* Writes "198.18.0.1:80" into buf (RILL_ADDR_STRLEN bytes) and returns it. */
RILL_API const char *rill_addr_format(const struct rill_addr *addr, char *buf);

struct rill_net_options {
	size_t size; /* sizeof, by RILL_OPTIONS */
	/*
	 * The NIC: "af_xdp:eth0", "tap:rill0", "mem:lab". Driver options follow after commas:
	 * "af_xdp:eth0,mode=generic", "mem:lab,loss=0.01,seed=7". Each driver refuses what it does
	 * not know.
	 */
	const char *nic;
	const char *addr;    /* own address with prefix length: "198.18.0.1/24" */
	const char *gateway; /* next hop for everything else; NULL: none */
	unsigned queues; /* NIC queues to open, one shard each; 0: as many as NIC and workers allow
			  */
	unsigned mtu;	 /* 0: the NIC's */
};

/*
 * Opens the NIC and starts the stack on it; rt NULL: the caller's runtime. -EINVAL (bad spec or
 * address), -ENODEV, -EPERM, -EOPNOTSUPP, -EBUSY; rill_net_error() says in words what was wrong and
 * what to do.
 */
RILL_API int rill_net_open(struct rill_runtime *rt, const struct rill_net_options *o,
			   struct rill_net **ret_net);
/*
 * rill_runtime_create(), then rill_net_open() for each of count interfaces, whose handles go to the
 * array ret_nets: all of it, or nothing. o may be NULL. Errors as of the two, in words by
 * rill_net_error(). From a plain thread.
 */
RILL_API int rill_net_start(const struct rill_runtime_options *o,
			    const struct rill_net_options *nets, unsigned count,
			    struct rill_runtime **ret_rt, struct rill_net **ret_nets);
/* Text for the calling thread's last failed rill_net_open() or rill_net_start(). Never NULL. */
RILL_API const char *rill_net_error(void);

/* Resets what is still connected, closes the NIC. No socket of it may be in a call; all become
 * invalid. */
RILL_API void rill_net_close(struct rill_net *net);

RILL_API struct rill_ip rill_net_ip(const struct rill_net *net);
/* "af_xdp:veth1 native copy need-wakeup, 1 queue, mtu 1500, 02:..": how the NIC really runs. */
RILL_API const char *rill_net_describe(const struct rill_net *net);

/* ---- TCP ---- */

struct rill_tcp_options {
	size_t size;	      /* sizeof, by RILL_OPTIONS */
	uint32_t send_buffer; /* bytes; 0: 512 KiB; at most 1 GiB */
	uint32_t recv_buffer; /* bytes offered as window; 0: 512 KiB; at most 1 GiB */
	bool nodelay;	      /* Nagle (RFC 896) off */
	unsigned backlog; /* listen: connections not yet accepted, half-open ones included; 0: 1024
			   */
};

/*
 * Listens on local (its IP may be unset: any own address). o may be NULL. -EADDRINUSE,
 * -EADDRNOTAVAIL, -EINVAL. Accepted connections inherit the options.
 */
RILL_API int rill_tcp_listen(struct rill_net *net, const struct rill_addr *local,
			     const struct rill_tcp_options *o, struct rill_listener **ret_listener);
/* Waits for a connection. -ESHUTDOWN after rill_listener_shutdown(). Cancel safe: no connection is
 * lost. */
RILL_API int rill_tcp_accept(struct rill_listener *l, struct rill_tcp **ret_conn);
RILL_API struct rill_addr rill_listener_addr(const struct rill_listener *l);
/* Stops listening: waiting accepts return -ESHUTDOWN, connections not yet accepted are reset. */
RILL_API void rill_listener_shutdown(struct rill_listener *l);
/* Shuts down and frees. No task may be in a call on it. */
RILL_API void rill_listener_close(struct rill_listener *l);

/*
 * Connects. local may be NULL. -ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH, -ENETUNREACH, -EADDRINUSE,
 * -EADDRNOTAVAIL (no free port). Cancel safe: the attempt is given up.
 */
RILL_API int rill_tcp_connect(struct rill_net *net, const struct rill_addr *local,
			      const struct rill_addr *remote, const struct rill_tcp_options *o,
			      struct rill_tcp **ret_conn);

/*
 * Receives at least one byte, at most len. 0 at the end of the stream (or when len is 0).
 * -ECONNRESET, -ETIMEDOUT (also: the peer stopped answering). Cancel safe: bytes not returned are
 * not lost.
 */
RILL_API ssize_t rill_tcp_recv(struct rill_tcp *c, void *buf, size_t len);
/* As rill_tcp_recv(), until len bytes or the end of the stream: returns how many. An error after
 * the first byte is reported by the next call. */
RILL_API ssize_t rill_tcp_recv_all(struct rill_tcp *c, void *buf, size_t len);

/*
 * Queues bytes for sending, waiting for room: returns how many of len were taken, which is less
 * than len only when the scope ended or the connection broke after the first. With nothing taken:
 * -EPIPE (shut down for sending), -ECONNRESET, -ETIMEDOUT, -ECANCELED. What was taken is sent.
 */
RILL_API ssize_t rill_tcp_send(struct rill_tcp *c, const void *buf, size_t len);

/* A received slice, without a copy: reference counted, may be passed to another task. */
struct rill_bytes {
	const uint8_t *data;
	size_t len;
	void *owner;
};

/* As rill_tcp_recv() without the copy: the next contiguous slice. Give it back with
 * rill_bytes_release(). */
RILL_API int rill_tcp_recv_bytes(struct rill_tcp *c, struct rill_bytes *ret_bytes);
RILL_API void rill_bytes_release(struct rill_bytes *b);

/*
 * Sending without a copy: alloc gives a buffer of the connection's NIC (at most one segment), the
 * caller writes at most cap bytes into it, and send takes the first len of them over. A buffer not
 * sent is given back with rill_tcp_release_buffer(). alloc waits for send-buffer room. send fails
 * as rill_tcp_send() does, and has then consumed the buffer.
 */
struct rill_tx_buffer {
	uint8_t *data;
	size_t cap;
	void *owner;
};
RILL_API int rill_tcp_alloc_buffer(struct rill_tcp *c, struct rill_tx_buffer *ret_buffer);
RILL_API ssize_t rill_tcp_send_buffer(struct rill_tcp *c, struct rill_tx_buffer *b, size_t len);
RILL_API void rill_tcp_release_buffer(struct rill_tx_buffer *b);

enum rill_shutdown {
	RILL_SHUT_RD = 1, /* later data is discarded, recv returns 0 */
	RILL_SHUT_WR = 2, /* FIN after what is queued */
	RILL_SHUT_RDWR = 3,
};
RILL_API int rill_tcp_shutdown(struct rill_tcp *c, enum rill_shutdown how);
/*
 * Frees the handle without waiting. Queued bytes and a FIN are still sent; if received data was not
 * read, the peer gets a RST (RFC 9293, 3.6; RFC 2525, 2.17). No other task may be in a call on it.
 */
RILL_API void rill_tcp_close(struct rill_tcp *c);
/* Sends a RST, drops what is queued, frees the handle. */
RILL_API void rill_tcp_abort(struct rill_tcp *c);

RILL_API struct rill_addr rill_tcp_local(const struct rill_tcp *c);
RILL_API struct rill_addr rill_tcp_peer(const struct rill_tcp *c);
RILL_API int rill_tcp_set_nodelay(struct rill_tcp *c, bool on);

/* The state of a connection. */
struct rill_tcp_info {
	const char *state; /* RFC 9293's name */
	uint32_t rtt_us, rttvar_us, rto_us;
	uint32_t cwnd, ssthresh; /* bytes */
	uint32_t snd_mss, rcv_mss;
	uint32_t snd_wnd, rcv_wnd;
	uint32_t unsent, unacked, unread; /* bytes */
	uint64_t bytes_sent, bytes_received, retransmits, rto_count, fast_recoveries;
};
RILL_API int rill_tcp_info(struct rill_tcp *c, struct rill_tcp_info *ret_info);

/* ---- UDP (RFC 768) ---- */

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

/* ---- waiting for several things at once: see rill/select.h ---- */
struct rill_case;
RILL_API void rill_case_tcp_readable(struct rill_case *c, struct rill_tcp *conn);
RILL_API void rill_case_tcp_writable(struct rill_case *c, struct rill_tcp *conn);
RILL_API void rill_case_accept(struct rill_case *c, struct rill_listener *l,
			       struct rill_tcp **ret_conn);
RILL_API void rill_case_udp_readable(struct rill_case *c, struct rill_udp *u);

RILL_END_DECLS

#endif
