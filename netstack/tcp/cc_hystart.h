/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HyStart++ (RFC 9406): a slow start that ends before it overshoots. When the shortest round-trip
 * time of one round is well above that of the round before, growth slows down (CSS); if the delay
 * stays for five rounds congestion avoidance begins, else slow start goes on. For the first slow
 * start of a connection alone (4.3).
 */
#ifndef RILL_NETSTACK_TCP_CC_HYSTART_H
#define RILL_NETSTACK_TCP_CC_HYSTART_H

#include "netstack/tcp/cc.h"

struct rill_tcp_hystart {
	uint32_t window_end;  /* the round ends when this is acknowledged */
	uint32_t last_min_us; /* lastRoundMinRTT; UINT32_MAX: none */
	uint32_t min_us;      /* currentRoundMinRTT */
	uint32_t css_base_us; /* cssBaselineMinRtt; meaningful in CSS */
	uint32_t rtt_samples; /* in this round */
	uint8_t css_rounds;   /* begun; 0: not in CSS */
};

void rill_tcp_hystart_init(struct rill_tcp_hystart *h, const struct rill_tcb *tcb);
/*
 * An ACK in slow start, SND.UNA having moved: raises cwnd, and sets ssthresh to it when slow start
 * is over.
 */
void rill_tcp_hystart_on_ack(struct rill_tcp_hystart *h, struct rill_tcb *tcb,
			     const struct rill_tcp_cc_ack *ack);

#endif
