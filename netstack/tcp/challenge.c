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
static void new_second(const struct rill_tcp_env *env, struct rill_tcp_challenges *c, uint64_t now)
{
	uint32_t max = env->params.challenge_acks_per_sec;

	c->since_ns = now;
	c->sent = 0;
	c->limit = max - (uint32_t)(rill_siphash(&env->secret, &now, sizeof(now)) % (max / 2 + 1));
}

static void challenge(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_tcp_challenges *c,
		      uint64_t now)
{
	if (c->limit == 0 || now - c->since_ns >= RILL_SEC)
		new_second(env, c, now);
	if (c->sent >= c->limit) {
		rill_counter_add(&env->stats.challenge_acks_limited, 1);
		return;
	}
	c->sent++;
	tcb->challenges++;
	rill_counter_add(&env->stats.challenge_acks, 1);
	tcb->flags |= RILL_TCB_ACK_NOW;
}

void rill_tcp_challenge(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if (!connection_limited(tcb, env, now))
		challenge(tcb, env, &env->challenges, now);
}

void rill_tcp_challenge_half_open(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	challenge(tcb, env, &env->half_open_challenges, now);
}

void rill_tcp_answer_stray(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	if (connection_limited(tcb, env, now))
		return;
	tcb->challenges++;
	tcb->flags |= RILL_TCB_ACK_NOW;
}
