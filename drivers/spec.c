/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/spec.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "drivers/driver.h"

/* A piece of the spec; not terminated. */
struct slice {
	const char *at;
	size_t len;
};

static bool slice_is(struct slice s, const char *word)
{
	return strlen(word) == s.len && memcmp(word, s.at, s.len) == 0;
}

static bool parse_uint(struct slice s, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!isdigit((unsigned char)s.at[i]))
			return false;
		if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.at[i] - '0'), &v))
			return false;
	}
	*ret = v;
	return true;
}

/* By hand, for strtod() would want the comma of some locales. */
static bool parse_prob(struct slice s, uint64_t *ret)
{
	double v = 0, scale = 1;
	bool dot = false, digits = false;

	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '.' && !dot) {
			dot = true;
			continue;
		}
		if (!isdigit((unsigned char)s.at[i]))
			return false;
		digits = true;
		if (dot)
			scale /= 10;
		v = dot ? v + scale * (s.at[i] - '0') : v * 10 + (s.at[i] - '0');
	}
	if (!digits || v > 1)
		return false;
	*ret = (uint64_t)(v * (double)RILL_SPEC_PROB_ONE);
	return true;
}

static bool parse_choice(struct slice s, const char *const *choices, uint64_t *ret)
{
	for (uint64_t i = 0; choices[i]; i++) {
		if (slice_is(s, choices[i])) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static bool parse_value(const struct rill_spec_key *k, struct slice s)
{
	uint64_t v;

	switch (k->type) {
	case RILL_SPEC_UINT:
		if (!parse_uint(s, &v) || v < k->min || v > k->max)
			return false;
		break;
	case RILL_SPEC_PROB:
		if (!parse_prob(s, &v))
			return false;
		break;
	case RILL_SPEC_CHOICE:
		if (!parse_choice(s, k->choices, &v))
			return false;
		break;
	case RILL_SPEC_TEXT:
		if (s.len == 0 || s.len >= k->max)
			return false;
		memcpy(k->text, s.at, s.len);
		k->text[s.len] = 0;
		return true;
	default:
		return false;
	}
	*k->value = v;
	return true;
}

/* Into buf: what values k takes. */
static void print_allowed(const struct rill_spec_key *k, char *buf, size_t len)
{
	size_t at = 0;

	if (k->type == RILL_SPEC_UINT)
		snprintf(buf, len, "a number from %" PRIu64 " to %" PRIu64, k->min, k->max);
	if (k->type == RILL_SPEC_PROB)
		snprintf(buf, len, "a probability from 0 to 1");
	if (k->type == RILL_SPEC_TEXT)
		snprintf(buf, len, "1 to %" PRIu64 " letters", k->max - 1);
	for (size_t i = 0; k->type == RILL_SPEC_CHOICE && k->choices[i] && at < len; i++)
		at += (size_t)snprintf(buf + at, len - at, "%s%s", i ? ", " : "one of ",
				       k->choices[i]);
}

/* ---- did you mean ---- */

#define WORD_MAX 31u

unsigned rill_spec_distance(const char *a, size_t a_len, const char *b)
{
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];
	size_t n = RILL_MIN(a_len, (size_t)WORD_MAX), m = RILL_MIN(strlen(b), (size_t)WORD_MAX);

	for (unsigned i = 0; i <= n; i++)
		d[i][0] = i;
	for (unsigned j = 0; j <= m; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			unsigned other = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			unsigned best = RILL_MIN(d[i - 1][j], d[i][j - 1]) + 1;

			d[i][j] = RILL_MIN(best, other);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = RILL_MIN(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[n][m];
}

bool rill_spec_near(const char *a, size_t a_len, const char *b)
{
	unsigned distance = rill_spec_distance(a, a_len, b);

	/* Of short words nearly all are near. */
	return distance > 0 && distance <= (a_len < 4 ? 1u : 2u) && distance < strlen(b);
}

/* The key that may be meant, or NULL. */
static const char *nearest_key(struct slice key, const struct rill_spec_key *keys, size_t count)
{
	const char *best = NULL;
	unsigned best_distance = UINT32_MAX;

	for (size_t i = 0; i < count; i++) {
		unsigned distance = rill_spec_distance(key.at, key.len, keys[i].key);

		if (rill_spec_near(key.at, key.len, keys[i].key) && distance < best_distance) {
			best = keys[i].key;
			best_distance = distance;
		}
	}
	return best;
}

static const char *nearest_choice(struct slice value, const struct rill_spec_key *k)
{
	for (size_t i = 0; k->type == RILL_SPEC_CHOICE && k->choices[i]; i++)
		if (rill_spec_near(value.at, value.len, k->choices[i]))
			return k->choices[i];
	return NULL;
}

static int fail_key(const char *driver, struct slice key, const struct rill_spec_key *keys,
		    size_t key_count, char *error)
{
	char known[128] = "";
	size_t at = 0;

	for (size_t i = 0; i < key_count && at < sizeof(known); i++)
		at += (size_t)snprintf(known + at, sizeof(known) - at, " %s", keys[i].key);
	const char *meant = nearest_key(key, keys, key_count);

	if (meant)
		return rill_nic_fail(
			error, -EINVAL, "%s: unknown option '%.*s': did you mean '%s'? It takes:%s",
			driver, (int)RILL_MIN(key.len, (size_t)32), key.at, meant, known);
	return rill_nic_fail(error, -EINVAL, "%s: unknown option '%.*s'; it takes:%s", driver,
			     (int)RILL_MIN(key.len, (size_t)32), key.at, known);
}

static int fail_value(const char *driver, const struct rill_spec_key *k, struct slice value,
		      char *error)
{
	char allowed[96];

	const char *meant = nearest_choice(value, k);

	print_allowed(k, allowed, sizeof(allowed));
	if (meant)
		return rill_nic_fail(
			error, -EINVAL, "%s: bad %s '%.*s': did you mean '%s'? It takes %s", driver,
			k->key, (int)RILL_MIN(value.len, (size_t)32), value.at, meant, allowed);
	return rill_nic_fail(error, -EINVAL, "%s: bad %s '%.*s': want %s", driver, k->key,
			     (int)RILL_MIN(value.len, (size_t)32), value.at, allowed);
}

static int parse_option(const char *driver, struct slice option, const struct rill_spec_key *keys,
			size_t key_count, char *error)
{
	const char *eq = memchr(option.at, '=', option.len);
	struct slice key = {option.at, eq ? (size_t)(eq - option.at) : option.len};
	struct slice value = {eq ? eq + 1 : option.at + option.len,
			      eq ? option.len - key.len - 1 : 0};

	for (size_t i = 0; i < key_count; i++) {
		if (!slice_is(key, keys[i].key))
			continue;
		if (!parse_value(&keys[i], value))
			return fail_value(driver, &keys[i], value, error);
		return 0;
	}
	return fail_key(driver, key, keys, key_count, error);
}

int rill_spec_parse(const char *driver, const char *spec, const struct rill_spec_key *keys,
		    size_t key_count, char *ret_name, char *error)
{
	size_t name_len = strcspn(spec, ",");

	if (name_len == 0 || name_len >= RILL_SPEC_NAME_LEN)
		return rill_nic_fail(error, -EINVAL,
				     "%s: the name in '%.64s' must have 1 to %d bytes", driver,
				     spec, RILL_SPEC_NAME_LEN - 1);
	for (const char *at = spec + name_len; *at == ',';) {
		struct slice option = {at + 1, strcspn(at + 1, ",")};
		int err = parse_option(driver, option, keys, key_count, error);

		if (err)
			return err;
		at = option.at + option.len;
	}
	memcpy(ret_name, spec, name_len);
	ret_name[name_len] = 0;
	return 0;
}
