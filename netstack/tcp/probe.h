/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments that shall make the peer answer: window probes (RFC 9293, 3.8.6.1) and tail loss probes
 * (tlp.h).
 *
 * A window probe is one byte beyond the edge. It is not counted on: no mark, no timer but the
 * persist timer. SND.NXT covers it, so that an ACK of it is acceptable, and snd_cur begins with it
 * still.
 */
#ifndef RILL_NETSTACK_TCP_PROBE_H
#define RILL_NETSTACK_TCP_PROBE_H

#include "netstack/tcp/tcb.h"

/* RILL_TCB_PROBE is set; tcb->x is there. */
void rill_tcp_send_probe(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);

#endif
