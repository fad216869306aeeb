/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP for IPv4 (RFC 792; RFC 1191 for the MTU field). */
#ifndef RILL_NETSTACK_WIRE_ICMP4_H
#define RILL_NETSTACK_WIRE_ICMP4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netstack/wire/drop.h"
#include "netstack/wire/ip4.h"

#define RILL_ICMP4_LEN 8

enum rill_icmp4_type {
	RILL_ICMP4_ECHO_REPLY = 0,
	RILL_ICMP4_UNREACHABLE = 3,
	RILL_ICMP4_SOURCE_QUENCH = 4,
	RILL_ICMP4_REDIRECT = 5,
	RILL_ICMP4_ECHO = 8,
	RILL_ICMP4_TIME_EXCEEDED = 11,
	RILL_ICMP4_PARAMETER_PROBLEM = 12,
};

/* Codes of destination unreachable. */
enum rill_icmp4_unreachable {
	RILL_ICMP4_NET = 0,
	RILL_ICMP4_HOST = 1,
	RILL_ICMP4_PROTOCOL = 2,
	RILL_ICMP4_PORT = 3,
	RILL_ICMP4_FRAG_NEEDED = 4,
	RILL_ICMP4_SOURCE_ROUTE = 5,
};

/* Codes of time exceeded. */
enum rill_icmp4_time {
	RILL_ICMP4_TTL = 0,
	RILL_ICMP4_REASSEMBLY = 1,
};

struct rill_icmp4 {
	uint8_t type;
	uint8_t code;
	uint32_t rest; /* echo: id and sequence number; unreachable code 4: the MTU in the lower
			  half */
};

/* What an error says about the packet that caused it. */
struct rill_icmp4_embedded {
	struct rill_ip4 ip;	     /* as it was on the wire there: src is who sent it */
	uint16_t src_port, dst_port; /* of TCP and UDP */
	uint32_t tcp_seq;	     /* of TCP */
};

/* len and sum are of the whole message; sum is rill_csum_add() of it. */
enum rill_drop rill_icmp4_check(size_t len, uint32_t sum);
/* p has passed rill_icmp4_check(). */
void rill_icmp4_parse(const uint8_t *p, struct rill_icmp4 *ret_icmp);
/* p, len: what follows the ICMP header of an error. RILL_DROP_ICMP_EMBEDDED when it is not usable.
 */
enum rill_drop rill_icmp4_parse_embedded(const uint8_t *p, size_t len,
					 struct rill_icmp4_embedded *ret_embedded);
/* Writes the header; the checksum covers it and payload_sum, the sum of what follows. */
void rill_icmp4_emit(uint8_t *p, const struct rill_icmp4 *icmp, uint32_t payload_sum);
/* Types about which no error may be sent (RFC 1122, 3.2.2): errors, and what is not known to be
 * none. */
bool rill_icmp4_is_error(uint8_t type);
/* As snprintf(). */
int rill_icmp4_print(const struct rill_icmp4 *icmp, char *buf, size_t size);

#endif
