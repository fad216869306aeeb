/* SPDX-License-Identifier: BSD-3-Clause */
/* One direction of a connection, as a task: contents by pattern, in pieces of random size. */
#ifndef RILL_TESTS_INTEGRATION_STREAM_H
#define RILL_TESTS_INTEGRATION_STREAM_H

#include "tests/integration/lab.h"

struct stream {
	struct rill_tcp *c;
	uint64_t seed;
	uint64_t len;
	/* Calls are given up after at most this long, and made again; 0: never. */
	uint64_t impatience_ns;
};

/* Sends it all, then shuts the direction down. */
void *stream_send(void *stream);
/* Receives to the end, compares, and expects just len bytes. */
void *stream_recv(void *stream);
/* The same without copies. */
void *stream_send_buffers(void *stream);
void *stream_recv_bytes(void *stream);

/*
 * len bytes in both directions at once over a connection of its own, which is closed then. Each
 * task on its end's runtime.
 */
void stream_both_ways(struct lab *lab, uint64_t len, const struct rill_tcp_options *o,
		      uint64_t impatience_ns);

#endif
