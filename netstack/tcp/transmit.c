/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/transmit.h"

#include "netstack/tcp/options.h"
#include "netstack/tcp/recvq.h"
#include "netstack/tcp/rtt.h"
#include "netstack/tcp/sendq.h"

#include <string.h>

/*
 * A SYN offers, a SYN-ACK agrees to what the peer offered; later segments carry timestamps alone.
 */
static void choose_options(const struct rill_tcb *tcb, const struct rill_tcp_env *env,
			   uint16_t flags, uint64_t now, struct rill_tcp_options_seen *o)
{
	o->present = 0;
	if ((flags & RILL_TCP_SYN) != 0) {
		o->present |= RILL_TCP_OPT_MSS;
		o->mss = tcb->mss_ours;
		if (!env->params.no_window_scale && (tcb->flags & RILL_TCB_NO_WSCALE) == 0)
			o->present |= RILL_TCP_OPT_WSCALE;
		o->wscale = tcb->rcv_wscale;
	}
	if ((tcb->flags & RILL_TCB_TIMESTAMPS) != 0) {
		o->present |= RILL_TCP_OPT_TIMESTAMPS;
		o->tsval = rill_tcp_ts_now(tcb, now);
		o->tsecr = (flags & RILL_TCP_ACK) != 0 ? tcb->ts_recent : 0;
	}
}

/* Every segment with ACK says what a pure ACK would have said. */
static void ack_was_sent(struct rill_tcb *tcb)
{
	tcb->flags &= ~(uint32_t)RILL_TCB_ACK_NOW;
	tcb->ack_at = RILL_FOREVER;
	tcb->dup_acks_due = 0;
	tcb->last_ack_sent = tcb->rcv_nxt;
}

void rill_tcp_transmit(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b,
		       uint32_t seq, uint16_t flags, uint64_t now)
{
	struct rill_tcp_options_seen o;
	uint8_t bytes[RILL_TCP_OPTIONS_MAX];
	struct rill_tcp_header h = {
		.src = tcb->local,
		.dst = tcb->remote,
		.seq = seq,
		.ack = (flags & RILL_TCP_ACK) != 0 ? tcb->rcv_nxt : 0,
		.flags = flags,
		.options = bytes,
	};

	choose_options(tcb, env, flags, now, &o);
	h.options_len = rill_tcp_options_emit(bytes, &o);
	h.wnd = rill_recvq_window(tcb, (flags & RILL_TCP_SYN) != 0 ? 0 : tcb->rcv_wscale);
	rill_tcp_emit(b, &h, env->csum_offload);
	if ((flags & RILL_TCP_ACK) != 0)
		ack_was_sent(tcb);
	rill_counter_add(&env->stats.segs_out, 1);
	env->ops->xmit(env,
		       &(struct rill_tcp_xmit){
			       .tcb = tcb,
			       .src = &tcb->local.ip,
			       .dst = &tcb->remote.ip,
			       .tos = tcb->settings->tos,
			       .ttl = tcb->settings->ttl,
		       },
		       b);
}

bool rill_tcp_transmit_empty(struct rill_tcb *tcb, struct rill_tcp_env *env, uint32_t seq,
			     uint16_t flags, uint64_t now)
{
	struct rill_buf *b = env->ops->alloc(env);

	if (!b) {
		rill_counter_add(&env->stats.no_buffer, 1);
		return false;
	}
	rill_tcp_transmit(tcb, env, b, seq, flags, now);
	return true;
}

static struct rill_buf *copy_of(struct rill_tcp_env *env, const uint8_t *data, uint32_t n)
{
	struct rill_buf *copy = env->ops->alloc(env);

	if (!copy) {
		rill_counter_add(&env->stats.no_buffer, 1);
		return NULL;
	}
	RILL_ASSERT(rill_buf_tailroom(copy) >= n);
	memcpy(rill_buf_append(copy, n), data, n);
	return copy;
}

/* Karn: a segment that was sent twice measures nothing. */
static void note_sent(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_send_cb *cb,
		      uint32_t seq, uint64_t now)
{
	tcb->last_send_ns = now;
	if (rill_seq_lt(seq, tcb->snd_nxt)) {
		cb->marks |= RILL_SEND_EVER_RETRANS;
		cb->first_tx_ns = 0;
		tcb->rtx_ts = rill_tcp_ts_now(tcb, now);
		tcb->retransmits++;
		rill_counter_add(&env->stats.retransmits, 1);
	} else if ((cb->marks & RILL_SEND_EVER_RETRANS) == 0) {
		cb->first_tx_ns = now;
	}
}

bool rill_tcp_transmit_queued(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b,
			      uint32_t off, uint32_t n, uint16_t flags, uint64_t now)
{
	struct rill_send_cb *cb = rill_send_cb(b);
	struct rill_buf *out = b;

	if (off == 0 && rill_buf_exclusive(b)) {
		b->data = rill_send_payload(b);
		b->len = n;
		rill_buf_get(b);
	} else {
		out = copy_of(env, rill_send_payload(b) + off, n);
		if (!out)
			return false;
	}
	note_sent(tcb, env, cb, cb->seq + off, now);
	rill_tcp_transmit(tcb, env, out, cb->seq + off, flags, now);
	return true;
}
