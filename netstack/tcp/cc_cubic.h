/* SPDX-License-Identifier: BSD-3-Clause */
/* What CUBIC keeps of a transfer (RFC 9438, 4.1). Bytes where the RFC has segments. */
#ifndef RILL_NETSTACK_TCP_CC_CUBIC_H
#define RILL_NETSTACK_TCP_CC_CUBIC_H

#include "netstack/tcp/cc_hystart.h"

/* What a congestion event overwrites (4.9). */
struct rill_tcp_cubic_undo {
	uint64_t epoch_ns;
	uint32_t w_max, cwnd_prior, w_est, k_ms;
	bool in_epoch;
};

struct rill_tcp_cubic {
	uint64_t epoch_ns;    /* t_epoch, put off by the time in which cwnd was not used */
	uint64_t last_ack_ns; /* up to where that time is accounted for */
	int64_t at_ms;	      /* the time of w_now and w_target; -1: not known */
	uint64_t w_est_rest;  /* of the division that raised w_est last */
	uint64_t grow_rest;   /* and cwnd */
	uint32_t w_max;
	uint32_t cwnd_prior; /* cwnd at the last congestion event */
	uint32_t w_est;	     /* Reno's cwnd (4.3) */
	uint32_t k_ms;
	uint32_t w_now;	   /* W_cubic(t) */
	uint32_t w_target; /* W_cubic(t + RTT) */
	bool in_epoch;
	bool forget_w_max; /* the next epoch begins on its plateau */
	struct rill_tcp_cubic_undo undo;
	struct rill_tcp_hystart hystart;
};

#endif
