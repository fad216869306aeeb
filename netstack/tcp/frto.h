/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * F-RTO (RFC 5682, 3.1, the SACK-enhanced one where SACK was agreed on): was the timeout spurious?
 *
 *   1. The timeout: the first segment is sent again, nothing else. x->frto_high is what was sent.
 *   2. An ACK moves SND.UNA, but not to frto_high: instead of more retransmissions two new
 *      segments go. With nothing new to send, recovery goes on as usual.
 *   3. The next ACK: if it reports something that was sent only once, before the timeout, the
 *      originals do arrive, and the timeout was spurious. If it is a duplicate, losses are real.
 *
 * With SACK a report of such a segment is enough at any step. tcb->x is there.
 */
#ifndef RILL_NETSTACK_TCP_FRTO_H
#define RILL_NETSTACK_TCP_FRTO_H

#include "netstack/tcp/scoreboard.h"

/* A timeout. first: since SND.UNA last moved. After recover was set. */
void rill_tcp_frto_begin(struct rill_tcb *tcb, const struct rill_tcp_env *env, bool first);
/* True: the timeout was spurious. After the scoreboard. */
bool rill_tcp_frto_on_ack(struct rill_tcb *tcb, const struct rill_tcp_acked *a);
/*
 * After new data was sent, if it could be: whether there was none, and nobody is left to answer.
 * Then recovery goes on as usual.
 */
bool rill_tcp_frto_is_stuck(struct rill_tcb *tcb);

#endif
