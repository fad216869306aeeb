/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the queues of all connections hold of the packet buffers, against params.mem_max. A buffer
 * counts whole, however little is in it, from when a queue takes it until that lets go.
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
	env->mem_used += rill_tcp_mem_of(b);
}

static inline void rill_tcp_mem_release(struct rill_tcp_env *env, const struct rill_buf *b)
{
	env->mem_used -= rill_tcp_mem_of(b);
}

/* Out of the queue, and back to where it came from. */
static inline void rill_tcp_mem_put(struct rill_tcp_env *env, struct rill_buf *b)
{
	rill_tcp_mem_release(env, b);
	env->ops->put(env, b);
}

/* Nothing more is to be queued, but for what keeps connections alive. */
static inline bool rill_tcp_mem_full(const struct rill_tcp_env *env)
{
	return env->params.mem_max != 0 && env->mem_used >= env->params.mem_max;
}

/* Past three quarters of it: what is promised must not grow. */
static inline bool rill_tcp_mem_low(const struct rill_tcp_env *env)
{
	return env->params.mem_max != 0 && env->mem_used >= env->params.mem_max / 4 * 3;
}

#endif
