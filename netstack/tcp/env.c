/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/env.h"

#include "netstack/tcp/cc.h"
#include "netstack/tcp/seg.h"

#include <string.h>

#define IP4_HEADER_LEN 20
#define IP6_HEADER_LEN 40

static const struct rill_tcp_params defaults = {
	.rto_initial_us = 1000 * 1000,
	.rto_min_us = 200 * 1000,
	.rto_max_us = 120 * 1000 * 1000,
	.delack_us = 40 * 1000,
	.time_wait_us = 60 * 1000 * 1000,
	.fin_wait2_us = 60 * 1000 * 1000,
	.send_buffer = 512 * 1024,
	.recv_buffer = 512 * 1024,
	.challenge_acks_per_sec = 1000,
	.mtu = 1500,
	.syn_retries = 7,
	.synack_retries = 5,
	.data_retries = 15,
	.orphan_retries = 8,
	.quick_acks = 8,
};

void rill_tcp_env_init(struct rill_tcp_env *env, const struct rill_tcp_env_ops *ops,
		       const struct rill_hash_key *secret)
{
	memset(env, 0, sizeof(*env));
	env->ops = ops;
	env->cc = &rill_tcp_cc_newreno;
	env->params = defaults;
	env->secret = *secret;
}

uint16_t rill_tcp_env_mss(const struct rill_tcp_env *env, enum rill_family family)
{
	uint16_t ip_len = family == RILL_AF_IP6 ? IP6_HEADER_LEN : IP4_HEADER_LEN;

	return (uint16_t)(env->params.mtu - ip_len - RILL_TCP_HEADER_LEN);
}
