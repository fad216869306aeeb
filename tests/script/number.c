/* SPDX-License-Identifier: BSD-3-Clause */
#include "number.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool product(const char **text, int64_t *ret_value)
{
	int64_t value = 1;

	for (;;) {
		const char *p = *text;
		char *end;

		if (!isdigit((unsigned char)*p))
			return false;
		value *= (int64_t)strtoull(p, &end, p[0] == '0' && p[1] == 'x' ? 16 : 10);
		*text = end;
		if (*end != '*' || !isdigit((unsigned char)end[1]))
			break;
		(*text)++;
	}
	*ret_value = value;
	return true;
}

bool number_parse(const char **text, int64_t *ret_value)
{
	int64_t sum = 0, value, sign = 1;

	if (**text == '-') {
		sign = -1;
		(*text)++;
	}
	for (;;) {
		if (!product(text, &value))
			return false;
		sum += sign * value;
		if (**text != '+' && **text != '-')
			break;
		sign = **text == '+' ? 1 : -1;
		(*text)++;
	}
	*ret_value = sum;
	return true;
}

bool number_whole(const char *text, int64_t *ret_value)
{
	return number_parse(&text, ret_value) && !*text;
}

bool number_range(const char *text, struct number_range *ret_range)
{
	struct number_range r;

	if (strcmp(text, "*") == 0) {
		*ret_range = NUMBER_ANY;
		return true;
	}
	if (!number_parse(&text, &r.low))
		return false;
	r.high = r.low;
	if (strncmp(text, "..", 2) == 0) {
		text += 2;
		if (!number_parse(&text, &r.high))
			return false;
	}
	if (*text)
		return false;
	*ret_range = r;
	return true;
}

bool number_time(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"", 1e9}, {"s", 1e9},    {"ms", 1e6},   {"us", 1e3},
		     {"ns", 1}, {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
	char *end;
	double value = strtod(text, &end);

	if (end == text || value < 0)
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		*ret_ns = (uint64_t)(value * units[i].ns + 0.5);
		return true;
	}
	return false;
}

bool number_ip(const char *text, uint32_t *ret_ip)
{
	unsigned a, b, c, d;
	int n = 0;

	if (sscanf(text, "%3u.%3u.%3u.%3u%n", &a, &b, &c, &d, &n) != 4 || text[n] || a > 255 ||
	    b > 255 || c > 255 || d > 255)
		return false;
	*ret_ip = a << 24 | b << 16 | c << 8 | d;
	return true;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int number_hex(const char *text, uint8_t *out, size_t max)
{
	size_t n = 0;

	while (*text) {
		if (*text == '.') {
			text++;
			continue;
		}
		if (digit(text[0]) < 0 || digit(text[1]) < 0 || n == max)
			return -1;
		out[n++] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
		text += 2;
	}
	return (int)n;
}
