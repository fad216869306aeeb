/* SPDX-License-Identifier: BSD-3-Clause */
/* <mss 1460, sackOK, TS val 1 ecr 2, wscale 7, sack 1:2 4:5, FO 0102.., opt 99 0102, !TS, ...> */
#include "spec.h"

#include <stdio.h>
#include <string.h>

#define VALUE_WORDS_MAX 8

static struct spec_option *add(struct spec *spec, uint8_t kind)
{
	struct spec_option *o = &spec->option[spec->option_count++];

	o->kind = kind;
	return o;
}

static bool add_value(struct spec_option *o, const char *text)
{
	return o->count < SPEC_VALUES_MAX && number_range(text, &o->value[o->count++]);
}

/* start:end ... */
static bool parse_blocks(struct spec_option *o, char **words, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char *colon = strchr(words[i], ':');

		if (!colon)
			return false;
		*colon = 0;
		if (!add_value(o, words[i]) || !add_value(o, colon + 1))
			return false;
	}
	return count > 0;
}

/* val N ecr N */
static bool parse_timestamps(struct spec_option *o, char **words, unsigned count)
{
	return count == 4 && strcmp(words[0], "val") == 0 && strcmp(words[2], "ecr") == 0 &&
	       add_value(o, words[1]) && add_value(o, words[3]);
}

/* A cookie in hexadecimal digits, or nothing. */
static bool parse_cookie(struct spec_option *o, char **words, unsigned count)
{
	int n;

	if (count == 1 && strcmp(words[0], "last") == 0)
		return o->last = true;
	n = count ? number_hex(words[0], o->bytes, sizeof(o->bytes)) : 0;

	o->len = n > 0 ? (unsigned)n : 0;
	return n >= 0 && count <= 1;
}

/* opt KIND HEX: well-formed. raw HEX: the bytes as they are. */
static bool parse_opt(struct spec_option *o, char **words, unsigned count)
{
	int64_t kind;

	if (count < 1 || !number_whole(words[0], &kind))
		return false;
	o->kind = (uint8_t)kind;
	return parse_cookie(o, words + 1, count - 1);
}

static bool parse_raw(struct spec_option *o, char **words, unsigned count)
{
	o->raw = true;
	return count == 1 && parse_cookie(o, words, count);
}

static bool parse_one(struct spec_option *o, char **words, unsigned count)
{
	return count == 1 && add_value(o, words[0]);
}

static bool parse_none(struct spec_option *o, char **words, unsigned count)
{
	(void)o;
	(void)words;
	return count == 0;
}

static const struct {
	const char *name;
	uint8_t kind;
	bool (*parse)(struct spec_option *o, char **words, unsigned count);
} kinds[] = {
	{"mss", OPTION_MSS, parse_one},
	{"wscale", OPTION_WSCALE, parse_one},
	{"sackOK", OPTION_SACK_OK, parse_none},
	{"sack", OPTION_SACK, parse_blocks},
	{"TS", OPTION_TS, parse_timestamps},
	{"uto", OPTION_UTO, parse_one},
	{"FO", OPTION_FAST_OPEN, parse_cookie},
	{"nop", OPTION_NOP, parse_none},
	{"eol", OPTION_END, parse_none},
	{"opt", 0, parse_opt},
	{"raw", 0, parse_raw},
};

static const char *parse_option(struct spec *spec, char *text)
{
	char *words[VALUE_WORDS_MAX + 1];
	unsigned count = 0;
	char *save = NULL;
	bool absent;

	for (char *w = strtok_r(text, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		if (count > VALUE_WORDS_MAX)
			return "an option with too many words";
		words[count++] = w;
	}
	if (count == 0)
		return "an empty option";
	if (strcmp(words[0], "...") == 0) {
		spec->mode = SPEC_OPTIONS_AT_LEAST;
		return NULL;
	}
	absent = words[0][0] == '!';
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct spec_option *o;

		if (strcmp(words[0] + absent, kinds[i].name) != 0)
			continue;
		if (spec->option_count == SPEC_OPTIONS_MAX)
			return "too many options";
		o = add(spec, kinds[i].kind);
		o->absent = absent;
		o->any = count == 2 && strcmp(words[1], "*") == 0;
		if ((!absent || !kinds[i].kind) && !o->any &&
		    !kinds[i].parse(o, words + 1, count - 1))
			return words[0];
		return NULL;
	}
	return "an unknown option";
}

const char *spec_parse_options(struct spec *spec, char *text)
{
	const char *wrong = NULL;
	char *save = NULL;
	size_t n = strlen(text);

	if (n < 2 || text[n - 1] != '>')
		return "options that do not end in >";
	text[n - 1] = 0;
	spec->mode = SPEC_OPTIONS_EXACT;
	for (char *o = strtok_r(text + 1, ",", &save); o && !wrong; o = strtok_r(NULL, ",", &save))
		wrong = parse_option(spec, o);
	return wrong;
}
