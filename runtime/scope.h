/* SPDX-License-Identifier: BSD-3-Clause */
/* Cancel scopes and tokens, as the wait primitive sees them. */
#ifndef RILL_RUNTIME_SCOPE_H
#define RILL_RUNTIME_SCOPE_H

#include "runtime/waiter.h"

/*
 * Why the caller may not wait now: -ECANCELED, -ETIMEDOUT (deadlines against now_ns), or 0.
 * *ret_deadline_ns is the earliest deadline of the scopes in force.
 */
int rill_scope_check(struct rill_waiter *self, uint64_t now_ns, uint64_t *ret_deadline_ns);

/* Has self woken when a token of its scopes is cancelled. False: one is already. */
bool rill_scope_arm(struct rill_waiter *self);
void rill_scope_disarm(struct rill_waiter *self);

#endif
