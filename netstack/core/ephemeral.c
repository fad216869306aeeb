/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/core/ephemeral.h"

#include "netstack/core/port.h"

void rill_ephemeral_init(struct rill_ephemeral *e, const struct rill_memory *memory,
			 const struct rill_hash_key *secret)
{
	e->lock = (struct rill_spinlock){0};
	rill_ports_init(&e->ports, memory, secret, RILL_PORT_EPHEMERAL_FIRST,
			RILL_PORT_EPHEMERAL_COUNT);
}

void rill_ephemeral_fini(struct rill_ephemeral *e)
{
	rill_ports_fini(&e->ports);
}

int rill_ephemeral_get(struct rill_ephemeral *e, const struct rill_port_request *req,
		       struct rill_addr *ret_local)
{
	int r;

	rill_spin_lock(&e->lock);
	r = rill_ports_get(&e->ports, req, ret_local);
	rill_spin_unlock(&e->lock);
	return r;
}

void rill_ephemeral_put(struct rill_ephemeral *e, const struct rill_addr *local,
			const struct rill_addr *remote)
{
	rill_spin_lock(&e->lock);
	rill_ports_put(&e->ports, local, remote);
	rill_spin_unlock(&e->lock);
}
