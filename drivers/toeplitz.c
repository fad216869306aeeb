/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/toeplitz.h"

#include <errno.h>
#include <rill/addr.h>
#include <string.h>

#include "base/compiler.h"

const uint8_t rill_toeplitz_key_msft[RILL_TOEPLITZ_KEY_LEN] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
	0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
	0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

/* The 32 bits of the key that begin at bit of byte at. */
static uint32_t window(const uint8_t *key, size_t at, unsigned bit)
{
	uint64_t five = 0;

	for (unsigned i = 0; i < 5; i++)
		five = five << 8 | key[at + i];
	return (uint32_t)(five >> (8 - bit));
}

/* Whether bit, counted from the most significant, is set. */
static bool bit_set(uint8_t byte, unsigned bit)
{
	return (byte >> (7 - bit) & 1) != 0;
}

static uint32_t byte_word(const uint8_t *key, size_t at, uint8_t byte)
{
	uint32_t word = 0;

	for (unsigned bit = 0; bit < 8; bit++)
		if (bit_set(byte, bit))
			word ^= window(key, at, bit);
	return word;
}

uint32_t rill_toeplitz_by_bits(const uint8_t *key, const uint8_t *data, size_t len)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < len; i++)
		hash ^= byte_word(key, i, data[i]);
	return hash;
}

int rill_toeplitz_init(struct rill_toeplitz *t, const uint8_t *key, size_t key_len)
{
	if (key_len < RILL_TOEPLITZ_KEY_MIN)
		return -EINVAL;
	t->input_max = (unsigned)RILL_MIN(key_len - 4, (size_t)RILL_TOEPLITZ_INPUT_MAX);
	for (size_t i = 0; i < t->input_max; i++)
		for (unsigned byte = 0; byte < 256; byte++)
			t->words[i][byte] = byte_word(key, i, (uint8_t)byte);
	return 0;
}

static size_t put_port(uint8_t *at, uint16_t port)
{
	at[0] = (uint8_t)(port >> 8);
	at[1] = (uint8_t)port;
	return 2;
}

size_t rill_toeplitz_input(const struct rill_addr *from, const struct rill_addr *to, bool ports,
			   uint8_t ret_input[RILL_TOEPLITZ_INPUT_MAX])
{
	size_t ip_len = from->ip.family == RILL_AF_IP6 ? 16 : 4;
	size_t len = 2 * ip_len;

	memcpy(ret_input, from->ip.bytes, ip_len);
	memcpy(ret_input + ip_len, to->ip.bytes, ip_len);
	if (ports) {
		len += put_port(ret_input + len, from->port);
		len += put_port(ret_input + len, to->port);
	}
	return len;
}
