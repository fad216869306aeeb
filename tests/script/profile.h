/* SPDX-License-Identifier: BSD-3-Clause */
/* "profile delack=40ms quick=0 cc=reno": before the stack is made. */
#ifndef RILL_TESTS_SCRIPT_PROFILE_H
#define RILL_TESTS_SCRIPT_PROFILE_H

#include "world.h"

void profile_run(struct world *w, char *const *words, unsigned count);

#endif
