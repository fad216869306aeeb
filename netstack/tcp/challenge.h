/* SPDX-License-Identifier: BSD-3-Clause */
/* Challenge ACKs and their rate limit (RFC 5961, 7), which all connections of an env share. */
#ifndef RILL_NETSTACK_TCP_CHALLENGE_H
#define RILL_NETSTACK_TCP_CHALLENGE_H

#include "netstack/tcp/tcb.h"

/* Makes an ACK due, unless too many went out within this second. */
void rill_tcp_challenge(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);

#endif
