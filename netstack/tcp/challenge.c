/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/challenge.h"

/*
 * A limit that everybody knows would tell an attacker, who counts what is left of it, whether
 * guesses about a connection of others' were good. So it lies anywhere in the upper half.
 */
static void new_second(struct rill_tcp_env *env, uint64_t now)
{
	uint32_t max = env->params.challenge_acks_per_sec;

	env->challenge_since_ns = now;
	env->challenge_sent = 0;
	env->challenge_limit =
		max - (uint32_t)(rill_siphash(&env->secret, &now, sizeof(now)) % (max / 2 + 1));
}

void rill_tcp_challenge(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if (env->challenge_limit == 0 || now - env->challenge_since_ns >= RILL_SEC)
		new_second(env, now);
	if (env->challenge_sent >= env->challenge_limit) {
		rill_counter_add(&env->stats.challenge_acks_limited, 1);
		return;
	}
	env->challenge_sent++;
	rill_counter_add(&env->stats.challenge_acks, 1);
	tcb->flags |= RILL_TCB_ACK_NOW;
}
