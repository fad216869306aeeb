/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The send queue: buffers of one segment each, from snd_una to snd_end. The payload is written
 * once; a transmission puts headers in front of it and lends the buffer to the driver. So while
 * somebody else holds a reference, data, len and next belong to the layers below, and what TCP has
 * to know lies in the cookie.
 *
 * A segment keeps its bounds once it was sent, unless it is split: what is sent again must not
 * cover new bytes, for then an ACK could not tell which of the two it answers. Buffers before
 * snd_cur were sent, it and those behind it were not (but for one byte of it, when a window was
 * probed).
 */
#ifndef RILL_NETSTACK_TCP_SENDQ_H
#define RILL_NETSTACK_TCP_SENDQ_H

#include "netstack/tcp/seq.h"
#include "netstack/tcp/tcb.h"

struct rill_tcp_acked;

enum rill_send_marks {
	RILL_SEND_SACKED = 1,	    /* has arrived (RFC 2018) */
	RILL_SEND_LOST = 2,	    /* taken for lost */
	RILL_SEND_RETRANS = 4,	    /* sent again, and that one is outstanding */
	RILL_SEND_EVER_RETRANS = 8, /* was sent more than once (Karn) */
	RILL_SEND_IN_ORDER = 16,    /* hangs in the list by time: in flight (scoreboard.h) */
	RILL_SEND_APP_LIMITED = 32, /* sent when the application had nothing more */
	RILL_SEND_SUMMED = 64,	    /* rill_send_sum() holds */
};

/* When it was last sent is in the buffer's time_ns; 0: never. */
struct rill_send_cb {
	struct rill_buf *next;
	struct rill_buf *older, *newer; /* by time_ns */
	uint64_t first_tx_ns;		/* the four of delivery rate estimation, see rate.h */
	uint64_t delivered_ns;
	uint32_t delivered; /* modulo 2^32: no segment is under way for longer than that */
	uint32_t lost;
	uint32_t seq;	       /* of the first byte not acknowledged */
	uint32_t len;	       /* bytes not acknowledged */
	uint16_t at;	       /* where they begin, from head */
	uint16_t marks;	       /* enum rill_send_marks */
	uint32_t tx_in_flight; /* pipe when it was sent, this one included */
};

RILL_STATIC_ASSERT(sizeof(struct rill_send_cb) <= sizeof(((struct rill_buf *)0)->cookie),
		   "the cookie holds it");

static inline struct rill_send_cb *rill_send_cb(struct rill_buf *b)
{
	return (struct rill_send_cb *)(void *)b->cookie;
}

static inline uint8_t *rill_send_payload(struct rill_buf *b)
{
	return b->head + rill_send_cb(b)->at;
}

/*
 * The folded checksum of the payload, taken while it was copied here. It is where csum_start would
 * be, which nobody below looks at where checksums are not left to the NIC.
 */
static inline uint16_t rill_send_sum(const struct rill_buf *b)
{
	return b->csum_start;
}

/* Bytes queued, sent or not. SYN and FIN are not among them. */
static inline uint32_t rill_sendq_bytes(const struct rill_tcb *tcb)
{
	/* Not a comparison with iss: that fails after 2 GiB. */
	bool before_syn = tcb->state <= RILL_TCP_SYN_RCVD && tcb->snd_una == tcb->iss;
	uint32_t first = tcb->snd_una + before_syn;

	return rill_seq_lt(first, tcb->snd_end) ? tcb->snd_end - first : 0;
}

/* One past the last sequence number there is to send. */
static inline uint32_t rill_sendq_limit(const struct rill_tcb *tcb)
{
	return tcb->snd_end + !!(tcb->flags & RILL_TCB_FIN_QUEUED);
}

/*
 * Bytes that may be added. Small buffers count, lest single bytes pin whole buffers without a
 * bound.
 */
uint32_t rill_sendq_room(const struct rill_tcb *tcb);
/* Adds b's data at snd_end; takes the reference. */
void rill_sendq_push(struct rill_tcb *tcb, struct rill_buf *b);
/* The same for len bytes of data, copied into b, which is empty; sums them up on the way. */
void rill_sendq_push_copy(struct rill_tcb *tcb, const struct rill_tcp_env *env, struct rill_buf *b,
			  const void *data, uint32_t len);
/* Copies as much as fits into the last buffer, if that was never sent; how much. */
uint32_t rill_sendq_extend(struct rill_tcb *tcb, const void *data, uint32_t len);

/* Everything before ack (which is beyond snd_una) has arrived. Call before snd_una moves. */
void rill_sendq_ack(struct rill_tcb *tcb, struct rill_tcp_env *env, uint32_t ack,
		    struct rill_tcp_acked *a);
/*
 * Leaves the first n bytes in b and puts the rest, with the same marks, into a buffer of its own
 * behind it. False: no buffer, or as many pieces as the queue may have; nothing has changed.
 */
bool rill_sendq_split(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b,
		      uint32_t n);
/* All of snd_cur was sent. */
void rill_sendq_sent(struct rill_tcb *tcb);
/* The first n bytes, none of which was sent as a segment, have arrived all the same (RFC 7413). */
void rill_sendq_skip(struct rill_tcb *tcb, struct rill_tcp_env *env, uint32_t n);
void rill_sendq_clear(struct rill_tcb *tcb, struct rill_tcp_env *env);

static inline uint32_t rill_send_end(struct rill_buf *b)
{
	return rill_send_cb(b)->seq + rill_send_cb(b)->len;
}

/* The FIN takes the number behind the last byte, and was sent. */
static inline bool rill_sendq_fin_sent(const struct rill_tcb *tcb)
{
	return tcb->snd_nxt == tcb->snd_end + 1;
}

#endif
