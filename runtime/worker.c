/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's loop: run tasks; after some slices, or when there are none, take a turn: poll the
 * shards at home here, fire timers, let yielded tasks go again; with nothing to do look for work
 * elsewhere, spin for a while, sleep.
 */
#include "runtime/slice.h"

#include <limits.h>

#include "base/clock.h"
#include "runtime/crash.h"
#include "runtime/local.h"

/* A turn is taken at least this often, by the measured run time of slices, so that no shard waits
 * long. */
#define TURN_TARGET_NS 20000
#define POLL_INTERVAL_MIN 1
#define POLL_INTERVAL_MAX 64

/* The inject queue goes first this often, by the measured length of slices (Tokio's figures). */
#define INJECT_TARGET_NS 200000
#define INJECT_INTERVAL_MIN 2
#define INJECT_INTERVAL_MAX 127

/* Tasks woken by tasks jump the queue at most so many times in a row (Tokio: 3). */
#define LIFO_RUNS_MAX 3

/* Urgent tasks keep the others out for at most so many slices in a row. */
#define URGENT_RUNS_MAX 7

/* Claimed, and in a queue. */
#define READY (RILL_WAITER_PARKED | RILL_WAITER_NOTIFIED)

/* ---- the end of a slice ---- */

static bool flush_deferred(struct rill_worker *w)
{
	struct rill_task_list l = w->defer;

	if (!l.first)
		return false;
	w->defer = (struct rill_task_list){NULL, NULL};
	/* With nobody to steal them, and nobody before them, they need not go through the ring. */
	if (w->alone && rill_queue_len(&w->queue) == 0) {
		if (w->own.last)
			w->own.last->next = l.first;
		else
			w->own.first = l.first;
		w->own.last = l.last;
		return true;
	}
	rill_schedule_all(w, l);
	return true;
}

void rill_worker_park_failed(struct rill_task *t)
{
	struct rill_worker *w = rill_worker_current();
	struct rill_task *current = w->current;

	/* acq_rel: must not wipe out a waker's release; the exchange in rill_slice_begin() reads it
	 */
	rill_exchange_acq_rel(&t->waiter.state, READY);
	/* Whoever runs now has not woken it. */
	w->current = NULL;
	rill_schedule(t);
	w->current = current;
}

/* ---- what to run next ---- */

/* A task's fresh budget, or what is left of the one before it. */
static inline void set_budget(struct rill_worker *w, const struct rill_task *t, bool fresh)
{
	if (fresh || w->budget > t->budget)
		w->budget = t->budget;
	if (RILL_UNLIKELY(t->unconstrained > 0))
		w->budget = UINT_MAX;
}

static inline struct rill_task *take_lifo(struct rill_worker *w)
{
	return rill_load_relaxed(&w->lifo) ? rill_lifo_swap(w, NULL) : NULL;
}

static inline struct rill_task *take_own(struct rill_worker *w)
{
	struct rill_waiter *n = w->own.first;

	if (RILL_LIKELY(!n))
		return NULL;
	w->own.first = n->next;
	if (!n->next)
		w->own.last = NULL;
	return rill_task_of(n);
}

static inline struct rill_task *take_queued(struct rill_worker *w)
{
	if (rill_load_relaxed(&w->queue.tail) == (uint32_t)rill_load_relaxed(&w->queue.head))
		return NULL;
	return w->alone ? rill_queue_pop_alone(&w->queue) : rill_queue_pop(&w->queue);
}

static RILL_NOINLINE struct rill_task *take_injected(struct rill_worker *w)
{
	struct rill_runtime *rt = w->rt;
	uint32_t len = rill_load_relaxed(&rt->inject.len);
	struct rill_task *first = rill_inject_pop(&rt->inject);
	/* A fair share goes along, into the first half of the ring, so that it never spills back.
	 */
	uint32_t room = rill_queue_room(&w->queue);
	uint32_t n = RILL_MIN(len / rt->worker_count,
			      room > RILL_QUEUE_CAP / 2 ? room - RILL_QUEUE_CAP / 2 : 0);

	for (uint32_t i = 0; first && i < n; i++) {
		struct rill_task *t = rill_inject_pop(&rt->inject);

		if (!t || rill_queue_push_back(&w->queue, t, NULL) != RILL_QUEUE_PUSHED)
			break;
	}
	return first;
}

/* Not for ever: one slice in so many is for the others. */
static struct rill_task *take_urgent(struct rill_worker *w)
{
	struct rill_task *t = NULL;

	if (w->urgent_runs < URGENT_RUNS_MAX) {
		t = rill_queue_pop(&w->urgent);
		if (!t)
			t = rill_inject_pop(&w->rt->urgent);
	}
	w->urgent_runs = t ? w->urgent_runs + 1 : 0;
	return t;
}

/* The queue and the worker's own tasks by turns. */
static inline struct rill_task *take_local(struct rill_worker *w)
{
	struct rill_task *t = w->own_first ? take_own(w) : NULL;

	w->own_first = !w->own_first;
	if (!t)
		t = take_queued(w);
	return t ? t : take_own(w);
}

static RILL_NOINLINE void accept_inbox(struct rill_worker *w)
{
	rill_schedule_all(w, rill_inject_pop_all(&w->inbox));
}

/* Puts one of the runnable first, drawn by lot. */
static void shuffle(struct rill_worker *w)
{
	uint32_t n;
	struct rill_task *t;

	while (rill_queue_room(&w->queue) > 0 && (t = take_own(w)))
		rill_queue_push_back(&w->queue, t, NULL);
	n = rill_queue_len(&w->queue);
	for (uint32_t i = n ? rill_rand_below(&w->rand, n) : 0; i > 0; i--)
		rill_queue_push_back(&w->queue, rill_queue_pop(&w->queue), NULL);
}

/* What is asked for only in few programs. */
static RILL_NOINLINE struct rill_task *take_rare(struct rill_worker *w)
{
	if (w->rt->o.shuffle)
		shuffle(w);
	return take_urgent(w);
}

static inline struct rill_task *take_first(struct rill_worker *w)
{
	struct rill_runtime *rt = w->rt;

	if (RILL_UNLIKELY(rill_load_relaxed(&w->inbox.len) > 0))
		accept_inbox(w);
	/* Every so many slices what came from outside goes first. */
	if (RILL_UNLIKELY(++w->ticks >= w->inject_interval)) {
		w->ticks = 0;
		struct rill_task *t = rill_inject_pop(&rt->inject);

		if (t)
			return t;
	}
	return RILL_UNLIKELY(rill_load_relaxed(&rt->any_urgent)) ? take_rare(w) : NULL;
}

static inline struct rill_task *next_task(struct rill_worker *w)
{
	struct rill_task *t = take_first(w);

	if (!t && w->lifo_runs < LIFO_RUNS_MAX) {
		t = take_lifo(w);
		if (t) {
			/* the budget goes on: two tasks waking each other must not keep the rest
			 * out */
			w->lifo_runs++;
			set_budget(w, t, false);
			return t;
		}
	}
	w->lifo_runs = 0;
	if (!t)
		t = take_local(w);
	if (!t)
		t = take_lifo(w);
	if (!t && rill_load_relaxed(&w->rt->inject.len) > 0)
		t = take_injected(w);
	if (t)
		set_budget(w, t, true);
	return t;
}

/* A turn would find nothing but yielded tasks: no NIC, no timer, and nobody wants to be seen. */
static bool turn_is_empty(const struct rill_worker *w)
{
	const struct rill_runtime *rt = w->rt;

	return rill_load_relaxed(&rt->poller_count) == 0 &&
	       rill_load_relaxed(&w->wheel_next_ns) == UINT64_MAX &&
	       rill_load_relaxed(&rt->epoch) == w->epoch_seen && !rill_load_relaxed(&w->stuck);
}

/* One of those that have yielded, if a turn would do nothing but let them go on. */
static struct rill_task *next_yielded(struct rill_worker *w)
{
	if (!w->defer.first || !turn_is_empty(w))
		return NULL;
	rill_store_relaxed(&w->beat, w->beat + 1);
	flush_deferred(w);
	struct rill_task *t = take_local(w);

	if (t)
		set_budget(w, t, true);
	return t;
}

static RILL_NOINLINE struct rill_task *next_or_yielded(struct rill_worker *w)
{
	struct rill_task *t = next_task(w);

	return t ? t : next_yielded(w);
}

/* Nothing but the LIFO slot and what has yielded is there to run. */
static inline bool queues_empty(const struct rill_worker *w)
{
	return rill_load_relaxed(&w->queue.tail) == (uint32_t)rill_load_relaxed(&w->queue.head) &&
	       !w->own.first && rill_load_relaxed(&w->rt->inject.len) == 0 &&
	       rill_load_relaxed(&w->inbox.len) == 0 && !rill_load_relaxed(&w->rt->any_urgent);
}

/* May a task that was woken by a task run at once? If not, it has to queue. */
static inline bool may_follow(const struct rill_worker *w)
{
	if (w->ticks + 1 >= w->inject_interval || rill_load_relaxed(&w->inbox.len) > 0 ||
	    rill_load_relaxed(&w->rt->any_urgent))
		return false;
	return w->lifo_runs < LIFO_RUNS_MAX || queues_empty(w);
}

/* When nobody else wanted to run, it counts as having queued. */
static inline void follow(struct rill_worker *w, const struct rill_task *t)
{
	bool queued = w->lifo_runs >= LIFO_RUNS_MAX;

	w->ticks++;
	w->lifo_runs = queued ? 0 : w->lifo_runs + 1;
	set_budget(w, t, queued);
}

/* next_task() and next_yielded(), with the most frequent outcomes in few instructions. */
struct rill_task *rill_worker_next(struct rill_worker *w)
{
	if (w->slices_to_poll == 0)
		return NULL;
	/* What is made runnable from now on is not woken by a task. */
	w->current = NULL;
	if (rill_load_relaxed(&w->lifo) && may_follow(w)) {
		struct rill_task *t = rill_lifo_swap(w, NULL);

		if (RILL_LIKELY(t != NULL)) {
			follow(w, t);
			return t;
		}
	}
	if (!rill_load_relaxed(&w->lifo) && queues_empty(w)) {
		w->lifo_runs = 0;
		return next_yielded(w);
	}
	return next_or_yielded(w);
}

bool rill_worker_go_on(struct rill_worker *w, struct rill_task *t)
{
	if (w->slices_to_poll == 0 || !turn_is_empty(w) || rill_load_relaxed(&w->rt->observed) ||
	    rill_load_relaxed(&t->place) & RILL_TASK_MANUAL)
		return false;
	rill_store_relaxed(&w->beat, w->beat + 1);
	rill_trace(w, RILL_TRACE_YIELD, t->id);
	rill_trace(w, RILL_TRACE_RUN, t->id);
	rill_slice_begin(w, t);
	set_budget(w, t, true);
	return true;
}

/* ---- running ---- */

_Noreturn void rill_worker_exit_task(struct rill_task *t)
{
	struct rill_worker *w = rill_worker_current();

	/* In no task, but before the end begins, for others may wait for the rest of it. */
	if (RILL_UNLIKELY(t->locals != NULL)) {
		w->current = NULL;
		rill_local_release(t);
		w->current = t;
	}
	struct rill_task *next = rill_task_end_begin(w, t);

	/* The joiner comes next, as out of the LIFO slot, and within its bounds. */
	if (next && w->slices_to_poll > 0 && !w->rt->o.no_lifo && may_follow(w)) {
		rill_counter_add(&w->metrics.local_schedules, 1);
		if (RILL_UNLIKELY(rill_load_relaxed(&w->rt->observed)))
			rill_observe_wake(next);
		follow(w, next);
	} else {
		t->joiner = next ? &next->waiter : t->joiner;
		next = rill_worker_next(w);
	}
	rill_slice_switch(w, t, RILL_TASK_EXIT, next);
	__builtin_unreachable();
}

/* From the loop to t, and back when somebody leaves to the loop. */
static RILL_ALWAYS_INLINE void run_task(struct rill_worker *w, struct rill_task *t)
{
	rill_trace(w, RILL_TRACE_RUN, t->id);
	rill_slice_begin(w, t);
	rill_fiber_leave(&w->fiber, &t->fiber, false);
	rill_context_switch(&w->context, &t->context);
	rill_slice_arrive(&w->fiber);
}

/* ---- the turn ---- */

bool rill_worker_poll_home(struct rill_worker *w, unsigned home, bool foreign)
{
	struct rill_runtime *rt = w->rt;
	unsigned n = rill_load_relaxed(&rt->poller_count);
	bool any = false;

	for (unsigned i = 0; i < n; i++) {
		/* acquire: pairs with the release in rill_poller_add() */
		struct rill_poller *p = rill_load_acquire(&rt->pollers[i]);

		if (!p || p->home != home)
			continue;
		rill_counter_add(&w->metrics.polls, 1);
		if (foreign)
			rill_counter_add(&w->metrics.polls_foreign, 1);
		if (!p->ops->poll(p, w->now_ns))
			continue;
		rill_counter_add(&w->metrics.polls_ready, 1);
		any = true;
	}
	return any;
}

/* An average over some ten slices, in which n weigh as n. */
static void tune_inject(struct rill_worker *w, uint64_t per_slice, unsigned n)
{
	uint64_t weight = RILL_MIN(n, 10u);
	uint64_t ewma = (w->slice_ns * (10 - weight) + per_slice * weight) / 10;
	unsigned wanted = (unsigned)RILL_MIN(INJECT_TARGET_NS / RILL_MAX(ewma, (uint64_t)1),
					     (uint64_t)INJECT_INTERVAL_MAX);

	rill_store_relaxed(&w->slice_ns, ewma);
	if (!w->rt->o.inject_interval)
		w->inject_interval = RILL_MAX(wanted, (unsigned)INJECT_INTERVAL_MIN);
}

/* The intervals follow the measured length of slices. */
static void tune_interval(struct rill_worker *w, uint64_t elapsed_ns, unsigned slices)
{
	uint64_t per_slice = elapsed_ns / RILL_MAX(slices, 1u) + 1;
	uint64_t wanted = TURN_TARGET_NS / per_slice;
	unsigned clamped = (unsigned)RILL_MIN(RILL_MAX(wanted, (uint64_t)POLL_INTERVAL_MIN),
					      (uint64_t)POLL_INTERVAL_MAX);

	/* half of the way, and all of it in the end: one odd slice is not the rule */
	if (!w->rt->o.poll_interval)
		w->poll_interval = (w->poll_interval + clamped + (clamped > w->poll_interval)) / 2;
	tune_inject(w, per_slice, slices);
}

/* True when it made something runnable. */
static bool take_turn(struct rill_worker *w)
{
	struct rill_runtime *rt = w->rt;
	unsigned slices = w->poll_interval - w->slices_to_poll;
	uint64_t now = rill_worker_now(w);

	if (slices > 0)
		tune_interval(w, now - w->turn_ns, slices);
	w->slices_to_poll = w->poll_interval;
	w->turn_ns = now;
	rill_phase_enter(w, RILL_PHASE_POLL);
	rill_store_relaxed(&w->beat, w->beat + 1);
	if (RILL_UNLIKELY(rill_load_relaxed(&w->stuck)))
		rill_store_relaxed(&w->stuck, false);
	/* acquire/release: pairs with rill_runtime_quiesce(): what it hid is hidden from this turn
	 * on */
	uint64_t epoch = rill_load_acquire(&rt->epoch);

	if (RILL_UNLIKELY(epoch != w->epoch_seen))
		rill_store_release(&w->epoch_seen, epoch);
	bool any = rill_worker_poll_home(w, w->index, false);

	if (any)
		rill_trace(w, RILL_TRACE_POLL, 0);
	else
		rill_phase_was(w, RILL_PHASE_STEAL);
	rill_phase_enter(w, RILL_PHASE_TIMERS);
	if (rill_worker_fire_timers(w, now)) {
		rill_trace(w, RILL_TRACE_TIMERS, 0);
		any = true;
	}
	any |= flush_deferred(w);
	if (!any)
		rill_phase_was(w, RILL_PHASE_STEAL);
	rill_observe_turn(w, now);
	return any;
}

/* ---- looking elsewhere ---- */

/* Does the work that a stuck worker's loop would do. */
static bool relieve(struct rill_worker *w, struct rill_worker *v)
{
	bool any = rill_worker_poll_home(w, v->index, true);
	/* seen without the owner: the exchange says whose it is */
	struct rill_task *t = rill_load_relaxed(&v->lifo) ? rill_lifo_swap(v, NULL) : NULL;

	if (t) {
		rill_counter_add(&w->metrics.steals, 1);
		rill_schedule(t);
		any = true;
	}
	return rill_worker_fire_timers(v, w->now_ns) || any;
}

static bool relieve_stuck(struct rill_worker *w)
{
	struct rill_runtime *rt = w->rt;
	bool any = false;

	for (unsigned i = 0; i < rt->worker_count; i++) {
		struct rill_worker *v = &rt->workers[i];

		/* relaxed: set by the monitor as a hint */
		if (v != w && RILL_UNLIKELY(rill_load_relaxed(&v->stuck)))
			any |= relieve(w, v);
	}
	return any;
}

static struct rill_task *steal_from(struct rill_worker *w, struct rill_queue *from,
				    struct rill_queue *to)
{
	uint32_t n = 0;

	if (rill_queue_len(from) == 0)
		return NULL;
	struct rill_task *t = rill_queue_steal_into(from, to, &n);

	if (!t)
		return NULL;
	rill_counter_add(&w->metrics.steals, n);
	rill_counter_add(&w->metrics.steal_operations, 1);
	rill_trace(w, RILL_TRACE_STEAL, n);
	return t;
}

/* From the nearest first. */
static struct rill_task *steal(struct rill_worker *w)
{
	struct rill_runtime *rt = w->rt;
	struct rill_victim_pass pass = {.victims = &rt->victims[w->index]};
	bool urgent = rill_load_relaxed(&rt->any_urgent);
	unsigned i;

	while (rill_victim_next(&pass, &w->rand, &i)) {
		struct rill_worker *v = &rt->workers[i];
		struct rill_task *t = urgent ? steal_from(w, &v->urgent, &w->urgent) : NULL;

		if (!t)
			t = steal_from(w, &v->queue, &w->queue);
		if (t) {
			set_budget(w, t, true);
			return t;
		}
	}
	return NULL;
}

static bool runnable_here(const struct rill_worker *w)
{
	const struct rill_runtime *rt = w->rt;

	return rill_load_relaxed(&rt->inject.len) > 0 || rill_load_relaxed(&rt->urgent.len) > 0 ||
	       rill_load_relaxed(&w->inbox.len) > 0 || rill_load_relaxed(&w->lifo) ||
	       w->own.first || rill_queue_len(&w->queue) > 0 || rill_queue_len(&w->urgent) > 0;
}

/*
 * Looks for work until there is some, or the time to spin is over. Returns a task, or NULL with
 * *ret_more telling whether a turn found something.
 */
static struct rill_task *search(struct rill_worker *w, bool *ret_more)
{
	struct rill_runtime *rt = w->rt;
	bool spin = rt->o.idle == RILL_IDLE_SPIN;
	uint64_t spin_ns = rill_clock_is_paused(rt) ? 0 : rt->o.spin_ns;
	uint64_t start = w->now_ns;

	*ret_more = true;
	do {
		struct rill_task *t = !w->alone && rill_idle_start_search(w) ? steal(w) : NULL;

		if (t)
			return t;
		if (take_turn(w) || runnable_here(w))
			return NULL;
		if (!w->alone && relieve_stuck(w))
			return NULL;
		if (rill_load_relaxed(&rt->stop))
			return NULL;
		rill_cpu_relax();
	} while (spin || w->now_ns - start < spin_ns);
	*ret_more = false;
	return NULL;
}

/* ---- the loop ---- */

/* A turn in between slices: also when nobody is idle a stuck worker's shards and timers go on. */
static void busy_turn(struct rill_worker *w)
{
	take_turn(w);
	if (RILL_UNLIKELY(rill_load_relaxed(&w->rt->any_stuck)))
		relieve_stuck(w);
}

static void worker_enter(struct rill_worker *w)
{
	rill_worker_set_current(w);
	rill_crash_thread_init();
	rill_fiber_init_thread(&w->fiber);
	w->now_cycles = rill_cycles() - rill_cycles_per_us();
	w->turn_ns = rill_worker_now(w);
	rill_observe_enter(w);
	/* seq_cst: before the first look at the pollers; pairs with rill_runtime_quiesce() */
	rill_publish(&w->running, true);
	/* seq_cst: after that; the same pair: it sees us run, or we see what it hid from us */
	(void)rill_load_seq_cst(&w->rt->epoch);
}

static void worker_exit(struct rill_worker *w)
{
	rill_idle_stop_search(w);
	rill_observe_leave(w);
	/* release: pairs with rill_runtime_quiesce(): the loop is left */
	rill_store_release(&w->running, false);
	rill_worker_set_current(NULL);
}

void rill_worker_run(struct rill_worker *w, bool (*until)(void *), void *ctx)
{
	bool woken = false; /* from sleep, and nothing run since */

	worker_enter(w);
	while (!rill_load_relaxed(&w->rt->stop) && !(until && until(ctx))) {
		bool more = true;
		struct rill_task *t = next_task(w);

		if (!t && !take_turn(w))
			t = search(w, &more);
		if (t) {
			woken = false;
			rill_idle_stop_search(w);
			rill_phase_enter(w, RILL_PHASE_TASKS);
			run_task(w, t);
			if (w->slices_to_poll == 0)
				busy_turn(w);
		} else if (!more && !(until && until(ctx))) {
			if (woken)
				rill_counter_add(&w->metrics.noops, 1);
			rill_idle_park(w);
			woken = true;
		}
	}
	worker_exit(w);
}

void rill_worker_step(struct rill_worker *w, struct rill_task *t)
{
	worker_enter(w);
	w->slices_to_poll = 1; /* so that the slice ends here and not in another task */
	set_budget(w, t, true);
	run_task(w, t);
	flush_deferred(w);
	worker_exit(w);
}
