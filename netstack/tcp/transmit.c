/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/transmit.h"

#include "netstack/tcp/ecn.h"
#include "netstack/tcp/fastopen.h"
#include "netstack/tcp/options.h"
#include "netstack/tcp/pace.h"
#include "netstack/tcp/recvq.h"
#include "netstack/tcp/rtt.h"
#include "netstack/tcp/sack_out.h"
#include "netstack/tcp/scoreboard.h"
#include "netstack/tcp/trace.h"
#include "netstack/tcp/undo.h"

#include <string.h>

/* A segment with data has options only where it stays below the size agreed on (RFC 6691). */
static uint32_t sack_room(const struct rill_tcb *tcb, uint32_t len)
{
	uint32_t most = RILL_TCP_OPTIONS_MAX;

	if ((tcb->flags & RILL_TCB_TIMESTAMPS) != 0)
		most -= RILL_TCP_TIMESTAMPS_LEN;
	if (len == 0)
		return most;
	return len < tcb->snd_mss ? RILL_MIN(most, tcb->snd_mss - len) : 0;
}

/* Both ends called at once: our SYN-ACK is our SYN again, and may offer what that did. */
static bool offers_all(const struct rill_tcb *tcb, const struct rill_tcp_env *env, uint16_t flags)
{
	const uint16_t both = RILL_TCP_SYN | RILL_TCP_ACK;

	return RILL_UNLIKELY(env->params.synack_offers_all) && (flags & both) == both &&
	       (tcb->flags & RILL_TCB_PASSIVE) == 0;
}

/*
 * A SYN offers, a SYN-ACK agrees to what the peer offered; later segments carry timestamps alone.
 */
static void choose_options(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint16_t flags,
			   uint32_t len, uint64_t now, struct rill_tcp_options_seen *o)
{
	bool all = offers_all(tcb, env, flags);

	o->present = 0;
	if ((flags & RILL_TCP_SYN) != 0) {
		o->present |= RILL_TCP_OPT_MSS;
		o->mss = tcb->mss_ours;
		if (tcb->settings->mss_clamp != 0)
			o->mss = RILL_MIN(o->mss, tcb->settings->mss_clamp);
		if (!env->params.no_window_scale && (all || (tcb->flags & RILL_TCB_NO_WSCALE) == 0))
			o->present |= RILL_TCP_OPT_WSCALE;
		o->wscale = tcb->rcv_wscale;
		if ((tcb->flags & RILL_TCB_SACK) != 0 || (all && !env->params.no_sack))
			o->present |= RILL_TCP_OPT_SACK_PERMITTED;
		if (RILL_UNLIKELY((tcb->flags & RILL_TCB_FAST_OPEN) != 0))
			rill_tcp_fast_open_option(tcb, env, flags, o);
	}
	if ((tcb->flags & RILL_TCB_TIMESTAMPS) != 0 || (all && !env->params.no_timestamps)) {
		o->present |= RILL_TCP_OPT_TIMESTAMPS;
		o->tsval = rill_tcp_ts_now(tcb, now);
		o->tsecr = (flags & RILL_TCP_ACK) != 0 ? tcb->ts_recent : 0;
	}
	if ((flags & (RILL_TCP_ACK | RILL_TCP_SYN | RILL_TCP_RST)) == RILL_TCP_ACK)
		rill_tcp_sack_option(tcb, o, sack_room(tcb, len));
}

/* Every segment with ACK says what a pure ACK would have said. */
static void ack_was_sent(struct rill_tcb *tcb)
{
	tcb->flags &= ~(uint32_t)RILL_TCB_ACK_NOW;
	tcb->ack_at = RILL_FOREVER;
	tcb->dup_acks_due = 0;
	tcb->last_ack_sent = tcb->rcv_nxt;
}

/* RFC 6093: the pointer is to the octet behind the urgent one, and says so while it is ahead. */
static void point_at_urgent(const struct rill_tcb *tcb, struct rill_tcp_header *h)
{
	uint32_t ahead = tcb->snd_up - h->seq;

	if ((h->flags & (RILL_TCP_SYN | RILL_TCP_RST)) != 0 || ahead == 0 || ahead > UINT16_MAX)
		return;
	h->flags |= RILL_TCP_URG;
	h->urg = (uint16_t)ahead;
}

void rill_tcp_transmit(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b,
		       uint32_t seq, uint16_t flags, uint64_t now)
{
	struct rill_tcp_ecn_out ecn = rill_tcp_ecn_out(tcb, seq, b->len, flags);
	bool has_data = b->len > 0;
	struct rill_tcp_options_seen o;
	uint8_t bytes[RILL_TCP_OPTIONS_MAX];
	struct rill_tcp_header h = {
		.src = &tcb->local,
		.dst = &tcb->remote,
		.seq = seq,
		.ack = (flags & RILL_TCP_ACK) != 0 ? tcb->rcv_nxt : 0,
		.flags = flags | ecn.flags,
		.options = bytes,
	};

	choose_options(tcb, env, flags, b->len, now, &o);
	h.options_len = rill_tcp_options_emit(bytes, &o);
	h.wnd = rill_recvq_window(tcb, (flags & RILL_TCP_SYN) != 0 ? 0 : tcb->rcv_wscale);
	if (RILL_UNLIKELY(tcb->flags & RILL_TCB_URG_OUT))
		point_at_urgent(tcb, &h);
	rill_tcp_emit(b, &h, env->csum_offload);
	if ((flags & RILL_TCP_ACK) != 0)
		ack_was_sent(tcb);
	rill_counter_add(&env->stats.segs_out, 1);
	tcb->segs_out++;
	tcb->data_segs_out += has_data;
	env->ops->xmit(env,
		       &(struct rill_tcp_xmit){
			       /* Half open, it may be an entry of the SYN cache. */
			       .tcb = tcb->state == RILL_TCP_SYN_RCVD ? NULL : tcb,
			       .src = &tcb->local.ip,
			       .dst = &tcb->remote.ip,
			       .tos = (uint8_t)((tcb->settings->tos & ~3u) | ecn.ecn),
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

static void count_retransmit(struct rill_tcb *tcb, struct rill_tcp_env *env,
			     const struct rill_send_cb *cb, uint64_t now)
{
	uint32_t n = cb->len;

	tcb->retransmits++;
	tcb->bytes_retrans += n;
	rill_counter_add(&env->stats.retransmits, 1);
	rill_tcp_undo_on_retransmit(tcb, cb->seq, cb->seq + n, now);
	rill_tcp_trace(tcb, env, RILL_TCP_EV_RTX, cb->seq - tcb->iss, n, now);
}

bool rill_tcp_transmit_queued(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b,
			      uint16_t flags, uint64_t now)
{
	struct rill_send_cb *cb = rill_send_cb(b);
	bool again = b->time_ns != 0;
	struct rill_buf *out = b;

	if (rill_buf_exclusive(b)) {
		b->data = rill_send_payload(b);
		b->len = cb->len;
		rill_buf_get(b);
	} else {
		out = copy_of(env, rill_send_payload(b), cb->len);
		if (!out)
			return false;
	}
	if (again)
		count_retransmit(tcb, env, cb, now);
	else
		tcb->bytes_sent += cb->len;
	rill_tcp_mark_sent(tcb, b, now);
	tcb->x->prr_out += cb->len;
	tcb->last_send_ns = now;
	rill_tcp_pace_sent(tcb, cb->len, now);
	rill_tcp_transmit(tcb, env, out, cb->seq, flags, now);
	return true;
}

bool rill_tcp_transmit_first_byte(struct rill_tcb *tcb, struct rill_tcp_env *env,
				  struct rill_buf *b, uint64_t now)
{
	struct rill_buf *out = copy_of(env, rill_send_payload(b), 1);

	if (!out)
		return false;
	tcb->last_send_ns = now;
	rill_tcp_transmit(tcb, env, out, rill_send_cb(b)->seq, RILL_TCP_ACK, now);
	return true;
}
