/* SPDX-License-Identifier: BSD-3-Clause */
/* "rill echo": RFC 862 over TCP and UDP. */
#include "cli/app.h"
#include "cli/command.h"
#include "cli/server.h"

#include <errno.h>
#include <rill/net.h>
#include <rill/task.h>
#include <rill/token.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* On the heap: a task's stack is small. */
#define TCP_BUFFER_LEN (16 * 1024)
/* The largest datagram there is: 65,535 less the headers of IPv4 and UDP. */
#define UDP_BUFFER_LEN 65507

#define DEFAULT_PORT 7

enum {
	OPT_PORT = RILL_OPT_OWN,
};

struct echo {
	struct rill_app app;
	struct rill_server server;
	struct rill_udp *udp;
	unsigned port;
};

static ssize_t recv_until_stop(struct rill_server *server, struct rill_tcp *conn, uint8_t *buf)
{
	struct rill_scope scope;
	ssize_t n;

	rill_scope_begin(&scope, RILL_FOREVER, server->stop);
	n = rill_tcp_recv(conn, buf, TCP_BUFFER_LEN);
	rill_scope_end(&scope);
	return n;
}

static bool serve_tcp(struct rill_server *server, struct rill_tcp *conn)
{
	uint8_t *buf = malloc(TCP_BUFFER_LEN);
	ssize_t n;

	if (!buf)
		return false;
	while ((n = recv_until_stop(server, conn, buf)) > 0) {
		if (rill_tcp_send(conn, buf, (size_t)n) != n)
			break;
	}
	free(buf);
	return true;
}

static void serve_udp(void *arg)
{
	struct echo *echo = arg;
	uint8_t *buf = malloc(UDP_BUFFER_LEN);
	struct rill_addr from;
	ssize_t n;

	if (!buf)
		return;
	while ((n = rill_udp_recv(echo->udp, buf, UDP_BUFFER_LEN, &from)) >= 0) {
		/* UDP may lose what does not fit into the transmit ring; so may we. */
		rill_udp_send(echo->udp, buf, (size_t)n, &from);
	}
	free(buf);
}

static int echo_task(void *arg)
{
	struct echo *echo = arg;
	int err = rill_server_spawn(&echo->server, serve_udp, echo);

	if (err < 0) {
		fprintf(stderr, "rill: cannot serve UDP: %s\n", strerror(-err));
		rill_token_cancel(echo->app.stop);
	}
	rill_server_run(&echo->server);
	return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int bind_udp(struct echo *echo)
{
	struct rill_addr local = {.port = (uint16_t)echo->port};
	int err = rill_udp_bind(echo->app.net, &local, NULL, &echo->udp);

	if (err < 0)
		fprintf(stderr, "rill: cannot bind UDP port %u: %s\n", echo->port, strerror(-err));
	return err;
}

static int serve(struct echo *echo)
{
	int exit_code;

	echo->server = (struct rill_server){
		.name = "echo",
		.serve = serve_tcp,
		.arg = echo,
		.stop = echo->app.stop,
		.cut = echo->app.cut,
	};
	if (bind_udp(echo) < 0)
		return EXIT_FAILURE;
	if (rill_server_listen(&echo->server, echo->app.net, (uint16_t)echo->port) < 0) {
		rill_udp_close(echo->udp);
		return EXIT_FAILURE;
	}
	rill_app_announce(&echo->app, (uint16_t)echo->port);
	exit_code = rill_app_run(&echo->app, echo_task, echo);
	rill_udp_close(echo->udp);
	return exit_code;
}

static void print_help(void)
{
	printf("usage: rill echo [options]\n\n"
	       "Sends back what it receives, over TCP and UDP.\n\n"
	       "  --port N             port (default %u)\n\n%s",
	       DEFAULT_PORT, rill_cli_options_help);
}

static int parse(int argc, char **argv, struct rill_cli_options *o, unsigned *ret_port)
{
	static const struct option options[] = {
		RILL_CLI_OPTIONS,
		{"port", required_argument, NULL, OPT_PORT},
		{NULL, 0, NULL, 0},
	};
	int c, err;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == OPT_PORT)
			err = rill_cli_number("port", optarg, 1, 65535, ret_port);
		else
			err = rill_cli_option(o, c, optarg);
		if (err < 0)
			return err;
	}
	return rill_cli_no_operands(argc, argv);
}

int rill_cmd_echo(int argc, char **argv)
{
	struct rill_cli_options o;
	struct echo echo = {.port = DEFAULT_PORT};
	int exit_code;

	rill_cli_options_init(&o, RILL_CLI_ADDR);
	if (parse(argc, argv, &o, &echo.port) < 0)
		return RILL_EXIT_USAGE;
	if (o.help) {
		print_help();
		return EXIT_SUCCESS;
	}
	if (rill_app_open(&echo.app, &o) < 0)
		return EXIT_FAILURE;
	exit_code = serve(&echo);
	rill_app_close(&echo.app);
	return exit_code;
}
