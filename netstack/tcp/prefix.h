/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many of something each remote network has: connections of a listener, half-open ones. A
 * network that has none takes no memory. One owner, who serialises the calls.
 */
#ifndef RILL_NETSTACK_TCP_PREFIX_H
#define RILL_NETSTACK_TCP_PREFIX_H

#include <rill/net.h>

#include "base/hash.h"
#include "base/slab.h"

struct rill_prefix;

struct rill_prefix_table {
	struct rill_slab slab;
	struct rill_hash_key secret;
	struct rill_prefix **buckets; /* NULL before the first use */
	uint32_t mask;
	uint32_t count;	    /* prefixes */
	uint8_t len4, len6; /* bits of an address that count, at most 32 and 64 */
};

void rill_prefix_init(struct rill_prefix_table *t, const struct rill_memory *memory,
		      const struct rill_hash_key *secret, uint8_t len4, uint8_t len6);
void rill_prefix_fini(struct rill_prefix_table *t);

/* One more for ip's network, counted for owner. False: it has limit already, or no memory. */
bool rill_prefix_take(struct rill_prefix_table *t, const void *owner, const struct rill_ip *ip,
		      uint32_t limit);
/* One less of what was taken. */
void rill_prefix_put(struct rill_prefix_table *t, const void *owner, const struct rill_ip *ip);
uint32_t rill_prefix_count(const struct rill_prefix_table *t, const void *owner,
			   const struct rill_ip *ip);

#endif
