/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which shard of an interface owns a connection: for packets that the NIC put into another queue.
 * With one shard there is nobody to steer to, and nothing is entered.
 */
#ifndef RILL_NETSTACK_STACK_STEER_H
#define RILL_NETSTACK_STACK_STEER_H

#include "base/spinlock.h"
#include "netstack/core/flow.h"

struct rill_shard;
struct rill_tcp;

struct rill_steer {
	struct rill_spinlock lock;
	struct rill_tcp **buckets; /* linked by steer_next */
	uint32_t mask;
};

int rill_steer_init(struct rill_steer *s);
void rill_steer_fini(struct rill_steer *s);
/* The shard that owns the flow, or NULL. Any thread; the answer may be old by the time it is used.
 */
struct rill_shard *rill_steer_find(struct rill_steer *s, uint32_t hash,
				   const struct rill_flow_key *key);
/* False: there is one with these addresses already. */
bool rill_steer_insert(struct rill_steer *s, struct rill_tcp *t);
void rill_steer_remove(struct rill_steer *s, struct rill_tcp *t);

#endif
