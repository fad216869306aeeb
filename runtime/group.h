/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What join sets, maps, queues and nurseries are made of: a list of tasks that run, a list of those
 * that have ended, and a queue of those who wait for them. It needs no memory but the tasks' own,
 * for a task is on the lists by its owner_link.
 *
 * A task may end before its spawner has put it on a list. It is marked then, and the spawner goes
 * on as if the end had come later. So an owner_link is one of:
 *
 *   {NULL, NULL}	spawned just now; or the task has no owner, and so it is given back
 *   {NULL, early}	has ended, and its spawner does not know it yet
 *   {NULL, let_go}	of no interest any more: its end frees it
 *   linked		on a list
 *
 * A group that has been closed is freed by the last task to touch it.
 */
#ifndef RILL_RUNTIME_GROUP_H
#define RILL_RUNTIME_GROUP_H

#include "base/spinlock.h"
#include "runtime/await.h"
#include "runtime/task.h"

struct rill_group;

/* What the kinds of groups do differently. All but free under the group's lock. */
struct rill_group_ops {
	/* t, on the running list, has ended. True: it is off the list, and nobody will join it. */
	bool (*ended)(struct rill_group *g, struct rill_task *t, struct rill_wake_batch *batch);
	/* The next to be joined, still on its list; NULL: none yet. */
	struct rill_task *(*ready)(struct rill_group *g);
	/* t is no longer one of the group's. May be NULL. */
	void (*left)(struct rill_group *g, struct rill_task *t);
	/* t goes: to aw, or unseen (NULL; the group may be gone by then). May be NULL. */
	void (*free)(struct rill_task *t, struct rill_await *aw);
};

struct rill_group {
	struct rill_task_owner owner; /* of tasks that have none of their own */
	const struct rill_group_ops *ops;
	struct rill_spinlock lock; /* of all below; len may be read without */
	bool closed;		   /* destroyed by its user */
	bool aborting;		   /* takes no more tasks */
	RILL_ATOMIC(size_t) len;   /* of both lists, and spawns under way */
	size_t users;		   /* tasks that have not told their end, and spawns under way */
	struct rill_list running;
	struct rill_list done;
	struct rill_list waiters; /* armed, the longest first */
};

struct rill_group_spawn {
	const struct rill_spawn_options *o;
	const void *site;
	void *(*fn)(void *);
	void *arg;
	bool blocking;
};

void rill_group_init(struct rill_group *g, const struct rill_group_ops *ops);
/* For ops: the order of ends. */
bool rill_group_ended_push(struct rill_group *g, struct rill_task *t,
			   struct rill_wake_batch *batch);
struct rill_task *rill_group_ready_first(struct rill_group *g);

/* Spawns with the group's owner. ret_handle may be NULL. */
int rill_group_spawn(struct rill_group *g, const struct rill_group_spawn *s,
		     struct rill_abort_handle *ret_handle);
/* The same in two steps, for groups whose tasks have owners of their own. The task is in no list
 * until rill_group_place_locked(), which says true when it is to be given to rill_group_forget().
 */
int rill_group_begin(struct rill_group *g, const struct rill_group_spawn *s,
		     struct rill_task_owner *owner, struct rill_task **ret_task);
bool rill_group_place_locked(struct rill_group *g, struct rill_task *t,
			     struct rill_wake_batch *batch);

/* For struct rill_task_owner.ended. */
void rill_group_task_ended(struct rill_group *g, struct rill_task *t);

/* True when it had told its end: rill_group_forget() it, without the lock. */
bool rill_group_let_go_locked(struct rill_group *g, struct rill_task *t, bool told);
void rill_group_forget(const struct rill_group_ops *ops, struct rill_task *t);
void rill_group_abort_locked(struct rill_task *t, struct rill_wake_batch *batch);
/* Wakes whom the state of the group concerns. After every change. */
void rill_group_settle_locked(struct rill_group *g, struct rill_wake_batch *batch);

/* Prepares a wait for the next task: 0, or -ENOENT when there is none left. */
void rill_group_await_init(struct rill_await *aw, struct rill_group *g,
			   struct rill_outcome *ret_outcome, void *ret_key);
int rill_group_join_next(struct rill_group *g, struct rill_outcome *ret_outcome, void *ret_key);
int rill_group_try_join_next(struct rill_group *g, struct rill_outcome *ret_outcome, void *ret_key);
int rill_group_join_all(struct rill_group *g, void (*each)(void *, const struct rill_outcome *),
			void *user, struct rill_outcome *ret_failed);
int rill_group_shutdown(struct rill_group *g);
void rill_group_abort_all(struct rill_group *g);
void rill_group_detach_all(struct rill_group *g);
/* Aborts and lets go; then the group, the first member of what malloc gave, is freed. */
void rill_group_destroy(struct rill_group *g);

static inline size_t rill_group_len(const struct rill_group *g)
{
	return rill_load_relaxed(&g->len);
}

#endif
