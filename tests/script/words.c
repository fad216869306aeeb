/* SPDX-License-Identifier: BSD-3-Clause */
#include "lang.h"

#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == 0;
}

/* The character that ends the word which begins at p; ' ' for a blank. */
static char closing(const char *p)
{
	if (*p == '"')
		return '"';
	if (*p == '<' && !is_blank(p[1]) && p[1] != '<' && p[1] != '=')
		return '>';
	return ' ';
}

/* One past the word at p, or NULL. Inside a word such as name="two words" quotes count, too. */
static char *end_of_word(char *p)
{
	char close = closing(p);
	bool quoted = false;

	if (close != ' ') {
		p = strchr(p + 1, close);
		return p ? p + 1 : NULL;
	}
	for (; *p && (quoted || !is_blank(*p)); p++)
		quoted ^= *p == '"';
	return quoted ? NULL : p;
}

bool lang_split(struct lang_words *words, const char *text)
{
	char *p = words->text, *end;

	words->count = 0;
	if (strlen(text) >= sizeof(words->text))
		return false;
	strcpy(words->text, text);
	for (;;) {
		while (*p == ' ' || *p == '\t')
			p++;
		if (!*p)
			return true;
		end = end_of_word(p);
		if (!end || words->count == LANG_WORDS_MAX)
			return false;
		words->v[words->count++] = p;
		if (!*end)
			return true;
		*end = 0;
		p = end + 1;
	}
}
