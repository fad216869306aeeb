/* SPDX-License-Identifier: BSD-3-Clause */
/* Round trips between two interfaces on one software wire, both ends on one
 * worker. */
#include "bench/bench.h"
#include "bench/pair.h"

#include <rill/runtime.h>
#include <rill/task.h>

#include <errno.h>
#include <stdlib.h>

#define NIC "mem:rill-bench"
#define MESSAGE_BYTES 64
#define ROUND_TRIPS 1000

struct echo {
	struct pair pair;
	struct rill_task *server; /* NULL: not started */
	struct rill_udp *client_udp;
	struct rill_udp *server_udp;
	struct rill_tcp *client_tcp;
	struct rill_listener *listener;
};

static void echo_close(void *state)
{
	struct echo *e = state;

	if (e->client_tcp)
		rill_tcp_close(e->client_tcp);
	if (e->listener)
		rill_listener_shutdown(e->listener);
	if (e->server) {
		rill_abort(e->server);
		rill_join(e->server, NULL);
	}
	if (e->listener)
		rill_listener_close(e->listener);
	if (e->client_udp)
		rill_udp_close(e->client_udp);
	if (e->server_udp)
		rill_udp_close(e->server_udp);
	pair_close(&e->pair);
	free(e);
}

/* Two interfaces and nothing on them. */
static int echo_open(struct echo **ret_echo)
{
	struct echo *e = calloc(1, sizeof(*e));
	int err;

	if (!e)
		return -ENOMEM;
	err = pair_open(&e->pair, NIC, NULL);
	if (err < 0) {
		free(e);
		return err;
	}
	*ret_echo = e;
	return 0;
}

static void *udp_server(void *arg)
{
	struct rill_udp *u = arg;
	uint8_t buf[MESSAGE_BYTES];
	struct rill_addr from;
	ssize_t n;

	while ((n = rill_udp_recv(u, buf, sizeof(buf), &from)) >= 0)
		rill_udp_send(u, buf, (size_t)n, &from);
	return NULL;
}

static int udp_open(struct rill_runtime *rt, void **ret_state)
{
	struct rill_addr client_addr = {0};
	struct echo *e;
	int err = echo_open(&e);

	if (err < 0)
		return err;
	client_addr.ip = rill_net_ip(e->pair.client_net);
	err = rill_udp_bind(e->pair.client_net, &client_addr, NULL, &e->client_udp);
	if (err == 0)
		err = rill_udp_bind(e->pair.server_net, &e->pair.server_addr, NULL, &e->server_udp);
	if (err == 0)
		err = rill_spawn(udp_server, e->server_udp, &e->server);
	if (err < 0) {
		echo_close(e);
		return err;
	}
	*ret_state = e;
	return 0;
}

static int udp_round(void *state, uint64_t *ret_ops)
{
	struct echo *e = state;
	uint8_t buf[MESSAGE_BYTES] = {0};

	for (int i = 0; i < ROUND_TRIPS; i++) {
		ssize_t n = rill_udp_send(e->client_udp, buf, sizeof(buf), &e->pair.server_addr);

		if (n >= 0)
			n = rill_udp_recv(e->client_udp, buf, sizeof(buf), NULL);
		if (n != MESSAGE_BYTES)
			return n < 0 ? (int)n : -EPROTO;
	}
	*ret_ops = ROUND_TRIPS;
	return 0;
}

static void *tcp_server(void *arg)
{
	struct rill_listener *l = arg;
	struct rill_tcp *c;
	uint8_t buf[MESSAGE_BYTES];
	ssize_t n;

	if (rill_tcp_accept(l, &c) < 0)
		return NULL;
	while ((n = rill_tcp_recv(c, buf, sizeof(buf))) > 0)
		if (rill_tcp_send(c, buf, (size_t)n) != n)
			break;
	rill_tcp_close(c);
	return NULL;
}

static int tcp_open(struct rill_runtime *rt, void **ret_state)
{
	struct echo *e;
	int err = echo_open(&e);

	if (err < 0)
		return err;
	e->listener = pair_listen(&e->pair, 0);
	e->server = bench_spawn(tcp_server, e->listener);
	e->client_tcp = pair_connect(&e->pair, 0);
	*ret_state = e;
	return 0;
}

static int tcp_round(void *state, uint64_t *ret_ops)
{
	struct echo *e = state;
	uint8_t buf[MESSAGE_BYTES] = {0};

	for (int i = 0; i < ROUND_TRIPS; i++) {
		ssize_t n = rill_tcp_send(e->client_tcp, buf, sizeof(buf));

		if (n == MESSAGE_BYTES)
			n = rill_tcp_recv_all(e->client_tcp, buf, sizeof(buf));
		if (n != MESSAGE_BYTES)
			return n < 0 ? (int)n : -EPROTO;
	}
	*ret_ops = ROUND_TRIPS;
	return 0;
}

const struct bench bench_net[] = {
	{.name = "udp_echo_mem", .round = udp_round, .open = udp_open, .close = echo_close},
	{.name = "tcp_rr_mem", .round = tcp_round, .open = tcp_open, .close = echo_close},
	{0},
};
