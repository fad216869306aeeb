/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's loop: run tasks; after some slices, or when there are none, take a turn: poll the
 * shards at home here, fire timers, let yielded tasks go again; with nothing to do look for work
 * elsewhere, spin for a while, sleep.
 */
#include "runtime/slice.h"

#include "base/clock.h"
#include "runtime/crash.h"

/* A turn is taken at least this often, by the measured run time of slices, so that no shard waits
 * long. */
#define TURN_TARGET_NS 20000
#define POLL_INTERVAL_MIN 1
#define POLL_INTERVAL_MAX 64

/* The inject queue goes first this often, by the measured length of slices (Tokio's figures). */
#define INJECT_TARGET_NS 200000
#define INJECT_INTERVAL_MIN 2
#define INJECT_INTERVAL_MAX 127

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

static bool fire_timers(struct rill_worker *w, uint64_t now)
{
	if (RILL_LIKELY(now < rill_load_relaxed(&w->wheel_next_ns)))
		return false;
	rill_phase_enter(w, RILL_PHASE_TIMERS);
	if (!rill_worker_fire_timers(w, now))
		return false;
	rill_trace(w, RILL_TRACE_TIMERS, 0);
	return true;
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
	rill_phase_enter_now(w, RILL_PHASE_POLL);
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
	any |= fire_timers(w, now);
	any |= rill_worker_flush_yielded(w);
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
	bool urgent = rill_worker_attends(w, RILL_ATTEND_URGENT);
	unsigned i;

	while (rill_victim_next(&pass, &w->rand, &i)) {
		struct rill_worker *v = &rt->workers[i];
		struct rill_task *t = urgent ? steal_from(w, &v->urgent, &w->urgent) : NULL;

		if (!t)
			t = steal_from(w, &v->queue, &w->queue);
		if (t) {
			rill_slice_set_budget(w, t, true);
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

/* Turns that find nothing before the processor may rest in between: a frame would wait for that. */
#define TURNS_BEFORE_PAUSE 32

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
	unsigned turns = 0;

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
		if (++turns > TURNS_BEFORE_PAUSE)
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
	w->clock_span = 0;
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
	rill_crash_thread_leave();
	rill_worker_set_current(NULL);
}

void rill_worker_run(struct rill_worker *w, bool (*until)(void *), void *ctx)
{
	bool woken = false; /* from sleep, and nothing run since */

	worker_enter(w);
	while (!rill_load_relaxed(&w->rt->stop) && !(until && until(ctx))) {
		bool more = true;
		struct rill_task *t = rill_worker_pick(w);

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
	rill_slice_set_budget(w, t, true);
	run_task(w, t);
	/* not as a turn would: for its next step it waits in no queue */
	rill_schedule_all(w, w->defer);
	w->defer = (struct rill_task_list){NULL, NULL};
	worker_exit(w);
}
