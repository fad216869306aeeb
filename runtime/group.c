/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/group.h"

#include <stdlib.h>

#include "runtime/handle.h"
#include "runtime/outcome.h"

/* See group.h. */
static struct rill_list early, let_go;

static struct rill_task *task_at(struct rill_list *link)
{
	return RILL_LIST_ENTRY(link, struct rill_task, owner_link);
}

static void mark(struct rill_task *t, struct rill_list *what)
{
	t->owner_link.next = NULL;
	t->owner_link.prev = what;
}

static bool is_marked(const struct rill_task *t, const struct rill_list *what)
{
	return !t->owner_link.next && t->owner_link.prev == what;
}

static void owner_ended(struct rill_task_owner *o, struct rill_task *t)
{
	rill_group_task_ended(RILL_CONTAINER_OF(o, struct rill_group, owner), t);
}

void rill_group_init(struct rill_group *g, const struct rill_group_ops *ops)
{
	*g = (struct rill_group){.owner.ended = owner_ended, .ops = ops};
	rill_list_init(&g->running);
	rill_list_init(&g->done);
	rill_list_init(&g->waiters);
}

static void add_len_locked(struct rill_group *g, size_t n)
{
	rill_store_relaxed(&g->len, g->len + n);
}

void rill_group_settle_locked(struct rill_group *g, struct rill_wake_batch *batch)
{
	struct rill_await *aw;

	/* Woken, not granted: whoever comes first takes the task, and the others wait again. */
	while ((aw = rill_await_first(&g->waiters))) {
		if (g->len > 0 && !g->ops->ready(g))
			return;
		rill_await_wake(aw, batch);
		if (g->len > 0)
			return;
	}
}

/* ---- ends ---- */

bool rill_group_ended_push(struct rill_group *g, struct rill_task *t, struct rill_wake_batch *batch)
{
	rill_list_del(&t->owner_link);
	rill_list_push_back(&g->done, &t->owner_link);
	return false;
}

struct rill_task *rill_group_ready_first(struct rill_group *g)
{
	return rill_list_empty(&g->done) ? NULL : task_at(g->done.next);
}

/* t is on the running list. */
static bool finish_locked(struct rill_group *g, struct rill_task *t, struct rill_wake_batch *batch)
{
	bool gone = g->ops->ended(g, t, batch);

	if (gone)
		add_len_locked(g, -(size_t)1);
	rill_group_settle_locked(g, batch);
	return gone;
}

void rill_group_forget(const struct rill_group_ops *ops, struct rill_task *t)
{
	if (ops->free)
		ops->free(t, NULL);
	mark(t, NULL);
	rill_task_forget(t);
}

void rill_group_task_ended(struct rill_group *g, struct rill_task *t)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	const struct rill_group_ops *ops = g->ops;
	bool gone = false;

	rill_spin_lock(&g->lock);
	g->users--;
	if (is_marked(t, NULL))
		mark(t, &early);
	else
		gone = is_marked(t, &let_go) || finish_locked(g, t, &batch);
	bool last = g->closed && g->users == 0;

	rill_spin_unlock(&g->lock);
	/* A group on the stack of one who waited for its last task may be gone by now. */
	rill_wake_flush(&batch);
	if (gone)
		rill_group_forget(ops, t);
	if (last)
		free(g);
}

/* ---- spawn ---- */

static int reserve(struct rill_group *g)
{
	int r = -ECANCELED;

	rill_spin_lock(&g->lock);
	if (!g->aborting) {
		add_len_locked(g, 1);
		g->users++;
		r = 0;
	}
	rill_spin_unlock(&g->lock);
	return r;
}

static void unreserve(struct rill_group *g)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&g->lock);
	add_len_locked(g, -(size_t)1);
	g->users--;
	rill_group_settle_locked(g, &batch);
	rill_spin_unlock(&g->lock);
	rill_wake_flush(&batch);
}

int rill_group_begin(struct rill_group *g, const struct rill_group_spawn *s,
		     struct rill_task_owner *owner, struct rill_task **ret_task)
{
	int r = reserve(g);

	if (r < 0)
		return r;
	if (s->blocking)
		r = rill_task_spawn_blocking(s->o, s->site, s->fn, s->arg, owner, ret_task);
	else
		r = rill_task_spawn(s->o, s->site, s->fn, s->arg, owner, ret_task);
	if (r < 0)
		unreserve(g);
	return r;
}

bool rill_group_place_locked(struct rill_group *g, struct rill_task *t,
			     struct rill_wake_batch *batch)
{
	bool ended = is_marked(t, &early);

	rill_list_push_back(&g->running, &t->owner_link);
	if (ended)
		return finish_locked(g, t, batch);
	if (g->aborting)
		rill_group_abort_locked(t, batch);
	return false;
}

static int spawn_and_place(struct rill_group *g, const struct rill_group_spawn *s,
			   struct rill_abort_handle *ret_handle)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_task *t;
	int r = rill_group_begin(g, s, &g->owner, &t);

	if (r < 0)
		return r;
	/* Nobody takes it before it is placed. */
	if (ret_handle)
		*ret_handle = rill_abort_handle(t);
	rill_spin_lock(&g->lock);
	const struct rill_group_ops *ops = g->ops;
	bool gone = rill_group_place_locked(g, t, &batch);

	rill_spin_unlock(&g->lock);
	rill_wake_flush(&batch);
	if (gone)
		rill_group_forget(ops, t);
	return 0;
}

int rill_group_spawn(struct rill_group *g, const struct rill_group_spawn *s,
		     struct rill_abort_handle *ret_handle)
{
	if (!rill_handle_enter_by(s->o))
		return -ESHUTDOWN;
	int r = spawn_and_place(g, s, ret_handle);

	rill_handle_exit_by(s->o);
	return r;
}

/* ---- abort, let go ---- */

void rill_group_abort_locked(struct rill_task *t, struct rill_wake_batch *batch)
{
	/* release: pairs with the RMW of rill_wake_add() and the exchange in rill_slice_begin() */
	rill_store_release(&t->abort_id, t->id);
	rill_wake_add(batch, &t->waiter);
}

void rill_group_abort_all(struct rill_group *g)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&g->lock);
	RILL_LIST_FOR_EACH (link, &g->running)
		rill_group_abort_locked(task_at(link), &batch);
	rill_spin_unlock(&g->lock);
	rill_wake_flush(&batch);
}

bool rill_group_let_go_locked(struct rill_group *g, struct rill_task *t, bool told)
{
	rill_list_del(&t->owner_link);
	add_len_locked(g, -(size_t)1);
	if (g->ops->left)
		g->ops->left(g, t);
	if (!told)
		mark(t, &let_go);
	return told;
}

void rill_group_detach_all(struct rill_group *g)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_list dead, *link;

	rill_list_init(&dead);
	rill_spin_lock(&g->lock);
	/* In a queue the running list has ended tasks, too, which have no owner any more. */
	RILL_LIST_FOR_EACH (pos, &g->running)
		if (rill_group_let_go_locked(g, task_at(pos), !task_at(pos)->owner))
			rill_list_push_back(&dead, pos);
	RILL_LIST_FOR_EACH (pos, &g->done)
		if (rill_group_let_go_locked(g, task_at(pos), true))
			rill_list_push_back(&dead, pos);
	rill_group_settle_locked(g, &batch);
	rill_spin_unlock(&g->lock);
	rill_wake_flush(&batch);
	while ((link = rill_list_pop_front(&dead)))
		rill_group_forget(g->ops, task_at(link));
}

void rill_group_destroy(struct rill_group *g)
{
	rill_group_abort_all(g);
	rill_group_detach_all(g);
	rill_spin_lock(&g->lock);
	RILL_ASSERT(rill_list_empty(&g->waiters)); /* nobody waits any more */
	g->closed = true;
	bool last = g->users == 0;

	rill_spin_unlock(&g->lock);
	if (last)
		free(g);
}

/* ---- join ---- */

static int next_locked(struct rill_group *g, struct rill_task **ret_task,
		       struct rill_wake_batch *batch)
{
	struct rill_task *t = g->ops->ready(g);

	if (!t)
		return g->len == 0 ? -ENOENT : -EAGAIN;
	/* Waiters of a queue may find the next ready, and those of a group that is empty now must
	 * know. */
	*ret_task = t;
	rill_group_let_go_locked(g, t, true);
	rill_group_settle_locked(g, batch);
	return 0;
}

/* Takes the node out of the queue (take_out), or puts it in when there is nothing (queue). */
static int look(struct rill_await *aw, bool take_out, bool queue)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_group *g = aw->obj;
	struct rill_task *t = NULL;

	rill_spin_lock(&g->lock);
	if (take_out)
		rill_list_del(&aw->link);
	int r = next_locked(g, &t, &batch);

	if (r == -EAGAIN && queue)
		rill_list_push_back(&g->waiters, &aw->link);
	rill_spin_unlock(&g->lock);
	rill_wake_flush(&batch);
	if (!t)
		return r;
	rill_outcome_of(t, aw->arg);
	if (g->ops->free)
		g->ops->free(t, aw);
	mark(t, NULL);
	rill_task_release(t);
	return 0;
}

static int group_try(struct rill_await *aw)
{
	return look(aw, false, false);
}

static int group_arm(struct rill_await *aw)
{
	return look(aw, false, true);
}

static int group_disarm(struct rill_await *aw, bool take)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_group *g = aw->obj;

	if (take)
		return look(aw, true, false);
	rill_spin_lock(&g->lock);
	rill_list_del(&aw->link);
	/* It may have been woken for a task that it does not take. */
	rill_group_settle_locked(g, &batch);
	rill_spin_unlock(&g->lock);
	rill_wake_flush(&batch);
	return -EAGAIN;
}

static const struct rill_await_ops group_await_ops = {
	.what = "tasks of a group",
	.try = group_try,
	.arm = group_arm,
	.disarm = group_disarm,
};

void rill_group_await_init(struct rill_await *aw, struct rill_group *g,
			   struct rill_outcome *ret_outcome, void *ret_key)
{
	rill_await_init(aw, &group_await_ops, g, ret_outcome);
	aw->value = (uintptr_t)ret_key;
}

int rill_group_join_next(struct rill_group *g, struct rill_outcome *ret_outcome, void *ret_key)
{
	struct rill_await aw;

	rill_group_await_init(&aw, g, ret_outcome, ret_key);
	return rill_await(&aw, 0);
}

int rill_group_try_join_next(struct rill_group *g, struct rill_outcome *ret_outcome, void *ret_key)
{
	struct rill_await aw;

	rill_group_await_init(&aw, g, ret_outcome, ret_key);
	return group_try(&aw);
}

int rill_group_join_all(struct rill_group *g, void (*each)(void *, const struct rill_outcome *),
			void *user, struct rill_outcome *ret_failed)
{
	struct rill_outcome o;
	int r;

	while ((r = rill_group_join_next(g, &o, NULL)) == 0) {
		if (o.status != 0) {
			rill_group_abort_all(g);
			if (ret_failed)
				*ret_failed = o;
			return o.status;
		}
		if (each)
			each(user, &o);
	}
	return r == -ENOENT ? 0 : r;
}

int rill_group_shutdown(struct rill_group *g)
{
	struct rill_outcome o;
	int r;

	rill_group_abort_all(g);
	do {
		r = rill_group_join_next(g, &o, NULL);
	} while (r == 0);
	return r == -ENOENT ? 0 : r;
}
