/* SPDX-License-Identifier: BSD-3-Clause */
#include <rill/group.h>
#include <stdlib.h>

#include "runtime/group.h"

struct rill_join_queue {
	struct rill_group g; /* first: it is what is freed */
};

/* Tasks stay where they are; one that has ended has no owner any more. */
static bool queue_ended(struct rill_group *g, struct rill_task *t, struct rill_wake_batch *batch)
{
	t->owner = NULL;
	return false;
}

static struct rill_task *queue_ready(struct rill_group *g)
{
	if (rill_list_empty(&g->running))
		return NULL;
	struct rill_task *t = RILL_LIST_ENTRY(g->running.next, struct rill_task, owner_link);

	return t->owner ? NULL : t;
}

static const struct rill_group_ops queue_ops = {
	.ended = queue_ended,
	.ready = queue_ready,
};

int rill_join_queue_create(struct rill_join_queue **ret_queue)
{
	struct rill_join_queue *queue = malloc(sizeof(*queue));

	if (!queue)
		return -ENOMEM;
	rill_group_init(&queue->g, &queue_ops);
	*ret_queue = queue;
	return 0;
}

void rill_join_queue_destroy(struct rill_join_queue *queue)
{
	if (queue)
		rill_group_destroy(&queue->g);
}

int rill_join_queue_spawn(struct rill_join_queue *queue, void *(*fn)(void *), void *arg)
{
	struct rill_group_spawn s = {NULL, __builtin_return_address(0), fn, arg, false};

	return rill_group_spawn(&queue->g, &s, NULL);
}

int rill_join_queue_spawn_with(struct rill_join_queue *queue, const struct rill_spawn_options *o,
			       void *(*fn)(void *), void *arg, struct rill_abort_handle *ret_handle)
{
	struct rill_group_spawn s = {o, __builtin_return_address(0), fn, arg, false};

	return rill_group_spawn(&queue->g, &s, ret_handle);
}

int rill_join_queue_spawn_blocking(struct rill_join_queue *queue,
				   const struct rill_spawn_options *o, void *(*fn)(void *),
				   void *arg, struct rill_abort_handle *ret_handle)
{
	struct rill_group_spawn s = {o, __builtin_return_address(0), fn, arg, true};

	return rill_group_spawn(&queue->g, &s, ret_handle);
}

int rill_join_queue_join_next(struct rill_join_queue *queue, struct rill_outcome *ret_outcome)
{
	return rill_group_join_next(&queue->g, ret_outcome, NULL);
}

int rill_join_queue_try_join_next(struct rill_join_queue *queue, struct rill_outcome *ret_outcome)
{
	return rill_group_try_join_next(&queue->g, ret_outcome, NULL);
}

void rill_case_join_queue(struct rill_case *c, struct rill_join_queue *queue,
			  struct rill_outcome *ret_outcome)
{
	rill_group_await_init(rill_await_of(c), &queue->g, ret_outcome, NULL);
}

size_t rill_join_queue_len(const struct rill_join_queue *queue)
{
	return rill_group_len(&queue->g);
}

bool rill_join_queue_is_empty(const struct rill_join_queue *queue)
{
	return rill_group_len(&queue->g) == 0;
}

void rill_join_queue_abort_all(struct rill_join_queue *queue)
{
	rill_group_abort_all(&queue->g);
}

void rill_join_queue_detach_all(struct rill_join_queue *queue)
{
	rill_group_detach_all(&queue->g);
}

int rill_join_queue_shutdown(struct rill_join_queue *queue)
{
	return rill_group_shutdown(&queue->g);
}

int rill_join_queue_join_all(struct rill_join_queue *queue,
			     void (*each)(void *user, const struct rill_outcome *o), void *user,
			     struct rill_outcome *ret_failed)
{
	return rill_group_join_all(&queue->g, each, user, ret_failed);
}
