/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/blocking.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "runtime/await.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"

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

void rill_blocking_pool_init(struct rill_blocking_pool *p, struct rill_runtime *rt)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->work, &attr);
	pthread_cond_init(&p->gone, &attr);
	pthread_condattr_destroy(&attr);
	rill_list_init(&p->queue);
	p->rt = rt;
	p->cpus_known = pthread_getaffinity_np(pthread_self(), sizeof(p->cpus), &p->cpus) == 0;
}

void rill_blocking_pool_fini(struct rill_blocking_pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->closing = true;
	pthread_cond_broadcast(&p->work);
	while (p->threads + p->leaving > 0)
		pthread_cond_wait(&p->gone, &p->lock);
	pthread_mutex_unlock(&p->lock);
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->gone);
	pthread_mutex_destroy(&p->lock);
}

/* Waits for a job; NULL when the thread should leave. With the lock. */
static struct job *next_job_locked(struct rill_blocking_pool *p)
{
	uint64_t until_ns = rill_clock_mono() + p->rt->o.keep_alive_ns;
	struct timespec until = {
		.tv_sec = (time_t)(until_ns / 1000000000u),
		.tv_nsec = (long)(until_ns % 1000000000u),
	};

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

static void run_job(struct rill_blocking_pool *p, struct job *j)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	void *result = j->fn(j->arg);

	pthread_mutex_lock(&p->lock);
	j->result = result;
	j->state = JOB_DONE;
	if (j->waiter)
		rill_wake_add(&batch, j->waiter);
	pthread_mutex_unlock(&p->lock);
	rill_wake_flush(&batch);
}

static void name_thread(const struct rill_runtime_options *o, const char *runtime)
{
	char name[16];

	snprintf(name, sizeof(name), "%.10s-b", runtime);
	if (o->thread_name)
		o->thread_name(o->thread_name_user, -1, name, sizeof(name));
	pthread_setname_np(pthread_self(), name);
}

static void *pool_thread(void *arg)
{
	struct rill_blocking_pool *p = arg;
	const struct rill_hooks *h = &p->rt->o.hooks;
	struct job *j;

	rill_thread_set_runtime(p->rt);
	/* Not where the worker is pinned whose task had it started. */
	if (p->cpus_known)
		pthread_setaffinity_np(pthread_self(), sizeof(p->cpus), &p->cpus);
	name_thread(&p->rt->o, p->rt->name);
	if (h->thread_start)
		h->thread_start(h->user, -1);
	pthread_mutex_lock(&p->lock);
	while ((j = next_job_locked(p))) {
		j->state = JOB_RUNNING;
		pthread_mutex_unlock(&p->lock);
		run_job(p, j);
		pthread_mutex_lock(&p->lock);
	}
	/* From here on it takes no job, so that a submitter must not count on it. */
	p->threads--;
	p->leaving++;
	pthread_mutex_unlock(&p->lock);
	if (h->thread_stop)
		h->thread_stop(h->user, -1);
	pthread_mutex_lock(&p->lock);
	p->leaving--;
	pthread_cond_signal(&p->gone);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static int start_thread_locked(struct rill_blocking_pool *p)
{
	pthread_t thread;
	int r = rill_thread_create(&thread, p->rt->o.thread_stack_size, pool_thread, p);

	if (r < 0)
		return r;
	pthread_detach(thread);
	p->threads++;
	return 0;
}

static int submit(struct rill_blocking_pool *p, struct job *j)
{
	int r = 0;

	pthread_mutex_lock(&p->lock);
	/* An idle thread may have been given a job already and not yet got the lock. */
	if (p->queued >= p->idle && p->threads < p->rt->o.max_blocking)
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

void *rill_blocking_task(void *arg)
{
	struct rill_task *t = rill_task_current();
	void *value = NULL;

	int r = rill_blocking(t->blocking, arg, &value);

	/* It ran to its end: an abort that came meanwhile has had no effect. */
	if (r == 0)
		t->abort_seen = false;
	else if (r != -ECANCELED)
		rill_fail("no thread for the blocking call: %s", strerror(-r));
	return value;
}
