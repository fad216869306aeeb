/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A fair counting semaphore. Strictly first come, first served: a queued big request blocks smaller
 * ones behind it. Free permits are set aside for the longest waiter until he has all he asked for,
 * so nothing is available while somebody waits. What is written before a release is seen after the
 * acquire that it makes possible. Zero bytes are not a valid semaphore: init it.
 */
#ifndef RILL_SEMAPHORE_H
#define RILL_SEMAPHORE_H

#include <errno.h>
#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_case;
struct rill_lock_stats;

/* Permits that are available at a time, and that one may ask for. */
#define RILL_SEMAPHORE_MAX (SIZE_MAX >> 4)

struct rill_semaphore {
	uint64_t opaque[5];
};

/* -EINVAL: above RILL_SEMAPHORE_MAX. */
RILL_API int rill_semaphore_init(struct rill_semaphore *s, size_t permits);
/*
 * Takes n permits: 0, or -EPIPE when it is or gets closed; -EINVAL above RILL_SEMAPHORE_MAX. None
 * are had at once, with no look at who waits. Cancel safe: loses the place in the queue; what was
 * set aside goes to the next ones.
 */
RILL_API int rill_semaphore_acquire(struct rill_semaphore *s, size_t n);
/* Never waits: -EAGAIN when there are fewer, or others wait. Else the same. */
RILL_API int rill_semaphore_try_acquire(struct rill_semaphore *s, size_t n);
/*
 * Gives n permits back, or adds new ones; to a closed semaphore, too. By anybody. Having more than
 * RILL_SEMAPHORE_MAX available is a failed assertion.
 */
RILL_API void rill_semaphore_release(struct rill_semaphore *s, size_t n);
/* Takes up to n available permits away for good; how many. Neither waits nor looks at closed. */
RILL_API size_t rill_semaphore_forget(struct rill_semaphore *s, size_t n);
/* Of this moment; also of a closed one, where they can't be acquired. */
RILL_API size_t rill_semaphore_available(const struct rill_semaphore *s);
/* All who wait, and all later acquires, get -EPIPE. Held permits stay valid. Idempotent. */
RILL_API void rill_semaphore_close(struct rill_semaphore *s);
RILL_API bool rill_semaphore_is_closed(const struct rill_semaphore *s);
RILL_API void rill_case_semaphore_acquire(struct rill_case *c, struct rill_semaphore *s, size_t n);
/* As rill_mutex_measure(). A release is matched with what its task acquired last. */
RILL_API void rill_semaphore_measure(struct rill_semaphore *s, struct rill_lock_stats *stats);

/* ---- permits as values ---- */

/* Acquired permits, for code that hands them around. Whoever has the value owns them. */
struct rill_permits {
	struct rill_semaphore *sem;
	size_t count;
};

/* As rill_semaphore_acquire(). */
static inline int rill_permits_acquire(struct rill_semaphore *s, size_t n,
				       struct rill_permits *ret_permits)
{
	int r = rill_semaphore_acquire(s, n);

	if (r < 0)
		return r;
	ret_permits->sem = s;
	ret_permits->count = n;
	return 0;
}

static inline int rill_permits_try_acquire(struct rill_semaphore *s, size_t n,
					   struct rill_permits *ret_permits)
{
	int r = rill_semaphore_try_acquire(s, n);

	if (r < 0)
		return r;
	ret_permits->sem = s;
	ret_permits->count = n;
	return 0;
}

/* Moves n of them, 0 perhaps, into a new value, which is not p. -EINVAL: there are fewer. */
static inline int rill_permits_split(struct rill_permits *p, size_t n,
				     struct rill_permits *ret_permits)
{
	if (n > p->count)
		return -EINVAL;
	p->count -= n;
	ret_permits->sem = p->sem;
	ret_permits->count = n;
	return 0;
}

/* Moves all of from into p. -EINVAL: they are of another semaphore. */
static inline int rill_permits_merge(struct rill_permits *p, struct rill_permits *from)
{
	if (p->sem != from->sem)
		return -EINVAL;
	size_t n = from->count;

	from->count = 0;
	p->count += n;
	return 0;
}

/* Never to be given back: the semaphore has so many fewer for good. */
static inline void rill_permits_forget(struct rill_permits *p)
{
	p->count = 0;
}

/* Gives them all back; nothing is left to give back then. */
static inline void rill_permits_release(struct rill_permits *p)
{
	size_t n = p->count;

	p->count = 0;
	if (n > 0)
		rill_semaphore_release(p->sem, n);
}

/* ---- an acquire in several steps ---- */

/*
 * A request that keeps its place in the queue, and what was set aside for it, between calls, of
 * which one at a time may be under way. The amount may be another one each time: asking for more
 * waits in the same place, what is more than asked for goes on to the next ones. When a call has
 * returned 0 the permits are the caller's, and the next call is a new request.
 */
struct rill_acquiring {
	uint64_t opaque[12];
};

/* No place is taken yet. */
RILL_API void rill_acquiring_begin(struct rill_acquiring *a, struct rill_semaphore *s);
/* 0: acquired. -EAGAIN: not yet, and it is queued. -EPIPE: closed; -EINVAL. */
RILL_API int rill_acquiring_poll(struct rill_acquiring *a, size_t n);
/* The same, but waits. Cancel safe: the place is kept, until poll, wait or end. */
RILL_API int rill_acquiring_wait(struct rill_acquiring *a, size_t n);
/* As wait. A case that is not chosen leaves the request queued. */
RILL_API void rill_case_acquiring(struct rill_case *c, struct rill_acquiring *a, size_t n);
/* Gives up the place; what was set aside goes to the next ones. Idempotent. */
RILL_API void rill_acquiring_end(struct rill_acquiring *a);

RILL_END_DECLS

#endif
