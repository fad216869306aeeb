/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/hash.h"

#include "base/compiler.h"

static RILL_ALWAYS_INLINE uint64_t rotl(uint64_t x, int b)
{
	return (x << b) | (x >> (64 - b));
}

static RILL_ALWAYS_INLINE void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

/* len bytes, with so many rounds after each word and at the end. */
static RILL_ALWAYS_INLINE uint64_t siphash(const struct rill_hash_key *key, const uint64_t *data,
					   size_t len, int rounds, int rounds_last)
{
	uint64_t v[4] = {
		key->k[0] ^ UINT64_C(0x736f6d6570736575),
		key->k[1] ^ UINT64_C(0x646f72616e646f6d),
		key->k[0] ^ UINT64_C(0x6c7967656e657261),
		key->k[1] ^ UINT64_C(0x7465646279746573),
	};

	for (size_t i = 0; i <= len / 8; i++) {
		uint64_t m = i < len / 8 ? data[i] : (uint64_t)len << 56;

		v[3] ^= m;
		for (int r = 0; r < rounds; r++)
			sip_round(v);
		v[0] ^= m;
	}
	v[2] ^= 0xff;
	for (int r = 0; r < rounds_last; r++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t rill_siphash(const struct rill_hash_key *key, const uint64_t *data, size_t len)
{
	return siphash(key, data, len, 2, 4);
}

uint64_t rill_siphash_short(const struct rill_hash_key *key, uint64_t word)
{
	return siphash(key, &word, sizeof(word), 1, 3);
}
