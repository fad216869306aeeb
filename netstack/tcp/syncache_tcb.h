/* SPDX-License-Identifier: BSD-3-Clause */
/* What the SYN cache sends: each by a tcb that exists for just as long. */
#ifndef RILL_NETSTACK_TCP_SYNCACHE_TCB_H
#define RILL_NETSTACK_TCP_SYNCACHE_TCB_H

#include "netstack/tcp/syncache.h"

/* e is new: answers its SYN, and notes what was said. */
void rill_syn_entry_answer(struct rill_syncache *c, struct rill_syn_entry *e,
			   const struct rill_tcp_seg *seg, const struct rill_tcb *old,
			   uint64_t now);
/* The same SYN-ACK once more. */
void rill_syn_entry_repeat(struct rill_syncache *c, struct rill_syn_entry *e, uint64_t now);
/* A challenge ACK, if the limit allows it (RFC 5961, 7). */
void rill_syn_entry_challenge(struct rill_syncache *c, struct rill_syn_entry *e, uint64_t now);
/* Answers a SYN with a cookie. */
enum rill_drop rill_syn_cookie_answer(struct rill_syncache *c, void *listener,
				      const struct rill_tcp_seg *seg, const struct rill_tcb *old,
				      uint64_t now);

#endif
