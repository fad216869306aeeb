/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bare stack: rill's TCP, UDP, IPv4, ICMP and ARP without its runtime, for other event loops,
 * fuzzers and packet scripts. One struct rill_stack is one interface with its sockets. It has no
 * thread, no clock, no file descriptor and no global state: the caller gives it a clock, a function
 * that sends packets, and memory; feeds it what arrives; and calls rill_stack_run_timers() when
 * rill_stack_next_deadline() has come. The same calls in the same order at the same times do the
 * same, byte for byte, when a seed is given.
 *
 *	struct rill_stack_options o = {RILL_OPTIONS(o), .addr = "198.18.0.1/24",
 *				       .ops = &ops, .ctx = &loop};
 *	rill_stack_create(&o, &s);
 *	for (;;) {
 *		... poll(2) until a packet or rill_stack_next_deadline(s) ...
 *		rill_stack_input(s, packet, len);
 *		rill_stack_run_timers(s);
 *		... rill_stack_poll(), rill_stack_accept(), rill_stack_recv(), ...
 *	}
 *
 * Sockets are small integers, the lowest free one first. Calls on them never wait. They do what
 * Linux's do on a non-blocking socket, return the same errors (as negative errno), take the same
 * options in the same layouts (constants from <sys/socket.h>, <netinet/in.h>, <netinet/tcp.h> and
 * <poll.h>), and differ only where it says so here. -EBADF: no such socket; -EOPNOTSUPP: not for
 * this type of socket.
 *
 * All calls on one stack are made by one thread at a time, and none from within a function of
 * struct rill_stack_ops, which may be called from within any of them.
 */
#ifndef RILL_STACK_H
#define RILL_STACK_H

#include <rill/net.h>
#include <rill/trouble.h>
#include <sys/uio.h>

RILL_BEGIN_DECLS

struct rill_stack;

/* ---- what the caller provides ---- */

struct rill_stack_ops {
	/* Nanoseconds since some moment, never less than at the call before. */
	uint64_t (*now)(void *ctx);
	/*
	 * A packet to send, contiguous and at most a frame of the MTU: an Ethernet frame (L2) or an
	 * IP packet (L3). It is the stack's again when this returns: what cannot be sent at once is
	 * copied, or dropped as a wire would.
	 */
	void (*output)(void *ctx, const void *packet, size_t len);
	/*
	 * Memory, aligned to 64 bytes; free gets the size that alloc was asked for. Both NULL:
	 * malloc() and free(). Where alloc returns NULL, calls fail with -ENOMEM or -ENOBUFS, and
	 * packets are dropped; nothing breaks.
	 */
	void *(*alloc)(void *ctx, size_t size);
	void (*free)(void *ctx, void *p, size_t size);
	/*
	 * rill_stack_poll(fd) may have more bits than before. NULL: nobody is told. For event loops
	 * with many sockets: note the number, look at it afterwards.
	 */
	void (*ready)(void *ctx, int fd);
};

/* ---- how it behaves ---- */

enum rill_stack_ecn {
	RILL_STACK_ECN_OFF,	 /* neither asked for nor agreed to */
	RILL_STACK_ECN_PASSIVE,	 /* agreed to when the peer asks (RFC 3168) */
	RILL_STACK_ECN_ACTIVE,	 /* asked for as well */
	RILL_STACK_ECN_ACCURATE, /* AccECN is asked for, with RFC 3168 to fall back to */
};

enum rill_stack_fast_open {
	RILL_STACK_FAST_OPEN_CLIENT = 1, /* cookies are asked for and kept (RFC 7413) */
	RILL_STACK_FAST_OPEN_SERVER = 2, /* listeners with TCP_FASTOPEN give and take them */
};

/* window_scale of struct rill_stack_profile. */
#define RILL_STACK_WSCALE_AUTO (-1) /* the least that covers the largest receive buffer */
#define RILL_STACK_WSCALE_NONE (-2) /* the option is neither offered nor agreed to */

/*
 * In what well-known stacks differ, and peers and tests notice. rill_stack_profile_init() fills in
 * rill's own values, named here.
 */
struct rill_stack_profile {
	size_t size; /* sizeof, set by rill_stack_profile_init() */

	/* Acknowledging. */
	uint32_t delayed_ack_us; /* 40 ms; less than 500 ms (RFC 9293, MUST-40) */
	uint16_t quick_acks; /* 16: segments at the start that are acknowledged at once; 0: delayed
				from the first one */

	/* Sending. */
	uint16_t initial_window; /* 10 segments (RFC 6928) */
	uint32_t rto_initial_us; /* 1 s */
	uint32_t rto_min_us;	 /* 200 ms */
	uint32_t rto_max_us;	 /* 120 s */
	char congestion[16];	 /* "cubic", "reno", "dctcp", "bbr": of new sockets */
	bool pacing;		 /* on: the congestion control's rate is kept to by the timer */

	/* Receiving. */
	uint32_t initial_recv_window; /* bytes offered in the SYN and until the peer sends; 0: the
					 receive buffer */
	int8_t window_scale;	      /* offered; 0 to 14, or one of the above */

	/* Options of the SYN. */
	bool timestamps; /* true (RFC 7323) */
	bool sack;	 /* true (RFC 2018) */
	/*
	 * Whether the SYN-ACK of a simultaneous open carries all options of our SYN, as Linux's
	 * does, or only those that the peer's SYN had (RFC 7323, 2.2 and 3.2), as FreeBSD's: false.
	 */
	bool simultaneous_all_options;
	uint8_t ecn;		     /* enum rill_stack_ecn; passive */
	uint8_t fast_open;	     /* of enum rill_stack_fast_open; client */
	uint8_t fast_open_key_count; /* 0: one drawn from the seed. 2: the first makes cookies, both
					are taken */
	uint8_t fast_open_keys[2][16];

	/* How long, how often. */
	uint8_t syn_retries;		 /* 7; TCP_SYNCNT */
	uint8_t synack_retries;		 /* 5 */
	uint8_t data_retries;		 /* 15 timeouts in a row (RFC 9293's R2) */
	uint8_t orphan_retries;		 /* 8: the same without a user */
	uint32_t time_wait_us;		 /* 60 s */
	uint32_t fin_wait2_us;		 /* 60 s: of a closed socket; TCP_LINGER2 */
	uint64_t keep_idle_us;		 /* 2 h: TCP_KEEPIDLE */
	uint32_t keep_interval_us;	 /* 75 s: TCP_KEEPINTVL */
	uint8_t keep_count;		 /* 9: TCP_KEEPCNT */
	uint32_t challenge_acks_per_sec; /* 1,000 for all connections (RFC 5961, 7) */
	uint64_t user_timeout_option_us; /* suggested to peers (RFC 5482), 1 s to 22 days; 0: the
					    option is neither sent nor taken */
};

RILL_API void rill_stack_profile_init(struct rill_stack_profile *p);

enum rill_stack_layer {
	RILL_STACK_L2, /* Ethernet frames: the stack does ARP */
	RILL_STACK_L3, /* IP packets: everything is reachable, there is no ARP */
};

struct rill_stack_options {
	size_t size;			  /* sizeof, by RILL_OPTIONS */
	const struct rill_stack_ops *ops; /* now and output must be there; outlives the stack */
	void *ctx;			  /* of ops */
	enum rill_stack_layer layer;
	const char *addr;    /* own address with prefix length: "198.18.0.1/24"; more of them, 64 at
				most, follow after commas */
	const char *gateway; /* L2: next hop for everything else; NULL: none */
	uint8_t mac[6];	     /* L2: own address; all zero: one made from the seed */
	uint32_t mtu;	     /* of IP packets; 0: 1,500; 68 to 9,216 */
	/*
	 * Where initial sequence numbers, timestamps, ports and cookies come from. The same seed
	 * makes the same run. 0: secrets from the kernel, the choice for everything but tests.
	 */
	uint64_t seed;
	/*
	 * Received transport checksums are not looked at: for packets that have been checked, or
	 * that a fuzzer made.
	 */
	bool rx_checksum_ok;
	unsigned sockets; /* at most; 0: 65,536 */
	unsigned packets; /* packet buffers at most, some 2 KiB each at an MTU of 1,500; they are
			     allocated when they are needed and then kept; 0: 65,536 */
	unsigned connections; /* at most, those without a socket included; 0: no bound but memory */
	uint32_t send_buffer; /* of new sockets, in bytes; 0: 512 KiB */
	uint32_t recv_buffer; /* 0: 512 KiB */
	const struct rill_stack_profile *profile; /* copied; NULL: rill's own */
};

/* -EINVAL (bad address, gateway, MTU or profile; no now or output), -ENOMEM. */
RILL_API int rill_stack_create(const struct rill_stack_options *o, struct rill_stack **ret_stack);
/* Gives all memory back. Sends nothing: peers learn of it when they next send. */
RILL_API void rill_stack_destroy(struct rill_stack *s);

/* ---- driving ---- */

/*
 * A packet arrived: a frame (L2) or an IP packet (L3). It is only read, and copied. What has to be
 * said in answer is sent before this returns. 0, also when the packet was dropped (which
 * rill_stack_stats() counts); -ENOBUFS: no packet buffer; -EMSGSIZE: longer than the MTU.
 */
RILL_API int rill_stack_input(struct rill_stack *s, const void *packet, size_t len);
/* As many packets that arrived together, so that they are answered together. How many were taken.
 */
RILL_API unsigned rill_stack_input_burst(struct rill_stack *s, const struct iovec *packets,
					 unsigned count);
/* When to call rill_stack_run_timers() at the latest, by the stack's clock; RILL_FOREVER: no need.
 */
RILL_API uint64_t rill_stack_next_deadline(const struct rill_stack *s);
/* Does what is due. Early or needless calls are harmless. */
RILL_API void rill_stack_run_timers(struct rill_stack *s);

/* ---- sockets ---- */

/* SOCK_STREAM or SOCK_DGRAM: the socket, or -EPROTONOSUPPORT, -EMFILE, -ENOMEM. */
RILL_API int rill_stack_socket(struct rill_stack *s, int type);

/*
 * addr's IP may be unset (any own address), its port 0: a free one. -EADDRINUSE, -EADDRNOTAVAIL,
 * -EINVAL (bound already, or no IPv4 address). Sockets that all had SO_REUSEPORT on before may be
 * bound to the same: a new connection, or the datagrams of a peer, go to the one that a keyed hash
 * says, and half-open ones move to another when a listener is closed; what waits there to be
 * accepted is reset. Packets to an address go to who is bound to that rather than to any.
 */
RILL_API int rill_stack_bind(struct rill_stack *s, int fd, const struct rill_addr *addr);

/*
 * Binds to a free port if need be. backlog is the most connections that wait to be accepted, plus
 * one, as Linux has it, and may be changed by calling this again. -EADDRINUSE, -EINVAL (connected).
 */
RILL_API int rill_stack_listen(struct rill_stack *s, int fd, int backlog);

/* The new socket, which has the listener's options. ret_peer may be NULL. -EAGAIN, -EINVAL (not
 * listening), -EMFILE, -ENOMEM. */
RILL_API int rill_stack_accept(struct rill_stack *s, int fd, struct rill_addr *ret_peer);

/*
 * Stream: -EINPROGRESS when the handshake has begun, then -EALREADY; 0 once after it has succeeded,
 * then -EISCONN; after a failure its error once, and then it may be tried again. Otherwise
 * -ENETUNREACH, -EADDRNOTAVAIL (no free port), -EADDRINUSE, -ENOBUFS. With TCP_FASTOPEN_CONNECT
 * and a cookie for the peer: 0, and the SYN goes with the first data. Datagram: sets whom to send
 * to and receive from; an address of family RILL_AF_NONE undoes that.
 */
RILL_API int rill_stack_connect(struct rill_stack *s, int fd, const struct rill_addr *addr);

/*
 * How many bytes were taken, from as many parts. flags: MSG_MORE (hold an incomplete segment back),
 * MSG_OOB (the last byte is urgent, RFC 6093), MSG_FASTOPEN (with to: connects), MSG_EOR,
 * MSG_NOSIGNAL and MSG_DONTWAIT (as always). to: datagrams, and MSG_FASTOPEN; else NULL or, as on
 * Linux, not looked at. -EAGAIN (no room, or not connected yet), -EPIPE (not connected, or shut
 * down), -EDESTADDRREQ, -EMSGSIZE, -EINVAL, -ENOBUFS, -EOPNOTSUPP (other flags), or the error that
 * broke the connection, once.
 */
RILL_API ssize_t rill_stack_send(struct rill_stack *s, int fd, const struct iovec *iov, int count,
				 int flags, const struct rill_addr *to);

/*
 * How many bytes came into as many parts; 0: the peer has closed, or an empty datagram. flags:
 * MSG_PEEK, MSG_TRUNC (stream: the bytes are discarded, iov's bases may be NULL; datagram: returns
 * its whole length), MSG_OOB (the urgent byte, when it is not inline; -EINVAL: there is none;
 * -EAGAIN: it is announced, but not here yet), MSG_WAITALL and MSG_DONTWAIT (never wait). ret_from
 * and ret_flags (MSG_TRUNC: a datagram was cut off; MSG_OOB) may be NULL. -EAGAIN, -ENOTCONN, or
 * the error that broke the connection, once.
 */
RILL_API ssize_t rill_stack_recv(struct rill_stack *s, int fd, const struct iovec *iov, int count,
				 int flags, struct rill_addr *ret_from, int *ret_flags);

/* SHUT_RD, SHUT_WR, SHUT_RDWR. On a listener SHUT_RD stops listening. -ENOTCONN, -EINVAL. */
RILL_API int rill_stack_shutdown(struct rill_stack *s, int fd, int how);

/*
 * The number is free again. The connection ends by itself: queued bytes and a FIN are still sent,
 * with unread data a RST instead (RFC 2525, 2.17). SO_LINGER with 0 s: a RST at once; with more:
 * what is not acknowledged by then is given up with a RST (Linux goes on in the background).
 * -EBADF.
 */
RILL_API int rill_stack_close(struct rill_stack *s, int fd);

/* ---- readiness and facts ---- */

/*
 * What poll(2) would say on Linux for POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLPRI |
 * POLLRDHUP | POLLERR | POLLHUP. POLLNVAL: no such socket.
 */
RILL_API int rill_stack_poll(const struct rill_stack *s, int fd);

/* getsockname() and getpeername(): -ENOTCONN. */
RILL_API int rill_stack_local(const struct rill_stack *s, int fd, struct rill_addr *ret_addr);
RILL_API int rill_stack_peer(const struct rill_stack *s, int fd, struct rill_addr *ret_addr);

/* SIOCINQ: bytes to be read (of the first datagram). -EINVAL: a listener. */
RILL_API ssize_t rill_stack_unread(const struct rill_stack *s, int fd);
/* SIOCOUTQ: bytes queued and not acknowledged. */
RILL_API ssize_t rill_stack_unacked(const struct rill_stack *s, int fd);
/* SIOCOUTQNSD: bytes queued and not yet sent for the first time. */
RILL_API ssize_t rill_stack_unsent(const struct rill_stack *s, int fd);
/* SIOCATMARK: 1 when the next byte to be read is the one after the urgent byte, or 0. */
RILL_API int rill_stack_at_mark(const struct rill_stack *s, int fd);

/*
 * Options by Linux's levels, names and layouts; get writes at most *len bytes and sets *len to how
 * many. -ENOPROTOOPT: there is no such option; -EINVAL: a value out of range, or too short.
 *
 *   SOL_SOCKET  SO_ACCEPTCONN SO_BROADCAST SO_DOMAIN SO_ERROR SO_KEEPALIVE SO_LINGER SO_OOBINLINE
 *		 SO_PROTOCOL SO_RCVBUF SO_RCVLOWAT SO_REUSEADDR SO_REUSEPORT SO_SNDBUF
 *		 SO_TYPE
 *   IPPROTO_IP	 IP_TOS IP_TTL
 *   IPPROTO_TCP TCP_CONGESTION TCP_CORK TCP_DEFER_ACCEPT TCP_FASTOPEN TCP_FASTOPEN_CONNECT
 *		 TCP_FASTOPEN_KEY (the whole stack's) TCP_INFO TCP_INQ TCP_KEEPCNT TCP_KEEPIDLE
 *		 TCP_KEEPINTVL TCP_LINGER2 TCP_MAXSEG TCP_NODELAY TCP_NOTSENT_LOWAT TCP_QUICKACK
 *		 TCP_SYNCNT TCP_TIMESTAMP TCP_USER_TIMEOUT TCP_WINDOW_CLAMP
 *
 * SO_RCVBUF and SO_SNDBUF read back twice what was set, as on Linux, which counts its own overhead;
 * the window follows from what was set. SO_REUSEPORT counts when the socket is bound. SO_REUSEADDR
 * is kept, but changes nothing: connections in TIME-WAIT never keep a port from being bound.
 * TCP_INFO is struct tcp_info of <linux/tcp.h>, of
 * which older, shorter versions are the beginning.
 */
RILL_API int rill_stack_getsockopt(const struct rill_stack *s, int fd, int level, int name,
				   void *value, size_t *len);
RILL_API int rill_stack_setsockopt(struct rill_stack *s, int fd, int level, int name,
				   const void *value, size_t len);

/* Linux's numbers, as in tcpi_state, with the names of RFC 9293. */
enum rill_stack_state {
	RILL_STACK_ESTABLISHED = 1,
	RILL_STACK_SYN_SENT = 2,
	RILL_STACK_SYN_RECEIVED = 3,
	RILL_STACK_FIN_WAIT_1 = 4,
	RILL_STACK_FIN_WAIT_2 = 5,
	RILL_STACK_TIME_WAIT = 6,
	RILL_STACK_CLOSED = 7, /* datagram sockets, too */
	RILL_STACK_CLOSE_WAIT = 8,
	RILL_STACK_LAST_ACK = 9,
	RILL_STACK_LISTEN = 10,
	RILL_STACK_CLOSING = 11,
};

/* A socket, or a connection that has none (not accepted yet, closed, in TIME-WAIT). */
struct rill_stack_endpoint {
	int fd;				/* -1: none */
	int type;			/* SOCK_STREAM, SOCK_DGRAM */
	int state;			/* enum rill_stack_state */
	struct rill_addr local, remote; /* family RILL_AF_NONE: none */
	uint32_t unread;  /* bytes; of a listener: connections that wait to be accepted */
	uint32_t unacked; /* bytes; of a listener: its backlog */
};

/* The first max of all endpoints, sockets first: how many there are. */
RILL_API size_t rill_stack_endpoints(const struct rill_stack *s, struct rill_stack_endpoint *list,
				     size_t max);

struct rill_stack_stats {
	uint64_t packets_in, packets_out;
	uint64_t packets_dropped; /* for whatever reason; rill_stack_drops() tells which */
	uint64_t segments_in, segments_out;
	uint64_t retransmits;
	uint64_t resets_in, resets_out;
	uint32_t sockets;
	uint32_t connections;	 /* in any state but half open, those without a socket included */
	uint32_t packet_buffers; /* in use; 0 when nothing is queued anywhere */
	size_t memory;		 /* bytes got from alloc and not given back */
};
RILL_API void rill_stack_stats(const struct rill_stack *s, struct rill_stack_stats *ret_stats);
/*
 * Packets dropped for a reason, i counting from 0: its name and how many, or NULL when i is beyond
 * the last reason.
 */
RILL_API const char *rill_stack_drops(const struct rill_stack *s, unsigned i, uint64_t *ret_count);

/*
 * The connections in trouble, then those whose trouble is over, the oldest first. visit makes no
 * calls on s.
 */
RILL_API void rill_stack_troubles(const struct rill_stack *s,
				  void (*visit)(void *ctx, const struct rill_tcp_trouble *t),
				  void *ctx);

RILL_END_DECLS

#endif
