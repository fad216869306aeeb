/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/scope.h"

#include <rill/token.h>

#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/spinlock.h"
#include "runtime/await.h"
#include "runtime/runtime.h"

struct rill_token {
	RILL_ATOMIC(bool) cancelled;
	struct rill_spinlock lock;
	struct rill_list scopes; /* of waiters, while they are parked */
};

/* The scope's opaque words, while its task is parked. */
struct scope_node {
	struct rill_list link;
	struct rill_waiter *waiter;
};

RILL_STATIC_ASSERT(sizeof(struct scope_node) <= sizeof(((struct rill_scope *)0)->opaque),
		   "the public scope holds a node");

static struct scope_node *node_of(struct rill_scope *s)
{
	return (struct scope_node *)(void *)s->opaque;
}

static void begin(struct rill_scope *s, uint64_t deadline_ns, struct rill_token *token, bool shield)
{
	struct rill_waiter *self = rill_waiter_current();

	*s = (struct rill_scope){
		.parent = self->scope,
		.token = token,
		.deadline_ns = deadline_ns,
		.shield = shield,
	};
	rill_list_init(&node_of(s)->link);
	self->scope = s;
}

void rill_scope_begin(struct rill_scope *s, uint64_t deadline_ns, struct rill_token *token)
{
	begin(s, deadline_ns, token, false);
}

void rill_scope_begin_shield(struct rill_scope *s)
{
	begin(s, RILL_FOREVER, NULL, true);
}

void rill_scope_end(struct rill_scope *s)
{
	struct rill_waiter *self = rill_waiter_current();

	RILL_ASSERT(self->scope == s); /* scopes end in the reverse order of their beginnings */
	self->scope = s->parent;
}

static int abort_check(struct rill_waiter *self)
{
	if (RILL_LIKELY(!rill_waiter_aborted(self)))
		return 0;
	rill_task_of(self)->abort_seen = true;
	return -ECANCELED;
}

int rill_scope_check(struct rill_waiter *self, uint64_t now_ns, uint64_t *ret_deadline_ns)
{
	uint64_t deadline = UINT64_MAX;

	for (struct rill_scope *s = self->scope; s; s = s->parent) {
		if (s->shield) {
			*ret_deadline_ns = deadline;
			return now_ns >= deadline ? -ETIMEDOUT : 0;
		}
		if (s->token && rill_token_is_cancelled(s->token))
			return -ECANCELED;
		deadline = RILL_MIN(deadline, s->deadline_ns);
	}
	*ret_deadline_ns = deadline;
	int r = abort_check(self);

	if (r < 0)
		return r;
	return now_ns >= deadline ? -ETIMEDOUT : 0;
}

static bool arm_one(struct rill_scope *s, struct rill_waiter *self)
{
	struct scope_node *n = node_of(s);
	bool armed;

	n->waiter = self;
	rill_spin_lock(&s->token->lock);
	armed = !rill_load_relaxed(&s->token->cancelled);
	if (armed)
		rill_list_push_back(&s->token->scopes, &n->link);
	rill_spin_unlock(&s->token->lock);
	return armed;
}

bool rill_scope_arm(struct rill_waiter *self)
{
	for (struct rill_scope *s = self->scope; s && !s->shield; s = s->parent)
		if (s->token && !arm_one(s, self))
			return false;
	return true;
}

void rill_scope_disarm(struct rill_waiter *self)
{
	for (struct rill_scope *s = self->scope; s && !s->shield; s = s->parent) {
		if (!s->token)
			continue;
		rill_spin_lock(&s->token->lock);
		rill_list_del(&node_of(s)->link);
		rill_spin_unlock(&s->token->lock);
	}
}

int rill_token_create(struct rill_token **ret_token)
{
	struct rill_token *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	rill_list_init(&t->scopes);
	*ret_token = t;
	return 0;
}

void rill_token_destroy(struct rill_token *t)
{
	if (!t)
		return;
	/* A cancel that was seen may still be on its way out. */
	rill_spin_lock(&t->lock);
	RILL_ASSERT(rill_list_empty(&t->scopes));
	rill_spin_unlock(&t->lock);
	free(t);
}

void rill_token_cancel(struct rill_token *t)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_list *n;

	rill_spin_lock(&t->lock);
	/* release: pairs with the acquire in rill_token_is_cancelled() */
	rill_store_release(&t->cancelled, true);
	while ((n = rill_list_pop_front(&t->scopes)))
		rill_wake_add(&batch, RILL_LIST_ENTRY(n, struct scope_node, link)->waiter);
	rill_spin_unlock(&t->lock);
	rill_wake_flush(&batch);
}

bool rill_token_is_cancelled(const struct rill_token *t)
{
	/* acquire: what the canceller did before is visible */
	return rill_load_acquire(&t->cancelled);
}
