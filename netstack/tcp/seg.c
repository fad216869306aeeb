/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/seg.h"

#include "netstack/tcp/options.h"
#include "netstack/wire/bytes.h"
#include "netstack/wire/checksum.h"

#include <netinet/in.h>
#include <string.h>

#define CHECKSUM_AT 16
#define FLAGS 0x1ff /* the others are reserved */

static bool checksum_ok(const struct rill_buf *b, const struct rill_ip *src,
			const struct rill_ip *dst)
{
	uint32_t sum;

	if (b->flags & RILL_BUF_CSUM_OK)
		return true;
	sum = rill_csum_pseudo(src, dst, IPPROTO_TCP, b->len);
	return rill_csum_fold(rill_csum_add(sum, b->data, b->len)) == 0;
}

enum rill_drop rill_tcp_parse(struct rill_buf *b, const struct rill_ip *src,
			      const struct rill_ip *dst, struct rill_tcp_seg *ret_seg)
{
	const uint8_t *h = b->data;
	uint32_t header_len;

	if (b->len < RILL_TCP_HEADER_LEN)
		return RILL_DROP_TCP_SHORT;
	header_len = (uint32_t)(h[12] >> 4) * 4;
	if (header_len < RILL_TCP_HEADER_LEN || header_len > b->len)
		return RILL_DROP_TCP_SHORT;
	if (!checksum_ok(b, src, dst))
		return RILL_DROP_TCP_CHECKSUM;
	ret_seg->src_port = rill_load_be16(h);
	ret_seg->dst_port = rill_load_be16(h + 2);
	if (!ret_seg->src_port || !ret_seg->dst_port)
		return RILL_DROP_TCP_PORT;
	ret_seg->seq = rill_load_be32(h + 4);
	ret_seg->ack = rill_load_be32(h + 8);
	ret_seg->flags = (uint16_t)(h[13] | (h[12] & 1) << 8);
	ret_seg->wnd = rill_load_be16(h + 14);
	ret_seg->urg = rill_load_be16(h + 18);
	ret_seg->ecn = RILL_ECN_NOT_ECT;
	ret_seg->src = src;
	ret_seg->dst = dst;
	rill_tcp_options_parse(h + RILL_TCP_HEADER_LEN, header_len - RILL_TCP_HEADER_LEN,
			       &ret_seg->opt);
	rill_buf_pull(b, header_len);
	ret_seg->len = b->len;
	return RILL_DROP_NONE;
}

/*
 * Writes the header, and returns its sum: from the registers that hold the fields, as no load of
 * what was just stored has to be waited for.
 */
static uint64_t put_header(uint8_t *p, const struct rill_tcp_header *h)
{
	uint32_t offset = (RILL_TCP_HEADER_LEN + h->options_len) / 4u;
	uint32_t offset_and_flags = offset << 12 | (h->flags & FLAGS);
	uint32_t words[RILL_TCP_HEADER_LEN / 4] = {
		RILL_BE32((uint32_t)h->src->port << 16 | h->dst->port),
		RILL_BE32(h->seq),
		RILL_BE32(h->ack),
		RILL_BE32(offset_and_flags << 16 | h->wnd),
		RILL_BE32((h->flags & RILL_TCP_URG) != 0 ? h->urg : 0u),
	};
	uint64_t sum = (uint64_t)words[0] + words[1] + words[2] + words[3] + words[4];

	memcpy(p, words, sizeof(words));
	for (unsigned at = 0; at < h->options_len; at += 4) {
		uint32_t word;

		memcpy(&word, h->options + at, sizeof(word));
		memcpy(p + RILL_TCP_HEADER_LEN + at, &word, sizeof(word));
		sum += word;
	}
	return sum;
}

void rill_tcp_emit(struct rill_buf *b, const struct rill_tcp_header *h, bool csum_offload)
{
	const uint8_t *payload = b->data;
	uint32_t payload_len = b->len;
	uint8_t *p = rill_buf_push(b, RILL_TCP_HEADER_LEN + h->options_len);
	uint64_t header = put_header(p, h);
	uint32_t sum = rill_csum_pseudo(&h->src->ip, &h->dst->ip, IPPROTO_TCP, b->len);

	RILL_DEBUG_ASSERT(h->options_len % 4 == 0 && h->options_len <= RILL_TCP_OPTIONS_MAX);
	if (csum_offload) {
		b->flags |= RILL_BUF_CSUM_PARTIAL;
		b->csum_start = 0;
		b->csum_offset = CHECKSUM_AT;
		rill_store_raw16(p + CHECKSUM_AT, rill_csum_fold_partial(sum));
		return;
	}
	b->flags &= (uint16_t)~RILL_BUF_CSUM_PARTIAL;
	sum = rill_csum_add(rill_csum_fold_wide(header + sum), payload, payload_len);
	rill_store_raw16(p + CHECKSUM_AT, rill_csum_fold(sum));
}

void rill_tcp_template_init(struct rill_tcp_template *t, const struct rill_tcp_header *h)
{
	struct rill_tcp_header common = *h;

	common.seq = 0;
	common.flags = h->flags & RILL_TCP_URG;
	t->len = (uint8_t)(RILL_TCP_HEADER_LEN + h->options_len);
	t->pseudo = rill_csum_pseudo(&h->src->ip, &h->dst->ip, IPPROTO_TCP, 0);
	t->sum = put_header(t->bytes, &common) + t->pseudo;
	/* Only the pointer is in the template. */
	if (common.flags != 0)
		t->sum -= RILL_BE32((uint32_t)common.flags << 16);
}

static inline void copy_template(uint8_t *p, const struct rill_tcp_template *t)
{
	const uint32_t usual = RILL_TCP_HEADER_LEN + RILL_TCP_TIMESTAMPS_LEN;

	if (RILL_LIKELY(t->len == usual))
		memcpy(p, t->bytes, usual);
	else
		memcpy(p, t->bytes, t->len);
}

void rill_tcp_template_emit(const struct rill_tcp_template *t, struct rill_buf *b, uint32_t seq,
			    uint16_t flags, const uint16_t *payload_sum, uint32_t more,
			    bool csum_offload)
{
	const uint8_t *payload = b->data;
	uint32_t payload_len = b->len;
	uint8_t *p = rill_buf_push(b, t->len);
	uint32_t total = b->len + more;
	uint32_t own = flags & FLAGS;
	uint64_t sum;

	copy_template(p, t);
	rill_store_be32(p + 4, seq);
	rill_store_be16(p + 12, (uint16_t)((uint32_t)(t->len / 4) << 12 | own));
	if (csum_offload) {
		b->flags |= RILL_BUF_CSUM_PARTIAL;
		b->csum_start = 0;
		b->csum_offset = CHECKSUM_AT;
		sum = (uint64_t)t->pseudo + RILL_BE32(total);
		rill_store_raw16(p + CHECKSUM_AT, rill_csum_fold_partial(rill_csum_fold_wide(sum)));
		return;
	}
	b->flags &= (uint16_t)~RILL_BUF_CSUM_PARTIAL;
	sum = t->sum + RILL_BE32(seq) + RILL_BE32(own << 16) + RILL_BE32(total);
	if (payload_sum)
		sum = rill_csum_fold_wide(sum + *payload_sum);
	else
		sum = rill_csum_add(rill_csum_fold_wide(sum), payload, payload_len);
	rill_store_raw16(p + CHECKSUM_AT, rill_csum_fold((uint32_t)sum));
}
