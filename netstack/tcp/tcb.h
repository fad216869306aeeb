/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One TCP connection (RFC 9293): state and the calls on it. Everything is a function of (state,
 * segment, now): no clock, no lock, no memory of its own. The caller owns the struct, serialises
 * the calls, and
 *
 *   - after a batch of rill_tcb_input(), after each call of the user's and after
 *     rill_tcb_on_timer() calls rill_tcb_output(), which sends whatever may now be sent, ACKs
 *     included (MUST-58, MUST-59);
 *   - sets its timer to rill_tcb_next_deadline() and calls rill_tcb_on_timer() then (earlier is
 *     harmless);
 *   - reads and clears tcb->events.
 *
 * Variables have the names of RFC 9293 (SND.UNA is snd_una) where it has one.
 *
 * The sequence space of the sender:
 *
 *      snd_una <= snd_nxt <= snd_end (+ 1 for a FIN)
 *         |          |          |
 *     not acked  next to    last byte
 *                 send        queued
 *
 * snd_nxt never goes back. What is sent again is chosen by its marks, see scoreboard.h.
 */
#ifndef RILL_NETSTACK_TCP_TCB_H
#define RILL_NETSTACK_TCP_TCB_H

#include <rill/net.h>

#include "drivers/buf.h"
#include "netstack/tcp/env.h"
#include "netstack/tcp/seg.h"

/* RFC 9293, 3.3.2. LISTEN is the caller's: a listener has no tcb. */
enum rill_tcp_state {
	RILL_TCP_CLOSED = 0,
	RILL_TCP_SYN_SENT,
	RILL_TCP_SYN_RCVD,
	RILL_TCP_ESTABLISHED,
	RILL_TCP_FIN_WAIT_1,
	RILL_TCP_FIN_WAIT_2,
	RILL_TCP_CLOSE_WAIT,
	RILL_TCP_CLOSING,
	RILL_TCP_LAST_ACK,
	RILL_TCP_TIME_WAIT,
	RILL_TCP_STATE_COUNT,
};

/* Set by input, timers and user calls; the caller clears what it has dealt with. */
enum rill_tcb_events {
	RILL_TCB_CONNECTED = 1,	 /* connect succeeded */
	RILL_TCB_ACCEPTABLE = 2, /* a passive connection is established */
	RILL_TCB_READABLE = 4,	 /* data, end of stream, or an error */
	RILL_TCB_WRITABLE = 8,	 /* a quarter of the send buffer is free again, or an error */
	RILL_TCB_CLOSED = 16,	 /* state CLOSED: why is in error. Nothing more will happen */
	RILL_TCB_URGENT = 32,	 /* urgent data was announced (MUST-32) */
	RILL_TCB_DOUBTFUL = 64,	 /* params.r1_retries without an answer: is the route good? */
};

enum rill_tcb_flags {
	RILL_TCB_PASSIVE = 1 << 0,	  /* came from a listener (MUST-11) */
	RILL_TCB_NODELAY = 1 << 1,	  /* Nagle off (MUST-17) */
	RILL_TCB_TIMESTAMPS = 1 << 2,	  /* agreed on (RFC 7323) */
	RILL_TCB_ACK_NOW = 1 << 3,	  /* an ACK is due at the next output */
	RILL_TCB_FIN_QUEUED = 1 << 4,	  /* a FIN follows the last byte queued */
	RILL_TCB_FIN_SEEN = 1 << 5,	  /* the peer's FIN is at fin_seq */
	RILL_TCB_FIN_RCVD = 1 << 6,	  /* and everything in front of it is here */
	RILL_TCB_RCV_SHUT = 1 << 7,	  /* the user wants no more data */
	RILL_TCB_ORPHAN = 1 << 8,	  /* the user is gone */
	RILL_TCB_SYN_DUE = 1 << 9,	  /* the SYN or SYN-ACK is to be sent again */
	RILL_TCB_NO_SPACE = 1 << 10,	  /* a write found the send buffer full, and it still is */
	RILL_TCB_UTO_DUE = 1 << 11,	  /* see uto.h */
	RILL_TCB_PROBE = 1 << 12,	  /* a probe is due: which, says timer */
	RILL_TCB_SYN_RESENT = 1 << 13,	  /* the SYN was lost: RFC 6298 5.7, RFC 5681 3.1 */
	RILL_TCB_RTT_VALID = 1 << 14,	  /* srtt_us and rttvar_us hold something */
	RILL_TCB_NO_ACCECN_OPT = 1 << 15, /* with ACCECN: its option cannot be sent, see accecn.h */
	RILL_TCB_NO_WSCALE = 1 << 16,	  /* the peer does not scale windows */
	RILL_TCB_SACK = 1 << 17,	  /* agreed on (RFC 2018) */
	RILL_TCB_ECN = 1 << 18,		  /* agreed on (RFC 3168, 6.1.1) */
	RILL_TCB_ACCECN = 1 << 19,	  /* agreed on (RFC 9768); ECN is set as well */
	RILL_TCB_ECE_DUE = 1 << 20,	  /* CE came, CWR has not (RFC 3168, 6.1.3) */
	RILL_TCB_CWR_DUE = 1 << 21,	  /* the next new data says that cwnd was reduced */
	RILL_TCB_CORK = 1 << 22,	  /* only full segments, until 200 ms have passed */
	RILL_TCB_LINGER = 1 << 23,	  /* settings->linger_ms counts at close */
	RILL_TCB_URG_OUT = 1 << 24,	  /* snd_up is ahead of snd_una */
	RILL_TCB_URG_IN = 1 << 25,	  /* rcv_up is ahead of what the user has read */
	RILL_TCB_OOB_READY = 1 << 26,	  /* oob_byte was not read yet (RFC 6093) */
	RILL_TCB_FAST_OPEN = 1 << 27,	  /* the SYN carries data, or asks for a cookie */
	RILL_TCB_MORE = 1 << 28,	  /* MSG_MORE: the user's next write follows soon */
	RILL_TCB_QUICK = 1 << 29,	  /* TCP_QUICKACK: no ACK is delayed */
	RILL_TCB_MEM_HELD = 1 << 30,	  /* the window does not grow, for lack of memory */
	RILL_TCB_SEND_HELD = INT32_MIN,	  /* 1 << 31: data was refused for lack of memory */
};

/* What rtx_at stands for. */
enum rill_tcp_timer {
	RILL_TCP_TIMER_RTO = 0, /* RFC 6298 */
	RILL_TCP_TIMER_PERSIST, /* RFC 9293, 3.8.6.1 */
	RILL_TCP_TIMER_TLP,	/* RFC 8985, 7 */
	RILL_TCP_TIMER_REORDER, /* RFC 8985, 6.2 step 5 */
};

struct rill_tcp_xfer;

struct rill_tcb {
	struct rill_addr local;
	struct rill_addr remote;

	/* What every segment touches, either way. */
	uint8_t state; /* enum rill_tcp_state */
	uint8_t snd_wscale : 4;
	uint8_t rcv_wscale : 4;
	uint8_t quick_acks; /* ACKs not to be delayed yet */
	uint8_t timer;	    /* enum rill_tcp_timer */
	uint32_t flags;	    /* enum rill_tcb_flags */
	uint16_t events;    /* enum rill_tcb_events */
	int16_t error;	    /* negative errno, once the connection broke */

	/* Receiving. */
	uint32_t rcv_nxt;
	uint32_t rcv_wnd;	/* what is left of the largest window offered */
	uint32_t last_ack_sent; /* RFC 7323, 4.3 */
	uint32_t ts_recent;
	uint32_t ts_recent_s;	     /* when ts_recent was set, in seconds */
	uint32_t rcv_queued;	     /* bytes in recvq */
	uint32_t rcv_buf_max;	     /* bytes of recvq; the window follows from it */
	uint32_t fin_seq;	     /* with FIN_SEEN */
	uint16_t rcv_mss;	     /* the largest payload seen, for counting ACKs */
	uint16_t dup_acks_due;	     /* one for each segment that came out of order */
	struct rill_buf_queue recvq; /* in order, payload only */

	/* Sending. */
	uint32_t snd_una;
	uint32_t snd_nxt;
	uint32_t snd_end;
	uint32_t snd_wnd;
	uint32_t snd_wl1;
	uint32_t snd_wl2;
	uint32_t max_snd_wnd;
	uint16_t snd_mss;  /* payload of a full segment: options are taken off (RFC 6691) */
	uint8_t rtx_count; /* timeouts and probes in a row without an answer */
	uint8_t backoff;   /* of the persist timer */
	uint32_t snd_buf_max;
	uint32_t sendq_count;
	struct rill_buf *sendq_first; /* everything from snd_una to snd_end, see sendq.h */
	struct rill_buf *sendq_last;
	struct rill_buf *snd_cur; /* the one that holds snd_nxt; NULL: none does */

	/* Congestion control and recovery; more is in x, while there is a transfer. */
	const struct rill_tcp_cc *cc;
	struct rill_tcp_xfer *x;
	struct rill_tcp_settings *settings;
	uint32_t cwnd;
	uint32_t ssthresh;
	uint32_t srtt_us;
	uint32_t rttvar_us;
	uint32_t rto_us;
	uint32_t min_rtt_us;   /* UINT32_MAX: none yet */
	uint32_t recover;      /* RFC 6582 */
	uint32_t ts_offset;    /* of our timestamps (RFC 7323, 7.1) */
	uint64_t last_send_ns; /* of data or SYN */
	uint64_t last_recv_ns; /* of anything acceptable */

	/* Deadlines; RILL_FOREVER: off. */
	uint64_t rtx_at;  /* see timer */
	uint64_t ack_at;  /* delayed ACK */
	uint64_t wait_at; /* TIME-WAIT, FIN-WAIT-2 without user; else keep-alive and rest */

	/* What changes rarely. */
	uint32_t iss;
	uint32_t irs;
	uint32_t rcv_up;       /* with URG_IN: the octet after the urgent one */
	uint32_t snd_up;       /* with URG_OUT */
	uint32_t delivered_ce; /* segments of ours that arrived with CE */
	int16_t soft_error;    /* from ICMP: the reason to give should the connection time out */
	uint16_t mss_ours;     /* announced, without options */
	uint16_t pmtu;	       /* 0: the link's */
	uint8_t keep_probes;   /* without an answer */
	uint8_t ce_count;      /* RFC 9768: packets received with CE, modulo 8 */
	uint16_t trace;	       /* its block of the event trace; 0: none */
	uint8_t oob_byte;      /* with OOB_READY */
	uint8_t syn_ecn;       /* of the handshake: see ecn.c */
	uint16_t syn_data;     /* bytes with the SYN: sent, or of a passive open taken (RFC 7413) */
	uint8_t buf_locks;     /* enum rill_tcp_buf_locks, see autotune.h */
	uint8_t segs_unacked;  /* data segments that came since the last ACK */
	uint8_t mtu_probe_fails;
	uint8_t challenges;   /* see challenge.h: answered in the second challenge_s */
	uint16_t challenge_s; /* modulo 2^16 */

	/* Statistics. */
	uint64_t bytes_received;
	uint64_t bytes_acked;
	uint64_t bytes_retrans;
	uint32_t segs_in, segs_out, data_segs_in, data_segs_out;
	uint32_t retransmits;				      /* segments */
	uint32_t rcv_ooo;				      /* segments that came out of order */
	uint32_t busy_ms, rwnd_limited_ms, sndbuf_limited_ms; /* see chrono.h */
	uint16_t rto_count, fast_recoveries, spurious, dsacks, reorders, probes;
};

/*
 * CLOSED, with the buffer sizes and nodelay of env->params, which the caller may change before
 * connecting or accepting (snd_buf_max, rcv_buf_max, RILL_TCB_NODELAY).
 */
void rill_tcb_init(struct rill_tcb *tcb, struct rill_tcp_env *env, const struct rill_addr *local,
		   const struct rill_addr *remote);
/* Gives back every buffer. Sends nothing. Any state. */
void rill_tcb_fini(struct rill_tcb *tcb, struct rill_tcp_env *env);

/* ---- opening ---- */

/* CLOSED -> SYN-SENT. */
void rill_tcb_connect(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);
/*
 * CLOSED -> SYN-RCVD, for a seg that rill_tcp_listen_check() let through. old: the connection in
 * TIME-WAIT whose place it takes (rill_tcb_reusable()), or NULL.
 */
void rill_tcb_accept(struct rill_tcb *tcb, struct rill_tcp_env *env, const struct rill_tcp_seg *seg,
		     const struct rill_tcb *old, uint64_t now);
/*
 * What a listener makes of a segment (RFC 9293, 3.10.7.2): NONE is a SYN to accept. Sends a RST if
 * due.
 */
enum rill_drop rill_tcp_listen_check(struct rill_tcp_env *env, const struct rill_tcp_seg *seg);
/*
 * After rill_tcb_accept(): takes the SYN's payload in b (in any case its reference) if Fast Open
 * lets it, and reports ACCEPTABLE and READABLE (RFC 7413, 4.2.2). False: the data has to come
 * again.
 */
bool rill_tcb_accept_early(struct rill_tcb *tcb, struct rill_tcp_env *env,
			   const struct rill_tcp_seg *seg, struct rill_buf *b, uint64_t now);
/* Whether seg may open a new connection over tcb in TIME-WAIT (RFC 9293, 3.6.1; RFC 6191). */
bool rill_tcb_reusable(const struct rill_tcb *tcb, const struct rill_tcp_seg *seg);

/* ---- driving ---- */

/* Takes the reference of b in any case. The reason, when the segment did nothing. */
enum rill_drop rill_tcb_input(struct rill_tcb *tcb, struct rill_tcp_env *env,
			      struct rill_tcp_seg *seg, struct rill_buf *b, uint64_t now);

/* Payloads of one connection, each of which follows the one before; see netstack/core/gro.h. */
struct rill_tcp_run {
	struct rill_buf **bufs;
	unsigned count;
	uint16_t last_flags; /* of the last segment; those of the others are the first's */
	uint32_t segments;   /* for the counters: of how many they came; 0: one each */
};

/*
 * The same for all of a run at once: seg is the first one's, but for len. Takes the references of
 * those that it took: how many, from the front. 0: seg is not what header prediction expects, and
 * nothing was done.
 */
unsigned rill_tcb_input_run(struct rill_tcb *tcb, struct rill_tcp_env *env,
			    struct rill_tcp_seg *seg, const struct rill_tcp_run *run, uint64_t now);
/* Whether seg is: nothing but the next bytes in order, or a new ACK. */
bool rill_tcb_predicts(const struct rill_tcb *tcb, const struct rill_tcp_seg *seg);
void rill_tcb_output(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);
void rill_tcb_on_timer(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);
/* RILL_FOREVER: none. */
uint64_t rill_tcb_next_deadline(const struct rill_tcb *tcb);
/*
 * An ICMP error about a segment of ours that began at seq; error is the negative errno it stands
 * for, hard when its code is one of RFC 1122's 4.2.3.9 hard errors. Ends a connection only while it
 * is opening.
 */
void rill_tcb_icmp_error(struct rill_tcb *tcb, struct rill_tcp_env *env, int error, bool hard,
			 uint32_t seq);
/* ICMP "packet too big" about a segment that began at seq: mtu is the next hop's. */
void rill_tcb_icmp_too_big(struct rill_tcb *tcb, uint16_t mtu, uint32_t seq);
/* The link takes no larger packets from now on. */
void rill_tcb_link_mtu(struct rill_tcb *tcb, uint16_t mtu);
/*
 * Answers a segment for which there is no connection with a RST, if one is due (RFC 9293,
 * 3.10.7.1).
 */
void rill_tcp_reject(struct rill_tcp_env *env, const struct rill_tcp_seg *seg);

/* ---- the user's calls ---- */

/*
 * Copies; returns how much was taken. -EAGAIN: send buffer full. -ENOBUFS: env had no buffer.
 * -EPIPE: shut down for sending. -ENOTCONN: never opened. Else the error that broke the connection.
 */
ssize_t rill_tcb_send(struct rill_tcb *tcb, struct rill_tcp_env *env, const void *data, size_t len);
/*
 * The same for a whole buffer of the caller's, exclusive, with RILL_BUF_HEADROOM in front and 1 to
 * rill_tcb_send_cap() bytes in it. Takes the reference on success only.
 */
int rill_tcb_send_buf(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b);
/* How many bytes one buffer for rill_tcb_send_buf() should hold. */
uint32_t rill_tcb_send_cap(const struct rill_tcb *tcb);
/*
 * Up to len > 0 bytes; 0 at the end of the stream; -EAGAIN: nothing there; -ENOTCONN; or the error.
 */
ssize_t rill_tcb_recv(struct rill_tcb *tcb, struct rill_tcp_env *env, void *data, size_t len);
/* The next received buffer (1) with its reference, or as above (0, negative). */
int rill_tcb_recv_buf(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf **ret_b);
/* Gives one back, or the rest of it, to be received again as the next; takes the reference. */
void rill_tcb_unrecv_buf(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b);
/* SO_RCVBUF, SO_SNDBUF: fixes the size, which autotuning then leaves alone. A window that was
 * offered is not taken back. */
void rill_tcb_set_recv_buffer(struct rill_tcb *tcb, uint32_t bytes);
void rill_tcb_set_send_buffer(struct rill_tcb *tcb, uint32_t bytes);
bool rill_tcb_readable(const struct rill_tcb *tcb); /* recv would not return -EAGAIN */
bool rill_tcb_writable(const struct rill_tcb *tcb); /* send would not return -EAGAIN */

/*
 * What is there to be read, without reading it: as rill_tcb_recv(), but the bytes stay, and so does
 * the window.
 */
ssize_t rill_tcb_peek(struct rill_tcb *tcb, void *data, size_t len);
/*
 * Like rill_tcb_send(), with the last byte urgent if all were taken (RFC 6093; MSG_OOB).
 */
ssize_t rill_tcb_send_urgent(struct rill_tcb *tcb, struct rill_tcp_env *env, const void *data,
			     size_t len);
/*
 * The urgent byte, where it is not in line: 1; -EAGAIN: announced, but not here yet; -EINVAL: there
 * is none, it was read, or it is in line.
 */
int rill_tcb_recv_urgent(struct rill_tcb *tcb, bool peek, uint8_t *ret_byte);
/* What is read next is the urgent byte, or what follows it. Reads stop there (sockatmark()). */
bool rill_tcb_at_mark(const struct rill_tcb *tcb);
/* Bytes in order that were not read. */
uint32_t rill_tcb_unread(const struct rill_tcb *tcb);
/* Bytes queued that were never sent, and those not acknowledged (SIOCOUTQNSD, SIOCOUTQ). */
uint32_t rill_tcb_unsent(const struct rill_tcb *tcb);
uint32_t rill_tcb_unacked(const struct rill_tcb *tcb);
/* Bytes that were ever sent, each counted once. */
uint64_t rill_tcb_bytes_sent(const struct rill_tcb *tcb);
/* After a change of tcb->settings on an open connection: keep-alive and waits follow. */
void rill_tcb_settings_changed(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);

/* FIN after what is queued. -ENOTCONN. */
int rill_tcb_shutdown_send(struct rill_tcb *tcb);
/* Discards what was received and what will be. */
void rill_tcb_shutdown_recv(struct rill_tcb *tcb, struct rill_tcp_env *env);
/*
 * The user goes away. The connection finishes by itself and reports CLOSED; at once, with a RST,
 * when received data was not read (RFC 2525, 2.17), or with RILL_TCB_LINGER and a linger_ms of 0.
 */
void rill_tcb_close(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);
/* RST, CLOSED. */
void rill_tcb_abort(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);

/* ---- looking at it ---- */

const char *rill_tcp_state_name(enum rill_tcp_state state);
void rill_tcb_info(const struct rill_tcb *tcb, struct rill_tcp_info *ret_info);
/* Adds what is not the tcb's alone. */
void rill_tcb_info_now(const struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now,
		       struct rill_tcp_info *info);
/* Every invariant. Walks the queues: for tests and debug builds. */
bool rill_tcb_valid(const struct rill_tcb *tcb);

#endif
