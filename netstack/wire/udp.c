/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/wire/udp.h"

#include "netstack/wire/bytes.h"
#include "netstack/wire/checksum.h"

#include <stdio.h>

enum rill_drop rill_udp_check(const uint8_t *p, size_t len)
{
	if (len < RILL_UDP_LEN)
		return RILL_DROP_UDP_SHORT;
	uint16_t field = rill_load_be16(p + 4);

	if (field < RILL_UDP_LEN || field > len)
		return RILL_DROP_UDP_LEN;
	return RILL_DROP_NONE;
}

void rill_udp_parse(const uint8_t *p, struct rill_udp_hdr *ret_udp)
{
	*ret_udp = (struct rill_udp_hdr){
		.src_port = rill_load_be16(p),
		.dst_port = rill_load_be16(p + 2),
		.len = rill_load_be16(p + 4),
		.has_csum = rill_load_raw16(p + 6) != 0,
	};
}

void rill_udp_emit(uint8_t *p, const struct rill_udp_hdr *udp)
{
	rill_store_be16(p, udp->src_port);
	rill_store_be16(p + 2, udp->dst_port);
	rill_store_be16(p + 4, udp->len);
	rill_store_raw16(p + 6, 0);
}

void rill_udp_emit_csum(uint8_t *p, uint32_t sum)
{
	uint16_t csum = rill_csum_fold(sum);

	/* RFC 768: all zero means that there is none. */
	rill_store_raw16(p + 6, csum ? csum : 0xffff);
}

int rill_udp_print(const struct rill_udp_hdr *udp, char *buf, size_t size)
{
	return snprintf(buf, size, "UDP %u > %u len %u%s", udp->src_port, udp->dst_port, udp->len,
			udp->has_csum ? "" : " no checksum");
}
