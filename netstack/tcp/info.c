/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/cc_common.h"
#include "netstack/tcp/chrono.h"
#include "netstack/tcp/sendq.h"
#include "netstack/tcp/tcb.h"
#include "netstack/tcp/xfer.h"

static const char *const names[RILL_TCP_STATE_COUNT] = {
	[RILL_TCP_CLOSED] = "CLOSED",	      [RILL_TCP_SYN_SENT] = "SYN-SENT",
	[RILL_TCP_SYN_RCVD] = "SYN-RECEIVED", [RILL_TCP_ESTABLISHED] = "ESTABLISHED",
	[RILL_TCP_FIN_WAIT_1] = "FIN-WAIT-1", [RILL_TCP_FIN_WAIT_2] = "FIN-WAIT-2",
	[RILL_TCP_CLOSE_WAIT] = "CLOSE-WAIT", [RILL_TCP_CLOSING] = "CLOSING",
	[RILL_TCP_LAST_ACK] = "LAST-ACK",     [RILL_TCP_TIME_WAIT] = "TIME-WAIT",
};

const char *rill_tcp_state_name(enum rill_tcp_state state)
{
	return state < RILL_TCP_STATE_COUNT ? names[state] : "?";
}

static void fill_agreed(const struct rill_tcb *tcb, struct rill_tcp_info *info)
{
	bool opened = tcb->state > RILL_TCP_SYN_SENT;

	info->timestamps = (tcb->flags & RILL_TCB_TIMESTAMPS) != 0;
	info->sack = (tcb->flags & RILL_TCB_SACK) != 0;
	info->window_scaling = opened && (tcb->flags & RILL_TCB_NO_WSCALE) == 0;
	info->ecn = (tcb->flags & RILL_TCB_ECN) != 0;
	info->accurate_ecn = (tcb->flags & RILL_TCB_ACCECN) != 0;
	info->early_data = tcb->syn_data != 0 && (tcb->flags & RILL_TCB_PASSIVE) != 0;
	info->snd_wscale = tcb->snd_wscale;
	info->rcv_wscale = tcb->rcv_wscale;
}

static void fill_transfer(const struct rill_tcb *tcb, struct rill_tcp_info *info)
{
	const struct rill_tcp_xfer *x = tcb->x;

	info->reordering = x->reorder_bytes;
	info->sacked = x->sacked + x->reno_sacked;
	info->lost = x->lost;
	info->retransmitting = x->retrans;
	info->rcv_rtt_us = (x->flags & RILL_XF_RCV_RTT) != 0 ? x->rcv_rtt_us : 0;
	info->rcv_space = x->rcv_space;
	info->pacing_rate = x->pacing_rate;
	info->delivered = x->delivered;
	if (x->rate_ns != 0)
		info->delivery_rate = x->rate_delivered * RILL_SEC / x->rate_ns;
}

void rill_tcb_info(const struct rill_tcb *tcb, struct rill_tcp_info *ret_info)
{
	uint32_t queued = tcb->sendq_first ? rill_sendq_bytes(tcb) : 0;
	uint32_t unacked = RILL_MIN(tcb->snd_nxt - tcb->snd_una, queued);

	*ret_info = (struct rill_tcp_info){
		.state = rill_tcp_state_name(tcb->state),
		.rtt_us = tcb->srtt_us,
		.rttvar_us = tcb->rttvar_us,
		.rto_us = tcb->rto_us,
		.cwnd = tcb->cwnd,
		.ssthresh = tcb->ssthresh,
		.snd_mss = tcb->snd_mss,
		.rcv_mss = tcb->rcv_mss,
		.snd_wnd = tcb->snd_wnd,
		.rcv_wnd = tcb->rcv_wnd,
		.unsent = queued - unacked,
		.unacked = unacked,
		.unread = tcb->rcv_queued,
		.bytes_sent = rill_tcb_bytes_sent(tcb),
		.bytes_received = tcb->bytes_received,
		.retransmits = tcb->retransmits,
		.rto_count = tcb->rto_count,
		.fast_recoveries = tcb->fast_recoveries,
		.congestion = tcb->cc->name,
		.recovery = (enum rill_tcp_recovery)rill_tcp_ca(tcb),
		.min_rtt_us = tcb->min_rtt_us == UINT32_MAX ? 0 : tcb->min_rtt_us,
		.timeouts_in_row = tcb->rtx_count,
		.probes_in_row = tcb->keep_probes,
		.advertised_mss = tcb->mss_ours,
		.send_buffer = tcb->snd_buf_max,
		.recv_buffer = tcb->rcv_buf_max,
		.max_pacing_rate = tcb->settings->max_pacing_rate,
		.bytes_acked = tcb->bytes_acked,
		.bytes_retrans = tcb->bytes_retrans,
		.segs_in = tcb->segs_in,
		.segs_out = tcb->segs_out,
		.data_segs_in = tcb->data_segs_in,
		.data_segs_out = tcb->data_segs_out,
		.delivered_ce = tcb->delivered_ce,
		.spurious = tcb->spurious,
		.dsacks = tcb->dsacks,
		.reorders = tcb->reorders,
		.rcv_out_of_order = tcb->rcv_ooo,
	};
	fill_agreed(tcb, ret_info);
	if (tcb->x)
		fill_transfer(tcb, ret_info);
}

static uint64_t since(uint64_t then, uint64_t now)
{
	return then ? now - RILL_MIN(then, now) : UINT64_MAX;
}

void rill_tcb_info_now(const struct rill_tcb *tcb, const struct rill_tcp_env *env, uint64_t now,
		       struct rill_tcp_info *info)
{
	struct rill_tcp_chrono chrono = rill_tcp_chrono(tcb, now);

	info->busy_us = chrono.busy_us;
	info->rwnd_limited_us = chrono.rwnd_limited_us;
	info->sndbuf_limited_us = chrono.sndbuf_limited_us;
	info->delayed_ack_us = env->params.delack_us;
	info->path_mtu = tcb->pmtu ? tcb->pmtu : env->params.mtu;
	info->since_send_ns = since(tcb->last_send_ns, now);
	info->since_recv_ns = since(tcb->last_recv_ns, now);
}
