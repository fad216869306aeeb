/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/wire/ip4.h"

#include "base/compiler.h"

#include <stdio.h>

enum ip4_option {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_LSRR = 131,
	OPT_SSRR = 137,
};

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
