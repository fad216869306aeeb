/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happens around slices besides running them: hooks, histograms, run times, monitored tasks. A
 * runtime in which nobody asks for any of it has observed == false, and pays one test per slice.
 *
 * Where a worker's time goes is known always: its loop says a few times per turn what comes next.
 */
#ifndef RILL_RUNTIME_OBSERVE_H
#define RILL_RUNTIME_OBSERVE_H

#include "base/atomic.h"
#include "base/histogram.h"

struct rill_histogram_options;
struct rill_runtime;
struct rill_task;
struct rill_worker;

/* Where a worker's time goes. */
enum rill_phase {
	RILL_PHASE_TASKS,
	RILL_PHASE_POLL,   /* NICs and other pollers, with something to do */
	RILL_PHASE_TIMERS, /* and yields */
	RILL_PHASE_STEAL,  /* looking for work: also polls in vain, and spinning */
	RILL_PHASE_PARKED,
	RILL_PHASES,
};

/* Written by the worker. */
struct rill_phases {
	RILL_ATOMIC(uint64_t) since; /* ticks; 0: being changed, or not in the loop */
	RILL_ATOMIC(uint32_t) phase;
	RILL_ATOMIC(uint64_t) ticks[RILL_PHASES];
};

/*
 * How long the run queue takes to come to its present end: one task's place in it is followed at a
 * time, by the turns of the loop. Written by the worker.
 */
struct rill_delay_probe {
	RILL_ATOMIC(uint64_t) since; /* on the runtime's clock; 0: the queue was empty */
	RILL_ATOMIC(uint32_t) place; /* index in the queue */
	RILL_ATOMIC(uint64_t) last_ns;
};

/* A worker's part; all but the probe and the phases only when observed. */
struct rill_worker_watch {
	struct rill_phases phases;
	struct rill_delay_probe probe;
	struct rill_task *running;     /* whose slice has begun and not been closed; NULL: none */
	uint64_t began;		       /* ticks */
	RILL_ATOMIC(uint64_t) mean_ns; /* EWMA of the length of a slice */
	RILL_ATOMIC(uint64_t) tid;     /* of the kernel; 0: never in the loop */
	struct rill_histogram run;     /* counts NULL: not wanted */
	struct rill_histogram latency;
};

/*
 * Sets rt->observed by its options, and what the workers need. -EINVAL: no such histogram; -ENOMEM.
 * fini also after a failure.
 */
int rill_observe_init(struct rill_runtime *rt);
void rill_observe_fini(struct rill_runtime *rt);

/* From now on slices are observed: for a task with a monitor. Any thread. */
void rill_observe_enable(struct rill_runtime *rt);

/* Only when rt->observed. t became runnable, perhaps not for the first time since it last ran. */
void rill_observe_wake(struct rill_task *t);
/* t begins a slice; that of another task on w may be open still, and is closed. */
void rill_observe_before(struct rill_worker *w, struct rill_task *t);
/* t has left its slice, and nobody has been told. */
void rill_observe_after(struct rill_worker *w, struct rill_task *t);
/* t is about to be made runnable for the first time, on the spawner's thread; t has ended. */
void rill_observe_spawn(struct rill_task *t);
void rill_observe_end(struct rill_task *t);

/* w's loop is entered and left, by the calling thread. */
void rill_observe_enter(struct rill_worker *w);
void rill_observe_leave(struct rill_worker *w);

/* Once per turn: follows the probe. */
void rill_observe_turn(struct rill_worker *w, uint64_t now_ns);
/* What it says, from any thread. */
uint64_t rill_observe_delay(const struct rill_worker *w);

/* ns that w has spent in each phase, the present one included. Any thread. */
void rill_observe_phases(const struct rill_worker *w, uint64_t ret_ns[RILL_PHASES]);

/* Ticks of rt (see ticks.h). */
uint64_t rill_observe_ticks(const struct rill_runtime *rt);
uint64_t rill_observe_ns(const struct rill_runtime *rt, uint64_t ticks);

/* Ends the present phase at now. */
static inline void rill_phases_charge(struct rill_phases *p, uint32_t phase, uint64_t now)
{
	uint64_t since = rill_load_relaxed(&p->since);
	RILL_ATOMIC(uint64_t) *spent = &p->ticks[rill_load_relaxed(&p->phase)];

	if (since == 0)
		return;
	rill_store_relaxed(&p->since, 0);
	/* release: after since became 0; pairs with rill_observe_phases() */
	if (now > since)
		rill_store_release(spent, rill_load_relaxed(spent) + now - since);
	/* release: as above */
	rill_store_release(&p->phase, phase);
	/* release: the rest is in place; never backwards */
	rill_store_release(&p->since, now > since ? now : since);
}

#endif
