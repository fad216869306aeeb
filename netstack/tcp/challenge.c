/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/challenge.h"

/*
 * In a second. An attacker who makes a connection of others' answer, to see what is left of the
 * limit that all share, takes no more of it than this, which is lost in its randomness.
 */
#define CONNECTION_MAX 4

static bool connection_limited(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	uint16_t second = (uint16_t)(now / RILL_SEC);

	if (tcb->challenge_s != second)
		tcb->challenges = 0;
	tcb->challenge_s = second;
	if (tcb->challenges < CONNECTION_MAX)
		return false;
	rill_counter_add(&env->stats.challenge_acks_limited, 1);
	return true;
}

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
	if (connection_limited(tcb, env, now))
		return;
	if (env->challenge_limit == 0 || now - env->challenge_since_ns >= RILL_SEC)
		new_second(env, now);
	if (env->challenge_sent >= env->challenge_limit) {
		rill_counter_add(&env->stats.challenge_acks_limited, 1);
		return;
	}
	env->challenge_sent++;
	tcb->challenges++;
	rill_counter_add(&env->stats.challenge_acks, 1);
	tcb->flags |= RILL_TCB_ACK_NOW;
}

void rill_tcp_answer_stray(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if (connection_limited(tcb, env, now))
		return;
	tcb->challenges++;
	tcb->flags |= RILL_TCB_ACK_NOW;
}
