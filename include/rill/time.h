/* SPDX-License-Identifier: BSD-3-Clause */
/* Time: one monotonic nanosecond clock, sleeping and intervals. Timers never fire early. */
#ifndef RILL_TIME_H
#define RILL_TIME_H

#include <rill/base.h>

RILL_BEGIN_DECLS

/*
 * Nanoseconds on the monotonic clock. Inside a runtime with a paused clock: that clock. Callable
 * from any thread.
 */
RILL_API uint64_t rill_now(void);

/* now + dur, saturating at RILL_FOREVER. */
RILL_API uint64_t rill_after(uint64_t dur_ns);

/*
 * Sleeps. 0 when the time has come, or -ECANCELED/-ETIMEDOUT from the enclosing scope. Callable
 * from tasks and plain threads. Cancel safe.
 */
RILL_API int rill_sleep(uint64_t dur_ns);
RILL_API int rill_sleep_until(uint64_t deadline_ns);

/* What an interval does after a tick that came more than 5 ms late (Tokio's MissedTickBehavior). */
enum rill_missed_tick {
	RILL_MISSED_BURST, /* catch up: next = scheduled + period */
	RILL_MISSED_DELAY, /* start again: next = now + period */
	RILL_MISSED_SKIP,  /* stay on the grid, leave out what was missed */
};

/* The caller's memory; init before use. One task at a time may tick it. */
struct rill_interval {
	uint64_t next_ns;
	uint64_t period_ns;
	enum rill_missed_tick missed;
};

/* First tick at once. -EINVAL when period_ns is 0. */
RILL_API int rill_interval_init(struct rill_interval *iv, uint64_t period_ns,
				enum rill_missed_tick missed);

/* Waits for the next tick; *ret_scheduled (may be NULL) is when it was due. Cancel safe. */
RILL_API int rill_interval_tick(struct rill_interval *iv, uint64_t *ret_scheduled);

RILL_END_DECLS

#endif
