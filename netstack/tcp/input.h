/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A segment on its way through the checks of RFC 9293, 3.10.7. Each step is a function that returns
 * NONE to go on, or the reason why the segment ends there. A step that keeps the payload sets b to
 * NULL; what is left there at the end is given back.
 */
#ifndef RILL_NETSTACK_TCP_INPUT_H
#define RILL_NETSTACK_TCP_INPUT_H

#include "netstack/tcp/tcb.h"

struct rill_tcp_rx {
	struct rill_tcb *tcb;
	struct rill_tcp_env *env;
	struct rill_tcp_seg *seg;
	struct rill_buf *b;
	uint64_t now;
	bool had_data; /* before it was trimmed */
};

/* input_syn.c */
enum rill_drop rill_tcp_input_syn_sent(struct rill_tcp_rx *rx);
/* The handshake is complete: seg acknowledges our SYN. */
void rill_tcp_established(struct rill_tcp_rx *rx);

/* input_check.c: timestamps, sequence, RST, SYN; trims the segment to the window. */
enum rill_drop rill_tcp_input_check(struct rill_tcp_rx *rx);
/* RFC 7323, 4.3: the timestamp to echo. seg is acceptable. */
void rill_tcp_note_timestamp(struct rill_tcp_rx *rx);

/* input_ack.c */
enum rill_drop rill_tcp_input_ack(struct rill_tcp_rx *rx);
/* seg->ack is beyond snd_una, and acceptable. */
void rill_tcp_ack_advance(struct rill_tcp_rx *rx);

/* input_data.c */
enum rill_drop rill_tcp_input_data(struct rill_tcp_rx *rx);
/* seg begins at rcv_nxt and has payload: it is delivered, unless memory is out. */
void rill_tcp_data_in_order(struct rill_tcp_rx *rx);
/* Bytes that begin at rcv_nxt. Takes the reference. */
void rill_tcp_deliver(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b);

#endif
