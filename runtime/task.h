/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A task and its stack. struct rill_task lies at the top of its own stack, so that a parked task
 * touches one page. Stacks come from slabs that stay mapped until the runtime goes, so a task's
 * memory is type-stable: a late wake of a task that has ended hits a state word which ignores it.
 */
#ifndef RILL_RUNTIME_TASK_H
#define RILL_RUNTIME_TASK_H

#include "base/wheel.h"
#include "runtime/context.h"
#include "runtime/fiber.h"
#include "runtime/waiter.h"

struct rill_runtime;
struct rill_worker;

/* What a task asks of the scheduler when it switches to it. */
enum rill_task_action {
	RILL_TASK_PARK,
	RILL_TASK_YIELD,
	RILL_TASK_EXIT,
};

/* struct rill_task.place: what keeps a task from going where any other goes. 0: nothing. */
enum rill_task_place {
	RILL_TASK_URGENT = 1,
	RILL_TASK_PINNED = 2, /* only ever runs on home */
	RILL_TASK_MANUAL = 4, /* runs when a stepper says so (rill/test.h) */
	RILL_TASK_HOMING = 8, /* not yet begun: goes to home first */
};

/* struct rill_task.join besides a waiter's address */
#define RILL_JOIN_NONE ((struct rill_waiter *)0)
#define RILL_JOIN_WAKING ((struct rill_waiter *)1) /* ended; its joiner is being woken */
#define RILL_JOIN_DONE ((struct rill_waiter *)2)
#define RILL_JOIN_DETACHED ((struct rill_waiter *)3) /* nobody will join: the end frees it */

/* Whoever is told of a task's end instead of a joiner: a join set, a tracker. */
struct rill_task_owner {
	/*
	 * On a worker, no lock held, t's stack idle. The handle is the owner's: rill_join() gives
	 * the result at once. May free the owner and t.
	 */
	void (*ended)(struct rill_task_owner *o, struct rill_task *t);
};

struct rill_stack_pool;
struct rill_local_scope;

struct rill_task {
	/* Three lines of the cache are all that spawning, running and ending a plain task needs. */
	struct rill_waiter waiter; /* first: a task's waiter is the task */
	struct rill_context context;
	RILL_ATOMIC(uint64_t) id;
	struct rill_runtime *rt;

	void *(*fn)(void *);
	void *arg; /* then the result */
	RILL_ATOMIC(struct rill_waiter *) join;
	struct rill_waiter *joiner;    /* claimed at the end, to be scheduled; NULL: none */
	struct rill_task_owner *owner; /* NULL: a handle, or nobody */
	RILL_ATOMIC(bool) live;	       /* between spawn and end; scanned by shutdown and dumps */
	RILL_ATOMIC(uint8_t) place;    /* enum rill_task_place */
	uint8_t action;		       /* enum rill_task_action */
	bool ready;		       /* MANUAL: woken, to be stepped */
	unsigned budget;	       /* per slice */
	/* Zero in most tasks from spawn to end. Else the next spawn on this stack resets more. */
	union {
		struct {
			bool changed;	 /* something is not as task_reset() leaves it */
			bool abort_seen; /* a call has returned -ECANCELED because of an abort */
			uint8_t status;	 /* of the end: 0, RILL_JOIN_ABORTED, RILL_JOIN_FAILED */
			bool has_run;	 /* only if somebody asks (rt->observed) */
			uint16_t unconstrained; /* nested rill_unconstrained_begin() */
		};
		uint64_t unusual;
	};
	struct rill_task *caller; /* goes on at the end, and is not parked: see slice.h; or NULL */

	struct rill_stack_pool *pool;	 /* the stack's, for ever */
	struct rill_local_scope *locals; /* innermost first */
	/* For those who look on. Written by the task or its worker; read racily by dumps. */
	uint64_t parent; /* id of the spawner */
	uint64_t spawned_ns;
	const void *spawn_site;
	RILL_ATOMIC(const char *) wait_what; /* while parked */
	RILL_ATOMIC(const void *) wait_obj;
	RILL_ATOMIC(uint64_t) abort_id; /* the id that was told to end: aborted when it is ours */

	struct rill_worker *timer_worker; /* whose wheel may hold timer; NULL: none */
	struct rill_timer timer;
	struct rill_list owner_link;   /* the owner's */
	struct rill_cleanup *cleanups; /* youngest first */
	void *(*blocking)(void *);     /* of rill_spawn_blocking(): what fn hands to the pool */
	void *user;
	uint64_t woken_cycles;	/* when it became runnable; only if somebody asks (rt->observed) */
	uint64_t parked_cycles; /* when it parked; 0: it has not, or was woken; the same */
	uint64_t run_cycles;	/* of all slices; the same */
	struct rill_task_monitor *monitor; /* NULL: none; holds a reference */
	unsigned budget_left;		   /* when the unconstrained part began */
	unsigned home;			   /* of place */
	char name[RILL_TASK_NAME];
	char reason[RILL_TASK_REASON]; /* written by rill_fail() */

	void *stack_low; /* lowest usable byte; the stack's, for ever */
	struct rill_fiber fiber;
};

static inline struct rill_task *rill_task_of(struct rill_waiter *w)
{
	return RILL_CONTAINER_OF(w, struct rill_task, waiter);
}

static inline bool rill_task_aborted(const struct rill_task *t)
{
	uint64_t abort_id = rill_load_relaxed(&t->abort_id);

	return RILL_UNLIKELY(abort_id != 0) && abort_id == t->id;
}

static inline bool rill_waiter_aborted(struct rill_waiter *w)
{
	return w->is_task && rill_task_aborted(rill_task_of(w));
}

/*
 * Spawns for an owner: as rill_spawn_with(), but *ret_task is the owner's, who is told of the end.
 * site is the caller's caller, __builtin_return_address(0) of the public function.
 */
int rill_task_spawn(const struct rill_spawn_options *o, const void *site, void *(*fn)(void *),
		    void *arg, struct rill_task_owner *owner, struct rill_task **ret_task);
int rill_task_spawn_blocking(const struct rill_spawn_options *o, const void *site,
			     void *(*fn)(void *), void *arg, struct rill_task_owner *owner,
			     struct rill_task **ret_task);

/*
 * The end of a task has two halves. The first, on its own stack, claims the joiner: a task that may
 * run next, or NULL. The second, once that stack is idle, publishes the end and may free the task.
 */
struct rill_task *rill_task_end_begin(struct rill_task *t);
void rill_task_end_finish(struct rill_worker *w, struct rill_task *t);

/* Waits for the end as rill_join() does; then frees the task, whose handle the caller has. */
int rill_task_await_end(struct rill_task *t);
void rill_task_release(struct rill_task *t);

#endif
