/* SPDX-License-Identifier: BSD-3-Clause */
/* What DCTCP keeps of a transfer (RFC 8257, 3.3). */
#ifndef RILL_NETSTACK_TCP_CC_DCTCP_H
#define RILL_NETSTACK_TCP_CC_DCTCP_H

#include "netstack/tcp/cc.h"

/* The scale of alpha. */
#define RILL_TCP_DCTCP_ONE (UINT32_C(1) << 20)

struct rill_tcp_dctcp {
	uint32_t alpha;
	uint32_t window_end; /* the window of data that is being observed */
	uint64_t bytes_acked;
	uint64_t bytes_marked;
	uint32_t reduced_at; /* cwnd stays until this is acknowledged */
};

#endif
