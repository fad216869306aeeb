/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a bad network does to the frames that one transmit queue sends: the dice and the frames that
 * are held back to be reordered. Seeded, so that a run can be repeated. Used by the queue's owner
 * alone.
 */
#ifndef RILL_DRIVERS_MEM_IMPAIR_H
#define RILL_DRIVERS_MEM_IMPAIR_H

#include "base/rand.h"
#include "drivers/buf.h"

/* Probabilities as rill_spec stores them (RILL_SPEC_PROB_ONE is certainty). */
struct rill_mem_impair_config {
	uint64_t loss, dup, reorder, corrupt;
	uint64_t seed;
};

/* More than these at once are not held back. */
#define RILL_MEM_HELD_MAX 8
/* A frame leaves after so many later frames at most, */
#define RILL_MEM_HELD_FRAMES 3
/* or after so many flushes. */
#define RILL_MEM_HELD_FLUSHES 4

#define RILL_MEM_NO_FLIP UINT32_MAX

struct rill_mem_held {
	struct rill_buf *buf;
	uint32_t flip_bit; /* RILL_MEM_NO_FLIP: leave it as it is */
	uint8_t frames_left;
	uint8_t flushes_left;
};

struct rill_mem_impair {
	struct rill_mem_impair_config config;
	struct rill_rand rand;
	unsigned held_count;
	struct rill_mem_held held[RILL_MEM_HELD_MAX];
};

void rill_mem_impair_init(struct rill_mem_impair *im, const struct rill_mem_impair_config *config,
			  unsigned port, unsigned queue);

/* One roll of the dice; none is thrown for 0, so that the kinds of impairment do not disturb each
 * other. */
static inline bool rill_mem_roll(struct rill_rand *rand, uint64_t probability)
{
	return probability && (rill_rand_next(rand) >> 32) < probability;
}

/* Holds the frame back, with the reference. False: there is no place. */
bool rill_mem_impair_hold(struct rill_mem_impair *im, struct rill_buf *b, uint32_t flip_bit);
/* A frame has been sent, or the queue flushed: the held ones come closer to being due. */
void rill_mem_impair_sent(struct rill_mem_impair *im);
void rill_mem_impair_flushed(struct rill_mem_impair *im);
/* The oldest that is due, or with all the oldest of all. False: none. */
bool rill_mem_impair_pop(struct rill_mem_impair *im, bool all, struct rill_mem_held *ret_held);

#endif
