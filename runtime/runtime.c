/* SPDX-License-Identifier: BSD-3-Clause */
/* Making and ending a runtime. */
#include "runtime/runtime.h"

#include <errno.h>
#include <rill/time.h>
#include <rill/token.h>
#include <sched.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "runtime/await.h"
#include "runtime/crash.h"
#include "runtime/options.h"
#include "runtime/ring.h"
#include "runtime/thread.h"

static int worker_init(struct rill_runtime *rt, unsigned i)
{
	struct rill_worker *w = &rt->workers[i];

	w->rt = rt;
	w->index = i;
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->poll_interval = rt->o.poll_interval ? rt->o.poll_interval : 61;
	w->slices_to_poll = w->poll_interval;
	w->inject_interval = rt->o.inject_interval ? rt->o.inject_interval : 31;
	w->alone = rt->worker_count == 1;
	w->no_lifo = rt->o.no_lifo;
	w->attention = rt->o.shuffle ? RILL_ATTEND_URGENT : 0;
	rill_rand_init(&w->rand, rt->o.seed + i);
	rill_queue_init(&w->queue);
	rill_queue_init(&w->urgent);
	rill_wheel_init(&w->wheel, rill_runtime_now(rt));
	w->wheel_next_ns = UINT64_MAX;
	return w->wake_fd < 0 ? -errno : 0;
}

static void workers_fini(struct rill_runtime *rt)
{
	for (unsigned i = 0; i < rt->worker_count; i++) {
		struct rill_worker *w = &rt->workers[i];

		rill_ring_destroy(w->ring);
		if (w->rt && w->wake_fd >= 0)
			close(w->wake_fd);
	}
	rill_trace_fini(rt);
	free(rt->workers);
}

/* Pinning is a wish: a container may forbid it, and the worker then runs where the kernel puts it.
 */
static void pin(struct rill_worker *w)
{
	const int *cpus = w->rt->o.cpus;
	cpu_set_t one;

	if (!cpus)
		return;
	CPU_ZERO(&one);
	CPU_SET(cpus[w->index], &one);
	pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
}

/* In which order each worker tries its victims. */
static int victims_init(struct rill_runtime *rt)
{
	struct rill_topology topology;
	int r = rill_topology_init(&topology, RILL_SYSFS_NODES);

	if (r < 0)
		return r;
	r = rill_topology_order(&topology, rt->o.cpus, rt->worker_count, &rt->victims);
	rill_topology_fini(&topology);
	return r;
}

static void *worker_thread(void *arg)
{
	struct rill_worker *w = arg;

	const struct rill_hooks *h = &w->rt->o.hooks;

	pin(w);
	if (h->thread_start)
		h->thread_start(h->user, (int)w->index);
	rill_worker_run(w, NULL, NULL);
	if (h->thread_stop)
		h->thread_stop(h->user, (int)w->index);
	return NULL;
}

/* Names are for people: one that is refused is no error. */
static void name_thread(struct rill_worker *w)
{
	const struct rill_runtime_options *o = &w->rt->o;
	char name[16];

	snprintf(name, sizeof(name), "%.10s-%u", w->rt->name, w->index);
	if (o->thread_name)
		o->thread_name(o->thread_name_user, (int)w->index, name, sizeof(name));
	pthread_setname_np(w->thread, name);
}

static int start_thread(struct rill_worker *w)
{
	int r = rill_thread_create(&w->thread, w->rt->o.thread_stack_size, worker_thread, w);

	if (r == 0)
		name_thread(w);
	return r;
}

void rill_runtime_stop_threads(struct rill_runtime *rt, unsigned started)
{
	/* seq_cst: before the kicks; pairs with work_left() */
	rill_store_seq_cst(&rt->stop, true);
	for (unsigned i = 0; i < started; i++)
		rill_idle_kick(&rt->workers[i]);
	for (unsigned i = 0; i < started; i++)
		pthread_join(rt->workers[i].thread, NULL);
}

void rill_runtime_free(struct rill_runtime *rt)
{
	rill_monitor_stop(rt);
	rill_blocking_pool_fini(&rt->blocking);
	/* acquire: pairs with rill_runtime_exit(): somebody's wake may not have returned yet */
	while (rill_load_acquire(&rt->outside) > 0)
		sched_yield();
	rill_observe_fini(rt);
	workers_fini(rt);
	rill_stack_pool_fini(&rt->stacks);
	for (unsigned i = 0; i < RILL_STACK_CLASSES; i++)
		rill_stack_pool_fini(&rt->stack_classes[i]);
	pthread_mutex_destroy(&rt->poller_lock);
	pthread_mutex_destroy(&rt->drive_lock);
	rill_victims_free(rt->victims);
	rill_options_release(&rt->o);
	free(rt);
}

static RILL_ATOMIC(uint64_t) next_runtime_id = 1;

static struct rill_runtime *runtime_alloc(const struct rill_runtime_options *o)
{
	struct rill_runtime *rt = aligned_alloc(RILL_CACHE_LINE, sizeof(*rt));

	if (!rt)
		return NULL;
	memset(rt, 0, sizeof(*rt));
	rt->o = *o;
	rill_quota_init(&rt->tcp_memory, o->tcp_memory);
	snprintf(rt->name, sizeof(rt->name), "%s", o->name);
	rt->id = rill_fetch_add_relaxed(&next_runtime_id, 1);
	rt->worker_count = o->workers;
	rill_clock_set(rt, o->start_paused, o->start_paused ? (int64_t)rill_clock_mono() : 0);
	/* all workers count as awake from the start */
	rt->idle.word = o->workers << 16;
	pthread_mutex_init(&rt->poller_lock, NULL);
	pthread_mutex_init(&rt->drive_lock, NULL);
	rill_list_init(&rt->drive_queue);
	rill_stack_pool_init(&rt->stacks, rill_stack_bytes(o->stack_size));
	for (unsigned i = 0; i < RILL_STACK_CLASSES; i++)
		rill_stack_pool_init(&rt->stack_classes[i],
				     rill_stack_bytes(RILL_STACK_CLASS_MIN << i));
	rill_blocking_pool_init(&rt->blocking, rt);
	rt->workers = aligned_alloc(RILL_CACHE_LINE, rt->worker_count * sizeof(*rt->workers));
	rt->handle = rill_handle_create(rt);
	if (!rt->workers || !rt->handle) {
		rt->worker_count = 0;
		rt->o.cpus = NULL; /* the caller's still */
		rill_handle_put(rt->handle);
		rill_runtime_free(rt);
		return NULL;
	}
	memset(rt->workers, 0, rt->worker_count * sizeof(*rt->workers));
	return rt;
}

int rill_runtime_create(const struct rill_runtime_options *in, struct rill_runtime **ret_rt)
{
	struct rill_runtime_options o;

	if (rill_worker_current()) {
		rill_options_fail(
			"a task cannot create a runtime: its worker would have to wait for "
			"it; create it on a thread of its own");
		return -EDEADLK;
	}
	int r = rill_options_fill(&o, in);

	if (r < 0)
		return r;
	struct rill_runtime *rt = runtime_alloc(&o);

	if (!rt) {
		rill_options_release(&o);
		rill_options_fail("no memory for %u workers", o.workers);
		return -ENOMEM;
	}
	r = victims_init(rt);
	rill_crash_install_default();
	for (unsigned i = 0; r == 0 && i < rt->worker_count; i++)
		r = worker_init(rt, i);
	if (r == 0)
		r = rill_trace_init(rt);
	if (r == 0)
		r = rill_observe_init(rt);
	if (r == 0)
		r = rill_monitor_start(rt);
	for (unsigned i = 0; i < rt->worker_count && r == 0 && o.flavor == RILL_MULTI_THREAD; i++) {
		r = start_thread(&rt->workers[i]);
		if (r < 0)
			rill_runtime_stop_threads(rt, i);
	}
	if (r < 0) {
		rill_handle_close(rt->handle);
		rill_runtime_free(rt);
		rill_options_fail("the system refuses what the runtime needs: %s", strerror(-r));
		return r;
	}
	*ret_rt = rt;
	return 0;
}

void rill_runtime_for_each_task(struct rill_runtime *rt, void (*visit)(struct rill_task *, void *),
				void *ctx)
{
	rill_stack_for_each(&rt->stacks, visit, ctx);
	for (unsigned i = 0; i < RILL_STACK_CLASSES; i++)
		rill_stack_for_each(&rt->stack_classes[i], visit, ctx);
}

/* ---- block_on ---- */

/* A thread that waits for its task while another one drives the runtime. */
struct drive_waiter {
	struct rill_list link;
	struct rill_token *token; /* cancelled: it drives from now on */
};

static bool task_ended(void *task)
{
	return rill_is_finished(task);
}

/* True when the caller drives from now on, else it waits in the queue. */
static bool drive_begin(struct rill_runtime *rt, struct drive_waiter *me)
{
	pthread_mutex_lock(&rt->drive_lock);
	bool idle = !rt->driven;

	rt->driven = true;
	if (!idle)
		rill_list_push_back(&rt->drive_queue, &me->link);
	pthread_mutex_unlock(&rt->drive_lock);
	return idle;
}

bool rill_runtime_try_drive(struct rill_runtime *rt)
{
	pthread_mutex_lock(&rt->drive_lock);
	bool idle = !rt->driven;

	rt->driven = true;
	pthread_mutex_unlock(&rt->drive_lock);
	return idle;
}

/* The next one takes over, without a moment in which nobody drives. */
static void drive_end_locked(struct rill_runtime *rt)
{
	struct rill_list *next = rill_list_pop_front(&rt->drive_queue);

	rt->driven = next != NULL;
	/* Under the lock, which keeps the token: its owner leaves the queue before destroying it.
	 */
	if (next)
		rill_token_cancel(RILL_LIST_ENTRY(next, struct drive_waiter, link)->token);
}

/* Waits for t until it has ended (0 or more), or it is our turn to drive (-ECANCELED). */
static int drive_wait(struct rill_runtime *rt, struct drive_waiter *me, struct rill_task *t,
		      void **ret_value)
{
	struct rill_scope scope;

	rill_scope_begin(&scope, RILL_FOREVER, me->token);
	int r = rill_join(t, ret_value);

	rill_scope_end(&scope);
	if (r < 0)
		return r;
	pthread_mutex_lock(&rt->drive_lock);
	if (rill_list_linked(&me->link))
		rill_list_del(&me->link);
	else
		drive_end_locked(rt);
	pthread_mutex_unlock(&rt->drive_lock);
	return r;
}

static int block_on_current(struct rill_runtime *rt, struct rill_task *t, struct rill_token *token,
			    void **ret_value)
{
	struct drive_waiter me = {.token = token};

	rill_list_init(&me.link);
	if (!drive_begin(rt, &me)) {
		int r = drive_wait(rt, &me, t, ret_value);

		if (r >= 0)
			return r;
	}
	rill_worker_run(&rt->workers[0], task_ended, t);
	pthread_mutex_lock(&rt->drive_lock);
	drive_end_locked(rt);
	pthread_mutex_unlock(&rt->drive_lock);
	return rill_join(t, ret_value);
}

int rill_block_on(struct rill_runtime *rt, void *(*fn)(void *), void *arg, void **ret_value)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt, .name = "block_on"};
	struct rill_token *token;
	struct rill_scope shield;
	struct rill_task *t;

	if (rill_worker_current())
		return -EDEADLK;
	int r = rill_token_create(&token);

	if (r < 0)
		return r;
	/* The runtime must still be there when its task has ended, which shutdown may be waiting
	 * for. */
	struct rill_handle *h = rt->handle;

	if (!rill_handle_enter(h)) {
		rill_token_unref(token);
		return -ESHUTDOWN;
	}
	r = rill_spawn_with(&o, fn, arg, &t);
	if (r < 0)
		goto out;
	/* arg may lie on the caller's stack: waits whatever the caller's scopes say. */
	rill_scope_begin_shield(&shield);
	if (rt->o.flavor == RILL_CURRENT_THREAD)
		r = block_on_current(rt, t, token, ret_value);
	else
		r = rill_join(t, ret_value);
	rill_scope_end(&shield);
	if (r == RILL_JOIN_ABORTED)
		r = -ECANCELED;
out:
	rill_handle_exit(h);
	rill_token_unref(token);
	return r;
}

uint64_t rill_runtime_id(const struct rill_runtime *rt)
{
	return rt->id;
}

const char *rill_runtime_name(const struct rill_runtime *rt)
{
	return rt->name;
}

enum rill_flavor rill_runtime_flavor(const struct rill_runtime *rt)
{
	return rt->o.flavor;
}

unsigned rill_runtime_workers(const struct rill_runtime *rt)
{
	return rt->worker_count;
}
