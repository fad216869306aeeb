/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/ecn.h"

#include "netstack/tcp/accecn.h"
#include "netstack/tcp/cc.h"
#include "netstack/tcp/seq.h"
#include "netstack/tcp/transmit.h"

/* RFC 9768, 3.2.1: where both counters begin, so that zero is conspicuous. */
#define ACE_FIRST 5u
#define ACE_MASK 7u
/* SYNs and SYN-ACKs sent with ECN flags before a path that eats them is suspected. */
#define TRIES_WITH_ECN 2

/* The ECN flags of a header as three bits: AE, CWR, ECE. */
enum code {
	CODE_NONE = 0,
	CODE_CLASSIC_SYNACK = 1,
	CODE_NOT_ECT = 2,
	CODE_CLASSIC_SYN = 3, /* in a SYN; elsewhere ECT(1) */
	CODE_ECT1 = 3,
	CODE_ECT0 = 4,
	CODE_NONCE = 5,
	CODE_CE = 6,
	CODE_ACCECN = 7,
};

/* syn_ecn: the ECN field of the peer's SYN or SYN-ACK, and what has not happened yet. */
#define SYN_ECN_FIELD 3u
#define SYN_ECN_ECHO_DUE 4u	/* a client's: the ACK of the SYN-ACK tells how that arrived */
#define SYN_ECN_FIRST_UNSEEN 8u /* the peer's first segment without SYN has not come */

static unsigned code_of(uint16_t flags)
{
	return (flags & (RILL_TCP_ECE | RILL_TCP_CWR | RILL_TCP_AE)) / RILL_TCP_ECE;
}

static uint16_t flags_of(unsigned code)
{
	return (uint16_t)(code * RILL_TCP_ECE);
}

/* RFC 9768, table 2 and 3. */
static unsigned handshake_code(uint8_t ecn)
{
	static const uint8_t codes[] = {
		[RILL_ECN_NOT_ECT] = CODE_NOT_ECT,
		[RILL_ECN_ECT1] = CODE_ECT1,
		[RILL_ECN_ECT0] = CODE_ECT0,
		[RILL_ECN_CE] = CODE_CE,
	};

	return codes[ecn & SYN_ECN_FIELD];
}

static void set_mode(struct rill_tcb *tcb, uint32_t flags)
{
	tcb->flags &= ~(uint32_t)(RILL_TCB_ECN | RILL_TCB_ACCECN);
	tcb->flags |= flags;
}

void rill_tcp_ecn_ask(struct rill_tcb *tcb, const struct rill_tcp_env *env)
{
	if (env->params.ecn == RILL_TCP_ECN_ACCURATE)
		set_mode(tcb, RILL_TCB_ECN | RILL_TCB_ACCECN);
	else if (env->params.ecn == RILL_TCP_ECN_ON || tcb->cc->needs_ecn)
		set_mode(tcb, RILL_TCB_ECN);
}

/* Any combination not assigned asks for AccECN, or what it will have become (RFC 9768, 3.1.3). */
static uint32_t agreed_with_syn(const struct rill_tcb *tcb, const struct rill_tcp_env *env,
				unsigned code)
{
	if (code == CODE_NONE || (env->params.ecn == RILL_TCP_ECN_OFF && !tcb->cc->needs_ecn))
		return 0;
	return code == CODE_CLASSIC_SYN ? RILL_TCB_ECN : RILL_TCB_ECN | RILL_TCB_ACCECN;
}

static uint32_t agreed_with_synack(const struct rill_tcb *tcb, unsigned code)
{
	if ((tcb->flags & RILL_TCB_ECN) == 0 || code == CODE_NONE || code == CODE_ACCECN)
		return 0;
	if (code == CODE_CLASSIC_SYNACK || code == CODE_NONCE)
		return RILL_TCB_ECN;
	return tcb->flags & RILL_TCB_ACCECN ? RILL_TCB_ECN | RILL_TCB_ACCECN : 0;
}

void rill_tcp_ecn_on_syn(struct rill_tcb *tcb, const struct rill_tcp_env *env,
			 const struct rill_tcp_seg *seg)
{
	unsigned code = code_of(seg->flags);
	bool answer = (seg->flags & RILL_TCP_ACK) != 0;

	set_mode(tcb, answer ? agreed_with_synack(tcb, code) : agreed_with_syn(tcb, env, code));
	if ((tcb->flags & RILL_TCB_ACCECN) == 0)
		return;
	tcb->ce_count = ACE_FIRST;
	tcb->delivered_ce = 0;
	tcb->syn_ecn = (uint8_t)((seg->ecn & SYN_ECN_FIELD) | SYN_ECN_FIRST_UNSEEN);
	if (!answer)
		return;
	tcb->syn_ecn |= SYN_ECN_ECHO_DUE;
	if (seg->ecn == RILL_ECN_CE)
		tcb->ce_count++;
}

void rill_tcp_ecn_on_handshake_ack(struct rill_tcb *tcb, const struct rill_tcp_seg *seg)
{
	if ((tcb->flags & RILL_TCB_ACCECN) == 0)
		return;
	/* Only a bare ACK bears the handshake's code; one with data counts already. */
	if (seg->len > 0 || (seg->opt.present & RILL_TCP_OPT_SACK) != 0)
		return;
	if (code_of(seg->flags) == CODE_CE)
		tcb->delivered_ce = 1;
	/* That ACK is no counter yet: but zero says that something clears the bits (3.2.2.4). */
	tcb->syn_ecn &= (uint8_t)~SYN_ECN_FIRST_UNSEEN;
	if (code_of(seg->flags) == CODE_NONE)
		set_mode(tcb, 0);
}

/* RFC 3168, 6.1.3: from the first CE on, until the sender says that it has slowed down. */
static void classic_on_data(struct rill_tcb *tcb, const struct rill_tcp_seg *seg)
{
	if ((seg->flags & RILL_TCP_CWR) != 0) {
		tcb->flags &= ~(uint32_t)RILL_TCB_ECE_DUE;
		/* cwnd may be one segment now: it shall not wait for a second one. */
		tcb->flags |= RILL_TCB_ACK_NOW;
	}
	if (seg->ecn == RILL_ECN_CE)
		tcb->flags |= RILL_TCB_ECE_DUE;
}

static void set_ce_state(struct rill_tcb *tcb, bool ce)
{
	if (ce)
		tcb->flags |= RILL_TCB_ECE_DUE;
	else
		tcb->flags &= ~(uint32_t)RILL_TCB_ECE_DUE;
}

/*
 * RFC 8257, 3.2: an ACK speaks of segments of one kind only. When the kind changes, what is still
 * unacknowledged is acknowledged as the old kind first.
 */
static void dctcp_on_data(struct rill_tcp_rx *rx, bool ce)
{
	struct rill_tcb *tcb = rx->tcb;

	if (ce == ((tcb->flags & RILL_TCB_ECE_DUE) != 0))
		return;
	if (tcb->rcv_nxt != tcb->last_ack_sent)
		rill_tcp_transmit_empty(tcb, rx->env, tcb->snd_nxt, RILL_TCP_ACK, rx->now);
	set_ce_state(tcb, ce);
	tcb->flags |= RILL_TCB_ACK_NOW;
}

/* RFC 9768, 3.2.2.5.1: the sender must not wait for news of CE, nor the counter go round. */
static void accecn_on_data(struct rill_tcb *tcb, bool ce)
{
	if (ce)
		tcb->flags |= RILL_TCB_ACK_NOW;
	set_ce_state(tcb, ce);
}

/* The first segment without SYN: a counter of zero means that something clears the field. */
static void check_first(struct rill_tcb *tcb, const struct rill_tcp_seg *seg)
{
	tcb->syn_ecn &= (uint8_t)~SYN_ECN_FIRST_UNSEEN;
	if (code_of(seg->flags) == 0)
		set_mode(tcb, 0);
}

void rill_tcp_ecn_on_segment(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	const struct rill_tcp_seg *seg = rx->seg;
	bool ce = seg->ecn == RILL_ECN_CE;

	if ((tcb->flags & RILL_TCB_ECN) == 0)
		return;
	if (ce)
		rill_counter_add(&rx->env->stats.ce_in, 1);
	if ((tcb->flags & RILL_TCB_ACCECN) != 0) {
		tcb->ce_count = (uint8_t)((tcb->ce_count + ce) & ACE_MASK);
		if ((tcb->syn_ecn & SYN_ECN_FIRST_UNSEEN) != 0 && tcb->state > RILL_TCP_SYN_RCVD)
			check_first(tcb, seg);
		if (seg->len > 0) {
			rill_tcp_accecn_count(rx);
			accecn_on_data(tcb, ce);
		}
		return;
	}
	/* CE on a segment without data is none (RFC 3168, 6.1.4). */
	if (seg->len == 0)
		return;
	if (tcb->cc->needs_ecn)
		dctcp_on_data(rx, ce);
	else
		classic_on_data(tcb, seg);
}

/* After some SYNs without an answer those that follow ask for nothing (RFC 3168, 6.1.1.1). */
static uint16_t syn_flags(struct rill_tcb *tcb, uint16_t flags)
{
	if (tcb->rtx_count >= TRIES_WITH_ECN)
		set_mode(tcb, 0);
	if ((tcb->flags & RILL_TCB_ECN) == 0)
		return 0;
	if ((flags & RILL_TCP_ACK) == 0)
		return flags_of(tcb->flags & RILL_TCB_ACCECN ? CODE_ACCECN : CODE_CLASSIC_SYN);
	if ((tcb->flags & RILL_TCB_ACCECN) == 0)
		return flags_of(CODE_CLASSIC_SYNACK);
	return flags_of(handshake_code(tcb->syn_ecn));
}

static uint16_t ace_flags(struct rill_tcb *tcb, uint32_t len)
{
	bool echo = (tcb->syn_ecn & SYN_ECN_ECHO_DUE) != 0;

	tcb->syn_ecn &= (uint8_t)~SYN_ECN_ECHO_DUE;
	if (echo && len == 0)
		return flags_of(handshake_code(tcb->syn_ecn));
	return flags_of(tcb->ce_count);
}

/* New, and not a probe beyond the window (RFC 3168, 6.1.5, 6.1.6). */
static bool new_data(const struct rill_tcb *tcb, uint32_t seq, uint32_t len)
{
	return len > 0 && rill_seq_geq(seq, tcb->snd_nxt) &&
	       rill_seq_leq(seq + len, tcb->snd_una + tcb->snd_wnd);
}

struct rill_tcp_ecn_out rill_tcp_ecn_out(struct rill_tcb *tcb, uint32_t seq, uint32_t len,
					 uint16_t flags)
{
	struct rill_tcp_ecn_out ret = {0, RILL_ECN_NOT_ECT};

	if ((tcb->flags & RILL_TCB_ECN) == 0 || (flags & RILL_TCP_RST) != 0)
		return ret;
	if ((flags & RILL_TCP_SYN) != 0) {
		ret.flags = syn_flags(tcb, flags);
		return ret;
	}
	if ((tcb->flags & RILL_TCB_ACCECN) != 0)
		ret.flags = ace_flags(tcb, len);
	else if ((tcb->flags & RILL_TCB_ECE_DUE) != 0)
		ret.flags = RILL_TCP_ECE;
	if (!new_data(tcb, seq, len))
		return ret;
	ret.ecn = RILL_ECN_ECT0;
	if ((tcb->flags & RILL_TCB_CWR_DUE) != 0) {
		tcb->flags &= ~(uint32_t)RILL_TCB_CWR_DUE;
		ret.flags |= RILL_TCP_CWR;
	}
	return ret;
}

/*
 * How many segments with CE the counter went on by. When so many were acknowledged that it may have
 * gone round, the largest number it can stand for (RFC 9768, 3.2.2.5.2).
 */
static uint32_t ace_advance(const struct rill_tcb *tcb, const struct rill_tcp_seg *seg,
			    uint32_t segments)
{
	uint32_t d = (code_of(seg->flags) - ACE_FIRST - tcb->delivered_ce) & ACE_MASK;

	return segments > ACE_MASK ? segments - ((segments - d) & ACE_MASK) : d;
}

/*
 * The same with the bytes that arrived with CE: the smallest number of segments that they can be
 * and the counter allows.
 */
static uint32_t ace_advance_by(const struct rill_tcb *tcb, const struct rill_tcp_seg *seg,
			       uint32_t ce_bytes)
{
	uint32_t d = (code_of(seg->flags) - ACE_FIRST - tcb->delivered_ce) & ACE_MASK;
	uint32_t least = (ce_bytes + tcb->snd_mss - 1) / tcb->snd_mss;

	return least + ((d - least) & ACE_MASK);
}

struct rill_tcp_ecn_feedback rill_tcp_ecn_on_ack(struct rill_tcb *tcb,
						 const struct rill_tcp_seg *seg, uint32_t delivered)
{
	struct rill_tcp_ecn_feedback ret = {0};
	uint32_t segments = (delivered + tcb->snd_mss - 1) / tcb->snd_mss;
	uint32_t ce_bytes;

	if ((tcb->flags & RILL_TCB_ECN) == 0)
		return ret;
	if ((tcb->flags & RILL_TCB_ACCECN) == 0) {
		ret.ece = (seg->flags & RILL_TCP_ECE) != 0;
		ret.ce_delivered = ret.ece ? delivered : 0;
		tcb->delivered_ce += ret.ece ? segments : 0;
		return ret;
	}
	/* An ACK that brings no news may be one that was overtaken: its counter is the past's. */
	if (delivered == 0)
		return ret;
	if (rill_tcp_accecn_on_ack(tcb, seg, delivered, &ce_bytes)) {
		segments = ace_advance_by(tcb, seg, ce_bytes);
	} else {
		segments = ace_advance(tcb, seg, segments);
		ce_bytes = segments * tcb->snd_mss;
	}
	tcb->delivered_ce += segments;
	ret.ece = segments > 0;
	ret.ce_delivered = RILL_MIN(ce_bytes, delivered);
	return ret;
}
