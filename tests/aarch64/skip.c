/* SPDX-License-Identifier: BSD-3-Clause */
/* Preloaded into a cmocka program, it takes out the test case that RILL_SKIP_CASE names. */
#include <stdlib.h>

/* cmocka's; not there in other programs. */
extern void cmocka_set_skip_filter(const char *pattern) __attribute__((weak));

static void __attribute__((constructor)) skip_case(void)
{
	const char *name = getenv("RILL_SKIP_CASE");

	if (name && cmocka_set_skip_filter)
		cmocka_set_skip_filter(name);
}
