/* SPDX-License-Identifier: BSD-3-Clause */
/* One end of a connection of a plan, as its application uses it: contents by pattern, in pieces. */
#ifndef RILL_TESTS_SIM_STREAM_H
#define RILL_TESTS_SIM_STREAM_H

#include "tests/sim/world.h"

#define STREAM_BUF 16384u

struct stream {
	struct world *w;
	struct plan *plan;
	enum bed_side side;
	struct rill_tcp *c;
	bool slow;		 /* pauses before each receive */
	struct rill_bytes slice; /* received without a copy, and not used up */
	struct rill_rand rand;
	uint8_t buf[STREAM_BUF];
};

void stream_free(struct stream *s);
/* On the heap. salt tells the streams of one plan apart. */
struct stream *stream_new(struct world *w, struct plan *plan, enum bed_side side,
			  struct rill_tcp *c, uint64_t salt);

/* The pattern of what a side sends in this plan. */
uint64_t stream_pattern(const struct plan *plan, enum bed_side from);

/* All return 0 or a negative errno. Sends len bytes of the pattern from at on. */
int stream_send(struct stream *s, uint64_t pattern, uint64_t at, uint64_t len);
/* Receives just so many and compares: -ENODATA: the stream ended before, -EILSEQ: other bytes. */
int stream_recv(struct stream *s, uint64_t pattern, uint64_t at, uint64_t len);
/* Expects the end of the stream. -EILSEQ: something else came. */
int stream_recv_end(struct stream *s);
/* Receives until an error, which it returns; 0 when the stream ended. */
int stream_recv_until_error(struct stream *s, uint64_t pattern);
/* Sends what is received until len bytes have been. */
int stream_echo(struct stream *s, uint64_t pattern, uint64_t len);
/* Sleeps for up to the plan's pause. */
int stream_pause(struct stream *s);

#endif
