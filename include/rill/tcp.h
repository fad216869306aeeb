/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP over the interfaces of rill/net.h: RFC 9293 and what has been added since, as docs/rfc.md
 * lists it. Sockets may be used by any task on any worker, and by plain threads; several may use
 * one socket at once (calls of one direction are then served in some order, each whole, except
 * that rill_tcp_recv_all() is as many calls as it takes). Waiting calls honour the caller's scopes.
 */
#ifndef RILL_TCP_H
#define RILL_TCP_H

#include <rill/addr.h>
#include <sys/uio.h>

RILL_BEGIN_DECLS

struct rill_listener;
struct rill_net;
struct rill_tcp;

/* When a silent peer is asked whether it is there (RFC 9293, 3.8.4). */
struct rill_tcp_keepalive {
	uint32_t idle_ms;     /* after this much silence; 1 to 32,767,000; 0: 2 h */
	uint32_t interval_ms; /* between two questions without an answer; the same; 0: 75 s */
	uint32_t count;	      /* of them, and then -ETIMEDOUT; at most 127; 0: 9 */
};

struct rill_tcp_options {
	size_t size;	      /* sizeof, by RILL_OPTIONS */
	uint32_t send_buffer; /* bytes; 0: 512 KiB; at most 1 GiB */
	uint32_t recv_buffer; /* bytes offered as window; 0: 512 KiB; at most 1 GiB */
	bool nodelay;	      /* Nagle (RFC 896) off */
	unsigned backlog;     /* listen: connections not yet accepted; 0: 1024. Half-open ones have
				 bounds of their own (RFC 4987) and do not count */
	/* listen: connections at most, accepted ones included, shared evenly by the NIC's queues;
	 * 0: no bound. Further ones wait, as with a full backlog. */
	unsigned max_conns;
	unsigned max_conns_per_network; /* the same for each remote network (/24, /56) */
	/* listen: a connection is not accepted before its first data, or that time; 0: at once */
	uint32_t defer_accept_ms;
	/* "cubic", "reno", "dctcp", "bbr"; NULL: cubic */
	const char *congestion;
	uint16_t max_segment; /* bytes of payload, 88 to 32,767; 0: what the path takes */
	uint8_t tos;	      /* DSCP in the upper six bits; the lower two (ECN) are the stack's */
	uint8_t ttl;	      /* 0: 64 */
	const struct rill_tcp_keepalive *keepalive; /* NULL: off */
	uint32_t user_timeout_ms;		    /* see rill_tcp_set_user_timeout() */
	/* listen: connections whose SYN brought data and whose handshake is not over, for each
	 * queue of the NIC (RFC 7413, 5.1); 0: Fast Open is off. All that rill listens to on one
	 * interface has the same keys. */
	unsigned fast_open;
	/*
	 * connect: the first bytes to be sent, at most the send buffer. They go with the SYN when
	 * the server has given a cookie to this queue before (RFC 7413), else the SYN asks for one
	 * and they follow the handshake. With a cookie a server may see them twice.
	 */
	const void *early;
	size_t early_len;
	/*
	 * listen: others may listen on the same, if all of them said this (SO_REUSEPORT). A keyed
	 * hash of its addresses says to whom a connection goes. Each has its own backlog, limits
	 * and counters. When one stops, handshakes move to the others; connections that it has not
	 * accepted are reset.
	 */
	bool reuse_port;
};

/*
 * Listens on local (its IP may be unset: any own address; who listens on the very address of a SYN
 * comes first). o may be NULL. -EADDRINUSE,
 * -EADDRNOTAVAIL, -EINVAL, -ENOENT (no such congestion control). Accepted connections inherit the
 * options.
 */
RILL_API int rill_tcp_listen(struct rill_net *net, const struct rill_addr *local,
			     const struct rill_tcp_options *o, struct rill_listener **ret_listener);
/* Waits for a connection. -ESHUTDOWN after rill_listener_shutdown(). Cancel safe: no connection is
 * lost. */
RILL_API int rill_tcp_accept(struct rill_listener *l, struct rill_tcp **ret_conn);
/* The same without waiting: -EAGAIN when none is ready. */
RILL_API int rill_tcp_try_accept(struct rill_listener *l, struct rill_tcp **ret_conn);

struct rill_listener_info {
	uint32_t ready;	    /* connections that wait to be accepted */
	uint64_t opened;    /* connections that were established */
	uint64_t overflows; /* SYNs, and ends of handshakes, that found the backlog full */
	uint64_t limited;   /* the same for max_conns and max_conns_per_network */
};
RILL_API void rill_listener_info(struct rill_listener *l, struct rill_listener_info *ret_info);
RILL_API struct rill_addr rill_listener_addr(const struct rill_listener *l);
/* Stops listening: waiting accepts return -ESHUTDOWN, connections not yet accepted are reset. */
RILL_API void rill_listener_shutdown(struct rill_listener *l);
/* Shuts down and frees. No task may be in a call on it. */
RILL_API void rill_listener_close(struct rill_listener *l);

/*
 * Connects. local may be NULL. -ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH, -ENETUNREACH, -EADDRINUSE,
 * -EADDRNOTAVAIL (no free port), and as rill_tcp_listen() for bad options; -EMSGSIZE: early is
 * larger than the send buffer. Cancel safe: the attempt is given up.
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

/* ---- vectors, and what a call may say ---- */

enum rill_tcp_call_flags {
	RILL_TCP_MORE = 1, /* send: more follows soon, so no small segment goes for it (at most 200
			      ms); a send without it ends that */
	RILL_TCP_URGENT = 2, /* send: the last byte is urgent; recv: the urgent byte that is not in
				line (RFC 6093) */
	RILL_TCP_PEEK = 4,   /* recv: what is read stays */
	RILL_TCP_NOWAIT = 8, /* -EAGAIN instead of waiting */
};

/* Vectors of one call at most. */
#define RILL_TCP_IOV_MAX 1024

/*
 * As rill_tcp_send() of all vectors, in order, as one: bytes of other sends never come between.
 * With NOWAIT as much as there is room for; -EAGAIN: none, or another send is not done; -ENOBUFS:
 * no packet buffer. -EINVAL: flags or count, or more than 1 GiB in all.
 */
RILL_API ssize_t rill_tcp_sendv(struct rill_tcp *c, const struct iovec *iov, int count,
				unsigned flags);
/*
 * As rill_tcp_recv() into the vectors: what is there, at least one byte. With URGENT the urgent
 * byte alone; -EINVAL: none was announced, it was read, or it is in line. A read ends before the
 * urgent byte. Cancel safe.
 */
RILL_API ssize_t rill_tcp_recvv(struct rill_tcp *c, const struct iovec *iov, int count,
				unsigned flags);
/* What is read next is the urgent byte, or follows it (RFC 6093; sockatmark()). */
RILL_API bool rill_tcp_at_mark(struct rill_tcp *c);

/* ---- without copies ---- */

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

/*
 * Sends a received slice, of any connection of any interface: without a copy if nobody else holds
 * its buffer, else as rill_tcp_send(). data and len may have been narrowed. Returns how many bytes
 * were taken, which are gone from the front of b; after the last b is empty, and released. Errors
 * and cancelling as of rill_tcp_send(): b is what was not taken, and still the caller's.
 */
RILL_API ssize_t rill_tcp_send_bytes(struct rill_tcp *c, struct rill_bytes *b);

/*
 * Moves bytes from one connection to another, of whatever queues and interfaces, without a copy
 * but where small pieces are put together: until from ends (0), or max bytes were moved (0).
 * Everything else is an error of from's or to's, or -ECANCELED, -ETIMEDOUT. *ret_moved, which is
 * written in any case, is how many were moved: they are to's to send, and all the others can still
 * be read from from. No other task may receive on from meanwhile; sends on to may come between two
 * slices. from and to may not be the same. Nothing is shut down.
 */
RILL_API int rill_tcp_splice(struct rill_tcp *from, struct rill_tcp *to, uint64_t max,
			     uint64_t *ret_moved);

/* ---- ending ---- */

enum rill_shutdown {
	RILL_SHUT_RD = 1, /* later data is discarded, recv returns 0 */
	RILL_SHUT_WR = 2, /* FIN after what is queued */
	RILL_SHUT_RDWR = 3,
};
RILL_API int rill_tcp_shutdown(struct rill_tcp *c, enum rill_shutdown how);
/*
 * Frees the handle without waiting. Queued bytes and a FIN are still sent; if received data was not
 * read, the peer gets a RST (RFC 9293, 3.6; RFC 2525, 2.17). No other task may be in a call on it.
 *
 * After rill_tcp_set_linger() above 0 it waits until the peer has acknowledged all of it: 0; with
 * the time over -ETIMEDOUT, and the connection is reset; -ECONNRESET. When the scope ends
 * (-ECANCELED, -ETIMEDOUT) the connection goes on in the background until then. The handle is gone
 * in any case.
 */
RILL_API int rill_tcp_close(struct rill_tcp *c);
/* Sends a RST, drops what is queued, frees the handle. */
RILL_API void rill_tcp_abort(struct rill_tcp *c);

RILL_API struct rill_addr rill_tcp_local(const struct rill_tcp *c);
RILL_API struct rill_addr rill_tcp_peer(const struct rill_tcp *c);

/*
 * ---- options of a connection ----
 *
 * All may be called at any time while the handle is there, from tasks and plain threads; none
 * waits. -EINVAL for a value out of range and -ENOMEM (settings are shared until one is changed)
 * leave everything as it was. What holds data back and no longer does lets it go at once.
 */

/* Nagle's algorithm (RFC 896) off. */
RILL_API int rill_tcp_set_nodelay(struct rill_tcp *c, bool on);
/* Only full segments are sent, for up to 200 ms. */
RILL_API int rill_tcp_set_cork(struct rill_tcp *c, bool on);
/* No ACK is delayed; turned on, one that waits goes. Turned off, the connection delays from now on
 * also where it would begin with quick ones. */
RILL_API int rill_tcp_set_quickack(struct rill_tcp *c, bool on);
/* NULL: off. The values hold from now on. */
RILL_API int rill_tcp_set_keepalive(struct rill_tcp *c, const struct rill_tcp_keepalive *k);
/* How long sent data may stay without an ACK, or a peer without an answer to keep-alives, before
 * the connection breaks with -ETIMEDOUT (RFC 5482); 0: as the retransmissions say, about 15 min. */
RILL_API int rill_tcp_set_user_timeout(struct rill_tcp *c, uint32_t ms);
/*
 * Suggests to the peer for how long data may stay without an ACK (the user timeout option of RFC
 * 5482), 1 s to 22 days, and takes what it suggests in turn: then the longer of both counts, but no
 * less than 100 s and no more than an hour, unless rill_tcp_set_user_timeout() says otherwise. 0:
 * neither.
 */
RILL_API int rill_tcp_set_user_timeout_option(struct rill_tcp *c, uint32_t ms);
/*
 * What closing does. Negative: queued data and a FIN are sent (the default). 0: RST, and what is
 * queued is dropped. Positive: as negative, but rill_tcp_close() waits for the peer's
 * acknowledgement, so long at most; then what is not acknowledged is given up with a RST.
 */
RILL_API int rill_tcp_set_linger(struct rill_tcp *c, int32_t ms);
/* Fixes the size, 1 KiB to 1 GiB, which has followed the path until then. */
RILL_API int rill_tcp_set_send_buffer(struct rill_tcp *c, uint32_t bytes);
/* The same. A window that was offered is not taken back. */
RILL_API int rill_tcp_set_recv_buffer(struct rill_tcp *c, uint32_t bytes);
/* By name, as in the options; also while data is on its way. -ENOENT: there is none. */
RILL_API int rill_tcp_set_congestion(struct rill_tcp *c, const char *name);
/* Bytes per second at most; 0: no bound. */
RILL_API int rill_tcp_set_max_pacing_rate(struct rill_tcp *c, uint64_t rate);
/* Writable only with fewer bytes than this not sent yet; 0: by the room alone. */
RILL_API int rill_tcp_set_notsent_lowat(struct rill_tcp *c, uint32_t bytes);
/* The window that is offered at most; 0: what the buffer allows. */
RILL_API int rill_tcp_set_window_clamp(struct rill_tcp *c, uint32_t bytes);
/* Segments with more payload are not sent: 88 to 32,767. 0: none, for what was not lowered yet. */
RILL_API int rill_tcp_set_max_segment(struct rill_tcp *c, uint16_t bytes);
/* Of the packets to come. */
RILL_API int rill_tcp_set_tos(struct rill_tcp *c, uint8_t tos);
RILL_API int rill_tcp_set_ttl(struct rill_tcp *c, uint8_t ttl); /* 0: 64 */
/* The urgent byte is read as any other, where it is in the stream. */
RILL_API int rill_tcp_set_oob_inline(struct rill_tcp *c, bool on);

/* All of them, as they stand. */
struct rill_tcp_values {
	size_t size; /* sizeof, by RILL_OPTIONS */
	bool nodelay, cork, quickack;
	bool keepalive_on;
	struct rill_tcp_keepalive keepalive;
	uint32_t user_timeout_ms;
	int32_t linger_ms;
	uint32_t send_buffer, recv_buffer;
	bool send_buffer_fixed, recv_buffer_fixed;
	const char *congestion;
	uint64_t max_pacing_rate;
	uint32_t notsent_lowat;
	uint32_t window_clamp;
	uint16_t max_segment; /* what was set; what is sent is snd_mss of rill_tcp_info() */
	uint8_t tos, ttl;
	bool oob_inline;
};
/* Fills what size has room for. */
RILL_API int rill_tcp_get_options(struct rill_tcp *c, struct rill_tcp_values *ret_values);

/* ---- the state of a connection ---- */

/* Where loss recovery stands. */
enum rill_tcp_recovery {
	RILL_TCP_RECOVERY_OPEN,	    /* nothing is amiss */
	RILL_TCP_RECOVERY_DISORDER, /* duplicates came, nothing is taken for lost yet */
	RILL_TCP_RECOVERY_CWR,	    /* cwnd goes down because of ECN */
	RILL_TCP_RECOVERY_FAST,	    /* fast recovery */
	RILL_TCP_RECOVERY_LOSS,	    /* after a retransmission timeout */
};

/* The facts of Linux's TCP_INFO, in bytes, and rill's own. What is said to be of the transfer is 0
 * when the connection has been at rest for a second. */
struct rill_tcp_info {
	const char *state; /* RFC 9293's name */
	uint32_t rtt_us, rttvar_us, rto_us;
	uint32_t cwnd, ssthresh; /* bytes */
	uint32_t snd_mss, rcv_mss;
	uint32_t snd_wnd, rcv_wnd;
	uint32_t unsent, unacked, unread; /* bytes */
	uint64_t bytes_sent, bytes_received, retransmits, rto_count, fast_recoveries;

	const char *congestion;
	enum rill_tcp_recovery recovery;
	bool timestamps, sack, window_scaling, ecn, accurate_ecn;
	bool early_data; /* the SYN's data was taken (RFC 7413) */
	uint8_t snd_wscale, rcv_wscale;
	uint32_t min_rtt_us;	  /* of the last 300 s; 0: none yet */
	uint32_t timeouts_in_row; /* retransmissions and probes without an answer */
	uint32_t probes_in_row;	  /* of keep-alive */
	uint32_t delayed_ack_us;
	uint32_t advertised_mss;
	uint32_t path_mtu;
	uint32_t reordering;	 /* bytes; of the transfer */
	uint32_t sacked, lost;	 /* bytes of unacked; of the transfer */
	uint32_t retransmitting; /* bytes of lost that are on their way again; of the transfer */
	uint32_t rcv_rtt_us;	 /* as the receiver sees it; of the transfer */
	uint32_t rcv_space;	 /* bytes read in one round trip; of the transfer */
	uint32_t send_buffer, recv_buffer;
	uint64_t pacing_rate, max_pacing_rate; /* bytes per second; 0: not paced, no bound */
	uint64_t delivery_rate;		       /* bytes per second; of the transfer */
	uint64_t delivered;		       /* bytes; of the transfer */
	uint64_t bytes_acked, bytes_retrans;
	uint64_t segs_in, segs_out, data_segs_in, data_segs_out;
	uint64_t delivered_ce;		       /* segments that arrived with CE */
	uint64_t spurious;		       /* recoveries that were not needed */
	uint64_t dsacks;		       /* duplicates that the peer told of (RFC 2883) */
	uint64_t reorders;		       /* segments that were late, not lost */
	uint64_t rcv_out_of_order;	       /* segments */
	uint64_t since_send_ns, since_recv_ns; /* UINT64_MAX: never */
	/* Time with anything queued or not acknowledged; of that, kept back by the peer's window
	 * alone, and by a full send buffer. A transfer counts in ns, past ones in ms. */
	uint64_t busy_us, rwnd_limited_us, sndbuf_limited_us;
};
RILL_API int rill_tcp_info(struct rill_tcp *c, struct rill_tcp_info *ret_info);

/* ---- waiting for several things at once: see rill/select.h, and rill/poll.h for many ---- */
struct rill_case;
RILL_API void rill_case_tcp_readable(struct rill_case *c, struct rill_tcp *conn);
RILL_API void rill_case_tcp_writable(struct rill_case *c, struct rill_tcp *conn);
RILL_API void rill_case_accept(struct rill_case *c, struct rill_listener *l,
			       struct rill_tcp **ret_conn);

RILL_END_DECLS

#endif
