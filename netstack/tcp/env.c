/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/env.h"

#include "netstack/tcp/cc.h"
#include "netstack/tcp/seg.h"
#include "netstack/tcp/trace.h"
#include "netstack/tcp/xfer.h"

#include <string.h>

#define IP4_HEADER_LEN 20
#define IP6_HEADER_LEN 40

static const struct rill_tcp_params default_params = {
	.rto_initial_us = 1000 * 1000,
	.rto_min_us = 200 * 1000,
	.rto_max_us = 120 * 1000 * 1000,
	.delack_us = 40 * 1000,
	.time_wait_us = 60 * 1000 * 1000,
	.fin_wait2_us = 60 * 1000 * 1000,
	.rest_us = 1000 * 1000,
	.tlp_max_ack_delay_us = 200 * 1000,
	.min_rtt_window_us = 300 * 1000 * 1000,
	.send_buffer = 512 * 1024,
	.recv_buffer = 512 * 1024,
	.send_buffer_max = 4 * 1024 * 1024,
	.recv_buffer_max = 6 * 1024 * 1024,
	.initial_window = 10,
	.challenge_acks_per_sec = 1000,
	.trace_blocks = 1024,
	.syn_cache_max = 8192,
	.syn_cache_prefix_max = 2048,
	.mtu = 1500,
	.mtu_min = 552,
	.syn_retries = 7,
	.synack_retries = 5,
	.data_retries = 15,
	.r1_retries = 3,
	.orphan_retries = 8,
	.quick_acks = 16,
	.window_scale = 0xff,
	.prefix4_len = 24,
	.prefix6_len = 56,
};

static const struct rill_tcp_settings default_settings = {
	.refs = 1,
	.keep_idle_ms = 7200 * 1000,
	.keep_intvl_ms = 75 * 1000,
	.keep_count = 9,
	.oob_inline = true, /* RFC 6093, 4 */
};

void rill_tcp_env_init(struct rill_tcp_env *env, const struct rill_tcp_env_ops *ops,
		       const struct rill_memory *memory, const struct rill_hash_key *secret)
{
	memset(env, 0, sizeof(*env));
	env->ops = ops;
	env->cc = &rill_tcp_cc_cubic;
	env->params = default_params;
	env->settings = default_settings;
	env->secret = *secret;
	rill_quota_join(&env->mem_share, NULL);
	rill_slab_init(&env->xfers, memory, sizeof(struct rill_tcp_xfer), 0);
	rill_slab_init(&env->settings_slab, memory, sizeof(struct rill_tcp_settings), 0);
}

void rill_tcp_env_fini(struct rill_tcp_env *env)
{
	rill_tcp_trace_fini(env);
	rill_quota_leave(&env->mem_share);
	rill_slab_fini(&env->xfers);
	rill_slab_fini(&env->settings_slab);
}

uint16_t rill_tcp_env_mss(const struct rill_tcp_env *env, enum rill_family family)
{
	uint16_t ip_len = family == RILL_AF_IP6 ? IP6_HEADER_LEN : IP4_HEADER_LEN;

	return (uint16_t)(env->params.mtu - ip_len - RILL_TCP_HEADER_LEN);
}
