/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An interface on one VLAN (IEEE 802.1Q): what it sends has the tag, and of what comes only frames
 * with it are its own. Above this there are no tags.
 */
#ifndef RILL_NETSTACK_STACK_VLAN_H
#define RILL_NETSTACK_STACK_VLAN_H

#include "netstack/stack/shard.h"

#define RILL_VLAN_ID_MAX 4094

/* Takes the tags off, in place; drops what is of another VLAN or of none. How many are left. */
unsigned rill_vlan_receive(struct rill_shard *sh, struct rill_buf **bufs, unsigned n);
/*
 * Puts the tag on. Writes only into the headroom, as the IP layer did before, so that a buffer may
 * be somebody's send queue.
 */
void rill_vlan_send(uint16_t id, struct rill_buf **bufs, unsigned n);

#endif
