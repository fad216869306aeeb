/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ACKs for what is not acceptable, and their limits. Each connection answers a few in a second, so
 * that two ends that disagree do not ACK each other's ACKs for ever. Challenge ACKs (RFC 5961, 7)
 * count against a limit that all connections of an env share, too. Half-open ones share one of
 * their own: anybody can make as many of those as the SYN cache holds, and what they use up must
 * not be missing where a peer has lost its connection.
 */
#ifndef RILL_NETSTACK_TCP_CHALLENGE_H
#define RILL_NETSTACK_TCP_CHALLENGE_H

#include "netstack/tcp/tcb.h"

/* Makes an ACK due, unless too many went out within this second. */
void rill_tcp_challenge(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);
/* The same for an entry of the SYN cache, which tcb stands for. */
void rill_tcp_challenge_half_open(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);
/*
 * The same by the connection's own limit, for what peers send in good faith, as probes are: what
 * attackers do to others must not keep it from being answered.
 */
void rill_tcp_answer_stray(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);

#endif
