/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/challenge.h"

void rill_tcp_challenge(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if (now - env->challenge_since_ns >= RILL_SEC) {
		env->challenge_since_ns = now;
		env->challenge_sent = 0;
	}
	if (env->challenge_sent >= env->params.challenge_acks_per_sec) {
		env->stats.challenge_acks_limited++;
		return;
	}
	env->challenge_sent++;
	env->stats.challenge_acks++;
	tcb->flags |= RILL_TCB_ACK_NOW;
}
