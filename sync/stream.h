/* SPDX-License-Identifier: BSD-3-Clause */
/* What sources and steps keep in the words of a stream. */
#ifndef RILL_SYNC_STREAM_H
#define RILL_SYNC_STREAM_H

#include <rill/stream.h>

#include "base/assert.h"

struct stream_part {
	void *source;
	struct rill_stream *from;
	union {
		int (*map)(void *arg, void *item, void *ret_item);
		bool (*keep)(void *arg, void *item);
	};
	void *arg;
	void *in;
	struct rill_stream **all; /* merged */
	unsigned n;
	bool waits;	/* throttled: not yet */
	uint64_t ended; /* a bit for each that is merged; of a map: that it has said so */
	uint64_t next_ns;
	uint64_t interval_ns;
};

RILL_STATIC_ASSERT(sizeof(struct stream_part) <= sizeof(((struct rill_stream *)0)->opaque),
		   "the public stream holds it");

static inline struct stream_part *stream_part(struct rill_stream *s)
{
	return (struct stream_part *)(void *)s->opaque;
}

#endif
