/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ephemeral ports of an interface (netstack/tcp/portsel.h), for all of its cores: two of them
 * never choose the same pair of addresses. Any thread.
 */
#ifndef RILL_NETSTACK_CORE_EPHEMERAL_H
#define RILL_NETSTACK_CORE_EPHEMERAL_H

#include "base/spinlock.h"
#include "netstack/tcp/portsel.h"

struct rill_ephemeral {
	struct rill_spinlock lock;
	struct rill_ports ports; /* lock */
};

void rill_ephemeral_init(struct rill_ephemeral *e, const struct rill_memory *memory,
			 const struct rill_hash_key *secret);
void rill_ephemeral_fini(struct rill_ephemeral *e);

/* See rill_ports_get(): req->fit is called with the lock held. */
int rill_ephemeral_get(struct rill_ephemeral *e, const struct rill_port_request *req,
		       struct rill_addr *ret_local);
void rill_ephemeral_put(struct rill_ephemeral *e, const struct rill_addr *local,
			const struct rill_addr *remote);

#endif
