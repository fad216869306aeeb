/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/xfer.h"

#include "netstack/tcp/cc.h"
#include "netstack/tcp/chrono.h"
#include "netstack/tcp/keepalive.h"
#include "netstack/tcp/mtu.h"
#include "netstack/tcp/pace.h"
#include "netstack/tcp/sendq.h"
#include "netstack/tcp/timewait.h"

#include <string.h>

/* wait_at is about the connection then, and nobody else may move it. */
static bool waits_for_the_end(const struct rill_tcb *tcb)
{
	return tcb->state == RILL_TCP_TIME_WAIT || rill_tcp_lingers(tcb) ||
	       rill_tcp_connect_is_bounded(tcb) ||
	       (tcb->state == RILL_TCP_FIN_WAIT_2 && (tcb->flags & RILL_TCB_ORPHAN) != 0);
}

struct rill_tcp_xfer *rill_tcp_xfer_get(struct rill_tcb *tcb, struct rill_tcp_env *env,
					uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;

	if (RILL_LIKELY(x))
		return x;
	x = rill_slab_alloc(&env->xfers);
	if (!x) {
		rill_counter_add(&env->stats.no_memory, 1);
		return NULL;
	}
	memset(x, 0, sizeof(*x));
	x->reo_wnd_mult = 1;
	x->min_rtt_us = tcb->min_rtt_us;
	x->min_rtt_ns = now;
	x->high_sacked = tcb->snd_una;
	x->undo_mark = tcb->snd_una;
	x->undo_until = tcb->snd_una;
	x->cwr_seq = tcb->snd_una;
	x->rack_dsack_seq = tcb->snd_una;
	x->rto_at = RILL_FOREVER;
	x->tlp_at = RILL_FOREVER;
	x->reo_at = RILL_FOREVER;
	x->progress_ns = now;
	x->delivered_ns = now;
	x->first_tx_ns = now;
	x->rcv_space_seq = tcb->rcv_nxt - tcb->rcv_queued;
	x->rcv_space_ns = now;
	x->chrono_since_ns = now;
	tcb->x = x;
	rill_tcp_chrono_begin(tcb);
	if (env->params.rest_us != 0 && !waits_for_the_end(tcb))
		tcb->wait_at = RILL_MIN(tcb->wait_at, now + env->params.rest_us * RILL_US);
	tcb->cc->init(tcb, env, now);
	rill_tcp_pace_update(tcb, env);
	return x;
}

bool rill_tcp_xfer_at_rest(const struct rill_tcb *tcb)
{
	return tcb->snd_una == rill_sendq_limit(tcb) && !tcb->recvq.first &&
	       !(tcb->x && (tcb->x->reass.first || tcb->x->accecn)) && tcb->ack_at == RILL_FOREVER;
}

/* How long it has rested is looked at once for each rest_us, so that traffic need not set a timer.
 */
static void rest(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	uint64_t rest_ns = env->params.rest_us * RILL_US;
	uint64_t last = RILL_MAX(tcb->last_send_ns, tcb->last_recv_ns);

	rill_tcp_mtu_on_time(tcb, now);
	if (tcb->x->mss_before != 0) {
		tcb->wait_at = now + rest_ns;
		return;
	}
	/* Ever more seldom: what nobody reads may lie there for days. */
	if (!rill_tcp_xfer_at_rest(tcb)) {
		tcb->wait_at = now + RILL_MAX(rest_ns, now - RILL_MIN(last, now));
		return;
	}
	tcb->wait_at = RILL_FOREVER;
	if (now - last >= rest_ns)
		rill_tcp_xfer_drop(tcb, env);
	else
		tcb->wait_at = last + rest_ns;
}

bool rill_tcp_xfer_on_wait(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if (waits_for_the_end(tcb))
		return false;
	tcb->wait_at = RILL_FOREVER;
	if (tcb->x && env->params.rest_us != 0)
		rest(tcb, env, now);
	rill_tcp_keepalive_on_wait(tcb, env, now);
	return true;
}

void rill_tcp_xfer_drop(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	if (!tcb->x)
		return;
	rill_tcp_chrono_end(tcb);
	/* They would begin anew, and what is told must never go back. */
	if (tcb->x->accecn)
		tcb->flags |= RILL_TCB_NO_ACCECN_OPT;
	tcb->min_rtt_us = tcb->x->min_rtt_us;
	rill_slab_free(&env->xfers, tcb->x);
	tcb->x = NULL;
}
