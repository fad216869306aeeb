/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP packets in and out; what is learned from them goes to the neighbour table. */
#ifndef RILL_NETSTACK_IP_ARP_H
#define RILL_NETSTACK_IP_ARP_H

#include <stdint.h>

#include "drivers/buf.h"
#include "netstack/wire/drop.h"
#include "netstack/wire/eth.h"

struct rill_l3;

/* b is a whole frame, only read: it may be shared with other shards. The caller keeps the
 * reference. */
enum rill_drop rill_arp_input(struct rill_l3 *l3, const struct rill_buf *b,
			      const struct rill_eth *eth, uint64_t now);
/* Asks for ip; to is broadcast, or the address known so far to check it. */
void rill_arp_request(struct rill_l3 *l3, uint32_t ip, const uint8_t *to);
/* Tells everybody that ip, which is ours, is here (RFC 5227, 2.3). */
void rill_arp_announce(struct rill_l3 *l3, uint32_t ip);

#endif
