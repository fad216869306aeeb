/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments for a half-open connection: RFC 9293, 3.10.7.4, in its order, after a passive open. */
#include "netstack/tcp/seq.h"
#include "netstack/tcp/syncache_tcb.h"

/* The most that a SYN-ACK can offer: its window is never scaled. */
#define WINDOW_MAX 65535

static bool stamped(const struct rill_tcp_seg *seg)
{
	return (seg->opt.present & RILL_TCP_OPT_TIMESTAMPS) != 0;
}

static bool uses_timestamps(const struct rill_syn_entry *e)
{
	return (e->syn.opts & RILL_TCP_OPT_TIMESTAMPS) != 0;
}

/* The peer has not heard our SYN-ACK, or not yet. */
static bool repeated_syn(const struct rill_syn_entry *e, const struct rill_tcp_seg *seg)
{
	const uint16_t kind = RILL_TCP_SYN | RILL_TCP_ACK | RILL_TCP_RST;

	return (seg->flags & kind) == RILL_TCP_SYN && seg->seq == e->syn.irs;
}

static void answer_repeated_syn(struct rill_syncache *c, struct rill_syn_entry *e,
				const struct rill_tcp_seg *seg, uint64_t now)
{
	if (uses_timestamps(e) && stamped(seg) && rill_seq_gt(seg->opt.tsval, e->syn.ts_recent))
		e->syn.ts_recent = seg->opt.tsval;
	rill_syn_entry_repeat(c, e, now);
}

/* RFC 7323, 3.2 and 5.3. */
static enum rill_drop check_timestamp(const struct rill_syn_entry *e,
				      const struct rill_tcp_seg *seg)
{
	if (!uses_timestamps(e))
		return RILL_DROP_NONE;
	if (!stamped(seg))
		return RILL_DROP_TCP_NO_TIMESTAMP;
	return rill_seq_lt(seg->opt.tsval, e->syn.ts_recent) ? RILL_DROP_TCP_PAWS : RILL_DROP_NONE;
}

static bool in_window(const struct rill_syn_entry *e, uint32_t seq)
{
	return seq - (e->syn.irs + 1) < WINDOW_MAX;
}

/* Some of it, or its edge (RFC 9293, table 6). */
static bool acceptable(const struct rill_syn_entry *e, const struct rill_tcp_seg *seg)
{
	uint32_t span = rill_tcp_seg_span(seg);

	return in_window(e, seg->seq) || (span > 0 && in_window(e, seg->seq + span - 1));
}

/* RFC 5961, 3.2. What resets a passive open goes back to LISTEN, and nobody hears of it (MUST-11).
 */
static enum rill_drop take_reset(struct rill_syncache *c, struct rill_syn_entry *e,
				 const struct rill_tcp_seg *seg, uint64_t now)
{
	if (seg->seq == e->syn.irs + 1) {
		rill_counter_add(&c->env->stats.resets_in, 1);
		rill_syncache_remove(c, e);
		return RILL_DROP_NONE;
	}
	if (in_window(e, seg->seq))
		rill_syn_entry_challenge(c, e, now);
	return RILL_DROP_TCP_RST;
}

/* Whether e goes on waiting although the handshake is complete. */
static bool waits_for_data(struct rill_syn_entry *e, const struct rill_tcp_seg *seg)
{
	if (e->defer_s == 0 || seg->len > 0 || (seg->flags & RILL_TCP_FIN) != 0)
		return false;
	e->acked = 1;
	if (uses_timestamps(e))
		e->syn.ts_recent = seg->opt.tsval;
	return true;
}

/* First to fifth of RFC 9293, 3.10.7.4, but for RST. NONE: an ACK of our SYN. */
static enum rill_drop check(struct rill_syncache *c, struct rill_syn_entry *e,
			    const struct rill_tcp_seg *seg, uint64_t now)
{
	enum rill_drop drop = check_timestamp(e, seg);

	if (drop != RILL_DROP_NONE) {
		if (drop == RILL_DROP_TCP_PAWS) {
			rill_counter_add(&c->env->stats.paws_drops, 1);
			rill_syn_entry_challenge(c, e, now);
		}
		return drop;
	}
	if (!acceptable(e, seg)) {
		rill_syn_entry_challenge(c, e, now);
		return rill_seq_leq(seg->seq, e->syn.irs) ? RILL_DROP_TCP_OLD
							  : RILL_DROP_TCP_WINDOW;
	}
	if ((seg->flags & RILL_TCP_SYN) != 0) {
		/* Fourth: a passive open returns to LISTEN, and takes the peer's next SYN. */
		rill_syncache_remove(c, e);
		return RILL_DROP_TCP_SYN;
	}
	if ((seg->flags & RILL_TCP_ACK) == 0)
		return RILL_DROP_TCP_NO_ACK;
	if (seg->ack != e->syn.iss + 1) {
		rill_tcp_reject(c->env, seg);
		return RILL_DROP_TCP_ACK;
	}
	return RILL_DROP_NONE;
}

bool rill_syncache_input(struct rill_syncache *c, struct rill_syn_entry *e,
			 const struct rill_tcp_seg *seg, uint64_t now, enum rill_drop *ret_drop)
{
	*ret_drop = RILL_DROP_NONE;
	if (repeated_syn(e, seg)) {
		answer_repeated_syn(c, e, seg, now);
		return false;
	}
	if ((seg->flags & RILL_TCP_RST) != 0) {
		*ret_drop = take_reset(c, e, seg, now);
		return false;
	}
	*ret_drop = check(c, e, seg, now);
	return *ret_drop == RILL_DROP_NONE && !waits_for_data(e, seg);
}

void rill_syncache_icmp_error(struct rill_syncache *c, struct rill_syn_entry *e, bool hard,
			      uint32_t seq)
{
	if (hard && seq == e->syn.iss)
		rill_syncache_remove(c, e);
}
