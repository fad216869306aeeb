/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The script language as text: a file becomes a list of cases, each a list of lines that stand for
 * themselves. What a line means is none of its business. README.md describes the language.
 *
 * Done here: comments, include, prelude and use, foreach, each, and $names.
 */
#ifndef RILL_TESTS_SCRIPT_LANG_H
#define RILL_TESTS_SCRIPT_LANG_H

#include <stdbool.h>
#include <stddef.h>

#define LANG_LINE_MAX 512
#define LANG_NAME_MAX 96
#define LANG_ERROR_MAX 1024

struct lang_line {
	const char *file;
	unsigned number;
	char *text;
};

struct lang_lines {
	struct lang_line *line;
	unsigned count;
};

struct lang_case {
	char name[LANG_NAME_MAX];
	struct lang_lines lines;
};

#define LANG_FILES_MAX 8

struct lang_script {
	struct lang_case *cases;
	unsigned count;
	char *files[LANG_FILES_MAX]; /* what lines point to */
	unsigned file_count;
	char error[LANG_ERROR_MAX]; /* file:line: what is wrong, when loading failed */
};

/* false: script->error says why. Free it in any case. */
bool lang_load(struct lang_script *script, const char *path);
void lang_free(struct lang_script *script);

#define LANG_WORDS_MAX 64

/* A line cut into words; v[i] points into text. */
struct lang_words {
	char *v[LANG_WORDS_MAX];
	unsigned count;
	char text[LANG_LINE_MAX];
};

/*
 * Words end at blanks. "in quotes" and <in angles, if a blank does not follow the first> are one
 * word each; <, << and <= are plain words. false: too long, or an end is missing.
 */
bool lang_split(struct lang_words *words, const char *text);

#endif
