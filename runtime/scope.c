/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/scope.h"

#include <errno.h>

#include "base/assert.h"
#include "runtime/await.h"
#include "runtime/runtime.h"
#include "runtime/token.h"

/* In the scope's opaque words, while its task is parked. */
RILL_STATIC_ASSERT(sizeof(struct rill_token_node) <= sizeof(((struct rill_scope *)0)->opaque),
		   "the public scope holds a node");

static struct rill_token_node *node_of(struct rill_scope *s)
{
	return (struct rill_token_node *)(void *)s->opaque;
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
		if (s->token && rill_token_cancelled(s->token))
			return -ECANCELED;
		deadline = RILL_MIN(deadline, s->deadline_ns);
	}
	*ret_deadline_ns = deadline;
	int r = abort_check(self);

	if (r < 0)
		return r;
	return now_ns >= deadline ? -ETIMEDOUT : 0;
}

bool rill_scope_arm(struct rill_waiter *self)
{
	for (struct rill_scope *s = self->scope; s && !s->shield; s = s->parent)
		if (s->token && !rill_token_arm(s->token, node_of(s), self))
			return false;
	return true;
}

void rill_scope_disarm(struct rill_waiter *self)
{
	for (struct rill_scope *s = self->scope; s && !s->shield; s = s->parent)
		if (s->token)
			rill_token_disarm(s->token, node_of(s));
}
