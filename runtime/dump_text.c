/* SPDX-License-Identifier: BSD-3-Clause */
/* A dump as text, for people. */
#include "runtime/dump.h"

#include <errno.h>
#include <inttypes.h>

#include "base/compiler.h"
#include "runtime/deadlock.h"
#include "runtime/runtime.h"

#define INLINED_MAX 8

/* As "1.234 s", "35.1 ms", "12 us". */
static void put_duration(FILE *out, uint64_t ns)
{
	if (ns >= RILL_SEC)
		fprintf(out, "%.3f s", (double)ns / (double)RILL_SEC);
	else if (ns >= RILL_MS)
		fprintf(out, "%.1f ms", (double)ns / (double)RILL_MS);
	else
		fprintf(out, "%" PRIu64 " us", ns / RILL_US);
}

static void put_symbol(FILE *out, const struct rill_symbol *s)
{
	if (s->function[0])
		fprintf(out, "%s", s->function);
	else
		fprintf(out, "%s+0x%zx", s->module[0] ? s->module : "?", (size_t)s->offset);
	if (s->file[0])
		fprintf(out, " at %s:%u", s->file, s->line);
	else if (s->function[0] && s->module[0])
		fprintf(out, " in %s+0x%zx", s->module, (size_t)s->offset);
}

static void put_frames(FILE *out, const void *const *frames, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct rill_symbol s[INLINED_MAX];
		unsigned n = rill_symbolize(frames[i], s, INLINED_MAX);

		for (unsigned k = 0; k < n; k++) {
			fprintf(out, k ? "        " : "    #%-2u ", i);
			put_symbol(out, &s[k]);
			fprintf(out, s[k].inlined ? " (inlined)\n" : "\n");
		}
	}
}

static void put_place(FILE *out, const void *pc)
{
	struct rill_symbol s;

	if (rill_symbolize(pc, &s, 1) > 0)
		put_symbol(out, &s);
}

static void put_name(FILE *out, uint64_t id, const char *name)
{
	fprintf(out, "task %" PRIu64, id);
	if (name[0])
		fprintf(out, " '%s'", name);
}

static void put_worker(void *ctx, const struct rill_dump_worker *w)
{
	struct rill_dump *d = ctx;
	FILE *out = d->out;

	fprintf(out, "worker %u: ", w->index);
	if (!w->running)
		fprintf(out, "not running");
	else if (w->asleep)
		fprintf(out, "asleep");
	else if (w->task_id) {
		fprintf(out, "runs ");
		put_name(out, w->task_id, w->task_name);
	} else
		fprintf(out, w->answered ? "in its loop" : "did not answer");
	fprintf(out, "; %" PRIu64 " turns, %u queued", w->turns, w->queued);
	if (w->stuck_ns) {
		fprintf(out, "; stuck for ");
		put_duration(out, w->stuck_ns);
	}
	if (w->stuck_times) {
		fprintf(out, "; stuck %" PRIu64 " times so far, ", w->stuck_times);
		put_duration(out, w->stuck_longest_ns);
		fprintf(out, " at most");
	}
	fputc('\n', out);
	/* a task's are with the task */
	if (!w->task_id)
		put_frames(out, w->frames, w->frame_count);
}

static void put_wait(struct rill_dump *d, const struct rill_dump_task *t)
{
	FILE *out = d->out;

	fprintf(out, " on %s", t->wait_what ? t->wait_what : "nothing");
	if (t->wait_obj)
		fprintf(out, " %p", t->wait_obj);
	if (t->holder)
		fprintf(out, " of task %" PRIu64, t->holder);
	if (t->deadline_ns == RILL_FOREVER)
		return;
	uint64_t now = rill_runtime_now(d->rt);

	d->timers++;
	fprintf(out, ", for at most ");
	put_duration(out, t->deadline_ns > now ? t->deadline_ns - now : 0);
	fprintf(out, " more");
}

static void put_state(struct rill_dump *d, const struct rill_dump_task *t)
{
	fprintf(d->out, ": %s", rill_dump_state_names[t->state]);
	if (t->state == RILL_DUMP_PARKED)
		put_wait(d, t);
	else if (t->state == RILL_DUMP_RUNNING && t->worker != RILL_DUMP_NO_WORKER)
		fprintf(d->out, " on worker %u", t->worker);
	else if (t->state == RILL_DUMP_FINISHED)
		fprintf(d->out, ", not joined");
	if (t->aborted)
		fprintf(d->out, ", aborted");
	if (t->priority == RILL_PRIORITY_URGENT)
		fprintf(d->out, ", urgent");
	if (t->placement != RILL_PLACE_ANY)
		fprintf(d->out, ", %s on worker %u", rill_dump_placement_names[t->placement],
			t->home);
}

static void put_task(void *ctx, const struct rill_dump_task *t)
{
	struct rill_dump *d = ctx;
	FILE *out = d->out;

	d->tasks++;
	d->states[t->state]++;
	rill_dump_waits_add(&d->waits, t);
	fputc('\n', out);
	put_name(out, t->id, t->name);
	put_state(d, t);
	fprintf(out, "\n    ");
	put_duration(out, t->age_ns);
	fprintf(out, " old, %zu of %zu KiB of stack touched, begun in ", t->stack_high_water >> 10,
		t->stack_size >> 10);
	put_place(out, (const void *)(uintptr_t)t->fn);
	if (t->spawn_site) {
		fprintf(out, "\n    spawned by ");
		put_place(out, t->spawn_site);
	}
	if (t->parent)
		fprintf(out, " in task %" PRIu64, t->parent);
	if (t->user)
		fprintf(out, "\n    user word %p", t->user);
	fputc('\n', out);
	put_frames(out, t->frames, t->frame_count);
}

static void put_object(void *ctx, const struct rill_dump_object *o)
{
	struct rill_dump *d = ctx;
	FILE *out = d->out;

	if (d->items++ == 0)
		fprintf(out, "\nwaited for:\n");
	fprintf(out, "    %s %p", o->kind, o->obj);
	if (o->holder) {
		fprintf(out, " of ");
		put_name(out, o->holder, o->holder_name);
	}
	fprintf(out, o->wait_count > 1 ? ": tasks" : ": task");
	for (size_t i = 0; i < o->wait_count; i++) {
		const char *way = rill_dump_way(&o->waits[i]);

		fprintf(out, "%s %" PRIu64, i ? "," : "", o->waits[i].task_id);
		if (way[0])
			fprintf(out, " (%s)", way);
	}
	fputc('\n', out);
}

/* As "12.0 ms ago: ESTABLISHED rto, count 1, rto_us 400000". */
static void put_event(struct rill_dump *d, const struct rill_tcp_trouble_event *e)
{
	uint64_t now = rill_runtime_now(d->rt);

	fprintf(d->out, "    ");
	put_duration(d->out, now - RILL_MIN(now, e->at_ns));
	fprintf(d->out, " ago: %s %s, %s %" PRIu32 ", %s %" PRIu32 "\n", e->state, e->name,
		e->a_name, e->a, e->b_name, e->b);
}

static void put_trouble(void *ctx, const struct rill_tcp_trouble *t)
{
	struct rill_dump *d = ctx;

	fprintf(d->out, "\nconnection %s to %s: %" PRIu64 " events", t->local_text, t->remote_text,
		t->recorded);
	if (t->over)
		fprintf(d->out, ", over with %s", t->over);
	else if (t->closed)
		fprintf(d->out, ", closed");
	fputc('\n', d->out);
	for (unsigned i = 0; i < t->event_count; i++)
		put_event(d, &t->events[i]);
}

static bool put_deadlock(void *ctx, const struct rill_deadlock *d)
{
	FILE *out = ctx;
	unsigned n = RILL_MIN(d->count, (unsigned)RILL_DEADLOCK_TASKS);

	fprintf(out, "\ndeadlock: ");
	put_name(out, d->tasks[0].id, d->tasks[0].name);
	for (unsigned i = 0; i < n; i++) {
		fprintf(out, " waits for %s %p of ", d->tasks[i].wait_what, d->tasks[i].wait_obj);
		if (i + 1 == n && d->count > n) {
			fprintf(out, "... (%u tasks in all)", d->count);
			break;
		}
		put_name(out, d->tasks[(i + 1) % n].id, d->tasks[(i + 1) % n].name);
		if (i + 1 < n)
			fprintf(out, ", which");
	}
	fputc('\n', out);
	return true;
}

static void put_summary(const struct rill_dump *d)
{
	fprintf(d->out, "\n%u tasks:", d->tasks);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(d->states); i++)
		fprintf(d->out, "%s %u %s", i ? "," : "", d->states[i], rill_dump_state_names[i]);
	fprintf(d->out, "; %u timers armed\n", d->timers);
}

int rill_dump_write_text(struct rill_runtime *rt, FILE *out)
{
	struct rill_dump d = {.rt = rt, .out = out};
	struct rill_dump_visitor v = {.ctx = &d, .worker = put_worker, .task = put_task};
	struct rill_dump_visitor troubles = {.ctx = &d, .trouble = put_trouble};
	struct rill_dump_head h;

	rill_dump_head(rt, &h);
	fprintf(out,
		"runtime '%s' (%" PRIu64 "): %u workers, %u pollers, %u tasks injected, "
		"%u blocking threads (%u idle, %u calls queued), %" PRIu64 " stacks\n",
		rt->name, rt->id, rt->worker_count, h.pollers, h.injected, h.blocking_threads,
		h.blocking_idle, h.blocking_queued, h.stacks);
	int r = rill_runtime_visit(rt, &v);
	int r_waits = rill_dump_waits_end(rt, &d.waits, put_object, &d);

	if (r == 0)
		r = r_waits;
	if (r == 0)
		r = rill_deadlock_each(rt, put_deadlock, out);
	if (r == 0)
		r = rill_runtime_visit(rt, &troubles);
	put_summary(&d);
	fflush(out);
	return r < 0 ? r : (ferror(out) ? -EIO : 0);
}
