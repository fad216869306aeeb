/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/look.h"

#include <string.h>
#include <unistd.h>

#include "runtime/held.h"
#include "runtime/runtime.h"

/* A task that keeps changing is busy: it is shown without its stack then. */
#define TRIES 5

const char rill_what_mutex[] = "mutex";
const char rill_what_rwlock_read[] = "rwlock read";
const char rill_what_rwlock_write[] = "rwlock write";

struct look {
	struct rill_task t;
	uint32_t worker; /* that runs it, or RILL_DUMP_NO_WORKER */
	unsigned frame_count;
	const void *frames[RILL_DUMP_FRAMES];
};

static uint32_t worker_of(const struct rill_runtime *rt, const struct rill_task *t)
{
	for (unsigned i = 0; i < rt->worker_count; i++) {
		const struct rill_task *current;

		rill_copy_racy(&current, &rt->workers[i].current, sizeof(current));
		if (current == t)
			return i;
	}
	return RILL_DUMP_NO_WORKER;
}

static bool is_finished(const struct rill_task *copy)
{
	return copy->join == RILL_JOIN_WAKING || copy->join == RILL_JOIN_DONE;
}

/* In a queue or on a list of yielded tasks, parked, or done: nothing moves on its stack. */
static bool stands_still(const struct rill_task *copy, uint32_t worker)
{
	return worker == RILL_DUMP_NO_WORKER || (copy->waiter.state & RILL_WAITER_PARKED);
}

static void look_once(const struct rill_runtime *rt, const struct rill_task *t, bool frames,
		      struct look *l)
{
	memset(l, 0, sizeof(*l));
	rill_copy_racy(&l->t, t, sizeof(l->t));
	/* Neighbours on a list write these, whatever t does. */
	memset(&l->t.waiter.next, 0, sizeof(l->t.waiter.next));
	memset(&l->t.timer.link, 0, sizeof(l->t.timer.link));
	memset(&l->t.owner_link, 0, sizeof(l->t.owner_link));
	if (!l->t.live)
		return;
	/* Only a word without PARKED may be that of a running task. */
	l->worker = l->t.waiter.state & RILL_WAITER_PARKED ? RILL_DUMP_NO_WORKER : worker_of(rt, t);
	if (frames && stands_still(&l->t, l->worker) && !is_finished(&l->t))
		l->frame_count =
			rill_frames_walk((uintptr_t)l->t.context.ip, (uintptr_t)l->t.context.fp,
					 rill_task_bounds(t), l->frames, RILL_DUMP_FRAMES);
}

/* Two looks that agree. */
static bool look_steadily(const struct rill_runtime *rt, const struct rill_task *t, bool frames,
			  struct look *l)
{
	struct look next;

	look_once(rt, t, frames, l);
	for (unsigned i = 0; i < TRIES && l->t.live; i++) {
		look_once(rt, t, frames, &next);
		if (memcmp(l, &next, sizeof(next)) == 0)
			return true;
		*l = next;
	}
	return false;
}

static bool is_held(const char *what)
{
	return what == rill_what_mutex || what == rill_what_rwlock_read ||
	       what == rill_what_rwlock_write;
}

/* The lock may be freed by now, and the task joined be another runtime's: both are read so that
 * this does not matter. */
static uint64_t holder_of(const char *what, const void *obj)
{
	uint64_t id = 0;

	if (is_held(what))
		rill_copy_checked(&id, &((const struct rill_held *)obj)->task_id, sizeof(id));
	else if (obj && strcmp(what, "join") == 0)
		rill_copy_checked(&id, &((const struct rill_task *)obj)->id, sizeof(id));
	return id;
}

/* It has called the task that it joins (see slice.h), which is as good as parked. */
static bool is_caller(const struct rill_task *t, const struct rill_task *copy)
{
	const struct rill_task *joined = copy->wait_obj;
	const struct rill_task *caller = NULL;

	if (copy->wait_what && strcmp(copy->wait_what, "join") == 0)
		rill_copy_checked(&caller, &joined->caller, sizeof(caller));
	return caller == t;
}

static enum rill_dump_state state_of(const struct rill_task *t, const struct look *l)
{
	uint32_t state = l->t.waiter.state;

	if (is_finished(&l->t))
		return RILL_DUMP_FINISHED;
	if (l->worker != RILL_DUMP_NO_WORKER)
		return RILL_DUMP_RUNNING;
	if (state == RILL_WAITER_PARKED || (state == 0 && is_caller(t, &l->t)))
		return RILL_DUMP_PARKED;
	return RILL_DUMP_RUNNABLE;
}

static enum rill_placement placement_of(uint8_t place)
{
	if (place & RILL_TASK_PINNED)
		return RILL_PLACE_PINNED;
	return place & RILL_TASK_HOMING ? RILL_PLACE_HOME : RILL_PLACE_ANY;
}

/* What is so whatever it does. */
static void put_identity(const struct rill_runtime *rt, const struct rill_task *t,
			 const struct rill_task *copy, struct rill_dump_task *d)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t now = rill_runtime_now(rt);

	d->id = copy->id;
	d->parent = copy->parent;
	memcpy(d->name, copy->name, sizeof(d->name));
	d->name[sizeof(d->name) - 1] = '\0';
	d->age_ns = now > copy->spawned_ns ? now - copy->spawned_ns : 0;
	d->fn = copy->blocking ? copy->blocking : copy->fn;
	/* the call, not where it returns to */
	d->spawn_site = copy->spawn_site ? (const char *)copy->spawn_site - 1 : NULL;
	d->stack_size = ((uintptr_t)(t + 1) - (uintptr_t)t->stack_low + page - 1) & ~(page - 1);
	d->stack_high_water = rill_stack_high_water(t);
	d->user = copy->user;
	d->priority = copy->place & RILL_TASK_URGENT ? RILL_PRIORITY_URGENT : RILL_PRIORITY_NORMAL;
	d->placement = placement_of(copy->place);
	d->home = d->placement == RILL_PLACE_ANY ? 0 : copy->home;
	d->aborted = copy->abort_id != 0 && copy->abort_id == copy->id;
}

static void put_wait(const struct rill_task *copy, struct rill_dump_task *d)
{
	d->wait_what = copy->wait_what;
	d->wait_obj = copy->wait_obj;
	if (d->wait_what)
		d->holder = holder_of(d->wait_what, d->wait_obj);
	if (copy->timer_worker)
		d->deadline_ns = copy->timer.deadline_ns;
}

/* A running task's, as its worker was seen; it may have come to another since. */
static void put_sighting(const struct rill_runtime *rt, const struct rill_task *t,
			 const struct rill_sighting *seen, struct rill_dump_task *d)
{
	for (unsigned i = 0; seen && i < rt->worker_count; i++) {
		if (!seen[i].answered || seen[i].task != t || seen[i].task_id != d->id)
			continue;
		d->worker = i;
		d->frame_count = seen[i].frame_count;
		memcpy(d->frames, seen[i].frames, d->frame_count * sizeof(d->frames[0]));
	}
}

bool rill_task_look(struct rill_runtime *rt, struct rill_task *t, bool frames,
		    const struct rill_sighting *seen, struct rill_dump_task *ret_task)
{
	struct look l;
	bool steady = look_steadily(rt, t, frames, &l);

	if (!l.t.live)
		return false;
	memset(ret_task, 0, sizeof(*ret_task));
	ret_task->deadline_ns = RILL_FOREVER;
	put_identity(rt, t, &l.t, ret_task);
	ret_task->state = steady ? state_of(t, &l) : RILL_DUMP_RUNNING;
	ret_task->worker = steady ? l.worker : RILL_DUMP_NO_WORKER;
	if (ret_task->state == RILL_DUMP_RUNNING) {
		put_sighting(rt, t, seen, ret_task);
		return true;
	}
	if (ret_task->state == RILL_DUMP_PARKED)
		put_wait(&l.t, ret_task);
	ret_task->frame_count = l.frame_count;
	memcpy(ret_task->frames, l.frames, sizeof(l.frames));
	return true;
}
