/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The user timeout option (RFC 5482): each end suggests for how long data may stay unacknowledged,
 * so that a connection outlives a path that both expect to come back. With settings->uto_ms
 * (ADV_UTO; the option is ENABLED) it goes out with the SYN or SYN-ACK, and with the next ACK
 * without data after the handshake and after each change, where it never costs a full segment its
 * room. What the peer suggests counts unless the user has set a timeout (then it is not
 * CHANGEABLE), within the bounds of uto.c.
 */
#ifndef RILL_NETSTACK_TCP_UTO_H
#define RILL_NETSTACK_TCP_UTO_H

#include "netstack/tcp/input.h"

/* USER_TIMEOUT, in ms; 0: as the number of retransmissions says. */
static inline uint32_t rill_tcp_user_timeout_ms(const struct rill_tcb *tcb)
{
	const struct rill_tcp_settings *s = tcb->settings;

	/* What the peer said counts as long as we suggest something, too. */
	if (s->user_timeout_ms != 0 || s->uto_ms == 0)
		return s->user_timeout_ms;
	return s->peer_timeout_ms;
}

/* A segment with flags and len bytes is about to be sent; with settings->uto_ms. */
void rill_tcp_uto_option(struct rill_tcb *tcb, uint16_t flags, uint32_t len,
			 struct rill_tcp_options_seen *o);
/* The option is to be sent: the connection was opened, or uto_ms has changed. */
void rill_tcp_uto_due(struct rill_tcb *tcb);
/* An acceptable segment with the option. */
void rill_tcp_uto_on_segment(struct rill_tcb *tcb, struct rill_tcp_env *env,
			     const struct rill_tcp_seg *seg);

#endif
