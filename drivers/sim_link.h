/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The model of one direction of a link: a queue with tail drop in front of a fixed rate, then a
 * wire that loses, delays and disorders. A pure function of (state, seed, time, length): it has no
 * frames, no clock and no lock.
 */
#ifndef RILL_DRIVERS_SIM_LINK_H
#define RILL_DRIVERS_SIM_LINK_H

#include "base/rand.h"
#include "drivers/sim.h"

struct rill_sim_link {
	struct rill_sim_config config;
	struct rill_rand rand;
	uint64_t set_ns;       /* of the flapping */
	uint64_t free_ns;      /* the last frame of the queue has been sent then */
	uint64_t free_rest;    /* and so many 1/rate of a nanosecond later */
	uint64_t arrival_last; /* of those in order */
	bool bad;	       /* the state of Gilbert and Elliott, */
	uint64_t bad_since_ns; /* and since when */
	/* With queue_frames: when each waiting frame will have been sent, oldest first. */
	uint64_t *departures;
	uint32_t departures_mask, departures_first, departures_next;
	struct rill_sim_stats stats;
};

#define RILL_SIM_NO_FLIP UINT32_MAX

struct rill_sim_verdict {
	enum rill_sim_fate fate;
	uint64_t arrival_ns;
	uint32_t flip_bit; /* of the frame, or RILL_SIM_NO_FLIP */
	bool mark, reordered, dup;
};

/* What the link has to know of a frame. */
struct rill_sim_frame_kind {
	uint32_t len;
	uint32_t l3_at; /* where the packet begins */
	bool ip;	/* may be corrupted */
	bool ect;	/* may be marked */
};

/* link is zeroed. */
void rill_sim_link_init(struct rill_sim_link *link, uint64_t seed);
void rill_sim_link_fini(struct rill_sim_link *link);
/* -ENOMEM; then nothing has changed. */
int rill_sim_link_set(struct rill_sim_link *link, const struct rill_sim_config *config);
/* Sends a frame at now, which never goes back. */
struct rill_sim_verdict rill_sim_link_send(struct rill_sim_link *link,
					   const struct rill_sim_frame_kind *kind, uint64_t now);

#endif
