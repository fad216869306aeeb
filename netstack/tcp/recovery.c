/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/recovery.h"

#include "netstack/tcp/cc.h"
#include "netstack/tcp/ecn.h"
#include "netstack/tcp/frto.h"
#include "netstack/tcp/prr.h"
#include "netstack/tcp/rack.h"
#include "netstack/tcp/tlp.h"
#include "netstack/tcp/trace.h"
#include "netstack/tcp/undo.h"

#define DUP_THRESH 3
/* Segments that one ACK may have looked at, see sack.h. */
#define COUNT_STEPS_MAX 512

static bool has_sack(const struct rill_tcb *tcb)
{
	return (tcb->flags & RILL_TCB_SACK) != 0;
}

static bool uses_rack(const struct rill_tcb *tcb, const struct rill_tcp_env *env)
{
	return has_sack(tcb) && !env->params.no_rack;
}

/* FlightSize. What limited transmit sent beyond cwnd is none of it (RFC 5681, 3.2, step 2). */
static uint32_t flight(const struct rill_tcb *tcb)
{
	return RILL_MIN(tcb->snd_nxt - tcb->snd_una, tcb->cwnd);
}

bool rill_tcp_recovery_idle(const struct rill_tcb *tcb)
{
	const struct rill_tcp_xfer *x = tcb->x;

	return x->ca_state == RILL_TCP_CA_OPEN && x->sacked == 0 && x->lost == 0 &&
	       x->reno_sacked == 0 && (x->flags & (RILL_XF_TLP_OUT | RILL_XF_UNDO)) == 0;
}

/* ---- without SACK ---- */

/* A segment has left the network, which one is not known. */
static void count_duplicate(struct rill_tcb *tcb, struct rill_tcp_acked *a)
{
	struct rill_tcp_xfer *x = tcb->x;
	uint32_t out = tcb->snd_nxt - tcb->snd_una - x->lost;
	uint32_t room = x->reno_sacked < out ? out - x->reno_sacked : 0;
	uint32_t n = RILL_MIN((uint32_t)tcb->snd_mss, room);

	x->reno_sacked += n;
	a->delivered += n;
}

/* One of the segments acknowledged was the hole; the others had been counted. */
static void uncount_duplicates(struct rill_tcb *tcb, struct rill_tcp_acked *a)
{
	struct rill_tcp_xfer *x = tcb->x;
	uint32_t counted = a->bytes > tcb->snd_mss ? a->bytes - tcb->snd_mss : 0;

	counted = RILL_MIN(counted, x->reno_sacked);
	x->reno_sacked -= counted;
	a->delivered -= RILL_MIN(counted, a->delivered);
	/* Whatever the peer claims, no more than there is. */
	x->reno_sacked = RILL_MIN(x->reno_sacked, tcb->snd_nxt - tcb->snd_una - x->lost);
}

static void mark_first_lost(struct rill_tcb *tcb, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;
	struct rill_buf *b = tcb->sendq_first;
	uint32_t out = tcb->snd_nxt - tcb->snd_una;

	if (b && b->time_ns != 0)
		rill_tcp_mark_lost(tcb, b, now);
	x->reno_sacked = RILL_MIN(x->reno_sacked, out - x->lost);
}

static void reno_on_ack(struct rill_tcb *tcb, struct rill_tcp_acked *a)
{
	struct rill_tcp_xfer *x = tcb->x;

	if (a->advanced) {
		x->dup_acks = 0;
		uncount_duplicates(tcb, a);
		if (x->ca_state == RILL_TCP_CA_LOSS)
			x->reno_sacked = 0;
	} else if (a->dup) {
		if (x->dup_acks < UINT8_MAX)
			x->dup_acks++;
		/* Outside of recovery no more than RFC 3042 trusts. */
		if (x->ca_state >= RILL_TCP_CA_RECOVERY || x->dup_acks <= DUP_THRESH)
			count_duplicate(tcb, a);
	}
}

/*
 * The third duplicate, or a partial ACK. Until everything is acknowledged that was outstanding at
 * the last recovery, duplicates are echoes of what that one sent again (RFC 6582, 3.2, step 2).
 */
static void reno_detect(struct rill_tcb *tcb, const struct rill_tcp_acked *a)
{
	struct rill_tcp_xfer *x = tcb->x;

	if (x->ca_state == RILL_TCP_CA_RECOVERY) {
		if (!a->advanced)
			return;
		mark_first_lost(tcb, a->now);
		/* At once, whatever PRR makes of it: no other ACK may come (RFC 6582, 3.2). */
		x->flags |= RILL_XF_REPEAT_HEAD;
	} else if (x->ca_state != RILL_TCP_CA_LOSS && x->dup_acks >= DUP_THRESH &&
		   rill_seq_gt(tcb->snd_una, tcb->recover)) {
		mark_first_lost(tcb, a->now);
	}
}

/* RFC 6675, 4, IsLost(), for those that do not want RACK: three segments arrived behind it. */
static void count_detect(struct rill_tcb *tcb, const struct rill_tcp_acked *a)
{
	struct rill_tcp_xfer *x = tcb->x;
	uint32_t above = x->sacked_segs;
	uint32_t steps = COUNT_STEPS_MAX;

	if (!a->sacked && !a->advanced)
		return;
	for (struct rill_buf *b = tcb->sendq_first; b && above >= DUP_THRESH && steps > 0;
	     b = rill_send_cb(b)->next, steps--) {
		const struct rill_send_cb *cb = rill_send_cb(b);

		if ((cb->marks & RILL_SEND_SACKED) != 0)
			above--;
		else if ((cb->marks & RILL_SEND_RETRANS) == 0)
			rill_tcp_mark_lost(tcb, b, a->now);
	}
}

/* ---- in and out of the states ---- */

static void reduce(struct rill_tcb *tcb, enum rill_tcp_cc_event event, uint64_t now)
{
	rill_tcp_undo_begin(tcb);
	tcb->cc->on_event(tcb, event, flight(tcb), now);
	rill_tcp_ecn_reduced(tcb);
	tcb->x->cwr_seq = tcb->snd_nxt;
}

/* a NULL: by a timer. */
static void enter_recovery(struct rill_tcb *tcb, struct rill_tcp_env *env,
			   const struct rill_tcp_acked *a, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;

	rill_tcp_prr_begin(tcb, a);
	reduce(tcb, RILL_TCP_CC_LOSS, now);
	x->ca_state = RILL_TCP_CA_RECOVERY;
	tcb->recover = tcb->snd_nxt;
	x->flags |= RILL_XF_REPEAT_HEAD;
	x->flags &= ~(uint32_t)(RILL_XF_PARTIAL_ACKED | RILL_XF_TLP_OUT);
	x->tlp_at = RILL_FOREVER;
	if (tcb->fast_recoveries < UINT16_MAX)
		tcb->fast_recoveries++;
	rill_counter_add(&env->stats.fast_recoveries, 1);
	rill_tcp_trace(tcb, env, RILL_TCP_EV_RECOVERY, tcb->snd_una - tcb->iss, flight(tcb), now);
}

static void become_open(struct rill_tcb *tcb)
{
	struct rill_tcp_xfer *x = tcb->x;

	if (x->sacked + x->reno_sacked > 0)
		x->ca_state = RILL_TCP_CA_DISORDER;
	else if (x->ca_state != RILL_TCP_CA_CWR || rill_seq_geq(tcb->snd_una, x->cwr_seq))
		x->ca_state = RILL_TCP_CA_OPEN;
	if (rill_seq_gt(tcb->snd_una, x->undo_until))
		x->flags &= ~(uint32_t)RILL_XF_UNDO;
	x->flags &= ~(uint32_t)(RILL_XF_REPEAT_HEAD | RILL_XF_FRTO | RILL_XF_FRTO_NEW_DATA);
}

/* All that was outstanding when it began has arrived. */
static void leave_recovery(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;
	bool timeout = x->ca_state == RILL_TCP_CA_LOSS;

	if (x->ca_state == RILL_TCP_CA_RECOVERY && !tcb->cc->own_recovery) {
		uint32_t pipe = RILL_MAX(rill_tcp_pipe(tcb), (uint32_t)tcb->snd_mss);

		/*
		 * RFC 9937: cwnd is ssthresh now. Without SACK PRR had to guess, and may leave
		 * little outstanding: then no burst (RFC 6582, 3.2, step 3).
		 */
		tcb->cwnd = tcb->ssthresh;
		if (!has_sack(tcb))
			tcb->cwnd = RILL_MIN(tcb->cwnd, pipe + tcb->snd_mss);
	}
	x->dup_acks = 0;
	x->undo_until = tcb->snd_nxt; /* the D-SACKs of what was sent again come within this */
	rill_tcp_rack_recovered(tcb);
	become_open(tcb);
	if (tcb->cc->on_recovered)
		tcb->cc->on_recovered(tcb, now);
	if (timeout)
		rill_tcp_trace(tcb, env, RILL_TCP_EV_RTO_OVER, tcb->snd_una - tcb->iss, tcb->cwnd,
			       now);
	else
		rill_tcp_trace(tcb, env, RILL_TCP_EV_RECOVERED, tcb->snd_una - tcb->iss, tcb->cwnd,
			       now);
}

/* The loss was none. */
static void undo(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;

	if (x->ca_state == RILL_TCP_CA_LOSS)
		rill_counter_add(&env->stats.spurious_rtos, 1);
	rill_tcp_undo(tcb, env, now);
	rill_tcp_trace(tcb, env, RILL_TCP_EV_UNDO, tcb->snd_una - tcb->iss, tcb->cwnd, now);
	if (x->ca_state >= RILL_TCP_CA_RECOVERY) {
		become_open(tcb);
		x->dup_acks = 0;
	}
}

/* ---- on an ACK ---- */

static void detect(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_tcp_acked *a)
{
	if (!has_sack(tcb)) {
		reno_detect(tcb, a);
	} else if (env->params.no_rack) {
		count_detect(tcb, a);
	} else {
		rill_tcp_rack_adapt(tcb, a);
		rill_tcp_rack_detect(tcb, a->now);
	}
}

/* The probe had repaired the only loss: cwnd is reduced, nothing is left to be sent again. */
static void on_tlp_repair(struct rill_tcb *tcb, uint64_t now)
{
	reduce(tcb, RILL_TCP_CC_LOSS, now);
	if (!tcb->cc->own_recovery)
		tcb->cwnd = RILL_MIN(tcb->cwnd, tcb->ssthresh);
	if (tcb->cc->on_recovered)
		tcb->cc->on_recovered(tcb, now);
}

/* At most once for each round trip (RFC 3168, 6.1.2), and losses count as well. */
void rill_tcp_on_ece(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;

	if (x->ca_state >= RILL_TCP_CA_CWR || rill_seq_lt(tcb->snd_una, x->cwr_seq))
		return;
	/* cwnd is halved (RFC 3168, 6.1.2): this ACK may have left nothing outstanding. */
	tcb->cc->on_event(tcb, RILL_TCP_CC_ECN, tcb->cwnd, now);
	if (!tcb->cc->own_recovery)
		tcb->cwnd = RILL_MIN(tcb->cwnd, tcb->ssthresh);
	rill_tcp_ecn_reduced(tcb);
	x->cwr_seq = tcb->snd_nxt;
	x->ca_state = RILL_TCP_CA_CWR;
	rill_counter_add(&env->stats.ecn_reductions, 1);
	rill_tcp_trace(tcb, env, RILL_TCP_EV_CE, tcb->snd_una - tcb->iss, tcb->cwnd, now);
}

/* begins: with this ACK. */
static void in_recovery(struct rill_tcb *tcb, const struct rill_tcp_acked *a, bool begins)
{
	struct rill_tcp_xfer *x = tcb->x;

	if (a->advanced)
		x->flags |= RILL_XF_PARTIAL_ACKED;
	if (tcb->cc->own_recovery)
		return;
	/* The first must set cwnd, also where only time passed and nothing has arrived. */
	rill_tcp_prr_on_ack(tcb, begins ? RILL_MAX(a->delivered, 1u) : a->delivered, a->advanced,
			    (uint32_t)(x->lost_total - a->prior_lost));
}

void rill_tcp_recovery_on_ack(struct rill_tcb *tcb, struct rill_tcp_env *env, uint32_t ack,
			      struct rill_tcp_acked *a)
{
	struct rill_tcp_xfer *x = tcb->x;
	bool begins;

	if (!has_sack(tcb))
		reno_on_ack(tcb, a);
	rill_tcp_undo_on_dsack(tcb, env, a);
	if (rill_tcp_undo_due(tcb, a))
		undo(tcb, env, a->now);
	if (x->ca_state == RILL_TCP_CA_LOSS && rill_tcp_frto_on_ack(tcb, a))
		undo(tcb, env, a->now);
	if (rill_tcp_tlp_on_ack(tcb, env, ack, a) && x->ca_state <= RILL_TCP_CA_DISORDER)
		on_tlp_repair(tcb, a->now);
	if (x->ca_state >= RILL_TCP_CA_RECOVERY && rill_seq_geq(tcb->snd_una, tcb->recover))
		leave_recovery(tcb, env, a->now);
	detect(tcb, env, a);
	begins = x->ca_state < RILL_TCP_CA_RECOVERY && x->lost > 0;
	if (begins)
		enter_recovery(tcb, env, a, a->now);
	else if (x->ca_state < RILL_TCP_CA_RECOVERY)
		become_open(tcb);
	if (x->ca_state == RILL_TCP_CA_RECOVERY)
		in_recovery(tcb, a, begins);
	/* Something arrived out of order, or recovery is at work: no need of a probe. */
	if (x->sacked > 0 || x->ca_state >= RILL_TCP_CA_RECOVERY)
		x->tlp_at = RILL_FOREVER;
}

/* ---- by timers ---- */

void rill_tcp_on_reorder_timer(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;
	uint32_t pipe = rill_tcp_pipe(tcb);

	rill_tcp_rack_detect(tcb, now);
	if (rill_tcp_pipe(tcb) == pipe)
		return;
	if (x->ca_state < RILL_TCP_CA_RECOVERY)
		enter_recovery(tcb, env, NULL, now);
	/* Nothing has arrived, but the fast retransmit must not wait for it. */
	if (x->ca_state == RILL_TCP_CA_RECOVERY && !tcb->cc->own_recovery)
		rill_tcp_prr_on_ack(tcb, 1, false, 1);
}

/* What was sent again is lost too, or was: all is to be sent once more, but what may be on its way.
 */
static void mark_on_timeout(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;
	struct rill_buf *first = tcb->sendq_first;
	bool reneged = first && (rill_send_cb(first)->marks & RILL_SEND_SACKED) != 0;

	x->reno_sacked = 0;
	/*
	 * A receiver that had the first segment would have acknowledged it. So it has thrown away
	 * what it SACKed (RFC 2018, 8); else its word holds (RFC 6675, 5.1), unless silence goes
	 * on.
	 */
	if (reneged || (x->sacked > 0 && tcb->rtx_count > 1)) {
		if (reneged) {
			rill_counter_add(&env->stats.sack_reneges, 1);
			rill_tcp_trace(tcb, env, RILL_TCP_EV_RENEGE, tcb->snd_una - tcb->iss,
				       x->sacked, now);
		}
		rill_tcp_unmark_sacked(tcb);
	}
	if (uses_rack(tcb, env) && !reneged)
		rill_tcp_rack_mark_on_rto(tcb, now);
	else
		rill_tcp_mark_lost_before(tcb, RILL_FOREVER, now);
	x->rtx_next = NULL;
}

void rill_tcp_on_loss_timeout(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;
	bool first = tcb->rtx_count == 1;

	/* Repeated timeouts of the same data say nothing new about the path (RFC 5681, 3.1). */
	if (first)
		reduce(tcb, RILL_TCP_CC_RTO, now);
	mark_on_timeout(tcb, env, now);
	rill_tcp_frto_begin(tcb, env, first && x->ca_state != RILL_TCP_CA_LOSS);
	if (!tcb->cc->own_recovery)
		tcb->cwnd = tcb->snd_mss;
	tcb->recover = tcb->snd_nxt;
	x->ca_state = RILL_TCP_CA_LOSS;
	x->dup_acks = 0;
	x->reo_at = RILL_FOREVER;
	x->tlp_at = RILL_FOREVER;
	x->flags &= ~(uint32_t)(RILL_XF_TLP_OUT | RILL_XF_PARTIAL_ACKED);
	/* Also when no buffer is LOST: then a FIN is. */
	x->flags |= RILL_XF_REPEAT_HEAD;
}

void rill_tcp_repair_without_reduction(struct rill_tcb *tcb)
{
	struct rill_tcp_xfer *x = tcb->x;

	x->rtx_next = NULL;
	x->reno_sacked = 0;
	if (x->ca_state >= RILL_TCP_CA_RECOVERY)
		return;
	x->ca_state = RILL_TCP_CA_LOSS;
	tcb->recover = tcb->snd_nxt;
	x->tlp_at = RILL_FOREVER;
	x->flags &= ~(uint32_t)(RILL_XF_UNDO | RILL_XF_TLP_OUT);
}
