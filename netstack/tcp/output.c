/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What may be sent now (RFC 9293, 3.8.6). Data goes first, for it carries the ACK; ACKs that are
 * still due follow alone.
 */
#include "netstack/tcp/cc.h"
#include "netstack/tcp/recovery.h"
#include "netstack/tcp/sendq.h"
#include "netstack/tcp/tcb.h"
#include "netstack/tcp/transmit.h"

static void arm(struct rill_tcb *tcb, uint64_t at, bool persist)
{
	tcb->rtx_at = at;
	if (persist)
		tcb->flags |= RILL_TCB_PERSIST;
	else
		tcb->flags &= ~(uint32_t)RILL_TCB_PERSIST;
}

static void output_syn(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	uint16_t flags = RILL_TCP_SYN;

	if (tcb->snd_rtx != tcb->iss)
		return;
	if (tcb->state == RILL_TCP_SYN_RCVD)
		flags |= RILL_TCP_ACK;
	if (rill_tcp_transmit_empty(tcb, env, tcb->iss, flags, now)) {
		if (tcb->snd_nxt != tcb->iss) {
			tcb->retransmits++;
			rill_counter_add(&env->stats.retransmits, 1);
		}
		tcb->snd_rtx = tcb->iss + 1;
		tcb->snd_nxt = tcb->iss + 1;
		tcb->last_send_ns = now;
	}
	if (tcb->rtx_at == RILL_FOREVER)
		arm(tcb, now + tcb->rto_us * RILL_US, false);
}

/* What the peer's window still takes beyond snd_rtx; negative when the peer shrank it (MUST-34). */
static int64_t window_room(const struct rill_tcb *tcb)
{
	return (int64_t)tcb->snd_wnd - (int64_t)(tcb->snd_rtx - tcb->snd_una);
}

static bool cwnd_allows(const struct rill_tcb *tcb, uint32_t n)
{
	uint32_t pipe = tcb->snd_rtx - tcb->snd_una;

	/* Whole segments only; but one may always be under way. */
	return pipe == 0 || pipe + n <= tcb->cwnd + rill_tcp_limited_transmit(tcb);
}

/* Nagle (RFC 9293, 3.7.4): a small last segment waits while something is outstanding. */
static bool nagle_holds(const struct rill_tcb *tcb, uint32_t n)
{
	if (n >= tcb->snd_mss || (tcb->flags & (RILL_TCB_NODELAY | RILL_TCB_FIN_QUEUED)) != 0)
		return false;
	return tcb->snd_rtx + n == tcb->snd_end && tcb->snd_rtx == tcb->snd_nxt &&
	       tcb->snd_una != tcb->snd_nxt;
}

/*
 * How much of n bytes may go. Sender SWS avoidance (RFC 9293, 3.8.6.2.1): a segment that the window
 * cuts short goes only if it is half of the largest window seen; the persist timer overrides.
 */
static uint32_t sendable(const struct rill_tcb *tcb, uint32_t n)
{
	int64_t room = window_room(tcb);

	if (room <= 0 || !cwnd_allows(tcb, n) || nagle_holds(tcb, n))
		return 0;
	if (room >= n)
		return n;
	return room >= tcb->max_snd_wnd / 2 ? (uint32_t)room : 0;
}

/* The FIN goes with the last byte when the window has a number for it. */
static uint8_t data_flags(const struct rill_tcb *tcb, uint32_t n)
{
	uint16_t flags = RILL_TCP_ACK;

	if (tcb->snd_rtx + n != tcb->snd_end)
		return flags;
	flags |= RILL_TCP_PSH; /* nothing is behind it to wait for (MUST-61) */
	if ((tcb->flags & RILL_TCB_FIN_QUEUED) != 0 && window_room(tcb) > n)
		flags |= RILL_TCP_FIN;
	return flags;
}

static bool send_segment(struct rill_tcb *tcb, struct rill_tcp_env *env, uint32_t n, uint64_t now)
{
	struct rill_buf *b = tcb->snd_cur;
	uint16_t flags = data_flags(tcb, n);
	uint32_t off = tcb->snd_rtx - rill_send_cb(b)->seq;

	if (!rill_tcp_transmit_queued(tcb, env, b, off, n, flags, now))
		return false;
	rill_sendq_advance(tcb, n);
	tcb->snd_rtx += !!(flags & RILL_TCP_FIN);
	if (rill_seq_gt(tcb->snd_rtx, tcb->snd_nxt)) {
		tcb->bytes_sent += n;
		tcb->snd_nxt = tcb->snd_rtx;
	}
	return true;
}

static bool send_fin(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if (tcb->snd_rtx != tcb->snd_end || (tcb->flags & RILL_TCB_FIN_QUEUED) == 0 ||
	    window_room(tcb) <= 0)
		return false;
	if (!rill_tcp_transmit_empty(tcb, env, tcb->snd_end, RILL_TCP_ACK | RILL_TCP_FIN, now))
		return false;
	tcb->snd_rtx++;
	tcb->snd_nxt = rill_seq_max(tcb->snd_nxt, tcb->snd_rtx);
	tcb->last_send_ns = now;
	return true;
}

static bool send_next(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	struct rill_send_cb *cb;
	uint32_t n;

	if (!tcb->snd_cur)
		return send_fin(tcb, env, now);
	cb = rill_send_cb(tcb->snd_cur);
	n = sendable(tcb, RILL_MIN(cb->seq + cb->len - tcb->snd_rtx, (uint32_t)tcb->snd_mss));
	return n > 0 && send_segment(tcb, env, n, now);
}

/* Fast retransmit: the first segment again, whatever cwnd says. */
static void repeat_head(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	struct rill_buf *b = tcb->sendq_first;
	uint32_t n;

	tcb->flags &= ~(uint32_t)RILL_TCB_REPEAT_HEAD;
	if (tcb->snd_una == tcb->snd_nxt || tcb->snd_wnd == 0)
		return;
	if (!b) {
		rill_tcp_transmit_empty(tcb, env, tcb->snd_una, RILL_TCP_ACK | RILL_TCP_FIN, now);
		return;
	}
	n = RILL_MIN(rill_send_cb(b)->len, (uint32_t)tcb->snd_mss);
	n = RILL_MIN(n, tcb->snd_wnd);
	n = RILL_MIN(n, tcb->snd_nxt - tcb->snd_una); /* what was never sent has its own time */
	rill_tcp_transmit_queued(tcb, env, b, 0, n, RILL_TCP_ACK, now);
}

/*
 * The persist timer expired. With some window, what fits goes in spite of SWS avoidance; with none,
 * one byte beyond the edge, which the peer must answer (MUST-35). snd_rtx stays: the byte is not
 * counted on.
 */
static void send_probe(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	int64_t room = window_room(tcb);
	struct rill_buf *b = tcb->snd_cur;
	bool sent;

	tcb->flags &= ~(uint32_t)RILL_TCB_PROBE;
	if (tcb->snd_rtx != tcb->snd_una || tcb->snd_una == rill_sendq_limit(tcb))
		return;
	rill_counter_add(&env->stats.window_probes, 1);
	if (room > 0 && b) {
		struct rill_send_cb *cb = rill_send_cb(b);
		uint32_t n = RILL_MIN(cb->seq + cb->len - tcb->snd_rtx, (uint32_t)tcb->snd_mss);

		send_segment(tcb, env, (uint32_t)RILL_MIN((int64_t)n, room), now);
		return;
	}
	if (b) {
		rill_send_cb(b)->marks |=
			RILL_SEND_EVER_RETRANS; /* the answer may take its time: no measurement */
		sent = rill_tcp_transmit_queued(tcb, env, b, 0, 1, RILL_TCP_ACK, now);
	} else {
		sent = rill_tcp_transmit_empty(tcb, env, tcb->snd_una, RILL_TCP_ACK | RILL_TCP_FIN,
					       now);
	}
	if (sent)
		tcb->snd_nxt = rill_seq_max(tcb->snd_nxt, tcb->snd_una + 1);
}

/*
 * RFC 6298, 5.1 to 5.3; the persist timer takes its place when nothing is under way but something
 * waits.
 */
static void set_timer(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now)
{
	bool waits = tcb->snd_una != rill_sendq_limit(tcb);
	bool persist = tcb->snd_rtx == tcb->snd_una;

	if (!waits) {
		arm(tcb, RILL_FOREVER, false);
		return;
	}
	if (tcb->rtx_at != RILL_FOREVER && persist == ((tcb->flags & RILL_TCB_PERSIST) != 0))
		return;
	if (persist) {
		uint64_t us = (uint64_t)tcb->rto_us << RILL_MIN(tcb->backoff, (uint8_t)16);

		arm(tcb, now + RILL_MIN(us, (uint64_t)env->params.rto_max_us) * RILL_US, true);
		return;
	}
	arm(tcb, now + tcb->rto_us * RILL_US, false);
}

static void restart_if_idle(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now)
{
	if (tcb->snd_una == tcb->snd_nxt && now - tcb->last_send_ns > tcb->rto_us * RILL_US)
		tcb->cc->on_idle(tcb, env, now);
}

static void output_data(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	restart_if_idle(tcb, env, now);
	if ((tcb->flags & RILL_TCB_REPEAT_HEAD) != 0)
		repeat_head(tcb, env, now);
	if ((tcb->flags & RILL_TCB_PROBE) != 0)
		send_probe(tcb, env, now);
	while (send_next(tcb, env, now))
		continue;
	RILL_DEBUG_ASSERT(rill_tcb_valid(tcb));
}

/* ACKs that no data carried. Out-of-order segments get one each (RFC 5681, 3.2). */
static void output_acks(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	uint32_t n = RILL_MAX(tcb->dup_acks_due, (uint16_t)1);

	while (n-- > 0) {
		if (!rill_tcp_transmit_empty(tcb, env, tcb->snd_nxt, RILL_TCP_ACK, now)) {
			/* Without a buffer now, soon. */
			tcb->ack_at = now + env->params.delack_us * RILL_US;
			return;
		}
	}
}

void rill_tcb_output(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	const uint32_t due = RILL_TCB_REPEAT_HEAD | RILL_TCB_PROBE;

	if (tcb->state == RILL_TCP_CLOSED)
		return;
	/* Data would carry the ACK, but a duplicate counts only when it comes alone. */
	if (RILL_UNLIKELY(tcb->dup_acks_due > 0))
		output_acks(tcb, env, now);
	if (tcb->state <= RILL_TCP_SYN_RCVD) {
		output_syn(tcb, env, now);
	} else if (tcb->state != RILL_TCP_TIME_WAIT) {
		if (tcb->snd_rtx != rill_sendq_limit(tcb) || (tcb->flags & due) != 0)
			output_data(tcb, env, now);
		if (tcb->rtx_at != RILL_FOREVER || tcb->snd_una != rill_sendq_limit(tcb))
			set_timer(tcb, env, now);
	}
	if ((tcb->flags & RILL_TCB_ACK_NOW) != 0)
		output_acks(tcb, env, now);
}
