/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/observe.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "runtime/runtime.h"
#include "runtime/task_monitor.h"
#include "runtime/ticks.h"

#define HISTOGRAM_MIN_NS 100
#define HISTOGRAM_MAX_NS UINT64_C(60000000000)
#define HISTOGRAM_PRECISION 2

/* A new slice weighs one tenth in the mean. */
#define MEAN_WEIGHT 10

/* ---- beginning and end ---- */

static int histogram_init(struct rill_histogram *h, const struct rill_histogram_options *o)
{
	if (!o->enabled)
		return 0;
	return rill_histogram_init(h, o->min_ns ? o->min_ns : HISTOGRAM_MIN_NS,
				   o->max_ns ? o->max_ns : HISTOGRAM_MAX_NS,
				   o->precision ? o->precision : HISTOGRAM_PRECISION);
}

int rill_observe_init(struct rill_runtime *rt)
{
	const struct rill_hooks *h = &rt->o.hooks;
	int r = 0;

	rill_ticks_start();
	rt->ticks_are_ns = rt->o.flavor == RILL_CURRENT_THREAD || !rill_ticks_usable();
	for (unsigned i = 0; i < rt->worker_count && r == 0; i++) {
		struct rill_worker_watch *watch = &rt->workers[i].watch;

		r = histogram_init(&watch->run, &rt->o.run_histogram);
		if (r == 0)
			r = histogram_init(&watch->latency, &rt->o.latency_histogram);
	}
	if (r < 0)
		return r;
	if (rt->o.run_histogram.enabled || rt->o.latency_histogram.enabled || h->task_spawn ||
	    h->task_terminate || h->before_run || h->after_run)
		rill_observe_enable(rt);
	return 0;
}

void rill_observe_fini(struct rill_runtime *rt)
{
	for (unsigned i = 0; i < rt->worker_count; i++) {
		rill_histogram_fini(&rt->workers[i].watch.run);
		rill_histogram_fini(&rt->workers[i].watch.latency);
	}
}

void rill_observe_enable(struct rill_runtime *rt)
{
	if (rill_load_relaxed(&rt->observed))
		return;
	/* Measured here, so that no slice has to wait for it. */
	if (!rt->ticks_are_ns)
		rill_ticks_to_ns(0);
	rill_store_relaxed(&rt->observed, true);
	rill_schedule_attend(rt, RILL_ATTEND_OBSERVED);
}

uint64_t rill_observe_ticks(const struct rill_runtime *rt)
{
	return rt->ticks_are_ns ? rill_runtime_now(rt) : rill_cycles();
}

uint64_t rill_observe_ns(const struct rill_runtime *rt, uint64_t ticks)
{
	return rt->ticks_are_ns ? ticks : rill_ticks_to_ns(ticks);
}

/* Counters of two CPUs may differ by a little. */
static uint64_t ns_between(const struct rill_runtime *rt, uint64_t from, uint64_t to)
{
	return to > from ? rill_observe_ns(rt, to - from) : 0;
}

/* ---- hooks ---- */

typedef void task_hook(void *user, const struct rill_task_meta *m);

static struct rill_task_meta meta_of(struct rill_task *t)
{
	return (struct rill_task_meta){
		.task = t,
		.id = t->id,
		.parent = t->parent,
		.name = t->name,
		.spawn_site = t->spawn_site,
	};
}

/* Between tasks: what the hook wakes or spawns is not a task's doing. */
static void call_between(struct rill_worker *w, task_hook *hook, const struct rill_task_meta *m)
{
	struct rill_task *current = w->current;

	w->current = NULL;
	hook(w->rt->o.hooks.user, m);
	w->current = current;
}

/* ---- slices ---- */

void rill_observe_wake(struct rill_task *t)
{
	/* Queued already: the time of the first wake counts. */
	if (t->woken_cycles != 0)
		return;
	t->woken_cycles = rill_observe_ticks(t->rt);
	if (t->monitor && t->parked_cycles != 0)
		rill_task_monitor_idled(t->monitor,
					ns_between(t->rt, t->parked_cycles, t->woken_cycles));
	t->parked_cycles = 0;
}

static void record(struct rill_histogram *h, uint64_t ns)
{
	if (h->counts)
		rill_histogram_record(h, ns);
}

static void update_mean(struct rill_worker_watch *watch, uint64_t ns)
{
	uint64_t mean = rill_load_relaxed(&watch->mean_ns);

	rill_store_relaxed(&watch->mean_ns,
			   mean ? (mean * (MEAN_WEIGHT - 1) + ns) / MEAN_WEIGHT : ns);
}

static void close_slice(struct rill_worker *w, struct rill_task *t, uint64_t now)
{
	struct rill_worker_watch *watch = &w->watch;
	uint64_t ns = ns_between(w->rt, watch->began, now);
	task_hook *hook = w->rt->o.hooks.after_run;

	watch->running = NULL;
	if (now > watch->began)
		t->run_cycles += now - watch->began;
	t->parked_cycles = t->action == RILL_TASK_PARK ? now : 0;
	/* A task that yields is runnable from now on. */
	if (t->action == RILL_TASK_YIELD)
		t->woken_cycles = now;
	update_mean(watch, ns);
	record(&watch->run, ns);
	if (t->monitor)
		rill_task_monitor_ran(t->monitor, ns);
	if (hook) {
		struct rill_task_meta m = meta_of(t);

		m.run_ns = ns;
		call_between(w, hook, &m);
	}
}

/* The wait from wake to run is over; what it was, or 0 when nobody looked at the wake. */
static uint64_t note_latency(struct rill_worker *w, struct rill_task *t, uint64_t now)
{
	if (t->woken_cycles == 0)
		return 0;
	uint64_t ns = ns_between(w->rt, t->woken_cycles, now);

	t->woken_cycles = 0;
	record(&w->watch.latency, ns);
	if (t->monitor)
		rill_task_monitor_scheduled(t->monitor, ns, !t->has_run);
	return ns;
}

void rill_observe_before(struct rill_worker *w, struct rill_task *t)
{
	struct rill_worker_watch *watch = &w->watch;
	task_hook *hook = w->rt->o.hooks.before_run;
	uint64_t now = rill_observe_ticks(w->rt);

	/* From task to task: the one before has not been closed yet. */
	if (watch->running) {
		close_slice(w, watch->running, now);
		if (w->rt->o.hooks.after_run)
			now = rill_observe_ticks(w->rt);
	}
	uint64_t latency = note_latency(w, t, now);

	if (hook) {
		struct rill_task_meta m = meta_of(t);

		m.sched_latency_ns = latency;
		call_between(w, hook, &m);
		now = rill_observe_ticks(w->rt);
	}
	t->has_run = true;
	watch->running = t;
	watch->began = now;
}

void rill_observe_after(struct rill_worker *w, struct rill_task *t)
{
	if (w->watch.running == t)
		close_slice(w, t, rill_observe_ticks(w->rt));
}

void rill_observe_spawn(struct rill_task *t)
{
	task_hook *hook = t->rt->o.hooks.task_spawn;

	t->woken_cycles = 0;
	t->parked_cycles = 0;
	t->run_cycles = 0;
	t->has_run = false;
	if (t->monitor)
		rill_task_monitor_get(t->monitor);
	if (hook) {
		struct rill_task_meta m = meta_of(t);

		hook(t->rt->o.hooks.user, &m);
	}
}

void rill_observe_end(struct rill_task *t)
{
	task_hook *hook = t->rt->o.hooks.task_terminate;

	if (t->monitor)
		rill_task_monitor_put(t->monitor);
	t->monitor = NULL;
	if (hook) {
		struct rill_task_meta m = meta_of(t);

		m.run_ns = rill_observe_ns(t->rt, t->run_cycles);
		call_between(rill_worker_current(), hook, &m);
	}
}

/* ---- the loop ---- */

void rill_observe_enter(struct rill_worker *w)
{
	struct rill_phases *p = &w->watch.phases;

	rill_store_relaxed(&w->watch.tid, (uint64_t)gettid());
	rill_store_relaxed(&p->phase, (uint32_t)RILL_PHASE_TASKS);
	/* release: the phase is in place; pairs with rill_observe_phases() */
	rill_store_release(&p->since, rill_observe_ticks(w->rt));
}

void rill_observe_leave(struct rill_worker *w)
{
	rill_phases_charge(&w->watch.phases, RILL_PHASE_TASKS, rill_observe_ticks(w->rt));
	rill_store_relaxed(&w->watch.phases.since, 0);
}

static void read_phases(const struct rill_phases *p, uint64_t ret_ticks[RILL_PHASES])
{
	for (unsigned i = 0; i < RILL_PHASES; i++)
		/* acquire: before since is read again; pairs with rill_phases_charge() */
		ret_ticks[i] = rill_load_acquire(&p->ticks[i]);
}

void rill_observe_phases(const struct rill_worker *w, uint64_t ret_ns[RILL_PHASES])
{
	const struct rill_phases *p = &w->watch.phases;

	/* Unlucky every time: then without the present phase. */
	for (unsigned tries = 0; tries < 100; tries++) {
		/* acquire: pairs with rill_phases_charge(), as do the next two */
		uint64_t since = rill_load_acquire(&p->since);
		uint32_t phase = rill_load_acquire(&p->phase);

		read_phases(p, ret_ns);
		if (rill_load_relaxed(&p->since) != since)
			continue;
		uint64_t now = rill_observe_ticks(w->rt);

		if (since != 0 && now > since)
			ret_ns[phase] += now - since;
		if (since != 0 || !rill_load_relaxed(&w->running))
			break;
	}
	for (unsigned i = 0; i < RILL_PHASES; i++)
		ret_ns[i] = rill_observe_ns(w->rt, ret_ns[i]);
}

/* ---- queue delay ---- */

static bool passed(const struct rill_worker *w, uint32_t place)
{
	return (int32_t)((uint32_t)rill_load_relaxed(&w->queue.head) - place) >= 0;
}

void rill_observe_turn(struct rill_worker *w, uint64_t now_ns)
{
	struct rill_delay_probe *p = &w->watch.probe;
	uint64_t since = rill_load_relaxed(&p->since);
	uint32_t tail = rill_load_relaxed(&w->queue.tail);

	if (since != 0 && !passed(w, rill_load_relaxed(&p->place)))
		return;
	rill_store_relaxed(&p->last_ns, since ? now_ns - since : 0);
	rill_store_relaxed(&p->place, tail);
	rill_store_relaxed(&p->since, passed(w, tail) ? 0 : now_ns);
}

uint64_t rill_observe_delay(const struct rill_worker *w)
{
	const struct rill_delay_probe *p = &w->watch.probe;
	uint64_t since = rill_load_relaxed(&p->since);
	uint64_t last = rill_load_relaxed(&p->last_ns);
	uint64_t now = rill_runtime_now(w->rt);

	/* Not there yet, and longer under way than the last one was: the loop may be stuck. */
	if (since != 0 && now > since && !passed(w, rill_load_relaxed(&p->place)))
		return RILL_MAX(last, now - since);
	return last;
}
