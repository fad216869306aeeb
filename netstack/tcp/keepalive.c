/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/keepalive.h"

#include "netstack/tcp/reset.h"
#include "netstack/tcp/sendq.h"
#include "netstack/tcp/timewait.h"
#include "netstack/tcp/trace.h"
#include "netstack/tcp/transmit.h"
#include "netstack/tcp/uto.h"

#include <errno.h>

/* The peer may still be there, and owes us nothing yet. */
static bool applies(const struct rill_tcb *tcb)
{
	return tcb->settings->keepalive && tcb->state >= RILL_TCP_ESTABLISHED &&
	       tcb->state != RILL_TCP_TIME_WAIT &&
	       !(tcb->state == RILL_TCP_FIN_WAIT_2 && (tcb->flags & RILL_TCB_ORPHAN) != 0);
}

static uint64_t idle_ns(const struct rill_tcb *tcb)
{
	return tcb->settings->keep_idle_ms * RILL_MS;
}

uint64_t rill_tcp_keepalive_deadline(const struct rill_tcb *tcb, uint64_t now)
{
	uint64_t at = tcb->last_recv_ns + idle_ns(tcb);

	if (!applies(tcb))
		return RILL_FOREVER;
	if (tcb->snd_una != rill_sendq_limit(tcb))
		return RILL_MAX(at, now + idle_ns(tcb));
	/* Something came since the last probe: as if there had been none. */
	if (now < at)
		return at;
	return at + tcb->keep_probes * (uint64_t)tcb->settings->keep_intvl_ms * RILL_MS;
}

static bool gave_enough_time(const struct rill_tcb *tcb, uint64_t now)
{
	uint64_t timeout_ns = rill_tcp_user_timeout_ms(tcb) * RILL_MS;

	if (timeout_ns != 0)
		return tcb->keep_probes > 0 && now - tcb->last_recv_ns >= timeout_ns;
	return tcb->keep_probes >= tcb->settings->keep_count;
}

static void give_up(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	rill_counter_add(&env->stats.timeouts, 1);
	rill_tcp_reset(tcb, env, now);
	rill_tcp_end(tcb, env, tcb->soft_error ? tcb->soft_error : -ETIMEDOUT);
}

static void probe(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	tcb->keep_probes++;
	tcb->probes++;
	rill_counter_add(&env->stats.keepalives, 1);
	rill_tcp_trace(tcb, env, RILL_TCP_EV_KEEPALIVE, tcb->keep_probes,
		       (uint32_t)((now - tcb->last_recv_ns) / RILL_SEC), now);
	rill_tcp_transmit_empty(tcb, env, tcb->snd_nxt - 1, RILL_TCP_ACK, now);
}

void rill_tcp_keepalive_on_wait(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if (!applies(tcb))
		return;
	if (now - tcb->last_recv_ns < idle_ns(tcb))
		tcb->keep_probes = 0;
	if (now >= rill_tcp_keepalive_deadline(tcb, now)) {
		if (gave_enough_time(tcb, now)) {
			give_up(tcb, env, now);
			return;
		}
		probe(tcb, env, now);
	}
	tcb->wait_at = RILL_MIN(tcb->wait_at, rill_tcp_keepalive_deadline(tcb, now));
}

void rill_tcb_settings_changed(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	tcb->keep_probes = 0;
	rill_tcp_fin_wait_2_bound(tcb, env, now);
	tcb->wait_at = RILL_MIN(tcb->wait_at, rill_tcp_keepalive_deadline(tcb, now));
}
