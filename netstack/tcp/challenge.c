/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/challenge.h"

void rill_tcp_challenge(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if (now - env->challenge_since_ns >= RILL_SEC) {
		env->challenge_since_ns = now;
		env->challenge_sent = 0;
	}
	if (env->challenge_sent >= env->params.challenge_acks_per_sec) {
		rill_counter_add(&env->stats.challenge_acks_limited, 1);
		return;
	}
	env->challenge_sent++;
	rill_counter_add(&env->stats.challenge_acks, 1);
	tcb->flags |= RILL_TCB_ACK_NOW;
}
