/* SPDX-License-Identifier: BSD-3-Clause */
/* Which CPUs are near to which, and in what order a thief tries its victims because of it. */
#ifndef RILL_RUNTIME_TOPOLOGY_H
#define RILL_RUNTIME_TOPOLOGY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rand.h"

#define RILL_SYSFS_NODES "/sys/devices/system/node"

/* NUMA nodes by rank: their numbers in sysfs may have gaps, ranks have none. */
struct rill_topology {
	unsigned nodes;	    /* at least 1 */
	unsigned cpus;	    /* highest CPU that some node lists, + 1 */
	uint16_t *node;	    /* [cpu]: its node's rank; 0 for a CPU that no node lists */
	uint16_t *distance; /* [from * nodes + to], as in the firmware's table: 10 is local */
};

/*
 * Reads root, which is RILL_SYSFS_NODES outside of tests. What is missing or cannot be read counts
 * as near: without the directory there is one node. -ENOMEM.
 */
int rill_topology_init(struct rill_topology *t, const char *root);
void rill_topology_fini(struct rill_topology *t);

/* The victims of one worker in classes of equal distance, the nearest first. */
struct rill_victims {
	uint16_t *order;  /* indices of all other workers */
	uint16_t *ends;	  /* class c is order[ends[c - 1]] up to order[ends[c] - 1] */
	unsigned classes; /* 0: there is no other worker */
};

/*
 * Makes *ret_victims, an array with one entry per worker, for rill_victims_free(). Worker i is
 * pinned to cpus[i]; with cpus NULL nobody is, and all others are one class. Inside a class the
 * order is that of the indices, from the worker's own upwards and round. -ENOMEM.
 */
int rill_topology_order(const struct rill_topology *t, const int *cpus, unsigned workers,
			struct rill_victims **ret_victims);
void rill_victims_free(struct rill_victims *victims);

/* One round of a thief: begin with {.victims = v}. */
struct rill_victim_pass {
	const struct rill_victims *victims;
	unsigned class;
	unsigned begin; /* of the class in order */
	unsigned count; /* of the class; 0: not yet entered */
	unsigned start;
	unsigned done;
};

/* Each victim once, class by class, from a random start inside each. False: that was all. */
static inline bool rill_victim_next(struct rill_victim_pass *p, struct rill_rand *rand,
				    unsigned *ret_worker)
{
	const struct rill_victims *v = p->victims;

	if (p->done == p->count) {
		p->begin += p->count;
		if (p->class == v->classes)
			return false;
		p->count = v->ends[p->class ++] - p->begin;
		p->start = rill_rand_below(rand, p->count);
		p->done = 0;
	}
	unsigned at = p->start + p->done++;

	*ret_worker = v->order[p->begin + (at < p->count ? at : at - p->count)];
	return true;
}

#endif
