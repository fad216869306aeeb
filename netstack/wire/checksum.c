/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/wire/checksum.h"

#include <rill/net.h>

#include "base/compiler.h"
#include "netstack/wire/bytes.h"

static inline uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* 2^32 = 1 modulo 2^16 - 1: a carry out of the top comes in again at the bottom. */
static inline uint32_t fold64(uint64_t v)
{
	v = (v & 0xffffffff) + (v >> 32);
	return (uint32_t)(v + (v >> 32));
}

/* The last 0 to 7 bytes. Added one by one they cannot overflow 64 bits that hold 34. */
static inline uint64_t sum_tail(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;

	if (len & 4) {
		sum += load32(p);
		p += 4;
	}
	if (len & 2) {
		sum += rill_load_raw16(p);
		p += 2;
	}
	if (len & 1) {
		uint8_t last[2] = {*p, 0};

		sum += rill_load_raw16(last);
	}
	return sum;
}

/* Up to here the short loop is as quick. */
#define WIDE_MIN 128

typedef uint64_t lanes __attribute__((vector_size(32)));

/*
 * Blocks of 64 bytes, in lanes of 64 bits that take the lower and the upper halves of the words
 * apart: 2^32 additions fit before a lane overflows. The compiler makes of it what the processor
 * has.
 */
static inline __attribute__((always_inline)) uint64_t sum_blocks(const uint8_t *p, size_t blocks)
{
	const lanes low_half = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
	lanes low = {0}, high = {0};

	for (; blocks > 0; blocks--, p += 64) {
		lanes a, b;

		memcpy(&a, p, sizeof(a));
		memcpy(&b, p + sizeof(a), sizeof(b));
		low += (a & low_half) + (b & low_half);
		high += (a >> 32) + (b >> 32);
	}
	low += high;
	return (uint64_t)fold64(low[0]) + fold64(low[1]) + fold64(low[2]) + fold64(low[3]);
}

static uint64_t sum_blocks_any(const uint8_t *p, size_t blocks)
{
	return sum_blocks(p, blocks);
}

#ifdef __x86_64__
static __attribute__((target("avx2"))) uint64_t sum_blocks_avx2(const uint8_t *p, size_t blocks)
{
	return sum_blocks(p, blocks);
}

static uint64_t sum_wide(const uint8_t *p, size_t blocks)
{
	if (RILL_LIKELY(__builtin_cpu_supports("avx2")))
		return sum_blocks_avx2(p, blocks);
	return sum_blocks_any(p, blocks);
}
#else
static uint64_t sum_wide(const uint8_t *p, size_t blocks)
{
	return sum_blocks_any(p, blocks);
}
#endif

uint32_t rill_csum_add(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t a = sum;

	if (len >= WIDE_MIN) {
		size_t blocks = len / 64;

		a += sum_wide(p, blocks);
		p += blocks * 64;
		len %= 64;
	}
	for (; len >= 8; len -= 8, p += 8)
		a += (uint64_t)load32(p) + load32(p + 4);
	return fold64(a + sum_tail(p, len));
}

uint32_t rill_csum_add_odd(uint32_t sum, const void *data, size_t len)
{
	/* RFC 1071, 2.B: the sum of byte-swapped words is the byte-swapped sum. */
	uint16_t swapped = __builtin_bswap16(rill_csum_fold_partial(rill_csum_add(0, data, len)));

	return fold64((uint64_t)sum + swapped);
}

uint32_t rill_csum_pseudo(const struct rill_ip *src, const struct rill_ip *dst, uint8_t proto,
			  uint32_t len)
{
	uint64_t sum = (uint64_t)RILL_BE32(len) + RILL_BE32((uint32_t)proto);

	if (src->family == RILL_AF_IP4) {
		sum += (uint64_t)load32(src->bytes) + load32(dst->bytes);
		return fold64(sum);
	}
	return rill_csum_add(rill_csum_add(fold64(sum), src->bytes, 16), dst->bytes, 16);
}
