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

struct rill_send_cb {
	struct rill_buf *next;
	uint64_t sent_ns; /* the first transmission; 0: none yet, or sent again since (Karn) */
	uint32_t seq;	  /* of the first byte not acknowledged */
	uint32_t len;	  /* bytes not acknowledged */
	uint32_t at;	  /* where they begin, from head */
	uint32_t resent;
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
