/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/mtu.h"

#include "netstack/tcp/recovery.h"
#include "netstack/tcp/trace.h"

#define IP4_HEADER_LEN 20
#define IP6_HEADER_LEN 40
/* Timeouts in a row of a full segment: now it may be its size, now it was not. */
#define RTOS_SUSPECT 2
#define RTOS_INNOCENT 4
/* RFC 8201, 4: no sooner than 5 minutes, and 10 are recommended. */
#define RAISE_NS (600 * RILL_SEC)

void rill_tcp_mss_decrease(struct rill_tcb *tcb, uint16_t mss)
{
	bool lost = false;

	if (mss >= tcb->snd_mss)
		return;
	tcb->snd_mss = mss;
	if (!tcb->x)
		return;
	for (struct rill_buf *b = tcb->sendq_first; b && b->time_ns != 0;
	     b = rill_send_cb(b)->next) {
		if (rill_send_cb(b)->len <= mss)
			continue;
		rill_tcp_mark_lost(tcb, b, b->time_ns);
		lost = true;
	}
	if (lost)
		rill_tcp_repair_without_reduction(tcb);
}

static uint16_t smallest_mss(const struct rill_tcb *tcb, const struct rill_tcp_env *env)
{
	uint16_t headers = RILL_TCP_HEADER_LEN +
			   (tcb->local.ip.family == RILL_AF_IP6 ? IP6_HEADER_LEN : IP4_HEADER_LEN);

	if ((tcb->flags & RILL_TCB_TIMESTAMPS) != 0)
		headers += RILL_TCP_TIMESTAMPS_LEN;
	return (uint16_t)(env->params.mtu_min - headers);
}

static void restore(struct rill_tcb *tcb)
{
	tcb->snd_mss = RILL_MAX(tcb->snd_mss, tcb->x->mss_before);
	tcb->x->mss_before = 0;
}

void rill_tcp_mtu_on_rto(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;
	const struct rill_buf *b = tcb->sendq_first;
	uint16_t mss = smallest_mss(tcb, env);

	if (env->params.no_mtu_probing || !b)
		return;
	if (tcb->rtx_count == RTOS_INNOCENT && x->mss_before != 0) {
		restore(tcb);
		return;
	}
	if (tcb->rtx_count != RTOS_SUSPECT || x->mss_before != 0 ||
	    rill_send_cb(tcb->sendq_first)->len <= mss || tcb->snd_mss <= mss)
		return;
	x->mss_before = tcb->snd_mss;
	x->mss_raise_at = now + RAISE_NS;
	rill_counter_add(&env->stats.mtu_probes, 1);
	rill_tcp_trace(tcb, env, RILL_TCP_EV_PMTU, tcb->snd_mss, mss, now);
	rill_tcp_mss_decrease(tcb, mss);
}

void rill_tcp_mtu_on_ack(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	if ((tcb->x->flags & RILL_XF_MTU_HOLE) != 0)
		return;
	tcb->x->flags |= RILL_XF_MTU_HOLE;
	rill_counter_add(&env->stats.mtu_black_holes, 1);
}

void rill_tcp_mtu_on_time(struct rill_tcb *tcb, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;

	if (x->mss_before == 0 || now < x->mss_raise_at)
		return;
	x->flags &= ~(uint32_t)RILL_XF_MTU_HOLE;
	restore(tcb);
}
