/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/integration/stream.h"

#include <errno.h>
#include <stdlib.h>

#define PIECE_MAX 65536u

static void begin(struct rill_scope *scope, struct stream *s, struct rill_rand *rand)
{
	uint64_t deadline = RILL_FOREVER;

	if (s->impatience_ns)
		deadline = rill_after(rill_rand_below(rand, (uint32_t)s->impatience_ns));
	rill_scope_begin(scope, deadline, NULL);
}

/* Is r an impatient call's end? Any other failure ends the test. */
static bool timed_out(struct stream *s, ssize_t r)
{
	if (r == -ETIMEDOUT && s->impatience_ns)
		return true;
	RILL_ASSERT_CMP(r, >=, 0);
	return false;
}

void *stream_send(void *arg)
{
	struct stream *s = arg;
	uint8_t *buf = malloc(PIECE_MAX);
	struct rill_rand rand;

	rill_rand_init(&rand, s->seed);
	for (uint64_t at = 0; at < s->len;) {
		size_t n = 1 + RILL_MIN(rill_rand_below(&rand, PIECE_MAX), s->len - at - 1);
		struct rill_scope scope;

		lab_fill(s->seed, at, buf, n);
		begin(&scope, s, &rand);
		ssize_t sent = rill_tcp_send(s->c, buf, n);

		rill_scope_end(&scope);
		if (!timed_out(s, sent))
			at += (uint64_t)sent;
	}
	RILL_ASSERT_CMP(rill_tcp_shutdown(s->c, RILL_SHUT_WR), ==, 0);
	free(buf);
	return NULL;
}

void *stream_recv(void *arg)
{
	struct stream *s = arg;
	uint8_t *buf = malloc(PIECE_MAX);
	struct rill_rand rand;
	uint64_t at = 0;

	rill_rand_init(&rand, ~s->seed);
	for (;;) {
		struct rill_scope scope;

		begin(&scope, s, &rand);
		ssize_t n = rill_tcp_recv(s->c, buf, 1 + rill_rand_below(&rand, PIECE_MAX));

		rill_scope_end(&scope);
		if (timed_out(s, n))
			continue;
		if (n == 0)
			break;
		RILL_ASSERT(lab_same(s->seed, at, buf, (size_t)n));
		at += (uint64_t)n;
	}
	RILL_ASSERT_CMP(at, ==, s->len);
	free(buf);
	return NULL;
}

void *stream_send_buffers(void *arg)
{
	struct stream *s = arg;
	struct rill_rand rand;

	rill_rand_init(&rand, s->seed);
	for (uint64_t at = 0; at < s->len;) {
		struct rill_tx_buffer b;

		RILL_ASSERT_CMP(rill_tcp_alloc_buffer(s->c, &b), ==, 0);
		RILL_ASSERT_CMP(b.cap, >, 0u);
		if (rill_rand_below(&rand, 8) == 0) {
			rill_tcp_release_buffer(&b);
			continue;
		}
		size_t n = 1 + RILL_MIN(rill_rand_below(&rand, (uint32_t)b.cap), s->len - at - 1);

		lab_fill(s->seed, at, b.data, n);
		RILL_ASSERT_CMP(rill_tcp_send_buffer(s->c, &b, n), ==, (ssize_t)n);
		at += n;
	}
	RILL_ASSERT_CMP(rill_tcp_shutdown(s->c, RILL_SHUT_WR), ==, 0);
	return NULL;
}

void *stream_recv_bytes(void *arg)
{
	struct stream *s = arg;
	struct rill_bytes b;
	uint64_t at = 0;
	int r;

	while ((r = rill_tcp_recv_bytes(s->c, &b)) > 0) {
		RILL_ASSERT_CMP(b.len, >, 0u);
		RILL_ASSERT(lab_same(s->seed, at, b.data, b.len));
		at += b.len;
		rill_bytes_release(&b);
	}
	RILL_ASSERT_CMP(r, ==, 0);
	RILL_ASSERT_CMP(at, ==, s->len);
	return NULL;
}

/* Nobody has sent anything. */
static void wait_in_vain(struct rill_tcp *c, uint64_t ns)
{
	struct rill_scope scope;
	uint8_t byte;

	rill_scope_begin(&scope, rill_after(ns), NULL);
	RILL_ASSERT_CMP(rill_tcp_recv(c, &byte, 1), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
}

/* How many of the impatient calls are too late depends on how busy the machine is. */
void stream_both_ways(struct lab *lab, uint64_t len, const struct rill_tcp_options *o,
		      uint64_t impatience_ns)
{
	struct rill_tcp *pair[LAB_SIDES];
	struct stream out[LAB_SIDES], in[LAB_SIDES];
	struct rill_task *tasks[2 * LAB_SIDES];

	lab_pair(lab, o, pair);
	if (impatience_ns)
		wait_in_vain(pair[0], impatience_ns);
	for (enum lab_side s = 0; s < LAB_SIDES; s++) {
		out[s] = (struct stream){pair[s], 1000 + s, len, impatience_ns};
		in[s] = (struct stream){pair[s], 1000 + !s, len, impatience_ns};
		tasks[2 * s] = lab_spawn(lab->rt[s], stream_send, &out[s]);
		tasks[2 * s + 1] = lab_spawn(lab->rt[s], stream_recv, &in[s]);
	}
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(tasks); i++)
		lab_join(tasks[i]);
	for (enum lab_side s = 0; s < LAB_SIDES; s++)
		rill_tcp_close(pair[s]);
}
