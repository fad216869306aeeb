/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "runtime/backtrace.h"
#include "runtime/dump.h"
#include "runtime/runtime.h"

/* How to wait for a thing that can be waited for in several ways. */
static const char *const ways[] = {"accept", "read", "readable", "recv", "send", "write"};

void rill_dump_waits_add(struct rill_dump_waits *w, const struct rill_dump_task *t)
{
	if (w->failed || t->state != RILL_DUMP_PARKED || !t->wait_obj)
		return;
	if (w->count == w->room) {
		size_t room = w->room ? 2 * w->room : 64;
		struct rill_dump_wait *more = realloc(w->waits, room * sizeof(*more));

		w->failed = !more;
		if (!more)
			return;
		w->waits = more;
		w->room = room;
	}
	w->waits[w->count++] = (struct rill_dump_wait){
		.task_id = t->id,
		.what = t->wait_what,
		.obj = t->wait_obj,
		.holder = t->holder,
	};
}

/* The length of what without the way. */
static size_t kind_len(const char *what)
{
	const char *space = strrchr(what, ' ');

	for (size_t i = 0; space && i < RILL_ARRAY_SIZE(ways); i++)
		if (strcmp(space + 1, ways[i]) == 0)
			return (size_t)(space - what);
	return strlen(what);
}

const char *rill_dump_way(const struct rill_dump_wait *w)
{
	const char *rest = w->what + kind_len(w->what);

	return *rest ? rest + 1 : rest;
}

static int by_kind(const struct rill_dump_wait *a, const struct rill_dump_wait *b)
{
	size_t x = kind_len(a->what), y = kind_len(b->what);
	int r = memcmp(a->what, b->what, RILL_MIN(x, y));

	return r ? r : (x > y) - (x < y);
}

/* One object's, and of one kind: what an object begins with has its address, too. */
static int by_object(const struct rill_dump_wait *a, const struct rill_dump_wait *b)
{
	int r = by_kind(a, b);

	return r ? r
		 : ((uintptr_t)a->obj > (uintptr_t)b->obj) -
			       ((uintptr_t)a->obj < (uintptr_t)b->obj);
}

static int by_object_and_task(const void *p, const void *q)
{
	const struct rill_dump_wait *a = p, *b = q;
	int r = by_object(a, b);

	return r ? r : (a->task_id > b->task_id) - (a->task_id < b->task_id);
}

/* ---- the names of those who hold something ---- */

struct holder {
	uint64_t id;
	char name[RILL_TASK_NAME]; /* "": not found */
};

struct holders {
	struct holder *all; /* by id */
	size_t count;
};

static int by_id(const void *p, const void *q)
{
	const struct holder *a = p, *b = q;

	return (a->id > b->id) - (a->id < b->id);
}

static struct holder *holder_of(const struct holders *h, uint64_t id)
{
	const struct holder key = {.id = id};

	return h->count ? bsearch(&key, h->all, h->count, sizeof(key), by_id) : NULL;
}

static void find_name(struct rill_task *t, void *ctx)
{
	char name[RILL_TASK_NAME];
	uint64_t id, again;

	rill_copy_racy(&id, &t->id, sizeof(id));
	struct holder *found = holder_of(ctx, id);

	if (!found)
		return;
	rill_copy_racy(name, t->name, sizeof(name));
	rill_copy_racy(&again, &t->id, sizeof(again));
	/* Else another task has come to be there. */
	if (again != id)
		return;
	memcpy(found->name, name, sizeof(name) - 1);
}

static int find_holders(struct rill_runtime *rt, const struct rill_dump_waits *w,
			struct holders *ret_holders)
{
	struct holders h = {.all = calloc(w->count, sizeof(*h.all))};

	if (!h.all)
		return -ENOMEM;
	for (size_t i = 0; i < w->count; i++)
		if (w->waits[i].holder)
			h.all[h.count++].id = w->waits[i].holder;
	if (h.count > 0) {
		qsort(h.all, h.count, sizeof(*h.all), by_id);
		size_t n = 1; /* each once */

		for (size_t i = 1; i < h.count; i++)
			if (h.all[i].id != h.all[n - 1].id)
				h.all[n++].id = h.all[i].id;
		h.count = n;
		rill_runtime_for_each_task(rt, find_name, &h);
	}
	*ret_holders = h;
	return 0;
}

/* ---- by object ---- */

/* How many of the waits, from the first on, are for the same. */
static size_t same_object(const struct rill_dump_wait *waits, size_t count)
{
	size_t n = 1;

	while (n < count && by_object(&waits[0], &waits[n]) == 0)
		n++;
	return n;
}

/* The object of the n waits, which were looked at one after the other. */
static void fill_object(const struct rill_dump_wait *waits, size_t n, const struct holders *h,
			struct rill_dump_object *o)
{
	size_t len = RILL_MIN(kind_len(waits->what), sizeof(o->kind) - 1);

	*o = (struct rill_dump_object){.obj = waits->obj, .waits = waits, .wait_count = n};
	memcpy(o->kind, waits->what, len);
	for (size_t i = 0; i < n; i++)
		if (waits[i].holder)
			o->holder = waits[i].holder;
	if (o->holder)
		memcpy(o->holder_name, holder_of(h, o->holder)->name, sizeof(o->holder_name));
}

int rill_dump_waits_end(struct rill_runtime *rt, struct rill_dump_waits *w,
			void (*object)(void *ctx, const struct rill_dump_object *o), void *ctx)
{
	int r = w->failed ? -ENOMEM : 0;
	struct rill_dump_object o;
	struct holders h = {0};

	if (r == 0 && w->count > 0)
		r = find_holders(rt, w, &h);
	if (r == 0 && w->count > 0)
		qsort(w->waits, w->count, sizeof(*w->waits), by_object_and_task);
	for (size_t i = 0; i < w->count && r == 0; i += o.wait_count) {
		fill_object(&w->waits[i], same_object(&w->waits[i], w->count - i), &h, &o);
		object(ctx, &o);
	}
	free(h.all);
	free(w->waits);
	*w = (struct rill_dump_waits){0};
	return r;
}
