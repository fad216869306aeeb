/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VLAN tags (IEEE 802.1Q) in a frame and beside it. A NIC with RILL_NIC_RX_VLAN takes the outermost
 * tag out and says so in rill_buf_meta(), one with TX_VLAN puts it in; here the same in software.
 */
#ifndef RILL_NETSTACK_WIRE_VLAN_H
#define RILL_NETSTACK_WIRE_VLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/buf.h"

#define RILL_VLAN_LEN 4

enum rill_vlan_type {
	RILL_VLAN_8021Q = 0x8100,
	RILL_VLAN_8021AD = 0x88a8, /* the outer one of two */
};

static inline bool rill_vlan_is_tag(uint16_t eth_type)
{
	return eth_type == RILL_VLAN_8021Q || eth_type == RILL_VLAN_8021AD;
}

/*
 * To be sent: the tag of RILL_BUF_VLAN goes into the frame, as 802.1Q behind the addresses.
 * csum_start and header_len follow. False: there was none, or the buffer is not the caller's
 * alone, is shorter than an Ethernet header or has no headroom (then nothing has changed).
 */
bool rill_vlan_insert(struct rill_buf *b);
/* Received: the outermost tag, if it is 802.1Q, comes out and is in vlan_tci with RILL_BUF_VLAN.
 * False: there is none, or was one beside the frame already. */
bool rill_vlan_strip(struct rill_buf *b);

#endif
