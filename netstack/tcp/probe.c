/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/probe.h"

#include "netstack/tcp/send_segment.h"
#include "netstack/tcp/sendq.h"
#include "netstack/tcp/tlp.h"
#include "netstack/tcp/trace.h"
#include "netstack/tcp/transmit.h"

/*
 * With some window, what fits goes in spite of SWS avoidance; with none, one byte, which the peer
 * must answer (MUST-35).
 */
static bool window_probe(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	int64_t room = rill_tcp_window_room(tcb);
	struct rill_buf *b = tcb->snd_cur;

	rill_counter_add(&env->stats.window_probes, 1);
	rill_tcp_trace(tcb, env, RILL_TCP_EV_PROBE, tcb->rtx_count, tcb->backoff, now);
	if (room > 0 && b) {
		uint32_t n = RILL_MIN(rill_send_cb(b)->len, (uint32_t)tcb->snd_mss);

		return rill_tcp_send_new(tcb, env, (uint32_t)RILL_MIN((int64_t)n, room), now);
	}
	if (b) {
		if (!rill_tcp_transmit_first_byte(tcb, env, b, now))
			return false;
		tcb->snd_nxt = rill_send_cb(b)->seq + 1;
		return true;
	}
	if (!rill_tcp_transmit_empty(tcb, env, tcb->snd_end, RILL_TCP_ACK | RILL_TCP_FIN, now))
		return false;
	tcb->snd_nxt = tcb->snd_end + 1;
	return true;
}

/* RFC 8985, 7.3: a new segment, whatever cwnd says; else the one sent last. */
static void tail_loss_probe(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	struct rill_buf *b = tcb->snd_cur;
	struct rill_buf *last = tcb->x->newest;
	uint32_t n = b ? RILL_MIN(rill_send_cb(b)->len, (uint32_t)tcb->snd_mss) : 0;

	if (b && rill_tcp_window_room(tcb) >= n) {
		if (rill_tcp_send_new(tcb, env, n, now))
			rill_tcp_tlp_sent(tcb, env, false, now);
	} else if (last && rill_send_cb(last)->len <= tcb->snd_mss) {
		if (rill_tcp_transmit_queued(tcb, env, last, rill_tcp_data_flags(tcb, last), now))
			rill_tcp_tlp_sent(tcb, env, true, now);
	} else if (!last && rill_tcp_repeat_fin(tcb, env, now)) {
		rill_tcp_tlp_sent(tcb, env, true, now);
	}
	/* The RTO begins anew, whether it went or not (7.3). */
	tcb->x->rto_at = RILL_FOREVER;
}

void rill_tcp_send_probe(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	tcb->flags &= ~(uint32_t)RILL_TCB_PROBE;
	if (tcb->snd_una == rill_sendq_limit(tcb))
		return;
	if (tcb->timer == RILL_TCP_TIMER_TLP)
		tail_loss_probe(tcb, env, now);
	else if (!tcb->x->newest && tcb->x->rtx_pending == 0 && !window_probe(tcb, env, now))
		tcb->rtx_count -= tcb->rtx_count > 0; /* nobody can answer what was not sent */
}
