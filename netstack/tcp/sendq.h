/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The send queue: buffers of at most one segment each, from snd_una to snd_end. The payload is
 * written once; a transmission puts headers in front of it and lends the buffer to the driver. So
 * while somebody else holds a reference, data, len and next belong to the layers below, and what
 * TCP has to know lies in the cookie.
 */
#ifndef RILL_NETSTACK_TCP_SENDQ_H
#define RILL_NETSTACK_TCP_SENDQ_H

#include "netstack/tcp/seq.h"
#include "netstack/tcp/tcb.h"

enum rill_send_marks {
	RILL_SEND_SACKED = 1,	    /* has arrived (RFC 2018) */
	RILL_SEND_LOST = 2,	    /* taken for lost */
	RILL_SEND_RETRANS = 4,	    /* sent again, and that one is outstanding */
	RILL_SEND_EVER_RETRANS = 8, /* was sent more than once (Karn) */
	RILL_SEND_IN_ORDER = 16, /* hangs in the list by time: outstanding, neither of the first two
				    unless RETRANS */
	RILL_SEND_APP_LIMITED = 32, /* sent when the application had nothing more */
	RILL_SEND_PSH = 64,	    /* the user's write ended here */
	RILL_SEND_NO_MERGE = 128,   /* nothing may be added to it */
};

/* When it was last sent is in the buffer's time_ns; 0: never. */
struct rill_send_cb {
	struct rill_buf *next;
	struct rill_buf *older, *newer; /* by time_ns */
	uint64_t first_tx_ns;		/* the three of the delivery rate draft, 3.2 */
	uint64_t delivered_ns;
	uint64_t delivered;
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

/* Bytes queued, sent or not. SYN and FIN are not among them. */
static inline uint32_t rill_sendq_bytes(const struct rill_tcb *tcb)
{
	uint32_t first = rill_seq_max(tcb->snd_una, tcb->iss + 1);

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
/* Copies as much as fits into the last buffer, if that was never sent; how much. */
uint32_t rill_sendq_extend(struct rill_tcb *tcb, const void *data, uint32_t len);

struct rill_sendq_acked {
	uint32_t bytes;
	uint64_t sent_ns; /* of the newest segment, when all were sent only once; else 0 */
	bool resent;	  /* some were sent again */
};

/* Everything before ack (which is beyond snd_una) has arrived. Call before snd_una moves. */
struct rill_sendq_acked rill_sendq_ack(struct rill_tcb *tcb, struct rill_tcp_env *env,
				       uint32_t ack);
/* Begins again at snd_una. */
void rill_sendq_rewind(struct rill_tcb *tcb);
/* n bytes at snd_rtx were sent. */
void rill_sendq_advance(struct rill_tcb *tcb, uint32_t n);
void rill_sendq_clear(struct rill_tcb *tcb, struct rill_tcp_env *env);

#endif
