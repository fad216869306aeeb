/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The scoreboard (RFC 6675, 3): what the sender believes of each segment between SND.UNA and
 * SND.NXT. It lies in the send queue itself, as marks of its buffers, with their sums in the
 * transfer:
 *
 *      marks                  means                                        counted in pipe
 *      -                      sent, no news                                once
 *      SACKED                 has arrived                                  not
 *      LOST                   taken for lost, waits to be sent again       not
 *      LOST | RETRANS         sent again, no news of that one yet          once
 *      RETRANS                sent again without being lost: a probe       twice
 *
 * What is in flight hangs in a list besides, by the time it was last sent: x->oldest to x->newest.
 * That is the order in which a path without reordering delivers, and so the order in which RACK
 * looks for losses. Marks change here alone.
 *
 * tcb->x is there in all of these.
 */
#ifndef RILL_NETSTACK_TCP_SCOREBOARD_H
#define RILL_NETSTACK_TCP_SCOREBOARD_H

#include "netstack/tcp/sendq.h"
#include "netstack/tcp/xfer.h"

/* What one ACK told. Begins as zeroes, but for the first four. */
struct rill_tcp_acked {
	uint64_t now;
	uint32_t prior_una;
	uint32_t prior_pipe;
	uint64_t prior_lost; /* lost_total */
	uint32_t bytes;	     /* of data that SND.UNA moved */
	uint32_t delivered;  /* bytes newly known to have arrived */
	uint64_t rtt_ns;     /* of the newest segment, when none was sent twice; 0: no sample */
	uint32_t tsecr;	     /* with has_tsecr */
	bool has_tsecr;
	bool advanced;	  /* SND.UNA */
	bool resent;	  /* some of bytes were sent more than once */
	bool sacked;	  /* something was newly SACKED */
	bool had_sack;	  /* there were blocks, news or not */
	bool dsack;	  /* the first of them reports a duplicate */
	bool dup;	  /* a duplicate ACK (RFC 5681, 2) */
	bool orig_acked;  /* a segment before x->frto_high arrived that was sent only once */
	bool orig_sacked; /* the same, by a SACK block */
	uint32_t dsack_start, dsack_end;
	struct rill_tcp_rate rate;
};

/* b was put on the wire, for the first time or again. Before snd_nxt moves. */
void rill_tcp_mark_sent(struct rill_tcb *tcb, struct rill_buf *b, uint64_t now);
/* The first n bytes of b are acknowledged, and are about to leave the queue. */
void rill_tcp_mark_acked(struct rill_tcb *tcb, struct rill_buf *b, uint32_t n,
			 struct rill_tcp_acked *a);
void rill_tcp_mark_sacked(struct rill_tcb *tcb, struct rill_buf *b, struct rill_tcp_acked *a);
/* What was last sent of b is lost. Nothing for a segment that waits to be sent again already. */
void rill_tcp_mark_lost(struct rill_tcb *tcb, struct rill_buf *b, uint64_t now);
/* rest was cut off b, and has b's marks. */
void rill_tcp_mark_split(struct rill_tcb *tcb, struct rill_buf *b, struct rill_buf *rest);

/* Everything outstanding that is not SACKED and was sent before the time given. */
void rill_tcp_mark_lost_before(struct rill_tcb *tcb, uint64_t sent_before, uint64_t now);
/* Nothing was lost after all: what waits to be sent again is in flight. */
void rill_tcp_unmark_lost(struct rill_tcb *tcb);
/* The peer has forgotten what it SACKed (RFC 2018, 8): it is as if never reported. */
void rill_tcp_unmark_sacked(struct rill_tcb *tcb);
/* The first segment that waits to be sent again; NULL: none. */
struct rill_buf *rill_tcp_next_lost(struct rill_tcb *tcb);
/* The queue is empty. */
void rill_tcp_scoreboard_clear(struct rill_tcb *tcb);

#endif
