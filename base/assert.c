/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void rill_assert_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "rill: %s:%d: assertion failed: %s\n", file, line, what);
	abort();
}

void rill_assert_failed_cmp(const char *file, int line, const char *what, long long a, long long b)
{
	fprintf(stderr, "rill: %s:%d: assertion failed: %s (%lld, %lld)\n", file, line, what, a, b);
	abort();
}
