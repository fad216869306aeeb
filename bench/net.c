/* SPDX-License-Identifier: BSD-3-Clause */
/* Round trips between two interfaces on one software wire, both ends on one
 * worker. */
#include "bench/bench.h"

#include <rill/net.h>
#include <rill/runtime.h>
#include <rill/task.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_BYTES 64
#define ROUND_TRIPS 1000
#define SERVER_PORT 7

struct pair {
	struct rill_net *client_net;
	struct rill_net *server_net;
	struct rill_addr server_addr;
	struct rill_task *server; /* NULL: not started */
	struct rill_udp *client_udp;
	struct rill_udp *server_udp;
	struct rill_tcp *client_tcp;
	struct rill_listener *listener;
};

static int open_net(const char *addr, struct rill_net **ret_net)
{
	struct rill_net_options o = {RILL_OPTIONS(o), .nic = "mem:rill-bench", .addr = addr,
				     .queues = 1};
	int err = rill_net_open(NULL, &o, ret_net);

	if (err < 0)
		fprintf(stderr, "rill-bench: %s\n", rill_net_error());
	return err;
}

static void pair_close(void *state)
{
	struct pair *p = state;

	if (p->client_tcp)
		rill_tcp_close(p->client_tcp);
	if (p->listener)
		rill_listener_shutdown(p->listener);
	if (p->server) {
		rill_abort(p->server);
		rill_join(p->server, NULL);
	}
	if (p->listener)
		rill_listener_close(p->listener);
	if (p->client_udp)
		rill_udp_close(p->client_udp);
	if (p->server_udp)
		rill_udp_close(p->server_udp);
	if (p->client_net)
		rill_net_close(p->client_net);
	if (p->server_net)
		rill_net_close(p->server_net);
	free(p);
}

/* Two interfaces and nothing on them. */
static int pair_open(struct pair **ret_pair)
{
	struct pair *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	err = open_net("198.18.0.1/24", &p->client_net);
	if (err == 0)
		err = open_net("198.18.0.2/24", &p->server_net);
	if (err < 0) {
		pair_close(p);
		return err;
	}
	p->server_addr = (struct rill_addr){.ip = rill_net_ip(p->server_net), .port = SERVER_PORT};
	*ret_pair = p;
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
	struct pair *p;
	int err = pair_open(&p);

	if (err < 0)
		return err;
	client_addr.ip = rill_net_ip(p->client_net);
	err = rill_udp_bind(p->client_net, &client_addr, NULL, &p->client_udp);
	if (err == 0)
		err = rill_udp_bind(p->server_net, &p->server_addr, NULL, &p->server_udp);
	if (err == 0)
		err = rill_spawn(udp_server, p->server_udp, &p->server);
	if (err < 0) {
		pair_close(p);
		return err;
	}
	*ret_state = p;
	return 0;
}

static int udp_round(void *state, uint64_t *ret_ops)
{
	struct pair *p = state;
	uint8_t buf[MESSAGE_BYTES] = {0};

	for (int i = 0; i < ROUND_TRIPS; i++) {
		ssize_t n = rill_udp_send(p->client_udp, buf, sizeof(buf), &p->server_addr);

		if (n >= 0)
			n = rill_udp_recv(p->client_udp, buf, sizeof(buf), NULL);
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
	struct rill_tcp_options o = {RILL_OPTIONS(o), .nodelay = true};
	struct pair *p;
	int err = pair_open(&p);

	if (err < 0)
		return err;
	err = rill_tcp_listen(p->server_net, &p->server_addr, &o, &p->listener);
	if (err == 0)
		err = rill_spawn(tcp_server, p->listener, &p->server);
	if (err == 0)
		err = rill_tcp_connect(p->client_net, NULL, &p->server_addr, &o, &p->client_tcp);
	if (err < 0) {
		pair_close(p);
		return err;
	}
	*ret_state = p;
	return 0;
}

static int tcp_round(void *state, uint64_t *ret_ops)
{
	struct pair *p = state;
	uint8_t buf[MESSAGE_BYTES] = {0};

	for (int i = 0; i < ROUND_TRIPS; i++) {
		ssize_t n = rill_tcp_send(p->client_tcp, buf, sizeof(buf));

		if (n == MESSAGE_BYTES)
			n = rill_tcp_recv_all(p->client_tcp, buf, sizeof(buf));
		if (n != MESSAGE_BYTES)
			return n < 0 ? (int)n : -EPROTO;
	}
	*ret_ops = ROUND_TRIPS;
	return 0;
}

const struct bench bench_net[] = {
	{.name = "udp_echo_mem", .round = udp_round, .open = udp_open, .close = pair_close},
	{.name = "tcp_rr_mem", .round = tcp_round, .open = tcp_open, .close = pair_close},
	{0},
};
