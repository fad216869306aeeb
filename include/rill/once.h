/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values that are set once: rill_once_cell, by whoever needs it first, and rill_set_once, which is
 * waited for. Both hold a pointer, whose target is the user's affair, and have no lock in get. Zero
 * bytes are an empty one, so static ones need no init.
 */
#ifndef RILL_ONCE_H
#define RILL_ONCE_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_case;

struct rill_once_cell {
	uint64_t opaque[5];
};

RILL_API void rill_once_cell_init(struct rill_once_cell *cell);
/* NULL while it is not set. */
RILL_API void *rill_once_cell_get(const struct rill_once_cell *cell);
RILL_API bool rill_once_cell_is_set(const struct rill_once_cell *cell);
/* 0, -EEXIST: it is set, or -EBUSY: somebody is about to. */
RILL_API int rill_once_cell_set(struct rill_once_cell *cell, void *value);
/*
 * 0 with the value in *ret_value. An empty cell is set to what fn puts into *ret_value; others wait
 * meanwhile. fn may block. If it returns an error, which is passed on, or ends its task by
 * rill_exit() or rill_fail(), the longest waiter calls its own. -EDEADLK when fn asks for the same
 * cell. -ECANCELED, -ETIMEDOUT while waiting. Cancel safe as far as fn is.
 */
RILL_API int rill_once_cell_get_or_init(struct rill_once_cell *cell,
					int (*fn)(void *arg, void **ret_value), void *arg,
					void **ret_value);
/* Empties it: what it held, NULL if nothing. For the only user: no one must be in get, say. */
RILL_API void *rill_once_cell_take(struct rill_once_cell *cell);

struct rill_set_once {
	uint64_t opaque[4];
};

RILL_API void rill_set_once_init(struct rill_set_once *s);
/* 0 for exactly one of all calls, else -EEXIST. */
RILL_API int rill_set_once_set(struct rill_set_once *s, void *value);
/* NULL while it is not set. */
RILL_API void *rill_set_once_get(const struct rill_set_once *s);
RILL_API bool rill_set_once_is_set(const struct rill_set_once *s);
/* 0 with the value in *ret_value (may be NULL) as soon as it is set. Cancel safe. */
RILL_API int rill_set_once_wait(struct rill_set_once *s, void **ret_value);
RILL_API void rill_case_set_once(struct rill_case *c, struct rill_set_once *s, void **ret_value);

RILL_END_DECLS

#endif
