/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tokio's Notify: wakes waiters; a notify_one without waiters is kept for the next wait (one, never
 * more). Zero bytes are not a valid one: init it.
 */
#ifndef RILL_NOTIFY_H
#define RILL_NOTIFY_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_case;

struct rill_notify {
	uint64_t opaque[4];
};

RILL_API void rill_notify_init(struct rill_notify *n);
/* 0 when notified. Cancel safe: a notification already given passes on to the next waiter. */
RILL_API int rill_notify_wait(struct rill_notify *n);
/* Wakes the longest waiter, or is kept. */
RILL_API void rill_notify_one(struct rill_notify *n);
/* Wakes the youngest waiter, or is kept. */
RILL_API void rill_notify_last(struct rill_notify *n);
/* Wakes all whose wait was begun or prepared before the call, keeps nothing. */
RILL_API void rill_notify_all(struct rill_notify *n);
/* Prepared here, it sees every later notify_all; in the queue for notify_one while it is waited
 * for. */
RILL_API void rill_case_notify(struct rill_case *c, struct rill_notify *n);

/*
 * A place in the queue that is kept from one wait to the next, and before the first. It belongs to
 * one task or thread at a time, does not move, and is ended before its memory and the rill_notify
 * go:
 *
 *	rill_notified_begin(&nd, n);
 *	rill_notified_enable(&nd);
 *	if (!nothing_to_do())             a notification that comes from here on is not missed
 *		rill_notified_wait(&nd);
 *	rill_notified_end(&nd);
 */
struct rill_notified {
	uint64_t opaque[10];
};

/* Sees every later notify_all, and is not in the queue yet. */
RILL_API void rill_notified_begin(struct rill_notified *nd, struct rill_notify *n);
/* Into the queue, for a notify_one that may come now. True: notified already, and has taken it. */
RILL_API bool rill_notified_enable(struct rill_notified *nd);
/* 0 when notified, also if it was before. Cancel safe: it stays where it is in the queue. */
RILL_API int rill_notified_wait(struct rill_notified *nd);
/* Without losing its place when another case completes. */
RILL_API void rill_case_notified(struct rill_case *c, struct rill_notified *nd);
/* Out of the queue. A notify_one or notify_last that came and was not taken passes on. */
RILL_API void rill_notified_end(struct rill_notified *nd);

RILL_END_DECLS

#endif
