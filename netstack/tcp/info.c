/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/sendq.h"
#include "netstack/tcp/tcb.h"

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
		.bytes_sent = tcb->bytes_sent,
		.bytes_received = tcb->bytes_received,
		.retransmits = tcb->retransmits,
		.rto_count = tcb->rto_count,
		.fast_recoveries = tcb->fast_recoveries,
	};
}
