/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/wire/arp.h"

#include "netstack/wire/bytes.h"
#include "netstack/wire/ip4.h"

#include <stdio.h>

#define ARP_HW_ETHERNET 1

enum rill_drop rill_arp_check(const uint8_t *p, size_t len)
{
	if (len < RILL_ARP_LEN)
		return RILL_DROP_ARP_SHORT;
	if (rill_load_be16(p) != ARP_HW_ETHERNET || rill_load_be16(p + 2) != RILL_ETH_IP4)
		return RILL_DROP_ARP_FORMAT;
	if (p[4] != RILL_ETH_ADDR_LEN || p[5] != 4)
		return RILL_DROP_ARP_FORMAT;
	uint16_t op = rill_load_be16(p + 6);

	if (op != RILL_ARP_REQUEST && op != RILL_ARP_REPLY)
		return RILL_DROP_ARP_OP;
	return RILL_DROP_NONE;
}

void rill_arp_parse(const uint8_t *p, struct rill_arp *ret_arp)
{
	ret_arp->op = rill_load_be16(p + 6);
	memcpy(ret_arp->sender_mac, p + 8, RILL_ETH_ADDR_LEN);
	ret_arp->sender_ip = rill_load_be32(p + 14);
	memcpy(ret_arp->target_mac, p + 18, RILL_ETH_ADDR_LEN);
	ret_arp->target_ip = rill_load_be32(p + 24);
}

void rill_arp_emit(uint8_t *p, const struct rill_arp *arp)
{
	rill_store_be16(p, ARP_HW_ETHERNET);
	rill_store_be16(p + 2, RILL_ETH_IP4);
	p[4] = RILL_ETH_ADDR_LEN;
	p[5] = 4;
	rill_store_be16(p + 6, arp->op);
	memcpy(p + 8, arp->sender_mac, RILL_ETH_ADDR_LEN);
	rill_store_be32(p + 14, arp->sender_ip);
	memcpy(p + 18, arp->target_mac, RILL_ETH_ADDR_LEN);
	rill_store_be32(p + 24, arp->target_ip);
}

int rill_arp_print(const struct rill_arp *arp, char *buf, size_t size)
{
	const uint8_t *m = arp->sender_mac;
	char sender[RILL_IP4_STRLEN], target[RILL_IP4_STRLEN];

	rill_ip4_format(arp->sender_ip, sender);
	rill_ip4_format(arp->target_ip, target);
	if (arp->op == RILL_ARP_REQUEST)
		return snprintf(buf, size, "ARP who-has %s tell %s", target, sender);
	return snprintf(buf, size, "ARP %s is-at %02x:%02x:%02x:%02x:%02x:%02x", sender, m[0], m[1],
			m[2], m[3], m[4], m[5]);
}
