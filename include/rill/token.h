/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A cancellation token: cancelled once, for ever, from anywhere; shared by any number of scopes
 * (rill/task.h), waits and owners. Tokens form trees: a cancel reaches all that descends from the
 * token, and never what is above or beside it.
 */
#ifndef RILL_TOKEN_H
#define RILL_TOKEN_H

#include <rill/base.h>
#include <rill/task.h>

RILL_BEGIN_DECLS

struct rill_case;
struct rill_token;

/* The caller owns one reference. -ENOMEM. */
RILL_API int rill_token_create(struct rill_token **ret_token);
/* As rill_token_create(); cancelled with its parent, at once if that is cancelled already. The two
 * do not keep each other: the children of a parent that goes become its own parent's. */
RILL_API int rill_token_child(struct rill_token *parent, struct rill_token **ret_token);

/* One more owner. Returns token. */
RILL_API struct rill_token *rill_token_ref(struct rill_token *token);
/*
 * One owner less; the last one frees it, when nobody waits for it and no scope has it. Also once
 * the caller has seen the cancel of somebody who is no owner and may be on his way out. NULL is
 * fine.
 */
RILL_API void rill_token_unref(struct rill_token *token);

/*
 * Cancels the token and all that descend from it, one after the other: on return all are, and
 * whoever waits has been woken. Any thread, any number of times.
 */
RILL_API void rill_token_cancel(struct rill_token *token);
/* What the canceller did before is visible when true. */
RILL_API bool rill_token_is_cancelled(const struct rill_token *token);

/* Waits for the cancel: 0. -ECANCELED and -ETIMEDOUT are of the caller's own scopes. Cancel safe.
 */
RILL_API int rill_token_wait(struct rill_token *token);
RILL_API void rill_case_token(struct rill_case *c, struct rill_token *token);

/*
 * Calls fn(arg) in a scope with the token, so that what blocks in it returns -ECANCELED once the
 * token is cancelled. 0 with what fn returned in *ret_result; -ECANCELED when it was cancelled
 * before, and fn was not called.
 */
RILL_API int rill_token_run_until_cancelled(struct rill_token *token, int (*fn)(void *), void *arg,
					    int *ret_result);

/*
 * Cancels a token at the end of a part of a function, also when the task leaves that by rill_exit()
 * or rill_fail(). Lies on the caller's stack; begin and end pair up as clean-up handlers do. Holds
 * a reference of its own.
 */
struct rill_token_guard {
	struct rill_cleanup cleanup;
	struct rill_token *token;
	bool armed;
};
RILL_API void rill_token_guard_begin(struct rill_token_guard *guard, struct rill_token *token);
/* From now on the end does not cancel. */
RILL_API void rill_token_guard_disarm(struct rill_token_guard *guard);
RILL_API void rill_token_guard_end(struct rill_token_guard *guard);

RILL_END_DECLS

#endif
