/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The segment parser: nothing outside of the segment is read, and a header written from what was
 * read is read as the same.
 */
#include "fuzz.h"
#include "netstack/tcp/options.h"
#include "netstack/tcp/seg.h"

#define SEGMENT_MAX 1600

static const struct rill_ip src = {RILL_AF_IP4, {198, 18, 0, 2}};
static const struct rill_ip dst = {RILL_AF_IP4, {198, 18, 0, 1}};

static struct rill_buf *buf_of(struct rill_buf_pool *pool, const uint8_t *data, size_t size)
{
	struct rill_buf *b = rill_buf_alloc(pool);

	FUZZ_CHECK(b);
	memcpy(rill_buf_append(b, (uint32_t)size), data, size);
	return b;
}

static void write_again(struct rill_buf *b, const struct rill_tcp_seg *seg)
{
	struct rill_tcp_header h = {
		.src = &(struct rill_addr){src, seg->src_port},
		.dst = &(struct rill_addr){dst, seg->dst_port},
		.seq = seg->seq,
		.ack = seg->ack,
		.wnd = seg->wnd,
		.flags = seg->flags,
		.urg = seg->urg,
	};
	struct rill_tcp_seg again;

	b->flags = 0;
	rill_tcp_emit(b, &h, false);
	FUZZ_CHECK(rill_tcp_parse(b, &src, &dst, &again) == RILL_DROP_NONE);
	FUZZ_CHECK(again.seq == seg->seq && again.ack == seg->ack && again.wnd == seg->wnd);
	FUZZ_CHECK(again.flags == seg->flags && again.len == seg->len);
	FUZZ_CHECK(again.src_port == seg->src_port && again.dst_port == seg->dst_port);
	if (seg->flags & RILL_TCP_URG)
		FUZZ_CHECK(again.urg == seg->urg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rill_buf_pool pool;
	struct rill_tcp_seg seg;
	struct rill_buf *b;

	if (size > SEGMENT_MAX || rill_buf_pool_init_heap(&pool, 1, 2048) < 0)
		return 0;
	b = buf_of(&pool, data, size);
	/* A checksum is a lock that no mutation picks: the first bit says whether it is looked at.
	 */
	if (size > 0 && (data[0] & 1) != 0)
		b->flags |= RILL_BUF_CSUM_OK;
	if (rill_tcp_parse(b, &src, &dst, &seg) == RILL_DROP_NONE) {
		FUZZ_CHECK(seg.len == b->len && seg.len <= size - RILL_TCP_HEADER_LEN);
		write_again(b, &seg);
	}
	rill_buf_put_owner(&pool, b);
	FUZZ_CHECK(rill_buf_pool_reclaim(&pool) == pool.size);
	rill_buf_pool_fini_heap(&pool);
	return 0;
}
