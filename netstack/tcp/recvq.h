/* SPDX-License-Identifier: BSD-3-Clause */
/* The receive queue (in order, payload only) and the window that follows from it. */
#ifndef RILL_NETSTACK_TCP_RECVQ_H
#define RILL_NETSTACK_TCP_RECVQ_H

#include "netstack/tcp/tcb.h"

/* Bytes unread that every connection may have while memory is low, so that none stands still. */
uint32_t rill_recvq_share(const struct rill_tcb *tcb);
/* How many buffers max_bytes of received data may pin before small ones are merged. */
uint32_t rill_recvq_bufs_max(const struct rill_tcb *tcb);
/* Whether b's bytes fit behind last, which nobody else looks at. */
bool rill_recvq_mergeable(const struct rill_buf *last, const struct rill_buf *b);
/*
 * Adds b's bytes behind last if they are few, or if force, and there is room. Then b's reference
 * was given back. b is counted in env->mem_used.
 */
bool rill_recvq_merge(struct rill_tcp_env *env, struct rill_buf *last, struct rill_buf *b,
		      bool force);
/* Bytes that are next in order; takes the reference. */
void rill_recvq_push(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b);
uint32_t rill_recvq_copy(struct rill_tcb *tcb, struct rill_tcp_env *env, uint8_t *data, size_t len);
/* The first buffer with its reference; NULL: there is none. */
struct rill_buf *rill_recvq_pop(struct rill_tcb *tcb, struct rill_tcp_env *env);
/* Puts one back that was popped, as the first; takes the reference. */
void rill_recvq_unpop(struct rill_tcb *tcb, struct rill_tcp_env *env, struct rill_buf *b);
void rill_recvq_clear(struct rill_tcb *tcb, struct rill_tcp_env *env);

/* The window field of a segment that is being sent now, and rcv_wnd with it. shift: 0 in a SYN. */
uint16_t rill_recvq_window(struct rill_tcb *tcb, uint8_t shift);
/*
 * After the user has read: whether the peer should hear of the room before it runs into the edge.
 */
bool rill_recvq_update_due(const struct rill_tcb *tcb);

#endif
