/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/trace.h"

#include <errno.h>
#include <rill/trace.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/runtime.h"
#include "runtime/ticks.h"

/* ---- one ring ---- */

int rill_trace_ring_init(struct rill_trace_ring *ring, unsigned records)
{
	size_t bytes = records * sizeof(*ring->records);

	*ring = (struct rill_trace_ring){.mask = records - 1};
	/* Left untouched, so that its pages are near to the worker, who is first to
	 * write them. */
	ring->records = aligned_alloc(RILL_CACHE_LINE, RILL_MAX(bytes, (size_t)RILL_CACHE_LINE));
	return ring->records ? 0 : -ENOMEM;
}

void rill_trace_ring_fini(struct rill_trace_ring *ring)
{
	free(ring->records);
	ring->records = NULL;
}

unsigned rill_trace_ring_copy(const struct rill_trace_ring *ring, struct rill_trace_record *records)
{
	uint64_t size = ring->mask + 1;
	/* acquire: R1; pairs with W2 in rill_trace_put() */
	uint64_t head = rill_load_acquire(&ring->head);
	uint64_t first = head > size ? head - size : 0;

	for (uint64_t i = first; i < head; i++) {
		const struct rill_trace_record *r = &ring->records[i & ring->mask];

		/* acquire: R2; pairs with W1: having read what is newer, we find head newer
		 * too */
		records[i - first].what = rill_load_acquire(&r->what);
		records[i - first].time = rill_load_acquire(&r->time);
	}
	/* R3: the record after the newest may be half written, over the oldest. */
	uint64_t newest = rill_load_relaxed(&ring->head);
	uint64_t valid = newest >= size ? RILL_MIN(newest - size + 1, head) : 0;

	if (valid > first) {
		memmove(records, records + (valid - first), (head - valid) * sizeof(*records));
		first = valid;
	}
	return (unsigned)(head - first);
}

/* ---- a runtime's ---- */

static void set_level(struct rill_runtime *rt, enum rill_trace_level level)
{
	/* A counter whose speed changes tells less than the last turn's time. */
	bool coarse = level == RILL_TRACE_PRECISE && !rill_ticks_usable();

	rill_store_relaxed(&rt->o.trace, level);
	for (unsigned i = 0; i < rt->worker_count; i++)
		rill_store_relaxed(&rt->workers[i].trace.level,
				   (uint8_t)(coarse ? RILL_TRACE_COARSE : level));
}

int rill_trace_init(struct rill_runtime *rt)
{
	if (!RILL_TRACING)
		return 0;
	rill_ticks_start();
	for (unsigned i = 0; i < rt->worker_count; i++) {
		int r = rill_trace_ring_init(&rt->workers[i].trace, rt->o.trace_records);

		if (r < 0)
			return r;
	}
	set_level(rt, rt->o.trace);
	return 0;
}

void rill_trace_fini(struct rill_runtime *rt)
{
	for (unsigned i = 0; i < rt->worker_count; i++)
		rill_trace_ring_fini(&rt->workers[i].trace);
}

int rill_trace_set_level(struct rill_runtime *rt, enum rill_trace_level level)
{
	if ((unsigned)level > RILL_TRACE_OFF)
		return -EINVAL;
	if (!RILL_TRACING)
		return -ENOTSUP;
	set_level(rt, level);
	return 0;
}

enum rill_trace_level rill_trace_level(const struct rill_runtime *rt)
{
	return RILL_TRACING ? rill_load_relaxed(&rt->o.trace) : RILL_TRACE_OFF;
}
