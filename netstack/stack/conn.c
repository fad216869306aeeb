/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/conn.h"

/* All at once: the ring is empty then, and what the nodes' links say means nothing any more. */
static void wake_all(struct rill_shard *sh, struct rill_wait_ring *ring)
{
	struct rill_list *n = ring->first;
	struct rill_list *last;
	bool done = false;

	if (!n)
		return;
	ring->first = NULL;
	last = n->prev;
	while (!done) {
		struct rill_await *aw = RILL_LIST_ENTRY(n, struct rill_await, link);

		done = n == last;
		n = n->next;
		rill_wake_add(&sh->wakes, aw->waiter);
		/* release: the last touch; the waiter may be running already. Pairs with
		 * call_disarm() */
		rill_store_release(&aw->granted, true);
	}
}

void rill_tcp_event(struct rill_core *core, struct rill_conn *c, uint32_t events)
{
	struct rill_shard *sh = rill_shard_of_core(core);
	struct rill_tcp *t = rill_tcp_of(c);

	if (events & (RILL_TCB_READABLE | RILL_TCB_CLOSED))
		wake_all(sh, &t->readers);
	if (events & (RILL_TCB_WRITABLE | RILL_TCB_CONNECTED | RILL_TCB_CLOSED))
		wake_all(sh, &t->writers);
}
