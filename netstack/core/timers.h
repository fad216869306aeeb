/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The connections' timers of one core. One for each connection, set to the first of its deadlines;
 * it is not moved when that moves away, which it mostly does with every ACK, but looked at when it
 * comes.
 *
 * Two wheels: near deadlines hang in one with ticks of a microsecond. The others (delayed ACKs,
 * timeouts, rests) hang in one with ticks of a millisecond, where 40 ms are still on the lowest
 * level, so that nobody moves them from level to level, past neighbours that are not in the cache.
 * Nearly all are found to have moved away when their millisecond comes, and go back; what is due
 * within it goes to the near wheel and fires exactly.
 */
#ifndef RILL_NETSTACK_CORE_TIMERS_H
#define RILL_NETSTACK_CORE_TIMERS_H

#include "base/wheel.h"

struct rill_conn;

struct rill_timers {
	uint64_t next_ns; /* nothing fires before */
	struct rill_wheel near;
	struct rill_wheel far; /* its unit of time is 1,024 ns */
};

void rill_timers_init(struct rill_timers *t, uint64_t now);
/* c's timer fires at deadline, or up to some milliseconds before; earlier, if it was set so. */
void rill_timers_set(struct rill_timers *t, struct rill_conn *c, uint64_t deadline, uint64_t now);
void rill_timers_stop(struct rill_timers *t, struct rill_conn *c);
/* Moves all timers that fire to the end of expired, linked by link. */
bool rill_timers_advance(struct rill_timers *t, uint64_t now, struct rill_list *expired);

#endif
