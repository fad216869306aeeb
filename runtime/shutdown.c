/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The end of a runtime: no more spawns, every task is aborted again and again until none is left,
 * then the threads stop and the memory goes.
 */
#include "runtime/runtime.h"

#include <errno.h>
#include <pthread.h>
#include <rill/time.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "runtime/scope.h"
#include "runtime/thread.h"

struct abort_scan {
	bool any;
};

static void abort_live(struct rill_task *t, void *ctx)
{
	struct abort_scan *scan = ctx;
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	/* seq_cst: after the store of closing; pairs with may_spawn() and rill_task_release() */
	if (!rill_load_seq_cst(&t->live))
		return;
	/* Ended, and only a handle keeps it. acquire: pairs with rill_task_end_finish() */
	if (rill_load_acquire(&t->join) == RILL_JOIN_DONE)
		return;
	scan->any = true;
	/*
	 * Once is enough; more would keep a task in its shielded clean-up from ever sleeping, and a
	 * paused clock from jumping.
	 */
	uint64_t id = rill_load_relaxed(&t->id);

	if (rill_load_relaxed(&t->abort_id) == id)
		return;
	/*
	 * The task may end and its memory serve another meanwhile: then the next scan finds that
	 * one. release: as in rill_abort()
	 */
	rill_store_release(&t->abort_id, id);
	rill_wake_add(&batch, &t->waiter);
	rill_wake_flush(&batch);
}

static bool abort_all(struct rill_runtime *rt)
{
	struct abort_scan scan = {.any = false};

	rill_runtime_for_each_task(rt, abort_live, &scan);
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

static void drain_multi_thread(struct rill_runtime *rt)
{
	/* After this no worker can still believe that spawning is allowed. */
	rill_runtime_quiesce(rt);
	while (abort_all(rt))
		rill_sleep(100 * RILL_US);
	rill_runtime_stop_threads(rt, rt->worker_count);
}

static void drain_current_thread(struct rill_runtime *rt)
{
	struct drain drain = {.rt = rt};

	/* Whoever is still in rill_block_on() has his task aborted, and leaves. */
	while (!rill_runtime_try_drive(rt)) {
		abort_all(rt);
		rill_sleep(100 * RILL_US);
	}
	rill_worker_run(&rt->workers[0], all_ended, &drain);
}

int rill_runtime_destroy(struct rill_runtime *rt)
{
	if (!rt)
		return 0;
	if (rill_worker_current() || rill_thread_runtime() == rt)
		return -EDEADLK;
	/* seq_cst: closing, then the scans; pairs with may_spawn() for plain threads */
	rill_store_seq_cst(&rt->closing, true);
	if (rt->o.flavor == RILL_CURRENT_THREAD)
		drain_current_thread(rt);
	else
		drain_multi_thread(rt);
	rill_handle_close(rt->handle);
	rill_runtime_free(rt);
	return 0;
}

/* ---- with a limit ---- */

/* Shared by the caller and the thread that does it; the last of the two frees it. */
struct shutdown {
	struct rill_runtime *rt;
	pthread_mutex_t lock;
	pthread_cond_t ended_cond;
	bool ended;    /* lock */
	bool given_up; /* by the caller; lock */
};

static void shutdown_free(struct shutdown *s)
{
	pthread_cond_destroy(&s->ended_cond);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static void *shutdown_thread(void *arg)
{
	struct shutdown *s = arg;

	rill_runtime_destroy(s->rt);
	pthread_mutex_lock(&s->lock);
	s->ended = true;
	bool last = s->given_up;

	pthread_cond_signal(&s->ended_cond);
	pthread_mutex_unlock(&s->lock);
	if (last)
		shutdown_free(s);
	return NULL;
}

static int shutdown_start(struct shutdown *s)
{
	pthread_condattr_t attr;
	pthread_t thread;

	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->ended_cond, &attr);
	pthread_condattr_destroy(&attr);
	if (rill_thread_create(&thread, 0, shutdown_thread, s) != 0)
		return -EAGAIN;
	pthread_detach(thread);
	return 0;
}

/* 0, or -ETIMEDOUT: then the thread frees s. */
static int shutdown_wait(struct shutdown *s, uint64_t timeout_ns)
{
	uint64_t now = rill_clock_mono();
	uint64_t until = timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
	struct timespec ts = {
		.tv_sec = (time_t)RILL_MIN(until / 1000000000u, (uint64_t)INT64_MAX),
		.tv_nsec = (long)(until % 1000000000u),
	};
	int r = 0;

	pthread_mutex_lock(&s->lock);
	while (!s->ended && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&s->ended_cond, &s->lock, &ts);
	bool ended = s->ended;

	s->given_up = !ended;
	pthread_mutex_unlock(&s->lock);
	if (!ended)
		return -ETIMEDOUT;
	shutdown_free(s);
	return 0;
}

int rill_runtime_shutdown(struct rill_runtime *rt, uint64_t timeout_ns)
{
	if (!rt)
		return 0;
	if (timeout_ns > 0 && (rill_worker_current() || rill_thread_runtime() == rt))
		return -EDEADLK;
	struct shutdown *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->rt = rt;
	/* Keeps the thread from freeing rt before it is marked here. */
	rill_runtime_enter(rt);
	int r = shutdown_start(s);

	/* seq_cst: as in rill_runtime_destroy(), which may come to it only after we have returned
	 */
	if (r == 0)
		rill_store_seq_cst(&rt->closing, true);
	rill_runtime_exit(rt);
	if (r < 0) {
		shutdown_free(s);
		return r;
	}
	return shutdown_wait(s, timeout_ns);
}

void rill_runtime_abort_all(struct rill_runtime *rt)
{
	abort_all(rt);
}

void rill_runtime_fail(struct rill_runtime *rt)
{
	/* seq_cst: as in rill_runtime_destroy() */
	rill_store_seq_cst(&rt->closing, true);
	rill_store_relaxed(&rt->failed, true);
	/* A task that is being spawned on another worker may escape: the monitor looks again. */
	abort_all(rt);
}
