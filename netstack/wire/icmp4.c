/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/wire/icmp4.h"

#include "netstack/wire/bytes.h"
#include "netstack/wire/checksum.h"

#include <stdio.h>

enum rill_drop rill_icmp4_check(size_t len, uint32_t sum)
{
	if (len < RILL_ICMP4_LEN)
		return RILL_DROP_ICMP_SHORT;
	return rill_csum_fold(sum) ? RILL_DROP_ICMP_CSUM : RILL_DROP_NONE;
}

void rill_icmp4_parse(const uint8_t *p, struct rill_icmp4 *ret_icmp)
{
	*ret_icmp = (struct rill_icmp4){
		.type = p[0],
		.code = p[1],
		.rest = rill_load_be32(p + 4),
	};
}

enum rill_drop rill_icmp4_parse_embedded(const uint8_t *p, size_t len,
					 struct rill_icmp4_embedded *ret_embedded)
{
	if (rill_ip4_check_embedded(p, len))
		return RILL_DROP_ICMP_EMBEDDED;
	struct rill_icmp4_embedded e = {0};

	rill_ip4_parse(p, &e.ip);
	p += e.ip.header_len;
	len -= e.ip.header_len;
	/* RFC 792: the first 64 bits of the data; a later fragment has no ports in them. */
	if (len < 8 || e.ip.frag_offset)
		return RILL_DROP_ICMP_EMBEDDED;
	if (e.ip.proto == RILL_IP_TCP || e.ip.proto == RILL_IP_UDP) {
		e.src_port = rill_load_be16(p);
		e.dst_port = rill_load_be16(p + 2);
	}
	if (e.ip.proto == RILL_IP_TCP)
		e.tcp_seq = rill_load_be32(p + 4);
	*ret_embedded = e;
	return RILL_DROP_NONE;
}

void rill_icmp4_emit(uint8_t *p, const struct rill_icmp4 *icmp, uint32_t payload_sum)
{
	p[0] = icmp->type;
	p[1] = icmp->code;
	rill_store_raw16(p + 2, 0);
	rill_store_be32(p + 4, icmp->rest);
	rill_store_raw16(p + 2, rill_csum_fold(rill_csum_add(payload_sum, p, RILL_ICMP4_LEN)));
}

bool rill_icmp4_is_error(uint8_t type)
{
	switch (type) {
	case RILL_ICMP4_ECHO_REPLY:
	case RILL_ICMP4_ECHO:
	case 13: /* timestamp, RFC 792 */
	case 14:
	case 17: /* address mask, RFC 950 */
	case 18:
		return false;
	default:
		return true;
	}
}

int rill_icmp4_print(const struct rill_icmp4 *icmp, char *buf, size_t size)
{
	return snprintf(buf, size, "ICMP type %u code %u rest 0x%08x", icmp->type, icmp->code,
			icmp->rest);
}
