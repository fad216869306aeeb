/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/blocking.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "runtime/await.h"
#include "runtime/runtime.h"

enum job_state {
	JOB_QUEUED,
	JOB_RUNNING,
	JOB_DONE,
};

/* On the stack of the task that waits for it; everything but fn, arg and result under the pool's
 * lock. */
struct job {
	struct rill_list link;
	void *(*fn)(void *);
	void *arg;
	void *result;
	enum job_state state;
	struct rill_waiter *waiter;
	struct rill_blocking_pool *pool;
};

void rill_blocking_pool_init(struct rill_blocking_pool *p, unsigned max_threads)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->work, &attr);
	pthread_cond_init(&p->gone, &attr);
	pthread_condattr_destroy(&attr);
	rill_list_init(&p->queue);
	p->max = max_threads;
}

void rill_blocking_pool_fini(struct rill_blocking_pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->closing = true;
	pthread_cond_broadcast(&p->work);
	while (p->threads > 0)
		pthread_cond_wait(&p->gone, &p->lock);
	pthread_mutex_unlock(&p->lock);
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->gone);
	pthread_mutex_destroy(&p->lock);
}

/* Waits for a job; NULL when the thread should leave. With the lock. */
static struct job *next_job_locked(struct rill_blocking_pool *p)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += RILL_BLOCKING_KEEP_ALIVE_S;
	while (rill_list_empty(&p->queue)) {
		if (p->closing)
			return NULL;
		p->idle++;
		int r = pthread_cond_timedwait(&p->work, &p->lock, &until);

		p->idle--;
		if (r == ETIMEDOUT && rill_list_empty(&p->queue))
			return NULL;
	}
	p->queued--;
	return RILL_LIST_ENTRY(rill_list_pop_front(&p->queue), struct job, link);
}

static void *pool_thread(void *arg)
{
	struct rill_blocking_pool *p = arg;
	struct job *j;

	pthread_mutex_lock(&p->lock);
	while ((j = next_job_locked(p))) {
		struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

		j->state = JOB_RUNNING;
		pthread_mutex_unlock(&p->lock);
		void *result = j->fn(j->arg);

		pthread_mutex_lock(&p->lock);
		j->result = result;
		j->state = JOB_DONE;
		if (j->waiter)
			rill_wake_add(&batch, j->waiter);
		pthread_mutex_unlock(&p->lock);
		rill_wake_flush(&batch);
		pthread_mutex_lock(&p->lock);
	}
	if (--p->threads == 0)
		pthread_cond_signal(&p->gone);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* The threads take no signals: those are for the program's own. */
static int start_thread_locked(struct rill_blocking_pool *p)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	int r = pthread_create(&thread, &attr, pool_thread, p);

	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r == 0)
		p->threads++;
	return -r;
}

static int submit(struct rill_blocking_pool *p, struct job *j)
{
	int r = 0;

	pthread_mutex_lock(&p->lock);
	/* An idle thread may have been given a job already and not yet got the lock. */
	if (p->queued >= p->idle && p->threads < p->max)
		r = start_thread_locked(p);
	/* A refused thread matters only when there is none at all. */
	if (p->threads > 0) {
		r = 0;
		rill_list_push_back(&p->queue, &j->link);
		p->queued++;
		p->jobs++;
		pthread_cond_signal(&p->work);
	}
	pthread_mutex_unlock(&p->lock);
	return r;
}

static int job_arm(struct rill_await *aw)
{
	struct job *j = aw->obj;

	pthread_mutex_lock(&j->pool->lock);
	j->waiter = aw->waiter;
	int r = j->state == JOB_DONE ? 0 : -EAGAIN;

	pthread_mutex_unlock(&j->pool->lock);
	return r;
}

static int job_disarm(struct rill_await *aw, bool take)
{
	struct job *j = aw->obj;

	pthread_mutex_lock(&j->pool->lock);
	j->waiter = NULL;
	int r = take && j->state == JOB_DONE ? 0 : -EAGAIN;

	pthread_mutex_unlock(&j->pool->lock);
	return r;
}

static int job_try(struct rill_await *aw)
{
	return job_disarm(aw, true);
}

static const struct rill_await_ops job_ops = {
	.what = "blocking call",
	.try = job_try,
	.arm = job_arm,
	.disarm = job_disarm,
};

/* True when the job had not begun and now never will. */
static bool withdraw(struct job *j)
{
	bool queued;

	pthread_mutex_lock(&j->pool->lock);
	queued = j->state == JOB_QUEUED;
	if (queued) {
		rill_list_del(&j->link);
		j->pool->queued--;
		j->pool->jobs--;
	}
	pthread_mutex_unlock(&j->pool->lock);
	return queued;
}

/*
 * By the task itself: between the job's end and this the task is on its way, and a paused clock
 * must not jump.
 */
static void retire(struct job *j)
{
	pthread_mutex_lock(&j->pool->lock);
	j->pool->jobs--;
	pthread_mutex_unlock(&j->pool->lock);
}

int rill_blocking(void *(*fn)(void *), void *arg, void **ret_value)
{
	struct rill_task *t = rill_task_current();
	struct job j = {.fn = fn, .arg = arg};
	struct rill_await aw;

	rill_list_init(&j.link);
	/* A plain thread may block by itself. */
	if (!t) {
		j.result = fn(arg);
		goto done;
	}
	/* Nothing is begun for a task that may not wait for it. */
	int r = rill_consume_budget();

	if (r < 0)
		return r;
	j.pool = &t->rt->blocking;
	r = submit(j.pool, &j);

	if (r < 0)
		return r;
	rill_await_init(&aw, &job_ops, &j, NULL);
	r = rill_await(&aw, 0);
	if (r < 0) {
		if (withdraw(&j))
			return r;
		rill_await_init(&aw, &job_ops, &j, NULL);
		rill_await(&aw, RILL_AWAIT_UNCANCELLABLE);
	}
	retire(&j);
done:
	if (ret_value)
		*ret_value = j.result;
	return 0;
}
