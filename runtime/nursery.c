/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A group on its user's stack. Children are freed as they end; the wait for the last one ends under
 * the group's lock, so that none of them touches the group when its memory goes.
 */
#include <rill/group.h>

#include "runtime/group.h"
#include "runtime/outcome.h"

struct nursery {
	struct rill_group g;
	bool abort_on_failure;
	bool errors;
	int result; /* of the first child to fail; under g's lock until all have ended */
	struct rill_outcome failed;
};

RILL_STATIC_ASSERT(sizeof(struct nursery) <= sizeof(((struct rill_nursery *)0)->opaque),
		   "the public nursery holds one");

static struct nursery *nursery_of(const struct rill_nursery *n)
{
	return (struct nursery *)(uintptr_t)n->opaque;
}

/* ---- children's ends ---- */

static void abort_all_locked(struct rill_group *g, struct rill_wake_batch *batch)
{
	g->aborting = true;
	RILL_LIST_FOR_EACH (link, &g->running)
		rill_group_abort_locked(RILL_LIST_ENTRY(link, struct rill_task, owner_link), batch);
}

/* What t failed with, or 0. Whatever an aborted child says is an effect, not a cause. */
static int failure_of(const struct nursery *n, const struct rill_task *t)
{
	if (t->status == RILL_JOIN_FAILED)
		return RILL_JOIN_FAILED;
	if (!n->errors || (n->g.aborting && t->status == RILL_JOIN_ABORTED))
		return 0;
	return RILL_MIN((int)(intptr_t)t->arg, 0);
}

static bool child_ended(struct rill_group *g, struct rill_task *t, struct rill_wake_batch *batch)
{
	struct nursery *n = RILL_CONTAINER_OF(g, struct nursery, g);
	int r = failure_of(n, t);

	rill_list_del(&t->owner_link);
	if (r == 0)
		return true;
	if (n->result == 0) {
		n->result = r;
		rill_outcome_of(t, &n->failed);
		/* This failure has been heard: it is not one to be counted. */
		t->status = 0;
	}
	if (n->abort_on_failure)
		abort_all_locked(g, batch);
	return true;
}

static struct rill_task *none_ready(struct rill_group *g)
{
	return NULL;
}

static const struct rill_group_ops nursery_ops = {
	.ended = child_ended,
	.ready = none_ready,
};

/* ---- begin, spawn ---- */

static void leave_by_exit(void *arg)
{
	struct rill_nursery *n = arg;
	struct rill_await aw;

	rill_nursery_abort(n);
	rill_group_await_init(&aw, &nursery_of(n)->g, NULL, NULL);
	rill_await(&aw, RILL_AWAIT_UNCANCELLABLE);
}

void rill_nursery_begin(struct rill_nursery *nursery, const struct rill_nursery_options *o)
{
	struct nursery *n = nursery_of(nursery);

	rill_group_init(&n->g, &nursery_ops);
	n->abort_on_failure = o && o->abort_on_failure;
	n->errors = o && o->errors;
	n->result = 0;
	rill_cleanup_push(&nursery->cleanup, leave_by_exit, nursery);
}

int rill_nursery_spawn(struct rill_nursery *n, void *(*fn)(void *), void *arg)
{
	struct rill_group_spawn s = {NULL, __builtin_return_address(0), fn, arg, false};

	return rill_group_spawn(&nursery_of(n)->g, &s, NULL);
}

int rill_nursery_spawn_with(struct rill_nursery *n, const struct rill_spawn_options *o,
			    void *(*fn)(void *), void *arg, struct rill_abort_handle *ret_handle)
{
	struct rill_group_spawn s = {o, __builtin_return_address(0), fn, arg, false};

	return rill_group_spawn(&nursery_of(n)->g, &s, ret_handle);
}

int rill_nursery_spawn_blocking(struct rill_nursery *n, const struct rill_spawn_options *o,
				void *(*fn)(void *), void *arg,
				struct rill_abort_handle *ret_handle)
{
	struct rill_group_spawn s = {o, __builtin_return_address(0), fn, arg, true};

	return rill_group_spawn(&nursery_of(n)->g, &s, ret_handle);
}

size_t rill_nursery_len(const struct rill_nursery *n)
{
	return rill_group_len(&nursery_of(n)->g);
}

/* ---- end ---- */

void rill_nursery_abort(struct rill_nursery *n)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_group *g = &nursery_of(n)->g;

	rill_spin_lock(&g->lock);
	abort_all_locked(g, &batch);
	rill_spin_unlock(&g->lock);
	rill_wake_flush(&batch);
}

int rill_nursery_end(struct rill_nursery *nursery, struct rill_outcome *ret_failed)
{
	struct nursery *n = nursery_of(nursery);
	struct rill_await aw;

	rill_group_await_init(&aw, &n->g, NULL, NULL);
	int r = rill_await(&aw, 0);

	/* -ENOENT: there is none left; else the caller's scopes have ended the wait. */
	rill_cleanup_pop(&nursery->cleanup, r != -ENOENT);
	if (n->result != 0) {
		if (ret_failed)
			*ret_failed = n->failed;
		return n->result;
	}
	return r == -ENOENT ? 0 : r;
}
