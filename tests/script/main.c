/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs scripts and says what became of each case (Test Anything Protocol).
 *
 *	run [-v] FILE [CASE]
 *
 * CASE: those whose name has this in it. -v: shows each line as it is run. Each case is run twice,
 * and must do the same to the byte and the nanosecond.
 */
#include "run.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each line of it as a comment. */
static void print_comment(const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		printf("#   %.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

static void print_failure(const struct run_result *r)
{
	if (r->line)
		printf("#   %s:%u: %s\n", r->file, r->line, r->text);
	else
		printf("#   at the end of the case:\n");
	print_comment(r->message);
}

/* "rfc9293_open: case" */
static void print_result(unsigned n, const char *path, const char *name, bool ok)
{
	char copy[4096];
	char *base, *dot;

	snprintf(copy, sizeof(copy), "%s", path);
	base = basename(copy);
	dot = strrchr(base, '.');
	if (dot)
		*dot = 0;
	printf("%s %u - %s: %s\n", ok ? "ok" : "not ok", n, base, name);
}

static bool run_one(unsigned n, const char *path, const struct lang_case *c, bool verbose)
{
	struct run_result r, again;

	run_case(c, verbose, &r);
	if (r.ok) {
		run_case(c, false, &again);
		if (!again.ok || again.trace != r.trace) {
			r = again;
			r.ok = false;
			if (!*r.message)
				strcpy(r.message, "run again, it did something else");
		}
	}
	print_result(n, path, c->name, r.ok);
	if (!r.ok)
		print_failure(&r);
	fflush(stdout);
	return r.ok;
}

static unsigned count_selected(const struct lang_script *script, const char *pattern)
{
	unsigned n = 0;

	for (unsigned i = 0; i < script->count; i++)
		n += strstr(script->cases[i].name, pattern) != NULL;
	return n;
}

int main(int argc, char **argv)
{
	bool verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
	const char *path = argv[1 + verbose];
	const char *pattern = path && argv[2 + verbose] ? argv[2 + verbose] : "";
	struct lang_script script;
	unsigned n = 0, failed = 0;

	if (!path) {
		fprintf(stderr, "usage: run [-v] FILE [CASE]\n");
		return 2;
	}
	if (!lang_load(&script, path)) {
		printf("Bail out! %s\n", script.error);
		lang_free(&script);
		return 1;
	}
	printf("1..%u\n", count_selected(&script, pattern));
	for (unsigned i = 0; i < script.count; i++)
		if (strstr(script.cases[i].name, pattern))
			failed += !run_one(++n, path, &script.cases[i], verbose);
	if (n == 0)
		printf("Bail out! no case of that name\n");
	lang_free(&script);
	return failed || n == 0;
}
