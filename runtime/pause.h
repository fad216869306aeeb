/* SPDX-License-Identifier: BSD-3-Clause */
/* Moving a paused clock: see time.c. */
#ifndef RILL_RUNTIME_PAUSE_H
#define RILL_RUNTIME_PAUSE_H

#include <stdint.h>

struct rill_worker;

/*
 * Moves the paused clock of w's runtime, on w's thread, and wakes whoever waits for a time until
 * then. Exact, unlike a turn of the loop: a deadline of now is due now.
 */
void rill_clock_jump(struct rill_worker *w, uint64_t dur_ns);

#endif
