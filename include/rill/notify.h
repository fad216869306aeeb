/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tokio's Notify: wakes waiters; a notify_one without waiters is kept for the next wait (one, never
 * more).
 */
#ifndef RILL_NOTIFY_H
#define RILL_NOTIFY_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_case;

struct rill_notify {
	uint64_t opaque[3];
};

RILL_API void rill_notify_init(struct rill_notify *n);
/* 0 when notified. Cancel safe: a notification already given passes on to the next waiter. */
RILL_API int rill_notify_wait(struct rill_notify *n);
RILL_API void rill_notify_one(struct rill_notify *n);
/* Wakes all who wait now, keeps nothing. */
RILL_API void rill_notify_all(struct rill_notify *n);
RILL_API void rill_case_notify(struct rill_case *c, struct rill_notify *n);

RILL_END_DECLS

#endif
