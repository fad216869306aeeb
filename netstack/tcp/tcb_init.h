/* SPDX-License-Identifier: BSD-3-Clause */
/* What both ways to open a connection share. */
#ifndef RILL_NETSTACK_TCP_TCB_INIT_H
#define RILL_NETSTACK_TCP_TCB_INIT_H

#include "netstack/tcp/tcb.h"

/* Numbers, buffers and scale of a fresh tcb. */
void rill_tcb_open(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint32_t iss);
/*
 * rill_tcb_accept() with a number chosen by the caller: for a connection that was half open
 * elsewhere, or in a SYN cookie.
 */
void rill_tcb_accept_as(struct rill_tcb *tcb, struct rill_tcp_env *env,
			const struct rill_tcp_seg *seg, uint32_t iss, uint64_t now);

#endif
