/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every reason for which a packet is dropped: enum, counter name and documentation in one list. Zero
 * means "not dropped". Counted per shard, shown as rill_drops{reason="..."}.
 */
#ifndef RILL_NETSTACK_WIRE_DROP_H
#define RILL_NETSTACK_WIRE_DROP_H

#include <stdint.h>

#define RILL_DROP_REASONS(X)                                                                       \
	X(ETH_SHORT, eth_short, "frame shorter than an Ethernet header")                           \
	X(ETH_TYPE, eth_type, "EtherType that rill does not speak")                                \
	X(ETH_DEST, eth_dest, "frame to another station")                                          \
	X(NO_BUFFER, no_buffer, "no packet buffer free")                                           \
	X(TX_FULL, tx_full, "transmit ring full")

enum rill_drop {
	RILL_DROP_NONE = 0,
#define X(id, name, doc) RILL_DROP_##id,
	RILL_DROP_REASONS(X)
#undef X
	RILL_DROP_COUNT,
};

/* Name and description of a reason, for metrics and documentation. */
const char *rill_drop_name(enum rill_drop reason);
const char *rill_drop_doc(enum rill_drop reason);

#endif
