/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A queue of messages of a fixed size, bounded or not, from any number of senders to any number of
 * receivers. Each message goes to one receiver; messages, senders that wait for room and receivers
 * that wait for messages are served in the order of their coming. A message is copied: msg_size
 * sizeof(void *) passes pointers on.
 *
 * A channel lives as long as anybody owns a half of it: a sender, a receiver, or a weak sender,
 * which does not keep the channel open. The creator has one sender and one receiver. A half is a
 * count, not a handle: all use the same pointer (which tells whether two channels are the same),
 * and who has a half may lend it, or give it away together with the duty to close it.
 *
 * Closed is a channel of which rill_channel_close() was called, or whose receivers have all gone:
 * nothing can be sent any more. What was sent, and what permits are outstanding for, can still be
 * received.
 */
#ifndef RILL_CHANNEL_H
#define RILL_CHANNEL_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_case;
struct rill_channel;

/* A capacity without bound. */
#define RILL_UNBOUNDED SIZE_MAX

struct rill_channel_options {
	size_t size;	 /* sizeof, by RILL_OPTIONS */
	size_t capacity; /* messages and permits; RILL_UNBOUNDED: a send never waits */
	size_t msg_size; /* bytes */
	/* For a message that nobody will receive, by whoever made it so; not under a lock. May be
	 * NULL. */
	void (*drop)(void *msg, void *arg);
	void *arg;
};

/* -EINVAL for a capacity or msg_size of 0; -ENOMEM: a bounded one has all of its memory at once. */
RILL_API int rill_channel_create(size_t capacity, size_t msg_size, struct rill_channel **ret_ch);
RILL_API int rill_channel_create_with(const struct rill_channel_options *o,
				      struct rill_channel **ret_ch);

/* ---- owners ---- */

/* By who has a sender, a receiver, or any half. */
RILL_API void rill_channel_add_sender(struct rill_channel *ch);
RILL_API void rill_channel_add_receiver(struct rill_channel *ch);
RILL_API void rill_channel_add_weak(struct rill_channel *ch);
/* Gives a sender back. After the last one, receivers get what was sent, then -EPIPE. */
RILL_API void rill_channel_close_sender(struct rill_channel *ch);
/* The last one closes the channel and drops what was sent. */
RILL_API void rill_channel_close_receiver(struct rill_channel *ch);
RILL_API void rill_channel_close_weak(struct rill_channel *ch);
/* By who has a weak sender: 0 and one more sender, or -EPIPE when there is none left. */
RILL_API int rill_channel_upgrade(struct rill_channel *ch);

/* ---- sending: by who has a sender ---- */

/*
 * 0, or -EPIPE when closed, also for those who wait. Waits for room, if it is bounded. If not, it
 * is no point of cancellation, takes no budget, and may fail with -ENOMEM. Whatever fails did not
 * send: the message stays the caller's. Cancel safe: not sent.
 */
RILL_API int rill_channel_send(struct rill_channel *ch, const void *msg);
/* -EAGAIN when full, or others wait for room. */
RILL_API int rill_channel_try_send(struct rill_channel *ch, const void *msg);

/*
 * A permit is room for one message, set aside. It is the caller's until
 * rill_channel_send_reserved() or rill_channel_unreserve(), holds when the channel is closed
 * meanwhile, and the sender must be kept as long. For one that is given to somebody else:
 * rill_channel_add_sender() with it.
 *
 * Takes n permits at once: 0, or -EPIPE when closed, -EINVAL when n is more than the capacity or
 * the channel unbounded. Waits in the queue of senders; what room comes is kept for the first,
 * until he has all. n of 0 takes nothing and does not wait. Cancel safe: no permits.
 */
RILL_API int rill_channel_reserve(struct rill_channel *ch, size_t n);
/* -EAGAIN when there is no room for all n, or others wait for room. */
RILL_API int rill_channel_try_reserve(struct rill_channel *ch, size_t n);
/* Spends one permit. Cannot fail: when all receivers have gone, the message is dropped. */
RILL_API void rill_channel_send_reserved(struct rill_channel *ch, const void *msg);
/* Gives n permits back. */
RILL_API void rill_channel_unreserve(struct rill_channel *ch, size_t n);

/* 0 as soon as the channel is closed, now or earlier. Cancel safe. */
RILL_API int rill_channel_wait_closed(struct rill_channel *ch);

/* ---- receiving: by who has a receiver ---- */

/*
 * 0, or -EPIPE when it is closed or all senders have gone, nothing is left in it, and no permit is
 * outstanding. Cancel safe: no message is lost.
 */
RILL_API int rill_channel_recv(struct rill_channel *ch, void *ret_msg);
/* -EAGAIN when empty, or what there is is for others who wait. */
RILL_API int rill_channel_try_recv(struct rill_channel *ch, void *ret_msg);
/*
 * Waits for a message, and takes as many as there are, up to limit, to ret_msgs: 0 with their
 * number in *ret_n, or -EPIPE. A limit of 0: 0 at once. One unit of budget. Cancel safe.
 */
RILL_API int rill_channel_recv_many(struct rill_channel *ch, void *ret_msgs, size_t limit,
				    size_t *ret_n);
RILL_API int rill_channel_try_recv_many(struct rill_channel *ch, void *ret_msgs, size_t limit,
					size_t *ret_n);
/* Nothing more can be sent; senders who wait get -EPIPE. */
RILL_API void rill_channel_close(struct rill_channel *ch);

/* ---- how it is, at this instant ---- */

/* Closed, or all senders have gone. */
RILL_API bool rill_channel_is_closed(const struct rill_channel *ch);
RILL_API bool rill_channel_is_empty(const struct rill_channel *ch);
/* Messages in it. */
RILL_API size_t rill_channel_len(const struct rill_channel *ch);
/* Room for so many more, without what is set aside; RILL_UNBOUNDED if it is. */
RILL_API size_t rill_channel_capacity(const struct rill_channel *ch);
/* As created. */
RILL_API size_t rill_channel_max_capacity(const struct rill_channel *ch);
RILL_API size_t rill_channel_sender_count(const struct rill_channel *ch);
RILL_API size_t rill_channel_weak_count(const struct rill_channel *ch);
RILL_API size_t rill_channel_receiver_count(const struct rill_channel *ch);

/* ---- cases of a select ---- */

RILL_API void rill_case_channel_recv(struct rill_case *c, struct rill_channel *ch, void *ret_msg);
RILL_API void rill_case_channel_send(struct rill_case *c, struct rill_channel *ch, const void *msg);
RILL_API void rill_case_channel_reserve(struct rill_case *c, struct rill_channel *ch, size_t n);
RILL_API void rill_case_channel_closed(struct rill_case *c, struct rill_channel *ch);

RILL_END_DECLS

#endif
