/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/syncache_tcb.h"

#include "netstack/tcp/challenge.h"
#include "netstack/tcp/cookie.h"
#include "netstack/tcp/recvq.h"
#include "netstack/tcp/rtt.h"
#include "netstack/tcp/seq.h"
#include "netstack/tcp/tcb_init.h"

#include <string.h>

#define ECN_FLAGS_SHIFT 6 /* ECE, CWR and AE are next to each other */
#define ECN_FLAGS_MASK 7u
/* SYN-ACKs with a Fast Open cookie before a path that eats them is suspected (RFC 7413, 7.1). */
#define TRIES_WITH_COOKIE 2
/* RFC 9293, MUST-15: what a SYN without the option means. */
#define DEFAULT_MSS_IP4 536
#define DEFAULT_MSS_IP6 1220

static uint32_t clock_us(uint64_t now)
{
	return (uint32_t)(now / RILL_US);
}

/* ---- a SYN, kept and made again ---- */

/* tcb has just taken seg: what it agreed to counts, not what was offered. */
static void note_syn(struct rill_tcp_syn *syn, const struct rill_tcb *tcb,
		     const struct rill_tcp_seg *seg, uint64_t now)
{
	const uint8_t kept = RILL_TCP_OPT_MSS | RILL_TCP_OPT_WSCALE | RILL_TCP_OPT_SACK_PERMITTED;

	*syn = (struct rill_tcp_syn){
		.iss = tcb->iss,
		.irs = seg->seq,
		.ts_recent = tcb->ts_recent,
		.sent_us = clock_us(now),
		.mss = seg->opt.mss,
		.wnd = seg->wnd,
		.opts = seg->opt.present & kept,
		.wscale = seg->opt.wscale & 15,
		.rcv_wscale = tcb->rcv_wscale,
		.ecn_flags = (seg->flags >> ECN_FLAGS_SHIFT) & ECN_FLAGS_MASK,
		.ip_ecn = seg->ecn & 3,
	};
	if ((tcb->flags & RILL_TCB_TIMESTAMPS) != 0)
		syn->opts |= RILL_TCP_OPT_TIMESTAMPS;
	/* Made again it is one that asks, whatever it brought. */
	if ((tcb->flags & RILL_TCB_FAST_OPEN) != 0)
		syn->opts |= RILL_TCP_OPT_FAST_OPEN;
}

static void restore_syn(struct rill_tcp_seg *seg, const struct rill_tcp_syn *syn,
			const struct rill_tcb *tcb)
{
	*seg = (struct rill_tcp_seg){
		.seq = syn->irs,
		.wnd = syn->wnd,
		.flags = (uint16_t)(RILL_TCP_SYN | syn->ecn_flags << ECN_FLAGS_SHIFT),
		.ecn = syn->ip_ecn,
		.opt = {.present = syn->opts,
			.wscale = syn->wscale,
			.mss = syn->mss,
			.tsval = syn->ts_recent},
		.src_port = tcb->remote.port,
		.dst_port = tcb->local.port,
		.src = &tcb->remote.ip,
		.dst = &tcb->local.ip,
	};
}

/* SYN-RECEIVED, with the SYN-ACK still to be sent. */
static void restore_tcb(struct rill_tcb *tcb, struct rill_tcp_env *env,
			const struct rill_tcp_syn *syn, uint64_t now)
{
	struct rill_tcp_seg seg;

	restore_syn(&seg, syn, tcb);
	rill_tcb_accept_as(tcb, env, &seg, syn->iss, now);
	tcb->rcv_wscale = syn->rcv_wscale;
	if (syn->resent)
		tcb->flags |= RILL_TCB_SYN_RESENT;
}

void rill_tcb_from_handshake(struct rill_tcb *tcb, struct rill_tcp_env *env,
			     const struct rill_tcp_syn *syn, uint64_t now)
{
	restore_tcb(tcb, env, syn, now);
	tcb->snd_nxt = syn->iss + 1;
	tcb->last_ack_sent = tcb->rcv_nxt;
	rill_recvq_window(tcb, 0); /* what the SYN-ACK offered */
	if (!syn->unmeasured)
		tcb->last_send_ns = now - (uint64_t)(clock_us(now) - syn->sent_us) * RILL_US;
	tcb->rtx_at = now + tcb->rto_us * RILL_US;
}

/* ---- the tcb of a moment ---- */

static void begin(struct rill_syncache *c, struct rill_tcb *tcb, void *listener,
		  const struct rill_addr *local, const struct rill_addr *remote)
{
	rill_tcb_init(tcb, c->env, local, remote);
	c->ops->prepare(listener, tcb);
}

static void begin_entry(struct rill_syncache *c, struct rill_tcb *tcb,
			const struct rill_syn_entry *e)
{
	uint8_t family = e->ip6 ? RILL_AF_IP6 : RILL_AF_IP4;
	struct rill_addr local = {{family}, e->local_port};
	struct rill_addr remote = {{family}, e->remote_port};

	memcpy(local.ip.bytes, e->local, sizeof(e->local));
	memcpy(remote.ip.bytes, e->remote, sizeof(e->remote));
	begin(c, tcb, e->listener, &local, &remote);
}

/* Without a buffer nothing is sent; then the timer, or the peer's, asks for it again. */
static void send_and_end(struct rill_syncache *c, struct rill_tcb *tcb, uint64_t now)
{
	rill_tcb_output(tcb, c->env, now);
	rill_tcb_fini(tcb, c->env);
}

void rill_syn_entry_answer(struct rill_syncache *c, struct rill_syn_entry *e,
			   const struct rill_tcp_seg *seg, const struct rill_tcb *old, uint64_t now)
{
	struct rill_tcb tcb;
	uint32_t defer_ms;

	begin_entry(c, &tcb, e);
	rill_tcb_accept(&tcb, c->env, seg, old, now);
	note_syn(&e->syn, &tcb, seg, now);
	defer_ms = tcb.settings->defer_accept_ms;
	e->defer_s = (uint8_t)RILL_MIN((defer_ms + 999) / 1000, (uint32_t)UINT8_MAX);
	send_and_end(c, &tcb, now);
}

void rill_syn_entry_repeat(struct rill_syncache *c, struct rill_syn_entry *e, uint64_t now)
{
	struct rill_tcb tcb;

	e->syn.resent = 1;
	begin_entry(c, &tcb, e);
	restore_tcb(&tcb, c->env, &e->syn, now);
	tcb.rtx_count = e->resends;
	if (e->resends >= TRIES_WITH_COOKIE)
		tcb.flags &= ~(uint32_t)RILL_TCB_FAST_OPEN;
	rill_counter_add(&c->env->stats.retransmits, 1);
	send_and_end(c, &tcb, now);
}

void rill_syn_entry_challenge(struct rill_syncache *c, struct rill_syn_entry *e, uint64_t now)
{
	struct rill_tcb tcb;

	begin_entry(c, &tcb, e);
	rill_tcb_from_handshake(&tcb, c->env, &e->syn, now);
	rill_tcp_challenge_half_open(&tcb, c->env, now);
	send_and_end(c, &tcb, now);
}

/* ---- cookies ---- */

/* Leaves in the SYN what a cookie can say, so that nothing else is agreed to. */
static void reduce_to_cookie(struct rill_tcp_seg *seg, const struct rill_tcp_env *env)
{
	bool stamped = (seg->opt.present & RILL_TCP_OPT_TIMESTAMPS) != 0;
	const uint16_t ecn = RILL_TCP_ECE | RILL_TCP_CWR | RILL_TCP_AE;

	if ((seg->opt.present & RILL_TCP_OPT_MSS) == 0)
		seg->opt.mss = seg->src->family == RILL_AF_IP6 ? DEFAULT_MSS_IP6 : DEFAULT_MSS_IP4;
	seg->opt.mss = rill_syn_cookie_mss(seg->opt.mss);
	seg->opt.present |= RILL_TCP_OPT_MSS;
	if (stamped && !env->params.no_timestamps) {
		seg->opt.present &= RILL_TCP_OPT_MSS | RILL_TCP_OPT_WSCALE |
				    RILL_TCP_OPT_SACK_PERMITTED | RILL_TCP_OPT_TIMESTAMPS;
		/* One bit says RFC 3168, not RFC 9768. */
		seg->flags &= (uint16_t)~RILL_TCP_AE;
		return;
	}
	seg->opt.present = RILL_TCP_OPT_MSS;
	seg->flags &= (uint16_t)~ecn;
}

/* Bends the tcb's clock for the one segment that it sends. */
static void stamp(struct rill_tcb *tcb, const struct rill_tcp_seg *syn, uint64_t now)
{
	struct rill_syn_cookie_options o = {
		.wscale = RILL_SYN_COOKIE_NO_WSCALE,
		.sack = (tcb->flags & RILL_TCB_SACK) != 0,
		.ecn = (tcb->flags & RILL_TCB_ECN) != 0,
	};
	uint32_t ts_now = rill_tcp_ts_now(tcb, now);

	if ((tcb->flags & RILL_TCB_TIMESTAMPS) == 0)
		return;
	if ((tcb->flags & RILL_TCB_NO_WSCALE) == 0)
		o.wscale = syn->opt.wscale;
	tcb->ts_offset += rill_syn_cookie_stamp(ts_now, &o) - ts_now;
}

enum rill_drop rill_syn_cookie_answer(struct rill_syncache *c, void *listener,
				      const struct rill_tcp_seg *seg, const struct rill_tcb *old,
				      uint64_t now)
{
	struct rill_addr local = {*seg->dst, seg->dst_port};
	struct rill_addr remote = {*seg->src, seg->src_port};
	struct rill_tcp_seg syn = *seg;
	struct rill_tcb tcb;
	uint32_t iss;

	reduce_to_cookie(&syn, c->env);
	iss = rill_syn_cookie_make(c->env, &local, &remote, syn.seq, syn.opt.mss, now);
	/* A cookie's number can't be chosen: it must lie beyond the old connection's by itself. */
	if (old && !rill_seq_gt(iss, old->snd_nxt))
		return RILL_DROP_TCP_BACKLOG;
	begin(c, &tcb, listener, &local, &remote);
	rill_tcb_accept_as(&tcb, c->env, &syn, iss, now);
	stamp(&tcb, &syn, now);
	c->cookie_until = now + RILL_SYN_COOKIE_PERIODS * RILL_SYN_COOKIE_PERIOD_NS;
	rill_counter_add(&c->env->stats.syn_cookies_out, 1);
	send_and_end(c, &tcb, now);
	return RILL_DROP_NONE;
}

static void unstamp(struct rill_tcp_syn *syn, const struct rill_tcp_seg *seg)
{
	struct rill_syn_cookie_options o = rill_syn_cookie_unstamp(seg->opt.tsecr);

	syn->opts |= RILL_TCP_OPT_TIMESTAMPS;
	syn->ts_recent = seg->opt.tsval;
	if (o.wscale <= RILL_TCP_WSCALE_MAX) {
		syn->opts |= RILL_TCP_OPT_WSCALE;
		syn->wscale = o.wscale & 15;
	}
	if (o.sack)
		syn->opts |= RILL_TCP_OPT_SACK_PERMITTED;
	if (o.ecn)
		syn->ecn_flags = (RILL_TCP_ECE | RILL_TCP_CWR) >> ECN_FLAGS_SHIFT;
}

bool rill_syncache_cookie(struct rill_syncache *c, const struct rill_tcp_seg *seg, uint64_t now,
			  struct rill_tcp_syn *ret_syn)
{
	const uint16_t wanted = RILL_TCP_ACK | RILL_TCP_SYN | RILL_TCP_RST;
	struct rill_addr local = {*seg->dst, seg->dst_port};
	struct rill_addr remote = {*seg->src, seg->src_port};
	uint16_t mss;

	if (now >= c->cookie_until || (seg->flags & wanted) != RILL_TCP_ACK)
		return false;
	if (!rill_syn_cookie_check(c->env, &local, &remote, seg->seq - 1, seg->ack - 1, now,
				   &mss)) {
		rill_counter_add(&c->env->stats.syn_cookies_bad, 1);
		return false;
	}
	*ret_syn = (struct rill_tcp_syn){
		.iss = seg->ack - 1,
		.irs = seg->seq - 1,
		.mss = mss,
		.wnd = seg->wnd,
		.opts = RILL_TCP_OPT_MSS,
		.unmeasured = 1,
	};
	if ((seg->opt.present & RILL_TCP_OPT_TIMESTAMPS) != 0 && !c->env->params.no_timestamps)
		unstamp(ret_syn, seg);
	rill_counter_add(&c->env->stats.syn_cookies_in, 1);
	return true;
}
