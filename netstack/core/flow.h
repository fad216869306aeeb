/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The flow table of one core: from the addresses of a segment to its connection. The addresses are
 * in the connection's tcb; a connection links itself. The hash is keyed: who does not know the key
 * cannot fill one bucket.
 *
 * Linear hashing (Litwin 1980): as long as there are more flows than buckets, each insertion splits
 * one bucket in two, so that no insertion pays for all flows when the table grows.
 *
 * A bucket is hash & mask, or, where that one is not in use yet, the one it will be split from.
 */
#ifndef RILL_NETSTACK_CORE_FLOW_H
#define RILL_NETSTACK_CORE_FLOW_H

#include <rill/net.h>

#include "base/hash.h"
#include "base/slab.h"

struct rill_conn;

struct rill_flow_key {
	const struct rill_ip *remote;
	const struct rill_ip *local;
	uint16_t remote_port;
	uint16_t local_port;
};

struct rill_flow_table {
	struct rill_conn **buckets;
	uint32_t active; /* buckets in use; the others are not even written */
	uint32_t mask;	 /* 2^n - 1, where 2^(n-1) < active <= 2^n */
	uint32_t count;
	uint32_t capacity;	/* buckets that there is memory for */
	struct rill_conn *last; /* found last, or NULL */
	const struct rill_hash_key *secret;
	const struct rill_memory *memory;
};

uint32_t rill_flow_hash(const struct rill_hash_key *secret, const struct rill_flow_key *key);
/* Of c's addresses. */
uint32_t rill_flow_hash_of(const struct rill_hash_key *secret, const struct rill_conn *c);
/* Is c the flow with that key? */
bool rill_flow_is(const struct rill_conn *c, const struct rill_flow_key *key);

/* secret and memory outlive the table. -ENOMEM. */
int rill_flow_table_init(struct rill_flow_table *t, const struct rill_hash_key *secret,
			 const struct rill_memory *memory);
void rill_flow_table_fini(struct rill_flow_table *t);
/* NULL: there is none. */
struct rill_conn *rill_flow_find(const struct rill_flow_table *t, uint32_t hash,
				 const struct rill_flow_key *key);
/* The same for a segment: those of one burst are often of one flow, and then nothing is hashed. */
struct rill_conn *rill_flow_lookup(struct rill_flow_table *t, const struct rill_flow_key *key);
/*
 * For a burst (burst.h): what the search for a hash reads first, and then. found: the next lookup
 * is probably for c, which is in the table.
 */
void rill_flow_prefetch_bucket(const struct rill_flow_table *t, uint32_t hash);
void rill_flow_prefetch_first(const struct rill_flow_table *t, uint32_t hash);
static inline void rill_flow_found(struct rill_flow_table *t, struct rill_conn *c)
{
	t->last = c;
}
/* hash: of its addresses, which no other has, and which stay as they are. */
void rill_flow_insert(struct rill_flow_table *t, uint32_t hash, struct rill_conn *c);
void rill_flow_remove(struct rill_flow_table *t, struct rill_conn *c);
/* visit may remove the connection it is given, and free it. */
void rill_flow_for_each(const struct rill_flow_table *t,
			void (*visit)(struct rill_conn *c, void *ctx), void *ctx);

#endif
