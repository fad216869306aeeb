/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP for IPv4 on Ethernet (RFC 826). */
#ifndef RILL_NETSTACK_WIRE_ARP_H
#define RILL_NETSTACK_WIRE_ARP_H

#include <stddef.h>
#include <stdint.h>

#include "netstack/wire/drop.h"
#include "netstack/wire/eth.h"

#define RILL_ARP_LEN 28

enum rill_arp_op {
	RILL_ARP_REQUEST = 1,
	RILL_ARP_REPLY = 2,
};

/* IPv4 addresses in host order, as everywhere below rill_l3. */
struct rill_arp {
	uint16_t op; /* enum rill_arp_op */
	uint8_t sender_mac[RILL_ETH_ADDR_LEN];
	uint32_t sender_ip;
	uint8_t target_mac[RILL_ETH_ADDR_LEN];
	uint32_t target_ip;
};

/* Length, hardware and protocol type, address sizes, operation. What follows the packet is padding.
 */
enum rill_drop rill_arp_check(const uint8_t *p, size_t len);
/* p has passed rill_arp_check(). */
void rill_arp_parse(const uint8_t *p, struct rill_arp *ret_arp);
/* Writes RILL_ARP_LEN bytes. */
void rill_arp_emit(uint8_t *p, const struct rill_arp *arp);
/* As snprintf(). */
int rill_arp_print(const struct rill_arp *arp, char *buf, size_t size);

#endif
