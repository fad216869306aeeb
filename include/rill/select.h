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

/*
 * The caller's memory. May be used for one select after the other, without being prepared again, as
 * long as all that it points to is there. It then waits for the same once more: what stays true (a
 * token's cancel, a point in time, a notify_all or the end of a tracker since the preparation) is
 * chosen again. The same thing may be in several cases of a select, unless its header says that it
 * is waited for by one at a time.
 */
struct rill_case {
	void *opaque[14];
	int result; /* of the case that was chosen: what the blocking call would have returned */
};

enum rill_select_flags {
	RILL_SELECT_BIASED = 1,	     /* in order, instead of from a random start; cheaper */
	RILL_SELECT_NONBLOCKING = 2, /* -EAGAIN instead of waiting */
};

/*
 * Waits for one of the n cases, of any kinds. Returns the index of the one that completed; its
 * result is in cases[i].result. The others had no effect: nothing was taken, a place in a queue is
 * lost (but of what is made to keep it), and what was handed over meanwhile has gone on to the next
 * waiter. Looks from a random start, so that none that is ready is left out for long. One unit of
 * budget. -ECANCELED, -ETIMEDOUT from the caller's scopes: none had an effect. -EINVAL for n of 0
 * or above RILL_SELECT_MAX. From tasks and plain threads.
 */
RILL_API int rill_select(struct rill_case *cases, unsigned n, unsigned flags);

RILL_API void rill_case_sleep_until(struct rill_case *c, uint64_t deadline_ns);

RILL_END_DECLS

#endif
