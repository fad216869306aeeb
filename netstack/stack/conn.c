/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/conn.h"

#include <errno.h>

/* Runs what aw waits for. When it is done, the waiter goes on with the result. */
static void run(struct rill_shard *sh, struct rill_tcp *t, struct rill_wait_ring *ring,
		struct rill_await *aw)
{
	struct rill_tcp_call *call = aw->arg;
	int r = call->op(sh, t, call);

	if (r == -EAGAIN)
		return;
	rill_wait_ring_remove(ring, aw);
	aw->value = (uint64_t)r;
	bool woke = rill_wake_add(&sh->wakes, aw->waiter);

	/* release: the last touch; a waiter that was awake may go. Pairs with call_disarm() */
	rill_store_release(&aw->granted, woke ? RILL_GRANT_WOKE : RILL_GRANT_GIVEN);
}

/* In the order in which they came. */
static void run_waiting(struct rill_shard *sh, struct rill_tcp *t, struct rill_wait_ring *ring)
{
	struct rill_list *n = ring->first;
	struct rill_list *last = n ? n->prev : NULL;

	while (n) {
		struct rill_list *next = n == last ? NULL : n->next;

		run(sh, t, ring, RILL_LIST_ENTRY(n, struct rill_await, link));
		n = next;
	}
}

void rill_tcp_event(struct rill_core *core, struct rill_conn *c, uint32_t events)
{
	struct rill_shard *sh = rill_shard_of_core(core);
	struct rill_tcp *t = rill_tcp_of(c);

	if (events & (RILL_TCB_READABLE | RILL_TCB_URGENT | RILL_TCB_CLOSED))
		run_waiting(sh, t, &t->readers);
	if (events & (RILL_TCB_WRITABLE | RILL_TCB_CONNECTED | RILL_TCB_CLOSED))
		run_waiting(sh, t, &t->writers);
}
