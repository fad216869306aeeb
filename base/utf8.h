/* SPDX-License-Identifier: BSD-3-Clause */
/* UTF-8 (RFC 3629). */
#ifndef RILL_BASE_UTF8_H
#define RILL_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/*
 * The length of the sequence that begins at s, of which len bytes may be looked at; 0: it is none.
 * A byte 0 is a sequence of one, and ends every longer one: of strings, len may be 4 always.
 */
static inline unsigned rill_utf8_length(const unsigned char *s, size_t len)
{
	unsigned n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (n < 2)
		return n;
	for (unsigned i = 1; i < n; i++)
		if (i == len || (s[i] & 0xc0) != 0x80)
			return 0;
	/* overlong, a surrogate, past the last */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || s[0] > 0xf4 || (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	return n;
}

/* All of it, and no byte 0. */
static inline bool rill_utf8_is_text(const void *data, size_t len)
{
	const unsigned char *s = data;

	while (len > 0) {
		unsigned n = s[0] ? rill_utf8_length(s, len) : 0;

		if (n == 0)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

#endif
