/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses of the network. Plain values; the functions may be called from anywhere. */
#ifndef RILL_ADDR_H
#define RILL_ADDR_H

#include <rill/base.h>

RILL_BEGIN_DECLS

enum rill_family {
	RILL_AF_NONE = 0,
	RILL_AF_IP4 = 4,
	RILL_AF_IP6 = 6,
};

/* An address in network order; IPv4 lies in the first four bytes and the rest is zero. */
struct rill_ip {
	uint8_t family; /* enum rill_family */
	uint8_t bytes[16];
};

/* Address and port (host order). Port 0 asks for an ephemeral one where that makes sense. */
struct rill_addr {
	struct rill_ip ip;
	uint16_t port;
};

/* Enough for any address that rill_addr_format() writes, with its 0. */
#define RILL_ADDR_STRLEN 64

/* "198.18.0.1:80", "198.18.0.1" (port 0), ":80" (any IPv4 address). -EINVAL when it is none of
 * these. */
RILL_API int rill_addr_parse(const char *text, struct rill_addr *ret_addr);
/* "198.18.0.1/24". -EINVAL. */
RILL_API int rill_cidr_parse(const char *text, struct rill_ip *ret_ip, unsigned *ret_prefix);
/* Writes "198.18.0.1:80" into buf (RILL_ADDR_STRLEN bytes) and returns it. */
RILL_API const char *rill_addr_format(const struct rill_addr *addr, char *buf);

RILL_END_DECLS

#endif
