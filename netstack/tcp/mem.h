/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the queues of all connections hold of the packet buffers, against two bounds:
 * params.mem_max, for what the pool has to keep, and the quota of mem_share, which is that of a
 * whole runtime. A buffer counts whole, however little is in it, from when a queue takes it until
 * that lets go.
 */
#ifndef RILL_NETSTACK_TCP_MEM_H
#define RILL_NETSTACK_TCP_MEM_H

#include "netstack/tcp/env.h"

static inline uint32_t rill_tcp_mem_of(const struct rill_buf *b)
{
	return (uint32_t)(b->end - b->head) + RILL_BUF_HEADER_SIZE;
}

static inline void rill_tcp_mem_take(struct rill_tcp_env *env, const struct rill_buf *b)
{
	rill_counter_add(&env->mem_used, rill_tcp_mem_of(b));
	rill_quota_grew(&env->mem_share, env->mem_used);
}

static inline void rill_tcp_mem_release(struct rill_tcp_env *env, const struct rill_buf *b)
{
	rill_counter_add(&env->mem_used, -(uint64_t)rill_tcp_mem_of(b));
	rill_quota_shrank(&env->mem_share, env->mem_used);
}

/* Out of the queue, and back to where it came from. */
static inline void rill_tcp_mem_put(struct rill_tcp_env *env, struct rill_buf *b)
{
	rill_tcp_mem_release(env, b);
	env->ops->put(env, b);
}

/* Nothing more is to be queued, but for what keeps connections alive. */
static inline bool rill_tcp_mem_full(struct rill_tcp_env *env)
{
	if (env->params.mem_max != 0 && env->mem_used >= env->params.mem_max)
		return true;
	return rill_quota_is_full(&env->mem_share, env->mem_used);
}

/* Past three quarters of it: what is promised must not grow. */
static inline bool rill_tcp_mem_low(const struct rill_tcp_env *env)
{
	if (env->params.mem_max != 0 && env->mem_used >= env->params.mem_max / 4 * 3)
		return true;
	return rill_quota_is_low(&env->mem_share);
}

#endif
