/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP_INFO in Linux's layout. */
#include "netstack/bare/option.h"
#include "netstack/tcp/cc_common.h"
#include "netstack/tcp/chrono.h"
#include "netstack/tcp/xfer.h"

#include <linux/tcp.h>
#include <string.h>

/* Linux says so when there is no threshold yet. */
#define SSTHRESH_INFINITE 0x7fffffff

static uint8_t options_of(const struct rill_tcb *tcb)
{
	uint8_t options = 0;

	if ((tcb->flags & RILL_TCB_TIMESTAMPS) != 0)
		options |= TCPI_OPT_TIMESTAMPS;
	if ((tcb->flags & RILL_TCB_SACK) != 0)
		options |= TCPI_OPT_SACK;
	if ((tcb->flags & RILL_TCB_NO_WSCALE) == 0 && tcb->state > RILL_TCP_SYN_SENT)
		options |= TCPI_OPT_WSCALE;
	if ((tcb->flags & RILL_TCB_ECN) != 0)
		options |= TCPI_OPT_ECN;
	return options;
}

static uint32_t ms_since(uint64_t now, uint64_t then)
{
	return then && now > then ? (uint32_t)((now - then) / RILL_MS) : 0;
}

static uint32_t segments(uint32_t bytes, uint32_t mss)
{
	return mss ? (bytes + mss - 1) / mss : 0;
}

static void fill_sending(struct tcp_info *info, const struct rill_tcb *tcb)
{
	uint32_t mss = tcb->snd_mss;
	struct rill_tcp_info facts;

	rill_tcb_info(tcb, &facts);
	info->tcpi_snd_mss = mss;
	info->tcpi_unacked = segments(facts.unacked, mss);
	info->tcpi_notsent_bytes = facts.unsent;
	info->tcpi_snd_cwnd = mss ? tcb->cwnd / mss : 0;
	info->tcpi_snd_ssthresh =
		tcb->ssthresh < RILL_TCP_CWND_MAX && mss ? tcb->ssthresh / mss : SSTHRESH_INFINITE;
	info->tcpi_snd_wnd = tcb->snd_wnd;
	info->tcpi_rto = tcb->rto_us;
	info->tcpi_rtt = tcb->srtt_us;
	info->tcpi_rttvar = tcb->rttvar_us;
	info->tcpi_min_rtt = tcb->min_rtt_us;
	info->tcpi_retransmits = tcb->rtx_count;
	info->tcpi_backoff = tcb->timer == RILL_TCP_TIMER_PERSIST ? tcb->backoff : tcb->rtx_count;
	info->tcpi_probes =
		tcb->timer == RILL_TCP_TIMER_PERSIST ? tcb->rtx_count : tcb->keep_probes;
	info->tcpi_total_retrans = tcb->retransmits;
	info->tcpi_bytes_sent = rill_tcb_bytes_sent(tcb) + tcb->bytes_retrans;
	info->tcpi_bytes_acked = tcb->bytes_acked;
	info->tcpi_bytes_retrans = tcb->bytes_retrans;
	info->tcpi_segs_out = tcb->segs_out;
	info->tcpi_data_segs_out = tcb->data_segs_out;
	info->tcpi_delivered_ce = tcb->delivered_ce;
	info->tcpi_dsack_dups = tcb->dsacks;
	info->tcpi_reord_seen = tcb->reorders;
	info->tcpi_ca_state = (uint8_t)rill_tcp_ca(tcb);
}

/* What there is only while data is on its way. */
static void fill_transfer(struct tcp_info *info, const struct rill_tcb *tcb)
{
	const struct rill_tcp_xfer *x = tcb->x;
	uint32_t mss = tcb->snd_mss;

	info->tcpi_pacing_rate = UINT64_MAX;
	info->tcpi_max_pacing_rate =
		tcb->settings->max_pacing_rate ? tcb->settings->max_pacing_rate : UINT64_MAX;
	if (!x)
		return;
	info->tcpi_sacked = segments(x->sacked, mss);
	info->tcpi_lost = segments(x->lost, mss);
	info->tcpi_retrans = segments(x->retrans, mss);
	info->tcpi_delivered = segments((uint32_t)RILL_MIN(x->delivered, UINT32_MAX), mss);
	info->tcpi_rcv_rtt = x->rcv_rtt_us;
	info->tcpi_rcv_space = x->rcv_space;
	if (x->pacing_rate)
		info->tcpi_pacing_rate = x->pacing_rate;
	if (x->rate_ns)
		info->tcpi_delivery_rate = x->rate_delivered * RILL_SEC / x->rate_ns;
}

static void fill_times(struct tcp_info *info, const struct rill_tcb *tcb, uint64_t now)
{
	struct rill_tcp_chrono chrono = rill_tcp_chrono(tcb, now);

	info->tcpi_busy_time = chrono.busy_us;
	info->tcpi_rwnd_limited = chrono.rwnd_limited_us;
	info->tcpi_sndbuf_limited = chrono.sndbuf_limited_us;
	info->tcpi_last_data_sent = ms_since(now, tcb->last_send_ns);
	info->tcpi_last_data_recv = ms_since(now, tcb->last_recv_ns);
	info->tcpi_last_ack_recv = info->tcpi_last_data_recv;
}

static void fill_receiving(struct tcp_info *info, const struct rill_tcb *tcb,
			   const struct rill_core *core)
{
	info->tcpi_ato = core->env.params.delack_us;
	info->tcpi_rcv_mss = tcb->rcv_mss;
	info->tcpi_advmss = tcb->mss_ours;
	info->tcpi_rcv_ssthresh = tcb->rcv_wnd;
	info->tcpi_bytes_received = tcb->bytes_received;
	info->tcpi_segs_in = tcb->segs_in;
	info->tcpi_data_segs_in = tcb->data_segs_in;
	info->tcpi_rcv_ooopack = tcb->rcv_ooo;
	info->tcpi_pmtu = tcb->pmtu ? tcb->pmtu : core->env.params.mtu;
}

int rill_socket_info(struct rill_socket *so, void *value, size_t *len)
{
	const struct rill_tcb *tcb = so->conn ? &so->conn->tcb : NULL;
	struct tcp_info info = {0};

	info.tcpi_state = (uint8_t)rill_socket_linux_state(rill_socket_state(so));
	if (so->role == RILL_SOCKET_LISTENER) {
		/* As on Linux: the queue and its bound. */
		info.tcpi_state = RILL_STACK_LISTEN;
		info.tcpi_unacked = so->acceptor.ready_count;
		info.tcpi_sacked = so->acceptor.backlog;
	}
	if (tcb) {
		info.tcpi_options = options_of(tcb);
		info.tcpi_snd_wscale = tcb->snd_wscale & 15;
		info.tcpi_rcv_wscale = tcb->rcv_wscale & 15;
		info.tcpi_reordering = 3;
		fill_sending(&info, tcb);
		fill_transfer(&info, tcb);
		fill_receiving(&info, tcb, &so->stack->core);
		fill_times(&info, tcb, so->stack->ops.now(so->stack->ctx));
	}
	return rill_option_put(&info, sizeof(info), value, len);
}
