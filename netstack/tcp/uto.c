/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/uto.h"

/* On the wire: 15 bits, of seconds, or of minutes where G is set (RFC 5482, 3). */
#define MINUTES 0x8000u
#define VALUE_MAX 0x7fffu
#define SECOND_MS 1000u
#define MINUTE_MS (60u * SECOND_MS)

/*
 * L_LIMIT and U_LIMIT (3.1): whatever a peer says, no connection breaks sooner than RFC 1122 has it
 * (R2), and none keeps its buffers for longer than this without a word.
 */
#define LEAST_MS (100u * SECOND_MS)
#define MOST_MS (60u * MINUTE_MS)

static uint16_t encode(uint32_t ms)
{
	uint32_t seconds = (ms + SECOND_MS - 1) / SECOND_MS;

	if (seconds <= VALUE_MAX)
		return (uint16_t)seconds;
	return (uint16_t)(MINUTES |
			  RILL_MIN((ms + MINUTE_MS - 1) / MINUTE_MS, (uint32_t)VALUE_MAX));
}

static uint32_t decode(uint16_t option)
{
	return (option & VALUE_MAX) * ((option & MINUTES) != 0 ? MINUTE_MS : SECOND_MS);
}

void rill_tcp_uto_option(struct rill_tcb *tcb, uint16_t flags, uint32_t len,
			 struct rill_tcp_options_seen *o)
{
	if ((flags & RILL_TCP_SYN) == 0) {
		if ((tcb->flags & RILL_TCB_UTO_DUE) == 0 || len > 0)
			return;
		tcb->flags &= ~(uint32_t)RILL_TCB_UTO_DUE;
	}
	o->present |= RILL_TCP_OPT_USER_TIMEOUT;
	o->user_timeout = encode(tcb->settings->uto_ms);
}

void rill_tcp_uto_due(struct rill_tcb *tcb)
{
	if (tcb->settings->uto_ms != 0)
		tcb->flags |= RILL_TCB_UTO_DUE;
}

/* 3.1: min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT)), where L_LIMIT exceeds the RTO. */
static uint32_t agreed_ms(const struct rill_tcb *tcb, uint32_t remote_ms)
{
	uint32_t ms = RILL_MAX(tcb->settings->uto_ms, remote_ms);

	ms = RILL_MAX(ms, LEAST_MS);
	ms = RILL_MAX(ms, 2 * (tcb->rto_us / 1000));
	return RILL_MIN(ms, MOST_MS);
}

void rill_tcp_uto_on_segment(struct rill_tcb *tcb, struct rill_tcp_env *env,
			     const struct rill_tcp_seg *seg)
{
	uint32_t remote_ms = decode(seg->opt.user_timeout);
	struct rill_tcp_settings *s = tcb->settings;
	uint32_t ms;

	/* Nobody asked for it, or zero, which means nothing (3.1). */
	if (s->uto_ms == 0 || s->user_timeout_ms != 0 || remote_ms == 0)
		return;
	ms = agreed_ms(tcb, remote_ms);
	if (ms == s->peer_timeout_ms)
		return;
	/* Without memory it stays as it was: a suggestion is no promise. */
	s = rill_tcp_settings_own(tcb, env);
	if (s)
		s->peer_timeout_ms = ms;
}
