/* SPDX-License-Identifier: BSD-3-Clause */
/* A task's handle that does not outlive the block it is used in. */
#include <rill/group.h>

#include "base/assert.h"
#include "runtime/task.h"

static void drop(void *arg)
{
	struct rill_task_guard *g = arg;
	struct rill_task *t = rill_task_guard_take(g);

	if (!t)
		return;
	rill_abort(t);
	rill_detach(t);
}

void rill_task_guard_begin(struct rill_task_guard *g, struct rill_task *t)
{
	g->task = t;
	rill_cleanup_push(&g->cleanup, drop, g);
}

int rill_task_guard_join(struct rill_task_guard *g, void **ret_value)
{
	RILL_ASSERT(g->task); /* joined or taken out before */
	int r = rill_join(g->task, ret_value);

	if (r >= 0)
		g->task = NULL;
	return r;
}

struct rill_task *rill_task_guard_take(struct rill_task_guard *g)
{
	struct rill_task *t = g->task;

	g->task = NULL;
	return t;
}

void rill_task_guard_end(struct rill_task_guard *g)
{
	rill_cleanup_pop(&g->cleanup, true);
}
