/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/rtx_timer.h"

#include "netstack/tcp/hold.h"
#include "netstack/tcp/mtu.h"
#include "netstack/tcp/recovery.h"
#include "netstack/tcp/reset.h"
#include "netstack/tcp/rtt.h"
#include "netstack/tcp/sendq.h"
#include "netstack/tcp/tlp.h"
#include "netstack/tcp/trace.h"
#include "netstack/tcp/uto.h"
#include "netstack/tcp/xfer.h"

#include <errno.h>

#define PERSIST_SHIFT_MAX 16

static void set(struct rill_tcb *tcb, uint64_t at, enum rill_tcp_timer timer)
{
	tcb->rtx_at = at;
	tcb->timer = (uint8_t)timer;
}

void rill_tcp_rtx_stop(struct rill_tcb *tcb)
{
	set(tcb, RILL_FOREVER, RILL_TCP_TIMER_RTO);
	if (!tcb->x)
		return;
	tcb->x->rto_at = RILL_FOREVER;
	tcb->x->tlp_at = RILL_FOREVER;
	tcb->x->reo_at = RILL_FOREVER;
}

void rill_tcp_rtx_restart(struct rill_tcb *tcb, uint64_t now)
{
	set(tcb, RILL_FOREVER, RILL_TCP_TIMER_RTO);
	tcb->x->rto_at = RILL_FOREVER;
	tcb->x->tlp_at = 0;
	tcb->x->progress_ns = now;
}

/* When the user's patience ends (RFC 5482), or RILL_FOREVER. */
static uint64_t user_deadline(const struct rill_tcb *tcb)
{
	uint32_t ms = rill_tcp_user_timeout_ms(tcb);

	return ms == 0 ? RILL_FOREVER : tcb->x->progress_ns + ms * RILL_MS;
}

static void arm_persist(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now)
{
	uint8_t shift = RILL_MIN(tcb->backoff, (uint8_t)PERSIST_SHIFT_MAX);
	uint64_t us = RILL_MIN((uint64_t)tcb->rto_us << shift, (uint64_t)env->params.rto_max_us);

	if (tcb->rtx_at != RILL_FOREVER && tcb->timer == RILL_TCP_TIMER_PERSIST)
		return;
	if (tcb->x && tcb->timer != RILL_TCP_TIMER_PERSIST)
		tcb->x->progress_ns = now;
	set(tcb, now + us * RILL_US, RILL_TCP_TIMER_PERSIST);
	if (tcb->x)
		tcb->rtx_at = RILL_MIN(tcb->rtx_at, user_deadline(tcb));
}

/* Something was sent that only an ACK will settle; the byte of a window probe is not. */
static bool in_flight(const struct rill_tcb *tcb)
{
	const struct rill_tcp_xfer *x = tcb->x;

	return x && (x->newest || x->rtx_pending > 0 || x->sacked > 0 || rill_sendq_fin_sent(tcb));
}

void rill_tcp_rtx_arm(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;
	uint64_t at;

	if (tcb->snd_una == rill_sendq_limit(tcb)) {
		rill_tcp_rtx_stop(tcb);
		return;
	}
	if (!in_flight(tcb)) {
		if (x)
			x->rto_at = RILL_FOREVER;
		if (x && (rill_tcp_cork_deadline(x) != RILL_FOREVER ||
			  (x->flags & RILL_XF_PACED_OUT) != 0))
			tcb->rtx_at = RILL_FOREVER; /* those have deadlines of their own */
		else
			arm_persist(tcb, env, now);
		return;
	}
	if (x->rto_at == RILL_FOREVER)
		x->rto_at = now + tcb->rto_us * RILL_US;
	if (x->tlp_at == 0)
		x->tlp_at = rill_tcp_tlp_deadline(tcb, env, now);
	/* RFC 8985, 7.2: where the timeout would come first, the probe takes its place. */
	if (x->tlp_at != RILL_FOREVER)
		x->tlp_at = RILL_MIN(x->tlp_at, x->rto_at);
	at = RILL_MIN(x->reo_at, x->tlp_at);
	if (at <= x->rto_at)
		set(tcb, at, at == x->reo_at ? RILL_TCP_TIMER_REORDER : RILL_TCP_TIMER_TLP);
	else
		set(tcb, x->rto_at, RILL_TCP_TIMER_RTO);
	if (RILL_UNLIKELY(rill_tcp_user_timeout_ms(tcb) != 0))
		tcb->rtx_at = RILL_MIN(tcb->rtx_at, user_deadline(tcb));
}

/* R2 (RFC 9293, 3.8.3). What ICMP said meanwhile is a better reason than silence. */
static void give_up(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	int error = tcb->soft_error ? tcb->soft_error : -ETIMEDOUT;

	rill_counter_add(&env->stats.timeouts, 1);
	rill_tcp_trace(tcb, env, RILL_TCP_EV_TIMEOUT, tcb->rtx_count, (uint32_t)-error, now);
	rill_tcp_end(tcb, env, error);
}

static uint8_t retries(const struct rill_tcb *tcb, const struct rill_tcp_params *p)
{
	if (tcb->state == RILL_TCP_SYN_SENT)
		return tcb->settings->syn_retries ? tcb->settings->syn_retries : p->syn_retries;
	if (tcb->state == RILL_TCP_SYN_RCVD)
		return p->synack_retries;
	/* The user's own patience counts instead (RFC 5482, 3). */
	if (rill_tcp_user_timeout_ms(tcb) != 0)
		return UINT8_MAX;
	return (tcb->flags & RILL_TCB_ORPHAN) != 0 ? p->orphan_retries : p->data_retries;
}

/* One more without an answer. False: that was the last, and the connection is over. */
static bool count_try(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if (tcb->rtx_count >= retries(tcb, &env->params)) {
		give_up(tcb, env, now);
		return false;
	}
	tcb->rtx_count++;
	/* R1: whoever routes may look for another way (MUST-20). */
	if (tcb->rtx_count == env->params.r1_retries)
		tcb->events |= RILL_TCB_DOUBTFUL;
	return true;
}

static void on_rto(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if (!count_try(tcb, env, now))
		return;
	if (tcb->rto_count < UINT16_MAX)
		tcb->rto_count++;
	rill_counter_add(&env->stats.rtos, 1);
	rill_tcp_rto_backoff(tcb, env);
	if (tcb->state <= RILL_TCP_SYN_RCVD) {
		tcb->flags |= RILL_TCB_SYN_RESENT | RILL_TCB_SYN_DUE;
		rill_tcp_trace(tcb, env, RILL_TCP_EV_SYN_RESENT, tcb->rtx_count, tcb->rto_us, now);
		return;
	}
	rill_tcp_trace(tcb, env, RILL_TCP_EV_RTO, tcb->rtx_count, tcb->rto_us, now);
	rill_tcp_mtu_on_rto(tcb, env, now);
	rill_tcp_on_loss_timeout(tcb, env, now);
}

static void on_persist(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if ((tcb->flags & RILL_TCB_ORPHAN) != 0 && tcb->backoff >= env->params.orphan_retries) {
		/* Nobody is left whose patience could be asked. */
		rill_counter_add(&env->stats.timeouts, 1);
		rill_tcp_reset(tcb, env, now);
		rill_tcp_end(tcb, env, -ETIMEDOUT);
		return;
	}
	tcb->flags |= RILL_TCB_PROBE;
	/* Without memory for a transfer nothing goes out, and nobody fails to answer. */
	if (!tcb->x && (tcb->flags & RILL_TCB_ORPHAN) == 0)
		return;
	if (count_try(tcb, env, now) && tcb->backoff < UINT8_MAX)
		tcb->backoff++;
}

void rill_tcp_rtx_on_timer(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	enum rill_tcp_timer timer = (enum rill_tcp_timer)tcb->timer;

	if (tcb->x && now >= user_deadline(tcb)) {
		rill_counter_add(&env->stats.user_timeouts, 1);
		rill_tcp_trace(tcb, env, RILL_TCP_EV_USER_TIMEOUT, tcb->rtx_count,
			       rill_tcp_user_timeout_ms(tcb), now);
		give_up(tcb, env, now);
		return;
	}
	tcb->rtx_at = RILL_FOREVER;
	if (tcb->x && timer == RILL_TCP_TIMER_RTO)
		tcb->x->rto_at = RILL_FOREVER;
	switch (timer) {
	case RILL_TCP_TIMER_RTO:
		on_rto(tcb, env, now);
		return;
	case RILL_TCP_TIMER_PERSIST:
		on_persist(tcb, env, now);
		return;
	case RILL_TCP_TIMER_TLP:
		rill_tcp_tlp_on_timer(tcb);
		return;
	case RILL_TCP_TIMER_REORDER:
		rill_tcp_on_reorder_timer(tcb, env, now);
		return;
	}
}
