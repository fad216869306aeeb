/* SPDX-License-Identifier: BSD-3-Clause */
/* One case, line by line. */
#ifndef RILL_TESTS_SCRIPT_RUN_H
#define RILL_TESTS_SCRIPT_RUN_H

#include "world.h"

struct run_result {
	bool ok;
	uint64_t trace; /* the same again when the case is run again */
	const char *file;
	unsigned line; /* the one that failed; 0: the end of the case */
	char text[LANG_LINE_MAX];
	char message[WORLD_MESSAGE_MAX];
};

/* verbose: shows each line and each packet on standard output. */
void run_case(const struct lang_case *c, bool verbose, struct run_result *ret_result);

#endif
