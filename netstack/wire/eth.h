/* SPDX-License-Identifier: BSD-3-Clause */
/* Ethernet II frames (RFC 894). */
#ifndef RILL_NETSTACK_WIRE_ETH_H
#define RILL_NETSTACK_WIRE_ETH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netstack/wire/bytes.h"
#include "netstack/wire/drop.h"

#define RILL_ETH_LEN 14
#define RILL_ETH_ADDR_LEN 6

enum rill_eth_type {
	RILL_ETH_IP4 = 0x0800,
	RILL_ETH_ARP = 0x0806,
};

struct rill_eth {
	uint8_t dst[RILL_ETH_ADDR_LEN];
	uint8_t src[RILL_ETH_ADDR_LEN];
	uint16_t type; /* enum rill_eth_type */
};

extern const uint8_t rill_eth_broadcast[RILL_ETH_ADDR_LEN];
extern const uint8_t rill_eth_zero[RILL_ETH_ADDR_LEN];

/* The group bit: multicast, and broadcast with it. */
static inline bool rill_eth_is_group(const uint8_t *addr)
{
	return addr[0] & 1;
}

static inline bool rill_eth_equal(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, RILL_ETH_ADDR_LEN) == 0;
}

static inline enum rill_drop rill_eth_check(size_t len)
{
	return len < RILL_ETH_LEN ? RILL_DROP_ETH_SHORT : RILL_DROP_NONE;
}

/* p has passed rill_eth_check(). */
static inline void rill_eth_parse(const uint8_t *p, struct rill_eth *ret_eth)
{
	memcpy(ret_eth->dst, p, 2 * RILL_ETH_ADDR_LEN);
	ret_eth->type = rill_load_be16(p + 12);
}

static inline void rill_eth_emit(uint8_t *p, const uint8_t *dst, const uint8_t *src, uint16_t type)
{
	memcpy(p, dst, RILL_ETH_ADDR_LEN);
	memcpy(p + 6, src, RILL_ETH_ADDR_LEN);
	rill_store_be16(p + 12, type);
}

/* As snprintf(). */
int rill_eth_print(const struct rill_eth *eth, char *buf, size_t size);

#endif
