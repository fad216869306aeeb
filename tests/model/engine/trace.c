/* SPDX-License-Identifier: BSD-3-Clause */
/* What happened, for the reader of a failure. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/model/engine/engine.h"

#define NAMES_MAX 64

/* As many steps are printed, the last ones. */
#define TRACE_MAX 400

static struct {
	const volatile uint8_t *at;
	size_t len;
	const char *name;
} names[NAMES_MAX];
static unsigned name_count;

/* Where the linker has put the program: addr2line counts from there. */
extern const char __executable_start;

void rill_model_trace_reset(void)
{
	name_count = 0;
}

void rill_model_name(const volatile void *p, size_t len, const char *name)
{
	if (name_count == NAMES_MAX)
		return;
	names[name_count].at = p;
	names[name_count].len = len;
	names[name_count++].name = name;
}

const char *rill_model_kind_name(enum rill_model_kind kind)
{
	static const char *const kinds[] = {"load",  "store", "rmw",  "cas", "lock",
					    "fence", "relax", "wait", "wake"};

	return kinds[kind];
}

static const char *order_name(int order)
{
	switch (order) {
	case __ATOMIC_ACQUIRE:
		return "acquire";
	case __ATOMIC_RELEASE:
		return "release";
	case __ATOMIC_ACQ_REL:
		return "acq_rel";
	case __ATOMIC_SEQ_CST:
		return "seq_cst";
	default:
		return "relaxed";
	}
}

/* ---- where in the code ---- */

/* addr2line for n instructions, or NULL. */
static FILE *open_symbols(const void *const *pcs, unsigned n, const char *options)
{
	static char command[64 * (TRACE_MAX + 4)];
	char exe[100];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	size_t used;

	if (len <= 0 || n == 0)
		return NULL;
	exe[len] = '\0';
	used = (size_t)snprintf(command, sizeof(command), "addr2line %s -e %s 2>/dev/null", options,
				exe);
	for (unsigned i = 0; i < n; i++)
		used += (size_t)snprintf(command + used, sizeof(command) - used, " 0x%zx",
					 (size_t)((const char *)pcs[i] - &__executable_start - 1));
	return popen(command, "r");
}

/* The function, file and line of an instruction, and what that was inlined into. */
static void print_code(const void *pc)
{
	char line[512];
	FILE *f = open_symbols(&pc, pc != NULL, "-spfi");

	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		printf("    %s", line);
	pclose(f);
}

/* Of each step in a header's inline function: the function and line that it was inlined into. */
static char callers[RILL_MODEL_STEPS_MAX][64];

static bool in_header(const struct rill_model_step *s)
{
	const char *dot = strrchr(s->site.file, '.');

	return s->from && dot && strcmp(dot, ".h") == 0;
}

/* One instruction's lines: its address, then function and place of each inlining, outermost last.
 */
static void read_callers(FILE *f, const unsigned *steps, unsigned n)
{
	char line[256], func[40] = "";
	unsigned i = 0;
	bool place = false;

	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, " \n")] = '\0';
		if (strncmp(line, "0x", 2) == 0) {
			i++;
			place = false;
			continue;
		}
		if (place && i > 0 && i <= n && func[0] != '?')
			snprintf(callers[steps[i - 1]], sizeof(callers[0]), "%.30s() %.30s", func,
				 line);
		else
			snprintf(func, sizeof(func), "%.39s", line);
		place = !place;
	}
}

static void find_callers(unsigned first)
{
	static const void *pcs[TRACE_MAX];
	static unsigned steps[TRACE_MAX];
	unsigned n = 0;

	for (unsigned i = first; i < rill_model.step_count; i++) {
		callers[i][0] = '\0';
		if (!in_header(&rill_model.steps[i]))
			continue;
		steps[n] = i;
		pcs[n++] = rill_model.steps[i].from;
	}
	FILE *f = open_symbols(pcs, n, "-asfi");

	if (!f)
		return;
	read_callers(f, steps, n);
	pclose(f);
}

/* ---- steps ---- */

/* A path from the root of the tree: the compiler was given it as it was given this file's. */
static const char *from_root(const char *file)
{
	size_t prefix = strlen(__FILE__) - strlen("tests/model/engine/trace.c");

	return strncmp(file, __FILE__, prefix) == 0 ? file + prefix : file;
}

static void print_place(const volatile void *p)
{
	const volatile uint8_t *at = p;

	for (unsigned i = 0; i < name_count; i++) {
		if (at < names[i].at || at >= names[i].at + names[i].len)
			continue;
		if (at == names[i].at)
			printf(" (%s)", names[i].name);
		else
			printf(" (%s+%zu)", names[i].name, (size_t)(at - names[i].at));
		return;
	}
	printf(" (..%03x)", (unsigned)((uintptr_t)p & 0xfff));
}

static void print_value(uint64_t v)
{
	if (v < 1 << 20)
		printf("%" PRIu64, v);
	else
		printf("0x%" PRIx64, v);
}

static void print_step(unsigned i, const struct rill_model_step *s)
{
	printf("  %4u %c %-5s %-7s %s", i, rill_model_letter(s->thread),
	       rill_model_kind_name(s->kind), order_name(s->order), s->site.what);
	if (s->addr) {
		print_place(s->addr);
		printf(": ");
		if (s->kind != RILL_MODEL_OP_STORE)
			print_value(s->read);
		if (s->stale)
			printf(" (old)");
		if (s->failed)
			printf(" failed");
		else if (s->kind != RILL_MODEL_OP_LOAD) {
			printf(" -> ");
			print_value(s->written);
		}
	}
	printf("   %s() %s:%d", s->site.func, from_root(s->site.file), s->site.line);
	printf("%s%s\n", callers[i][0] ? ", in " : "", callers[i]);
}

void rill_model_trace_print(void)
{
	unsigned first = rill_model.step_count > TRACE_MAX ? rill_model.step_count - TRACE_MAX : 0;

	find_callers(first);
	if (first > 0)
		printf("  ... %u steps\n", first);
	for (unsigned i = first; i < rill_model.step_count; i++)
		print_step(i, &rill_model.steps[i]);
	for (unsigned i = 1; i < rill_model.thread_count; i++) {
		const struct rill_model_thread *t = &rill_model.threads[i];

		/* a thread that has not come to its first operation is about to do nothing */
		if (!t->finished && t->op.site.file)
			printf("  %c is about to %s %s   %s() %s:%d\n", rill_model_letter(i),
			       rill_model_kind_name(t->op.kind), t->op.site.what, t->op.site.func,
			       from_root(t->op.site.file), t->op.site.line);
	}
	printf("  %s: %s\n", rill_model.failure, rill_model.message);
	for (unsigned i = 0; i < 2; i++)
		print_code(rill_model.racing[i]);
	rill_model_explore_print();
}
