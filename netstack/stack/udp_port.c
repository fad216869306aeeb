/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/udp_port.h"

enum rill_drop rill_udp_deliver(struct rill_core *core, struct rill_udp_port *p,
				struct rill_buf *chain, const struct rill_udp_hdr *hdr,
				const struct rill_addr *from)
{
	struct rill_udp *u = RILL_CONTAINER_OF(p, struct rill_udp_part, port)->udp;
	struct rill_shard *sh = rill_shard_of_core(core);
	struct rill_await *aw;

	rill_spin_lock(&u->lock);
	enum rill_drop drop = rill_udp_queue_push(&u->queue, chain, hdr, from);

	/* One datagram, one reader. */
	aw = drop == RILL_DROP_NONE ? rill_await_first(&u->readers) : NULL;
	if (aw)
		rill_await_wake(aw, &sh->wakes);
	rill_spin_unlock(&u->lock);
	if (drop == RILL_DROP_NONE)
		rill_polls_notify(&u->polls, u->net, &sh->wakes);
	return drop;
}

void rill_udp_fail(struct rill_core *core, struct rill_udp_port *p, const struct rill_addr *remote,
		   int error, bool hard)
{
	struct rill_udp *u = RILL_CONTAINER_OF(p, struct rill_udp_part, port)->udp;
	struct rill_shard *sh = rill_shard_of_core(core);
	struct rill_await *aw;

	rill_spin_lock(&u->lock);
	bool told = u->all_errors || (hard && u->peer.ip.family != RILL_AF_NONE);

	if (told) {
		u->error = error;
		u->failed = *remote;
	}
	aw = told ? rill_await_first(&u->readers) : NULL;
	if (aw)
		rill_await_wake(aw, &sh->wakes);
	rill_spin_unlock(&u->lock);
	if (told)
		rill_polls_notify(&u->polls, u->net, &sh->wakes);
}
