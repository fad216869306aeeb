/* SPDX-License-Identifier: BSD-3-Clause */
/* A timer of the IP layer: an entry of struct rill_l3's wheel that knows what to call. */
#ifndef RILL_NETSTACK_IP_TIMER_H
#define RILL_NETSTACK_IP_TIMER_H

#include "base/wheel.h"

struct rill_l3;
struct rill_l3_timer;

typedef void rill_l3_timer_fn(struct rill_l3 *l3, struct rill_l3_timer *t, uint64_t now);

struct rill_l3_timer {
	struct rill_timer timer;
	rill_l3_timer_fn *fire;
};

/* (Re)arms t. */
void rill_l3_timer_set(struct rill_l3 *l3, struct rill_l3_timer *t, uint64_t deadline_ns);
/* Safe on a timer that is not armed. */
void rill_l3_timer_stop(struct rill_l3 *l3, struct rill_l3_timer *t);

#endif
