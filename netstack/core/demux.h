/* SPDX-License-Identifier: BSD-3-Clause */
/* From received packets to connections and ports. */
#ifndef RILL_NETSTACK_CORE_DEMUX_H
#define RILL_NETSTACK_CORE_DEMUX_H

#include "netstack/core/core.h"

/* See struct rill_l3_ops; ctx is the core. */
enum rill_drop rill_demux_tcp(void *ctx, struct rill_buf *b, const struct rill_ip_meta *m);
enum rill_drop rill_demux_udp(void *ctx, struct rill_buf *b, const struct rill_ip_meta *m);
void rill_demux_icmp_error(void *ctx, const struct rill_icmp_error *e);
void rill_demux_unreachable(void *ctx, const struct rill_ip *dst);
void rill_demux_resolved(void *ctx);

/*
 * What another core's foreign_segment and foreign_error took there, brought here. The segment is
 * at its TCP header and its checksum has been verified; takes the reference.
 */
void rill_demux_segment(struct rill_core *core, struct rill_buf *b, const struct rill_ip_meta *m);
void rill_demux_error(struct rill_core *core, const struct rill_icmp_error *e);

#endif
