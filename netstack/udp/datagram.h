/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP datagrams in and out of packet buffers (RFC 768; RFC 1122, 4.1). No state. */
#ifndef RILL_NETSTACK_UDP_DATAGRAM_H
#define RILL_NETSTACK_UDP_DATAGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/buf.h"
#include "netstack/ip/l3.h"
#include "netstack/wire/udp.h"

/* Payload that fits an IPv4 packet. */
#define RILL_UDP_PAYLOAD_MAX (RILL_IP4_TOTAL_MAX - RILL_IP4_LEN - RILL_UDP_LEN)

/*
 * Validates what struct rill_l3_ops' udp is given: lengths and checksum (believing
 * RILL_BUF_CSUM_OK). The chain is not changed, so that it can still be refused.
 */
enum rill_drop rill_udp_input(const struct rill_buf *b, const struct rill_ip_meta *m,
			      struct rill_udp_hdr *ret_udp);

/* Once it is wanted: leaves the payload alone in the chain. */
void rill_udp_strip(struct rill_buf *b, const struct rill_udp_hdr *udp);

struct rill_udp_out {
	struct rill_ip src, dst;
	uint16_t src_port, dst_port;
	/*
	 * The NIC has RILL_NIC_TX_CSUM. Used for what goes out as one packet: payload_max is struct
	 * rill_l3's.
	 */
	bool offload;
	uint32_t payload_max;
};

/*
 * Puts the header in front of a chain that is at the payload (next ends it). 0, or -EMSGSIZE when
 * it is longer than RILL_UDP_PAYLOAD_MAX.
 */
int rill_udp_output(struct rill_buf *b, const struct rill_udp_out *o);

#endif
