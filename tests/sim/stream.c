/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "tests/integration/lab.h"

struct stream *stream_new(struct world *w, struct plan *plan, enum bed_side side,
			  struct rill_tcp *c, uint64_t salt)
{
	struct stream *s = malloc(sizeof(*s));

	RILL_ASSERT(s);
	s->w = w;
	s->plan = plan;
	s->side = side;
	s->c = c;
	s->slow = false;
	s->slice = (struct rill_bytes){0};
	rill_rand_init(&s->rand, plan->seed ^ (salt * BED_SIDES + side));
	return s;
}

void stream_free(struct stream *s)
{
	if (s->slice.owner)
		rill_bytes_release(&s->slice);
	free(s);
}

uint64_t stream_pattern(const struct plan *plan, enum bed_side from)
{
	return plan->seed * BED_SIDES + from;
}

int stream_pause(struct stream *s)
{
	if (s->plan->pause_ns == 0)
		return 0;
	return rill_sleep(rill_rand_below(&s->rand, (uint32_t)s->plan->pause_ns + 1));
}

static size_t piece(struct stream *s, uint64_t left)
{
	uint32_t most = RILL_MIN(s->plan->piece, STREAM_BUF);

	most = (uint32_t)RILL_MIN(left, (uint64_t)most);
	return 1 + rill_rand_below(&s->rand, most);
}

/* ---- calls that are given up and made again ---- */

static void begin(struct stream *s, struct rill_scope *scope)
{
	uint64_t deadline = RILL_FOREVER;

	if (s->plan->impatience_ns)
		deadline =
			rill_after(rill_rand_below(&s->rand, (uint32_t)s->plan->impatience_ns) + 1);
	rill_scope_begin(scope, deadline, NULL);
	s->w->calls++;
}

/* Ends the scope. Was it only our impatience? */
static bool again(struct rill_scope *scope, ssize_t r)
{
	bool over = rill_now() >= scope->deadline_ns;

	rill_scope_end(scope);
	return r == -ETIMEDOUT && over && rill_consume_budget() == 0;
}

static ssize_t send_some(struct stream *s, const uint8_t *data, size_t len)
{
	struct rill_scope scope;
	ssize_t n;

	do {
		begin(s, &scope);
		n = rill_tcp_send(s->c, data, len);
	} while (again(&scope, n));
	return n;
}

/* Without a copy; at most len bytes. */
static ssize_t send_buffer(struct stream *s, uint64_t pattern, uint64_t at, uint64_t len)
{
	struct rill_scope scope;
	struct rill_tx_buffer b;
	int r;

	do {
		begin(s, &scope);
		r = rill_tcp_alloc_buffer(s->c, &b);
	} while (again(&scope, r));
	if (r < 0)
		return r;
	size_t n = (size_t)RILL_MIN(len, (uint64_t)b.cap);

	lab_fill(pattern, at, b.data, n);
	return rill_tcp_send_buffer(s->c, &b, n);
}

static ssize_t send_piece(struct stream *s, uint64_t pattern, uint64_t at, uint64_t len)
{
	size_t n = piece(s, len);

	if (s->plan->zero_copy)
		return send_buffer(s, pattern, at, n);
	lab_fill(pattern, at, s->buf, n);
	return send_some(s, s->buf, n);
}

int stream_send(struct stream *s, uint64_t pattern, uint64_t at, uint64_t len)
{
	uint64_t end = at + len;

	while (at < end) {
		ssize_t sent = send_piece(s, pattern, at, end - at);

		if (sent < 0)
			return (int)sent;
		s->plan->ends[s->side].sent += (uint64_t)sent;
		at += (uint64_t)sent;
		if (stream_pause(s) < 0)
			return -ECANCELED;
	}
	return 0;
}

/* From the slice, which is received when there is none; into buf. */
static ssize_t recv_slice(struct stream *s, size_t len)
{
	int r = s->slice.len > 0 ? 1 : rill_tcp_recv_bytes(s->c, &s->slice);

	if (r <= 0)
		return r;
	size_t n = RILL_MIN(len, s->slice.len);

	memcpy(s->buf, s->slice.data, n);
	s->slice.data += n;
	s->slice.len -= n;
	if (s->slice.len == 0) {
		rill_bytes_release(&s->slice);
		s->slice = (struct rill_bytes){0};
	}
	return (ssize_t)n;
}

static ssize_t recv_some(struct stream *s, size_t len)
{
	struct rill_scope scope;
	ssize_t n;

	do {
		begin(s, &scope);
		n = s->plan->zero_copy ? recv_slice(s, len) : rill_tcp_recv(s->c, s->buf, len);
	} while (again(&scope, n));
	return n;
}

/* One receive of at most len: how many, 0 at the end, or negative. */
static ssize_t take(struct stream *s, uint64_t pattern, uint64_t at, uint64_t len)
{
	if (s->slow && stream_pause(s) < 0)
		return -ECANCELED;
	ssize_t n = recv_some(s, piece(s, len));

	if (n <= 0)
		return n;
	s->plan->ends[s->side].received += (uint64_t)n;
	return lab_same(pattern, at, s->buf, (size_t)n) ? n : -EILSEQ;
}

int stream_recv(struct stream *s, uint64_t pattern, uint64_t at, uint64_t len)
{
	uint64_t end = at + len;

	while (at < end) {
		ssize_t n = take(s, pattern, at, end - at);

		if (n <= 0)
			return n < 0 ? (int)n : -ENODATA;
		at += (uint64_t)n;
	}
	return 0;
}

int stream_recv_end(struct stream *s)
{
	ssize_t n = recv_some(s, STREAM_BUF);

	return n > 0 ? -EILSEQ : (int)n;
}

int stream_recv_until_error(struct stream *s, uint64_t pattern)
{
	uint64_t at = 0;
	ssize_t n;

	while ((n = take(s, pattern, at, STREAM_BUF)) > 0)
		at += (uint64_t)n;
	return (int)n;
}

int stream_echo(struct stream *s, uint64_t pattern, uint64_t len)
{
	for (uint64_t at = 0; at < len;) {
		ssize_t n = take(s, pattern, at, len - at);

		if (n <= 0)
			return n < 0 ? (int)n : -ENODATA;
		at += (uint64_t)n;
		for (ssize_t done = 0, sent; done < n; done += sent) {
			sent = send_some(s, s->buf + done, (size_t)(n - done));
			if (sent < 0)
				return (int)sent;
			s->plan->ends[s->side].sent += (uint64_t)sent;
		}
	}
	return 0;
}
