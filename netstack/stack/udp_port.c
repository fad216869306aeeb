/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/udp_port.h"

#include "netstack/udp/datagram.h"

static uint32_t memory_of(const struct rill_buf *chain)
{
	uint32_t bytes = 0;

	for (; chain; chain = chain->next)
		bytes += (uint32_t)(chain->end - chain->head);
	return bytes;
}

enum rill_drop rill_udp_deliver(struct rill_udp *u, struct rill_buf *chain,
				const struct rill_udp_hdr *hdr, const struct rill_addr *from,
				struct rill_wake_batch *wakes)
{
	uint32_t bytes = memory_of(chain);
	struct rill_await *aw;

	rill_spin_lock(&u->lock);
	if (u->queued_bytes + bytes > u->recv_buffer && u->queue.count > 0) {
		rill_spin_unlock(&u->lock);
		return RILL_DROP_UDP_QUEUE_FULL;
	}
	rill_udp_strip(chain, hdr);
	struct rill_udp_meta *meta = rill_udp_meta_of(chain);

	meta->from = *from;
	meta->rest = chain->next;
	u->queued_bytes += bytes;
	rill_buf_queue_push(&u->queue, chain);
	/* One datagram, one reader. */
	aw = rill_await_first(&u->readers);
	if (aw)
		rill_await_wake(aw, wakes);
	rill_spin_unlock(&u->lock);
	return RILL_DROP_NONE;
}
