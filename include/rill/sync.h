/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Locks and channels. Each works between tasks of any workers and runtimes and plain threads; a
 * plain thread blocks where a task would park. Blocking calls honour scopes: -ECANCELED,
 * -ETIMEDOUT.
 */
#ifndef RILL_SYNC_H
#define RILL_SYNC_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_case;

/* Embedded in the caller's memory; the words are rill's own. */
struct rill_sync_opaque {
	uint32_t word[2];
	void *head[2];
};

/*
 * A fair mutex: unlock hands it to the longest waiter. May be held across blocking calls. Zero
 * bytes are not a valid mutex: init it.
 */
struct rill_mutex {
	uint64_t holder; /* for dumps */
	struct rill_sync_opaque o;
};

RILL_API void rill_mutex_init(struct rill_mutex *m);
/* 0 with the lock held. Cancel safe: loses the place in the queue, never the lock. */
RILL_API int rill_mutex_lock(struct rill_mutex *m);
/* 0, or -EBUSY when held or waited for. */
RILL_API int rill_mutex_trylock(struct rill_mutex *m);
/* By whoever holds it; need not be the task that locked it. */
RILL_API void rill_mutex_unlock(struct rill_mutex *m);
RILL_API void rill_case_mutex_lock(struct rill_case *c, struct rill_mutex *m);

/* Tokio's Notify: wakes waiters; a notify_one without waiters is kept for the next wait (one, never
 * more). */
struct rill_notify {
	struct rill_sync_opaque o;
};

RILL_API void rill_notify_init(struct rill_notify *n);
/* 0 when notified. Cancel safe: a notification already given passes on to the next waiter. */
RILL_API int rill_notify_wait(struct rill_notify *n);
RILL_API void rill_notify_one(struct rill_notify *n);
/* Wakes all who wait now, keeps nothing. */
RILL_API void rill_notify_all(struct rill_notify *n);
RILL_API void rill_case_notify(struct rill_case *c, struct rill_notify *n);

/* One message, once, from one sender to one receiver; the message has a fixed size and is copied.
 */
struct rill_oneshot;

RILL_API int rill_oneshot_create(size_t msg_size, struct rill_oneshot **ret_ch);
/* 0, or -EPIPE when the receiver has gone. Never waits. Once, by the sender, instead of
 * close_sender. */
RILL_API int rill_oneshot_send(struct rill_oneshot *ch, const void *msg);
/* The sender's side gives up without a message. Each side's half is freed by send or its close. */
RILL_API void rill_oneshot_close_sender(struct rill_oneshot *ch);
/* 0 with the message in *ret_msg, or -EPIPE when none will come. Cancel safe. */
RILL_API int rill_oneshot_recv(struct rill_oneshot *ch, void *ret_msg);
RILL_API void rill_oneshot_close_receiver(struct rill_oneshot *ch);
RILL_API void rill_case_oneshot_recv(struct rill_case *c, struct rill_oneshot *ch, void *ret_msg);

/* A bounded channel of messages of a fixed size: any number of senders, one receiver at a time. */
struct rill_mpsc;

/* -EINVAL for capacity or msg_size 0. The creator holds one sender and the receiver. */
RILL_API int rill_mpsc_create(size_t capacity, size_t msg_size, struct rill_mpsc **ret_ch);
/* One more sender; each is given back by rill_mpsc_close_sender(). */
RILL_API void rill_mpsc_add_sender(struct rill_mpsc *ch);
RILL_API void rill_mpsc_close_sender(struct rill_mpsc *ch);
/* No further sends; what is queued is freed. The channel is freed with its last half. */
RILL_API void rill_mpsc_close_receiver(struct rill_mpsc *ch);
/* 0, or -EPIPE when the receiver has gone. Waits for room in FIFO order. Cancel safe: not sent. */
RILL_API int rill_mpsc_send(struct rill_mpsc *ch, const void *msg);
/* -EAGAIN when full, or others wait for room. */
RILL_API int rill_mpsc_try_send(struct rill_mpsc *ch, const void *msg);
/* 0, or -EPIPE when empty and all senders have gone. Cancel safe: no message is lost. */
RILL_API int rill_mpsc_recv(struct rill_mpsc *ch, void *ret_msg);
RILL_API int rill_mpsc_try_recv(struct rill_mpsc *ch, void *ret_msg);
RILL_API size_t rill_mpsc_len(const struct rill_mpsc *ch);
RILL_API void rill_case_mpsc_recv(struct rill_case *c, struct rill_mpsc *ch, void *ret_msg);
RILL_API void rill_case_mpsc_send(struct rill_case *c, struct rill_mpsc *ch, const void *msg);

RILL_END_DECLS

#endif
