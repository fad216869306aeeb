/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flow tables: from the addresses of a TCP segment to its connection (in its shard), and to the
 * shard that owns it (of the whole interface, for packets that the NIC put into another queue).
 */
#ifndef RILL_NETSTACK_STACK_FLOW_H
#define RILL_NETSTACK_STACK_FLOW_H

#include <rill/net.h>

#include "base/hash.h"
#include "base/spinlock.h"

struct rill_shard;

struct rill_flow_key {
	struct rill_ip remote;
	uint16_t remote_port;
	uint16_t local_port;
};

struct rill_flow {
	struct rill_flow *next; /* in its bucket */
	struct rill_flow *steer_next;
	uint64_t hash;
	struct rill_flow_key key;
	struct rill_shard *shard;
};

/* Chained buckets; doubles when there are more flows than buckets. */
struct rill_flow_table {
	struct rill_flow **buckets;
	uint32_t mask;
	uint32_t count;
};

/* The same flows, linked by steer_next, for all shards. */
struct rill_steer {
	struct rill_spinlock lock;
	struct rill_flow **buckets;
	uint32_t mask;
};

uint64_t rill_flow_hash(const struct rill_hash_key *secret, const struct rill_flow_key *key);

int rill_flow_table_init(struct rill_flow_table *t);
void rill_flow_table_fini(struct rill_flow_table *t);
struct rill_flow *rill_flow_find(const struct rill_flow_table *t, uint64_t hash,
				 const struct rill_flow_key *key);
void rill_flow_insert(struct rill_flow_table *t, struct rill_flow *f);
void rill_flow_remove(struct rill_flow_table *t, struct rill_flow *f);
/* visit may remove the flow it is given. */
void rill_flow_for_each(struct rill_flow_table *t, void (*visit)(struct rill_flow *f, void *ctx),
			void *ctx);

int rill_steer_init(struct rill_steer *s);
void rill_steer_fini(struct rill_steer *s);
/* The shard that owns the flow, or NULL. Any thread; the answer may be old by the time it is used.
 */
struct rill_shard *rill_steer_find(struct rill_steer *s, uint64_t hash,
				   const struct rill_flow_key *key);
/* False: there is one with that key already. */
bool rill_steer_insert(struct rill_steer *s, struct rill_flow *f);
void rill_steer_remove(struct rill_steer *s, struct rill_flow *f);

#endif
