/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/wire/eth.h"

#include <stdio.h>

const uint8_t rill_eth_broadcast[RILL_ETH_ADDR_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
const uint8_t rill_eth_zero[RILL_ETH_ADDR_LEN];

int rill_eth_print(const struct rill_eth *eth, char *buf, size_t size)
{
	const uint8_t *s = eth->src, *d = eth->dst;

	return snprintf(buf, size,
			"%02x:%02x:%02x:%02x:%02x:%02x > %02x:%02x:%02x:%02x:%02x:%02x type 0x%04x",
			s[0], s[1], s[2], s[3], s[4], s[5], d[0], d[1], d[2], d[3], d[4], d[5],
			eth->type);
}
