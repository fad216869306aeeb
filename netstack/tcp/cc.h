/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Congestion control: how cwnd, ssthresh and the pacing rate move. When to call is the business of
 * input_ack.c, recovery.c and output.c; what an algorithm keeps is in x->cc_priv of the transfer
 * (xfer.h), which is there whenever one of these is called. Bytes and nanoseconds throughout.
 *
 * In fast recovery cwnd belongs to PRR (RFC 9937), except where own_recovery is set. After a
 * timeout it is the algorithm's: slow start goes on while the losses are repaired.
 */
#ifndef RILL_NETSTACK_TCP_CC_H
#define RILL_NETSTACK_TCP_CC_H

#include "netstack/tcp/tcb.h"
#include "netstack/tcp/xfer.h"

/* What one ACK told, after the scoreboard was updated. */
struct rill_tcp_cc_ack {
	uint64_t now_ns;
	uint32_t acked;	       /* bytes that SND.UNA moved */
	uint32_t delivered;    /* bytes newly known to have arrived: acked or SACKed */
	uint32_t lost;	       /* bytes newly marked lost */
	uint32_t flight;       /* pipe before this ACK */
	uint64_t rtt_ns;       /* of a segment that this ACK covers; 0: no valid sample */
	uint32_t ce_delivered; /* of delivered, how many arrived with CE, as ECE or ACE says */
	bool ece;	       /* the peer reports CE */
	bool cwnd_limited;     /* cwnd was what held the sender back */
	bool in_recovery;      /* fast recovery or loss recovery */
	bool round_start;      /* the first ACK of a round trip */
	struct rill_tcp_rate rate;
};

enum rill_tcp_cc_event {
	RILL_TCP_CC_LOSS, /* fast recovery begins */
	RILL_TCP_CC_ECN,  /* CE was reported, at most once for each round trip (RFC 3168, 6.1.2) */
	RILL_TCP_CC_RTO,  /* a retransmission timeout, the first for this data */
};

struct rill_tcp_cc {
	const char *name;  /* as Linux calls it: "cubic", "reno", "dctcp", "bbr" */
	bool needs_ecn;	   /* ECN is asked for, and CE answered by on_ack alone (RFC 8257) */
	bool own_recovery; /* sets cwnd in recovery too */
	bool paces;	   /* sets x->pacing_rate; else pace.h does, where pacing is wanted */
	/*
	 * A transfer begins: cc_priv is zero. cwnd is 0 on a new connection: the initial window
	 * then; else it is what was left when the last transfer ended (RFC 5681, 4.1).
	 */
	void (*init)(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now);
	/* Every ACK that is no duplicate of nothing: in_recovery says who owns cwnd. */
	void (*on_ack)(struct rill_tcb *tcb, const struct rill_tcp_cc_ack *ack);
	/* Sets ssthresh. flight: what was outstanding. */
	void (*on_event)(struct rill_tcb *tcb, enum rill_tcp_cc_event event, uint32_t flight,
			 uint64_t now);
	/* Recovery is over; cwnd is what PRR left. May be NULL. */
	void (*on_recovered)(struct rill_tcb *tcb, uint64_t now);
	/* The last event was no congestion: cwnd and ssthresh are restored. May be NULL. */
	void (*on_undo)(struct rill_tcb *tcb, uint64_t now);
	/* About to send after having been idle for longer than one RTO. */
	void (*on_idle)(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now);
	/* Before n new bytes are sent. May be NULL. */
	void (*on_send)(struct rill_tcb *tcb, uint32_t n, uint64_t now);
	/* b was marked LOST; by rill_tcp_rate_on_lost(). May be NULL. */
	void (*on_lost)(struct rill_tcb *tcb, const struct rill_buf *b, uint64_t now);
};

extern const struct rill_tcp_cc rill_tcp_cc_cubic;   /* RFC 9438: the default */
extern const struct rill_tcp_cc rill_tcp_cc_newreno; /* RFC 5681 */
extern const struct rill_tcp_cc rill_tcp_cc_dctcp;   /* RFC 8257 */
extern const struct rill_tcp_cc rill_tcp_cc_bbr;     /* draft-ietf-ccwg-bbr */

/* Another algorithm from now on, also in the middle of a transfer: it goes on from this cwnd. */
void rill_tcp_cc_switch(struct rill_tcb *tcb, const struct rill_tcp_env *env,
			const struct rill_tcp_cc *cc, uint64_t now);

/* By name; "newreno" is "reno". NULL: there is none. */
const struct rill_tcp_cc *rill_tcp_cc_find(const char *name);
/* All of them, NULL-terminated. */
extern const struct rill_tcp_cc *const rill_tcp_cc_all[];

/* RFC 6928: min(10 MSS, max(2 MSS, 14600)), or what params say; one segment when the SYN was lost
 * (RFC 5681, 3.1). */
uint32_t rill_tcp_initial_window(const struct rill_tcb *tcb, const struct rill_tcp_env *env);

#endif
