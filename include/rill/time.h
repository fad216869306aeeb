/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Time: one monotonic nanosecond clock, sleeping, time limits, intervals, a queue of things that
 * come due, and the paused clock of tests. Nothing here fires early.
 *
 * A deadline (of a scope, or of rill_timeout()) against a call that could complete: a call that
 * begins after the deadline fails with -ETIMEDOUT without trying, so that a loop of calls which
 * all have something to do ends in time; a call that waits and finds both, the thing and the
 * deadline, takes the thing. "After" is meant by the worker's clock of this turn, which may be
 * behind by a slice: a deadline never comes early.
 */
#ifndef RILL_TIME_H
#define RILL_TIME_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_case;

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

/*
 * Calls fn(arg) in a scope with the deadline: what blocks in it returns -ETIMEDOUT from then on.
 * Returns what fn returned, be it late or not; fn is always called. Nothing is unwound: fn passes
 * the error on. Callable from tasks and plain threads.
 */
RILL_API int rill_timeout(uint64_t dur_ns, int (*fn)(void *), void *arg);
RILL_API int rill_timeout_at(uint64_t deadline_ns, int (*fn)(void *), void *arg);

/* ---- intervals ---- */

/* What an interval does after a tick that came more than 5 ms late (Tokio's MissedTickBehavior). */
enum rill_missed_tick {
	RILL_MISSED_BURST, /* catch up: next = scheduled + period */
	RILL_MISSED_DELAY, /* start again: next = now + period */
	RILL_MISSED_SKIP,  /* stay on the grid, leave out what was missed */
};

/* The caller's memory; init before use, no end needed. Used by one task at a time. */
struct rill_interval {
	uint64_t next_ns; /* when the next tick is due */
	uint64_t period_ns;
	enum rill_missed_tick missed; /* may be changed at any time */
};

/* First tick at once, or at start_ns (which may be past). -EINVAL when period_ns is 0. */
RILL_API int rill_interval_init(struct rill_interval *iv, uint64_t period_ns,
				enum rill_missed_tick missed);
RILL_API int rill_interval_init_at(struct rill_interval *iv, uint64_t start_ns, uint64_t period_ns,
				   enum rill_missed_tick missed);

/* Waits for the next tick; *ret_scheduled (may be NULL) is when it was due. Cancel safe. */
RILL_API int rill_interval_tick(struct rill_interval *iv, uint64_t *ret_scheduled);
RILL_API void rill_case_interval_tick(struct rill_case *c, struct rill_interval *iv,
				      uint64_t *ret_scheduled);

/* Puts the next tick elsewhere: one period from now, now, after dur_ns, at deadline_ns. Those that
 * follow count from there. */
RILL_API void rill_interval_reset(struct rill_interval *iv);
RILL_API void rill_interval_reset_immediately(struct rill_interval *iv);
RILL_API void rill_interval_reset_after(struct rill_interval *iv, uint64_t dur_ns);
RILL_API void rill_interval_reset_at(struct rill_interval *iv, uint64_t deadline_ns);
RILL_API uint64_t rill_interval_period(const struct rill_interval *iv);
RILL_API void rill_interval_set_missed(struct rill_interval *iv, enum rill_missed_tick missed);

/* ---- delay queue ---- */

/*
 * Values with deadlines, handed out as they come due: never early, at most about a microsecond
 * late, those due within the same microsecond in no particular order. Insert, remove and reset take
 * constant time, whatever the length. Any task or thread may call any of it at any time; all
 * callers share one clock (a runtime with a paused clock shares its queue with nobody outside). The
 * values are the caller's.
 */
struct rill_delay_queue;

/* Names an item until that is removed, expires or is cleared; a stale one is recognised. All 0:
 * names nothing. */
struct rill_delay_key {
	uint32_t index;
	uint32_t generation;
};

struct rill_expired {
	void *value;
	uint64_t deadline_ns;
	struct rill_delay_key key; /* as it was; names nothing any more, except after peek */
};

/* With memory for capacity items (0: none yet). -ENOMEM. */
RILL_API int rill_delay_queue_create(size_t capacity, struct rill_delay_queue **ret_q);
/* Nobody may be waiting. NULL is fine. */
RILL_API void rill_delay_queue_destroy(struct rill_delay_queue *q);

/* A deadline in the past is due at once. -ENOMEM only when the capacity is used up. */
RILL_API int rill_delay_queue_insert(struct rill_delay_queue *q, void *value, uint64_t dur_ns,
				     struct rill_delay_key *ret_key);
RILL_API int rill_delay_queue_insert_at(struct rill_delay_queue *q, void *value,
					uint64_t deadline_ns, struct rill_delay_key *ret_key);

/* Takes an item out, due or not; *ret_item may be NULL. -ENOENT: no such item any more. */
RILL_API int rill_delay_queue_remove(struct rill_delay_queue *q, struct rill_delay_key key,
				     struct rill_expired *ret_item);
/* Gives an item another deadline; its key stays. -ENOENT: no such item any more. */
RILL_API int rill_delay_queue_reset(struct rill_delay_queue *q, struct rill_delay_key key,
				    uint64_t dur_ns);
RILL_API int rill_delay_queue_reset_at(struct rill_delay_queue *q, struct rill_delay_key key,
				       uint64_t deadline_ns);
/* -ENOENT: no such item any more. */
RILL_API int rill_delay_queue_deadline(struct rill_delay_queue *q, struct rill_delay_key key,
				       uint64_t *ret_deadline_ns);

/*
 * The item that comes due first, left in the queue. Looks at all items of a time span that is the
 * longer, the farther away it is. -ENOENT: empty.
 */
RILL_API int rill_delay_queue_peek(struct rill_delay_queue *q, struct rill_expired *ret_item);

enum rill_delay_flags {
	RILL_DELAY_STAY = 1, /* wait for items, too: an empty queue is no end */
};

/*
 * Waits until an item is due and takes it out. -ENOENT: the queue is empty, or has become so,
 * unless flags say STAY. -ECANCELED, -ETIMEDOUT from the scopes. Cancel safe. Any number of tasks
 * may wait; each item goes to one.
 */
RILL_API int rill_delay_queue_next(struct rill_delay_queue *q, unsigned flags,
				   struct rill_expired *ret_item);
RILL_API void rill_case_delay_queue_next(struct rill_case *c, struct rill_delay_queue *q,
					 unsigned flags, struct rill_expired *ret_item);
/* -EAGAIN: nothing is due yet; -ENOENT: empty. */
RILL_API int rill_delay_queue_try_next(struct rill_delay_queue *q, struct rill_expired *ret_item);

RILL_API size_t rill_delay_queue_len(const struct rill_delay_queue *q);
/*
 * Takes out all items that were in the queue when it was called, each given to fn (may be NULL)
 * outside the queue's lock, in no particular order. What others insert meanwhile may go, too.
 */
RILL_API void rill_delay_queue_clear(struct rill_delay_queue *q,
				     void (*fn)(void *arg, const struct rill_expired *item),
				     void *arg);
/* Memory for so many more items: these inserts allocate nothing. -ENOMEM. */
RILL_API int rill_delay_queue_reserve(struct rill_delay_queue *q, size_t additional);
RILL_API size_t rill_delay_queue_capacity(struct rill_delay_queue *q);

/* ---- the paused clock ---- */

/*
 * For tests, from a task of a CURRENT_THREAD runtime that sleeps when idle (another one, or a plain
 * thread: -EOPNOTSUPP). A paused clock stands still while a task runs. When there is nothing left
 * to run it jumps to the next timer or deadline of a poller, unless a blocking call is under way or
 * something has woken the worker. struct rill_runtime_options.start_paused does the same from the
 * start.
 */

/* -EBUSY: it is paused already. */
RILL_API int rill_clock_pause(void);
/* Runs on from where it stands: rill_now() never goes back. -EINVAL: it is not paused. */
RILL_API int rill_clock_resume(void);
/*
 * Jumps forward at once, makes runnable whoever waits for a time until then, and yields once: it
 * does not wait until they have done their work. -EINVAL: not paused; -ECANCELED/-ETIMEDOUT from
 * the scope: the clock has moved all the same.
 */
RILL_API int rill_clock_advance(uint64_t dur_ns);

RILL_END_DECLS

#endif
