/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The flight recorder's contents as JSON for Perfetto and chrome://tracing. The
 * rings are copied first; then the arrows are found: from a wake (or spawn) to
 * the next run of the same task, on whatever worker; then each worker's track
 * is written from its oldest record to its newest.
 */
#include <errno.h>
#include <inttypes.h>
#include <rill/trace.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "runtime/backtrace.h"
#include "runtime/runtime.h"
#include "runtime/ticks.h"
#include "runtime/trace.h"

#if RILL_TRACING

struct entry {
	uint64_t time; /* of the runtime's clock */
	uint64_t arg;
	uint32_t arrow; /* which begins or ends here; 0: none */
	uint16_t worker;
	uint8_t event;
	bool inside; /* a slice, or at its very end */
};

struct name {
	uint64_t id;
	char text[RILL_TASK_NAME];
};

struct export
{
	struct rill_runtime *rt;
	FILE *out;
	bool comma;
	uint64_t zero_ns; /* the first of all times */
	uint64_t now_ns;
	struct entry *entries; /* worker i's are [begins[i], begins[i + 1]) */
	size_t *begins;
	struct name *names; /* sorted by id */
	size_t name_count, name_cap;
};

/* ---- collecting ---- */

/* The runtime's clock and the cycle counter at one moment. */
struct moment {
	uint64_t ns;
	uint64_t cycles;
};

static uint64_t convert(const struct moment *now, uint64_t time)
{
	if (!(time & RILL_TRACE_CYCLES))
		return time;
	uint64_t cycles = time & ~RILL_TRACE_CYCLES;

	/* taken while we were copying */
	if (cycles >= now->cycles)
		return now->ns;
	return now->ns - RILL_MIN(now->ns, rill_ticks_to_ns(now->cycles - cycles));
}

/* Appends worker i's records. Their times never go back, whatever level they
 * were taken at. */
static void collect_worker(struct export *x, const struct moment *now, unsigned i,
			   struct rill_trace_record *scratch)
{
	unsigned n = rill_trace_ring_copy(&x->rt->workers[i].trace, scratch);
	struct entry *first = x->entries + x->begins[i];
	struct entry *e = first;
	uint64_t running = 0; /* 0: not known */
	uint64_t last = 0;

	for (unsigned k = 0; k < n; k++) {
		unsigned what = (unsigned)(scratch[k].what >> RILL_TRACE_EVENT_SHIFT);
		unsigned event = what & ((1u << RILL_TRACE_ENDED_SHIFT) - 1);
		unsigned ended = what >> RILL_TRACE_ENDED_SHIFT;
		struct entry entry = {.worker = (uint16_t)i, .event = (uint8_t)event};

		last = RILL_MAX(last, convert(now, scratch[k].time));
		entry.time = last;
		entry.arg = scratch[k].what & RILL_TRACE_ARG_MASK;
		if (ended && running)
			*e++ = (struct entry){.time = last,
					      .arg = running,
					      .worker = (uint16_t)i,
					      .event = (uint8_t)ended};
		if (event == RILL_TRACE_RUN)
			running = entry.arg;
		*e++ = entry;
	}
	x->begins[i + 1] = (size_t)(e - x->entries);
	if (e > first)
		x->zero_ns = RILL_MIN(x->zero_ns, x->entries[x->begins[i]].time);
	x->now_ns = RILL_MAX(x->now_ns, last);
}

static int collect(struct export *x)
{
	struct rill_runtime *rt = x->rt;
	size_t each = rt->o.trace_records;
	struct moment now = {rill_runtime_now(rt), rill_cycles()};
	struct rill_trace_record *scratch = malloc(each * sizeof(*scratch));

	/* a record may tell of two events */
	x->entries = malloc(2 * rt->worker_count * each * sizeof(*x->entries));
	x->begins = calloc(rt->worker_count + 1, sizeof(*x->begins));
	if (!scratch || !x->entries || !x->begins) {
		free(scratch);
		return -ENOMEM;
	}
	x->now_ns = now.ns;
	x->zero_ns = now.ns;
	for (unsigned i = 0; i < rt->worker_count; i++)
		collect_worker(x, &now, i, scratch);
	free(scratch);
	return 0;
}

/* ---- names ---- */

/*
 * Of a task that may end meanwhile, and its memory serve another: the name is for people, and one
 * that changes under us is found out by the id, but for a sliver.
 */
static bool read_name(const struct rill_task *t, struct name *to)
{
	to->id = rill_load_relaxed(&t->id);
	rill_copy_racy(to->text, t->name, sizeof(to->text));
	to->text[sizeof(to->text) - 1] = '\0';
	return to->text[0] != '\0' && to->id == rill_load_relaxed(&t->id);
}

static void collect_name(struct rill_task *t, void *ctx)
{
	struct export *x = ctx;

	if (x->name_count == x->name_cap) {
		size_t cap = RILL_MAX(2 * x->name_cap, (size_t)64);
		struct name *names = realloc(x->names, cap * sizeof(*names));

		if (!names)
			return; /* an id has to do */
		x->names = names;
		x->name_cap = cap;
	}
	if (read_name(t, &x->names[x->name_count]))
		x->name_count++;
}

static int compare_names(const void *a, const void *b)
{
	const struct name *x = a;
	const struct name *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static const char *name_of(const struct export *x, uint64_t id)
{
	const struct name key = {.id = id};
	const struct name *found = NULL;

	if (x->name_count > 0)
		found = bsearch(&key, x->names, x->name_count, sizeof(key), compare_names);
	return found ? found->text : NULL;
}

/* ---- arrows ---- */

/*
 * Marks what happens inside of slices. What a task does last, to wake whoever joins it, is recorded
 * after its end, and counts too.
 */
static void mark_slices(struct entry *e, const struct entry *end)
{
	uint64_t current = 0;
	uint64_t ended = 0;

	for (; e < end; e++) {
		bool leaves = e->event == RILL_TRACE_PARK || e->event == RILL_TRACE_YIELD ||
			      e->event == RILL_TRACE_TERMINATE;

		if (e->event == RILL_TRACE_RUN) {
			current = e->arg;
		} else if (current &&
			   (e->event == RILL_TRACE_SLEEP || (leaves && e->arg == current))) {
			current = 0;
			ended = e->time;
		}
		e->inside = current != 0 || e->time <= ended;
	}
}

/* An arrow begins at a slice: what timers and pollers wake has none. */
static bool begins_arrow(const struct entry *e)
{
	return (e->event == RILL_TRACE_WAKE || e->event == RILL_TRACE_SPAWN) && e->inside;
}

/* By task, then by time; of one worker in its order, which is that of memory.
 */
static int compare_steps(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a;
	const struct entry *y = *(struct entry *const *)b;

	if (x->arg != y->arg)
		return x->arg < y->arg ? -1 : 1;
	if (x->time != y->time && x->worker != y->worker)
		return x->time < y->time ? -1 : 1;
	return (x > y) - (x < y);
}

static int find_arrows(struct export *x)
{
	size_t count = x->begins[x->rt->worker_count];
	struct entry **steps = malloc(RILL_MAX(count, (size_t)1) * sizeof(*steps));
	uint32_t arrows = 0;
	size_t n = 0;

	if (!steps)
		return -ENOMEM;
	for (unsigned i = 0; i < x->rt->worker_count; i++)
		mark_slices(x->entries + x->begins[i], x->entries + x->begins[i + 1]);
	for (size_t i = 0; i < count; i++)
		if (begins_arrow(&x->entries[i]) || x->entries[i].event == RILL_TRACE_RUN)
			steps[n++] = &x->entries[i];
	qsort(steps, n, sizeof(*steps), compare_steps);
	for (size_t i = 0; i + 1 < n; i++)
		if (begins_arrow(steps[i]) && steps[i + 1]->event == RILL_TRACE_RUN &&
		    steps[i]->arg == steps[i + 1]->arg)
			steps[i]->arrow = steps[i + 1]->arrow = ++arrows;
	free(steps);
	return 0;
}

/* ---- printing ---- */

static void print_string(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	putc('"', out);
	while (*s) {
		unsigned n = rill_utf8_length(s, 4);

		if (n == 0)
			fputs("\\ufffd", out);
		else if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(out, "\\u%04x", *s);
		else
			fwrite(s, 1, n, out);
		s += RILL_MAX(n, 1u);
	}
	putc('"', out);
}

static void print_task(struct export *x, uint64_t id)
{
	const char *name = name_of(x, id);

	fprintf(x->out, ",\"name\":");
	if (name)
		print_string(x->out, name);
	else
		fprintf(x->out, "\"task %" PRIu64 "\"", id);
}

/* Microseconds with the nanoseconds behind the point. */
static void print_us(FILE *out, const char *key, uint64_t ns)
{
	fprintf(out, ",\"%s\":%" PRIu64 ".%03u", key, ns / 1000, (unsigned)(ns % 1000));
}

/* Up to and with its track; the caller goes on and closes it. */
static void open_event(struct export *x, char phase, unsigned worker)
{
	fprintf(x->out, "%s\n{\"ph\":\"%c\",\"pid\":%" PRIu64 ",\"tid\":%u", x->comma ? "," : "",
		phase, x->rt->id, worker + 1);
	x->comma = true;
}

static void open_at(struct export *x, char phase, const struct entry *e)
{
	open_event(x, phase, e->worker);
	print_us(x->out, "ts", e->time - x->zero_ns);
}

static void print_instant(struct export *x, const struct entry *e, const char *name,
			  const char *arg)
{
	open_at(x, 'i', e);
	fprintf(x->out, ",\"s\":\"t\",\"name\":\"%s\",\"cat\":\"%s\"", name, name);
	if (arg)
		fprintf(x->out, ",\"args\":{\"%s\":%" PRIu64 "}", arg, e->arg);
	fprintf(x->out, "}");
}

static void print_arrow(struct export *x, const struct entry *e, char phase)
{
	open_at(x, phase, e);
	fprintf(x->out, ",\"id\":%u,\"name\":\"wake\",\"cat\":\"wake\"%s}", e->arrow,
		phase == 'f' ? ",\"bp\":\"e\"" : "");
}

/* ---- a worker's track ---- */

static bool ends_slice(const struct entry *e, uint64_t id)
{
	switch (e->event) {
	case RILL_TRACE_RUN:
	case RILL_TRACE_SLEEP:
		return true;
	case RILL_TRACE_PARK:
	case RILL_TRACE_YIELD:
	case RILL_TRACE_TERMINATE:
		return e->arg == id;
	default:
		return false;
	}
}

/*
 * How the slice that began at e ended, if it did. A task that switches straight
 * to the next one is seen to its end on that one's stack, so this may come
 * after the next RUN.
 */
static const char *how_ended(const struct entry *e, const struct entry *end)
{
	unsigned runs = 0;

	for (const struct entry *k = e + 1; k < end; k++) {
		if (k->event == RILL_TRACE_RUN && ++runs == 2)
			break;
		if (k->event == RILL_TRACE_RUN || !ends_slice(k, e->arg))
			continue;
		switch (k->event) {
		case RILL_TRACE_PARK:
			return "parked";
		case RILL_TRACE_YIELD:
			return "yielded";
		case RILL_TRACE_TERMINATE:
			return "ended";
		default:
			return NULL;
		}
	}
	return NULL;
}

static void print_slice(struct export *x, const struct entry *e, const struct entry *end)
{
	const struct entry *last = e + 1;
	const char *how = how_ended(e, end);

	while (last < end && !ends_slice(last, e->arg))
		last++;
	uint64_t until = last < end ? last->time : x->now_ns;

	open_at(x, 'X', e);
	print_us(x->out, "dur", until - e->time);
	print_task(x, e->arg);
	fprintf(x->out, ",\"cat\":\"task\",\"args\":{\"id\":%" PRIu64, e->arg);
	if (how)
		fprintf(x->out, ",\"then\":\"%s\"", how);
	fprintf(x->out, "}}");
	if (e->arrow)
		print_arrow(x, e, 'f');
}

static void print_sleep(struct export *x, const struct entry *e, const struct entry *end)
{
	const struct entry *awake = e + 1;

	while (awake < end && awake->event != RILL_TRACE_AWAKE && awake->event != RILL_TRACE_RUN)
		awake++;
	open_at(x, 'X', e);
	print_us(x->out, "dur", (awake < end ? awake->time : x->now_ns) - e->time);
	fprintf(x->out, ",\"name\":\"asleep\",\"cat\":\"idle\"}");
}

static void print_steal(struct export *x, const struct entry *e, uint64_t *stolen)
{
	*stolen += e->arg;
	print_instant(x, e, "steal", "tasks");
	open_at(x, 'C', e);
	fprintf(x->out, ",\"name\":\"stolen by worker %u\",\"args\":{\"tasks\":%" PRIu64 "}}",
		e->worker, *stolen);
}

static void print_wake(struct export *x, const struct entry *e)
{
	print_instant(x, e, e->event == RILL_TRACE_SPAWN ? "spawn" : "wake", "task");
	if (e->arrow)
		print_arrow(x, e, 's');
}

static void print_track(struct export *x, unsigned worker)
{
	const struct entry *end = x->entries + x->begins[worker + 1];
	uint64_t stolen = 0;

	open_event(x, 'M', worker);
	fprintf(x->out, ",\"name\":\"thread_name\",\"args\":{\"name\":\"worker %u\"}}", worker);
	for (const struct entry *e = x->entries + x->begins[worker]; e < end; e++) {
		switch (e->event) {
		case RILL_TRACE_RUN:
			print_slice(x, e, end);
			break;
		case RILL_TRACE_SPAWN:
		case RILL_TRACE_WAKE:
			print_wake(x, e);
			break;
		case RILL_TRACE_STEAL:
			print_steal(x, e, &stolen);
			break;
		case RILL_TRACE_SLEEP:
			print_sleep(x, e, end);
			break;
		case RILL_TRACE_POLL:
			print_instant(x, e, "poll", NULL);
			break;
		case RILL_TRACE_TIMERS:
			print_instant(x, e, "timers", NULL);
			break;
		default: /* ends of slices and sleeps */
			break;
		}
	}
}

static void print_all(struct export *x)
{
	fprintf(x->out, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
	open_event(x, 'M', 0);
	fprintf(x->out, ",\"name\":\"process_name\",\"args\":{\"name\":");
	print_string(x->out, x->rt->name);
	fprintf(x->out, "}}");
	for (unsigned i = 0; i < x->rt->worker_count; i++)
		print_track(x, i);
	fprintf(x->out, "\n]}\n");
}

int rill_trace_export(struct rill_runtime *rt, FILE *out)
{
	struct export x = {.rt = rt, .out = out};
	int r = collect(&x);

	if (r == 0)
		r = find_arrows(&x);
	if (r == 0) {
		rill_runtime_for_each_task(rt, collect_name, &x);
		if (x.name_count > 0)
			qsort(x.names, x.name_count, sizeof(*x.names), compare_names);
		print_all(&x);
		r = fflush(out) != 0 || ferror(out) ? -EIO : 0;
	}
	free(x.names);
	free(x.begins);
	free(x.entries);
	return r;
}

#else

int rill_trace_export(struct rill_runtime *rt, FILE *out)
{
	return -ENOTSUP;
}

#endif
