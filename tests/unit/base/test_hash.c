/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/*
 * The reference vectors of SipHash-2-4: key 00 01 .. 0f, message 00 01 .. (len - 1), output as
 * bytes in little-endian order. Of the 64 those whose length is a multiple of 8.
 */
static const struct {
	size_t len;
	uint8_t out[8];
} vectors[] = {
	{0, {0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72}},
	{8, {0x62, 0x24, 0x93, 0x9a, 0x79, 0xf5, 0xf5, 0x93}},
	{16, {0xdb, 0x9b, 0xc2, 0x57, 0x7f, 0xcc, 0x2a, 0x3f}},
	{24, {0x94, 0xaf, 0x49, 0xf6, 0xc6, 0x50, 0xad, 0xb8}},
	{32, {0xce, 0x7c, 0xf2, 0x72, 0x2f, 0x51, 0x27, 0x71}},
	{40, {0xd0, 0xa7, 0x04, 0x53, 0x6b, 0xa9, 0x3e, 0x0e}},
	{48, {0x51, 0xa9, 0xcb, 0x9e, 0xcb, 0xa3, 0x12, 0xe6}},
	{56, {0xbd, 0x83, 0x8d, 0x3a, 0xaf, 0xbf, 0x8d, 0xb7}},
};

static void test_vectors(void **state)
{
	uint8_t bytes[64];
	uint64_t words[8];
	struct rill_hash_key key;

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	memcpy(&key, bytes, sizeof(key));
	memcpy(words, bytes, sizeof(words));
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		uint64_t want;

		memcpy(&want, vectors[i].out, sizeof(want));
		assert_int_equal(rill_siphash(&key, words, vectors[i].len), want);
	}
}

/* The reference vector of SipHash-1-3 for the same key and 8 bytes. */
static void test_short_vector(void **state)
{
	const uint8_t out[8] = {0x8e, 0x9a, 0x29, 0x8d, 0x11, 0x95, 0x90, 0x36};
	uint8_t bytes[16];
	uint64_t word, want;
	struct rill_hash_key key;

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	memcpy(&key, bytes, sizeof(key));
	memcpy(&word, bytes, sizeof(word));
	memcpy(&want, out, sizeof(want));
	assert_int_equal(rill_siphash_short(&key, word), want);
}

/* Each bit of the key and of the message matters. */
static void test_every_bit_matters(void **state)
{
	struct rill_hash_key key = {{1, 2}};
	uint64_t words[3] = {3, 4, 5};
	uint64_t before = rill_siphash(&key, words, sizeof(words));

	for (unsigned bit = 0; bit < 192; bit++) {
		words[bit / 64] ^= UINT64_C(1) << (bit % 64);
		assert_int_not_equal(rill_siphash(&key, words, sizeof(words)), before);
		words[bit / 64] ^= UINT64_C(1) << (bit % 64);
	}
	for (unsigned bit = 0; bit < 128; bit++) {
		key.k[bit / 64] ^= UINT64_C(1) << (bit % 64);
		assert_int_not_equal(rill_siphash(&key, words, sizeof(words)), before);
		key.k[bit / 64] ^= UINT64_C(1) << (bit % 64);
	}
	assert_int_equal(rill_siphash(&key, words, sizeof(words)), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_short_vector),
		cmocka_unit_test(test_every_bit_matters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
