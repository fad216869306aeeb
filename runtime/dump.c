/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/dump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/look.h"
#include "runtime/poller.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"

/* How long to wait for workers to answer. */
#define ANSWER_NS (UINT64_C(250) * 1000 * 1000)

const char *const rill_dump_state_names[] = {"running", "runnable", "parked", "finished"};
const char *const rill_dump_placement_names[] = {"any", "home", "pinned"};

static void put_worker(struct rill_runtime *rt, unsigned i, const struct rill_sighting *s,
		       struct rill_dump_worker *d)
{
	struct rill_worker *w = &rt->workers[i];
	struct rill_stuck_watch *watch = rt->monitor.watches ? &rt->monitor.watches[i] : NULL;

	memset(d, 0, sizeof(*d));
	d->index = i;
	d->running = rill_load_relaxed(&w->running);
	d->asleep = !s->looked && d->running;
	d->answered = s->answered || !s->looked;
	d->task_id = s->task_id;
	memcpy(d->task_name, s->task_name, sizeof(d->task_name));
	d->turns = rill_load_relaxed(&w->beat);
	d->queued = rill_queue_len(&w->queue) + rill_queue_len(&w->urgent) +
		    rill_load_relaxed(&w->inbox.len) + (rill_load_relaxed(&w->lifo) != NULL);
	if (watch) {
		d->stuck_ns = rill_load_relaxed(&watch->stuck_ns);
		d->stuck_times = rill_load_relaxed(&watch->times);
		d->stuck_longest_ns = rill_load_relaxed(&watch->longest_ns);
	}
	d->frame_count = s->frame_count;
	memcpy(d->frames, s->frames, sizeof(d->frames));
}

struct visit {
	struct rill_runtime *rt;
	const struct rill_dump_visitor *v;
	const struct rill_sighting *seen;
	struct rill_dump_waits waits;
};

static void visit_task(struct rill_task *t, void *ctx)
{
	struct visit *visit = ctx;
	struct rill_dump_task d;

	if (!rill_task_look(visit->rt, t, true, visit->seen, &d))
		return;
	if (visit->v->task)
		visit->v->task(visit->v->ctx, &d);
	if (visit->v->object)
		rill_dump_waits_add(&visit->waits, &d);
}

static int visit_tasks(struct rill_runtime *rt, const struct rill_dump_visitor *v)
{
	struct rill_sighting *seen = calloc(rt->worker_count, sizeof(*seen));
	struct visit visit = {.rt = rt, .v = v, .seen = seen};
	struct rill_dump_worker d;
	int r = seen ? 0 : -ENOMEM;

	if (r == 0)
		r = rill_peek_workers(rt->workers, rt->worker_count, ANSWER_NS, seen);
	for (unsigned i = 0; i < rt->worker_count && v->worker && r == 0; i++) {
		put_worker(rt, i, &seen[i], &d);
		v->worker(v->ctx, &d);
	}
	if ((v->task || v->object) && r == 0)
		rill_runtime_for_each_task(rt, visit_task, &visit);
	if (r == 0)
		r = rill_dump_waits_end(rt, &visit.waits, v->object, v->ctx);
	free(seen);
	return r;
}

/* With the lock, so that no poller goes away meanwhile. One that is in use is left out. */
static int visit_pollers(struct rill_runtime *rt, const struct rill_dump_visitor *v)
{
	int r = 0;

	pthread_mutex_lock(&rt->poller_lock);
	for (unsigned i = 0; i < rill_load_relaxed(&rt->poller_count) && r != -ENOMEM; i++) {
		/* acquire: pairs with rill_poller_add() */
		struct rill_poller *p = rill_load_acquire(&rt->pollers[i]);

		if (p && p->ops->visit_troubles)
			r = p->ops->visit_troubles(p, v);
	}
	pthread_mutex_unlock(&rt->poller_lock);
	return r == -ENOMEM ? r : 0;
}

int rill_runtime_visit(struct rill_runtime *rt, const struct rill_dump_visitor *v)
{
	int r = 0;

	if (v->worker || v->task || v->object)
		r = visit_tasks(rt, v);
	if (v->trouble && r == 0)
		r = visit_pollers(rt, v);
	return r;
}

void rill_dump_head(struct rill_runtime *rt, struct rill_dump_head *ret_head)
{
	struct rill_blocking_pool *p = &rt->blocking;

	pthread_mutex_lock(&p->lock);
	ret_head->blocking_threads = p->threads;
	ret_head->blocking_idle = p->idle;
	ret_head->blocking_queued = p->queued;
	pthread_mutex_unlock(&p->lock);
	ret_head->injected =
		rill_load_relaxed(&rt->inject.len) + rill_load_relaxed(&rt->urgent.len);
	ret_head->stacks = rill_load_relaxed(&rt->stacks.count);
	ret_head->pollers = rill_load_relaxed(&rt->poller_count);
}

/* ---- writing ---- */

struct job {
	struct rill_runtime *rt;
	FILE *out;
	enum rill_dump_format format;
	int result;
};

static void *write_dump(void *arg)
{
	struct job *j = arg;

	if (j->format == RILL_DUMP_JSON)
		j->result = rill_dump_write_json(j->rt, j->out);
	else
		j->result = rill_dump_write_text(j->rt, j->out);
	return NULL;
}

int rill_runtime_dump(struct rill_runtime *rt, FILE *out, enum rill_dump_format format)
{
	struct job j = {.rt = rt, .out = out, .format = format};
	pthread_t thread;

	if (!rill_task_current()) {
		write_dump(&j);
		return j.result;
	}
	/* Reading debug information takes more stack than tasks have. */
	int r = rill_thread_create(&thread, 0, write_dump, &j);

	if (r < 0)
		return r;
	pthread_join(thread, NULL);
	return j.result;
}
