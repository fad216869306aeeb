/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which shard of an interface owns a connection: for packets that the NIC put into another queue;
 * and which queue the NIC will put them into. With one shard there is nobody to steer to, and
 * nothing is entered.
 */
#ifndef RILL_NETSTACK_STACK_STEER_H
#define RILL_NETSTACK_STACK_STEER_H

#include "base/spinlock.h"
#include "netstack/core/flow.h"
#include "netstack/stack/steer_map.h"

struct rill_shard;
struct rill_tcp;

struct rill_steer {
	struct rill_spinlock lock;
	struct rill_tcp **buckets; /* linked by steer_next */
	uint32_t mask;
	struct rill_steer_map *map; /* NULL: the NIC has one queue */
};

/* -ENOMEM: rill_steer_fini() is for the caller all the same. */
int rill_steer_init(struct rill_steer *s, struct rill_nic *nic);
void rill_steer_fini(struct rill_steer *s);
/* The shard that owns the flow, or NULL. Any thread; the answer may be old by the time it is used.
 */
struct rill_shard *rill_steer_find(struct rill_steer *s, uint32_t hash,
				   const struct rill_flow_key *key);
/* False: there is one with these addresses already. */
bool rill_steer_insert(struct rill_steer *s, struct rill_tcp *t);
void rill_steer_remove(struct rill_steer *s, struct rill_tcp *t);

/* Will segments from remote come to sh, as far as that is known? */
bool rill_steer_is_home(const struct rill_shard *sh, const struct rill_addr *local,
			const struct rill_addr *remote);
/* A frame from the NIC, not looked at yet: if it is a SYN, compares where it came with what was
 * foretold. Holder of sh. */
void rill_steer_observe(struct rill_shard *sh, const struct rill_buf *frame);

#endif
