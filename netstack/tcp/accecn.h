/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The AccECN options (RFC 9768, 3.2.3): how many bytes of payload arrived as ECT(0), CE and ECT(1),
 * in 24 bits each. ACE counts three bits' worth of segments and can go round; this tells how often.
 *
 * They go with SYN-ACKs and with ACKs without data, as far as SACK leaves room: never with data,
 * whose segments are as long as the peer takes them. Nothing is agreed on: who does not know them
 * skips them. The counters lie in the transfer, which is kept for as long as the connection.
 */
#ifndef RILL_NETSTACK_TCP_ACCECN_H
#define RILL_NETSTACK_TCP_ACCECN_H

#include "netstack/tcp/input.h"

/* An acceptable segment with payload, untrimmed. With RILL_TCB_ACCECN. */
void rill_tcp_accecn_count(struct rill_tcp_rx *rx);
/*
 * What a segment with flags and len bytes of payload tells; o has its other options already, and
 * may lose a SACK block. With RILL_TCB_ACCECN.
 */
void rill_tcp_accecn_option(struct rill_tcb *tcb, uint16_t flags, uint32_t len,
			    struct rill_tcp_options_seen *o);
/*
 * Bytes of ours that arrived with CE since the last ACK that told; delivered: newly known to have
 * arrived. False: seg does not tell, or nothing that can be.
 */
bool rill_tcp_accecn_on_ack(struct rill_tcb *tcb, const struct rill_tcp_seg *seg,
			    uint32_t delivered, uint32_t *ret_ce);

#endif
