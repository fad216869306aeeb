/* SPDX-License-Identifier: BSD-3-Clause */
/* When data is acknowledged (RFC 9293, 3.8.6.3; RFC 5681, 4.2). */
#ifndef RILL_NETSTACK_TCP_ACK_H
#define RILL_NETSTACK_TCP_ACK_H

#include "netstack/tcp/input.h"

/*
 * len bytes of rx->seg were delivered in order: makes an ACK due with the next output, or sets the
 * delayed ACK's timer. ACKs that must not wait for other reasons (gaps, FIN, window) are made due
 * where the reason is seen. At the next output, and not now, so that there is one for a whole batch
 * (MUST-58), sent when nothing more waits to be processed (MUST-59).
 */
void rill_tcp_ack_on_data(struct rill_tcp_rx *rx, uint32_t len);

#endif
