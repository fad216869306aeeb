/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many tasks at once. A join set, map or queue gives their outcomes one by one; a tracker tells
 * when all are gone; a nursery keeps them inside a block of the caller's code. All may be used by
 * several tasks and plain threads at a time, which for spawning name a runtime in the options. What
 * has not been joined must be, or the set destroyed, before the runtime is destroyed.
 */
#ifndef RILL_GROUP_H
#define RILL_GROUP_H

#include <rill/base.h>
#include <rill/task.h>

RILL_BEGIN_DECLS

struct rill_case;

/*
 * "task 7 (name) was aborted", "... failed: reason", "... ended". As snprintf(): the length of all
 * of it, len bytes at most being written, the 0 included.
 */
RILL_API int rill_outcome_print(const struct rill_outcome *o, char *buf, size_t len);

/* ---- join set: outcomes in the order in which the tasks end ---- */

struct rill_join_set;

RILL_API int rill_join_set_create(struct rill_join_set **ret_set);
/*
 * Aborts every task and lets it go, without waiting: for tasks that use none of the caller's
 * memory. For others rill_join_set_shutdown() comes first. Nobody else may use the set by now.
 * NULL: nothing.
 */
RILL_API void rill_join_set_destroy(struct rill_join_set *set);

/* As rill_spawn(), rill_spawn_with(), rill_spawn_blocking(). *ret_handle may abort the one task,
 * and ret_handle may be NULL. */
RILL_API int rill_join_set_spawn(struct rill_join_set *set, void *(*fn)(void *), void *arg);
RILL_API int rill_join_set_spawn_with(struct rill_join_set *set, const struct rill_spawn_options *o,
				      void *(*fn)(void *), void *arg,
				      struct rill_abort_handle *ret_handle);
RILL_API int rill_join_set_spawn_blocking(struct rill_join_set *set,
					  const struct rill_spawn_options *o, void *(*fn)(void *),
					  void *arg, struct rill_abort_handle *ret_handle);

/*
 * Waits until one task has ended, and takes it out: 0 with its outcome (aborted and failed ones
 * too), -ENOENT when the set is empty. -ECANCELED, -ETIMEDOUT: nothing was taken out.
 */
RILL_API int rill_join_set_join_next(struct rill_join_set *set, struct rill_outcome *ret_outcome);
/* -EAGAIN instead of waiting. */
RILL_API int rill_join_set_try_join_next(struct rill_join_set *set,
					 struct rill_outcome *ret_outcome);
RILL_API void rill_case_join_set(struct rill_case *c, struct rill_join_set *set,
				 struct rill_outcome *ret_outcome);

/* Tasks in the set: those that run, and those that have ended and were not joined. */
RILL_API size_t rill_join_set_len(const struct rill_join_set *set);
RILL_API bool rill_join_set_is_empty(const struct rill_join_set *set);

/* Aborts all; their outcomes are still to be joined. */
RILL_API void rill_join_set_abort_all(struct rill_join_set *set);
/* Empties the set; the tasks run on. */
RILL_API void rill_join_set_detach_all(struct rill_join_set *set);
/*
 * Aborts all, and joins until the set is empty, whatever the outcomes. 0, or -ECANCELED, -ETIMEDOUT
 * with the rest still in the set: may be called again.
 */
RILL_API int rill_join_set_shutdown(struct rill_join_set *set);

/*
 * Joins until the set is empty, and calls each (may be NULL) with every outcome of status 0. The
 * first task that was aborted or failed ends it: the others are aborted (and stay in the set), its
 * status is returned and *ret_failed (may be NULL) is its outcome. Else 0, or -ECANCELED,
 * -ETIMEDOUT with the rest in the set, not aborted.
 */
RILL_API int rill_join_set_join_all(struct rill_join_set *set,
				    void (*each)(void *user, const struct rill_outcome *o),
				    void *user, struct rill_outcome *ret_failed);

/* ---- join queue: outcomes in the order in which the tasks were spawned ---- */

struct rill_join_queue;

/* All as with the set. */
RILL_API int rill_join_queue_create(struct rill_join_queue **ret_queue);
RILL_API void rill_join_queue_destroy(struct rill_join_queue *queue);
RILL_API int rill_join_queue_spawn(struct rill_join_queue *queue, void *(*fn)(void *), void *arg);
RILL_API int rill_join_queue_spawn_with(struct rill_join_queue *queue,
					const struct rill_spawn_options *o, void *(*fn)(void *),
					void *arg, struct rill_abort_handle *ret_handle);
RILL_API int rill_join_queue_spawn_blocking(struct rill_join_queue *queue,
					    const struct rill_spawn_options *o, void *(*fn)(void *),
					    void *arg, struct rill_abort_handle *ret_handle);
/* The oldest task, even when younger ones have ended long ago. */
RILL_API int rill_join_queue_join_next(struct rill_join_queue *queue,
				       struct rill_outcome *ret_outcome);
RILL_API int rill_join_queue_try_join_next(struct rill_join_queue *queue,
					   struct rill_outcome *ret_outcome);
RILL_API void rill_case_join_queue(struct rill_case *c, struct rill_join_queue *queue,
				   struct rill_outcome *ret_outcome);
RILL_API size_t rill_join_queue_len(const struct rill_join_queue *queue);
RILL_API bool rill_join_queue_is_empty(const struct rill_join_queue *queue);
RILL_API void rill_join_queue_abort_all(struct rill_join_queue *queue);
RILL_API void rill_join_queue_detach_all(struct rill_join_queue *queue);
RILL_API int rill_join_queue_shutdown(struct rill_join_queue *queue);
RILL_API int rill_join_queue_join_all(struct rill_join_queue *queue,
				      void (*each)(void *user, const struct rill_outcome *o),
				      void *user, struct rill_outcome *ret_failed);

/* ---- join map: a join set whose tasks have keys ---- */

struct rill_join_map;

#define RILL_JOIN_MAP_KEY_MAX 256 /* bytes */

/* Keys are key_size bytes each, copied, and compared as bytes: no padding in them. -EINVAL for 0
 * and above RILL_JOIN_MAP_KEY_MAX. */
RILL_API int rill_join_map_create(size_t key_size, struct rill_join_map **ret_map);
RILL_API void rill_join_map_destroy(struct rill_join_map *map);
/* A task that has the key already is aborted and let go: nobody will hear of it. */
RILL_API int rill_join_map_spawn(struct rill_join_map *map, const void *key, void *(*fn)(void *),
				 void *arg);
RILL_API int rill_join_map_spawn_with(struct rill_join_map *map, const void *key,
				      const struct rill_spawn_options *o, void *(*fn)(void *),
				      void *arg, struct rill_abort_handle *ret_handle);
RILL_API int rill_join_map_spawn_blocking(struct rill_join_map *map, const void *key,
					  const struct rill_spawn_options *o, void *(*fn)(void *),
					  void *arg, struct rill_abort_handle *ret_handle);
/* As with the set; the key in *ret_key, which may be NULL. */
RILL_API int rill_join_map_join_next(struct rill_join_map *map, void *ret_key,
				     struct rill_outcome *ret_outcome);
RILL_API int rill_join_map_try_join_next(struct rill_join_map *map, void *ret_key,
					 struct rill_outcome *ret_outcome);
RILL_API void rill_case_join_map(struct rill_case *c, struct rill_join_map *map, void *ret_key,
				 struct rill_outcome *ret_outcome);
RILL_API size_t rill_join_map_len(const struct rill_join_map *map);
RILL_API bool rill_join_map_is_empty(const struct rill_join_map *map);
/* True while the key's task runs, or has ended and was not joined. */
RILL_API bool rill_join_map_contains(struct rill_join_map *map, const void *key);
RILL_API bool rill_join_map_contains_task(struct rill_join_map *map, uint64_t task_id);
/* Copies up to max keys into ret_keys, in no order; how many there are in all. */
RILL_API size_t rill_join_map_keys(struct rill_join_map *map, void *ret_keys, size_t max);
/* Aborts the task of the key, to be joined as any other. 0, or -ENOENT. */
RILL_API int rill_join_map_abort(struct rill_join_map *map, const void *key);
/* The same for each key that match() says true of; how many. match() may not use the map, or wait.
 */
RILL_API size_t rill_join_map_abort_matching(struct rill_join_map *map,
					     bool (*match)(void *user, const void *key),
					     void *user);
RILL_API void rill_join_map_abort_all(struct rill_join_map *map);
RILL_API void rill_join_map_detach_all(struct rill_join_map *map);
RILL_API int rill_join_map_shutdown(struct rill_join_map *map);

/* ---- task tracker: waits until all are gone, and asks for no outcome ---- */

struct rill_tracker;

RILL_API int rill_tracker_create(struct rill_tracker **ret_tracker);
/* The tasks run on. Nobody may wait any more. NULL: nothing. */
RILL_API void rill_tracker_destroy(struct rill_tracker *tracker);
/* Detached tasks that count until they have ended; closed trackers take them as well. */
RILL_API int rill_tracker_spawn(struct rill_tracker *tracker, void *(*fn)(void *), void *arg);
RILL_API int rill_tracker_spawn_with(struct rill_tracker *tracker,
				     const struct rill_spawn_options *o, void *(*fn)(void *),
				     void *arg, struct rill_abort_handle *ret_handle);
RILL_API int rill_tracker_spawn_blocking(struct rill_tracker *tracker,
					 const struct rill_spawn_options *o, void *(*fn)(void *),
					 void *arg, struct rill_abort_handle *ret_handle);
/* Counts anything else between the two. */
RILL_API void rill_tracker_begin(struct rill_tracker *tracker);
RILL_API void rill_tracker_end(struct rill_tracker *tracker);
/*
 * Waits until the tracker is closed and empty at the same time, be it for a moment. 0, -ECANCELED
 * or -ETIMEDOUT. Cancel safe.
 */
RILL_API int rill_tracker_wait(struct rill_tracker *tracker);
RILL_API void rill_case_tracker_wait(struct rill_case *c, struct rill_tracker *tracker);
/* True if it made a change. */
RILL_API bool rill_tracker_close(struct rill_tracker *tracker);
RILL_API bool rill_tracker_reopen(struct rill_tracker *tracker);
RILL_API bool rill_tracker_is_closed(const struct rill_tracker *tracker);
RILL_API size_t rill_tracker_len(const struct rill_tracker *tracker);
RILL_API bool rill_tracker_is_empty(const struct rill_tracker *tracker);

/* ---- nursery: tasks which cannot outlive a block of code ---- */

/*
 *	struct rill_nursery n;
 *
 *	rill_nursery_begin(&n, NULL);
 *	rill_nursery_spawn(&n, fn, &local);
 *	r = rill_nursery_end(&n, NULL);
 *
 * As the end waits for every child whatever happens, children may use the stack of the task that
 * began it. Lies on the caller's stack, paired in the same function; rill_exit() and rill_fail() in
 * between abort the children and wait for them as well.
 */
struct rill_nursery {
	struct rill_cleanup cleanup;
	void *opaque[48];
};

struct rill_nursery_options {
	size_t size;	       /* sizeof, by RILL_OPTIONS */
	bool abort_on_failure; /* the first child that fails has the others aborted */
	bool errors;	       /* children return (void *)(intptr_t)r, and fail if r < 0 */
};

/* o may be NULL. */
RILL_API void rill_nursery_begin(struct rill_nursery *n, const struct rill_nursery_options *o);
/* By the one who began it or a child of it. -ECANCELED when the children have been aborted. */
RILL_API int rill_nursery_spawn(struct rill_nursery *n, void *(*fn)(void *), void *arg);
RILL_API int rill_nursery_spawn_with(struct rill_nursery *n, const struct rill_spawn_options *o,
				     void *(*fn)(void *), void *arg,
				     struct rill_abort_handle *ret_handle);
RILL_API int rill_nursery_spawn_blocking(struct rill_nursery *n, const struct rill_spawn_options *o,
					 void *(*fn)(void *), void *arg,
					 struct rill_abort_handle *ret_handle);
/* Children that have not ended. */
RILL_API size_t rill_nursery_len(const struct rill_nursery *n);
/* Aborts the children; no more can be spawned. */
RILL_API void rill_nursery_abort(struct rill_nursery *n);
/*
 * Waits until every child has ended. When the caller is aborted or its scope ends, the children are
 * aborted, and still waited for. Returns what came of the first child to fail: RILL_JOIN_FAILED, or
 * the negative r (option errors), and *ret_failed (may be NULL) is its outcome; else -ECANCELED or
 * -ETIMEDOUT of the caller's scopes; else 0. Children that were aborted have not failed.
 */
RILL_API int rill_nursery_end(struct rill_nursery *n, struct rill_outcome *ret_failed);

/* ---- task guard: a handle that aborts its task when the block is left ---- */

/*
 * Lies on the caller's stack, paired in the same function. rill_exit() and rill_fail() in between
 * do as rill_task_guard_end() does. Declared with __attribute__((cleanup(rill_task_guard_end))),
 * every return does, too.
 */
struct rill_task_guard {
	struct rill_cleanup cleanup;
	struct rill_task *task;
};

/* The handle is the guard's from here on. */
RILL_API void rill_task_guard_begin(struct rill_task_guard *g, struct rill_task *task);
/* As rill_join(); if >= 0 the guard is empty. */
RILL_API int rill_task_guard_join(struct rill_task_guard *g, void **ret_value);
/* Takes the handle out (NULL when it was joined): the guard is empty. */
RILL_API struct rill_task *rill_task_guard_take(struct rill_task_guard *g);
/* Aborts the task, if there is one still, without waiting. */
RILL_API void rill_task_guard_end(struct rill_task_guard *g);

RILL_END_DECLS

#endif
