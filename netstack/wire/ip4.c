/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/wire/ip4.h"

#include "base/compiler.h"
#include "netstack/wire/checksum.h"

#include <stdio.h>

#define OFFSET_MASK 0x1fff

enum ip4_option {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_LSRR = 131,
	OPT_SSRR = 137,
};

enum rill_drop rill_ip4_check_embedded(const uint8_t *p, size_t len)
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

enum rill_drop rill_ip4_check(const uint8_t *p, size_t len)
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
	if (RILL_UNLIKELY(rill_csum_fold(rill_csum_add(0, p, header_len)) != 0))
		return RILL_DROP_IP4_CSUM;
	return RILL_DROP_NONE;
}

void rill_ip4_parse(const uint8_t *p, struct rill_ip4 *ret_ip4)
{
	uint16_t frag = rill_load_be16(p + 6);

	*ret_ip4 = (struct rill_ip4){
		.src = rill_load_be32(p + 12),
		.dst = rill_load_be32(p + 16),
		.id = rill_load_be16(p + 4),
		.total_len = rill_load_be16(p + 2),
		.frag_offset = (uint16_t)((frag & OFFSET_MASK) * 8),
		.header_len = (uint8_t)((p[0] & 15) * 4),
		.tos = p[1],
		.ttl = p[8],
		.proto = p[9],
		.dont_fragment = frag & RILL_IP4_DF,
		.more_fragments = frag & RILL_IP4_MF,
	};
}

bool rill_ip4_has_source_route(const uint8_t *p)
{
	size_t end = (p[0] & 15) * 4u;

	for (size_t at = RILL_IP4_LEN; at < end;) {
		if (p[at] == OPT_END)
			return false;
		if (p[at] == OPT_LSRR || p[at] == OPT_SSRR)
			return true;
		if (p[at] == OPT_NOP) {
			at++;
			continue;
		}
		/* Without a usable length nothing further can be found, and nothing else is acted
		 * upon. */
		if (at + 1 >= end || p[at + 1] < 2)
			return false;
		at += p[at + 1];
	}
	return false;
}

const char *rill_ip4_format(uint32_t addr, char *buf)
{
	snprintf(buf, RILL_IP4_STRLEN, "%u.%u.%u.%u", addr >> 24, addr >> 16 & 255, addr >> 8 & 255,
		 addr & 255);
	return buf;
}

int rill_ip4_print(const struct rill_ip4 *h, char *buf, size_t size)
{
	char src[RILL_IP4_STRLEN], dst[RILL_IP4_STRLEN];

	rill_ip4_format(h->src, src);
	rill_ip4_format(h->dst, dst);
	return snprintf(buf, size, "IPv4 %s > %s proto %u len %u ttl %u id %u%s%s offset %u", src,
			dst, h->proto, h->total_len, h->ttl, h->id, h->dont_fragment ? " DF" : "",
			h->more_fragments ? " MF" : "", h->frag_offset);
}
