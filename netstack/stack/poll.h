/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A socket's place in a poll set: an entry. Two things guard it:
 *
 *   the socket's guard: whether it is attached to its socket, and where. For a connection that is
 *   its shard, for listeners and UDP sockets their interface's poll_lock. All of a socket's
 *   entries hang on it: a connection's in its rings of waiters, as calls that never get done.
 *
 *   the set's lock: whether it is in the set, and its place there. It is taken inside the guard.
 *
 * An entry is IDLE, or READY and in the set's list because its socket was ready when something
 * happened, or CHECKED: by somebody who took it from there to look how the socket is now. What
 * happens meanwhile is seen by that look, which is made under the guard.
 *
 * refs: of being in the set, and of everybody who has it in hand without a lock.
 */
#ifndef RILL_NETSTACK_STACK_POLL_H
#define RILL_NETSTACK_STACK_POLL_H

#include <rill/poll.h>

#include "base/list.h"
#include "base/spinlock.h"
#include "netstack/stack/conn.h"

struct rill_listener;
struct rill_udp;

struct rill_poll_set {
	struct rill_spinlock lock;
	/* all under lock */
	struct rill_list entries;
	struct rill_list ready;	  /* entries that are READY, the longest there first */
	struct rill_list waiters; /* struct rill_await */
	uint64_t looks;		  /* names of those who look through ready */
};

enum rill_poll_state {
	RILL_POLL_STATE_IDLE,
	RILL_POLL_STATE_READY,
	RILL_POLL_STATE_CHECKED,
};

struct rill_poll_entry {
	struct rill_poll_set *set;
	struct rill_shard *shard; /* of a connection */
	struct rill_net *net;	  /* of the others */

	/* Under the guard. */
	struct rill_poll_source source;	  /* socket NULL: it is gone, or was removed */
	struct rill_await reader, writer; /* connection: in its rings, writer if asked for */
	struct rill_tcp_call call;
	struct rill_list socket_link; /* the others: in their polls */

	/* Under the guard and the lock, either to read. */
	unsigned events;

	/* Under the set's lock. */
	void *user;
	struct rill_list link;	     /* in entries */
	struct rill_list ready_link; /* in ready */
	uint32_t refs;
	uint8_t state; /* enum rill_poll_state */
	uint64_t look; /* that found it ready last */
};

/* The entries of a listener or a UDP socket. */
struct rill_polls {
	struct rill_list entries; /* by socket_link, under poll_lock */
	RILL_ATOMIC(uint32_t) count;
};

static inline void rill_polls_init(struct rill_polls *p)
{
	rill_list_init(&p->entries);
}

/* Which of e->events its socket is ready for, and what is not asked for. Guard held. */
unsigned rill_poll_look(const struct rill_poll_entry *e);
/* Guard held: the entry gets into its set's list if its socket is ready. */
void rill_poll_notify(struct rill_poll_entry *e, struct rill_wake_batch *wakes);

/* Guard held, of a socket that is there. NULL: it is not in the set. */
struct rill_poll_entry *rill_poll_find(const struct rill_poll_set *set, struct rill_poll_source s);
/* Guard held: hangs e on its socket; takes it off, and out of its set. */
void rill_poll_attach(struct rill_poll_entry *e);
void rill_poll_detach(struct rill_poll_entry *e);
/* Guard held: other events, with notify after it. */
void rill_poll_ask(struct rill_poll_entry *e, unsigned events, void *user);
/* One reference less. Set's lock held; true: free e, after the lock. */
static inline bool rill_poll_put_locked(struct rill_poll_entry *e)
{
	return --e->refs == 0;
}

/* Something has come, or ended. */
void rill_polls_notify(struct rill_polls *p, struct rill_net *net, struct rill_wake_batch *wakes);
/* The socket is being closed. */
void rill_polls_forget(struct rill_polls *p, struct rill_net *net);
/* The same for a connection; holder of its shard. */
void rill_poll_forget_tcp(struct rill_tcp *c);

#endif
