/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Toeplitz hash, by which NICs spread what they receive over their queues (Receive Side
 * Scaling, Microsoft's specification "RSS Hashing Functions"): over the addresses, and for TCP and
 * UDP mostly the ports, source before destination, as they are in the packet.
 *
 * Each bit of the input that is set XORs 32 bits of the key into the hash, beginning at that bit's
 * place. So a byte contributes one of 256 words, and the table of those is all there is to look up.
 */
#ifndef RILL_DRIVERS_TOEPLITZ_H
#define RILL_DRIVERS_TOEPLITZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rill_addr;

/* Two IPv6 addresses and two ports. */
#define RILL_TOEPLITZ_INPUT_MAX 36
/* What is needed for that; IPv4 needs 16. Longer keys do not change the hash. */
#define RILL_TOEPLITZ_KEY_LEN 40
#define RILL_TOEPLITZ_KEY_MIN 16

struct rill_toeplitz {
	unsigned input_max; /* bytes that the key is long enough for */
	uint32_t words[RILL_TOEPLITZ_INPUT_MAX][256];
};

/* The key of the specification's examples, which many NICs begin with. */
extern const uint8_t rill_toeplitz_key_msft[RILL_TOEPLITZ_KEY_LEN];

/* The same without a table, a bit at a time. key_len >= len + 4. */
uint32_t rill_toeplitz_by_bits(const uint8_t *key, const uint8_t *data, size_t len);

/* -EINVAL: the key is shorter than RILL_TOEPLITZ_KEY_MIN. */
int rill_toeplitz_init(struct rill_toeplitz *t, const uint8_t *key, size_t key_len);

/* len <= input_max */
static inline uint32_t rill_toeplitz_hash(const struct rill_toeplitz *t, const uint8_t *data,
					  size_t len)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < len; i++)
		hash ^= t->words[i][data[i]];
	return hash;
}

/*
 * The input of the hash for what comes from one end of a flow to the other, both of one family;
 * how many bytes of it there are.
 */
size_t rill_toeplitz_input(const struct rill_addr *from, const struct rill_addr *to, bool ports,
			   uint8_t ret_input[RILL_TOEPLITZ_INPUT_MAX]);

#endif
