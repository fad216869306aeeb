/* SPDX-License-Identifier: BSD-3-Clause */
/* From received packets to connections and ports. ctx is the shard, held. */
#ifndef RILL_NETSTACK_STACK_DEMUX_H
#define RILL_NETSTACK_STACK_DEMUX_H

#include "netstack/stack/shard.h"

/* A frame from the NIC; takes the reference. */
void rill_demux_frame(struct rill_shard *sh, struct rill_buf *frame);

/* See struct rill_l3_ops. */
enum rill_drop rill_demux_tcp(void *ctx, struct rill_buf *b, const struct rill_ip_meta *m);
enum rill_drop rill_demux_udp(void *ctx, struct rill_buf *b, const struct rill_ip_meta *m);
void rill_demux_icmp_error(void *ctx, const struct rill_icmp_error *e);
void rill_demux_unreachable(void *ctx, const struct rill_ip *dst);

#endif
