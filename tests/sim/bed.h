/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A test bed: one runtime of one thread with a paused clock, two interfaces on it and a simulated
 * link between them. Everything that happens follows from the seed: the clock begins at a fixed
 * time, secrets (sequence numbers, ports, hashes) are drawn by seed, and so is the link's fate of
 * each frame.
 */
#ifndef RILL_TESTS_SIM_BED_H
#define RILL_TESTS_SIM_BED_H

#include <rill/rill.h>

#include "base/rand.h"
#include "drivers/sim.h"
#include "drivers/spec.h"

/* When every simulation begins: later than the clock of any machine that stands still there. */
#define BED_START_NS (UINT64_C(1) << 58)

enum bed_side {
	BED_SERVER,
	BED_CLIENT,
	BED_SIDES,
};

struct bed_options {
	uint64_t seed;	 /* not 0 */
	unsigned queues; /* of each interface; 0: one */
	bool shuffle;	 /* the order of tasks is drawn by seed as well */
	bool print;	 /* every frame to stdout */
	unsigned bufs;	 /* packet buffers of each interface; 0: the driver's default */
	const char *cc;	 /* congestion control of new connections; NULL: the default */
	struct rill_sim_config link[BED_SIDES]; /* what that side sends through */
};

struct bed {
	struct rill_runtime *rt;
	struct rill_net *net[BED_SIDES];
	struct rill_sim_net *sim;
	bool print;
	uint64_t hash;	 /* of all frames, their times and fates */
	uint64_t frames; /* that were sent */
};

/* Runs fn(bed, arg) as the first task of a new bed. What it returned. Anything that fails in making
 * the bed ends the process. */
int bed_run(const struct bed_options *o, int (*fn)(struct bed *bed, void *arg), void *arg);

/* Since the beginning. */
uint64_t bed_now(void);
/* The sum of a metric over the shards of an interface, as printed: "tcp_connections" for instance.
 */
uint64_t bed_metric(struct bed *bed, enum bed_side side, const char *name);
/* Turns that the runtime took so far: in each it polls all interfaces. */
uint64_t bed_turns(struct bed *bed);

#define BED_PROB(p) ((uint64_t)((p) * (double)RILL_SPEC_PROB_ONE))

#endif
