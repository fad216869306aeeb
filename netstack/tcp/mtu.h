/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The segment size follows the path (RFC 1191, RFC 8201, RFC 4821, 7.7).
 *
 * Downwards at once, by a router's word or when a black hole shows: two timeouts in a row of a
 * large segment, and no word from anybody. Then what params.mtu_min carries is tried. If that fares
 * no better, with the fourth timeout in a row, the size was not the reason and is what it was
 * before. Segments larger than the new size which were sent are LOST, though not to congestion;
 * they are split when they are sent again.
 *
 * Upwards again after ten minutes. If the hole is still there, it is found again.
 */
#ifndef RILL_NETSTACK_TCP_MTU_H
#define RILL_NETSTACK_TCP_MTU_H

#include "netstack/tcp/tcb.h"

/* No segment may be larger from now on. Nothing, if none was. */
void rill_tcp_mss_decrease(struct rill_tcb *tcb, uint16_t mss);
/* A retransmission timeout, counted in rtx_count already. tcb->x is there, as below. */
void rill_tcp_mtu_on_rto(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);
/* x->mss_before is set, and something was acknowledged. */
void rill_tcp_mtu_on_ack(struct rill_tcb *tcb, struct rill_tcp_env *env);
/* Now and then: whether the larger size is to be tried again. */
void rill_tcp_mtu_on_time(struct rill_tcb *tcb, uint64_t now);

#endif
