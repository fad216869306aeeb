/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A shard: one NIC queue pair with a core of its own (IP layer, connections, timers), under one
 * try-lock. Whoever holds it is the stack for that moment. Who can't get it leaves an operation in
 * its mailbox, and the holder runs that before letting go (flat combining: Hendler, Incze, Shavit,
 * Tzafrir 2010). So a socket may be used from any worker and any thread, nobody ever spins or
 * sleeps on the lock, and no connection has a lock of its own.
 *
 * Lock and mailbox are one word:  NULL: free.  LOCKED: held, nothing waiting.  Else: held, and the
 * word is a stack of operations, the newest first, that ends in LOCKED.
 */
#ifndef RILL_NETSTACK_STACK_SHARD_H
#define RILL_NETSTACK_STACK_SHARD_H

#include "drivers/driver.h"
#include "netstack/core/core.h"
#include "runtime/poller.h"
#include "runtime/waiter.h"

struct rill_net;
struct rill_shard;

/* Packets taken from the NIC at once. */
#define RILL_SHARD_BURST 64

struct rill_shard_op {
	struct rill_shard_op *next;
	/* With the shard held. op is its owner's again when fn returns: fn may free it. */
	void (*fn)(struct rill_shard *sh, struct rill_shard_op *op);
};

#define RILL_SHARD_LOCKED ((struct rill_shard_op *)1)

/* What is counted besides the core. */
struct rill_shard_stats {
	uint64_t mailbox_ops; /* run for somebody else */
	uint64_t steered_out; /* packets that belonged to another shard: the NIC's hash surprised us
			       */
	uint64_t steered_in;
	/* SYNs that came to the queue foretold, to another, and without one; and those of which
	 * something was learned */
	uint64_t rss_right, rss_wrong, rss_unknown, rss_learned;
	uint64_t polls_busy; /* found the shard held by another worker */
};

struct rill_shard {
	RILL_ATOMIC(struct rill_shard_op *) word RILL_CACHE_ALIGNED;

	/* All below: whoever holds the shard. */
	struct rill_nic_queue *queue RILL_CACHE_ALIGNED;
	const struct rill_driver *driver;
	struct rill_net *net;
	unsigned index;
	bool tx_pending;	      /* given to the NIC, but not flushed */
	struct rill_wake_batch wakes; /* to be flushed after letting go */
	struct rill_shard_stats stats;
	/* When to look at the link (rill_link_look()), and to wake up for it; 0: never. */
	uint64_t link_next_ns, link_wake_ns;
	struct rill_shard_op link_op;
	RILL_ATOMIC(bool) link_posted; /* link_op is on its way */
	struct rill_poller poller;
	struct rill_core core;
};

/* After the NIC is open: the shard of its queue index. l3 is complete but for the queue's own. */
int rill_shard_init(struct rill_shard *sh, struct rill_net *net, unsigned index,
		    const struct rill_l3_config *l3);
void rill_shard_fini(struct rill_shard *sh);

/*
 * Leaves op in the mailbox, or, when the shard is free, takes it: true means that the caller holds
 * it now, op was not queued, and rill_shard_leave() is the caller's to call.
 */
bool rill_shard_post(struct rill_shard *sh, struct rill_shard_op *op);
/* Runs the mailbox, sends what is due, lets go, wakes. */
void rill_shard_leave(struct rill_shard *sh);

/* Runs fn(sh, arg) with the shard held: at once, or by the holder while the caller waits. */
void rill_shard_call(struct rill_shard *sh, void (*fn)(struct rill_shard *sh, void *arg),
		     void *arg);

/*
 * The same, but waits for wait_ns at most, on the caller's thread: for those who look in from
 * outside, perhaps because the holder is stuck. False: fn was not called.
 */
bool rill_shard_try_call(struct rill_shard *sh, uint64_t wait_ns,
			 void (*fn)(struct rill_shard *sh, void *arg), void *arg);

static inline struct rill_shard *rill_shard_of_core(struct rill_core *core)
{
	return RILL_CONTAINER_OF(core, struct rill_shard, core);
}

#endif
