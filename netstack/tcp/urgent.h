/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Urgent data (RFC 9293, 3.8.5; RFC 6093). The pointer is to the octet behind the urgent one
 * (MUST-62), which is the only one that counts: of two announcements the later one holds.
 *
 *      stream:   ... a b c [u] d e ...
 *                           |   |
 *                         mark  rcv_up
 *
 * In-line (settings->oob_inline, the default) the urgent byte is read like any other, and only
 * reads stop at the mark. Else it is taken out of the stream and read with rill_tcb_recv_urgent().
 *
 * URG_IN: the user has not read past the mark. OOB_READY: oob_byte waits to be read.
 */
#ifndef RILL_NETSTACK_TCP_URGENT_H
#define RILL_NETSTACK_TCP_URGENT_H

#include "netstack/tcp/input.h"

/* rx->seg, which is acceptable, has URG: sixth of RFC 9293, 3.10.7.4. */
void rill_tcp_urgent_on_segment(struct rill_tcp_rx *rx);
/* b's bytes, which begin at seq, are next in order. With URG_IN. */
void rill_tcp_urgent_on_data(struct rill_tcb *tcb, const struct rill_buf *b, uint32_t seq);
/*
 * About to read up to len > 0 bytes: how many there are before the mark, after the urgent byte was
 * taken out if it is the next and not in line. With URG_IN. 0: nothing but that was there.
 */
size_t rill_tcp_urgent_limit(struct rill_tcb *tcb, struct rill_tcp_env *env, size_t len);
/* The same for a look: nothing is taken out; ret_skip: bytes at the front that a read would. */
size_t rill_tcp_urgent_view(const struct rill_tcb *tcb, size_t len, uint32_t *ret_skip);
/* The user has read. With URG_IN. */
void rill_tcp_urgent_on_read(struct rill_tcb *tcb);

#endif
