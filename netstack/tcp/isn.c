/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/isn.h"

#include <string.h>

/* One step every 4 us (RFC 6528, 3). */
#define ISN_TICK_NS 4000

static uint64_t tuple_hash(const struct rill_tcp_env *env, const struct rill_tcb *tcb)
{
	uint64_t words[5];

	memcpy(words, tcb->local.ip.bytes, 16);
	memcpy(words + 2, tcb->remote.ip.bytes, 16);
	words[4] = (uint64_t)tcb->local.port << 32 | (uint64_t)tcb->remote.port << 16 |
		   tcb->local.ip.family;
	return rill_siphash(&env->secret, words, sizeof(words));
}

uint32_t rill_tcp_isn(const struct rill_tcp_env *env, const struct rill_tcb *tcb, uint64_t now)
{
	return (uint32_t)tuple_hash(env, tcb) + (uint32_t)(now / ISN_TICK_NS);
}

/*
 * The other half of the hash: so each tuple's timestamps go on rising from connection to
 * connection.
 */
uint32_t rill_tcp_ts_offset(const struct rill_tcp_env *env, const struct rill_tcb *tcb)
{
	return (uint32_t)(tuple_hash(env, tcb) >> 32);
}
