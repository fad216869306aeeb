/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/monitor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "runtime/runtime.h"

/* How often it looks, while any worker is awake and while all sleep. */
#define LOOK_BUSY_NS (UINT64_C(1000) * 1000)
#define LOOK_IDLE_NS (UINT64_C(4000) * 1000)

/* In its loop, or in one task, since the last look? */
static bool look_at(struct rill_worker *w, uint64_t *beat)
{
	uint64_t now = rill_load_relaxed(&w->beat);
	bool awake = rill_load_relaxed(&w->running) && rill_load_relaxed(&w->park_deadline) == 0;
	bool stuck = awake && now == *beat;

	*beat = now;
	if (stuck)
		/* relaxed: a hint; the worker clears it with its next turn */
		rill_store_relaxed(&w->stuck, true);
	return awake;
}

/* True when a worker is awake. */
static bool look(struct rill_runtime *rt)
{
	bool awake = false;
	bool stuck = false;

	for (unsigned i = 0; i < rt->worker_count; i++) {
		awake |= look_at(&rt->workers[i], &rt->monitor.beats[i]);
		stuck |= rill_load_relaxed(&rt->workers[i].stuck);
	}
	rill_store_relaxed(&rt->any_stuck, stuck);
	if (stuck)
		rill_idle_notify(rt);
	return awake;
}

static void *monitor_thread(void *arg)
{
	struct rill_runtime *rt = arg;
	struct rill_monitor *m = &rt->monitor;

	pthread_mutex_lock(&m->lock);
	while (!m->stop) {
		uint64_t until = rill_clock_mono() + (look(rt) ? LOOK_BUSY_NS : LOOK_IDLE_NS);
		struct timespec ts = {
			.tv_sec = (time_t)(until / 1000000000u),
			.tv_nsec = (long)(until % 1000000000u),
		};

		while (!m->stop &&
		       pthread_cond_timedwait(&m->stop_cond, &m->lock, &ts) != ETIMEDOUT)
			;
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

int rill_monitor_start(struct rill_runtime *rt)
{
	struct rill_monitor *m = &rt->monitor;
	pthread_condattr_t attr;
	sigset_t all, old;

	m->beats = calloc(rt->worker_count, sizeof(*m->beats));
	if (!m->beats)
		return -ENOMEM;
	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&m->stop_cond, &attr);
	pthread_condattr_destroy(&attr);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int r = pthread_create(&m->thread, NULL, monitor_thread, rt);

	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r == 0) {
		pthread_setname_np(m->thread, "rill-monitor");
		m->started = true;
		return 0;
	}
	pthread_cond_destroy(&m->stop_cond);
	pthread_mutex_destroy(&m->lock);
	free(m->beats);
	return -r;
}

void rill_monitor_stop(struct rill_runtime *rt)
{
	struct rill_monitor *m = &rt->monitor;

	if (!m->started)
		return;
	pthread_mutex_lock(&m->lock);
	m->stop = true;
	pthread_cond_signal(&m->stop_cond);
	pthread_mutex_unlock(&m->lock);
	pthread_join(m->thread, NULL);
	pthread_cond_destroy(&m->stop_cond);
	pthread_mutex_destroy(&m->lock);
	free(m->beats);
	m->started = false;
}
