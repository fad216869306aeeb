/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/ip/arp.h"

#include "netstack/ip/l3.h"
#include "netstack/ip/neigh.h"
#include "netstack/wire/arp.h"

static void send_arp(struct rill_l3 *l3, const struct rill_arp *arp, const uint8_t *to)
{
	struct rill_buf *b = rill_l3_alloc(l3);

	if (!b)
		return;
	rill_arp_emit(rill_buf_append(b, RILL_ARP_LEN), arp);
	rill_eth_emit(rill_buf_push(b, RILL_ETH_LEN), to, l3->mac, RILL_ETH_ARP);
	rill_l3_tx(l3, b);
}

void rill_arp_request(struct rill_l3 *l3, uint32_t ip, const uint8_t *to)
{
	struct rill_arp arp = {
		.op = RILL_ARP_REQUEST,
		.sender_ip = rill_l3_source_on_link(l3, ip),
		.target_ip = ip,
	};

	memcpy(arp.sender_mac, l3->mac, RILL_ETH_ADDR_LEN);
	send_arp(l3, &arp, to);
}

void rill_arp_announce(struct rill_l3 *l3, uint32_t ip)
{
	struct rill_arp arp = {.op = RILL_ARP_REQUEST, .sender_ip = ip, .target_ip = ip};

	if (l3->no_link)
		return;
	memcpy(arp.sender_mac, l3->mac, RILL_ETH_ADDR_LEN);
	send_arp(l3, &arp, rill_eth_broadcast);
}

static void send_reply(struct rill_l3 *l3, const struct rill_arp *request)
{
	struct rill_arp arp = {
		.op = RILL_ARP_REPLY,
		.sender_ip = request->target_ip,
		.target_ip = request->sender_ip,
	};

	memcpy(arp.sender_mac, l3->mac, RILL_ETH_ADDR_LEN);
	memcpy(arp.target_mac, request->sender_mac, RILL_ETH_ADDR_LEN);
	send_arp(l3, &arp, request->sender_mac);
}

/* Who says that it is arp->sender_ip at arp->sender_mac: can that be? 0.0.0.0 is an RFC 5227 probe.
 */
static enum rill_drop check_sender(const struct rill_l3 *l3, const struct rill_arp *arp)
{
	if (rill_eth_is_group(arp->sender_mac) || rill_eth_equal(arp->sender_mac, rill_eth_zero) ||
	    rill_eth_equal(arp->sender_mac, l3->mac))
		return RILL_DROP_ARP_SENDER;
	if (rill_l3_owns(l3, arp->sender_ip))
		return RILL_DROP_ARP_CONFLICT;
	if (arp->sender_ip != 0 && !rill_l3_is_neighbour(l3, arp->sender_ip))
		return RILL_DROP_ARP_SENDER;
	return RILL_DROP_NONE;
}

enum rill_drop rill_arp_input(struct rill_l3 *l3, const struct rill_buf *b,
			      const struct rill_eth *eth, uint64_t now)
{
	const uint8_t *p = b->data + RILL_ETH_LEN;
	enum rill_drop drop = rill_arp_check(p, b->len - RILL_ETH_LEN);
	struct rill_arp arp;

	if (drop)
		return drop;
	rill_arp_parse(p, &arp);
	drop = check_sender(l3, &arp);
	if (drop)
		return drop;
	bool for_us = arp.op == RILL_ARP_REQUEST && rill_l3_owns(l3, arp.target_ip);
	/* An answer to a question of ours comes to us alone; anything else is hearsay. */
	bool solicited = arp.op == RILL_ARP_REPLY && rill_l3_owns(l3, arp.target_ip) &&
			 rill_eth_equal(eth->dst, l3->mac);

	if (arp.sender_ip != 0)
		rill_neigh_learn(l3, &arp, for_us, solicited, now);
	if (for_us)
		send_reply(l3, &arp);
	return RILL_DROP_NONE;
}
