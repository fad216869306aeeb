/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/tcb.h"

#include "netstack/tcp/autotune.h"
#include "netstack/tcp/isn.h"
#include "netstack/tcp/reass.h"
#include "netstack/tcp/recvq.h"
#include "netstack/tcp/sendq.h"
#include "netstack/tcp/tcb_init.h"
#include "netstack/tcp/trace.h"
#include "netstack/tcp/xfer.h"

#include <string.h>

/* The smallest MSS that can be meant (RFC 9293, MUST-15); grows with what the peer sends. */
#define RCV_MSS_INITIAL 536

void rill_tcb_init(struct rill_tcb *tcb, struct rill_tcp_env *env, const struct rill_addr *local,
		   const struct rill_addr *remote)
{
	memset(tcb, 0, sizeof(*tcb));
	tcb->local = *local;
	tcb->remote = *remote;
	tcb->cc = env->cc;
	tcb->settings = rill_tcp_settings_get(&env->settings);
	tcb->min_rtt_us = UINT32_MAX;
	tcb->snd_buf_max = env->params.send_buffer;
	tcb->rcv_buf_max = env->params.recv_buffer;
	tcb->flags = env->params.nodelay ? RILL_TCB_NODELAY : 0;
	tcb->rtx_at = RILL_FOREVER;
	tcb->ack_at = RILL_FOREVER;
	tcb->wait_at = RILL_FOREVER;
}

/* The smallest scale with which the whole buffer can be offered, however far it will grow. */
static uint8_t window_scale(const struct rill_tcb *tcb, const struct rill_tcp_params *p)
{
	uint32_t rcv_buf_max = tcb->rcv_buf_max;
	uint8_t shift = 0;

	if (p->no_window_scale)
		return 0;
	if (p->window_scale <= RILL_TCP_WSCALE_MAX)
		return p->window_scale;
	if (!p->no_autotune && (tcb->buf_locks & RILL_TCP_RCVBUF_LOCK) == 0)
		rcv_buf_max = RILL_MAX(rcv_buf_max, p->recv_buffer_max);
	while (shift < RILL_TCP_WSCALE_MAX && (rcv_buf_max >> shift) > 0xffff)
		shift++;
	return shift;
}

void rill_tcb_open(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint32_t iss)
{
	tcb->iss = iss;
	tcb->snd_una = iss;
	tcb->snd_nxt = iss;
	tcb->snd_end = iss + 1;
	tcb->recover = iss;
	tcb->mss_ours = rill_tcp_env_mss(env, tcb->local.ip.family);
	tcb->snd_mss = (uint16_t)(tcb->mss_ours - RILL_TCP_TIMESTAMPS_LEN);
	tcb->rcv_mss = RCV_MSS_INITIAL;
	tcb->rcv_wscale = window_scale(tcb, &env->params) & 15;
	tcb->rcv_wnd = env->params.initial_recv_window;
	tcb->quick_acks = env->params.quick_acks;
	tcb->rto_us = env->params.rto_initial_us;
	tcb->ts_offset = rill_tcp_ts_offset(env, tcb);
}

void rill_tcb_fini(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	if (RILL_UNLIKELY(tcb->trace != 0))
		rill_tcp_trace_forget(tcb, env);
	rill_sendq_clear(tcb, env);
	rill_recvq_clear(tcb, env);
	rill_reass_clear(tcb, env);
	rill_tcp_xfer_drop(tcb, env);
	rill_tcp_settings_put(env, tcb->settings);
	tcb->settings = &env->settings;
	tcb->state = RILL_TCP_CLOSED;
}
