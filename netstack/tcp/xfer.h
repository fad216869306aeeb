/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A transfer: what a connection needs only while it sends or receives data. It is made at the first
 * data and given back when the connection has rested, so that an idle connection costs a tcb and
 * nothing else. tcb->x is NULL without one; cwnd, ssthresh and the round-trip times survive in the
 * tcb.
 *
 * The scoreboard is in the send queue: each segment is marked SACKED, LOST and RETRANS (sendq.h);
 * here are the sums.
 *
 *      pipe = (snd_nxt - snd_una) - sacked - lost + retrans        (RFC 6675, 4)
 */
#ifndef RILL_NETSTACK_TCP_XFER_H
#define RILL_NETSTACK_TCP_XFER_H

#include "netstack/tcp/tcb.h"

/* Where loss recovery stands. */
enum rill_tcp_ca_state {
	RILL_TCP_CA_OPEN = 0,
	RILL_TCP_CA_DISORDER, /* duplicates or SACKs came, nothing is taken for lost yet */
	RILL_TCP_CA_CWR,      /* cwnd goes down because of ECN */
	RILL_TCP_CA_RECOVERY, /* fast recovery */
	RILL_TCP_CA_LOSS,     /* after a retransmission timeout */
};

enum rill_tcp_xfer_flags {
	RILL_XF_PARTIAL_ACKED = 1 << 0, /* a partial ACK came in this recovery (RFC 6582) */
	RILL_XF_REPEAT_HEAD = 1 << 1,	/* the next retransmission goes whatever cwnd says */
	RILL_XF_FRTO = 1 << 2,		/* RFC 5682 is at work */
	RILL_XF_FRTO_NEW_DATA = 1 << 3, /* its step 2b: new data goes, nothing is sent again */
	RILL_XF_TLP_OUT = 1 << 4,	/* a probe is outstanding (RFC 8985, 7) */
	RILL_XF_TLP_RETRANS = 1 << 5,	/* and it was a retransmission */
	RILL_XF_DSACK_SEEN = 1 << 6,	/* since x->undo_mark was set, for what was sent again */
	RILL_XF_REORDER_SEEN = 1 << 7,	/* RFC 8985, 6.2: reordering was seen on the path */
	RILL_XF_DSACK_ROUND = 1 << 9,	/* RACK.dsack_round is set */
	RILL_XF_PACED_OUT = 1 << 11,	/* the pacer holds data back */
	RILL_XF_RCV_RTT = 1 << 13,	/* rcv_rtt_us holds something */
	RILL_XF_UNDO = 1 << 14,		/* prior_cwnd and the others of undo.h hold something */
	RILL_XF_UNDO_TS = 1 << 15,	/* undo_ts as well */
	RILL_XF_MTU_HOLE = 1 << 16,	/* with mss_before: the small segments got through */
};

/* What the sender's time goes by, see chrono.h. */
enum rill_tcp_chrono_kind {
	RILL_TCP_CHRONO_NONE = 0, /* nothing to send: not told */
	RILL_TCP_CHRONO_BUSY,	  /* and limited by neither */
	RILL_TCP_CHRONO_RWND,
	RILL_TCP_CHRONO_SNDBUF,
	RILL_TCP_CHRONO_COUNT,
};

/* A delivery rate sample, see rate.h. */
struct rill_tcp_rate {
	uint64_t prior_delivered; /* delivered when the newest acked segment was sent */
	uint64_t interval_ns;	  /* 0: no valid sample of the rate */
	uint32_t delivered;	  /* bytes within it */
	uint32_t lost;		  /* bytes lost within it */
	uint32_t tx_in_flight;	  /* when that segment was sent */
	uint32_t end_seq;	  /* of that segment */
	bool app_limited;	  /* it was sent while the application had nothing more */
	bool valid;		  /* something was delivered; else nothing above holds */
};

/* What came out of order: see reass.h. */
struct rill_tcp_reass {
	struct rill_buf *first, *last; /* runs */
	uint32_t count;		       /* buffers in them */
	uint32_t runs;
};

#define RILL_TCP_CC_PRIV_WORDS 32
#define RILL_TCP_SACK_HINTS 4

/* All from start to the end of last is SACKED; a search need not walk it. NULL: unused. */
struct rill_tcp_sack_hint {
	struct rill_buf *last;
	uint32_t start;
};

struct rill_tcp_xfer {
	/* Scoreboard and recovery: read for each ACK. */
	uint8_t ca_state;		/* enum rill_tcp_ca_state */
	uint8_t dup_acks;		/* consecutive ones received */
	uint8_t reo_wnd_mult;		/* RFC 8985, 6.2 step 4 */
	uint8_t reo_wnd_persist;	/* recoveries left until it goes back */
	uint8_t chrono;			/* enum rill_tcp_chrono_kind */
	uint32_t flags;			/* enum rill_tcp_xfer_flags */
	uint32_t sacked, lost, retrans; /* bytes */
	uint32_t rtx_pending;		/* of lost, what is not RETRANS */
	uint32_t sacked_segs;
	uint32_t reno_sacked;	 /* without SACK: bytes that duplicates stand for */
	uint32_t high_sacked;	 /* one past the highest byte SACKed (RACK.fack) */
	struct rill_buf *oldest; /* segments in flight, by the time they were last sent */
	struct rill_buf *newest;
	struct rill_buf *rtx_next; /* nothing before it is LOST and not RETRANS; NULL: search from
				      the front */
	struct rill_buf *sack_far; /* where a long search for a SACKed segment goes on */
	struct rill_tcp_sack_hint sack_hint[RILL_TCP_SACK_HINTS];

	/* What the tcb's rtx_at is the earliest of (rtx_timer.h); RILL_FOREVER: off. */
	uint64_t rto_at;
	uint64_t tlp_at; /* 0: to be computed */
	uint64_t reo_at;
	uint64_t
		progress_ns; /* when SND.UNA last moved, or the first byte after silence was sent */
	uint64_t cork_at;    /* a small segment waits for more data until then; 0: none does */
	uint64_t mss_raise_at; /* snd_mss goes back to mss_before then; see mtu.h */
	uint16_t mss_before;   /* a black hole was suspected; 0: no */

	/* RACK (RFC 8985, 5.2). */
	uint64_t rack_sent_ns;
	uint32_t rack_end_seq;
	uint32_t rack_rtt_us;
	uint32_t rack_dsack_seq; /* RACK.dsack_round */
	uint32_t min_rtt_us;	 /* within the last min_rtt window */
	uint64_t min_rtt_ns;	 /* when it was taken */
	uint32_t tlp_end_seq;
	uint32_t reorder_bytes; /* the largest distance seen, 0: none (metric) */

	/* PRR (RFC 6937bis). */
	uint32_t prr_delivered, prr_out, recover_fs;

	/* Undo (RFC 4015; DSACK: RFC 3708). */
	uint32_t undo_mark;    /* snd_una when cwnd was reduced */
	uint32_t undo_until;   /* when SND.UNA is beyond it, what was sent again is past judging */
	uint32_t undo_retrans; /* segments sent again since, not yet known to have been needless */
	uint32_t undo_start, undo_end; /* they lie between these */
	uint32_t prior_cwnd, prior_ssthresh;
	uint32_t undo_ts;   /* our timestamp at the first retransmission */
	uint32_t frto_high; /* RFC 5682: "recover" */
	uint32_t cwr_seq;   /* snd_nxt when cwnd was reduced for ECN */

	/* Delivery rate. */
	uint64_t delivered;	  /* bytes ever, acked or SACKed */
	uint64_t delivered_ns;	  /* when delivered last grew */
	uint64_t first_tx_ns;	  /* when the newest segment known to be delivered was sent */
	uint64_t app_limited;	  /* until delivered passes it; 0: not */
	uint64_t lost_total;	  /* bytes ever marked lost */
	uint64_t round_delivered; /* a round trip ends when what is acked was sent after this */

	/* Congestion control and pacing. */
	uint64_t pacing_rate;	 /* bytes per second; 0: not paced */
	uint64_t pace_at;	 /* nothing new before; 0: no bound */
	uint32_t cc_acked;	 /* bytes acknowledged since cwnd last grew (RFC 3465) */
	uint32_t rate_delivered; /* the last good sample: bytes */
	uint64_t rate_ns;	 /* in so long; 0: none yet */
	uint64_t cc_priv[RILL_TCP_CC_PRIV_WORDS];

	/* AccECN: payload that came, by its mark, and what was told of CE; see accecn.h. */
	struct {
		uint32_t e0b, ceb, e1b;
	} ecn_in;
	uint32_t ceb_told;
	uint32_t ceb_out;  /* the peer's count of CE, as it last told */
	uint32_t ceb_room; /* delivered since then */
	bool accecn;	   /* any of these counts: the transfer stays */
	bool ceb_seen, ceb_off;

	/* See chrono.h. */
	uint64_t chrono_since_ns;
	uint64_t chrono_ns[RILL_TCP_CHRONO_COUNT];

	/* Receiving: autotuning, and what D-SACK and SACK have to say next. */
	uint32_t rcv_rtt_us; /* from timestamps or from one window after the other */
	uint32_t rcv_rtt_seq;
	uint64_t rcv_rtt_ns;
	uint32_t rcv_space_seq; /* copied to the user up to here when the round began */
	uint32_t rcv_space;	/* bytes that the user took in the best round */
	uint64_t rcv_space_ns;
	uint64_t rcv_last_ns;		 /* the last data in order */
	uint64_t rcv_data_ns;		 /* the same, for the distance between segments */
	uint32_t rcv_gap_us;		 /* smoothed; 0: not known */
	uint32_t dsack_start, dsack_end; /* to be reported with the next ACK; equal: none */
	uint8_t sack_count;
	struct rill_tcp_sack_block sacks[RILL_TCP_SACK_BLOCKS_MAX]; /* of reass, the newest first */
	struct rill_tcp_reass reass;
};

/* tcb->x, made if need be. NULL: no memory. */
struct rill_tcp_xfer *rill_tcp_xfer_get(struct rill_tcb *tcb, struct rill_tcp_env *env,
					uint64_t now);
/* Whether nothing of it is needed: nothing queued, outstanding or out of order. */
bool rill_tcp_xfer_at_rest(const struct rill_tcb *tcb);
/*
 * wait_at has come. False: the connection is to end. True: it was about the transfer, which is
 * given back if it has rested for params.rest_us (0: never), or about keep-alive.
 */
bool rill_tcp_xfer_on_wait(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);
/* Gives it back. NULL is fine. */
void rill_tcp_xfer_drop(struct rill_tcb *tcb, struct rill_tcp_env *env);

/* RFC 6675, 4. */
static inline uint32_t rill_tcp_pipe(const struct rill_tcb *tcb)
{
	const struct rill_tcp_xfer *x = tcb->x;
	uint32_t out = tcb->snd_nxt - tcb->snd_una;

	return x ? out - x->sacked - x->reno_sacked - x->lost + x->retrans : out;
}

static inline enum rill_tcp_ca_state rill_tcp_ca(const struct rill_tcb *tcb)
{
	return tcb->x ? (enum rill_tcp_ca_state)tcb->x->ca_state : RILL_TCP_CA_OPEN;
}

#endif
