/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The list of what is in flight, by the time it was last sent: x->oldest to x->newest. Two sent at
 * the same time are in the order of their numbers. RACK stops at the first that still has time, so
 * it must hold whatever comes back into the list.
 */
#ifndef RILL_NETSTACK_TCP_INFLIGHT_H
#define RILL_NETSTACK_TCP_INFLIGHT_H

#include "netstack/tcp/sendq.h"
#include "netstack/tcp/xfer.h"

/* RACK_sent_after() of RFC 8985, 6.2, step 2. */
static inline bool rill_sent_after(uint64_t t1, uint32_t seq1, uint64_t t2, uint32_t seq2)
{
	return t1 > t2 || (t1 == t2 && rill_seq_gt(seq1, seq2));
}

/* b was sent just now. */
void rill_inflight_append(struct rill_tcp_xfer *x, struct rill_buf *b);
/* In front of newer; NULL: at the end. */
void rill_inflight_insert(struct rill_tcp_xfer *x, struct rill_buf *newer, struct rill_buf *b);
/* Nothing for one that is not in it. */
void rill_inflight_remove(struct rill_tcp_xfer *x, struct rill_send_cb *cb);
/*
 * Brings back those of a chain, linked by newer, in whatever order they were sent, and however
 * many: n log n.
 */
void rill_inflight_bring_back(struct rill_tcp_xfer *x, struct rill_buf *chain);

#endif
