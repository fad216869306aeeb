/* SPDX-License-Identifier: BSD-3-Clause */
/* xoshiro256++ (Blackman, Vigna 2019), seeded by splitmix64: for scheduling and simulation, not for
 * secrets. */
#ifndef RILL_BASE_RAND_H
#define RILL_BASE_RAND_H

#include <stdint.h>

struct rill_rand {
	uint64_t s[4];
};

void rill_rand_init(struct rill_rand *r, uint64_t seed);

static inline uint64_t rill_rand_rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

static inline uint64_t rill_rand_next(struct rill_rand *r)
{
	uint64_t *s = r->s;
	uint64_t result = rill_rand_rotl(s[0] + s[3], 23) + s[0];
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rill_rand_rotl(s[3], 45);
	return result;
}

/* Uniform in [0, n), n > 0, without the bias of a modulo worth mentioning for n < 2^32. */
static inline uint32_t rill_rand_below(struct rill_rand *r, uint32_t n)
{
	return (uint32_t)(((rill_rand_next(r) >> 32) * n) >> 32);
}

/* Bytes from the kernel, for seeds and secrets. */
void rill_rand_secret(void *buf, unsigned len);

/*
 * From now on rill_rand_secret() draws from *r on the calling thread, NULL: from the kernel again.
 * For simulations, whose every run of a seed is to be the same; nothing is secret there.
 */
void rill_rand_secret_from(struct rill_rand *r);

#endif
