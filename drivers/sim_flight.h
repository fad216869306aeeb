/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frames on their way to one receive queue: a binary heap by time of arrival, and those of the
 * same time in the order of their coming. The caller serialises the calls.
 */
#ifndef RILL_DRIVERS_SIM_FLIGHT_H
#define RILL_DRIVERS_SIM_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

struct rill_sim_frame {
	uint32_t len;
	uint8_t bytes[];
};

struct rill_sim_flight_entry {
	uint64_t arrival_ns;
	uint64_t number;
	struct rill_sim_frame *frame;
};

struct rill_sim_flight {
	struct rill_sim_flight_entry *heap;
	uint32_t count, size;
	uint64_t number; /* of the next frame */
};

/* Frees all frames and the heap; the struct may be used again. */
void rill_sim_flight_clear(struct rill_sim_flight *f);

/* Takes a copy, whose bytes it returns. NULL: out of memory, or too many. */
uint8_t *rill_sim_flight_push(struct rill_sim_flight *f, uint64_t arrival_ns, const uint8_t *frame,
			      uint32_t len);
/* The first that has arrived by now, for the caller to free(); NULL: none. */
struct rill_sim_frame *rill_sim_flight_pop(struct rill_sim_flight *f, uint64_t now);

/* When the next one arrives; UINT64_MAX: never. */
static inline uint64_t rill_sim_flight_next(const struct rill_sim_flight *f)
{
	return f->count ? f->heap[0].arrival_ns : UINT64_MAX;
}

#endif
