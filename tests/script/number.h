/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers as scripts write them. All return false when text is none of that, from its first to its
 * last character. */
#ifndef RILL_TESTS_SCRIPT_NUMBER_H
#define RILL_TESTS_SCRIPT_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a field may be. */
struct number_range {
	int64_t low, high;
};

#define NUMBER_ANY ((struct number_range){INT64_MIN, INT64_MAX})

static inline bool number_is_any(struct number_range r)
{
	return r.low == INT64_MIN && r.high == INT64_MAX;
}

static inline bool number_in(struct number_range r, int64_t v)
{
	return v >= r.low && v <= r.high;
}

/* Sums of products, without blanks: 1+3*1460, 0x10, -1. Moves *text behind it. */
bool number_parse(const char **text, int64_t *ret_value);
bool number_whole(const char *text, int64_t *ret_value);
/* 5, 5..9, or * for any. */
bool number_range(const char *text, struct number_range *ret_range);
/* 200ms, 40us, 1s, 1.5s, 2h, or a plain number of seconds: nanoseconds. */
bool number_time(const char *text, uint64_t *ret_ns);
/* 198.18.0.1, host order. */
bool number_ip(const char *text, uint32_t *ret_ip);
/* Pairs of hexadecimal digits, '.' between them or not: how many bytes, -1: not that. */
int number_hex(const char *text, uint8_t *out, size_t max);

#endif
