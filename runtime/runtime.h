/* SPDX-License-Identifier: BSD-3-Clause */
/* The runtime and its workers, as the files of this folder see them. */
#ifndef RILL_RUNTIME_RUNTIME_H
#define RILL_RUNTIME_RUNTIME_H

#include <pthread.h>
#include <rill/runtime.h>

#include "base/clock.h"
#include "base/quota.h"
#include "base/rand.h"
#include "base/spinlock.h"
#include "base/wheel.h"
#include "runtime/blocking.h"
#include "runtime/handle.h"
#include "runtime/metrics.h"
#include "runtime/monitor.h"
#include "runtime/observe.h"
#include "runtime/poller.h"
#include "runtime/queue.h"
#include "runtime/stack.h"
#include "runtime/task.h"
#include "runtime/topology.h"
#include "runtime/trace.h"

/* Runnable tasks from elsewhere. A list under a lock; the length may be read without. */
struct rill_inject {
	struct rill_spinlock lock;
	RILL_ATOMIC(uint32_t) len;
	RILL_ATOMIC(uint64_t) remote; /* came from outside the workers; written under lock */
	struct rill_waiter *first;
	struct rill_waiter *last;
};

/* The owner's own, linked by waiter.next. */
struct rill_task_list {
	struct rill_waiter *first;
	struct rill_waiter *last;
};

/* Who sleeps and who searches. The word is changed with the lock held or by RMWs, read without. */
struct rill_idle_state {
	RILL_ATOMIC(uint32_t) word RILL_CACHE_ALIGNED; /* searching, unparked << 16 */
	struct rill_spinlock lock;
	struct rill_worker *sleepers; /* a stack, linked by sleep_next */
};

/* struct rill_worker.attention: what is not for the short way from slice to slice. */
enum rill_attention {
	RILL_ATTEND_INBOX = 1,	  /* there are tasks in the inbox; taken back by the owner */
	RILL_ATTEND_URGENT = 2,	  /* there has been an urgent task, or shuffle; stays */
	RILL_ATTEND_OBSERVED = 4, /* rt->observed; stays */
};

struct rill_worker {
	/* Read by all, written rarely. */
	struct rill_runtime *rt;
	unsigned index;
	int wake_fd; /* eventfd */
	pthread_t thread;

	/* The owner's, on every slice. */
	struct rill_task *current RILL_CACHE_ALIGNED;
	struct rill_task *previous;  /* has left its slice; whoever runs next finishes it */
	struct rill_context context; /* of the loop, while a task runs */
	struct rill_fiber fiber;
	uint64_t now_ns;     /* see rill_worker_now() */
	uint64_t now_cycles; /* the counter, when now_ns was read */
	/* The last reading of the clock itself: now_ns goes on from it by the counter. */
	uint64_t clock_ns;
	uint64_t clock_cycles;	 /* the counter then */
	uint64_t clock_span;	 /* good for so many cycles */
	uint64_t clock_rate;	 /* ns per cycle, 32 binary places; 0: not known */
	uint64_t clock_word;	 /* what rt->clock was */
	uint64_t clock_lag_ns;	 /* now_ns is behind the clock by less than this */
	uint64_t turn_ns;	 /* when the last turn began */
	unsigned budget;	 /* of this slice */
	unsigned lifo_runs;	 /* in a row */
	unsigned slices_to_poll; /* until the next turn */
	unsigned poll_interval;	 /* self-tuned */
	unsigned ticks;		 /* slices since the inject queue went first */
	unsigned inject_interval;
	unsigned urgent_runs; /* in a row */
	uint64_t slice_ns;    /* EWMA of the length of a slice */
	struct rill_trace_ring trace;
	uint64_t id_next; /* of the next task spawned here */
	uint64_t id_end;
	struct rill_rand rand;
	struct rill_task_list defer; /* yielded: run after the next turn */
	struct rill_task_list own;   /* runnable, and only here: pinned, or w is alone */
	struct rill_stack_cache stacks;
	struct rill_worker_counters metrics; /* read by others; see metrics.h for the timers */
	struct rill_worker_watch watch;	     /* see observe.h; read by others */
	bool searching;
	bool own_first;		/* next time before the queue */
	bool alone;		/* the runtime's only worker: nobody steals */
	bool no_lifo;		/* an option */
	bool no_ring;		/* there can be none here */
	struct rill_ring *ring; /* NULL: nobody has asked for it yet */

	/* Written by the owner, read by others. */
	RILL_ATOMIC(uint64_t) beat RILL_CACHE_ALIGNED; /* grows with every turn */
	RILL_ATOMIC(uint64_t) epoch_seen;	       /* see rill_runtime_quiesce() */
	RILL_ATOMIC(bool) running;		       /* a thread is in the loop */
	RILL_ATOMIC(uint64_t) park_deadline;	       /* sleeps until then; 0: awake */

	/* Written by others too. */
	RILL_ATOMIC(bool) stuck; /* by the monitor; cleared with the next turn */
	RILL_ATOMIC(struct rill_task *) lifo RILL_CACHE_ALIGNED;
	bool asleep; /* on the sleepers' stack; idle.lock */
	struct rill_worker *sleep_next;
	RILL_ATOMIC(uint64_t) wheel_next_ns; /* no timer is due before; changed under wheel_lock */
	struct rill_spinlock wheel_lock;
	struct rill_wheel wheel;
	struct rill_queue queue;
	struct rill_queue urgent;
	/* In one cache line, for a wake from another worker touches both. */
	struct rill_inject inbox RILL_CACHE_ALIGNED; /* tasks for this worker, from others */
	RILL_ATOMIC(uint32_t) attention;	     /* enum rill_attention */

	/* For those who look on (peek.h). */
	RILL_ATOMIC(int) tid;		      /* of the thread in the loop, or 0; by that thread */
	RILL_ATOMIC(struct rill_peek *) peek; /* by the first who looks */
};

/* Task stacks of other sizes than the runtime's: 16 KiB << class. */
#define RILL_STACK_CLASSES 17

struct rill_runtime {
	struct rill_runtime_options o; /* defaults filled in */
	char name[32];
	unsigned worker_count;
	struct rill_worker *workers;
	struct rill_victims *victims; /* for each worker */
	uint64_t id;
	struct rill_handle *handle;
	struct rill_stack_pool stacks; /* of the default size */
	struct rill_stack_pool stack_classes[RILL_STACK_CLASSES];
	struct rill_blocking_pool blocking;
	struct rill_monitor monitor;
	RILL_ATOMIC(bool) observed;  /* see observe.h; once set it stays so */
	bool ticks_are_ns;	     /* see ticks.h; set at the start */
	RILL_ATOMIC(uint64_t) clock; /* see rill_clock_set(); one word, so that it is read whole */

	struct rill_inject inject RILL_CACHE_ALIGNED;
	struct rill_inject urgent;
	struct rill_idle_state idle;
	RILL_ATOMIC(uint64_t) external_spawns RILL_CACHE_ALIGNED;
	struct rill_quota tcp_memory;	    /* of the queues of its TCP connections */
	RILL_ATOMIC(uint64_t) failed_tasks; /* detached, and ended by rill_fail() */
	RILL_ATOMIC(bool) failed;	    /* see rill_runtime_fail() */
	RILL_ATOMIC(uint64_t) epoch;
	RILL_ATOMIC(bool) closing;     /* no more spawns */
	RILL_ATOMIC(bool) any_stuck;   /* by the monitor */
	RILL_ATOMIC(uint32_t) outside; /* threads not of ours in the middle of a wake or spawn */
	RILL_ATOMIC(bool) stop;	       /* workers leave their loops */

	pthread_mutex_t drive_lock;
	struct rill_list drive_queue; /* CURRENT_THREAD: threads that wait to drive */
	bool driven;		      /* a thread is in the loop; drive_lock */

	pthread_mutex_t poller_lock;
	RILL_ATOMIC(uint32_t) poller_count; /* highest used slot + 1 */
	RILL_ATOMIC(struct rill_poller *) pollers[RILL_POLLERS_MAX];
};

/* ---- current.c: never cached across a switch ---- */
#if defined(__x86_64__) && !defined(RILL_MODEL)
extern __thread struct rill_worker *rill_tls_worker
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

static RILL_ALWAYS_INLINE struct rill_worker *rill_worker_current(void)
{
	struct rill_worker *w;

	/* Two instructions that the compiler must do again each time, and knows no address of. */
	__asm__ volatile("movq rill_tls_worker@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0"
			 : "=r"(w));
	return w;
}
#else
struct rill_worker *rill_worker_current(void);
#endif
void rill_worker_set_current(struct rill_worker *w);

static inline struct rill_task *rill_task_current(void)
{
	struct rill_worker *w = rill_worker_current();

	return w ? w->current : NULL;
}

/*
 * The caller, if it is a task whom nothing keeps from trying at once what a wait would try first:
 * it has budget on its worker, of which it then takes a unit itself, no scope, and was not aborted.
 * Else NULL: rill_await() sees to all that.
 */
static RILL_ALWAYS_INLINE struct rill_task *rill_task_unhindered(struct rill_worker **ret_worker)
{
	struct rill_worker *w = rill_worker_current();
	struct rill_task *t = w ? w->current : NULL;

	if (RILL_UNLIKELY(!t || t->waiter.scope || w->budget == 0 || rill_task_aborted(t)))
		return NULL;
	*ret_worker = w;
	return t;
}

/* 146 years: what fits beside the flag in the clock's word. A clock that stands there is at
 * RILL_FOREVER. */
#define RILL_CLOCK_MAX ((uint64_t)INT64_MAX >> 1)

/* Paused: it stands at ns. Else it is ahead of the machine's by ns, or behind it when negative. */
static inline void rill_clock_set(struct rill_runtime *rt, bool paused, int64_t ns)
{
	rill_store_relaxed(&rt->clock, (uint64_t)ns << 1 | paused);
}

static inline bool rill_clock_is_paused(const struct rill_runtime *rt)
{
	return rill_load_relaxed(&rt->clock) & 1;
}

/* The runtime's clock: real, or paused. */
uint64_t rill_runtime_now(const struct rill_runtime *rt);

/* The same, some milliseconds old perhaps: for the ages of things. */
uint64_t rill_runtime_now_rough(const struct rill_runtime *rt);

/*
 * The same on a worker's own thread, mostly within a microsecond: reading the cycle counter
 * costs a third of reading the clock. Never ahead of the clock, so that nothing is early by it.
 */
uint64_t rill_worker_now(struct rill_worker *w);

/* The same, but never behind the clock: for deadlines a certain time from now. */
static inline uint64_t rill_worker_now_latest(struct rill_worker *w)
{
	uint64_t now = rill_worker_now(w);

	return rill_clock_is_paused(w->rt) ? now : now + w->clock_lag_ns;
}

/* The caller's: by its worker when it is one of rt's, else exact. */
uint64_t rill_runtime_now_coarse(const struct rill_runtime *rt);

/* Around the use of a runtime by a thread that is none of its workers: rill_runtime_destroy()
 * waits. */
static inline void rill_runtime_enter(struct rill_runtime *rt)
{
	rill_fetch_add_relaxed(&rt->outside, 1);
}

static inline void rill_runtime_exit(struct rill_runtime *rt)
{
	/* release: our last touch; pairs with the acquire in runtime_free() */
	rill_fetch_sub_release(&rt->outside, 1);
}

/* ---- schedule.c ---- */
/* Makes a claimed or new task runnable, from anywhere. */
void rill_schedule(struct rill_task *t);
/* All of the list, in order. w: the caller's worker, of their runtime. */
void rill_schedule_all(struct rill_worker *w, struct rill_task_list l);
/* Has every worker of rt attend to something from now on. */
void rill_schedule_attend(struct rill_runtime *rt, enum rill_attention what);
struct rill_task *rill_inject_pop(struct rill_inject *q);
/* All of it, in order. */
struct rill_task_list rill_inject_pop_all(struct rill_inject *q);

/* Into the slot for the task that runs next; what was in it. */
static inline struct rill_task *rill_lifo_swap(struct rill_worker *w, struct rill_task *t)
{
	if (w->alone) {
		struct rill_task *old = rill_load_relaxed(&w->lifo);

		rill_store_relaxed(&w->lifo, t);
		return old;
	}
	/* acq_rel: whoever takes a task out of the slot, a reliever perhaps, sees it whole */
	return rill_exchange_acq_rel(&w->lifo, t);
}

/* On w's own thread. */
static inline bool rill_worker_attends(const struct rill_worker *w, unsigned what)
{
	return RILL_UNLIKELY(rill_load_relaxed(&w->attention) & what);
}

static inline void rill_task_list_push_front(struct rill_task_list *l, struct rill_task *t)
{
	t->waiter.next = l->first;
	l->first = &t->waiter;
	if (!l->last)
		l->last = &t->waiter;
}

static inline void rill_task_list_push(struct rill_task_list *l, struct rill_task *t)
{
	t->waiter.next = NULL;
	if (l->last)
		l->last->next = &t->waiter;
	else
		l->first = &t->waiter;
	l->last = &t->waiter;
}

/* ---- idle.c ---- */
/* Wakes a sleeping worker if nobody is searching already. */
void rill_idle_notify(struct rill_runtime *rt);
bool rill_idle_start_search(struct rill_worker *w);
void rill_idle_stop_search(struct rill_worker *w);
/* Sleeps until woken, or a deadline. */
void rill_idle_park(struct rill_worker *w);
/* Interrupts w's sleep, or makes its next one return at once. */
void rill_idle_kick(struct rill_worker *w);

/* ---- worker.c ---- */
/* Runs w on this thread until until(ctx) or the runtime stops. */
void rill_worker_run(struct rill_worker *w, bool (*until)(void *), void *ctx);
/* Runs one slice of t on this thread, and nothing else; w's loop must not be running. */
void rill_worker_step(struct rill_worker *w, struct rill_task *t);

/* Polls the pollers whose home is worker home, on worker w. */
bool rill_worker_poll_home(struct rill_worker *w, unsigned home, bool foreign);
bool rill_worker_fire_timers(struct rill_worker *wheel_owner, uint64_t now);

/* ---- observe.c ---- */
/* w's time goes into phase from now on. On its own thread. */
static inline void rill_phase_enter(struct rill_worker *w, enum rill_phase phase)
{
	struct rill_phases *p = &w->watch.phases;

	if (rill_load_relaxed(&p->phase) != (uint32_t)phase)
		rill_phases_charge(p, (uint32_t)phase,
				   w->rt->ticks_are_ns ? rill_worker_now(w) : rill_cycles());
}

/* The same, right after rill_worker_now(). */
static inline void rill_phase_enter_now(struct rill_worker *w, enum rill_phase phase)
{
	struct rill_phases *p = &w->watch.phases;

	if (rill_load_relaxed(&p->phase) != (uint32_t)phase)
		rill_phases_charge(p, (uint32_t)phase,
				   w->rt->ticks_are_ns ? w->now_ns : w->now_cycles);
}

/* The present phase turned out to be another. */
static inline void rill_phase_was(struct rill_worker *w, enum rill_phase phase)
{
	rill_store_relaxed(&w->watch.phases.phase, (uint32_t)phase);
}

/* ---- timer.c ---- */
void rill_task_timer_arm(struct rill_task *t, struct rill_worker *w, uint64_t deadline_ns);
void rill_task_timer_cancel(struct rill_task *t);

/* ---- runtime.c ---- */
/*
 * Waits until every worker has passed the top of its loop once more (or is not running): what was
 * hidden from the workers before is used by none of them after.
 */
void rill_runtime_quiesce(struct rill_runtime *rt);

/* Parts of making one and of its end. */
void rill_runtime_stop_threads(struct rill_runtime *rt, unsigned started);
void rill_runtime_free(struct rill_runtime *rt);
/* CURRENT_THREAD: true when nobody was driving, and the caller does from now on, for good. */
bool rill_runtime_try_drive(struct rill_runtime *rt);

/* Aborts every task that has not ended. From any thread. */
void rill_runtime_abort_all(struct rill_runtime *rt);

/* For RILL_FAILURE_SHUTDOWN: no more spawns, and every task is aborted. From any thread. */
void rill_runtime_fail(struct rill_runtime *rt);

/* Every task there is, idle ones included, on stacks of all sizes. */
void rill_runtime_for_each_task(struct rill_runtime *rt, void (*visit)(struct rill_task *, void *),
				void *ctx);

#endif
