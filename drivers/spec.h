/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options of a NIC spec: "first,key=value,key=value". Each driver lists its keys; what it does
 * not list is an error that says what would have been right.
 */
#ifndef RILL_DRIVERS_SPEC_H
#define RILL_DRIVERS_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rill_spec_type {
	RILL_SPEC_UINT,	  /* decimal, min <= value <= max */
	RILL_SPEC_PROB,	  /* decimal fraction 0..1, stored times RILL_SPEC_PROB_ONE */
	RILL_SPEC_CHOICE, /* one of choices, stored as its index */
	RILL_SPEC_TEXT,	  /* anything but a comma, into text, of 1 to max - 1 bytes */
};

/* The stored form of probability 1: a 32-bit random number is always below it. */
#define RILL_SPEC_PROB_ONE (UINT64_C(1) << 32)

struct rill_spec_key {
	const char *key;
	enum rill_spec_type type;
	uint64_t *value; /* set when the key is given; else it keeps the default */
	uint64_t min, max;
	const char *const *choices; /* NULL-terminated */
	char *text;		    /* max bytes, with its 0 */
};

/* Room for the first word, with its 0. */
#define RILL_SPEC_NAME_LEN 32

/*
 * In how many places two words differ: letters more, less, others, or two that changed places
 * (Damerau). Words of more than 31 letters are cut off. For "did you mean".
 */
unsigned rill_spec_distance(const char *a, size_t a_len, const char *b);
/* Is b what somebody may have meant who wrote a? Not if it is equal. */
bool rill_spec_near(const char *a, size_t a_len, const char *b);

/*
 * Parses spec. ret_name (RILL_SPEC_NAME_LEN bytes) gets the first word. -EINVAL: error
 * (RILL_NIC_ERROR_LEN) names the key and what is allowed; the values may be half set. driver is for
 * the message.
 */
int rill_spec_parse(const char *driver, const char *spec, const struct rill_spec_key *keys,
		    size_t key_count, char *ret_name, char *error);

#endif
