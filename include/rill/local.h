/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Task locals: values that every function below a certain call can ask for, without being handed
 * them. They belong to the task, whichever thread it is on. A plain thread has its own, also one of
 * the blocking pool.
 */
#ifndef RILL_LOCAL_H
#define RILL_LOCAL_H

#include <rill/base.h>

RILL_BEGIN_DECLS

/*
 * A key is its own address: a static const one of the user's, which outlives every scope.
 *
 *	static const struct rill_local_key request = {RILL_OPTIONS(request), .name = "request"};
 */
struct rill_local_key {
	size_t size;	  /* sizeof, by RILL_OPTIONS */
	const char *name; /* for people */
	/* Tasks begin with the value that their spawner has, if that is a task of the same runtime.
	 */
	bool inherit;
	/*
	 * Of an inherited value, on the spawner: makes the child's own. 0, or negative: the spawn
	 * fails with -ENOMEM. NULL: the pointer itself is handed down. May not wait.
	 */
	int (*copy)(void *value, void **ret_copy);
	/* Of what copy made, when the child has ended. On a worker, in no task; may not wait. */
	void (*destroy)(void *copy);
};

/* A binding of a value to a key. Lies on the caller's stack, paired in the same function. */
struct rill_local_scope {
	struct rill_local_scope *parent;
	const struct rill_local_key *key;
	void *value;
	void *opaque;
};

/*
 * Between the two, rill_local_get(key) is value for the caller and all that it calls. Nested ones
 * of the same key shadow, and restore. rill_exit() and rill_fail() end all of them, after the
 * clean-up handlers, which still see them.
 */
RILL_API void rill_local_begin(struct rill_local_scope *scope, const struct rill_local_key *key,
			       void *value);
RILL_API void rill_local_end(struct rill_local_scope *scope);

/* The value, or NULL when there is none. */
RILL_API void *rill_local_get(const struct rill_local_key *key);
/* 0, or -ENOENT when there is none: tells that from a value of NULL. */
RILL_API int rill_local_find(const struct rill_local_key *key, void **ret_value);

RILL_END_DECLS

#endif
