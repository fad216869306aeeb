/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets out of the stack. */
#ifndef RILL_TESTS_SCRIPT_EXPECT_H
#define RILL_TESTS_SCRIPT_EXPECT_H

#include "spec.h"
#include "world.h"

/* When a packet must be sent. */
struct expect_time {
	uint64_t at, tolerance;
	bool any; /* whenever */
};

/* The next packet sent is this segment. w->at becomes its time. */
void expect_segment(struct world *w, const struct world_flow *f, const struct spec *spec,
		    struct expect_time when);
/* The next packets are spec->seq to spec->end in segments of spec->len bytes, in order. */
void expect_series(struct world *w, const struct world_flow *f, const struct spec *spec,
		   struct expect_time when);
/* The next packet sent is an ICMP message of this type and code. */
void expect_icmp(struct world *w, int64_t type, int64_t code, struct expect_time when);

#endif
