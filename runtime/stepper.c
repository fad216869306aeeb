/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tasks that run when a test says so. Each is marked MANUAL when it is spawned: what would make it
 * runnable sets its ready flag instead, and no loop of the worker ever runs.
 */
#include <rill/test.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "runtime/pause.h"
#include "runtime/runtime.h"

#define MAX_SLICES_DEFAULT 1000000

/* What is known of a task. Its memory may serve another one day: then the id is another. */
struct stepped {
	struct rill_task *task;
	uint64_t id;
	unsigned wakes;
	bool parked; /* its last slice ended in a wait */
};

struct rill_stepper {
	struct rill_runtime *rt;
	struct rill_worker *worker;
	unsigned max_slices;
	bool by_lot;
	struct rill_rand rand;
	uint64_t last_id;      /* of the task that run_until_idle stepped last */
	pthread_mutex_t lock;  /* of tasks: other threads may spawn */
	struct stepped *tasks; /* in the order of spawning */
	size_t task_count;
	size_t task_room;
};

/* ---- misuse ---- */

static RILL_COLD _Noreturn void misused(const char *call, const struct rill_task *t,
					const char *what)
{
	if (t)
		fprintf(stderr, "rill: rill_stepper_%s(): task %" PRIu64 " \"%s\" %s\n", call,
			t->id, t->name, what);
	else
		fprintf(stderr, "rill: rill_stepper_%s(): %s\n", call, what);
	abort();
}

static void check_outside(const char *call)
{
	if (rill_worker_current())
		misused(call, NULL, "called inside a task");
}

/* ---- which tasks there are ---- */

static bool alive(const struct stepped *p)
{
	/* acquire: pairs with rill_task_end_finish() and the release of the task's memory */
	return rill_load_relaxed(&p->task->id) == p->id && rill_load_acquire(&p->task->live) &&
	       !rill_is_finished(p->task);
}

static bool ready(const struct stepped *p)
{
	/* acquire: pairs with the release in rill_schedule() */
	return rill_load_acquire(&p->task->ready) && alive(p);
}

static void forget_the_ended(struct rill_stepper *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->task_count; i++)
		if (rill_load_relaxed(&s->tasks[i].task->id) == s->tasks[i].id)
			s->tasks[n++] = s->tasks[i];
	s->task_count = n;
}

static void note_locked(struct rill_stepper *s, struct rill_task *t)
{
	if (s->task_count == s->task_room)
		forget_the_ended(s);
	if (s->task_count == s->task_room) {
		s->task_room = RILL_MAX(2 * s->task_room, (size_t)16);
		s->tasks = realloc(s->tasks, s->task_room * sizeof(*s->tasks));
		RILL_ASSERT(s->tasks != NULL);
	}
	s->tasks[s->task_count++] = (struct stepped){.task = t, .id = t->id};
}

/* The runtime's hook: before the task can be queued anywhere. */
static void on_spawn(void *user, const struct rill_task_meta *m)
{
	struct rill_stepper *s = user;
	struct rill_task *t = m->task;

	rill_store_relaxed(&t->place, rill_load_relaxed(&t->place) | RILL_TASK_MANUAL);
	pthread_mutex_lock(&s->lock);
	note_locked(s, t);
	pthread_mutex_unlock(&s->lock);
}

/* A copy, for the table may move; false: there is none with the id. */
static bool look_up(struct rill_stepper *s, uint64_t id, struct stepped *ret_entry)
{
	bool found = false;

	pthread_mutex_lock(&s->lock);
	for (size_t i = s->task_count; i > 0 && !found; i--) {
		found = s->tasks[i - 1].id == id;
		if (found)
			*ret_entry = s->tasks[i - 1];
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

static struct stepped entry_of(struct rill_stepper *s, struct rill_task *t, const char *call)
{
	struct stepped entry;

	check_outside(call);
	if (!look_up(s, t->id, &entry))
		misused(call, t, "is none of this stepper's");
	return entry;
}

static void update(struct rill_stepper *s, const struct stepped *entry)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = s->task_count; i > 0; i--) {
		if (s->tasks[i - 1].id != entry->id)
			continue;
		s->tasks[i - 1] = *entry;
		break;
	}
	pthread_mutex_unlock(&s->lock);
}

/* ---- slices ---- */

/* What a turn of the worker's loop would do besides running tasks, dur_ns later. */
static void turn(struct rill_stepper *s, uint64_t dur_ns)
{
	struct rill_worker *w = s->worker;

	if (!rill_clock_is_paused(s->rt))
		misused("step", NULL, "a task has let the stepper's clock run on");
	rill_worker_set_current(w);
	rill_clock_jump(w, dur_ns);
	rill_worker_poll_home(w, w->index, false);
	rill_worker_set_current(NULL);
}

static int step(struct rill_stepper *s, struct stepped entry)
{
	struct rill_task *t = entry.task;

	/* relaxed: ready() has synchronised with whoever set it */
	rill_store_relaxed(&t->ready, false);
	entry.wakes += entry.parked;
	rill_worker_step(s->worker, t);
	bool ended = !alive(&entry);

	entry.parked = !ended && t->action == RILL_TASK_PARK;
	update(s, &entry);
	turn(s, 0);
	if (ended)
		return RILL_STEP_FINISHED;
	return entry.parked ? RILL_STEP_PARKED : RILL_STEP_YIELDED;
}

int rill_stepper_step(struct rill_stepper *s, struct rill_task *t)
{
	struct stepped entry = entry_of(s, t, "step");

	if (!alive(&entry))
		return -ESRCH;
	return ready(&entry) ? step(s, entry) : -EAGAIN;
}

static int step_until_idle(struct rill_stepper *s, struct rill_task *t, const char *call)
{
	struct stepped entry = entry_of(s, t, call);

	for (unsigned n = 0; ready(&entry); n++) {
		if (n == s->max_slices)
			misused(call, t, "is still not idle after max_slices slices");
		if (step(s, entry) == RILL_STEP_FINISHED)
			return RILL_STEP_FINISHED;
		look_up(s, entry.id, &entry);
	}
	return alive(&entry) ? RILL_STEP_PARKED : RILL_STEP_FINISHED;
}

int rill_stepper_step_until_idle(struct rill_stepper *s, struct rill_task *t)
{
	return step_until_idle(s, t, "step_until_idle");
}

/* The runnable task that comes next in the round, or one of them by lot. */
static bool choose_locked(struct rill_stepper *s, struct stepped *ret_entry)
{
	const struct stepped *first = NULL, *next = NULL;
	uint32_t seen = 0;

	for (size_t i = 0; i < s->task_count; i++) {
		const struct stepped *p = &s->tasks[i];

		if (!ready(p))
			continue;
		/* each of the n seen so far with the chance 1/n */
		if (s->by_lot && rill_rand_below(&s->rand, ++seen) == 0)
			next = p;
		if (!s->by_lot && p->id > s->last_id && (!next || p->id < next->id))
			next = p;
		if (!first || p->id < first->id)
			first = p;
	}
	if (!next)
		next = first;
	if (next)
		*ret_entry = *next;
	return next != NULL;
}

static bool choose(struct rill_stepper *s, struct stepped *ret_entry)
{
	pthread_mutex_lock(&s->lock);
	bool any = choose_locked(s, ret_entry);

	pthread_mutex_unlock(&s->lock);
	return any;
}

static unsigned run_until_idle(struct rill_stepper *s, const char *call)
{
	struct stepped entry;
	unsigned n = 0;

	for (; choose(s, &entry); n++) {
		if (n == s->max_slices)
			misused(call, entry.task,
				"or others are still not idle after max_slices "
				"slices");
		s->last_id = entry.id;
		step(s, entry);
	}
	return n;
}

unsigned rill_stepper_run_until_idle(struct rill_stepper *s)
{
	check_outside("run_until_idle");
	return run_until_idle(s, "run_until_idle");
}

int rill_stepper_cancel(struct rill_stepper *s, struct rill_task *t)
{
	check_outside("cancel");
	if (!rill_is_finished(t))
		rill_abort(t);
	return step_until_idle(s, t, "cancel");
}

/* ---- looking ---- */

bool rill_stepper_is_woken(struct rill_stepper *s, struct rill_task *t)
{
	struct stepped entry = entry_of(s, t, "is_woken");

	return ready(&entry);
}

bool rill_stepper_is_parked(struct rill_stepper *s, struct rill_task *t)
{
	struct stepped entry = entry_of(s, t, "is_parked");

	return alive(&entry) && !ready(&entry);
}

bool rill_stepper_is_finished(struct rill_stepper *s, struct rill_task *t)
{
	struct stepped entry = entry_of(s, t, "is_finished");

	return !alive(&entry);
}

unsigned rill_stepper_wake_count(struct rill_stepper *s, struct rill_task *t)
{
	struct stepped entry = entry_of(s, t, "wake_count");

	return entry.wakes + (entry.parked && ready(&entry));
}

const char *rill_stepper_waits_for(struct rill_stepper *s, struct rill_task *t)
{
	struct stepped entry = entry_of(s, t, "waits_for");
	const char *what = rill_load_relaxed(&t->wait_what);

	return entry.parked && what ? what : "";
}

void rill_stepper_result(struct rill_stepper *s, struct rill_task *t,
			 struct rill_outcome *ret_outcome)
{
	struct stepped entry = entry_of(s, t, "result");

	if (alive(&entry))
		misused("result", t, "has not ended");
	/* It does not wait: the task has ended. */
	RILL_ASSERT(rill_join_outcome(t, ret_outcome) >= 0);
}

uint64_t rill_stepper_now(struct rill_stepper *s)
{
	return rill_runtime_now(s->rt);
}

void rill_stepper_advance(struct rill_stepper *s, uint64_t dur_ns)
{
	check_outside("advance");
	turn(s, dur_ns);
}

/* ---- the whole ---- */

struct rill_runtime *rill_stepper_runtime(struct rill_stepper *s)
{
	return s->rt;
}

int rill_stepper_spawn(struct rill_stepper *s, const char *name, void *(*fn)(void *), void *arg,
		       struct rill_task **ret_task)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .name = name, .runtime = s->rt};

	check_outside("spawn");
	return rill_spawn_with(&o, fn, arg, ret_task);
}

static int start(struct rill_stepper *s, const struct rill_stepper_options *o)
{
	struct rill_runtime_options ro = {
		RILL_OPTIONS(ro),
		.flavor = RILL_CURRENT_THREAD,
		.start_paused = true,
		.stack_size = o->stack_size,
		.seed = o->seed ? o->seed : 1,
		.name = "stepper",
		.hooks = {.user = s, .task_spawn = on_spawn},
	};
	int r = rill_runtime_create(&ro, &s->rt);

	if (r < 0)
		return r;
	s->worker = &s->rt->workers[0];
	s->max_slices = o->max_slices ? o->max_slices : MAX_SLICES_DEFAULT;
	s->by_lot = o->seed != 0;
	rill_rand_init(&s->rand, o->seed);
	pthread_mutex_init(&s->lock, NULL);
	return 0;
}

int rill_stepper_create(const struct rill_stepper_options *in, struct rill_stepper **ret_s)
{
	struct rill_stepper_options o = {0};

	if (in && in->size == 0)
		return -EINVAL;
	/* A program built against an older header has fewer of them. */
	if (in)
		memcpy(&o, in, RILL_MIN(in->size, sizeof(o)));
	struct rill_stepper *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	int r = start(s, &o);

	if (r < 0) {
		free(s);
		return r;
	}
	*ret_s = s;
	return 0;
}

/* Tells every task to end; one that has not ended yet, or NULL. */
static struct rill_task *abort_all(struct rill_stepper *s)
{
	struct rill_task *left = NULL;

	/* Nobody else spawns any more, so the table is ours; aborting wakes, but runs nobody. */
	for (size_t i = 0; i < s->task_count; i++) {
		if (!alive(&s->tasks[i]))
			continue;
		left = s->tasks[i].task;
		if (!rill_task_aborted(left))
			rill_abort(left);
	}
	return left;
}

static bool blocking_call_runs(struct rill_stepper *s)
{
	struct rill_blocking_pool *p = &s->rt->blocking;

	pthread_mutex_lock(&p->lock);
	bool busy = p->jobs > 0;

	pthread_mutex_unlock(&p->lock);
	return busy;
}

/* Nobody is runnable: brings about what the aborted still wait for. False: it will not come. */
static bool help_on(struct rill_stepper *s)
{
	uint64_t now = rill_runtime_now(s->rt);
	uint64_t next = rill_load_relaxed(&s->worker->wheel_next_ns);

	if (blocking_call_runs(s)) {
		usleep(100);
		return true;
	}
	if (next == UINT64_MAX)
		return false;
	turn(s, next > now ? next - now : 0);
	return true;
}

void rill_stepper_destroy(struct rill_stepper *s)
{
	struct rill_task *left;

	if (!s)
		return;
	check_outside("destroy");
	/* seq_cst: as in rill_runtime_destroy(): no more spawns, then the look at what there is */
	rill_store_seq_cst(&s->rt->closing, true);
	while ((left = abort_all(s)) != NULL) {
		if (run_until_idle(s, "destroy") > 0 || help_on(s))
			continue;
		const char *what = rill_load_relaxed(&left->wait_what);
		char text[80];

		snprintf(text, sizeof(text), "still waits after its abort, for %s",
			 what ? what : "nothing that has a name");
		misused("destroy", left, text);
	}
	rill_runtime_destroy(s->rt);
	pthread_mutex_destroy(&s->lock);
	free(s->tasks);
	free(s);
}
