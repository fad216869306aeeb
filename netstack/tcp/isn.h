/* SPDX-License-Identifier: BSD-3-Clause */
/* Initial sequence numbers (RFC 6528) and timestamp offsets (RFC 7323, 7.1). */
#ifndef RILL_NETSTACK_TCP_ISN_H
#define RILL_NETSTACK_TCP_ISN_H

#include "netstack/tcp/tcb.h"

/* Depends on the tcb's addresses, the secret and the time alone. */
uint32_t rill_tcp_isn(const struct rill_tcp_env *env, const struct rill_tcb *tcb, uint64_t now);
uint32_t rill_tcp_ts_offset(const struct rill_tcp_env *env, const struct rill_tcb *tcb);

#endif
