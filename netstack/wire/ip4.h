/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv4 headers (RFC 791) and what kind an address is (RFC 1122, 3.2.1.3). */
#ifndef RILL_NETSTACK_WIRE_IP4_H
#define RILL_NETSTACK_WIRE_IP4_H

#include <rill/net.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "netstack/wire/bytes.h"
#include "netstack/wire/checksum.h"
#include "netstack/wire/drop.h"

#define RILL_IP4_LEN 20	   /* without options */
#define RILL_IP4_DF 0x4000 /* flags beside the fragment offset */
#define RILL_IP4_MF 0x2000
#define RILL_IP4_OFFSET_MASK 0x1fff /* in units of 8 bytes */
#define RILL_IP4_TOTAL_MAX 65535
#define RILL_IP4_STRLEN 16

enum rill_ip_proto {
	RILL_IP_ICMP = 1,
	RILL_IP_TCP = 6,
	RILL_IP_UDP = 17,
};

/* Addresses in host order: prefixes and ranges are then arithmetic. */
struct rill_ip4 {
	uint32_t src, dst;
	uint16_t id;
	uint16_t total_len;   /* header and payload */
	uint16_t frag_offset; /* bytes */
	uint8_t header_len;   /* bytes; emit writes 20 */
	uint8_t tos;
	uint8_t ttl;
	uint8_t proto; /* enum rill_ip_proto */
	bool dont_fragment;
	bool more_fragments;
};

static inline uint32_t rill_ip4_get(const struct rill_ip *ip)
{
	return rill_load_be32(ip->bytes);
}

static inline void rill_ip4_set(struct rill_ip *ret_ip, uint32_t addr)
{
	*ret_ip = (struct rill_ip){.family = RILL_AF_IP4};
	rill_store_be32(ret_ip->bytes, addr);
}

/* Class D. */
static inline bool rill_ip4_is_multicast(uint32_t addr)
{
	return addr >> 28 == 0xe;
}

/* Never a sender on a wire: 0/8, 127/8, class D and E, limited broadcast. */
static inline bool rill_ip4_is_bad_source(uint32_t addr)
{
	return addr >> 24 == 0 || addr >> 24 == 127 || addr >> 28 >= 0xe;
}

/* ---- for each packet received: inline ---- */

/*
 * The part of rill_ip4_check() that ICMP errors need: the header inside may be changed in transit
 * and its packet is cut off, so only version and header length are checked.
 */
static inline enum rill_drop rill_ip4_check_embedded(const uint8_t *p, size_t len)
{
	if (RILL_UNLIKELY(len < RILL_IP4_LEN))
		return RILL_DROP_IP4_SHORT;
	if (RILL_UNLIKELY(p[0] >> 4 != 4))
		return RILL_DROP_IP4_VERSION;
	size_t header_len = (p[0] & 15) * 4u;

	if (RILL_UNLIKELY(header_len < RILL_IP4_LEN || header_len > len))
		return RILL_DROP_IP4_HEADER_LEN;
	return RILL_DROP_NONE;
}

/* Of the header at p, its checksum included: 0 when that is right. */
static inline uint16_t rill_ip4_csum(const uint8_t *p, size_t header_len)
{
	uint32_t w[RILL_IP4_LEN / 4];
	uint64_t sum;

	memcpy(w, p, sizeof(w));
	sum = (uint64_t)w[0] + w[1] + w[2] + w[3] + w[4];
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	if (RILL_UNLIKELY(header_len > RILL_IP4_LEN))
		sum = rill_csum_add((uint32_t)sum, p + RILL_IP4_LEN, header_len - RILL_IP4_LEN);
	return rill_csum_fold((uint32_t)sum);
}

/* Version, lengths against len and one another, header checksum. */
static inline enum rill_drop rill_ip4_check(const uint8_t *p, size_t len)
{
	enum rill_drop drop = rill_ip4_check_embedded(p, len);

	if (RILL_UNLIKELY(drop))
		return drop;
	size_t header_len = (p[0] & 15) * 4u;
	uint16_t total_len = rill_load_be16(p + 2);

	if (RILL_UNLIKELY(total_len > len))
		return RILL_DROP_IP4_TOTAL_LEN;
	if (RILL_UNLIKELY(total_len < header_len))
		return RILL_DROP_IP4_HEADER_LEN;
	return RILL_LIKELY(rill_ip4_csum(p, header_len) == 0) ? RILL_DROP_NONE : RILL_DROP_IP4_CSUM;
}

/* p has passed rill_ip4_check(). */
static inline void rill_ip4_parse(const uint8_t *p, struct rill_ip4 *ret_ip4)
{
	uint16_t frag = rill_load_be16(p + 6);

	*ret_ip4 = (struct rill_ip4){
		.src = rill_load_be32(p + 12),
		.dst = rill_load_be32(p + 16),
		.id = rill_load_be16(p + 4),
		.total_len = rill_load_be16(p + 2),
		.frag_offset = (uint16_t)((frag & RILL_IP4_OFFSET_MASK) * 8),
		.header_len = (uint8_t)((p[0] & 15) * 4),
		.tos = p[1],
		.ttl = p[8],
		.proto = p[9],
		.dont_fragment = frag & RILL_IP4_DF,
		.more_fragments = frag & RILL_IP4_MF,
	};
}

/* Loose or strict source route among the options. p has passed rill_ip4_check(). */
bool rill_ip4_has_source_route(const uint8_t *p);
/* Writes RILL_IP4_LEN bytes with a checksum; header_len is not looked at. For each packet sent:
 * inline. */
static inline void rill_ip4_emit(uint8_t *p, const struct rill_ip4 *h)
{
	uint16_t flags = (uint16_t)((h->dont_fragment ? RILL_IP4_DF : 0) |
				    (h->more_fragments ? RILL_IP4_MF : 0) | h->frag_offset / 8);
	uint32_t w0 = 0x45000000u | (uint32_t)h->tos << 16 | h->total_len;
	uint32_t w1 = (uint32_t)h->id << 16 | flags;
	uint32_t w2 = (uint32_t)h->ttl << 24 | (uint32_t)h->proto << 16;
	/* Summed from the registers that hold the fields: no load waits for the stores. */
	uint64_t sum = (uint64_t)w0 + w1 + w2 + h->src + h->dst;

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	rill_store_be32(p, w0);
	rill_store_be32(p + 4, w1);
	rill_store_be32(p + 8, w2 | (uint16_t)~sum);
	rill_store_be32(p + 12, h->src);
	rill_store_be32(p + 16, h->dst);
}

/* Payload bytes. */
static inline uint16_t rill_ip4_payload_len(const struct rill_ip4 *h)
{
	return (uint16_t)(h->total_len - h->header_len);
}

/* As snprintf(). */
int rill_ip4_print(const struct rill_ip4 *h, char *buf, size_t size);
/* Dotted quad into RILL_IP4_STRLEN bytes. */
const char *rill_ip4_format(uint32_t addr, char *buf);

#endif
