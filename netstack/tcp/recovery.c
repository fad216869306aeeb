/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/recovery.h"

#include "netstack/tcp/cc.h"
#include "netstack/tcp/sendq.h"

#define DUP_THRESH 3

static uint32_t in_flight(const struct rill_tcb *tcb)
{
	return tcb->snd_rtx - tcb->snd_una;
}

static void enter(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	tcb->cc->on_event(tcb, RILL_TCP_CC_LOSS, in_flight(tcb), 0);
	tcb->recover = tcb->snd_nxt;
	/* The three that left the network (RFC 5681, 3.2, step 3). */
	tcb->cwnd = tcb->ssthresh + DUP_THRESH * (uint32_t)tcb->snd_mss;
	tcb->flags |= RILL_TCB_RECOVERY | RILL_TCB_REPEAT_HEAD;
	tcb->flags &= ~(uint32_t)RILL_TCB_PARTIAL_ACKED;
	tcb->fast_recoveries++;
	rill_counter_add(&env->stats.fast_recoveries, 1);
}

void rill_tcp_on_dup_ack(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	rill_counter_add(&env->stats.dup_acks_in, 1);
	if (tcb->dup_acks < UINT8_MAX)
		tcb->dup_acks++;
	if ((tcb->flags & RILL_TCB_RECOVERY) != 0) {
		/*
		 * One more left the network. More than the peer could hold is no use, whatever it
		 * claims.
		 */
		if (tcb->cwnd < tcb->ssthresh + in_flight(tcb) + tcb->snd_mss)
			tcb->cwnd += tcb->snd_mss;
		return;
	}
	/*
	 * Until everything is acknowledged that was outstanding at the last recovery, duplicates
	 * are echoes of what that one sent again (RFC 6582, 3.2, step 2).
	 */
	if (tcb->dup_acks == DUP_THRESH && rill_seq_gt(tcb->snd_una, tcb->recover))
		enter(tcb, env);
}

static void leave(struct rill_tcb *tcb)
{
	uint32_t flight = RILL_MAX(in_flight(tcb), (uint32_t)tcb->snd_mss);

	/*
	 * Not all of ssthresh at once when little is outstanding: no burst (RFC 6582, 3.2, step 3).
	 */
	tcb->cwnd = RILL_MIN(tcb->ssthresh, flight + tcb->snd_mss);
	tcb->flags &= ~(uint32_t)(RILL_TCB_RECOVERY | RILL_TCB_REPEAT_HEAD);
}

bool rill_tcp_recovery_on_ack(struct rill_tcb *tcb, uint32_t acked)
{
	bool first = (tcb->flags & RILL_TCB_PARTIAL_ACKED) == 0;

	if (rill_seq_geq(tcb->snd_una, tcb->recover)) {
		leave(tcb);
		return true;
	}
	/*
	 * A partial ACK: the next hole is at snd_una. cwnd goes down by what has left the network.
	 */
	tcb->cwnd -= RILL_MIN(acked, tcb->cwnd);
	if (acked >= tcb->snd_mss)
		tcb->cwnd += tcb->snd_mss;
	tcb->cwnd = RILL_MAX(tcb->cwnd, (uint32_t)tcb->snd_mss);
	tcb->flags |= RILL_TCB_REPEAT_HEAD | RILL_TCB_PARTIAL_ACKED;
	/* "Impatient": after many losses a timeout is quicker than one hole per round trip. */
	return first;
}

void rill_tcp_on_loss_timeout(struct rill_tcb *tcb)
{
	/* Repeated timeouts of the same data say nothing new about the path (RFC 5681, 3.1). */
	if (tcb->rtx_count == 1)
		tcb->cc->on_event(tcb, RILL_TCP_CC_RTO, in_flight(tcb), 0);
	tcb->cwnd = tcb->snd_mss;
	tcb->recover = tcb->snd_nxt;
	tcb->dup_acks = 0;
	tcb->flags &= ~(uint32_t)(RILL_TCB_RECOVERY | RILL_TCB_REPEAT_HEAD);
	rill_sendq_rewind(tcb);
}

uint32_t rill_tcp_limited_transmit(const struct rill_tcb *tcb)
{
	if ((tcb->flags & RILL_TCB_RECOVERY) != 0 || tcb->snd_rtx != tcb->snd_nxt)
		return 0;
	return RILL_MIN(tcb->dup_acks, (uint8_t)(DUP_THRESH - 1)) * (uint32_t)tcb->snd_mss;
}
