/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What may be sent now (RFC 9293, 3.8.6). First what is LOST, then probes, then new data: each as
 * far as cwnd, the peer's window and the pacer let it. Data carries the ACK; ACKs that are still
 * due follow alone.
 */
#include "netstack/tcp/cc.h"
#include "netstack/tcp/chrono.h"
#include "netstack/tcp/fastopen.h"
#include "netstack/tcp/frto.h"
#include "netstack/tcp/hold.h"
#include "netstack/tcp/pace.h"
#include "netstack/tcp/probe.h"
#include "netstack/tcp/rate.h"
#include "netstack/tcp/rtx_timer.h"
#include "netstack/tcp/scoreboard.h"
#include "netstack/tcp/send_segment.h"
#include "netstack/tcp/timewait.h"
#include "netstack/tcp/train.h"
#include "netstack/tcp/transmit.h"

static bool send_syn(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	uint16_t flags = RILL_TCP_SYN;

	if (tcb->state == RILL_TCP_SYN_RCVD)
		flags |= RILL_TCP_ACK;
	else if (RILL_UNLIKELY((tcb->flags & RILL_TCB_FAST_OPEN) != 0))
		return rill_tcp_fast_open_send_syn(tcb, env, now);
	return rill_tcp_transmit_empty(tcb, env, tcb->iss, flags, now);
}

static void output_syn(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if ((tcb->flags & RILL_TCB_SYN_DUE) == 0 && tcb->snd_nxt != tcb->iss)
		return;
	if (send_syn(tcb, env, now)) {
		if (tcb->snd_nxt != tcb->iss) {
			tcb->retransmits++;
			rill_counter_add(&env->stats.retransmits, 1);
		}
		tcb->flags &= ~(uint32_t)RILL_TCB_SYN_DUE;
		tcb->snd_nxt = rill_seq_max(tcb->snd_nxt, tcb->iss + 1);
		tcb->last_send_ns = now;
	}
	if (tcb->rtx_at == RILL_FOREVER) {
		tcb->rtx_at = now + tcb->rto_us * RILL_US;
		tcb->timer = RILL_TCP_TIMER_RTO;
	}
	if (rill_tcp_connect_is_bounded(tcb) && tcb->wait_at == RILL_FOREVER)
		tcb->wait_at = now + tcb->settings->user_timeout_ms * RILL_MS;
}

/* ---- again ---- */

static bool cwnd_allows(const struct rill_tcb *tcb, uint32_t n)
{
	uint32_t pipe = rill_tcp_pipe(tcb);

	/*
	 * Whole segments only; but one may always be under way. A SYN or the byte of a window probe
	 * is none.
	 */
	return pipe == 0 || !tcb->x->newest || pipe + n <= tcb->cwnd;
}

/*
 * What the peer took back of its window is not sent again, but for the first segment: somebody has
 * to ask (RFC 9293, 3.8.6, MUST-34).
 */
static bool may_repeat(struct rill_tcb *tcb, struct rill_buf *b, uint64_t now)
{
	const struct rill_tcp_xfer *x = tcb->x;

	if (b != tcb->sendq_first && rill_seq_gt(rill_send_end(b), tcb->snd_una + tcb->snd_wnd))
		return false;
	/* A timeout has waited long enough. */
	if ((x->flags & RILL_XF_REPEAT_HEAD) != 0)
		return true;
	return cwnd_allows(tcb, rill_send_cb(b)->len) && rill_tcp_pace_allows(tcb, now);
}

static void repeat_lost(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;
	struct rill_buf *b;

	if ((x->flags & RILL_XF_FRTO_NEW_DATA) != 0)
		return;
	while ((b = rill_tcp_next_lost(tcb))) {
		if (!may_repeat(tcb, b, now))
			return;
		/* The path may have become narrower. */
		if (rill_send_cb(b)->len > tcb->snd_mss &&
		    !rill_sendq_split(tcb, env, b, tcb->snd_mss))
			return;
		if (!rill_tcp_transmit_queued(tcb, env, b, rill_tcp_data_flags(tcb, b), now))
			return;
		x->flags &= ~(uint32_t)RILL_XF_REPEAT_HEAD;
	}
	/* Only the FIN is missing. */
	if ((x->flags & RILL_XF_REPEAT_HEAD) != 0 && !tcb->sendq_first)
		rill_tcp_repeat_fin(tcb, env, now);
	x->flags &= ~(uint32_t)RILL_XF_REPEAT_HEAD;
}

/* ---- new data ---- */

/*
 * How much of n bytes may go. Sender SWS avoidance (RFC 9293, 3.8.6.2.1): a segment that the window
 * cuts short goes only if it is half of the largest window seen; the persist timer overrides.
 */
static uint32_t sendable(struct rill_tcb *tcb, uint32_t n, uint64_t now)
{
	int64_t room = rill_tcp_window_room(tcb);

	if (room <= 0 || !cwnd_allows(tcb, n) || rill_tcp_held_back(tcb, n, now))
		return 0;
	if (room >= n)
		return n;
	return room >= tcb->max_snd_wnd / 2 ? (uint32_t)room : 0;
}

static bool send_next(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	uint32_t n;

	if (!tcb->snd_cur)
		return rill_tcp_send_fin(tcb, env, now);
	n = sendable(tcb, RILL_MIN(rill_send_cb(tcb->snd_cur)->len, (uint32_t)tcb->snd_mss), now);
	return n > 0 && rill_tcp_pace_allows(tcb, now) && rill_tcp_send_new(tcb, env, n, now);
}

static void restart_if_idle(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now)
{
	if (tcb->snd_una != tcb->snd_nxt)
		return;
	tcb->x->progress_ns = now;
	if (tcb->last_send_ns != 0 && now - tcb->last_send_ns > tcb->rto_us * RILL_US)
		tcb->cc->on_idle(tcb, env, now);
}

static void send_all_kinds(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	repeat_lost(tcb, env, now);
	if ((tcb->flags & RILL_TCB_PROBE) != 0)
		rill_tcp_send_probe(tcb, env, now);
	while (send_next(tcb, env, now))
		continue;
	if (RILL_UNLIKELY((tcb->x->flags & RILL_XF_FRTO_NEW_DATA) != 0) &&
	    rill_tcp_frto_is_stuck(tcb))
		repeat_lost(tcb, env, now);
}

static RILL_NOINLINE void send_train(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	struct rill_tcp_train train;

	rill_tcp_train_begin(&train, tcb, env);
	send_all_kinds(tcb, env, now);
	rill_tcp_train_end(env);
}

/* One segment is quicker by itself. */
static void send_data(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	uint32_t bytes = tcb->x->rtx_pending + (tcb->snd_end - tcb->snd_nxt);

	if (bytes > tcb->snd_mss && !env->params.no_trains)
		send_train(tcb, env, now);
	else
		send_all_kinds(tcb, env, now);
}

static void output_data(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	/* Without memory for a transfer the persist timer tries again. */
	if (!rill_tcp_xfer_get(tcb, env, now))
		return;
	restart_if_idle(tcb, env, now);
	send_data(tcb, env, now);
	rill_tcp_rate_check_app_limited(tcb);
	rill_tcp_chrono_on_output(tcb, now);
	if (RILL_UNLIKELY(tcb->settings->notsent_lowat != 0) && rill_tcb_writable(tcb))
		tcb->events |= RILL_TCB_WRITABLE;
	RILL_DEBUG_ASSERT(rill_tcb_valid(tcb));
}

/* Whether there is anything to do but to wait. */
static bool data_due(const struct rill_tcb *tcb)
{
	const struct rill_tcp_xfer *x = tcb->x;

	if (tcb->snd_nxt != rill_sendq_limit(tcb) || (tcb->flags & RILL_TCB_PROBE) != 0)
		return true;
	return x && (x->rtx_pending > 0 || (x->flags & RILL_XF_REPEAT_HEAD) != 0);
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
	if (tcb->state == RILL_TCP_CLOSED)
		return;
	/* Data would carry the ACK, but a duplicate counts only when it comes alone. */
	if (RILL_UNLIKELY(tcb->dup_acks_due > 0))
		output_acks(tcb, env, now);
	if (tcb->state <= RILL_TCP_SYN_RCVD) {
		output_syn(tcb, env, now);
		/* RFC 7413, 4.2.2: the answer to what the SYN brought need not wait. */
		if (RILL_UNLIKELY(rill_tcp_is_early(tcb)) && tcb->snd_nxt != tcb->iss &&
		    data_due(tcb))
			output_data(tcb, env, now);
	} else if (tcb->state != RILL_TCP_TIME_WAIT) {
		if (data_due(tcb))
			output_data(tcb, env, now);
		if (tcb->rtx_at != RILL_FOREVER || tcb->snd_una != rill_sendq_limit(tcb))
			rill_tcp_rtx_arm(tcb, env, now);
	}
	if ((tcb->flags & RILL_TCB_ACK_NOW) != 0)
		output_acks(tcb, env, now);
}
