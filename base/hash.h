/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SipHash-2-4 (Aumasson, Bernstein 2012) under a secret key, for everything that an attacker on the
 * network may choose: flow tables and initial sequence numbers.
 */
#ifndef RILL_BASE_HASH_H
#define RILL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct rill_hash_key {
	uint64_t k[2];
};

/* len must be a multiple of 8; data 8-byte aligned. */
uint64_t rill_siphash(const struct rill_hash_key *key, const uint64_t *data, size_t len);

/*
 * SipHash-1-3 of one word: half of the rounds, for tables. There an attacker sees only how long a
 * search takes, and not the hash itself.
 */
uint64_t rill_siphash_short(const struct rill_hash_key *key, uint64_t word);

#endif
