/* SPDX-License-Identifier: BSD-3-Clause */
/* Contents that depend on seed and place only: both ends of a transfer can say what must come. */
#ifndef RILL_TESTS_REAL_PATTERN_H
#define RILL_TESTS_REAL_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t pattern_word(uint64_t seed, uint64_t n)
{
	uint64_t z = seed * UINT64_C(0x9e3779b97f4a7c15) + n * UINT64_C(0xbf58476d1ce4e5b9);

	z = (z ^ z >> 30) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline void pattern_fill(uint64_t seed, uint64_t at, uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len;) {
		uint64_t word = pattern_word(seed, (at + i) / 8);
		size_t skip = (at + i) % 8;
		size_t n = len - i < 8 - skip ? len - i : 8 - skip;

		memcpy(buf + i, (uint8_t *)&word + skip, n);
		i += n;
	}
}

static inline bool pattern_same(uint64_t seed, uint64_t at, const uint8_t *buf, size_t len)
{
	uint8_t expected[1024];

	for (size_t i = 0; i < len;) {
		size_t n = len - i < sizeof(expected) ? len - i : sizeof(expected);

		pattern_fill(seed, at + i, expected, n);
		if (memcmp(expected, buf + i, n) != 0)
			return false;
		i += n;
	}
	return true;
}

#endif
