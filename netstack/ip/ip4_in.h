/* SPDX-License-Identifier: BSD-3-Clause */
/* Received IPv4 packets: validation, reassembly, dispatch. */
#ifndef RILL_NETSTACK_IP_IP4_IN_H
#define RILL_NETSTACK_IP_IP4_IN_H

#include <stdint.h>

#include "drivers/buf.h"
#include "netstack/wire/eth.h"

struct rill_l3;

/* b->data is at the IPv4 header. Takes the reference and counts what becomes of it. */
void rill_ip4_input(struct rill_l3 *l3, struct rill_buf *b, const struct rill_eth *eth,
		    uint64_t now);
/* The same for a packet in a chain (next), whose header lies in the first buffer. */
void rill_ip4_input_chain(struct rill_l3 *l3, struct rill_buf *b, const struct rill_eth *eth,
			  uint64_t now);

#endif
