/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/sim_flight.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/sim.h"

#define FIRST_SIZE 64u

void rill_sim_flight_clear(struct rill_sim_flight *f)
{
	for (uint32_t i = 0; i < f->count; i++)
		free(f->heap[i].frame);
	free(f->heap);
	*f = (struct rill_sim_flight){.number = f->number};
}

static bool before(const struct rill_sim_flight_entry *a, const struct rill_sim_flight_entry *b)
{
	if (a->arrival_ns != b->arrival_ns)
		return a->arrival_ns < b->arrival_ns;
	return a->number < b->number;
}

static bool grow(struct rill_sim_flight *f)
{
	uint32_t size = f->size ? 2 * f->size : FIRST_SIZE;

	if (size > RILL_SIM_FLIGHT_MAX)
		return false;
	struct rill_sim_flight_entry *heap = realloc(f->heap, size * sizeof(*heap));

	if (!heap)
		return false;
	f->heap = heap;
	f->size = size;
	return true;
}

static void sift_up(struct rill_sim_flight *f, uint32_t i, struct rill_sim_flight_entry e)
{
	while (i > 0 && before(&e, &f->heap[(i - 1) / 2])) {
		f->heap[i] = f->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	f->heap[i] = e;
}

static void sift_down(struct rill_sim_flight *f, uint32_t i, struct rill_sim_flight_entry e)
{
	uint32_t child;

	while ((child = 2 * i + 1) < f->count) {
		if (child + 1 < f->count && before(&f->heap[child + 1], &f->heap[child]))
			child++;
		if (before(&e, &f->heap[child]))
			break;
		f->heap[i] = f->heap[child];
		i = child;
	}
	f->heap[i] = e;
}

uint8_t *rill_sim_flight_push(struct rill_sim_flight *f, uint64_t arrival_ns, const uint8_t *frame,
			      uint32_t len)
{
	if (f->count == f->size && !grow(f))
		return NULL;
	struct rill_sim_frame *copy = malloc(sizeof(*copy) + len);

	if (!copy)
		return NULL;
	copy->len = len;
	memcpy(copy->bytes, frame, len);
	sift_up(f, f->count++, (struct rill_sim_flight_entry){arrival_ns, f->number++, copy});
	return copy->bytes;
}

struct rill_sim_frame *rill_sim_flight_pop(struct rill_sim_flight *f, uint64_t now)
{
	if (rill_sim_flight_next(f) > now)
		return NULL;
	struct rill_sim_frame *frame = f->heap[0].frame;

	if (--f->count > 0)
		sift_down(f, 0, f->heap[f->count]);
	return frame;
}
