/* SPDX-License-Identifier: BSD-3-Clause */
/* From files to cases whose lines stand for themselves. */
#include "lang.h"
#include "subst.h"

#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USES_MAX 16 /* a prelude may use another */

struct prelude {
	char name[LANG_NAME_MAX];
	struct subst_vars defaults;
	struct lang_lines lines;
	struct prelude *next;
};

struct loader {
	struct lang_script *script;
	struct prelude *preludes;
	/* The block that lines go to, as they are written. */
	struct prelude *prelude;
	char case_name[LANG_NAME_MAX];
	bool in_case;
	struct lang_lines body;
	/* The table in front of the case. */
	bool in_table;
	struct subst_table table;
	const char *file;
	unsigned number;
};

static bool fail(struct loader *l, const char *format, ...)
{
	va_list args;
	int n = snprintf(l->script->error, LANG_ERROR_MAX, "%s:%u: ", l->file, l->number);

	va_start(args, format);
	vsnprintf(l->script->error + n, LANG_ERROR_MAX - (size_t)n, format, args);
	va_end(args);
	return false;
}

static void *grow(void *old, unsigned count, size_t size)
{
	void *p = (count & (count - 1)) ? old : realloc(old, (count ? 2 * count : 1) * size);

	if (!p)
		abort();
	return p;
}

static void add_line(struct lang_lines *lines, const char *file, unsigned number, const char *text)
{
	struct lang_line *line;

	lines->line = grow(lines->line, lines->count, sizeof(*lines->line));
	line = &lines->line[lines->count++];
	line->file = file;
	line->number = number;
	line->text = strdup(text);
	if (!line->text)
		abort();
}

static void free_lines(struct lang_lines *lines)
{
	for (unsigned i = 0; i < lines->count; i++)
		free(lines->line[i].text);
	free(lines->line);
	*lines = (struct lang_lines){0};
}

static struct prelude *find_prelude(struct loader *l, const char *name)
{
	struct prelude *p = l->preludes;

	while (p && strcmp(p->name, name) != 0)
		p = p->next;
	return p;
}

/* ---- expanding the body of a case ---- */

static bool expand(struct loader *l, const struct lang_lines *body, const struct subst_vars *vars,
		   struct lang_lines *to, unsigned depth);

/* use NAME param=value ... */
static bool expand_use(struct loader *l, const struct lang_words *words, struct lang_lines *to,
		       unsigned depth)
{
	struct prelude *p = words->count > 1 ? find_prelude(l, words->v[1]) : NULL;
	struct subst_vars vars;

	if (!p)
		return fail(l, "no such prelude: %s", words->count > 1 ? words->v[1] : "(none)");
	if (depth == USES_MAX)
		return fail(l, "preludes use each other too deeply");
	vars = p->defaults;
	for (unsigned i = 2; i < words->count; i++)
		if (!subst_set(&vars, words->v[i], true))
			return fail(l, "%s has no parameter %s", p->name, words->v[i]);
	return expand(l, &p->lines, &vars, to, depth + 1);
}

/* each NAME FROM..TO line ; line */
static bool expand_each(struct loader *l, const char *text, struct lang_lines *to)
{
	char name[LANG_NAME_MAX], out[LANG_LINE_MAX], part[LANG_LINE_MAX];
	unsigned from, last;
	int rest = 0;

	if (sscanf(text, "each %95s %u..%u %n", name, &from, &last, &rest) != 3 || !rest)
		return fail(l, "not \"each NAME FROM..TO line\"");
	for (unsigned i = from; i <= last; i++) {
		struct subst_vars vars = {0};
		const char *p = text + rest;

		subst_number(&vars, name, i);
		while (*p) {
			size_t n = strcspn(p, ";");

			snprintf(part, sizeof(part), "%.*s", (int)n, p);
			if (!subst_apply(out, part, &vars, true))
				return fail(l, "too long");
			add_line(to, l->file, l->number, out);
			p += n + (p[n] == ';');
		}
	}
	return true;
}

static bool expand_line(struct loader *l, const struct lang_line *line,
			const struct subst_vars *vars, struct lang_lines *to, unsigned depth)
{
	struct lang_words words;
	char text[LANG_LINE_MAX];
	bool each = strncmp(line->text, "each ", 5) == 0;

	l->file = line->file;
	l->number = line->number;
	/* The name that each gives a value to is still unknown here. */
	if (!subst_apply(text, line->text, vars, each))
		return fail(l, "a name without a value, or too long: %s", line->text);
	if (each)
		return expand_each(l, text, to);
	if (!lang_split(&words, text))
		return fail(l, "cannot be cut into words: %s", text);
	if (words.count > 0 && strcmp(words.v[0], "use") == 0)
		return expand_use(l, &words, to, depth);
	add_line(to, line->file, line->number, text);
	return true;
}

static bool expand(struct loader *l, const struct lang_lines *body, const struct subst_vars *vars,
		   struct lang_lines *to, unsigned depth)
{
	for (unsigned i = 0; i < body->count; i++)
		if (!expand_line(l, &body->line[i], vars, to, depth))
			return false;
	return true;
}

static bool add_case(struct loader *l, const struct subst_vars *vars)
{
	struct lang_script *s = l->script;
	struct lang_case *c;
	char name[LANG_LINE_MAX];

	if (!subst_apply(name, l->case_name, vars, false) || strlen(name) >= LANG_NAME_MAX)
		return fail(l, "a name without a value, or too long: %s", l->case_name);
	for (unsigned i = 0; i < s->count; i++)
		if (strcmp(s->cases[i].name, name) == 0)
			return fail(l, "there is a case %s already", name);
	s->cases = grow(s->cases, s->count, sizeof(*s->cases));
	c = &s->cases[s->count++];
	*c = (struct lang_case){0};
	strcpy(c->name, name);
	return expand(l, &l->body, vars, &c->lines, 0);
}

/* The block that was being read is complete. */
static bool end_block(struct loader *l)
{
	struct subst_vars none = {0};
	bool ok = true;

	l->prelude = NULL;
	if (!l->in_case)
		return true;
	l->in_case = false;
	if (l->table.rows == 0)
		ok = add_case(l, &none);
	for (unsigned i = 0; ok && i < l->table.rows; i++)
		ok = add_case(l, &l->table.row[i]);
	l->table.rows = 0;
	free_lines(&l->body);
	return ok;
}

/* ---- reading ---- */

static bool read_file(struct loader *l, const char *path);

static bool begin_prelude(struct loader *l, const struct lang_words *words)
{
	struct prelude *p;

	if (words->count < 2 || strlen(words->v[1]) >= LANG_NAME_MAX)
		return fail(l, "prelude without a name");
	if (find_prelude(l, words->v[1]))
		return fail(l, "there is a prelude %s already", words->v[1]);
	p = calloc(1, sizeof(*p));
	if (!p)
		abort();
	strcpy(p->name, words->v[1]);
	p->next = l->preludes;
	l->preludes = l->prelude = p;
	for (unsigned i = 2; i < words->count; i++)
		if (!subst_set(&p->defaults, words->v[i], false))
			return fail(l, "not a parameter with its default: %s", words->v[i]);
	return true;
}

static bool begin_case(struct loader *l, const struct lang_words *words)
{
	if (words->count != 2 || strlen(words->v[1]) >= LANG_NAME_MAX)
		return fail(l, "a case has one word as its name");
	strcpy(l->case_name, words->v[1]);
	l->in_case = true;
	l->in_table = false;
	return true;
}

static bool include(struct loader *l, const struct lang_words *words)
{
	char path[4096], dir[4096];
	const char *file = l->file;
	unsigned number = l->number;
	bool ok;

	if (words->count != 2)
		return fail(l, "include what?");
	snprintf(dir, sizeof(dir), "%s", l->file);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dirname(dir), words->v[1]) >=
	    sizeof(path))
		return fail(l, "too long");
	ok = read_file(l, path);
	if (ok) {
		l->file = file;
		l->number = number;
	}
	return ok;
}

static bool add_row(struct loader *l, const char *text)
{
	return subst_table_row(&l->table, text) || fail(l, "not a row of the table: %s", text);
}

/* A line that is not indented begins something. */
static bool read_head(struct loader *l, const char *text)
{
	struct lang_words words;

	if (!lang_split(&words, text))
		return fail(l, "cannot be cut into words: %s", text);
	if (!end_block(l))
		return false;
	if (strcmp(words.v[0], "case") == 0)
		return begin_case(l, &words);
	if (l->in_table)
		return fail(l, "a case must follow foreach");
	if (strcmp(words.v[0], "prelude") == 0)
		return begin_prelude(l, &words);
	if (strcmp(words.v[0], "include") == 0)
		return include(l, &words);
	if (strcmp(words.v[0], "foreach") == 0) {
		l->in_table = true;
		return subst_table_head(&l->table, text + strlen("foreach")) ||
		       fail(l, "names, please");
	}
	return fail(l, "neither case, prelude, foreach nor include: %s", text);
}

static bool read_line(struct loader *l, char *text)
{
	char *hash = strchr(text, '#');
	bool indented = *text == '\t' || *text == ' ';
	char *end;

	if (hash)
		*hash = 0;
	end = text + strlen(text);
	while (end > text && strchr(" \t\r\n", end[-1]))
		*--end = 0;
	text += strspn(text, " \t");
	if (!*text)
		return true;
	if (!indented)
		return read_head(l, text);
	if (l->in_table)
		return add_row(l, text);
	if (!l->in_case && !l->prelude)
		return fail(l, "belongs to no case: %s", text);
	add_line(l->in_case ? &l->body : &l->prelude->lines, l->file, l->number, text);
	return true;
}

static char *keep_path(struct loader *l, const char *path)
{
	char *copy = strdup(path);

	if (!copy)
		abort();
	l->script->files[l->script->file_count++] = copy;
	return copy;
}

static bool read_file(struct loader *l, const char *path)
{
	FILE *f = l->script->file_count < LANG_FILES_MAX ? fopen(path, "r") : NULL;
	char text[LANG_LINE_MAX];
	bool ok = true;

	if (!f)
		return fail(l, "%s: %s", path, strerror(errno));
	l->file = keep_path(l, path);
	l->number = 0;
	while (ok && fgets(text, sizeof(text), f)) {
		l->number++;
		ok = read_line(l, text);
	}
	fclose(f);
	return ok && end_block(l);
}

bool lang_load(struct lang_script *script, const char *path)
{
	struct loader l = {.script = script, .file = path};
	struct prelude *p;
	bool ok;

	*script = (struct lang_script){0};
	ok = read_file(&l, path);
	if (ok && l.in_table)
		ok = fail(&l, "a case must follow foreach");
	free_lines(&l.body);
	while ((p = l.preludes)) {
		l.preludes = p->next;
		free_lines(&p->lines);
		free(p);
	}
	return ok;
}

void lang_free(struct lang_script *script)
{
	for (unsigned i = 0; i < script->count; i++)
		free_lines(&script->cases[i].lines);
	for (unsigned i = 0; i < script->file_count; i++)
		free(script->files[i]);
	free(script->cases);
}
