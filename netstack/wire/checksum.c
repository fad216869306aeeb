/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/wire/checksum.h"

#include <rill/net.h>

#include "netstack/wire/bytes.h"

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

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

uint32_t rill_csum_add(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	/* 128 bits so that the carries collect in the upper half: an add and an adc for each 8
	 * bytes. Two of them, as each is a chain of dependent adds. */
	unsigned __int128 a = sum, b = 0;

	for (; len >= 32; len -= 32, p += 32) {
		a += load64(p);
		b += load64(p + 8);
		a += load64(p + 16);
		b += load64(p + 24);
	}
	for (; len >= 8; len -= 8, p += 8)
		a += load64(p);
	a += b;
	a += sum_tail(p, len);

	uint64_t low = (uint64_t)a;
	uint64_t high = (uint64_t)(a >> 64);

	return fold64((uint64_t)fold64(low) + high);
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
