/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Waiting for the first of several things. Every blocking call of rill is a select of one case;
 * this is the same with up to 64. A case is prepared by a rill_case_*() function of the thing's own
 * header.
 */
#ifndef RILL_SELECT_H
#define RILL_SELECT_H

#include <rill/base.h>

RILL_BEGIN_DECLS

#define RILL_SELECT_MAX 64

/* The caller's memory, prepared anew for each select. */
struct rill_case {
	void *opaque[14];
	int result; /* of the case that was chosen: what the blocking call would have returned */
};

enum rill_select_flags {
	RILL_SELECT_BIASED = 1,	     /* look at the cases in order instead of from a random start */
	RILL_SELECT_NONBLOCKING = 2, /* -EAGAIN instead of waiting */
};

/*
 * Returns the index of the case that completed; its result is in cases[i].result. The others had no
 * effect. -ECANCELED, -ETIMEDOUT from the caller's scopes; -EINVAL for n of 0 or above
 * RILL_SELECT_MAX.
 */
RILL_API int rill_select(struct rill_case *cases, unsigned n, unsigned flags);

RILL_API void rill_case_sleep_until(struct rill_case *c, uint64_t deadline_ns);

RILL_END_DECLS

#endif
