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

/* The last 0 to 15 bytes. Added one by one they cannot overflow 64 bits that hold 36. */
static inline uint64_t sum_tail(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;

	if (len & 8) {
		sum += (uint64_t)load32(p) + load32(p + 4);
		p += 8;
	}
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
 * Blocks of 64 bytes, in lanes of 64 bits. The words are added as they are, and their upper halves
 * once more for themselves: what the first sum lost at the top is then known, for the sum of the
 * lower halves is the difference, which fits up to 2^32 additions. That is one operation less for
 * each word than taking it apart. The compiler makes of it what the processor has. to not NULL:
 * copies as it goes.
 */
static inline __attribute__((always_inline)) uint64_t sum_blocks(uint8_t *to, const uint8_t *p,
								 size_t blocks)
{
	lanes all = {0}, high = {0};
	lanes low;

	for (; blocks > 0; blocks--, p += 64) {
		lanes a, b;

		memcpy(&a, p, sizeof(a));
		memcpy(&b, p + sizeof(a), sizeof(b));
		if (to) {
			memcpy(to, &a, sizeof(a));
			memcpy(to + sizeof(a), &b, sizeof(b));
			to += 64;
		}
		all += a;
		high += a >> 32;
		all += b;
		high += b >> 32;
	}
	low = all - (high << 32);
	low += high;
	return (uint64_t)rill_csum_fold_wide(low[0]) + rill_csum_fold_wide(low[1]) +
	       rill_csum_fold_wide(low[2]) + rill_csum_fold_wide(low[3]);
}

typedef uint64_t pair __attribute__((vector_size(16)));

/*
 * The same for 16 bytes at a time, which every processor has registers for. Fewer than WIDE_MIN are
 * not even near to an overflow, so that the halves can be added as they are.
 */
static inline __attribute__((always_inline)) uint64_t sum_pairs(uint8_t *to, const uint8_t *p,
								size_t count)
{
	const pair low_half = {UINT32_MAX, UINT32_MAX};
	pair sum = {0};

	for (; count > 0; count--, p += 16) {
		pair a;

		memcpy(&a, p, sizeof(a));
		if (to) {
			memcpy(to, &a, sizeof(a));
			to += 16;
		}
		sum += (a & low_half) + (a >> 32);
	}
	return sum[0] + sum[1];
}

static RILL_NOINLINE uint64_t sum_blocks_any(const uint8_t *p, size_t blocks)
{
	return sum_blocks(NULL, p, blocks);
}

static RILL_NOINLINE uint64_t copy_blocks_any(uint8_t *to, const uint8_t *p, size_t blocks)
{
	return sum_blocks(to, p, blocks);
}

#ifdef __x86_64__
static __attribute__((target("avx2"))) uint64_t sum_blocks_avx2(const uint8_t *p, size_t blocks)
{
	return sum_blocks(NULL, p, blocks);
}

static __attribute__((target("avx2"))) uint64_t copy_blocks_avx2(uint8_t *to, const uint8_t *p,
								 size_t blocks)
{
	return sum_blocks(to, p, blocks);
}

static uint64_t sum_wide(const uint8_t *p, size_t blocks)
{
	if (RILL_LIKELY(__builtin_cpu_supports("avx2")))
		return sum_blocks_avx2(p, blocks);
	return sum_blocks_any(p, blocks);
}

static uint64_t copy_wide(uint8_t *to, const uint8_t *p, size_t blocks)
{
	if (RILL_LIKELY(__builtin_cpu_supports("avx2")))
		return copy_blocks_avx2(to, p, blocks);
	return copy_blocks_any(to, p, blocks);
}
#else
static uint64_t sum_wide(const uint8_t *p, size_t blocks)
{
	return sum_blocks_any(p, blocks);
}

static uint64_t copy_wide(uint8_t *to, const uint8_t *p, size_t blocks)
{
	return copy_blocks_any(to, p, blocks);
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
	a += sum_pairs(NULL, p, len / 16);
	return rill_csum_fold_wide(a + sum_tail(p + len / 16 * 16, len % 16));
}

uint32_t rill_csum_copy(uint32_t sum, void *dst, const void *src, size_t len)
{
	const uint8_t *p = src;
	uint8_t *to = dst;
	uint64_t a = sum;
	size_t blocks = len / 64;

	if (blocks > 0)
		a += copy_wide(to, p, blocks);
	to += blocks * 64;
	p += blocks * 64;
	len %= 64;
	a += sum_pairs(to, p, len / 16);
	to += len / 16 * 16;
	p += len / 16 * 16;
	len %= 16;
	memcpy(to, p, len);
	return rill_csum_fold_wide(a + sum_tail(p, len));
}

uint32_t rill_csum_add_odd(uint32_t sum, const void *data, size_t len)
{
	/* RFC 1071, 2.B: the sum of byte-swapped words is the byte-swapped sum. */
	uint16_t swapped = __builtin_bswap16(rill_csum_fold_partial(rill_csum_add(0, data, len)));

	return rill_csum_fold_wide((uint64_t)sum + swapped);
}

uint32_t rill_csum_pseudo6(const struct rill_ip *src, const struct rill_ip *dst, uint8_t proto,
			   uint32_t len)
{
	uint64_t sum = (uint64_t)RILL_BE32(len) + RILL_BE32((uint32_t)proto);

	return rill_csum_add(rill_csum_add(rill_csum_fold_wide(sum), src->bytes, 16), dst->bytes,
			     16);
}
