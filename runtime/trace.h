/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The flight recorder: a ring of the last records per worker. The worker alone
 * writes, with plain stores; readers copy while it does, and drop what may have
 * changed under them.
 *
 * Writer, record i:            Reader:
 *   W1 what, time := (release)   R1 h := head (acquire)
 *   W2 head := i + 1 (release)   R2 copy records [h - size, h) (acquire)
 *                                R3 h2 := head; drop records up to h2 - size
 * R1 sees W2: all that is copied was whole. R2 sees a W1 of record j: then R3
 * sees the W2 before it, so h2 >= j, and the record that j overwrites, j -
 * size, is dropped.
 */
#ifndef RILL_RUNTIME_TRACE_H
#define RILL_RUNTIME_TRACE_H

#include <rill/runtime.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "runtime/probes.h"

/* False: built without traces, probes, histograms and hooks' times, to see what
 * they cost. */
#ifdef RILL_NO_TRACE
#define RILL_TRACING 0
#else
#define RILL_TRACING 1
#endif

enum rill_trace_event {
	RILL_TRACE_SPAWN,     /* id of the task */
	RILL_TRACE_RUN,	      /* id: its slice begins (the one before has ended) */
	RILL_TRACE_PARK,      /* id: its slice ended, it waits */
	RILL_TRACE_YIELD,     /* id: its slice ended, it wants more */
	RILL_TRACE_TERMINATE, /* id */
	RILL_TRACE_WAKE,      /* id of the woken */
	RILL_TRACE_STEAL,     /* how many tasks */
	RILL_TRACE_SLEEP,     /* the worker goes to sleep */
	RILL_TRACE_AWAKE,     /* and is back */
	RILL_TRACE_POLL,      /* a poller found work */
	RILL_TRACE_TIMERS,    /* timers fired */
};

#define RILL_TRACE_EVENTS (RILL_TRACE_TIMERS + 1)

/*
 * 16 bytes, so that a line holds four. From one slice straight to the next takes one record, which
 * tells how the first ended and whose the second is: the event is RUN, and above it, in the upper
 * four bits, is PARK, YIELD or TERMINATE.
 */
struct rill_trace_record {
	RILL_ATOMIC(uint64_t)
	what; /* event in the upper 8 bits, its argument below */
	RILL_ATOMIC(uint64_t)
	time; /* of the runtime's clock; with RILL_TRACE_CYCLES, of the CPU's */
};

#define RILL_TRACE_EVENT_SHIFT 56
#define RILL_TRACE_ENDED_SHIFT 4 /* of the event's bits */
#define RILL_TRACE_ARG_MASK ((UINT64_C(1) << RILL_TRACE_EVENT_SHIFT) - 1)
#define RILL_TRACE_CYCLES (UINT64_C(1) << 63)

struct rill_trace_ring {
	struct rill_trace_record *records;
	uint64_t mask;		    /* records, a power of two, - 1 */
	RILL_ATOMIC(uint64_t) head; /* records written ever */
	RILL_ATOMIC(uint8_t) level; /* enum rill_trace_level; written by any thread */
};

static RILL_ALWAYS_INLINE void rill_trace_put(struct rill_trace_ring *ring, unsigned event,
					      uint64_t arg, uint64_t time)
{
	uint64_t head = rill_load_relaxed(&ring->head);
	struct rill_trace_record *r = &ring->records[head & ring->mask];

	/* release: W1; pairs with R2 in rill_trace_ring_copy() */
	rill_store_release(&r->what, (uint64_t)event << RILL_TRACE_EVENT_SHIFT | arg);
	rill_store_release(&r->time, time);
	/* release: W2; pairs with R1 and R3 there */
	rill_store_release(&ring->head, head + 1);
}

/* event is a constant at each call, so that one probe is left. */
static RILL_ALWAYS_INLINE void rill_trace_probe(enum rill_trace_event event, uint64_t arg,
						unsigned worker)
{
	switch (event) {
	case RILL_TRACE_SPAWN:
		RILL_PROBE(spawn, arg, worker);
		break;
	case RILL_TRACE_RUN:
		RILL_PROBE(run, arg, worker);
		break;
	case RILL_TRACE_PARK:
		RILL_PROBE(park, arg, worker);
		break;
	case RILL_TRACE_YIELD:
		RILL_PROBE(yield, arg, worker);
		break;
	case RILL_TRACE_TERMINATE:
		RILL_PROBE(terminate, arg, worker);
		break;
	case RILL_TRACE_WAKE:
		RILL_PROBE(wake, arg, worker);
		break;
	case RILL_TRACE_STEAL:
		RILL_PROBE(steal, arg, worker);
		break;
	default:
		break;
	}
}

/*
 * void rill_trace(struct rill_worker *w, enum rill_trace_event event, uint64_t
 * arg), on w's own thread. A macro, for struct rill_worker has the ring inside
 * and is defined after this.
 */
#if RILL_TRACING
#define rill_trace_record(w, event, arg)                                                           \
	do {                                                                                       \
		uint8_t level_ = rill_load_relaxed(&(w)->trace.level);                             \
		if (RILL_LIKELY(level_ != RILL_TRACE_OFF))                                         \
			rill_trace_put(&(w)->trace, event, arg,                                    \
				       level_ == RILL_TRACE_COARSE ||                              \
						       rill_clock_is_paused((w)->rt)               \
					       ? (w)->now_ns                                       \
					       : (rill_cycles() | RILL_TRACE_CYCLES));             \
	} while (0)

#define rill_trace(w, event, arg)                                                                  \
	do {                                                                                       \
		struct rill_worker *trace_w_ = (w);                                                \
		uint64_t trace_arg_ = (arg);                                                       \
		rill_trace_record(trace_w_, event, trace_arg_);                                    \
		rill_trace_probe(event, trace_arg_, trace_w_->index);                              \
	} while (0)

/* The same for what is recorded at RILL_TRACE_PRECISE only; the probe is there always. */
#define rill_trace_fine(w, event, arg)                                                             \
	do {                                                                                       \
		struct rill_worker *trace_w_ = (w);                                                \
		uint64_t trace_arg_ = (arg);                                                       \
		if (RILL_UNLIKELY(rill_load_relaxed(&trace_w_->trace.level) ==                     \
				  RILL_TRACE_PRECISE))                                             \
			rill_trace_record(trace_w_, event, trace_arg_);                            \
		rill_trace_probe(event, trace_arg_, trace_w_->index);                              \
	} while (0)

/*
 * t's slice ends as event says, and next's begins; next NULL: that of the worker's loop does. In
 * one record, see above. The event is a constant here, too.
 */
#define rill_trace_slice(w, event, t, next)                                                        \
	do {                                                                                       \
		struct rill_worker *trace_w_ = (w);                                                \
		const struct rill_task *trace_next_ = (next);                                      \
		if (trace_next_)                                                                   \
			rill_trace_record(trace_w_,                                                \
					  RILL_TRACE_RUN | (event) << RILL_TRACE_ENDED_SHIFT,      \
					  trace_next_->id);                                        \
		else                                                                               \
			rill_trace_record(trace_w_, event, (t)->id);                               \
		rill_trace_probe(event, (t)->id, trace_w_->index);                                 \
		if (trace_next_)                                                                   \
			rill_trace_probe(RILL_TRACE_RUN, trace_next_->id, trace_w_->index);        \
	} while (0)
#else
#define rill_trace(w, event, arg) ((void)(w), (void)(event), (void)(arg))
#define rill_trace_fine(w, event, arg) ((void)(w), (void)(event), (void)(arg))
#define rill_trace_slice(w, event, t, next) ((void)(w), (void)(event), (void)(t), (void)(next))
#endif

struct rill_runtime;

/* Makes the rings of rt's workers, by its options. -ENOMEM: rill_trace_fini()
 * is still needed. */
int rill_trace_init(struct rill_runtime *rt);
void rill_trace_fini(struct rill_runtime *rt);

int rill_trace_ring_init(struct rill_trace_ring *ring, unsigned records);
void rill_trace_ring_fini(struct rill_trace_ring *ring);

/*
 * Copies what the ring holds, the oldest first, to records, which has room for
 * all of it. How many there are. Any thread.
 */
unsigned rill_trace_ring_copy(const struct rill_trace_ring *ring,
			      struct rill_trace_record *records);

#endif
