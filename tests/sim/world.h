/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One world of one seed: the plan carried out, and the checks: every byte once and in order, both
 * ends agree on how it ended, everything is done in bounded time once the faults are over, then
 * every connection and every buffer goes, and no more happened meanwhile than there was reason for.
 */
#ifndef RILL_TESTS_SIM_WORLD_H
#define RILL_TESTS_SIM_WORLD_H

#include "base/compiler.h"
#include "tests/sim/plan.h"

struct world {
	struct world_plan plan;
	struct bed *bed;
	struct rill_listener *listener;
	uint64_t calls; /* of the applications' */
	bool failed;
	char failure[512]; /* the first one */
};

struct world_options {
	bool verbose; /* the plan and the figures */
	bool print;   /* every frame */
};

struct world_result {
	bool failed;
	char failure[512];
	uint64_t hash, frames, calls, turns;
	uint64_t done_ns; /* when the applications were */
	uint64_t gone_ns; /* when the last connection was */
};

void world_run(uint64_t seed, const struct world_options *o, struct world_result *ret_result);

/* Keeps the text of the first failure. From tasks of the world. */
void world_fail(struct world *w, const char *fmt, ...) RILL_PRINTF(2, 3);
/* When patience ends. */
uint64_t world_deadline(const struct world *w);

#endif
