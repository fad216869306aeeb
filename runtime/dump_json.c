/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A dump as one JSON object. Each worker and task is written when it is complete, so that a dump
 * of a million tasks needs the memory of one, and a few words for each that waits.
 */
#include "runtime/dump.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/compiler.h"
#include "runtime/deadlock.h"
#include "runtime/runtime.h"

#define INLINED_MAX 8

/* A name may be any bytes, JSON's strings are UTF-8. */
static json_t *json_of_text(const char *s)
{
	json_t *j = json_string(s);
	char ascii[256];
	size_t i;

	if (j)
		return j;
	for (i = 0; s[i] && i < sizeof(ascii) - 1; i++)
		ascii[i] = (unsigned char)s[i] < 128 ? s[i] : '?';
	ascii[i] = '\0';
	return json_string(ascii);
}

static void put_text(json_t *o, const char *key, const char *s)
{
	json_object_set_new(o, key, s ? json_of_text(s) : json_null());
}

static void put_number(json_t *o, const char *key, uint64_t n)
{
	json_object_set_new(o, key, json_integer((json_int_t)n));
}

/* Addresses do not fit the numbers of many a reader. */
static void put_address(json_t *o, const char *key, const void *at)
{
	char hex[24];

	snprintf(hex, sizeof(hex), "0x%" PRIxPTR, (uintptr_t)at);
	json_object_set_new(o, key, at ? json_string(hex) : json_null());
}

static json_t *symbol_json(const void *pc, const struct rill_symbol *s)
{
	json_t *o = json_object();

	put_address(o, "pc", pc);
	put_text(o, "function", s->function[0] ? s->function : NULL);
	put_text(o, "file", s->file[0] ? s->file : NULL);
	put_number(o, "line", s->line);
	put_text(o, "module", s->module[0] ? s->module : NULL);
	put_number(o, "offset", s->offset);
	json_object_set_new(o, "inlined", json_boolean(s->inlined));
	return o;
}

static json_t *frames_json(const void *const *frames, unsigned count)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < count; i++) {
		struct rill_symbol s[INLINED_MAX];
		unsigned n = rill_symbolize(frames[i], s, INLINED_MAX);

		for (unsigned k = 0; k < n; k++)
			json_array_append_new(a, symbol_json(frames[i], &s[k]));
	}
	return a;
}

static json_t *place_json(const void *pc)
{
	struct rill_symbol s;

	return pc && rill_symbolize(pc, &s, 1) > 0 ? symbol_json(pc, &s) : json_null();
}

/* The next element of the list being written. */
static void put_item(struct rill_dump *d, json_t *item)
{
	fputs(d->items++ ? ",\n" : "\n", d->out);
	json_dumpf(item, d->out, JSON_COMPACT);
	json_decref(item);
}

static void put_list(struct rill_dump *d, const char *key)
{
	fprintf(d->out, ",\n\"%s\":[", key);
	d->items = 0;
}

static void put_worker(void *ctx, const struct rill_dump_worker *w)
{
	json_t *o = json_object();

	put_number(o, "index", w->index);
	json_object_set_new(o, "running", json_boolean(w->running));
	json_object_set_new(o, "asleep", json_boolean(w->asleep));
	json_object_set_new(o, "answered", json_boolean(w->answered));
	json_object_set_new(o, "task",
			    w->task_id ? json_integer((json_int_t)w->task_id) : json_null());
	put_text(o, "task_name", w->task_name);
	put_number(o, "turns", w->turns);
	put_number(o, "queued", w->queued);
	put_number(o, "stuck_ns", w->stuck_ns);
	put_number(o, "stuck_times", w->stuck_times);
	put_number(o, "stuck_longest_ns", w->stuck_longest_ns);
	json_object_set_new(o, "frames", frames_json(w->frames, w->frame_count));
	put_item(ctx, o);
}

static void put_wait(json_t *o, const struct rill_dump_task *t)
{
	json_t *wait = json_object();

	if (t->state != RILL_DUMP_PARKED) {
		json_decref(wait);
		json_object_set_new(o, "wait", json_null());
		return;
	}
	put_text(wait, "what", t->wait_what);
	put_address(wait, "object", t->wait_obj);
	json_object_set_new(wait, "holder",
			    t->holder ? json_integer((json_int_t)t->holder) : json_null());
	json_object_set_new(wait, "deadline_ns",
			    t->deadline_ns != RILL_FOREVER
				    ? json_integer((json_int_t)t->deadline_ns)
				    : json_null());
	json_object_set_new(o, "wait", wait);
}

static void put_task(void *ctx, const struct rill_dump_task *t)
{
	struct rill_dump *d = ctx;
	json_t *o = json_object();

	rill_dump_waits_add(&d->waits, t);
	put_number(o, "id", t->id);
	put_number(o, "parent", t->parent);
	put_text(o, "name", t->name);
	put_text(o, "state", rill_dump_state_names[t->state]);
	json_object_set_new(o, "worker",
			    t->worker != RILL_DUMP_NO_WORKER ? json_integer(t->worker)
							     : json_null());
	put_wait(o, t);
	put_number(o, "age_ns", t->age_ns);
	json_object_set_new(o, "function", place_json((const void *)(uintptr_t)t->fn));
	json_object_set_new(o, "spawn_site", place_json(t->spawn_site));
	put_number(o, "stack_size", t->stack_size);
	put_number(o, "stack_high_water", t->stack_high_water);
	put_address(o, "user", t->user);
	put_text(o, "priority", t->priority == RILL_PRIORITY_URGENT ? "urgent" : "normal");
	put_text(o, "placement", rill_dump_placement_names[t->placement]);
	put_number(o, "home", t->home);
	json_object_set_new(o, "aborted", json_boolean(t->aborted));
	json_object_set_new(o, "frames", frames_json(t->frames, t->frame_count));
	put_item(d, o);
}

static void put_object(void *ctx, const struct rill_dump_object *object)
{
	json_t *o = json_object();
	json_t *waits = json_array();

	for (size_t i = 0; i < object->wait_count; i++) {
		json_t *wait = json_object();

		put_number(wait, "task", object->waits[i].task_id);
		put_text(wait, "what", object->waits[i].what);
		json_array_append_new(waits, wait);
	}
	put_text(o, "kind", object->kind);
	put_address(o, "object", object->obj);
	json_object_set_new(o, "holder",
			    object->holder ? json_integer((json_int_t)object->holder)
					   : json_null());
	put_text(o, "holder_name", object->holder ? object->holder_name : NULL);
	json_object_set_new(o, "waits", waits);
	put_item(ctx, o);
}

static json_t *event_json(const struct rill_tcp_trouble_event *e)
{
	json_t *o = json_object();

	put_number(o, "at_ns", e->at_ns);
	put_text(o, "event", e->name);
	put_text(o, "state", e->state);
	put_number(o, e->a_name, e->a);
	put_number(o, e->b_name, e->b);
	return o;
}

static void put_trouble(void *ctx, const struct rill_tcp_trouble *t)
{
	json_t *o = json_object();
	json_t *events = json_array();

	put_text(o, "local", t->local_text);
	put_text(o, "remote", t->remote_text);
	json_object_set_new(o, "closed", json_boolean(t->closed));
	put_text(o, "over", t->over);
	put_number(o, "recorded", t->recorded);
	for (unsigned i = 0; i < t->event_count; i++)
		json_array_append_new(events, event_json(&t->events[i]));
	json_object_set_new(o, "events", events);
	put_item(ctx, o);
}

static bool put_deadlock(void *ctx, const struct rill_deadlock *d)
{
	unsigned n = RILL_MIN(d->count, (unsigned)RILL_DEADLOCK_TASKS);
	json_t *o = json_object();
	json_t *tasks = json_array();

	for (unsigned i = 0; i < n; i++) {
		json_t *t = json_object();

		put_number(t, "id", d->tasks[i].id);
		put_text(t, "name", d->tasks[i].name);
		put_text(t, "what", d->tasks[i].wait_what);
		put_address(t, "object", d->tasks[i].wait_obj);
		json_array_append_new(tasks, t);
	}
	put_number(o, "count", d->count);
	json_object_set_new(o, "tasks", tasks);
	put_item(ctx, o);
	return true;
}

static void put_head(struct rill_dump *d)
{
	struct rill_dump_head h;
	json_t *o = json_object();

	rill_dump_head(d->rt, &h);
	put_text(o, "name", d->rt->name);
	put_number(o, "id", d->rt->id);
	put_number(o, "workers", d->rt->worker_count);
	put_number(o, "pollers", h.pollers);
	put_number(o, "injected", h.injected);
	put_number(o, "blocking_threads", h.blocking_threads);
	put_number(o, "blocking_idle", h.blocking_idle);
	put_number(o, "blocking_queued", h.blocking_queued);
	put_number(o, "stacks", h.stacks);
	put_number(o, "now_ns", rill_runtime_now(d->rt));
	fprintf(d->out, "{\"runtime\":");
	json_dumpf(o, d->out, JSON_COMPACT);
	json_decref(o);
}

int rill_dump_write_json(struct rill_runtime *rt, FILE *out)
{
	struct rill_dump d = {.rt = rt, .out = out};
	struct rill_dump_visitor workers = {.ctx = &d, .worker = put_worker};
	struct rill_dump_visitor tasks = {.ctx = &d, .task = put_task};
	struct rill_dump_visitor troubles = {.ctx = &d, .trouble = put_trouble};

	put_head(&d);
	put_list(&d, "workers");
	int r = rill_runtime_visit(rt, &workers);

	fputc(']', out);
	put_list(&d, "tasks");
	if (r == 0)
		r = rill_runtime_visit(rt, &tasks);
	fputc(']', out);
	put_list(&d, "objects");
	int r_waits = rill_dump_waits_end(rt, &d.waits, put_object, &d);

	if (r == 0)
		r = r_waits;
	fputc(']', out);
	put_list(&d, "deadlocks");
	if (r == 0)
		r = rill_deadlock_each(rt, put_deadlock, &d);
	fputc(']', out);
	put_list(&d, "connections");
	if (r == 0)
		r = rill_runtime_visit(rt, &troubles);
	fputs("]}\n", out);
	fflush(out);
	return r < 0 ? r : (ferror(out) ? -EIO : 0);
}
