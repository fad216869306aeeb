/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Congestion control: how cwnd and ssthresh move. When to call is recovery.c's and input_ack.c's
 * business; what an algorithm keeps is in the tcb (cwnd, ssthresh, cc_acked). All sizes are bytes.
 */
#ifndef RILL_NETSTACK_TCP_CC_H
#define RILL_NETSTACK_TCP_CC_H

#include "netstack/tcp/tcb.h"

struct rill_tcp_cc {
	const char *name;
	/* Sets the initial window: snd_mss is known. */
	void (*init)(struct rill_tcb *tcb);
	/* New data was acknowledged outside recovery, while cwnd limited the sender. */
	void (*on_ack)(struct rill_tcb *tcb, uint32_t acked);
	/* A loss was seen: sets ssthresh. flight is what was outstanding. */
	void (*on_loss)(struct rill_tcb *tcb, uint32_t flight);
	/* About to send after having been idle for longer than one RTO. */
	void (*on_idle)(struct rill_tcb *tcb);
};

extern const struct rill_tcp_cc rill_tcp_cc_newreno;

#endif
