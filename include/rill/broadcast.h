/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A channel in which every receiver gets every message sent since it subscribed. The last capacity
 * messages are kept: sending never waits, and overwrites the oldest. A receiver that is too slow is
 * told how many messages it has lost.
 */
#ifndef RILL_BROADCAST_H
#define RILL_BROADCAST_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_case;

/* The senders' side. */
struct rill_broadcast;

/* A receiver, in the caller's memory: stays where it is until it is closed. One task at a time. */
struct rill_broadcast_rx {
	uint64_t opaque[5];
};

/* Messages with hooks are handles: up to so many bytes. */
#define RILL_BROADCAST_HOOKED_MAX 1024

struct rill_broadcast_options {
	size_t size;	 /* sizeof, by RILL_OPTIONS */
	size_t capacity; /* messages; rounded up to a power of two */
	size_t msg_size; /* bytes */
	/*
	 * For messages that are more than their bytes; each may be NULL. A receiver gets what copy
	 * makes of the channel's own message, and owns it; without copy it gets the bytes. copy
	 * runs under a lock, one call at a time for each message: it must be short, and may neither
	 * block, nor end the task, nor use the channel.
	 *
	 * drop gets the channel's own message when all receivers have had it, or closed, or when it
	 * is overwritten. It runs under no lock, in the task that was the last to need the message,
	 * may use the channel, and may not end the task.
	 */
	void (*copy)(void *to, const void *from, void *arg);
	void (*drop)(void *msg, void *arg);
	void *arg; /* of both */
};

/* ---- sending: from any task or thread that holds a sender ---- */

/*
 * The creator holds one sender; there are no receivers yet. -EINVAL: capacity or msg_size is 0, or
 * the capacity is beyond 2^31, or a message with hooks is larger than RILL_BROADCAST_HOOKED_MAX.
 * -ENOMEM.
 */
RILL_API int rill_broadcast_create(const struct rill_broadcast_options *o,
				   struct rill_broadcast **ret_b);
/*
 * One more sender; each is given back by close_sender. When the last has gone, receivers get what
 * is left and then -EPIPE. The channel is freed with the last sender, weak one and receiver.
 */
RILL_API void rill_broadcast_add_sender(struct rill_broadcast *b);
RILL_API void rill_broadcast_close_sender(struct rill_broadcast *b);
/* A weak one does not keep the channel open. By a holder of either kind. */
RILL_API void rill_broadcast_add_weak(struct rill_broadcast *b);
RILL_API void rill_broadcast_close_weak(struct rill_broadcast *b);
/* By a holder of a weak one, which stays: 0 with one more sender, or -EPIPE when all have gone. */
RILL_API int rill_broadcast_upgrade(struct rill_broadcast *b);

/*
 * Never waits. How many receivers will see it goes to *ret_receivers, which may be NULL. -EPIPE
 * without receivers: the message stays the caller's.
 */
RILL_API int rill_broadcast_send(struct rill_broadcast *b, const void *msg, size_t *ret_receivers);

/* There are no receivers: sends fail. A subscribe changes that. */
RILL_API bool rill_broadcast_is_closed(const struct rill_broadcast *b);
/* 0 while there are no receivers; waits until then. Cancel safe. */
RILL_API int rill_broadcast_wait_closed(struct rill_broadcast *b);
RILL_API void rill_case_broadcast_closed(struct rill_case *c, struct rill_broadcast *b);

/* Messages that are kept and not seen by all receivers yet. Looks at every receiver. */
RILL_API size_t rill_broadcast_len(struct rill_broadcast *b);
RILL_API bool rill_broadcast_is_empty(struct rill_broadcast *b);
RILL_API size_t rill_broadcast_receiver_count(const struct rill_broadcast *b);
RILL_API size_t rill_broadcast_sender_count(const struct rill_broadcast *b);
RILL_API size_t rill_broadcast_weak_count(const struct rill_broadcast *b);

/* ---- receiving ---- */

/* A receiver of all later messages. By a holder of a sender. */
RILL_API void rill_broadcast_subscribe(struct rill_broadcast *b, struct rill_broadcast_rx *ret_rx);
/* One more of rx's channel, which may be closed: of all later messages, not of rx's backlog. */
RILL_API void rill_broadcast_resubscribe(const struct rill_broadcast_rx *rx,
					 struct rill_broadcast_rx *ret_rx);
/* Its unread messages are released. */
RILL_API void rill_broadcast_close_receiver(struct rill_broadcast_rx *rx);

/*
 * 0 with the oldest message not seen yet. -EOVERFLOW: rill_broadcast_lagged(rx) messages were
 * overwritten, and the next call goes on with the oldest that is kept. -EPIPE: all is read, and no
 * sender is left. Cancel safe: no message is lost.
 */
RILL_API int rill_broadcast_recv(struct rill_broadcast_rx *rx, void *ret_msg);
/* Also -EAGAIN: nothing there yet. */
RILL_API int rill_broadcast_try_recv(struct rill_broadcast_rx *rx, void *ret_msg);
RILL_API void rill_case_broadcast_recv(struct rill_case *c, struct rill_broadcast_rx *rx,
				       void *ret_msg);
/* How many messages the last -EOVERFLOW was about. */
RILL_API uint64_t rill_broadcast_lagged(const struct rill_broadcast_rx *rx);

/* Messages sent and not seen. Counts overwritten ones, too: more than the capacity means lag. */
RILL_API size_t rill_broadcast_rx_len(const struct rill_broadcast_rx *rx);
RILL_API bool rill_broadcast_rx_is_empty(const struct rill_broadcast_rx *rx);
/* No sender is left; there may be unread messages. */
RILL_API bool rill_broadcast_rx_is_closed(const struct rill_broadcast_rx *rx);
RILL_API size_t rill_broadcast_rx_sender_count(const struct rill_broadcast_rx *rx);
RILL_API size_t rill_broadcast_rx_weak_count(const struct rill_broadcast_rx *rx);
RILL_API bool rill_broadcast_rx_same_channel(const struct rill_broadcast_rx *a,
					     const struct rill_broadcast_rx *b);

RILL_END_DECLS

#endif
