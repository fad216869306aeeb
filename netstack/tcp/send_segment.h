/* SPDX-License-Identifier: BSD-3-Clause */
/* Single segments with data or FIN. tcb->x is there; false: no buffer. */
#ifndef RILL_NETSTACK_TCP_SEND_SEGMENT_H
#define RILL_NETSTACK_TCP_SEND_SEGMENT_H

#include "netstack/tcp/tcb.h"

/* What the peer's window takes beyond what was sent; negative when it shrank (MUST-34). */
int64_t rill_tcp_window_room(const struct rill_tcb *tcb);
/* ACK; PSH with the last byte there is; FIN with it where it was sent, or may be. */
uint16_t rill_tcp_data_flags(const struct rill_tcb *tcb, struct rill_buf *b);
/* The first n bytes of snd_cur, which the window takes. */
bool rill_tcp_send_new(struct rill_tcb *tcb, struct rill_tcp_env *env, uint32_t n, uint64_t now);
/* The FIN alone, if all data was sent and the window has a number for it. */
bool rill_tcp_send_fin(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);
bool rill_tcp_repeat_fin(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);

#endif
