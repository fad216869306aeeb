/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What taking in a segment costs, for callgrind: two bare stacks in one thread,
 * whose packets go from one to the other by hand, two full segments at a time and
 * the ACK for both. The clock is virtual, so that every run does the same.
 */
#include "bench/bench.h"

#include <rill/stack.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ROUNDS 5000
#define ROUND_NS 20000
#define PACKETS_MAX 16
#define PACKET_BYTES 1500
#define PORT 80
/* Of a full segment with timestamps. */
#define SEGMENT_BYTES 1448

/* One end, and what it has sent that is not delivered yet. */
struct end {
	struct rill_stack *stack;
	unsigned count;
	size_t lens[PACKETS_MAX];
	char packets[PACKETS_MAX][PACKET_BYTES];
};

static uint64_t clock_ns = RILL_SEC;

static uint64_t now(void *ctx)
{
	return clock_ns;
}

static void output(void *ctx, const void *packet, size_t len)
{
	struct end *e = ctx;

	if (e->count == PACKETS_MAX || len > PACKET_BYTES)
		bench_fail(-ENOBUFS, "too many packets at once");
	memcpy(e->packets[e->count], packet, len);
	e->lens[e->count++] = len;
}

static const struct rill_stack_ops ops = {.now = now, .output = output};

static void end_open(struct end *e, const char *addr)
{
	struct rill_stack_options o = {RILL_OPTIONS(o),	       .ops = &ops,  .ctx = e,
				       .layer = RILL_STACK_L3, .addr = addr, .seed = 1};

	bench_must(rill_stack_create(&o, &e->stack), "stack");
}

/* The two by whose names callgrind's profile tells what a packet was. */
__attribute__((noinline)) void bench_take_segment(struct rill_stack *s, const void *packet,
						  size_t len);
__attribute__((noinline)) void bench_take_ack(struct rill_stack *s, const void *packet, size_t len);

void bench_take_segment(struct rill_stack *s, const void *packet, size_t len)
{
	bench_must(rill_stack_input(s, packet, len), "input");
}

void bench_take_ack(struct rill_stack *s, const void *packet, size_t len)
{
	bench_must(rill_stack_input(s, packet, len), "input");
	__asm__ volatile(""); /* not the same code as above, which would be merged */
}

static void deliver(struct end *from, struct end *to)
{
	for (unsigned i = 0; i < from->count; i++) {
		if (from->lens[i] >= SEGMENT_BYTES)
			bench_take_segment(to->stack, from->packets[i], from->lens[i]);
		else
			bench_take_ack(to->stack, from->packets[i], from->lens[i]);
	}
	from->count = 0;
}

static void exchange(struct end *a, struct end *b)
{
	while (a->count + b->count > 0) {
		deliver(a, b);
		deliver(b, a);
	}
	clock_ns += ROUND_NS;
	rill_stack_run_timers(a->stack);
	rill_stack_run_timers(b->stack);
}

static int must_be(int r, const char *what)
{
	bench_must(r, what);
	return r;
}

/* A connection from a to b: the descriptors of both. */
static void join(struct end *a, struct end *b, int *ret_a, int *ret_b)
{
	struct rill_addr at = {.port = PORT};
	int l = must_be(rill_stack_socket(b->stack, SOCK_STREAM), "socket"), r;

	bench_must(rill_stack_bind(b->stack, l, &at), "bind");
	bench_must(rill_stack_listen(b->stack, l, 1), "listen");
	bench_must(rill_addr_parse("198.18.0.2:80", &at), "address");
	*ret_a = must_be(rill_stack_socket(a->stack, SOCK_STREAM), "socket");
	r = rill_stack_connect(a->stack, *ret_a, &at);
	if (r != -EINPROGRESS)
		bench_must(r, "connect");
	exchange(a, b);
	*ret_b = must_be(rill_stack_accept(b->stack, l, NULL), "accept");
}

static int profile(struct rill_runtime *rt, uint64_t size, double *ret_figures)
{
	static char data[2 * SEGMENT_BYTES], got[2 * SEGMENT_BYTES];
	const struct iovec out = {data, sizeof(data)}, in = {got, sizeof(got)};
	struct end *ends = calloc(2, sizeof(*ends));
	int a, b;

	if (!ends)
		return -ENOMEM;
	end_open(&ends[0], "198.18.0.1/24");
	end_open(&ends[1], "198.18.0.2/24");
	join(&ends[0], &ends[1], &a, &b);
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (rill_stack_send(ends[0].stack, a, &out, 1, 0, NULL) != (ssize_t)sizeof(data))
			bench_fail(-EIO, "send");
		exchange(&ends[0], &ends[1]);
		if (rill_stack_recv(ends[1].stack, b, &in, 1, 0, NULL, NULL) !=
		    (ssize_t)sizeof(got))
			bench_fail(-EIO, "receive");
		/* A window that has opened may be told at once. */
		exchange(&ends[0], &ends[1]);
	}
	rill_stack_destroy(ends[0].stack);
	rill_stack_destroy(ends[1].stack);
	free(ends);
	ret_figures[0] = 2 * ROUNDS;
	return 1;
}

const struct bench bench_input[] = {
	{.name = "tcp_input_profile", .figures = profile},
	{.name = NULL},
};
