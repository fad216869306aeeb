/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP connections over a software wire which carry a stream, or one request
 * each; both ends in this process. */
#include "bench/bench.h"
#include "bench/pair.h"

#include <rill/runtime.h>
#include <rill/task.h>

#include <errno.h>
#include <stdlib.h>

#define CHUNK_BYTES (64 * 1024)
#define SEGMENTS 4096
#define REQUEST_BYTES 64
#define CONNECTIONS 256

struct stream {
	struct pair pair;
	struct rill_listener *listener;
	struct rill_task *server;
	struct rill_tcp *client;
	uint8_t *chunk;
};

/* ---- bulk: one end sends as much as the other takes ---- */

/* Until the client has gone. */
static void *source(void *arg)
{
	struct stream *s = arg;
	uint8_t *chunk = calloc(1, CHUNK_BYTES);
	struct rill_tcp *c;

	if (!chunk)
		bench_must(-ENOMEM, "source");
	bench_must(rill_tcp_accept(s->listener, &c), "accept");
	while (rill_tcp_send(c, chunk, CHUNK_BYTES) == CHUNK_BYTES)
		;
	rill_tcp_close(c);
	free(chunk);
	return NULL;
}

static int stream_open(struct stream **ret_stream, const char *nic, struct rill_runtime *server_rt)
{
	struct stream *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->chunk = malloc(CHUNK_BYTES);
	err = s->chunk ? pair_open(&s->pair, nic, server_rt) : -ENOMEM;
	if (err < 0) {
		free(s->chunk);
		free(s);
		return err;
	}
	s->listener = pair_listen(&s->pair, 0);
	*ret_stream = s;
	return 0;
}

static void stream_free(struct stream *s)
{
	rill_listener_close(s->listener);
	pair_close(&s->pair);
	free(s->chunk);
	free(s);
}

static int bulk_open_on(const char *nic, void **ret_state)
{
	struct stream *s;
	int err = stream_open(&s, nic, NULL);

	if (err < 0)
		return err;
	s->server = bench_spawn(source, s);
	s->client = pair_connect(&s->pair, 0);
	*ret_state = s;
	return 0;
}

static int bulk_open(struct rill_runtime *rt, void **ret_state)
{
	return bulk_open_on(PAIR_NIC, ret_state);
}

/* The wire vouches for what it carries, as a veth pair does. */
static int bulk_offload_open(struct rill_runtime *rt, void **ret_state)
{
	return bulk_open_on(PAIR_NIC ",csum=offload", ret_state);
}

static void bulk_close(void *state)
{
	struct stream *s = state;

	rill_tcp_abort(s->client);
	rill_join(s->server, NULL);
	stream_free(s);
}

/* An operation is PAIR_SEGMENT_BYTES bytes: sending copies them, so does
 * receiving. */
static int bulk_round(void *state, uint64_t *ret_ops)
{
	struct stream *s = state;

	for (size_t left = SEGMENTS * PAIR_SEGMENT_BYTES; left > 0;) {
		size_t want = left < CHUNK_BYTES ? left : CHUNK_BYTES;
		ssize_t n = rill_tcp_recv(s->client, s->chunk, want);

		if (n <= 0)
			return n < 0 ? (int)n : -EPROTO;
		left -= (size_t)n;
	}
	*ret_ops = SEGMENTS;
	return 0;
}

/* ---- connect, request, answer, close ---- */

/* Answers and closes: what waits in TIME-WAIT is the server's end, and the
 * client may use its port again. */
static void *crr_server(void *arg)
{
	struct rill_listener *l = arg;
	uint8_t buf[REQUEST_BYTES];
	struct rill_tcp *c;

	while (rill_tcp_accept(l, &c) == 0) {
		if (rill_tcp_recv_all(c, buf, sizeof(buf)) == REQUEST_BYTES)
			rill_tcp_send(c, buf, sizeof(buf));
		rill_tcp_close(c);
	}
	return NULL;
}

static int crr_open(struct rill_runtime *rt, void **ret_state)
{
	struct stream *s;
	int err = stream_open(&s, PAIR_NIC, NULL);

	if (err < 0)
		return err;
	s->server = bench_spawn(crr_server, s->listener);
	*ret_state = s;
	return 0;
}

static void crr_close(void *state)
{
	struct stream *s = state;

	rill_listener_shutdown(s->listener);
	rill_join(s->server, NULL);
	stream_free(s);
}

static int crr_round(void *state, uint64_t *ret_ops)
{
	struct stream *s = state;
	uint8_t buf[REQUEST_BYTES + 1] = {0};

	for (int i = 0; i < CONNECTIONS; i++) {
		struct rill_tcp *c = pair_connect(&s->pair, 0);
		ssize_t n = rill_tcp_send(c, buf, REQUEST_BYTES);

		/* One more than there is: up to the server's FIN. */
		if (n == REQUEST_BYTES)
			n = rill_tcp_recv_all(c, buf, sizeof(buf));
		rill_tcp_close(c);
		if (n != REQUEST_BYTES)
			return n < 0 ? (int)n : -EPROTO;
	}
	*ret_ops = CONNECTIONS;
	return 0;
}

const struct bench bench_stream[] = {
	{.name = "tcp_bulk_mem", .round = bulk_round, .open = bulk_open, .close = bulk_close},
	{.name = "tcp_bulk_mem_offload",
	 .round = bulk_round,
	 .open = bulk_offload_open,
	 .close = bulk_close},
	{.name = "tcp_crr", .round = crr_round, .open = crr_open, .close = crr_close},
	{0},
};
