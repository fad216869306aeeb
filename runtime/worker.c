/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's loop: run tasks; after some slices, or when there are none, take a turn: poll the
 * shards at home here, fire timers, let yielded tasks go again; with nothing to do look for work
 * elsewhere, spin for a while, sleep.
 */
#include "runtime/runtime.h"

#include "base/clock.h"

/* A turn is taken at least this often, by the measured run time of slices, so that no shard waits
 * long. */
#define TURN_TARGET_NS 20000
#define POLL_INTERVAL_MIN 1
#define POLL_INTERVAL_MAX 64

/* Every so many slices the inject queue goes first. */
#define INJECT_INTERVAL 31

/* Tasks woken by tasks jump the queue at most so many times in a row (Tokio: 3). */
#define LIFO_RUNS_MAX 3

/* Claimed, and in a queue. */
#define READY (RILL_WAITER_PARKED | RILL_WAITER_NOTIFIED)

static void push_deferred(struct rill_worker *w, struct rill_task *t)
{
	t->waiter.next = NULL;
	if (w->defer_last)
		w->defer_last->next = &t->waiter;
	else
		w->defer_first = &t->waiter;
	w->defer_last = &t->waiter;
}

static bool flush_deferred(struct rill_worker *w)
{
	struct rill_waiter *first = w->defer_first;

	w->defer_first = NULL;
	w->defer_last = NULL;
	for (struct rill_waiter *next, *n = first; n; n = next) {
		next = n->next;
		rill_schedule(rill_task_of(n));
	}
	return first != NULL;
}

/* t has parked: makes it so for the world, unless somebody woke it on the way. */
static void commit_park(struct rill_worker *w, struct rill_task *t)
{
	uint32_t running = 0;

	/* acq_rel: a waker which finds PARKED finds all that the task wrote; pairs with
	 * rill_wake_add() */
	if (rill_cas_acq_rel(&t->waiter.state, &running, RILL_WAITER_PARKED))
		return;
	/* acq_rel: must not wipe out a waker's release; the exchange in run_task() reads it */
	rill_exchange_acq_rel(&t->waiter.state, READY);
	rill_schedule(t);
}

static void after_slice(struct rill_worker *w, struct rill_task *t)
{
	switch ((enum rill_task_action)t->action) {
	case RILL_TASK_PARK:
		commit_park(w, t);
		break;
	case RILL_TASK_YIELD:
		/* Its state stays that of a running task: a wake has nothing to claim. */
		push_deferred(w, t);
		break;
	case RILL_TASK_EXIT:
		rill_counter_add(&w->metrics.finished, 1);
		rill_task_complete(t);
		break;
	}
}

/* Inlined: a return right after a switch is mispredicted, for its call was made on another stack.
 */
static RILL_ALWAYS_INLINE void run_task(struct rill_worker *w, struct rill_task *t)
{
	/* acquire: pairs with rill_wake_add(): the task sees why it was woken */
	rill_exchange_acq_rel(&t->waiter.state, 0);
	w->current = t;
	rill_counter_add(&w->metrics.slices, 1);
	rill_fiber_leave(&w->fiber, &t->fiber, false);
	rill_context_switch(&w->context, &t->context);
	rill_fiber_arrive(&w->fiber, NULL);
	w->current = NULL;
	after_slice(w, t);
}

/* ---- what to run next ---- */

static struct rill_task *take_lifo(struct rill_worker *w)
{
	if (!rill_load_relaxed(&w->lifo))
		return NULL;
	/* acq_rel: pairs with the exchange in rill_schedule(); a thief may come first */
	return rill_exchange_acq_rel(&w->lifo, NULL);
}

static struct rill_task *take_injected(struct rill_worker *w)
{
	struct rill_runtime *rt = w->rt;
	uint32_t len = rill_load_relaxed(&rt->inject.len);

	if (len == 0)
		return NULL;
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

static struct rill_task *next_task(struct rill_worker *w)
{
	struct rill_task *t;

	if (++w->inject_tick >= INJECT_INTERVAL) {
		w->inject_tick = 0;
		t = rill_inject_pop(&w->rt->inject);
		if (t) {
			w->lifo_runs = 0;
			w->budget = w->rt->o.budget;
			return t;
		}
	}
	if (w->lifo_runs < LIFO_RUNS_MAX) {
		t = take_lifo(w);
		if (t) {
			/* the budget goes on: two tasks waking each other must not keep the rest
			 * out */
			w->lifo_runs++;
			return t;
		}
	}
	w->lifo_runs = 0;
	w->budget = w->rt->o.budget;
	t = rill_queue_pop(&w->queue);
	if (!t)
		t = take_lifo(w);
	return t ? t : take_injected(w);
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
		any |= p->ops->poll(p, w->now_ns);
	}
	return any;
}

/* The interval between turns follows the measured length of slices. */
static void tune_interval(struct rill_worker *w, uint64_t elapsed_ns, unsigned slices)
{
	uint64_t per_slice = elapsed_ns / RILL_MAX(slices, 1u) + 1;
	uint64_t wanted = TURN_TARGET_NS / per_slice;
	unsigned clamped = (unsigned)RILL_MIN(RILL_MAX(wanted, (uint64_t)POLL_INTERVAL_MIN),
					      (uint64_t)POLL_INTERVAL_MAX);

	/* half of the way: one odd slice is not the rule */
	w->poll_interval = (w->poll_interval + clamped + 1) / 2;
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
	rill_store_relaxed(&w->beat, w->beat + 1);
	if (RILL_UNLIKELY(rill_load_relaxed(&w->stuck)))
		rill_store_relaxed(&w->stuck, false);
	/* acquire/release: pairs with rill_runtime_quiesce(): what it hid is hidden from this turn
	 * on */
	uint64_t epoch = rill_load_acquire(&rt->epoch);

	if (RILL_UNLIKELY(epoch != w->epoch_seen))
		rill_store_release(&w->epoch_seen, epoch);
	bool any = rill_worker_poll_home(w, w->index, false);

	if (rill_worker_fire_timers(w, now)) {
		rill_counter_add(&w->metrics.timers_fired, 1);
		any = true;
	}
	return flush_deferred(w) || any;
}

/* ---- looking elsewhere ---- */

/* Does the work that a stuck worker's loop would do. */
static bool relieve(struct rill_worker *w, struct rill_worker *v)
{
	bool any = rill_worker_poll_home(w, v->index, true);
	struct rill_task *t = take_lifo(v);

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

static struct rill_task *steal(struct rill_worker *w)
{
	struct rill_runtime *rt = w->rt;
	uint32_t start = rill_rand_below(&w->rand, rt->worker_count);

	for (unsigned i = 0; i < rt->worker_count; i++) {
		struct rill_worker *v = &rt->workers[(start + i) % rt->worker_count];
		uint32_t n = 0;

		if (v == w || rill_queue_len(&v->queue) == 0)
			continue;
		struct rill_task *t = rill_queue_steal_into(&v->queue, &w->queue, &n);

		if (t) {
			rill_counter_add(&w->metrics.steals, n);
			rill_counter_add(&w->metrics.steal_operations, 1);
			return t;
		}
	}
	return take_injected(w);
}

/*
 * Looks for work until there is some, or the time to spin is over. Returns a task, or NULL with
 * *ret_more telling whether a turn found something.
 */
static struct rill_task *search(struct rill_worker *w, bool *ret_more)
{
	struct rill_runtime *rt = w->rt;
	bool spin = rt->o.idle == RILL_IDLE_SPIN;
	uint64_t spin_ns = rt->paused ? 0 : rt->o.spin_ns;
	uint64_t start = w->now_ns;

	*ret_more = true;
	do {
		struct rill_task *t = rill_idle_start_search(w) ? steal(w) : NULL;

		if (t)
			return t;
		if (take_turn(w) || rill_load_relaxed(&rt->inject.len) > 0 ||
		    rill_load_relaxed(&w->lifo) || rill_queue_len(&w->queue) > 0)
			return NULL;
		if (rt->worker_count > 1 && relieve_stuck(w))
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
	rill_fiber_init_thread(&w->fiber);
	w->now_cycles = rill_cycles() - rill_cycles_per_us();
	w->turn_ns = rill_worker_now(w);
	w->budget = w->rt->o.budget;
	/* seq_cst: before the first look at the pollers; pairs with rill_runtime_quiesce() */
	rill_publish(&w->running, true);
}

static void worker_exit(struct rill_worker *w)
{
	rill_idle_stop_search(w);
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
			run_task(w, t);
			if (--w->slices_to_poll == 0)
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
