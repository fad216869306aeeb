/* SPDX-License-Identifier: BSD-3-Clause */
/* Cancellation tokens, as scopes see them. */
#ifndef RILL_RUNTIME_TOKEN_H
#define RILL_RUNTIME_TOKEN_H

#include <rill/token.h>

#include "base/spinlock.h"
#include "runtime/waiter.h"

struct rill_token_tree;

/* Locks: the tree's, then one token's. */
struct rill_token {
	RILL_ATOMIC(bool) cancelled; /* written under lock */
	struct rill_spinlock lock;   /* of the two lists below: all that a wait takes */
	RILL_ATOMIC(size_t) refs;    /* of owners, and of cancels under way */
	struct rill_list scopes;     /* of struct rill_token_node, while their waiters are parked */
	struct rill_list awaits;     /* of struct rill_await, armed */
	struct rill_token_tree *tree;
	struct rill_token *parent; /* NULL also when it was cancelled; this and all below: the
				      tree's lock */
	struct rill_list children;
	struct rill_list sibling; /* in parent's children */
};

/* A scope that is to be woken. */
struct rill_token_node {
	struct rill_list link;
	struct rill_waiter *waiter;
};

static inline bool rill_token_cancelled(const struct rill_token *t)
{
	/* acquire: pairs with the release in mark(): what the canceller did before is visible */
	return rill_load_acquire(&t->cancelled);
}

/* Has w woken by a cancel. False: there was one already. */
bool rill_token_arm(struct rill_token *t, struct rill_token_node *n, struct rill_waiter *w);
void rill_token_disarm(struct rill_token *t, struct rill_token_node *n);

#endif
