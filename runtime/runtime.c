/* SPDX-License-Identifier: BSD-3-Clause */
/* Making and ending a runtime. */
#include "runtime/runtime.h"

#include <errno.h>
#include <rill/time.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "runtime/await.h"

#define WORKERS_MAX 1024
#define STACK_DEFAULT (64u << 10)
#define STACK_MIN (16u << 10)
#define STACK_MAX (1u << 30)
#define BUDGET_DEFAULT 128
#define SPIN_NS_DEFAULT 50000
#define BLOCKING_DEFAULT 512

/* Sanitizers make frames several times as large. */
#if defined(RILL_ASAN) || defined(RILL_TSAN)
#define STACK_FACTOR 8
#else
#define STACK_FACTOR 1
#endif

static unsigned allowed_cpus(cpu_set_t *set)
{
	if (sched_getaffinity(0, sizeof(*set), set) != 0)
		return 0;
	return (unsigned)CPU_COUNT(set);
}

static int fill_options(struct rill_runtime_options *o, const struct rill_runtime_options *in)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	cpu_set_t set;

	memset(o, 0, sizeof(*o));
	if (in) {
		if (in->size == 0)
			return -EINVAL;
		memcpy(o, in, RILL_MIN(in->size, sizeof(*o)));
	}
	if (o->flavor == RILL_CURRENT_THREAD)
		o->workers = 1;
	if (o->workers == 0)
		o->workers = RILL_MAX(allowed_cpus(&set), 1u);
	if (o->stack_size == 0)
		o->stack_size = STACK_DEFAULT;
	if (o->workers > WORKERS_MAX || o->stack_size < STACK_MIN || o->stack_size > STACK_MAX)
		return -EINVAL;
	if (o->start_paused && o->flavor != RILL_CURRENT_THREAD)
		return -EINVAL;
	if ((o->cpu_count > 0) != (o->cpus != NULL))
		return -EINVAL;
	/* what was asked for, and the guard */
	o->stack_size = ((o->stack_size + page - 1) & ~(page - 1)) * STACK_FACTOR + page;
	if (o->budget == 0)
		o->budget = BUDGET_DEFAULT;
	if (o->spin_ns == 0)
		o->spin_ns = SPIN_NS_DEFAULT;
	if (o->max_blocking == 0)
		o->max_blocking = BLOCKING_DEFAULT;
	if (o->seed == 0)
		rill_rand_secret(&o->seed, sizeof(o->seed));
	return 0;
}

static int worker_init(struct rill_runtime *rt, unsigned i)
{
	struct rill_worker *w = &rt->workers[i];

	w->rt = rt;
	w->index = i;
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->poll_interval = 61;
	w->slices_to_poll = w->poll_interval;
	rill_rand_init(&w->rand, rt->o.seed + i);
	rill_queue_init(&w->queue);
	rill_wheel_init(&w->wheel, rill_runtime_now(rt));
	w->wheel_next_ns = UINT64_MAX;
	return w->wake_fd < 0 ? -errno : 0;
}

static void workers_fini(struct rill_runtime *rt)
{
	for (unsigned i = 0; i < rt->worker_count; i++) {
		struct rill_worker *w = &rt->workers[i];

		if (w->rt && w->wake_fd >= 0)
			close(w->wake_fd);
	}
	free(rt->workers);
}

/* The i-th CPU that the process may use. */
static int nth_cpu(const cpu_set_t *set, unsigned i)
{
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, set) && i-- == 0)
			return cpu;
	return -1;
}

/* Pinning is a wish: a container may forbid it, and the worker then runs where the kernel puts it.
 */
static void pin(struct rill_worker *w)
{
	const struct rill_runtime_options *o = &w->rt->o;
	cpu_set_t allowed, one;
	unsigned count = allowed_cpus(&allowed);
	int cpu = -1;

	if (o->cpus)
		cpu = o->cpus[w->index % o->cpu_count];
	else if (!o->no_pin && count > 0 && w->rt->worker_count <= count)
		cpu = nth_cpu(&allowed, w->index);
	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
}

static void *worker_thread(void *arg)
{
	struct rill_worker *w = arg;

	pin(w);
	rill_worker_run(w, NULL, NULL);
	return NULL;
}

static int start_thread(struct rill_worker *w)
{
	sigset_t all, old;
	char name[16];

	/* Signals are for the program's own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int r = pthread_create(&w->thread, NULL, worker_thread, w);

	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r != 0)
		return -r;
	snprintf(name, sizeof(name), "%.10s-%u", w->rt->name, w->index);
	pthread_setname_np(w->thread, name);
	return 0;
}

static void stop_threads(struct rill_runtime *rt, unsigned started)
{
	/* seq_cst: before the kicks; pairs with work_left() */
	rill_store_seq_cst(&rt->stop, true);
	for (unsigned i = 0; i < started; i++)
		rill_idle_kick(&rt->workers[i]);
	for (unsigned i = 0; i < started; i++)
		pthread_join(rt->workers[i].thread, NULL);
}

static void runtime_free(struct rill_runtime *rt)
{
	rill_monitor_stop(rt);
	rill_blocking_pool_fini(&rt->blocking);
	/* acquire: pairs with rill_runtime_exit(): somebody's wake may not have returned yet */
	while (rill_load_acquire(&rt->outside) > 0)
		sched_yield();
	workers_fini(rt);
	rill_stack_pool_fini(&rt->stacks);
	pthread_mutex_destroy(&rt->poller_lock);
	pthread_mutex_destroy(&rt->drive_lock);
	free(rt);
}

static struct rill_runtime *runtime_alloc(const struct rill_runtime_options *o)
{
	struct rill_runtime *rt = aligned_alloc(RILL_CACHE_LINE, sizeof(*rt));

	if (!rt)
		return NULL;
	memset(rt, 0, sizeof(*rt));
	rt->o = *o;
	snprintf(rt->name, sizeof(rt->name), "%.10s", o->name ? o->name : "rill");
	rt->worker_count = o->workers;
	rt->paused = o->start_paused;
	rt->paused_ns = rill_clock_mono();
	/* all workers count as awake from the start */
	rt->idle.word = o->workers << 16;
	pthread_mutex_init(&rt->poller_lock, NULL);
	pthread_mutex_init(&rt->drive_lock, NULL);
	rill_list_init(&rt->drive_queue);
	rill_stack_pool_init(&rt->stacks, o->stack_size);
	rill_blocking_pool_init(&rt->blocking, o->max_blocking);
	rt->workers = aligned_alloc(RILL_CACHE_LINE, rt->worker_count * sizeof(*rt->workers));
	if (!rt->workers) {
		rt->worker_count = 0;
		runtime_free(rt);
		return NULL;
	}
	memset(rt->workers, 0, rt->worker_count * sizeof(*rt->workers));
	return rt;
}

int rill_runtime_create(const struct rill_runtime_options *in, struct rill_runtime **ret_rt)
{
	struct rill_runtime_options o;
	int r = fill_options(&o, in);

	if (r < 0)
		return r;
	if (rill_worker_current())
		return -EDEADLK;
	struct rill_runtime *rt = runtime_alloc(&o);

	if (!rt)
		return -ENOMEM;
	for (unsigned i = 0; i < rt->worker_count && r == 0; i++)
		r = worker_init(rt, i);
	if (r == 0 && rt->worker_count > 1)
		r = rill_monitor_start(rt);
	for (unsigned i = 0; i < rt->worker_count && r == 0 && o.flavor == RILL_MULTI_THREAD; i++) {
		r = start_thread(&rt->workers[i]);
		if (r < 0)
			stop_threads(rt, i);
	}
	if (r < 0) {
		runtime_free(rt);
		return r;
	}
	*ret_rt = rt;
	return 0;
}

/* ---- the end ---- */

struct abort_scan {
	bool any;
};

static void abort_live(struct rill_task *t, void *ctx)
{
	struct abort_scan *scan = ctx;
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	/* seq_cst: after the store of closing; pairs with may_spawn() and rill_task_put() */
	if (!rill_load_seq_cst(&t->live))
		return;
	/* Ended, and only a handle keeps it. acquire: pairs with rill_task_complete() */
	if (rill_load_acquire(&t->join) == RILL_JOIN_DONE)
		return;
	scan->any = true;
	/*
	 * Once is enough; more would keep a task in its shielded clean-up from ever sleeping, and a
	 * paused clock from jumping.
	 */
	if (rill_load_relaxed(&t->waiter.aborted))
		return;
	/*
	 * The task may end and its memory serve another meanwhile: then that one is aborted, which
	 * is what it is in for anyhow. release: as in rill_abort()
	 */
	rill_store_release(&t->waiter.aborted, true);
	rill_wake_add(&batch, &t->waiter);
	rill_wake_flush(&batch);
}

static bool abort_all(struct rill_runtime *rt)
{
	struct abort_scan scan = {.any = false};

	rill_stack_for_each(&rt->stacks, abort_live, &scan);
	return scan.any;
}

struct drain {
	struct rill_runtime *rt;
	bool aborted;
};

/* Looks at every stack only at the start, and when the counters say that all have ended. */
static bool all_ended(void *ctx)
{
	struct drain *d = ctx;

	if (d->aborted && rill_runtime_live_tasks(d->rt) > 0)
		return false;
	d->aborted = true;
	return !abort_all(d->rt);
}

void rill_runtime_quiesce(struct rill_runtime *rt)
{
	/* seq_cst: before the kicks and the looks; pairs with take_turn() and work_left() */
	uint64_t epoch = rill_fetch_add_seq_cst(&rt->epoch, 1) + 1;
	struct rill_worker *self = rill_worker_current();
	struct rill_scope shield;

	/* An aborted caller must still sleep, or its own worker never comes round. */
	rill_scope_begin_shield(&shield);
	for (unsigned i = 0; i < rt->worker_count; i++) {
		struct rill_worker *w = &rt->workers[i];

		if (w != self)
			rill_idle_kick(w);
		/* seq_cst: pairs with worker_enter(); acquire: with worker_exit() and take_turn()
		 */
		while (rill_load_seq_cst(&w->running) && rill_load_acquire(&w->epoch_seen) < epoch)
			rill_sleep(50 * RILL_US);
	}
	rill_scope_end(&shield);
}

int rill_runtime_destroy(struct rill_runtime *rt)
{
	if (!rt)
		return 0;
	if (rill_worker_current())
		return -EDEADLK;
	/* seq_cst: closing, then the scans; pairs with may_spawn() for plain threads */
	rill_store_seq_cst(&rt->closing, true);
	if (rt->o.flavor == RILL_CURRENT_THREAD) {
		struct drain drain = {.rt = rt};

		rill_worker_run(&rt->workers[0], all_ended, &drain);
	} else {
		/* After this no worker can still believe that spawning is allowed. */
		rill_runtime_quiesce(rt);
		while (abort_all(rt))
			rill_sleep(100 * RILL_US);
		stop_threads(rt, rt->worker_count);
	}
	runtime_free(rt);
	return 0;
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
	rill_token_destroy(token);
	return r;
}

unsigned rill_runtime_workers(const struct rill_runtime *rt)
{
	return rt->worker_count;
}
