/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/server.h"

#include <errno.h>
#include <rill/sync.h>
#include <rill/task.h>
#include <rill/time.h>
#include <rill/token.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After an accept that failed for want of memory. */
#define ACCEPT_RETRY_NS (10 * RILL_MS)
#define LINGER_POLL_NS RILL_MS

struct conn_task {
	struct rill_server *server;
	struct rill_tcp *conn;
};

struct other_task {
	struct rill_server *server;
	void (*fn)(void *arg);
	void *arg;
};

int rill_server_listen(struct rill_server *server, struct rill_net *net, uint16_t port)
{
	struct rill_addr local = {.port = port};
	struct rill_tcp_options o = {RILL_OPTIONS(o), .nodelay = true};
	int err = rill_channel_create(1, 1, &server->alive);

	if (!err) {
		err = rill_tcp_listen(net, &local, &o, &server->listener);
		if (err < 0) {
			rill_channel_close_sender(server->alive);
			rill_channel_close_receiver(server->alive);
		}
	}
	if (err < 0)
		fprintf(stderr, "rill: cannot listen on TCP port %u: %s\n", port, strerror(-err));
	return err;
}

/* Reads and drops what the peer still sends, until it closes: a RST would take our last bytes with
 * it. */
static ssize_t discard_input(struct rill_tcp *conn)
{
	uint8_t buf[2048];
	ssize_t n;

	do {
		n = rill_tcp_recv(conn, buf, sizeof(buf));
	} while (n > 0);
	return n;
}

/*
 * The orderly end of a connection (RFC 9112, 9.6): FIN, then wait until everything is acknowledged,
 * for closing the NIC right after us would reset what is still under way.
 */
static void linger(struct rill_tcp *conn)
{
	struct rill_tcp_info info;
	struct rill_scope scope;
	bool closed;

	if (rill_tcp_shutdown(conn, RILL_SHUT_WR) < 0)
		return;
	rill_scope_begin(&scope, rill_after(RILL_SERVER_LINGER_NS), NULL);
	closed = discard_input(conn) == 0;
	while (closed && !rill_tcp_info(conn, &info) && info.unsent + info.unacked > 0) {
		if (rill_sleep(LINGER_POLL_NS) < 0)
			break;
	}
	rill_scope_end(&scope);
}

static void *conn_task(void *arg)
{
	struct conn_task *t = arg;
	struct rill_server *server = t->server;
	struct rill_tcp *conn = t->conn;
	struct rill_scope scope;
	bool whole;

	free(t);
	rill_scope_begin(&scope, RILL_FOREVER, server->cut);
	whole = server->serve(server, conn);
	if (whole)
		linger(conn);
	rill_scope_end(&scope);
	if (whole)
		rill_tcp_close(conn);
	else
		rill_tcp_abort(conn);
	atomic_fetch_sub_explicit(&server->conns, 1, memory_order_relaxed);
	/* Last: from here on the server may be gone. */
	rill_channel_close_sender(server->alive);
	return NULL;
}

static int spawn_alive(struct rill_server *server, void *(*fn)(void *), void *arg)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .name = server->name};
	int err;

	rill_channel_add_sender(server->alive);
	err = rill_spawn_with(&o, fn, arg, NULL);
	if (err < 0)
		rill_channel_close_sender(server->alive);
	return err;
}

static int spawn_conn(struct rill_server *server, struct rill_tcp *conn)
{
	struct conn_task *t = malloc(sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	*t = (struct conn_task){.server = server, .conn = conn};
	err = spawn_alive(server, conn_task, t);
	if (err < 0)
		free(t);
	return err;
}

static void start_conn(struct rill_server *server, struct rill_tcp *conn)
{
	unsigned before = atomic_fetch_add_explicit(&server->conns, 1, memory_order_relaxed);

	if (before < RILL_SERVER_CONNS_MAX && spawn_conn(server, conn) == 0)
		return;
	atomic_fetch_sub_explicit(&server->conns, 1, memory_order_relaxed);
	rill_tcp_abort(conn);
}

static void accept_loop(struct rill_server *server)
{
	struct rill_scope scope;

	rill_scope_begin(&scope, RILL_FOREVER, server->stop);
	while (!rill_token_is_cancelled(server->stop)) {
		struct rill_tcp *conn;
		int err = rill_tcp_accept(server->listener, &conn);

		if (err == -ECANCELED || err == -ESHUTDOWN)
			break;
		if (err < 0)
			rill_sleep(ACCEPT_RETRY_NS);
		else
			start_conn(server, conn);
	}
	rill_scope_end(&scope);
}

/* Nobody sends: the wait ends with the last sender (-EPIPE), or with the scope. */
static int wait_for_tasks(struct rill_server *server, uint64_t deadline_ns)
{
	struct rill_scope scope;
	uint8_t none;
	int err;

	rill_scope_begin(&scope, deadline_ns, server->cut);
	err = rill_channel_recv(server->alive, &none);
	rill_scope_end(&scope);
	return err;
}

void rill_server_run(struct rill_server *server)
{
	struct rill_scope shield;
	uint8_t none;

	accept_loop(server);
	rill_listener_close(server->listener);
	rill_channel_close_sender(server->alive);
	if (wait_for_tasks(server, rill_after(RILL_SERVER_DRAIN_NS)) != -EPIPE) {
		rill_token_cancel(server->cut);
		/* Now every blocking call of theirs fails, so this is short. */
		rill_scope_begin_shield(&shield);
		rill_channel_recv(server->alive, &none);
		rill_scope_end(&shield);
	}
	rill_channel_close_receiver(server->alive);
}

static void *other_task(void *arg)
{
	struct other_task *t = arg;
	struct rill_server *server = t->server;
	struct rill_scope scope;

	rill_scope_begin(&scope, RILL_FOREVER, server->stop);
	t->fn(t->arg);
	rill_scope_end(&scope);
	free(t);
	rill_channel_close_sender(server->alive);
	return NULL;
}

int rill_server_spawn(struct rill_server *server, void (*fn)(void *arg), void *arg)
{
	struct other_task *t = malloc(sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	*t = (struct other_task){.server = server, .fn = fn, .arg = arg};
	err = spawn_alive(server, other_task, t);
	if (err < 0)
		free(t);
	return err;
}
