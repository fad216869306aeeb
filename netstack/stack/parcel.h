/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets on their way from the shard whose queue they came in to the one that owns the connection:
 * an operation for its mailbox, which lies in the packet buffer's cookies. See struct
 * rill_core_ops.
 */
#ifndef RILL_NETSTACK_STACK_PARCEL_H
#define RILL_NETSTACK_STACK_PARCEL_H

#include "netstack/stack/shard.h"

/* Frames from the NIC; takes the references. */
void rill_shard_input(struct rill_shard *sh, struct rill_buf **frames, unsigned count);

bool rill_parcel_segment(struct rill_core *core, struct rill_buf *b, const struct rill_ip_meta *m,
			 const struct rill_tcp_seg *seg, uint8_t *header);
void rill_parcel_error(struct rill_core *core, const struct rill_icmp_error *e);

#endif
