/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SACK blocks received (RFC 2018, 4; RFC 2883; RFC 6675): checked, and marked on the scoreboard.
 *
 * Blocks are the peer's word, and the peer may be hostile. One is believed only within SND.UNA and
 * SND.NXT. A search costs at most SACK_STEPS_MAX segments for one ACK: the ends of the ranges
 * SACKed lately are kept as places to begin from, a search that finds no end goes on at the next
 * ACK, and a segment that a block cuts is split while the queue may have more pieces, else left
 * unmarked: what is not marked is at worst sent again.
 */
#ifndef RILL_NETSTACK_TCP_SACK_H
#define RILL_NETSTACK_TCP_SACK_H

#include "netstack/tcp/scoreboard.h"

/* What seg's blocks tell. After snd_una was set by its ACK field; tcb->x is there. */
void rill_tcp_sack_input(struct rill_tcb *tcb, struct rill_tcp_env *env,
			 const struct rill_tcp_seg *seg, struct rill_tcp_acked *a);

#endif
