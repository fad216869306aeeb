/* SPDX-License-Identifier: BSD-3-Clause */
/* Steps on top of other streams. */
#include <rill/stream.h>

#include <rill/time.h>

#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "base/compiler.h"
#include "sync/stream.h"

static void step_init(struct rill_stream *s, const struct rill_stream_ops *ops,
		      struct rill_stream *from)
{
	rill_stream_init(s, ops, from->width);
	stream_part(s)->from = from;
}

/* ---- map and filter ---- */

static void *map_in(struct rill_stream *s, void *item)
{
	void *in = stream_part(s)->in;

	return in ? in : item;
}

static int map_prepare(struct rill_stream *s, struct rill_case *cases, void *item)
{
	struct stream_part *p = stream_part(s);

	if (p->ended)
		return -EPIPE;
	return rill_stream_prepare(p->from, cases, map_in(s, item));
}

static int map_finish(struct rill_stream *s, unsigned which, int result, void *item)
{
	struct stream_part *p = stream_part(s);
	void *in = map_in(s, item);
	int r = rill_stream_finish(p->from, which, result, in);

	if (r < 0)
		return r;
	r = p->map(p->arg, in, item);
	p->ended = r == -EPIPE;
	return r;
}

void rill_stream_map(struct rill_stream *s, struct rill_stream *from, void *in,
		     int (*fn)(void *arg, void *item, void *ret_item), void *arg)
{
	static const struct rill_stream_ops ops = {map_prepare, map_finish};
	struct stream_part *p = stream_part(s);

	step_init(s, &ops, from);
	p->map = fn;
	p->arg = arg;
	p->in = in;
}

static int filter_prepare(struct rill_stream *s, struct rill_case *cases, void *item)
{
	return rill_stream_prepare(stream_part(s)->from, cases, item);
}

static int filter_finish(struct rill_stream *s, unsigned which, int result, void *item)
{
	struct stream_part *p = stream_part(s);
	int r = rill_stream_finish(p->from, which, result, item);

	if (r < 0)
		return r;
	return p->keep(p->arg, item) ? 0 : -EAGAIN;
}

void rill_stream_filter(struct rill_stream *s, struct rill_stream *from,
			bool (*keep)(void *arg, void *item), void *arg)
{
	static const struct rill_stream_ops ops = {filter_prepare, filter_finish};
	struct stream_part *p = stream_part(s);

	step_init(s, &ops, from);
	p->keep = keep;
	p->arg = arg;
}

/* ---- merge ---- */

/* One that has ended is not asked again. */
static bool has_ended(const struct stream_part *p, unsigned i)
{
	return p->ended >> i & 1;
}

static void end(struct stream_part *p, unsigned i)
{
	p->ended |= UINT64_C(1) << i;
}

static int merge_prepare(struct rill_stream *s, struct rill_case *cases, void *item)
{
	struct stream_part *p = stream_part(s);
	int n = 0;

	for (unsigned i = 0; i < p->n; i++) {
		p->all[i]->prepared = 0;
		if (has_ended(p, i))
			continue;
		int r = rill_stream_prepare(p->all[i], cases + n, item);

		if (r < 0)
			end(p, i);
		else
			n += r;
	}
	return n > 0 ? n : -EPIPE;
}

/* Its number which is one of those that the stream i prepared. */
static unsigned merge_find(struct stream_part *p, unsigned *which)
{
	unsigned i = 0;

	while (*which >= p->all[i]->prepared)
		*which -= p->all[i++]->prepared;
	return i;
}

static int merge_finish(struct rill_stream *s, unsigned which, int result, void *item)
{
	struct stream_part *p = stream_part(s);
	unsigned i = merge_find(p, &which);
	int r = rill_stream_finish(p->all[i], which, result, item);

	if (r != -EPIPE)
		return r;
	/* There may be others. */
	end(p, i);
	return -EAGAIN;
}

int rill_stream_merge(struct rill_stream *s, struct rill_stream **from, unsigned n)
{
	static const struct rill_stream_ops ops = {merge_prepare, merge_finish};
	unsigned width = 0;

	if (n == 0 || n > RILL_SELECT_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < n; i++)
		width += from[i]->width;
	if (width > RILL_SELECT_MAX)
		return -EINVAL;
	rill_stream_init(s, &ops, width);
	stream_part(s)->all = from;
	stream_part(s)->n = n;
	return 0;
}

/* ---- chunks ---- */

static struct rill_stream_chunks *chunks_of(struct rill_stream *s)
{
	return RILL_CONTAINER_OF(s, struct rill_stream_chunks, stream);
}

/* The case of the time limit is the last. */
static int chunks_prepare(struct rill_stream *s, struct rill_case *cases, void *item)
{
	struct rill_stream_chunks *c = chunks_of(s);
	int n = c->end ? c->end
		       : rill_stream_prepare(c->from, cases, c->buf + c->len * c->item_size);

	if (n < 0 && c->len == 0)
		return n;
	if (n < 0) {
		/* What there is goes out at once. */
		c->end = n;
		rill_case_sleep_until(cases, 0);
		return 1;
	}
	if (c->len == 0)
		return n;
	rill_case_sleep_until(cases + n, c->deadline_ns);
	return n + 1;
}

static int chunk_return(struct rill_stream_chunks *c, struct rill_stream_chunk *chunk)
{
	*chunk = (struct rill_stream_chunk){.items = c->buf, .len = c->len};
	c->len = 0;
	return 0;
}

static int chunks_finish(struct rill_stream *s, unsigned which, int result, void *item)
{
	struct rill_stream_chunks *c = chunks_of(s);

	/* Time is up, or there is nothing more to wait for. */
	if (c->end || which == c->from->prepared)
		return chunk_return(c, item);
	int r = rill_stream_finish(c->from, which, result, c->buf + c->len * c->item_size);

	if (r == -EPIPE) {
		c->end = r;
		return c->len > 0 ? chunk_return(c, item) : r;
	}
	if (r < 0)
		return r;
	if (c->len++ == 0)
		c->deadline_ns = rill_after(c->max_wait_ns);
	return c->len == c->max ? chunk_return(c, item) : -EAGAIN;
}

int rill_stream_chunks(struct rill_stream_chunks *c, struct rill_stream *from, void *buf,
		       size_t item_size, size_t max, uint64_t max_wait_ns)
{
	static const struct rill_stream_ops ops = {chunks_prepare, chunks_finish};

	if (item_size == 0 || max == 0 || from->width == RILL_SELECT_MAX)
		return -EINVAL;
	*c = (struct rill_stream_chunks){
		.from = from,
		.buf = buf,
		.item_size = item_size,
		.max = max,
		.max_wait_ns = max_wait_ns,
	};
	rill_stream_init(&c->stream, &ops, from->width + 1);
	return 0;
}

/* ---- throttle ---- */

static int throttle_prepare(struct rill_stream *s, struct rill_case *cases, void *item)
{
	struct stream_part *p = stream_part(s);

	p->waits = p->next_ns > rill_now();
	if (!p->waits)
		return rill_stream_prepare(p->from, cases, item);
	rill_case_sleep_until(cases, p->next_ns);
	return 1;
}

static int throttle_finish(struct rill_stream *s, unsigned which, int result, void *item)
{
	struct stream_part *p = stream_part(s);

	if (p->waits)
		return -EAGAIN;
	int r = rill_stream_finish(p->from, which, result, item);

	if (r == 0)
		p->next_ns = rill_after(p->interval_ns);
	return r;
}

void rill_stream_throttle(struct rill_stream *s, struct rill_stream *from, uint64_t interval_ns)
{
	static const struct rill_stream_ops ops = {throttle_prepare, throttle_finish};

	step_init(s, &ops, from);
	stream_part(s)->interval_ns = interval_ns;
}
