/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Streams: things that come one after the other, pulled by whoever wants the next one. A stream is
 * a source, or a step on top of another stream; all of it lies in the caller's memory, nothing is
 * allocated or copied on the way but the items. A stream is used by one task or thread at a time,
 * and must stay where it is until those on top of it are done with; there is nothing to be given
 * back in the end.
 *
 * A stream says which cases a rill_select() is to wait for, and makes an item of the one that was
 * chosen. So the next item costs one wait, however many steps there are, and the wait is the only
 * point at which a cancel can strike: an item is in its source, or has been returned. The one
 * exception: what a rill_stream_chunks() has collected is in its buffer, and the next call goes on
 * from there.
 */
#ifndef RILL_STREAM_H
#define RILL_STREAM_H

#include <rill/base.h>
#include <rill/select.h>

RILL_BEGIN_DECLS

struct rill_broadcast_rx;
struct rill_channel;
struct rill_interval;
struct rill_stream;
struct rill_watch_rx;

/* What a stream is made of. None of the two may block. */
struct rill_stream_ops {
	/*
	 * Prepares at most s->width cases, the item of which is to go to item: how many, or -EPIPE
	 * at the end of the stream.
	 */
	int (*prepare)(struct rill_stream *s, struct rill_case *cases, void *item);
	/*
	 * Case number which of them completed with result: 0, the item is there; -EAGAIN, it is not
	 * yet: go on; -EPIPE, the end; any other error: the stream goes on after it.
	 */
	int (*finish)(struct rill_stream *s, unsigned which, int result, void *item);
};

struct rill_stream {
	const struct rill_stream_ops *ops;
	unsigned width;	   /* as many cases as it ever prepares, at most RILL_SELECT_MAX */
	unsigned prepared; /* cases, the last time */
	void *opaque[11];
};

/*
 * The next item, written to item: 0, or -EPIPE at the end, and from then on. What is at item is
 * anything on failure. -ECANCELED and -ETIMEDOUT from the caller's scopes: cancel safe.
 */
RILL_API int rill_stream_next(struct rill_stream *s, void *ret_item);

/*
 * The two halves of it, to wait for the next item and for other things in one select: prepares up
 * to s->width cases; and what came of case number which, as the ops say.
 */
RILL_API int rill_stream_prepare(struct rill_stream *s, struct rill_case *cases, void *item);
RILL_API int rill_stream_finish(struct rill_stream *s, unsigned which, int result, void *item);

/* ---- sources ---- */

/* One of the user's own, mostly the first member of something larger; opaque is the user's, too. */
RILL_API void rill_stream_init(struct rill_stream *s, const struct rill_stream_ops *ops,
			       unsigned width);
/* The messages of a channel, whose receiver stays the caller's. */
RILL_API void rill_stream_channel(struct rill_stream *s, struct rill_channel *ch);
/* The messages of a broadcast. -EOVERFLOW once where some were overwritten. */
RILL_API void rill_stream_broadcast(struct rill_stream *s, struct rill_broadcast_rx *rx);
/* The values of a watch that the receiver has not seen: the latest one each time. */
RILL_API void rill_stream_watch(struct rill_stream *s, struct rill_watch_rx *rx);
/* The ticks of an interval; an item is when one was due (uint64_t). Never ends. */
RILL_API void rill_stream_interval(struct rill_stream *s, struct rill_interval *iv);

/* ---- steps ---- */

/*
 * What fn makes of each item: it writes the new one and returns 0, or -EAGAIN to leave the item
 * out; any other error is returned in place of it, and -EPIPE is the end. in is the caller's
 * memory for one item of the stream from; NULL: the items are as large as the new ones, and fn
 * gets the same address twice. fn must not block.
 */
RILL_API void rill_stream_map(struct rill_stream *s, struct rill_stream *from, void *in,
			      int (*fn)(void *arg, void *item, void *ret_item), void *arg);
/* Those items that keep is true for. It must not block. */
RILL_API void rill_stream_filter(struct rill_stream *s, struct rill_stream *from,
				 bool (*keep)(void *arg, void *item), void *arg);
/*
 * The items of n streams as they come, fairly if several have some; ends when all have ended. The
 * array is the caller's, and in use as long as the stream. -EINVAL: none, or their cases are more
 * than RILL_SELECT_MAX.
 */
RILL_API int rill_stream_merge(struct rill_stream *s, struct rill_stream **from, unsigned n);

/*
 * Arrays of up to max items, of item_size bytes each, cut off max_wait_ns after the first one came;
 * the last may be short. An item is a struct rill_stream_chunk, valid until the next call. buf is
 * the caller's memory for max items. -EINVAL: max or item_size is 0, or no room for another case.
 */
struct rill_stream_chunk {
	void *items;
	size_t len;
};
struct rill_stream_chunks {
	struct rill_stream stream;
	struct rill_stream *from;
	unsigned char *buf;
	size_t item_size;
	size_t max;
	size_t len; /* collected so far */
	uint64_t max_wait_ns;
	uint64_t deadline_ns; /* of the chunk that has begun */
	int end;	      /* what is to be returned after the last chunk */
};
RILL_API int rill_stream_chunks(struct rill_stream_chunks *c, struct rill_stream *from, void *buf,
				size_t item_size, size_t max, uint64_t max_wait_ns);

/* Leaves at least interval_ns between one item and the next: none is taken before. */
RILL_API void rill_stream_throttle(struct rill_stream *s, struct rill_stream *from,
				   uint64_t interval_ns);

RILL_END_DECLS

#endif
