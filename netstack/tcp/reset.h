/* SPDX-License-Identifier: BSD-3-Clause */
/* RST segments, and the end of a connection. */
#ifndef RILL_NETSTACK_TCP_RESET_H
#define RILL_NETSTACK_TCP_RESET_H

#include "netstack/tcp/tcb.h"

/* A RST of an existing connection: <SEQ=SND.NXT><ACK=RCV.NXT>. */
void rill_tcp_reset(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);
/*
 * -> CLOSED with error (0: in good order). What was received stays for the user, if there is one.
 */
void rill_tcp_end(struct rill_tcb *tcb, struct rill_tcp_env *env, int error);

#endif
