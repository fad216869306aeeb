/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Internet checksum (RFC 1071) in three steps: begin with 0 or a pseudo-header sum, add byte
 * ranges, fold. A one's complement sum does not care for the byte order of the words (RFC
 * 1071, 2.B), so sums are kept in the machine's own order and the folded checksum goes to memory as
 * it is, by rill_store_raw16().
 *
 *   emit:   store 0 in the field; fold(add(pseudo, segment)) is the field's new value
 *   verify: fold(add(pseudo, segment)) == 0, the field included
 */
#ifndef RILL_NETSTACK_WIRE_CHECKSUM_H
#define RILL_NETSTACK_WIRE_CHECKSUM_H

#include <rill/net.h>

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "netstack/wire/bytes.h"

/*
 * Of a sum that is wider: 2^32 = 1 modulo 2^16 - 1, so a carry out of the top comes in again at the
 * bottom.
 */
static inline uint32_t rill_csum_fold_wide(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (uint32_t)(sum + (sum >> 32));
}

/*
 * Adds len bytes to sum. data may have any alignment in memory. An odd len counts as padded with a
 * zero, so only the last range of a packet may be odd; for a range that begins at an odd offset of
 * the packet use rill_csum_add_odd().
 */
uint32_t rill_csum_add(uint32_t sum, const void *data, size_t len);

/* The same of src, and copies it to dst, which does not overlap. */
uint32_t rill_csum_copy(uint32_t sum, void *dst, const void *src, size_t len);

/* rill_csum_add() for a range whose first byte is the second of a 16-bit word. */
uint32_t rill_csum_add_odd(uint32_t sum, const void *data, size_t len);

uint32_t rill_csum_pseudo6(const struct rill_ip *src, const struct rill_ip *dst, uint8_t proto,
			   uint32_t len);

/* The sum over the pseudo header: IPv4 (RFC 9293, 3.1) or IPv6 (RFC 8200, 8.1), by src->family. */
static inline uint32_t rill_csum_pseudo(const struct rill_ip *src, const struct rill_ip *dst,
					uint8_t proto, uint32_t len)
{
	uint32_t from, to;

	if (RILL_UNLIKELY(src->family != RILL_AF_IP4))
		return rill_csum_pseudo6(src, dst, proto, len);
	memcpy(&from, src->bytes, sizeof(from));
	memcpy(&to, dst->bytes, sizeof(to));
	return rill_csum_fold_wide((uint64_t)RILL_BE32(len) + RILL_BE32((uint32_t)proto) + from +
				   to);
}

/* Sixteen bits, not inverted: what RILL_BUF_CSUM_PARTIAL wants in the field. */
static inline uint16_t rill_csum_fold_partial(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

/* The checksum itself. Zero when a range that contains a right checksum was summed. */
static inline uint16_t rill_csum_fold(uint32_t sum)
{
	return (uint16_t)~rill_csum_fold_partial(sum);
}

/*
 * The checksum after one aligned 16-bit field changed from old to new (RFC 1624, equation 3). All
 * three in memory order.
 */
static inline uint16_t rill_csum_update16(uint16_t csum, uint16_t old, uint16_t new)
{
	return rill_csum_fold((uint32_t)(uint16_t)~csum + (uint16_t)~old + new);
}

#endif
