/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting: the only place in the tree that parks. */
#include "runtime/await.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "runtime/runtime.h"
#include "runtime/slice.h"
#include "runtime/scope.h"

/*
 * n awaitables, one every stride bytes. The functions over it are inlined into rill_await(), where
 * n is 1, and into rill_select().
 */
struct await_set {
	char *first;
	size_t stride;
	unsigned n;
	unsigned start; /* where to begin looking */
	bool parked;
};

static RILL_ALWAYS_INLINE struct rill_await *set_at(const struct await_set *set, unsigned i)
{
	unsigned at = set->start + i;

	if (at >= set->n)
		at -= set->n;
	return (struct rill_await *)(void *)(set->first + at * set->stride);
}

static unsigned set_index(const struct await_set *set, const struct rill_await *aw)
{
	return (unsigned)((size_t)((const char *)aw - set->first) / set->stride);
}

/* ---- parking ---- */

static int futex_wait(struct rill_waiter *self, uint32_t expected, uint64_t deadline_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(deadline_ns / 1000000000u),
		.tv_nsec = (long)(deadline_ns % 1000000000u),
	};

	/* absolute, on CLOCK_MONOTONIC */
	return (int)syscall(SYS_futex, &self->state, FUTEX_WAIT_BITSET_PRIVATE, expected,
			    deadline_ns == UINT64_MAX ? NULL : &ts, NULL, FUTEX_BITSET_MATCH_ANY);
}

static void thread_park(struct rill_waiter *self, uint64_t deadline_ns)
{
	uint32_t state = 0;

	/* acq_rel: as in rill_slice_finish() */
	if (rill_cas_acq_rel(&self->state, &state, RILL_WAITER_PARKED)) {
		for (;;) {
			/* acquire: pairs with the release in wake_all() */
			state = rill_load_acquire(&self->state);
			if (state & RILL_WAITER_GO)
				break;
			/* Claimed: the waker has us in its hands and sets GO soon. */
			uint64_t until = state & RILL_WAITER_NOTIFIED ? UINT64_MAX : deadline_ns;

			if (until != UINT64_MAX && rill_clock_mono() >= until &&
			    /* acq_rel: nobody claimed us, so we take ourselves back */
			    rill_cas_acq_rel(&self->state, &state, 0))
				return;
			futex_wait(self, state, until);
		}
	}
	/* acq_rel: pairs with rill_wake_add() */
	rill_exchange_acq_rel(&self->state, 0);
}

/* t runs on w, and on another one perhaps when it returns. */
static RILL_ALWAYS_INLINE void task_park(struct rill_worker *w, struct rill_task *t,
					 uint64_t deadline_ns, const char *what, const void *obj)
{
	rill_store_relaxed(&t->wait_obj, obj);
	rill_store_relaxed(&t->wait_what, what);
	if (RILL_UNLIKELY(deadline_ns != UINT64_MAX))
		rill_task_timer_arm(t, w, deadline_ns);
	rill_slice_leave(w, t, RILL_TASK_PARK);
	if (RILL_UNLIKELY(t->timer_worker != NULL))
		rill_task_timer_cancel(t);
	rill_store_relaxed(&t->wait_what, NULL);
}

/* For one of several things: that none of them is the one waited for, dumps must know. */
static RILL_NOINLINE void park(struct rill_waiter *self, uint64_t deadline_ns,
			       const struct await_set *set)
{
	const struct rill_await *aw = set_at(set, 0);
	bool one = set->n == 1;

	if (self->is_task)
		task_park(rill_worker_current(), rill_task_of(self), deadline_ns,
			  one ? aw->ops->what : "select", one ? aw->obj : NULL);
	else
		thread_park(self, deadline_ns);
}

/* ---- the steps of a wait ---- */

static RILL_ALWAYS_INLINE int try_all(struct await_set *set, struct rill_await **ret_aw)
{
	for (unsigned i = 0; i < set->n; i++) {
		struct rill_await *aw = set_at(set, i);
		int r = aw->ops->try(aw);

		if (r != -EAGAIN) {
			*ret_aw = aw;
			return r;
		}
	}
	return -EAGAIN;
}

/* Takes one out again after the wait. */
static RILL_ALWAYS_INLINE int disarm(struct rill_await *aw, bool take)
{
	/* Out of its queue, and whoever did that has let go of the lock before this wake. */
	if (take && RILL_LIKELY(rill_load_relaxed(&aw->granted) == RILL_GRANT_WOKE))
		return 0;
	return aw->ops->disarm ? aw->ops->disarm(aw, take) : -EAGAIN;
}

/* Takes the first n out again; the first that was handed something wins, if one may. */
static RILL_ALWAYS_INLINE int disarm_all(struct await_set *set, unsigned n, bool take,
					 struct rill_await **ret_aw)
{
	int result = -EAGAIN;

	for (unsigned i = 0; i < n; i++) {
		struct rill_await *aw = set_at(set, i);

		int r = disarm(aw, take && result == -EAGAIN);

		if (r != -EAGAIN) {
			result = r;
			*ret_aw = aw;
		}
	}
	return result;
}

/* A case may be waited for more than once. */
static RILL_ALWAYS_INLINE void begin_to_wait(struct rill_await *aw, struct rill_waiter *self)
{
	aw->waiter = self;
	rill_store_relaxed(&aw->granted, RILL_GRANT_NONE);
}

/* Arms all. A result when one completes at once, the others being disarmed then. */
static RILL_ALWAYS_INLINE int arm_all(struct await_set *set, struct rill_waiter *self,
				      uint64_t *deadline_ns, struct rill_await **ret_aw)
{
	for (unsigned i = 0; i < set->n; i++) {
		struct rill_await *aw = set_at(set, i);

		begin_to_wait(aw, self);
		*deadline_ns = RILL_MIN(*deadline_ns, aw->deadline_ns);
		int r = aw->ops->arm ? aw->ops->arm(aw) : -EAGAIN;

		if (r == -EAGAIN)
			continue;
		disarm_all(set, i, false, ret_aw);
		*ret_aw = aw;
		return r;
	}
	return -EAGAIN;
}

static void spend_budget(void)
{
	struct rill_worker *w = rill_worker_current();

	if (w && w->budget > 0)
		w->budget--;
}

/* Out of budget: everybody else first. */
static void yield_if_spent(struct rill_waiter *self)
{
	struct rill_worker *w = rill_worker_current();

	if (RILL_LIKELY(!self->is_task || w->budget > 0))
		return;
	rill_counter_add(&w->metrics.budget_yields, 1);
	rill_slice_leave(w, rill_task_of(self), RILL_TASK_YIELD);
}

/* Cheap look at the scopes with the worker's last time; before parking one a microsecond old at
 * most.
 */
static int check_scopes(struct rill_waiter *self, bool precise, uint64_t *ret_deadline_ns)
{
	struct rill_worker *w = rill_worker_current();
	uint64_t now;

	*ret_deadline_ns = UINT64_MAX;
	if (RILL_LIKELY(!self->scope && !rill_waiter_aborted(self)))
		return 0;
	if (!w)
		now = rill_clock_mono();
	else
		now = precise ? rill_worker_now(w) : w->now_ns;
	return rill_scope_check(self, now, ret_deadline_ns);
}

/* One round: arm, park, disarm. A result, or -EAGAIN to look again. */
static RILL_ALWAYS_INLINE int wait_once(struct await_set *set, struct rill_waiter *self,
					uint64_t deadline_ns, unsigned flags,
					struct rill_await **ret_aw)
{
	bool cancellable = !(flags & RILL_AWAIT_UNCANCELLABLE);
	int r = arm_all(set, self, &deadline_ns, ret_aw);

	if (r != -EAGAIN)
		return r;
	set->parked = true;
	if (!cancellable || rill_scope_arm(self))
		park(self, deadline_ns, set);
	if (cancellable)
		rill_scope_disarm(self);
	return disarm_all(set, set->n, true, ret_aw);
}

static RILL_ALWAYS_INLINE int await_set(struct await_set *set, unsigned flags,
					struct rill_await **ret_aw)
{
	struct rill_waiter *self = rill_waiter_current();
	bool cancellable = !(flags & RILL_AWAIT_UNCANCELLABLE);
	uint64_t deadline = UINT64_MAX;
	int r = 0;

	if (cancellable) {
		yield_if_spent(self);
		/* Whatever comes of it: a loop of failing calls must let others run, too. */
		spend_budget();
		r = check_scopes(self, false, &deadline);
		if (r < 0)
			return r;
	}
	bool try =
		set->n > 1 || !set_at(set, 0)->ops->arm_only || (flags & RILL_SELECT_NONBLOCKING);

	for (;;) {
		r = try ? try_all(set, ret_aw) : -EAGAIN;
		if (r != -EAGAIN)
			break;
		if (flags & RILL_SELECT_NONBLOCKING)
			return -EAGAIN;
		if (cancellable) {
			r = check_scopes(self, true, &deadline);
			if (r < 0)
				return r;
		}
		r = wait_once(set, self, deadline, flags, ret_aw);
		if (r != -EAGAIN)
			break;
	}
	return r;
}

/* The loop for all else than await_plain(). */
static RILL_NOINLINE int await_scoped(struct rill_await *aw, unsigned flags)
{
	struct await_set set = {.first = (char *)aw, .stride = sizeof(*aw), .n = 1};
	struct rill_await *done;
	int r = await_set(&set, flags, &done);

	/* An inner wait may have eaten a wake that was meant for the one around it. */
	if ((flags & RILL_AWAIT_UNCANCELLABLE) && set.parked)
		rill_waiter_renotify(rill_waiter_current());
	return r;
}

/* Arms, parks, disarms. */
static RILL_ALWAYS_INLINE int park_plain(struct rill_await *aw, struct rill_task *t)
{
	const struct rill_await_ops *ops = aw->ops;

	begin_to_wait(aw, &t->waiter);
	int r = ops->arm ? ops->arm(aw) : -EAGAIN;

	if (r != -EAGAIN)
		return r;
	task_park(rill_worker_current(), t, aw->deadline_ns, ops->what, aw->obj);
	return disarm(aw, true);
}

/* The same loop for an unhindered task, as nearly all are: only an abort ends it. */
static RILL_ALWAYS_INLINE int await_plain(struct rill_await *aw, struct rill_task *t)
{
	for (;;) {
		int r = aw->ops->arm_only ? -EAGAIN : aw->ops->try(aw);

		if (r == -EAGAIN)
			r = park_plain(aw, t);
		if (r != -EAGAIN)
			return r;
		if (RILL_UNLIKELY(rill_task_aborted(t))) {
			t->abort_seen = true;
			return -ECANCELED;
		}
	}
}

int rill_await(struct rill_await *aw, unsigned flags)
{
	struct rill_worker *w;
	struct rill_task *t = rill_task_unhindered(&w);

	if (RILL_UNLIKELY(flags != 0 || !t))
		return await_scoped(aw, flags);
	w->budget--;
	return await_plain(aw, t);
}

/* Plain threads have no randomness of their own: the golden ratio's multiples are as even. */
static unsigned fair_start(struct rill_worker *w, unsigned n)
{
	static RILL_ATOMIC(uint32_t) golden;

	if (w)
		return rill_rand_below(&w->rand, n);
	return (unsigned)(((uint64_t)rill_fetch_add_relaxed(&golden, 0x9e3779b9u) * n) >> 32);
}

int rill_select(struct rill_case *cases, unsigned n, unsigned flags)
{
	struct await_set set = {.first = (char *)cases, .stride = sizeof(*cases), .n = n};
	struct rill_await *done = NULL;

	if (n == 0 || n > RILL_SELECT_MAX)
		return -EINVAL;
	if (n > 1 && !(flags & RILL_SELECT_BIASED))
		set.start = fair_start(rill_worker_current(), n);
	int r = await_set(&set, flags, &done);

	if (!done)
		return r;
	unsigned i = set_index(&set, done);

	cases[i].result = r;
	return (int)i;
}

/* ---- yielding and the budget ---- */

int rill_yield(void)
{
	struct rill_worker *w = rill_worker_current();
	struct rill_task *t = w ? w->current : NULL;
	uint64_t deadline;

	if (!t) {
		sched_yield();
		return 0;
	}
	rill_counter_add(&w->metrics.yields, 1);
	struct rill_task *next = rill_worker_next(w);

	if (next || !rill_worker_go_on(w, t)) {
		rill_slice_switch(w, t, RILL_TASK_YIELD, next);
		rill_slice_arrive(&t->fiber);
	}
	return check_scopes(&t->waiter, false, &deadline);
}

int rill_consume_budget(void)
{
	struct rill_waiter *self = rill_waiter_current();
	uint64_t deadline;

	yield_if_spent(self);
	spend_budget();
	return check_scopes(self, false, &deadline);
}

bool rill_has_budget_remaining(void)
{
	struct rill_worker *w = rill_worker_current();

	return !w || !w->current || w->budget > 0;
}

void rill_unconstrained_begin(void)
{
	struct rill_worker *w = rill_worker_current();
	struct rill_task *t = w ? w->current : NULL;

	if (!t || t->unconstrained++ > 0)
		return;
	t->budget_left = w->budget;
	w->budget = UINT_MAX;
}

void rill_unconstrained_end(void)
{
	struct rill_worker *w = rill_worker_current();
	struct rill_task *t = w ? w->current : NULL;

	if (!t)
		return;
	RILL_ASSERT(t->unconstrained > 0); /* pairs up with a begin */
	if (--t->unconstrained == 0)
		w->budget = RILL_MIN(t->budget_left, t->budget);
}

int rill_cooperative(int (*op)(void *), void *arg)
{
	struct rill_waiter *self = rill_waiter_current();
	uint64_t deadline;

	yield_if_spent(self);
	int r = check_scopes(self, false, &deadline);

	if (r < 0)
		return r;
	r = op(arg);
	if (r != -EAGAIN)
		spend_budget();
	return r;
}
