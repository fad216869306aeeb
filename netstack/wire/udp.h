/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP headers (RFC 768). */
#ifndef RILL_NETSTACK_WIRE_UDP_H
#define RILL_NETSTACK_WIRE_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netstack/wire/drop.h"

#define RILL_UDP_LEN 8

struct rill_udp_hdr {
	uint16_t src_port, dst_port;
	uint16_t len; /* header and payload */
	bool has_csum;
};

/*
 * Against len, the IP payload: RILL_DROP_UDP_SHORT, RILL_DROP_UDP_LEN. A length field below len is
 * fine: the datagram ends there (RFC 768).
 */
enum rill_drop rill_udp_check(const uint8_t *p, size_t len);
/* p has passed rill_udp_check(). */
void rill_udp_parse(const uint8_t *p, struct rill_udp_hdr *ret_udp);
/* Writes the header with checksum 0. */
void rill_udp_emit(uint8_t *p, const struct rill_udp_hdr *udp);
/* Stores the checksum; sum: pseudo header and datagram with checksum 0. A computed 0 goes out as
 * ffff. */
void rill_udp_emit_csum(uint8_t *p, uint32_t sum);
/* As snprintf(). */
int rill_udp_print(const struct rill_udp_hdr *udp, char *buf, size_t size);

#endif
