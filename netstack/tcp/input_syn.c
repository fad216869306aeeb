/* SPDX-License-Identifier: BSD-3-Clause */
/* The handshake: LISTEN, SYN-SENT, and the way from there to ESTABLISHED. */
#include "netstack/tcp/cc_common.h"
#include "netstack/tcp/ecn.h"
#include "netstack/tcp/fastopen.h"
#include "netstack/tcp/input.h"
#include "netstack/tcp/isn.h"
#include "netstack/tcp/keepalive.h"
#include "netstack/tcp/reset.h"
#include "netstack/tcp/rtt.h"
#include "netstack/tcp/seq.h"
#include "netstack/tcp/tcb_init.h"
#include "netstack/tcp/timewait.h"
#include "netstack/tcp/trace.h"
#include "netstack/tcp/uto.h"

#include <errno.h>

/* RFC 9293, 3.7.1, MUST-15. */
#define DEFAULT_MSS_IP4 536
#define DEFAULT_MSS_IP6 1220
/* Whatever a peer claims, a segment shall carry more than its headers cost. */
#define MSS_MIN 88
/* RFC 6298, 5.7. */
#define RTO_AFTER_LOST_SYN_US (3 * 1000 * 1000)

static void take_mss(struct rill_tcb *tcb, const struct rill_tcp_options_seen *o)
{
	uint16_t mss = tcb->local.ip.family == RILL_AF_IP6 ? DEFAULT_MSS_IP6 : DEFAULT_MSS_IP4;

	if ((o->present & RILL_TCP_OPT_MSS) != 0)
		mss = RILL_MAX(o->mss, (uint16_t)MSS_MIN);
	mss = RILL_MIN(mss, tcb->mss_ours);
	if (tcb->settings->mss_clamp != 0)
		mss = RILL_MIN(mss, tcb->settings->mss_clamp);
	/* RFC 6691: the MSS is without options, which every segment carries. */
	if ((tcb->flags & RILL_TCB_TIMESTAMPS) != 0)
		mss = (uint16_t)(mss - RILL_TCP_TIMESTAMPS_LEN);
	tcb->snd_mss = mss;
}

/*
 * The peer's SYN: numbers and options. What it does not offer is off for both (RFC 7323, 2.2, 3.2).
 */
static void take_syn(struct rill_tcb *tcb, const struct rill_tcp_env *env,
		     const struct rill_tcp_seg *seg, uint64_t now)
{
	const struct rill_tcp_options_seen *o = &seg->opt;

	tcb->irs = seg->seq;
	tcb->rcv_nxt = seg->seq + 1;
	tcb->last_ack_sent = tcb->rcv_nxt;
	if ((o->present & RILL_TCP_OPT_WSCALE) != 0 && !env->params.no_window_scale) {
		tcb->snd_wscale = o->wscale & 15;
	} else {
		tcb->snd_wscale = 0;
		tcb->rcv_wscale = 0;
		tcb->flags |= RILL_TCB_NO_WSCALE;
	}
	if ((o->present & RILL_TCP_OPT_TIMESTAMPS) != 0 && !env->params.no_timestamps) {
		tcb->flags |= RILL_TCB_TIMESTAMPS;
		tcb->ts_recent = o->tsval;
		tcb->ts_recent_s = (uint32_t)(now / RILL_SEC);
	} else {
		tcb->flags &= ~(uint32_t)RILL_TCB_TIMESTAMPS;
	}
	if ((o->present & RILL_TCP_OPT_SACK_PERMITTED) != 0 && !env->params.no_sack)
		tcb->flags |= RILL_TCB_SACK;
	else
		tcb->flags &= ~(uint32_t)RILL_TCB_SACK;
	take_mss(tcb, o);
	rill_tcp_ecn_on_syn(tcb, env, seg);
	tcb->snd_wnd = seg->wnd; /* never scaled in a SYN */
	tcb->max_snd_wnd = seg->wnd;
	tcb->snd_wl1 = seg->seq;
	tcb->snd_wl2 = seg->ack;
}

static void handshake_rtt(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;

	/* Nobody remembers when a SYN cookie went out. */
	if (tcb->last_send_ns == 0)
		return;
	if ((tcb->flags & RILL_TCB_SYN_RESENT) != 0)
		tcb->rto_us =
			RILL_MAX(rx->env->params.rto_initial_us, (uint32_t)RTO_AFTER_LOST_SYN_US);
	else if (tcb->snd_nxt == tcb->iss + 1) /* else data was sent since (RFC 7413, 4.2.2) */
		rill_tcp_rtt_sample(tcb, rx->env, rx->now - tcb->last_send_ns, 0);
}

void rill_tcp_established(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	const struct rill_tcp_seg *seg = rx->seg;
	bool passive = (tcb->flags & RILL_TCB_PASSIVE) != 0;
	uint8_t shift = (seg->flags & RILL_TCP_SYN) != 0 ? 0 : tcb->snd_wscale;

	handshake_rtt(rx);
	if ((seg->flags & RILL_TCP_SYN) == 0)
		rill_tcp_ecn_on_handshake_ack(tcb, seg);
	if ((seg->flags & RILL_TCP_SYN) != 0)
		rill_tcp_fast_open_on_synack(tcb, rx->env, seg);
	rill_tcp_uto_due(tcb);
	if ((seg->flags & RILL_TCP_SYN) != 0 && (seg->opt.present & RILL_TCP_OPT_USER_TIMEOUT) != 0)
		rill_tcp_uto_on_segment(tcb, rx->env, seg);
	/* What was sent behind an early SYN-ACK is acknowledged in its turn. */
	tcb->snd_una = rill_tcp_is_early(tcb) ? tcb->iss + 1 : seg->ack;
	tcb->recover = tcb->iss;
	tcb->snd_wnd = (uint32_t)seg->wnd << shift;
	tcb->max_snd_wnd = RILL_MAX(tcb->max_snd_wnd, tcb->snd_wnd);
	tcb->snd_wl1 = seg->seq;
	tcb->snd_wl2 = seg->ack;
	tcb->rtx_at = RILL_FOREVER;
	tcb->rtx_count = 0;
	/* The transfer begins with the first data, either way. */
	rill_tcp_cc_start(tcb, rx->env);
	tcb->state = (tcb->flags & RILL_TCB_FIN_QUEUED) != 0 ? RILL_TCP_FIN_WAIT_1
							     : RILL_TCP_ESTABLISHED;
	tcb->events |= RILL_TCB_WRITABLE;
	if (!rill_tcp_is_early(tcb))
		tcb->events |= passive ? RILL_TCB_ACCEPTABLE : RILL_TCB_CONNECTED;
	if (passive)
		rill_counter_add(&rx->env->stats.opened_passive, 1);
	else
		rill_counter_add(&rx->env->stats.opened_active, 1);
	rill_tcp_trace(tcb, rx->env, RILL_TCP_EV_ESTABLISHED, tcb->srtt_us, tcb->snd_mss, rx->now);
	tcb->last_recv_ns = rx->now;
	tcb->wait_at = RILL_MIN(tcb->wait_at, rill_tcp_keepalive_deadline(tcb, rx->now));
}

/* RFC 9293, 3.10.7.3, first: an ACK of what we did not send is a stranger's. */
static bool ack_ok(const struct rill_tcb *tcb, const struct rill_tcp_seg *seg)
{
	return rill_seq_gt(seg->ack, tcb->iss) &&
	       rill_seq_leq(seg->ack, tcb->snd_nxt + tcb->syn_data);
}

/* Both ends called at once (RFC 9293, figure 7): our SYN goes out again, with an ACK. */
static void simultaneous_open(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;

	tcb->state = RILL_TCP_SYN_RCVD;
	tcb->flags |= RILL_TCB_SYN_DUE;
	tcb->rtx_at = RILL_FOREVER;
}

enum rill_drop rill_tcp_input_syn_sent(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	struct rill_tcp_seg *seg = rx->seg;
	bool has_ack = (seg->flags & RILL_TCP_ACK) != 0;

	if (has_ack && !ack_ok(tcb, seg)) {
		rill_tcp_reject(rx->env, seg);
		return RILL_DROP_TCP_SYN_SENT;
	}
	if ((seg->flags & RILL_TCP_RST) != 0) {
		if (!has_ack)
			return RILL_DROP_TCP_RST;
		rill_counter_add(&rx->env->stats.resets_in, 1);
		rill_tcp_end(tcb, rx->env, -ECONNREFUSED);
		return RILL_DROP_NONE;
	}
	if ((seg->flags & RILL_TCP_SYN) == 0)
		return RILL_DROP_TCP_SYN_SENT;
	take_syn(tcb, rx->env, seg, rx->now);
	if (!has_ack) {
		simultaneous_open(rx);
		return RILL_DROP_NONE;
	}
	rill_tcp_established(rx);
	tcb->flags |= RILL_TCB_ACK_NOW;
	/* What follows the SYN in the same segment counts. */
	seg->seq++;
	seg->flags &= (uint8_t)~RILL_TCP_SYN;
	if (seg->len > tcb->rcv_wnd)
		return RILL_DROP_NONE;
	return rill_tcp_input_data(rx);
}

enum rill_drop rill_tcp_listen_check(struct rill_tcp_env *env, const struct rill_tcp_seg *seg)
{
	if ((seg->flags & RILL_TCP_RST) != 0)
		return RILL_DROP_TCP_LISTEN;
	if ((seg->flags & RILL_TCP_ACK) != 0) {
		rill_tcp_reject(env, seg);
		return RILL_DROP_TCP_LISTEN;
	}
	/* SYN and FIN together is no SYN that a TCP sends. */
	if ((seg->flags & (RILL_TCP_SYN | RILL_TCP_FIN)) != RILL_TCP_SYN)
		return RILL_DROP_TCP_LISTEN;
	return RILL_DROP_NONE;
}

void rill_tcb_accept_as(struct rill_tcb *tcb, struct rill_tcp_env *env,
			const struct rill_tcp_seg *seg, uint32_t iss, uint64_t now)
{
	RILL_ASSERT(tcb->state == RILL_TCP_CLOSED);
	rill_tcb_open(tcb, env, iss);
	tcb->state = RILL_TCP_SYN_RCVD;
	tcb->flags |= RILL_TCB_PASSIVE;
	take_syn(tcb, env, seg, now);
	rill_tcp_fast_open_on_syn(tcb, env, seg);
}

void rill_tcb_accept(struct rill_tcb *tcb, struct rill_tcp_env *env, const struct rill_tcp_seg *seg,
		     const struct rill_tcb *old, uint64_t now)
{
	uint32_t isn = rill_tcp_isn(env, tcb, now);

	rill_tcb_accept_as(tcb, env, seg, old ? rill_tcp_time_wait_iss(old, isn) : isn, now);
}

void rill_tcb_connect(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	RILL_ASSERT(tcb->state == RILL_TCP_CLOSED);
	rill_tcb_open(tcb, env, rill_tcp_isn(env, tcb, now));
	tcb->state = RILL_TCP_SYN_SENT;
	if (!env->params.no_timestamps)
		tcb->flags |= RILL_TCB_TIMESTAMPS;
	if (!env->params.no_sack)
		tcb->flags |= RILL_TCB_SACK;
	rill_tcp_ecn_ask(tcb, env);
	if (!env->fast_open || !env->params.fast_open_client)
		tcb->flags &= ~(uint32_t)RILL_TCB_FAST_OPEN;
}
