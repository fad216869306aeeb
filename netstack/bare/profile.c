/* SPDX-License-Identifier: BSD-3-Clause */
/* From the profile's knobs to the protocol's parameters. */
#include "netstack/bare/stack.h"
#include "netstack/tcp/cc.h"
#include "netstack/tcp/tune.h"

#include <errno.h>
#include <string.h>

#define DELAYED_ACK_MAX_US 500000 /* RFC 9293, MUST-40 */
#define WSCALE_MAX 14		  /* RFC 7323, 2.3 */
#define WSCALE_BY_BUFFER 0xff	  /* see struct rill_tcp_params */

void rill_stack_profile_init(struct rill_stack_profile *p)
{
	*p = (struct rill_stack_profile){
		.size = sizeof(*p),
		.delayed_ack_us = 40 * 1000,
		.quick_acks = 16,
		.initial_window = 10,
		.rto_initial_us = 1000 * 1000,
		.rto_min_us = 200 * 1000,
		.rto_max_us = 120 * 1000 * 1000,
		.congestion = "cubic",
		.pacing = true,
		.window_scale = RILL_STACK_WSCALE_AUTO,
		.timestamps = true,
		.sack = true,
		.ecn = RILL_STACK_ECN_PASSIVE,
		.fast_open = RILL_STACK_FAST_OPEN_CLIENT,
		.syn_retries = 7,
		.synack_retries = 5,
		.data_retries = 15,
		.orphan_retries = 8,
		.time_wait_us = 60 * 1000 * 1000,
		.fin_wait2_us = 60 * 1000 * 1000,
		.keep_idle_us = UINT64_C(7200) * 1000 * 1000,
		.keep_interval_us = 75 * 1000 * 1000,
		.keep_count = 9,
		.challenge_acks_per_sec = 1000,
	};
}

static bool is_valid(const struct rill_stack_profile *p)
{
	const struct rill_tcp_change uto = {RILL_TUNE_UTO_MS, p->user_timeout_option_us / 1000};

	return rill_tcp_tune_check(&uto, 1) == 0 && p->delayed_ack_us < DELAYED_ACK_MAX_US &&
	       p->initial_window > 0 && p->rto_min_us > 0 && p->rto_min_us <= p->rto_max_us &&
	       p->rto_initial_us <= p->rto_max_us && p->window_scale >= RILL_STACK_WSCALE_NONE &&
	       p->window_scale <= WSCALE_MAX && p->ecn <= RILL_STACK_ECN_ACCURATE &&
	       p->fast_open_key_count <= RILL_ARRAY_SIZE(p->fast_open_keys) &&
	       memchr(p->congestion, '\0', sizeof(p->congestion));
}

/* enum rill_stack_ecn to enum rill_tcp_ecn_policy. */
static const uint8_t ecn_policy[] = {
	[RILL_STACK_ECN_OFF] = RILL_TCP_ECN_OFF,
	[RILL_STACK_ECN_PASSIVE] = RILL_TCP_ECN_PASSIVE,
	[RILL_STACK_ECN_ACTIVE] = RILL_TCP_ECN_ON,
	[RILL_STACK_ECN_ACCURATE] = RILL_TCP_ECN_ACCURATE,
};

static void apply_params(const struct rill_stack_profile *p, struct rill_tcp_params *params)
{
	params->delack_us = p->delayed_ack_us;
	params->quick_acks = (uint8_t)RILL_MIN(p->quick_acks, (uint16_t)UINT8_MAX);
	params->initial_window = p->initial_window;
	params->rto_initial_us = p->rto_initial_us;
	params->rto_min_us = p->rto_min_us;
	params->rto_max_us = p->rto_max_us;
	params->no_pacing = !p->pacing;
	params->initial_recv_window = p->initial_recv_window;
	params->no_window_scale = p->window_scale == RILL_STACK_WSCALE_NONE;
	params->window_scale = p->window_scale < 0 ? WSCALE_BY_BUFFER : (uint8_t)p->window_scale;
	params->no_timestamps = !p->timestamps;
	params->no_sack = !p->sack;
	params->synack_offers_all = p->simultaneous_all_options;
	params->ecn = ecn_policy[p->ecn];
	params->fast_open_client = (p->fast_open & RILL_STACK_FAST_OPEN_CLIENT) != 0;
	params->fast_open_server = (p->fast_open & RILL_STACK_FAST_OPEN_SERVER) != 0;
	params->syn_retries = p->syn_retries;
	params->synack_retries = p->synack_retries;
	params->data_retries = p->data_retries;
	params->orphan_retries = p->orphan_retries;
	params->time_wait_us = p->time_wait_us;
	params->fin_wait2_us = p->fin_wait2_us;
	params->challenge_acks_per_sec = p->challenge_acks_per_sec;
}

int rill_stack_profile_apply(struct rill_stack *s)
{
	const struct rill_stack_profile *p = &s->profile;
	struct rill_tcp_env *env = &s->core.env;
	const struct rill_tcp_cc *cc;

	if (!is_valid(p))
		return -EINVAL;
	cc = rill_tcp_cc_find(p->congestion);
	if (!cc)
		return -EINVAL;
	env->cc = cc;
	apply_params(p, &env->params);
	if (p->fast_open_key_count > 0) {
		struct rill_fast_open *fo = &s->core.fast_open;

		memcpy(fo->keys, p->fast_open_keys, sizeof(fo->keys));
		fo->key_count = p->fast_open_key_count;
	}
	/* As on Linux; RFC 6093, 4 would have it true. */
	env->settings.oob_inline = false;
	env->settings.uto_ms = (uint32_t)(p->user_timeout_option_us / 1000);
	env->settings.keep_idle_ms = (uint32_t)(p->keep_idle_us / 1000);
	env->settings.keep_intvl_ms = p->keep_interval_us / 1000;
	env->settings.keep_count = p->keep_count;
	return 0;
}
