/* SPDX-License-Identifier: BSD-3-Clause */
#include "spec.h"

#include <stdio.h>
#include <string.h>

static const struct {
	char letter;
	uint16_t flag;
} letters[] = {{'F', PACKET_FIN}, {'S', PACKET_SYN}, {'R', PACKET_RST},
	       {'P', PACKET_PSH}, {'.', PACKET_ACK}, {'U', PACKET_URG},
	       {'E', PACKET_ECE}, {'W', PACKET_CWR}, {'A', PACKET_AE}};

#define LETTERS (sizeof(letters) / sizeof(*letters))

const char *spec_flags(uint16_t flags, char *out)
{
	char *p = out;

	for (size_t i = 0; i < LETTERS; i++)
		if (flags & letters[i].flag)
			*p++ = letters[i].letter;
	if (p == out)
		*p++ = '0';
	*p = 0;
	return out;
}

static bool parse_flag(struct spec *spec, char letter, bool open)
{
	size_t i = 0;

	spec->psh |= letter == 'P' || letter == 'p';
	if (letter == 'p')
		return true;
	while (i < LETTERS && letters[i].letter != letter)
		i++;
	if (i == LETTERS)
		return false;
	*(open ? &spec->flags_open : &spec->flags) |= letters[i].flag;
	return true;
}

static bool parse_flags(struct spec *spec, const char *text)
{
	if (strcmp(text, "0") == 0)
		return true;
	while (*text) {
		bool open = text[1] == '?';

		if (!parse_flag(spec, *text, open))
			return false;
		text += 1 + open;
	}
	return true;
}

/* seq:end(len); a field may be *. */
static bool parse_numbers(struct spec *spec, char *text)
{
	char *colon = strchr(text, ':');
	char *paren = colon ? strchr(colon, '(') : NULL;
	size_t n = strlen(text);

	if (!paren || text[n - 1] != ')')
		return false;
	*colon = *paren = text[n - 1] = 0;
	if (strcmp(paren + 1, "*") == 0)
		spec->len = -1;
	else if (!number_whole(paren + 1, &spec->len))
		return false;
	return number_range(text, &spec->seq) && number_range(colon + 1, &spec->end);
}

/* ---- fields with a name ---- */

static bool parse_ranged(struct spec *spec, const char *name, const char *value)
{
	const struct {
		const char *name;
		struct number_range *range;
	} fields[] = {{"ack", &spec->ack},
		      {"win", &spec->win},
		      {"urg", &spec->urg},
		      {"tos", &spec->tos},
		      {"ttl", &spec->ttl}};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (strcmp(fields[i].name, name) == 0)
			return number_range(value, fields[i].range);
	return false;
}

static bool parse_value(struct spec *spec, const char *name, const char *value)
{
	int64_t number;
	int n;

	if (strcmp(name, "from") == 0)
		return spec->from_given = number_ip(value, &spec->from);
	if (strcmp(name, "to") == 0)
		return spec->to_given = number_ip(value, &spec->to);
	if (strcmp(name, "ipopt") == 0) {
		n = number_hex(value, spec->ip_options, sizeof(spec->ip_options));
		spec->ip_options_len = n > 0 ? (unsigned)n : 0;
		return n > 0 && n % 4 == 0;
	}
	if (strcmp(name, "doff") == 0) {
		bool ok = number_whole(value, &number);

		spec->data_offset = ok ? (unsigned)number : 0;
		return ok;
	}
	return parse_ranged(spec, name, value);
}

static bool parse_word(struct spec *spec, const char *word)
{
	static const char *const ecn[] = {"noect", "ect1", "ect0", "ce"};

	for (int i = 0; i < 4; i++) {
		if (strcmp(word, ecn[i]) == 0) {
			spec->ecn = i;
			return true;
		}
	}
	if (strcmp(word, "badsum") == 0)
		return spec->bad_checksum = true;
	if (strcmp(word, "badipsum") == 0)
		return spec->bad_ip_checksum = true;
	if (strcmp(word, "nodata") == 0)
		return spec->nodata = true;
	return false;
}

const char *spec_parse(struct spec *spec, char *const *words, unsigned count)
{
	const char *wrong = NULL;

	*spec = (struct spec){.ack = NUMBER_ANY,
			      .win = NUMBER_ANY,
			      .urg = NUMBER_ANY,
			      .tos = NUMBER_ANY,
			      .ttl = NUMBER_ANY,
			      .ecn = -1};
	if (count == 1 && strcmp(words[0], "*") == 0) {
		spec->any = true;
		return NULL;
	}
	if (count < 2 || !parse_flags(spec, words[0]))
		return "no flags such as S. or 0 at the beginning";
	if (!parse_numbers(spec, words[1]))
		return "the second word is no seq:end(len)";
	for (unsigned i = 2; !wrong && i < count; i++) {
		if (words[i][0] == '<')
			wrong = spec_parse_options(spec, words[i]);
		else if (parse_word(spec, words[i]))
			continue;
		else if (i + 1 == count || !parse_value(spec, words[i], words[i + 1]))
			wrong = words[i];
		else
			i++;
	}
	return wrong;
}
