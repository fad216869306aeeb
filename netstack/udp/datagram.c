/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/udp/datagram.h"

#include "netstack/wire/bytes.h"
#include "netstack/wire/chain.h"
#include "netstack/wire/checksum.h"

#include <errno.h>

#define CSUM_OFFSET 6

enum rill_drop rill_udp_input(const struct rill_buf *b, const struct rill_ip_meta *m,
			      struct rill_udp_hdr *ret_udp)
{
	/* Fragments but the last are at least 8 bytes, so a whole header lies in the first buffer.
	 */
	if (b->len < RILL_UDP_LEN)
		return RILL_DROP_UDP_SHORT;
	enum rill_drop drop = rill_udp_check(b->data, rill_chain_len(b));
	struct rill_udp_hdr udp;

	if (drop)
		return drop;
	rill_udp_parse(b->data, &udp);
	/* RFC 1122, 4.1.3.4: checked when there; IPv4 lets a sender leave it out. */
	if (udp.has_csum && !(b->flags & RILL_BUF_CSUM_OK)) {
		uint32_t sum = rill_csum_pseudo(&m->src, &m->dst, RILL_IP_UDP, udp.len);

		if (rill_csum_fold(rill_chain_csum(sum, b, udp.len)))
			return RILL_DROP_UDP_CSUM;
	}
	*ret_udp = udp;
	return RILL_DROP_NONE;
}

void rill_udp_strip(struct rill_buf *b, const struct rill_udp_hdr *udp)
{
	rill_chain_trim(b, udp->len);
	rill_buf_pull(b, RILL_UDP_LEN);
}

int rill_udp_output(struct rill_buf *b, const struct rill_udp_out *o)
{
	size_t payload = rill_chain_len(b);

	if (payload > RILL_UDP_PAYLOAD_MAX)
		return -EMSGSIZE;
	struct rill_udp_hdr udp = {
		.src_port = o->src_port,
		.dst_port = o->dst_port,
		.len = (uint16_t)(payload + RILL_UDP_LEN),
	};
	uint32_t sum = rill_csum_pseudo(&o->src, &o->dst, RILL_IP_UDP, udp.len);

	rill_udp_emit(rill_buf_push(b, RILL_UDP_LEN), &udp);
	if (o->offload && !b->next && udp.len <= o->payload_max) {
		rill_store_raw16(b->data + CSUM_OFFSET, rill_csum_fold_partial(sum));
		b->flags |= RILL_BUF_CSUM_PARTIAL;
		b->csum_start = 0;
		b->csum_offset = CSUM_OFFSET;
		return 0;
	}
	rill_udp_emit_csum(b->data, rill_chain_csum(sum, b, udp.len));
	return 0;
}
