/* SPDX-License-Identifier: BSD-3-Clause */
/* Many TCP connections at once over one software wire: what a request over one of
 * them takes, and the memory of one. */
#include "bench/bench.h"
#include "bench/pair.h"

#include <rill/runtime.h>
#include <rill/task.h>

#include <errno.h>
#include <stdlib.h>

#define MESSAGE_BYTES 64
/* Requests on their way at once, each on a connection of its own. */
#define BATCH 64
#define BATCHES 64
/* To one port, so that the 28,232 ephemeral ports are enough. */
#define CONNECTIONS_PER_PORT 25000
#define IDLE_CONNECTIONS 100000

struct conns {
	struct pair pair;
	uint64_t count;
	uint64_t active; /* of them are asked; in order */
	struct rill_tcp **clients, **servers;
	uint32_t *order;
	uint64_t random;
};

/* The connections to one port. */
struct port {
	struct conns *conns;
	unsigned offset;
	uint64_t first, count;
	struct rill_listener *listener;
	struct rill_task *acceptor, *connector;
};

static void *accept_all(void *arg)
{
	struct port *p = arg;

	for (uint64_t i = 0; i < p->count; i++)
		bench_must(rill_tcp_accept(p->listener, &p->conns->servers[p->first + i]),
			   "accept");
	return NULL;
}

/* One after the other, so that both ends of a connection have the same index. */
static void *connect_all(void *arg)
{
	struct port *p = arg;

	for (uint64_t i = 0; i < p->count; i++)
		p->conns->clients[p->first + i] = pair_connect(&p->conns->pair, p->offset);
	return NULL;
}

static void connect_ports(struct conns *c)
{
	uint64_t n = (c->count + CONNECTIONS_PER_PORT - 1) / CONNECTIONS_PER_PORT;
	struct port *ports = calloc(n, sizeof(*ports));

	if (!ports)
		bench_must(-ENOMEM, "ports");
	for (uint64_t i = 0; i < n; i++) {
		struct port *p = &ports[i];

		*p = (struct port){.conns = c, .offset = (unsigned)i};
		p->first = i * c->count / n;
		p->count = (i + 1) * c->count / n - p->first;
		p->listener = pair_listen(&c->pair, p->offset);
		p->acceptor = bench_spawn(accept_all, p);
		p->connector = bench_spawn(connect_all, p);
	}
	for (uint64_t i = 0; i < n; i++) {
		bench_must(rill_join(ports[i].connector, NULL), "join");
		bench_must(rill_join(ports[i].acceptor, NULL), "join");
		rill_listener_close(ports[i].listener);
	}
	free(ports);
}

static void *array(uint64_t n, size_t element)
{
	uint8_t *a = malloc(n * element);

	if (!a)
		bench_must(-ENOMEM, "arrays");
	/* Touched, so that it is not taken for the connections' memory. */
	for (uint64_t i = 0; i < n * element; i++)
		a[i] = (uint8_t)(i | 1);
	return a;
}

static struct conns *conns_open(uint64_t count, uint64_t active, const char *nic)
{
	struct conns *c = calloc(1, sizeof(*c));

	if (!c)
		bench_must(-ENOMEM, "conns");
	c->count = count;
	c->active = active;
	c->random = 1;
	c->clients = array(count, sizeof(*c->clients));
	c->servers = array(count, sizeof(*c->servers));
	c->order = array(active, sizeof(*c->order));
	for (uint64_t i = 0; i < active; i++)
		c->order[i] = (uint32_t)(i * (count / active));
	bench_must(pair_open(&c->pair, nic, NULL), "pair");
	return c;
}

static void conns_close(void *state)
{
	struct conns *c = state;

	for (uint64_t i = 0; i < c->count; i++) {
		rill_tcp_abort(c->clients[i]);
		rill_tcp_abort(c->servers[i]);
	}
	pair_close(&c->pair);
	free(c->order);
	free(c->servers);
	free(c->clients);
	free(c);
}

/* ---- requests ---- */

/* Xorshift: the same connections in every run. */
static uint64_t random_below(struct conns *c, uint64_t bound)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return c->random % bound;
}

/* Leaves BATCH different connections, any of the active, at the head of order. */
static void pick_batch(struct conns *c)
{
	for (uint64_t i = 0; i < BATCH; i++) {
		uint64_t j = i + random_below(c, c->active - i);
		uint32_t picked = c->order[j];

		c->order[j] = c->order[i];
		c->order[i] = picked;
	}
}

static void send_message(struct rill_tcp *c, const uint8_t *message)
{
	ssize_t n = rill_tcp_send(c, message, MESSAGE_BYTES);

	bench_must(n == MESSAGE_BYTES ? 0 : n < 0 ? (int)n : -EPROTO, "send");
}

static void recv_message(struct rill_tcp *c, uint8_t *message)
{
	ssize_t n = rill_tcp_recv_all(c, message, MESSAGE_BYTES);

	bench_must(n == MESSAGE_BYTES ? 0 : n < 0 ? (int)n : -EPROTO, "recv");
}

/* Both ends in turns. One task has all connections: a server with a task for each
 * would have its stacks measured here too. */
static int rr_round(void *state, uint64_t *ret_ops)
{
	uint8_t message[MESSAGE_BYTES] = {0};
	struct conns *c = state;

	for (int n = 0; n < BATCHES; n++) {
		pick_batch(c);
		for (int i = 0; i < BATCH; i++)
			send_message(c->clients[c->order[i]], message);
		for (int i = 0; i < BATCH; i++) {
			recv_message(c->servers[c->order[i]], message);
			send_message(c->servers[c->order[i]], message);
		}
		for (int i = 0; i < BATCH; i++)
			recv_message(c->clients[c->order[i]], message);
	}
	*ret_ops = BATCHES * BATCH;
	return 0;
}

/* An answer waits in its buffer for the acknowledgement, which comes 40 ms later:
 * nic must have buffers for all that are sent within that time. */
static int rr_open(uint64_t count, uint64_t active, const char *nic, void **ret_state)
{
	struct conns *c = conns_open(count, active, nic);

	connect_ports(c);
	*ret_state = c;
	return 0;
}

static int rr_100_open(struct rill_runtime *rt, void **ret_state)
{
	return rr_open(100, 100, PAIR_NIC, ret_state);
}

static int rr_10k_open(struct rill_runtime *rt, void **ret_state)
{
	return rr_open(10000, 10000, PAIR_NIC ",bufs=65536", ret_state);
}

static int rr_1m_open(struct rill_runtime *rt, void **ret_state)
{
	return rr_open(1000000, 100000, PAIR_NIC ",bufs=262144", ret_state);
}

/* ---- memory ---- */

struct idle {
	uint64_t count;
	double bytes;
};

static void *measure_idle(void *arg)
{
	struct idle *idle = arg;
	struct conns *c = conns_open(idle->count, 1, PAIR_NIC);
	uint64_t before = bench_resident_bytes();

	connect_ports(c);
	idle->bytes = (double)(bench_resident_bytes() - before);
	conns_close(c);
	return NULL;
}

/* Bytes of one end of a connection that has sent nothing yet; what the stack has
 * for all of them together is in it. */
static int conn_bytes(struct rill_runtime *rt, uint64_t size, double *ret_figures)
{
	struct idle idle = {.count = size ? size : IDLE_CONNECTIONS};

	bench_must(rill_block_on(rt, measure_idle, &idle, NULL), "block_on");
	ret_figures[0] = idle.bytes / (2.0 * (double)idle.count);
	return 1;
}

const struct bench bench_conns[] = {
	{.name = "tcp_rr_100", .round = rr_round, .open = rr_100_open, .close = conns_close},
	{.name = "tcp_rr_10k", .round = rr_round, .open = rr_10k_open, .close = conns_close},
	{.name = "tcp_rr_1m", .round = rr_round, .open = rr_1m_open, .close = conns_close},
	{.name = "tcp_conn_bytes", .figures = conn_bytes},
	{0},
};
