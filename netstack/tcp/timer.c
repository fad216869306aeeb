/* SPDX-License-Identifier: BSD-3-Clause */
/* Deadlines: retransmission (rtx_timer.h), delayed ACK, pacing, cork, and the waits. */
#include "netstack/tcp/hold.h"
#include "netstack/tcp/pace.h"
#include "netstack/tcp/reset.h"
#include "netstack/tcp/rtx_timer.h"
#include "netstack/tcp/timewait.h"

#include <errno.h>

uint64_t rill_tcb_next_deadline(const struct rill_tcb *tcb)
{
	uint64_t first = RILL_MIN(tcb->rtx_at, tcb->ack_at);
	const struct rill_tcp_xfer *x = tcb->x;

	first = RILL_MIN(first, tcb->wait_at);
	if (!x)
		return first;
	if ((x->flags & RILL_XF_PACED_OUT) != 0)
		first = RILL_MIN(first, x->pace_at);
	return RILL_MIN(first, rill_tcp_cork_deadline(x));
}

/* wait_at has come, and it is the connection's end. */
static void end_of_waiting(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	int error = 0;

	if (rill_tcp_lingers(tcb)) {
		rill_tcp_reset(tcb, env, now);
		error = -ETIMEDOUT;
	}
	if (rill_tcp_connect_is_bounded(tcb)) {
		error = tcb->soft_error ? tcb->soft_error : -ETIMEDOUT;
		rill_counter_add(&env->stats.user_timeouts, 1);
		rill_counter_add(&env->stats.timeouts, 1);
	}
	rill_tcp_end(tcb, env, error);
}

void rill_tcb_on_timer(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if (now >= tcb->wait_at && !rill_tcp_xfer_on_wait(tcb, env, now)) {
		end_of_waiting(tcb, env, now);
		return;
	}
	if (tcb->x) {
		rill_tcp_pace_on_timer(tcb, now);
		rill_tcp_cork_on_timer(tcb->x, now);
	}
	if (now >= tcb->ack_at) {
		tcb->ack_at = RILL_FOREVER;
		tcb->flags |= RILL_TCB_ACK_NOW;
		rill_counter_add(&env->stats.delayed_acks, 1);
	}
	if (now >= tcb->rtx_at)
		rill_tcp_rtx_on_timer(tcb, env, now);
}
