/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A condition variable for a rill_mutex. Whoever makes the condition true does so with the mutex
 * locked, and signals before or after the unlock. Who waits for it:
 *
 *	rill_mutex_lock(&m);
 *	while (!ready && r == 0)
 *		r = rill_cond_wait(&c, &m);
 *	... the mutex is held, also if r is an error
 *	rill_mutex_unlock(&m);
 *
 * The loop is needed: between the signal and the lock another may have made it false again. Zero
 * bytes are not a valid one: init it.
 */
#ifndef RILL_COND_H
#define RILL_COND_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_mutex;

struct rill_cond {
	uint64_t opaque[3];
};

RILL_API void rill_cond_init(struct rill_cond *c);
/*
 * Unlocks the mutex, waits for a signal, locks it again: no signal between the unlock and the wait
 * is missed, and none is made up. 0, or -ECANCELED, -ETIMEDOUT; always with the mutex locked, and
 * that lock is waited for without regard to scopes. Cancel safe: an error took no signal.
 */
RILL_API int rill_cond_wait(struct rill_cond *c, struct rill_mutex *m);
/* Wakes the longest waiter; nothing is kept. */
RILL_API void rill_cond_signal(struct rill_cond *c);
RILL_API void rill_cond_broadcast(struct rill_cond *c);

RILL_END_DECLS

#endif
