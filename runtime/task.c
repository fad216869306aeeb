/* SPDX-License-Identifier: BSD-3-Clause */
/* Spawn and end. */
#include "runtime/slice.h"

#include <errno.h>
#include <string.h>

#include "runtime/local.h"
#include "runtime/outcome.h"

static RILL_ATOMIC(uint64_t) next_task_id = 1;

/* Ids come in blocks to each worker, so that spawning does not share a counter. */
#define ID_BLOCK 1024

static inline uint64_t task_id_take(struct rill_worker *w)
{
	if (!w)
		return rill_fetch_add_relaxed(&next_task_id, 1);
	if (RILL_UNLIKELY(w->id_next == w->id_end)) {
		w->id_next = rill_fetch_add_relaxed(&next_task_id, ID_BLOCK);
		w->id_end = w->id_next + ID_BLOCK;
	}
	return w->id_next++;
}

/* ---- life ---- */

/* A task's first instruction, on its own stack. */
static void task_entry(void)
{
	struct rill_task *t = rill_task_current();

	rill_slice_arrive(&t->fiber);
	if (rill_task_aborted(t)) {
		t->abort_seen = true;
		t->arg = NULL;
	} else {
		t->arg = t->fn(t->arg);
	}
	rill_slice_exit(t);
}

void rill_task_release(struct rill_task *t)
{
	struct rill_worker *w = rill_worker_current();

	/* release: pairs with the acquire in shutdown's scan */
	rill_store_release(&t->live, false);
	rill_stack_put(t->pool, w && t->pool == &w->rt->stacks ? &w->stacks : NULL, t);
}

struct rill_task *rill_task_end_begin(struct rill_task *t)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	/* acquire: pairs with rill_detach(): whoever did that has done with t, and none is left */
	struct rill_waiter *joiner = rill_load_acquire(&t->join);

	/* acq_rel: publishes the result to the joiner; pairs with the acquires in join_*() */
	if (joiner != RILL_JOIN_DETACHED)
		joiner = rill_exchange_acq_rel(&t->join, RILL_JOIN_WAKING);

	t->joiner = joiner;
	if (joiner == RILL_JOIN_NONE || joiner == RILL_JOIN_DETACHED)
		return NULL;
	rill_wake_add(&batch, joiner);
	t->joiner = batch.first;
	if (!batch.first || !joiner->is_task || rill_task_of(joiner)->rt != t->rt ||
	    rill_load_relaxed(&rill_task_of(joiner)->place))
		return NULL;
	t->joiner = NULL;
	return rill_task_of(joiner);
}

void rill_task_end_finish(struct rill_worker *w, struct rill_task *t)
{
	struct rill_task_owner *owner = t->owner;
	struct rill_waiter *joiner = t->joiner;

	rill_counter_add(&w->metrics.finished, 1);
	if (rill_worker_attends(w, RILL_ATTEND_OBSERVED))
		rill_observe_end(t);
	if (joiner == RILL_JOIN_DETACHED) {
		rill_task_forget(t);
		return;
	}
	/* release: from here on the joiner may leave, and free t; pairs with join_disarm() */
	rill_store_release(&t->join, RILL_JOIN_DONE);
	if (!owner && !joiner)
		return;
	struct rill_task *current = w->current;

	/* Whoever runs now has not woken them: they must not wait for him in his LIFO slot. */
	w->current = NULL;
	if (owner) {
		owner->ended(owner, t);
	} else {
		struct rill_wake_batch batch = {joiner, joiner};

		rill_wake_flush(&batch);
	}
	w->current = current;
}

struct new_task {
	const struct rill_spawn_options *o;
	const void *site;
	void *(*fn)(void *);
	void *arg;
	struct rill_task_owner *owner;
	struct rill_task **ret_task;
	void *(*blocking)(void *); /* what fn is to run on the blocking pool */
};

/*
 * What a task seldom changes, and whoever does so says by t->changed: the last one on this stack
 * has. All else that task_init() leaves alone is at its task's end as it was in the beginning.
 */
static RILL_NOINLINE void task_reset(struct rill_task *t, struct rill_runtime *rt)
{
	t->rt = rt;
	t->unusual = 0;
	t->budget = rt->o.budget;
	t->ready = false;
	t->owner = NULL;
	t->cleanups = NULL;
	t->blocking = NULL;
	t->user = NULL;
	t->monitor = NULL;
	t->name[0] = '\0';
	rill_store_relaxed(&t->place, 0);
}

/* What each task begins with. An abort_id that is left over says nothing: ids come once. */
static RILL_ALWAYS_INLINE void task_init(struct rill_task *t, uint64_t id, void *(*fn)(void *),
					 void *arg, const void *site, bool joinable)
{
	t->fn = fn;
	t->arg = arg;
	t->waiter.scope = NULL;
	t->spawn_site = site;
	rill_store_relaxed(&t->id, id);
	rill_store_relaxed(&t->join, joinable ? RILL_JOIN_NONE : RILL_JOIN_DETACHED);
	/* As one that runs: a wake has nothing to claim, for the task is on its way anyhow. */
	rill_store_relaxed(&t->waiter.state, 0);
	rill_fiber_renew(&t->fiber);
	rill_context_init(&t->context, t, task_entry);
}

static void copy_name(char *to, const char *name)
{
	size_t n = strnlen(name, RILL_TASK_NAME - 1);

	memcpy(to, name, n);
	to[n] = '\0';
}

static void apply_options(struct rill_task *t, const struct rill_spawn_options *o,
			  const struct rill_worker *self)
{
	uint8_t place = 0;

	if (o->name)
		copy_name(t->name, o->name);
	if (o->budget)
		t->budget = o->budget;
	t->user = o->user;
	t->monitor = o->monitor;
	if (t->monitor)
		rill_observe_enable(t->rt);
	if (o->priority == RILL_PRIORITY_URGENT) {
		place |= RILL_TASK_URGENT;
		rill_schedule_attend(t->rt, RILL_ATTEND_URGENT);
	}
	if (o->placement != RILL_PLACE_ANY) {
		place |= o->placement == RILL_PLACE_PINNED ? RILL_TASK_PINNED : RILL_TASK_HOMING;
		t->home = o->worker == RILL_WORKER_SELF ? self->index : o->worker;
	}
	rill_store_relaxed(&t->place, place);
}

/* What only some spawns ask for. */
static void task_apply(struct rill_task *t, const struct new_task *n,
		       const struct rill_worker *self)
{
	t->owner = n->owner;
	t->blocking = n->blocking;
	t->changed = true;
	if (n->o)
		apply_options(t, n->o, self);
}

/* ---- spawn ---- */

/* The caller's runtime and whether more tasks may be made. A task's spawn needs no stronger check:
 * see rill_runtime_destroy(). */
static bool may_spawn(struct rill_runtime *rt, struct rill_task *t, bool inside)
{
	if (inside) {
		rill_store_relaxed(&t->live, true);
		return !rill_load_relaxed(&rt->closing);
	}
	/* seq_cst: live, then closing; pairs with closing, then the scan, in rill_runtime_destroy()
	 */
	rill_publish(&t->live, true);
	return !rill_load_seq_cst(&rt->closing);
}

static struct rill_stack_pool *pool_for(struct rill_runtime *rt, size_t stack_size)
{
	if (stack_size == 0)
		return &rt->stacks;
	for (unsigned i = 0; i < RILL_STACK_CLASSES; i++)
		if (stack_size <= RILL_STACK_CLASS_MIN << i)
			return &rt->stack_classes[i];
	return NULL;
}

static bool options_valid(const struct rill_spawn_options *o, const struct rill_runtime *rt,
			  bool inside)
{
	if (o->size == 0 || o->priority > RILL_PRIORITY_URGENT || o->placement > RILL_PLACE_PINNED)
		return false;
	if (o->placement == RILL_PLACE_ANY)
		return true;
	return o->worker == RILL_WORKER_SELF ? inside : o->worker < rt->worker_count;
}

/* w: the calling worker of rt; NULL: another thread. */
static RILL_NOINLINE int spawn_on(struct rill_runtime *rt, struct rill_worker *w,
				  const struct new_task *n)
{
	const struct rill_spawn_options *o = n->o;
	struct rill_stack_pool *pool = o ? pool_for(rt, o->stack_size) : &rt->stacks;

	if (!pool || (o && !options_valid(o, rt, w != NULL)))
		return -EINVAL;
	struct rill_task *t = rill_stack_get(pool, w && pool == &rt->stacks ? &w->stacks : NULL);

	if (!t)
		return -ENOMEM;
	struct rill_task *parent = w ? w->current : NULL;

	task_reset(t, rt);
	task_init(t, task_id_take(w), n->fn, n->arg, n->site, n->ret_task || n->owner);
	t->parent = parent ? parent->id : 0;
	t->spawned_ns = w ? w->now_ns : rill_runtime_now_rough(rt);
	task_apply(t, n, w);
	if (parent && RILL_UNLIKELY(parent->locals != NULL) && rill_local_inherit(t) < 0) {
		rill_task_release(t);
		return -ENOMEM;
	}
	if (!may_spawn(rt, t, w != NULL)) {
		if (t->locals)
			rill_local_release(t);
		rill_task_release(t);
		/* A shutdown's scan may have seen it, and wait for its end. */
		rill_idle_kick(&rt->workers[0]);
		return -ESHUTDOWN;
	}
	if (w) {
		rill_counter_add(&w->metrics.spawned, 1);
		rill_trace(w, RILL_TRACE_SPAWN, t->id);
	} else {
		rill_fetch_add_relaxed(&rt->external_spawns, 1);
	}
	if (n->ret_task)
		*n->ret_task = t;
	if (RILL_UNLIKELY(rill_load_relaxed(&rt->observed)))
		rill_observe_spawn(t);
	rill_schedule(t);
	return 0;
}

/* rt is kept from going away by the caller, or by being one of its tasks. */
static int spawn_in(struct rill_runtime *rt, const struct new_task *n)
{
	struct rill_worker *w = rill_worker_current();

	if (w && w->rt == rt)
		return spawn_on(rt, w, n);
	rill_runtime_enter(rt);
	int r = spawn_on(rt, NULL, n);

	rill_runtime_exit(rt);
	return r;
}

/* As a program may have been built against an older, shorter struct. */
static RILL_NOINLINE int spawn(const struct new_task *given)
{
	struct rill_spawn_options options = {.size = sizeof(options)};
	struct new_task copy = *given, *n = &copy;
	const struct rill_spawn_options *o = NULL;

	if (!n->fn || (n->o && n->o->size < offsetof(struct rill_spawn_options, runtime)))
		return -EINVAL;
	if (n->o) {
		memcpy(&options, n->o, RILL_MIN(n->o->size, sizeof(options)));
		o = n->o = &options;
	}
	struct rill_runtime *rt = o && o->runtime ? o->runtime : NULL;

	if (!rt && o && o->handle) {
		rt = rill_handle_enter(o->handle);
		if (!rt)
			return -ESHUTDOWN;
		int r = spawn_in(rt, n);

		rill_handle_exit(o->handle);
		return r;
	}
	if (!rt)
		rt = rill_runtime_current();
	return rt ? spawn_in(rt, n) : -EINVAL;
}

int rill_task_spawn(const struct rill_spawn_options *o, const void *site, void *(*fn)(void *),
		    void *arg, struct rill_task_owner *owner, struct rill_task **ret_task)
{
	struct new_task n = {o, site, fn, arg, owner, ret_task, NULL};

	return spawn(&n);
}

int rill_task_spawn_blocking(const struct rill_spawn_options *o, const void *site,
			     void *(*fn)(void *), void *arg, struct rill_task_owner *owner,
			     struct rill_task **ret_task)
{
	struct new_task n = {o, site, rill_blocking_task, arg, owner, ret_task, fn};

	return fn ? spawn(&n) : -EINVAL;
}

int rill_spawn_with(const struct rill_spawn_options *o, void *(*fn)(void *), void *arg,
		    struct rill_task **ret_task)
{
	struct new_task n = {o, __builtin_return_address(0), fn, arg, NULL, ret_task, NULL};

	return spawn(&n);
}

int rill_spawn_blocking(const struct rill_spawn_options *o, void *(*fn)(void *), void *arg,
			struct rill_task **ret_task)
{
	return rill_task_spawn_blocking(o, __builtin_return_address(0), fn, arg, NULL, ret_task);
}

static RILL_NOINLINE int spawn_unusual(struct rill_worker *w, void *(*fn)(void *), void *arg,
				       const void *site, struct rill_task **ret_task)
{
	struct new_task n = {NULL, site, fn, arg, NULL, ret_task, NULL};

	return w && fn ? spawn_on(w->rt, w, &n) : -EINVAL;
}

/* By a task, and nothing is out of the ordinary. */
static inline bool is_usual(const struct rill_worker *w, void *(*fn)(void *))
{
	return w && fn && w->current && !w->current->locals &&
	       !rill_worker_attends(w, RILL_ATTEND_OBSERVED) && !rill_load_relaxed(&w->rt->closing);
}

/* As rill_schedule(). */
static inline void schedule_new(struct rill_worker *w, struct rill_task *t)
{
	if (rill_load_relaxed(&w->lifo) || w->no_lifo) {
		rill_schedule(t);
		return;
	}
	rill_counter_add(&w->metrics.local_schedules, 1);
	/* release: as in rill_lifo_swap(); an empty slot stays so until its worker fills it */
	rill_store_release(&w->lifo, t);
}

int rill_spawn(void *(*fn)(void *), void *arg, struct rill_task **ret_task)
{
	struct rill_worker *w = rill_worker_current();
	const void *site = __builtin_return_address(0);

	if (RILL_UNLIKELY(!is_usual(w, fn)))
		return spawn_unusual(w, fn, arg, site, ret_task);
	struct rill_task *t = rill_stack_get(&w->rt->stacks, &w->stacks);

	if (RILL_UNLIKELY(!t))
		return -ENOMEM;
	if (RILL_UNLIKELY(t->unusual != 0))
		task_reset(t, w->rt);
	task_init(t, task_id_take(w), fn, arg, site, ret_task != NULL);
	t->parent = w->current->id;
	t->spawned_ns = w->now_ns;
	rill_store_relaxed(&t->live, true);
	rill_counter_add(&w->metrics.spawned, 1);
	rill_trace(w, RILL_TRACE_SPAWN, t->id);
	if (ret_task)
		*ret_task = t;
	schedule_new(w, t);
	return 0;
}

/* ---- facts ---- */

uint64_t rill_task_id(const struct rill_task *t)
{
	return t ? t->id : 0;
}

uint64_t rill_self_id(void)
{
	return rill_task_id(rill_task_current());
}

const char *rill_task_name(const struct rill_task *t)
{
	if (!t)
		t = rill_task_current();
	return t ? t->name : "";
}

void *rill_task_user(const struct rill_task *t)
{
	if (!t)
		t = rill_task_current();
	return t ? t->user : NULL;
}

void rill_task_set_user(struct rill_task *t, void *user)
{
	if (!t)
		t = rill_task_current();
	if (!t)
		return;
	t->user = user;
	t->changed = true;
}
