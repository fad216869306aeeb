/* SPDX-License-Identifier: BSD-3-Clause */
/* Streams: waiting for the next item, and the sources. */
#include <rill/stream.h>

#include <rill/broadcast.h>
#include <rill/channel.h>
#include <rill/time.h>
#include <rill/watch.h>

#include <errno.h>

#include "base/assert.h"
#include "base/compiler.h"
#include "sync/stream.h"

int rill_stream_prepare(struct rill_stream *s, struct rill_case *cases, void *item)
{
	int r = s->ops->prepare(s, cases, item);

	RILL_ASSERT(r != 0 && r <= (int)s->width); /* an end is -EPIPE */
	s->prepared = r > 0 ? (unsigned)r : 0;
	return r;
}

int rill_stream_finish(struct rill_stream *s, unsigned which, int result, void *item)
{
	return s->ops->finish(s, which, result, item);
}

static int next(struct rill_stream *s, struct rill_case *cases, void *item)
{
	int r;

	do {
		r = rill_stream_prepare(s, cases, item);
		if (r < 0)
			return r;
		int i = rill_select(cases, (unsigned)r, 0);

		if (i < 0)
			return i;
		r = rill_stream_finish(s, (unsigned)i, cases[i].result, item);
	} while (r == -EAGAIN);
	return r;
}

/* A stack frame of eight KiB, which most have no need of. */
static RILL_NOINLINE int next_of_many(struct rill_stream *s, void *item)
{
	struct rill_case cases[RILL_SELECT_MAX];

	return next(s, cases, item);
}

int rill_stream_next(struct rill_stream *s, void *ret_item)
{
	struct rill_case cases[4];

	if (s->width > RILL_ARRAY_SIZE(cases))
		return next_of_many(s, ret_item);
	return next(s, cases, ret_item);
}

void rill_stream_init(struct rill_stream *s, const struct rill_stream_ops *ops, unsigned width)
{
	RILL_ASSERT(width > 0 && width <= RILL_SELECT_MAX);
	*s = (struct rill_stream){.ops = ops, .width = width};
}

/* ---- sources ---- */

/* What the case left at the item is the item. */
static int source_finish(struct rill_stream *s, unsigned which, int result, void *item)
{
	return result;
}

static void source_init(struct rill_stream *s, const struct rill_stream_ops *ops, void *source)
{
	rill_stream_init(s, ops, 1);
	stream_part(s)->source = source;
}

static int channel_prepare(struct rill_stream *s, struct rill_case *cases, void *item)
{
	rill_case_channel_recv(cases, stream_part(s)->source, item);
	return 1;
}

void rill_stream_channel(struct rill_stream *s, struct rill_channel *ch)
{
	static const struct rill_stream_ops ops = {channel_prepare, source_finish};

	source_init(s, &ops, ch);
}

static int broadcast_prepare(struct rill_stream *s, struct rill_case *cases, void *item)
{
	rill_case_broadcast_recv(cases, stream_part(s)->source, item);
	return 1;
}

void rill_stream_broadcast(struct rill_stream *s, struct rill_broadcast_rx *rx)
{
	static const struct rill_stream_ops ops = {broadcast_prepare, source_finish};

	source_init(s, &ops, rx);
}

static int watch_prepare(struct rill_stream *s, struct rill_case *cases, void *item)
{
	rill_case_watch_changed(cases, stream_part(s)->source);
	return 1;
}

/* The value may have changed again meanwhile: it is the latest that counts. */
static int watch_finish(struct rill_stream *s, unsigned which, int result, void *item)
{
	if (result == 0)
		rill_watch_rx_get_and_mark(stream_part(s)->source, item);
	return result;
}

void rill_stream_watch(struct rill_stream *s, struct rill_watch_rx *rx)
{
	static const struct rill_stream_ops ops = {watch_prepare, watch_finish};

	source_init(s, &ops, rx);
}

static int interval_prepare(struct rill_stream *s, struct rill_case *cases, void *item)
{
	rill_case_interval_tick(cases, stream_part(s)->source, item);
	return 1;
}

void rill_stream_interval(struct rill_stream *s, struct rill_interval *iv)
{
	static const struct rill_stream_ops ops = {interval_prepare, source_finish};

	source_init(s, &ops, iv);
}
