/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pacing: no burst beyond a quantum, and the next one no earlier than the rate allows
 * (draft-ietf-ccwg-bbr, 5.6.2 and 5.6.3).
 *
 * Who is paced: a connection whose algorithm asks for it (cc->paces: BBR), one whose user set
 * max_pacing_rate, and all of them with params.pace_all. Others are clocked by their ACKs alone: on
 * short paths a timer adds more delay than a burst of ten segments does.
 *
 * While the pacer holds data back RILL_XF_PACED_OUT is set, and x->pace_at is a deadline. Then the
 * whole quantum goes at once, so that a fast connection is woken once for each quantum and not for
 * each segment. No wait is longer than 10 s, nor, once the rate has risen, than the new rate asks
 * for; rates below two segments in 10 s are not kept.
 */
#ifndef RILL_NETSTACK_TCP_PACE_H
#define RILL_NETSTACK_TCP_PACE_H

#include "netstack/tcp/tcb.h"
#include "netstack/tcp/xfer.h"

/*
 * After each ACK, and when a transfer begins: the rate of a connection whose algorithm sets none, 2
 * cwnd per srtt in slow start and 1.2 cwnd per srtt after it. tcb->x is there.
 */
void rill_tcp_pace_update(struct rill_tcb *tcb, const struct rill_tcp_env *env);
/* Whether a segment may go now; says so in RILL_XF_PACED_OUT. */
bool rill_tcp_pace_allows(struct rill_tcb *tcb, uint64_t now);
/* The wait is over, if it is: whatever else may hold the data back now, this deadline is past. */
void rill_tcp_pace_on_timer(struct rill_tcb *tcb, uint64_t now);
/* n bytes went out. */
void rill_tcp_pace_sent(struct rill_tcb *tcb, uint32_t n, uint64_t now);
/* Bytes per second that count: the algorithm's, bounded by the user's. 0: not paced. */
uint64_t rill_tcp_pace_rate(const struct rill_tcb *tcb);
/*
 * Bytes that may go in one burst: what the rate sends in 1 ms, or in a quarter of the round-trip
 * time where that is shorter; at least two segments and at most 64 KiB.
 */
uint32_t rill_tcp_pace_quantum(const struct rill_tcb *tcb, uint64_t rate);

#endif
