/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/transmit.h"

#include "netstack/tcp/accecn.h"
#include "netstack/tcp/ecn.h"
#include "netstack/tcp/fastopen.h"
#include "netstack/tcp/options.h"
#include "netstack/tcp/pace.h"
#include "netstack/tcp/recvq.h"
#include "netstack/tcp/rtt.h"
#include "netstack/tcp/sack_out.h"
#include "netstack/tcp/scoreboard.h"
#include "netstack/tcp/trace.h"
#include "netstack/tcp/train.h"
#include "netstack/tcp/undo.h"
#include "netstack/tcp/uto.h"

#include <string.h>

/*
 * A segment with data has options only where it stays below the size agreed on (RFC 6691). A user
 * timeout is told once: a block makes room for it, and comes again with the next ACK.
 */
static uint32_t sack_room(const struct rill_tcb *tcb, const struct rill_tcp_options_seen *o,
			  uint32_t len)
{
	uint32_t most = RILL_TCP_OPTIONS_MAX;

	if ((tcb->flags & RILL_TCB_TIMESTAMPS) != 0)
		most -= RILL_TCP_TIMESTAMPS_LEN;
	if (RILL_UNLIKELY((o->present & RILL_TCP_OPT_USER_TIMEOUT) != 0))
		most -= RILL_TCP_USER_TIMEOUT_LEN;
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
	if (RILL_UNLIKELY(tcb->settings->uto_ms != 0))
		rill_tcp_uto_option(tcb, flags, len, o);
	if ((flags & (RILL_TCP_ACK | RILL_TCP_SYN | RILL_TCP_RST)) == RILL_TCP_ACK)
		rill_tcp_sack_option(tcb, o, sack_room(tcb, o, len));
	if (RILL_UNLIKELY((tcb->flags & RILL_TCB_ACCECN) != 0))
		rill_tcp_accecn_option(tcb, flags, len, o);
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

/* All of the header but ecn's part. bytes: where the options may be written. */
static inline __attribute__((always_inline)) struct rill_tcp_header
make_header(struct rill_tcb *tcb, struct rill_tcp_env *env, uint32_t seq, uint32_t len,
	    uint16_t flags, uint64_t now, uint8_t *bytes, struct rill_tcp_options_seen *ret_options)
{
	struct rill_tcp_header h = {
		.src = &tcb->local,
		.dst = &tcb->remote,
		.seq = seq,
		.ack = (flags & RILL_TCP_ACK) != 0 ? tcb->rcv_nxt : 0,
		.flags = flags,
		.options = bytes,
	};

	choose_options(tcb, env, flags, len, now, ret_options);
	h.options_len = rill_tcp_options_emit(bytes, ret_options);
	h.wnd = rill_recvq_window(tcb, (flags & RILL_TCP_SYN) != 0 ? 0 : tcb->rcv_wscale);
	if (RILL_UNLIKELY(tcb->flags & RILL_TCB_URG_OUT))
		point_at_urgent(tcb, &h);
	return h;
}

static void count_segment(struct rill_tcb *tcb, struct rill_tcp_env *env, bool has_data)
{
	rill_counter_add(&env->stats.segs_out, 1);
	tcb->segs_out++;
	tcb->data_segs_out += has_data;
}

static uint8_t tos_of(const struct rill_tcb *tcb, struct rill_tcp_ecn_out ecn)
{
	return (uint8_t)((tcb->settings->tos & ~3u) | ecn.ecn);
}

void rill_tcp_transmit(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b,
		       uint32_t seq, uint16_t flags, uint64_t now)
{
	struct rill_tcp_ecn_out ecn = rill_tcp_ecn_out(tcb, seq, b->len, flags);
	bool has_data = b->len > 0;
	struct rill_tcp_options_seen o;
	uint8_t bytes[RILL_TCP_OPTIONS_MAX];
	struct rill_tcp_header h = make_header(tcb, env, seq, b->len, flags, now, bytes, &o);

	if (RILL_UNLIKELY(env->train != NULL)) {
		rill_tcp_train_leave(env);
		env->train->valid = false;
	}
	h.flags |= ecn.flags;
	rill_tcp_emit(b, &h, env->csum_offload);
	if ((flags & RILL_TCP_ACK) != 0)
		ack_was_sent(tcb);
	count_segment(tcb, env, has_data);
	env->ops->xmit(env,
		       &(struct rill_tcp_xmit){
			       /* Half open, it may be an entry of the SYN cache. */
			       .tcb = tcb->state == RILL_TCP_SYN_RCVD ? NULL : tcb,
			       .src = &tcb->local.ip,
			       .dst = &tcb->remote.ip,
			       .tos = tos_of(tcb, ecn),
			       .ttl = tcb->settings->ttl,
		       },
		       b);
}

/* ---- trains ---- */

#define NOT_COMMON (RILL_TCP_PSH | RILL_TCP_FIN)

/*
 * Nothing arrives between the segments of a train: acknowledgement, window and timestamps stay what
 * they are. What does not: ECN marks and urgent data, SACK blocks, which full segments leave out
 * and which may be said only once.
 */
static bool fits_train(const struct rill_tcb *tcb, const struct rill_tcp_train *t, uint32_t len,
		       uint16_t flags, uint8_t tos)
{
	return t->valid && !t->once && t->flags == (flags & ~NOT_COMMON) && t->tos == tos &&
	       (tcb->flags & RILL_TCB_URG_OUT) == 0 &&
	       (len >= tcb->snd_mss || !rill_tcp_sack_wanted(tcb));
}

/* The next segments of the train look like this one. */
static void set_header(struct rill_tcp_train *t, struct rill_tcb *tcb, struct rill_tcp_env *env,
		       uint32_t seq, uint32_t len, uint16_t flags, uint16_t ecn_flags, uint64_t now)
{
	struct rill_tcp_options_seen o;
	uint8_t bytes[RILL_TCP_OPTIONS_MAX];
	struct rill_tcp_header h = make_header(tcb, env, seq, len, flags, now, bytes, &o);

	rill_tcp_template_init(&t->header, &h);
	t->flags = (uint16_t)((h.flags | ecn_flags) & ~NOT_COMMON);
	t->once = (o.present & ~RILL_TCP_OPT_TIMESTAMPS) != 0 || (h.flags & RILL_TCP_URG) != 0;
	t->valid = true;
	ack_was_sent(tcb);
}

/* summed: sum is the folded sum of the payload. */
static void transmit_in_train(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b,
			      uint32_t seq, uint16_t flags, bool summed, uint16_t sum, uint64_t now)
{
	struct rill_tcp_train *t = env->train;
	struct rill_tcp_ecn_out ecn = rill_tcp_ecn_out(tcb, seq, b->len, flags);
	uint8_t tos = tos_of(tcb, ecn);

	if (t->count == RILL_TCP_TRAIN_MAX)
		rill_tcp_train_leave(env);
	if (RILL_UNLIKELY(!fits_train(tcb, t, b->len, flags | ecn.flags, tos))) {
		rill_tcp_train_leave(env);
		set_header(t, tcb, env, seq, b->len, flags, ecn.flags, now);
		t->tos = tos;
	}
	count_segment(tcb, env, true);
	t->summed |= (uint64_t)summed << t->count;
	t->segs[t->count++] = (struct rill_tcp_train_seg){
		b, seq, (uint16_t)(t->flags | (flags & NOT_COMMON)), sum};
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
	rill_tcp_mark_sent(tcb, b, now);
	tcb->x->prr_out += cb->len;
	tcb->last_send_ns = now;
	rill_tcp_pace_sent(tcb, cb->len, now);
	if (RILL_LIKELY(env->train != NULL))
		transmit_in_train(tcb, env, out, cb->seq, flags,
				  (cb->marks & RILL_SEND_SUMMED) != 0, rill_send_sum(b), now);
	else
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
