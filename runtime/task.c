/* SPDX-License-Identifier: BSD-3-Clause */
/* Spawn, end, join and abort. */
#include "runtime/runtime.h"

#include "runtime/await.h"

static RILL_ATOMIC(uint64_t) next_task_id = 1;

/* Ids come in blocks to each thread, so that spawning does not share a counter. */
#define ID_BLOCK 1024
static __thread uint64_t id_next, id_end;

static RILL_NOINLINE uint64_t task_id_take(void)
{
	__asm__ volatile("");
	if (id_next == id_end) {
		id_next = rill_fetch_add_relaxed(&next_task_id, ID_BLOCK);
		id_end = id_next + ID_BLOCK;
	}
	return id_next++;
}

/* ---- life ---- */

static bool abort_pending(struct rill_task *t)
{
	if (!rill_load_relaxed(&t->waiter.aborted))
		return false;
	t->abort_seen = true;
	return true;
}

/* A task's first instruction, on its own stack. */
static void task_entry(void)
{
	struct rill_task *t = rill_task_current();

	rill_fiber_arrive(&t->fiber, &rill_worker_current()->fiber);
	if (abort_pending(t))
		t->arg = NULL;
	else
		t->arg = t->fn(t->arg);
	rill_worker_leave(t, RILL_TASK_EXIT);
	__builtin_unreachable();
}

void rill_task_put(struct rill_task *t)
{
	struct rill_worker *w = rill_worker_current();

	/* acq_rel: whoever frees the task has seen all that the other holder did with it */
	if (rill_fetch_sub_acq_rel(&t->refs, 1) != 1)
		return;
	/* release: pairs with the acquire in shutdown's scan */
	rill_store_release(&t->live, false);
	rill_stack_put(&t->rt->stacks, w && w->rt == t->rt ? &w->stacks : NULL, t);
}

void rill_task_complete(struct rill_task *t)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	/* What a late waker may still do to the state word is nothing. */
	rill_store_relaxed(&t->waiter.state, RILL_WAITER_PARKED | RILL_WAITER_NOTIFIED);
	/* acq_rel: publishes the result to the joiner; pairs with the acquires in join_*() */
	struct rill_waiter *joiner = rill_exchange_acq_rel(&t->join, RILL_JOIN_WAKING);

	if (joiner)
		rill_wake_add(&batch, joiner);
	/* release: from here on the joiner may leave; pairs with join_disarm() */
	rill_store_release(&t->join, RILL_JOIN_DONE);
	rill_task_put(t);
	rill_wake_flush(&batch);
}

static void task_init(struct rill_task *t, struct rill_runtime *rt, const char *name,
		      void *(*fn)(void *), void *arg, uint32_t refs)
{
	t->rt = rt;
	t->fn = fn;
	t->arg = arg;
	t->name = name;
	t->id = task_id_take();
	t->abort_seen = false;
	t->waiter.scope = NULL;
	t->timer_worker = NULL;
	t->wait_what = NULL;
	rill_store_relaxed(&t->waiter.aborted, false);
	rill_store_relaxed(&t->refs, refs);
	rill_store_relaxed(&t->join, RILL_JOIN_NONE);
	rill_fiber_renew(&t->fiber);
	rill_context_init(&t->context, t, task_entry);
}

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

struct new_task {
	const char *name;
	void *(*fn)(void *);
	void *arg;
	struct rill_task **ret_task;
};

/* w: the calling worker of rt; NULL: another thread. */
static int spawn_on(struct rill_runtime *rt, struct rill_worker *w, const struct new_task *n)
{
	struct rill_task *t = rill_stack_get(&rt->stacks, w ? &w->stacks : NULL);

	if (!t)
		return -ENOMEM;
	task_init(t, rt, n->name, n->fn, n->arg, n->ret_task ? 2 : 1);
	if (!may_spawn(rt, t, w != NULL)) {
		rill_store_relaxed(&t->refs, 1);
		rill_task_put(t);
		/* A shutdown's scan may have seen it, and wait for its end. */
		rill_idle_kick(&rt->workers[0]);
		return -ESHUTDOWN;
	}
	if (w)
		rill_counter_add(&w->metrics.spawned, 1);
	else
		rill_fetch_add_relaxed(&rt->external_spawns, 1);
	if (n->ret_task)
		*n->ret_task = t;
	rill_schedule(t);
	return 0;
}

int rill_spawn_with(const struct rill_spawn_options *o, void *(*fn)(void *), void *arg,
		    struct rill_task **ret_task)
{
	struct rill_worker *w = rill_worker_current();
	struct rill_runtime *rt = o && o->runtime ? o->runtime : (w ? w->rt : NULL);
	bool inside = w && w->rt == rt;

	if (!rt || !fn)
		return -EINVAL;
	struct new_task n = {o ? o->name : NULL, fn, arg, ret_task};

	if (inside)
		return spawn_on(rt, w, &n);
	rill_runtime_enter(rt);
	int r = spawn_on(rt, NULL, &n);

	rill_runtime_exit(rt);
	return r;
}

int rill_spawn(void *(*fn)(void *), void *arg, struct rill_task **ret_task)
{
	return rill_spawn_with(NULL, fn, arg, ret_task);
}

/* ---- join ---- */

static int join_try(struct rill_await *aw)
{
	struct rill_task *t = aw->obj;

	/* acquire: pairs with rill_task_complete() */
	return rill_load_acquire(&t->join) == RILL_JOIN_DONE ? 0 : -EAGAIN;
}

static int join_arm(struct rill_await *aw)
{
	struct rill_task *t = aw->obj;
	struct rill_waiter *none = RILL_JOIN_NONE;

	/* acq_rel: our waiter is whole before the other sees it; on failure we see the result */
	if (rill_cas_acq_rel(&t->join, &none, aw->waiter))
		return -EAGAIN;
	RILL_ASSERT(none == RILL_JOIN_WAKING || none == RILL_JOIN_DONE); /* else: joined twice */
	return 0;
}

static int join_disarm(struct rill_await *aw, bool take)
{
	struct rill_task *t = aw->obj;
	struct rill_waiter *self = aw->waiter;

	/* acq_rel: as in join_arm() */
	if (rill_cas_acq_rel(&t->join, &self, RILL_JOIN_NONE))
		return -EAGAIN;
	/* It is ending just now and about to wake us: a few instructions. acquire: see complete()
	 */
	while (rill_load_acquire(&t->join) != RILL_JOIN_DONE)
		rill_cpu_relax();
	return take ? 0 : -EAGAIN;
}

static const struct rill_await_ops join_ops = {
	.what = "join",
	.try = join_try,
	.arm = join_arm,
	.disarm = join_disarm,
};

int rill_join(struct rill_task *t, void **ret_value)
{
	int r = rill_await_on(&join_ops, t, NULL);

	if (r < 0)
		return r;
	/* An abort may complete join_arm() in the WAKING moment. acquire: see complete() */
	while (rill_load_acquire(&t->join) != RILL_JOIN_DONE)
		rill_cpu_relax();
	if (ret_value)
		*ret_value = t->arg;
	r = t->abort_seen ? RILL_JOIN_ABORTED : 0;
	rill_task_put(t);
	return r;
}

void rill_detach(struct rill_task *t)
{
	rill_task_put(t);
}

void rill_abort(struct rill_task *t)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	/* release: pairs with the RMW of rill_wake_add() and the exchange in run_task() */
	rill_store_release(&t->waiter.aborted, true);
	/* The handle keeps the task's memory, so no lock is needed. */
	rill_wake_add(&batch, &t->waiter);
	rill_wake_flush(&batch);
}

bool rill_is_finished(const struct rill_task *t)
{
	/* acquire: pairs with rill_task_complete() */
	return rill_load_acquire(&t->join) == RILL_JOIN_DONE;
}

uint64_t rill_task_id(const struct rill_task *t)
{
	return t ? t->id : 0;
}

uint64_t rill_self_id(void)
{
	return rill_task_id(rill_task_current());
}
