/* SPDX-License-Identifier: BSD-3-Clause */
/* A cancellation token: cancelled once, for ever, from anywhere; shared by any number of scopes. */
#ifndef RILL_TOKEN_H
#define RILL_TOKEN_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_token;

RILL_API int rill_token_create(struct rill_token **ret_token);
/* No scope may hold it any more, and no cancel may begin; one that has been seen may be on its way
 * out. */
RILL_API void rill_token_destroy(struct rill_token *token);
RILL_API void rill_token_cancel(struct rill_token *token);
RILL_API bool rill_token_is_cancelled(const struct rill_token *token);

RILL_END_DECLS

#endif
