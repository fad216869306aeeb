/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/send_segment.h"

#include "netstack/tcp/cc.h"
#include "netstack/tcp/sendq.h"
#include "netstack/tcp/transmit.h"
#include "netstack/tcp/undo.h"

/* A byte that was only a probe counts as not sent. */
static uint32_t next_seq(const struct rill_tcb *tcb)
{
	return tcb->snd_cur ? rill_send_cb(tcb->snd_cur)->seq : tcb->snd_nxt;
}

int64_t rill_tcp_window_room(const struct rill_tcb *tcb)
{
	return (int64_t)tcb->snd_wnd - (int64_t)(next_seq(tcb) - tcb->snd_una);
}

uint16_t rill_tcp_data_flags(const struct rill_tcb *tcb, struct rill_buf *b)
{
	uint32_t end = rill_send_end(b);
	uint16_t flags = RILL_TCP_ACK;

	if (end != tcb->snd_end)
		return flags;
	flags |= RILL_TCP_PSH; /* nothing is behind it to wait for (MUST-61) */
	if (b->time_ns != 0)
		return rill_sendq_fin_sent(tcb) ? flags | RILL_TCP_FIN : flags;
	if ((tcb->flags & RILL_TCB_FIN_QUEUED) != 0 &&
	    rill_seq_lt(end, tcb->snd_una + tcb->snd_wnd))
		flags |= RILL_TCP_FIN;
	return flags;
}

bool rill_tcp_send_new(struct rill_tcb *tcb, struct rill_tcp_env *env, uint32_t n, uint64_t now)
{
	struct rill_buf *b = tcb->snd_cur;
	uint16_t flags;

	if (n < rill_send_cb(b)->len && !rill_sendq_split(tcb, env, b, n))
		return false;
	flags = rill_tcp_data_flags(tcb, b);
	if (tcb->cc->on_send)
		tcb->cc->on_send(tcb, n, now);
	if (!rill_tcp_transmit_queued(tcb, env, b, flags, now))
		return false;
	rill_sendq_sent(tcb);
	if ((flags & RILL_TCP_FIN) != 0)
		tcb->snd_nxt++;
	tcb->x->tlp_at = 0;
	tcb->x->cork_at = 0;
	return true;
}

static bool transmit_fin(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if (!rill_tcp_transmit_empty(tcb, env, tcb->snd_end, RILL_TCP_ACK | RILL_TCP_FIN, now))
		return false;
	tcb->last_send_ns = now;
	return true;
}

bool rill_tcp_send_fin(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if ((tcb->flags & RILL_TCB_FIN_QUEUED) == 0 || tcb->snd_nxt != tcb->snd_end ||
	    rill_tcp_window_room(tcb) <= 0)
		return false;
	if (!transmit_fin(tcb, env, now))
		return false;
	tcb->snd_nxt++;
	tcb->x->tlp_at = 0;
	return true;
}

bool rill_tcp_repeat_fin(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if (!rill_sendq_fin_sent(tcb) || !transmit_fin(tcb, env, now))
		return false;
	tcb->retransmits++;
	rill_counter_add(&env->stats.retransmits, 1);
	rill_tcp_undo_on_retransmit(tcb, tcb->snd_end, tcb->snd_end + 1, now);
	return true;
}
