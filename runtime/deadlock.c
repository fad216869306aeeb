/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/deadlock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/look.h"
#include "runtime/runtime.h"

/* One task that waits for another. */
struct edge {
	uint64_t id;
	uint64_t holder;
	const void *obj;
	struct rill_task *task;
	size_t walk; /* the first that came by; 0: none */
};

struct graph {
	struct rill_runtime *rt;
	struct edge *edges; /* by id, after sorting */
	size_t count;
	size_t room;
	bool failed; /* no memory */
};

/* True for a wait that only another task can end. */
static bool look_edge(struct rill_runtime *rt, struct rill_task *t, struct rill_dump_task *d,
		      struct edge *e)
{
	if (!rill_task_look(rt, t, false, NULL, d) || d->state != RILL_DUMP_PARKED ||
	    d->holder == 0 || d->deadline_ns != RILL_FOREVER)
		return false;
	*e = (struct edge){.id = d->id, .holder = d->holder, .obj = d->wait_obj, .task = t};
	return true;
}

static void add_edge(struct rill_task *t, void *ctx)
{
	struct graph *g = ctx;
	struct rill_dump_task d;
	struct edge e;

	if (g->failed || !look_edge(g->rt, t, &d, &e))
		return;
	if (g->count == g->room) {
		size_t room = g->room ? 2 * g->room : 64;
		struct edge *more = realloc(g->edges, room * sizeof(*more));

		g->failed = !more;
		if (!more)
			return;
		g->edges = more;
		g->room = room;
	}
	g->edges[g->count++] = e;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct edge *)a)->id;
	uint64_t y = ((const struct edge *)b)->id;

	return (x > y) - (x < y);
}

static struct edge *next_edge(const struct graph *g, const struct edge *e)
{
	struct edge key = {.id = e->holder};

	return g->count ? bsearch(&key, g->edges, g->count, sizeof(*g->edges), by_id) : NULL;
}

/*
 * The tasks were looked at one after the other, so a circle may be made of waits that were never
 * there at the same time. One whose waits are all still there now was.
 */
static bool still_there(const struct graph *g, const struct edge *first, struct rill_deadlock *d)
{
	const struct edge *e = first;
	struct rill_dump_task t;
	struct edge now;

	memset(d, 0, sizeof(*d));
	do {
		if (!look_edge(g->rt, e->task, &t, &now) || now.id != e->id ||
		    now.holder != e->holder || now.obj != e->obj)
			return false;
		if (d->count < RILL_DEADLOCK_TASKS) {
			d->tasks[d->count].id = t.id;
			memcpy(d->tasks[d->count].name, t.name, sizeof(t.name));
			d->tasks[d->count].wait_what = t.wait_what;
			d->tasks[d->count].wait_obj = t.wait_obj;
		}
		d->count++;
		e = next_edge(g, e);
	} while (e != first);
	return true;
}

static void find(struct graph *g, bool (*found)(void *, const struct rill_deadlock *), void *ctx)
{
	struct rill_deadlock d;

	for (size_t i = 0; i < g->count; i++) {
		struct edge *e = &g->edges[i];

		for (; e && e->walk == 0; e = next_edge(g, e))
			e->walk = i + 1;
		/* It has met itself, and not the way of an earlier walk. */
		if (e && e->walk == i + 1 && still_there(g, e, &d) && !found(ctx, &d))
			return;
	}
}

int rill_deadlock_each(struct rill_runtime *rt,
		       bool (*found)(void *ctx, const struct rill_deadlock *d), void *ctx)
{
	struct graph g = {.rt = rt};

	rill_runtime_for_each_task(rt, add_edge, &g);
	if (!g.failed && g.count > 0) {
		qsort(g.edges, g.count, sizeof(*g.edges), by_id);
		find(&g, found, ctx);
	}
	free(g.edges);
	return g.failed ? -ENOMEM : 0;
}

struct first {
	bool any;
	struct rill_deadlock *ret;
};

static bool take_first(void *ctx, const struct rill_deadlock *d)
{
	struct first *f = ctx;

	f->any = true;
	*f->ret = *d;
	return false;
}

int rill_runtime_find_deadlock(struct rill_runtime *rt, struct rill_deadlock *ret_deadlock)
{
	struct first f = {.ret = ret_deadlock};
	int r = rill_deadlock_each(rt, take_first, &f);

	return r < 0 ? r : f.any;
}
