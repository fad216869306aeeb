/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Short durations, cheaply: the cycle counter where it runs at one speed for ever, else the clock.
 * Ticks are of the runtime that they were read for. A runtime of one thread, whose clock may be
 * paused, counts in that clock's nanoseconds.
 */
#ifndef RILL_RUNTIME_TICKS_H
#define RILL_RUNTIME_TICKS_H

#include <stdbool.h>
#include <stdint.h>

/* Takes the first of two readings of counter and clock. Any number of times, from any thread. */
void rill_ticks_start(void);

/* Whether the cycle counter may stand for the clock. */
bool rill_ticks_usable(void);

/*
 * Nanoseconds in a tick of the counter, with 32 binary places; 0: not known, or not yet, for the
 * first millisecond.
 */
uint64_t rill_ticks_rate(void);

/*
 * Nanoseconds in a number of cycles; by a rate that is measured at the first call, which waits
 * until a millisecond has passed since rill_ticks_start(), and kept.
 */
uint64_t rill_ticks_to_ns(uint64_t cycles);

#endif
