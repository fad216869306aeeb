/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rill's end of a test:
 *
 *   real-rill echo NIC CIDR PORT [CC]
 *   real-rill client NIC CIDR IP:PORT CONNS AT-ONCE BYTES [CC]
 *   real-rill sockperf|iperf3 NIC CIDR PORT
 *
 * The first two as real-kernel's, over a NIC of rill's own; the others are servers for the clients
 * of those names.
 */
#include "tests/real/rill_peer.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/real/pattern.h"

#define CHUNK_BYTES 65536

struct client {
	struct rill_net *net;
	struct rill_addr to;
	struct rill_tcp_options options;
	uint64_t conns, at_once, bytes;
	atomic_uint_least64_t next, failed;
	struct rill_barrier open; /* AT-ONCE 0: all are */
};

struct exchange {
	struct client *client;
	struct rill_tcp *c;
	uint64_t seed;
	const char *why; /* sending failed; NULL: it did not */
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "real-rill: %s: %s\n", what, why);
	exit(1);
}

/* ---- echo ---- */

static void *echo_connection(void *conn)
{
	uint8_t *buf = malloc(CHUNK_BYTES);
	ssize_t n = -ENOMEM;

	while (buf && (n = rill_tcp_recv(conn, buf, CHUNK_BYTES)) > 0) {
		if (rill_tcp_send(conn, buf, (size_t)n) != n)
			break;
	}
	free(buf);
	rill_tcp_close(conn);
	return NULL;
}

/* ---- sockperf: an echo that says it is the server ---- */

/* Sequence number, flags, length of the whole message: 8, 2 and 4 bytes in network order. */
#define SOCKPERF_HEAD 14
#define SOCKPERF_FLAGS 9
#define SOCKPERF_FROM_CLIENT 1u

static void *sockperf_connection(void *conn)
{
	uint8_t *buf = malloc(CHUNK_BYTES);

	while (buf && rill_tcp_recv_all(conn, buf, SOCKPERF_HEAD) == SOCKPERF_HEAD) {
		size_t len = (size_t)buf[10] << 24 | (size_t)buf[11] << 16 | (size_t)buf[12] << 8 |
			     buf[13];
		ssize_t rest = (ssize_t)len - SOCKPERF_HEAD;

		if (rest < 0 || len > CHUNK_BYTES ||
		    rill_tcp_recv_all(conn, buf + SOCKPERF_HEAD, (size_t)rest) != rest)
			break;
		buf[SOCKPERF_FLAGS] &= (uint8_t)~SOCKPERF_FROM_CLIENT;
		if (rill_tcp_send(conn, buf, len) != (ssize_t)len)
			break;
	}
	free(buf);
	rill_tcp_close(conn);
	return NULL;
}

/* ---- servers ---- */

static void *(*serve_of(const char *mode))(void *)
{
	if (strcmp(mode, "iperf3") == 0)
		return peer_iperf3;
	return strcmp(mode, "sockperf") == 0 ? sockperf_connection : echo_connection;
}

static void serve_all(struct rill_net *net, uint16_t port, const struct rill_tcp_options *o,
		      void *(*serve)(void *conn))
{
	struct rill_addr local = {.port = port};
	struct rill_listener *l;
	struct rill_tcp *c;
	int err = rill_tcp_listen(net, &local, o, &l);

	if (err < 0)
		die("listen", strerror(-err));
	printf("ready\n");
	fflush(stdout);
	while (rill_tcp_accept(l, &c) == 0) {
		if (rill_spawn(serve, c, NULL) < 0)
			rill_tcp_abort(c);
	}
}

/* ---- client ---- */

static void *send_pattern(void *arg)
{
	struct exchange *e = arg;
	uint64_t bytes = e->client->bytes;
	uint8_t *buf = malloc(CHUNK_BYTES);

	for (uint64_t at = 0; at < bytes; at += CHUNK_BYTES) {
		size_t len = bytes - at < CHUNK_BYTES ? bytes - at : CHUNK_BYTES;
		ssize_t n;

		pattern_fill(e->seed, at, buf, len);
		n = rill_tcp_send(e->c, buf, len);
		if (n != (ssize_t)len) {
			e->why = n < 0 ? strerror((int)-n) : "short send";
			break;
		}
	}
	rill_tcp_shutdown(e->c, RILL_SHUT_WR);
	free(buf);
	return NULL;
}

static const char *recv_pattern(struct exchange *e)
{
	uint8_t *buf = malloc(CHUNK_BYTES);
	const char *why = NULL;
	uint64_t at = 0;
	ssize_t n;

	while (!why && (n = rill_tcp_recv(e->c, buf, CHUNK_BYTES)) > 0) {
		if (!pattern_same(e->seed, at, buf, (size_t)n))
			why = "other bytes came back than were sent";
		at += (uint64_t)n;
	}
	free(buf);
	if (why || n < 0)
		return why ? why : strerror((int)-n);
	return at == e->client->bytes ? NULL : "the stream ended too early";
}

static const char *exchange(struct exchange *e)
{
	struct client *client = e->client;
	struct rill_task *sender;
	const char *why;
	int err = rill_tcp_connect(client->net, NULL, &client->to, &client->options, &e->c);

	/* The others wait for this one, whatever became of it. */
	if (client->at_once == 0)
		rill_barrier_wait(&client->open);
	if (err < 0)
		return strerror(-err);
	err = rill_spawn(send_pattern, e, &sender);
	if (err < 0) {
		rill_tcp_abort(e->c);
		return strerror(-err);
	}
	why = recv_pattern(e);
	rill_join(sender, NULL);
	rill_tcp_close(e->c);
	return e->why ? e->why : why;
}

static void *work(void *arg)
{
	struct client *client = arg;
	uint64_t i;

	while ((i = atomic_fetch_add(&client->next, 1)) < client->conns) {
		struct exchange e = {.client = client, .seed = i};
		const char *why = exchange(&e);

		if (!why)
			continue;
		fprintf(stderr, "real-rill: connection %llu: %s\n", (unsigned long long)i, why);
		atomic_fetch_add(&client->failed, 1);
	}
	return NULL;
}

static void *run_client(void *arg)
{
	struct client *client = arg;
	uint64_t count = client->at_once ? client->at_once : client->conns;
	struct rill_task **tasks = calloc(count, sizeof(*tasks));

	if (!tasks)
		die("client", "no memory");
	rill_barrier_init(&client->open, (uint32_t)count);
	for (uint64_t i = 0; i < count; i++) {
		if (rill_spawn(work, client, &tasks[i]) < 0)
			die("client", "no task");
	}
	for (uint64_t i = 0; i < count; i++)
		rill_join(tasks[i], NULL);
	free(tasks);
	printf("%llu connections, %llu failed\n", (unsigned long long)client->conns,
	       (unsigned long long)client->failed);
	return NULL;
}

/* ---- beginning ---- */

struct echo {
	struct rill_net *net;
	uint16_t port;
	struct rill_tcp_options options;
	void *(*serve)(void *conn);
};

static void *run_server(void *arg)
{
	struct echo *e = arg;

	serve_all(e->net, e->port, &e->options, e->serve);
	return NULL;
}

static void open_net(char **argv, struct rill_runtime **ret_rt, struct rill_net **ret_net)
{
	struct rill_runtime_options ro = {RILL_OPTIONS(ro), .workers = 2, .no_pin = true};
	struct rill_net_options no = {RILL_OPTIONS(no), .nic = argv[2], .addr = argv[3]};

	if (rill_net_start(&ro, &no, 1, ret_rt, ret_net) < 0)
		die(argv[2], rill_net_error());
}

static int usage(const char *program)
{
	fprintf(stderr,
		"usage: %s echo|sockperf|iperf3 NIC CIDR PORT [CC] |\n"
		"       %s client NIC CIDR IP:PORT CONNS AT-ONCE BYTES [CC]\n",
		program, program);
	return 2;
}

int main(int argc, char **argv)
{
	bool is_client = argc > 1 && strcmp(argv[1], "client") == 0;
	int fixed = is_client ? 8 : 5;
	struct rill_runtime *rt;
	struct rill_net *net;

	if (argc < fixed || argc > fixed + 1)
		return usage(argv[0]);
	struct rill_tcp_options o = {RILL_OPTIONS(o), .congestion = argv[fixed]};

	if (is_client) {
		struct client client = {
			.options = o,
			.conns = strtoull(argv[5], NULL, 10),
			.at_once = strtoull(argv[6], NULL, 10),
			.bytes = strtoull(argv[7], NULL, 10),
		};

		if (rill_addr_parse(argv[4], &client.to) < 0)
			return usage(argv[0]);
		open_net(argv, &rt, &net);
		client.net = net;
		rill_block_on(rt, run_client, &client, NULL);
		rill_sleep(200 * RILL_MS);
		rill_net_close(net);
		rill_runtime_destroy(rt);
		return client.failed ? 1 : 0;
	}
	struct echo echo = {
		.port = (uint16_t)atoi(argv[4]),
		.options = o,
		.serve = serve_of(argv[1]),
	};

	open_net(argv, &rt, &net);
	echo.net = net;
	rill_block_on(rt, run_server, &echo, NULL);
	return 0;
}
