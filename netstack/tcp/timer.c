/* SPDX-License-Identifier: BSD-3-Clause */
/* Deadlines: retransmission and persist, delayed ACK, and the waits at the end. */
#include "netstack/tcp/recovery.h"
#include "netstack/tcp/reset.h"
#include "netstack/tcp/rtt.h"
#include "netstack/tcp/tcb.h"

#include <errno.h>

uint64_t rill_tcb_next_deadline(const struct rill_tcb *tcb)
{
	uint64_t first = RILL_MIN(tcb->rtx_at, tcb->ack_at);

	return RILL_MIN(first, tcb->wait_at);
}

/* R2 (RFC 9293, 3.8.3). What ICMP said meanwhile is a better reason than silence. */
static void give_up(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	rill_counter_add(&env->stats.timeouts, 1);
	rill_tcp_end(tcb, env, tcb->soft_error ? tcb->soft_error : -ETIMEDOUT);
}

static uint8_t retries(const struct rill_tcb *tcb, const struct rill_tcp_params *p)
{
	if (tcb->state == RILL_TCP_SYN_SENT)
		return p->syn_retries;
	if (tcb->state == RILL_TCP_SYN_RCVD)
		return p->synack_retries;
	return p->data_retries;
}

static void on_retransmit(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	if (tcb->rtx_count >= retries(tcb, &env->params)) {
		give_up(tcb, env);
		return;
	}
	tcb->rtx_count++;
	tcb->rto_count++;
	rill_counter_add(&env->stats.rtos, 1);
	rill_tcp_rto_backoff(tcb, env);
	if (tcb->state <= RILL_TCP_SYN_RCVD) {
		tcb->flags |= RILL_TCB_SYN_RESENT;
		tcb->snd_rtx = tcb->iss;
		return;
	}
	rill_tcp_on_loss_timeout(tcb);
}

static void on_persist(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if (tcb->rtx_count >= env->params.data_retries) {
		give_up(tcb, env);
		return;
	}
	if ((tcb->flags & RILL_TCB_ORPHAN) != 0 && tcb->backoff >= env->params.orphan_retries) {
		/* Nobody is left whose patience could be asked. */
		rill_counter_add(&env->stats.timeouts, 1);
		rill_tcp_reset(tcb, env, now);
		rill_tcp_end(tcb, env, -ETIMEDOUT);
		return;
	}
	tcb->rtx_count++;
	if (tcb->backoff < UINT8_MAX)
		tcb->backoff++;
	tcb->flags |= RILL_TCB_PROBE;
}

void rill_tcb_on_timer(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if (now >= tcb->wait_at) {
		rill_tcp_end(tcb, env, 0);
		return;
	}
	if (now >= tcb->ack_at) {
		tcb->ack_at = RILL_FOREVER;
		tcb->flags |= RILL_TCB_ACK_NOW;
		rill_counter_add(&env->stats.delayed_acks, 1);
	}
	if (now < tcb->rtx_at)
		return;
	tcb->rtx_at = RILL_FOREVER;
	if ((tcb->flags & RILL_TCB_PERSIST) != 0)
		on_persist(tcb, env, now);
	else
		on_retransmit(tcb, env);
}
