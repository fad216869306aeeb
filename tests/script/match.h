/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether a segment of the stack's is the one described. */
#ifndef RILL_TESTS_SCRIPT_MATCH_H
#define RILL_TESTS_SCRIPT_MATCH_H

#include "spec.h"
#include "world.h"

/* The first difference in words, or NULL. */
const char *match_segment(const struct world_flow *f, const struct spec *spec,
			  const struct packet *p);

#endif
