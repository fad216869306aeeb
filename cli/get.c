/* SPDX-License-Identifier: BSD-3-Clause */
/* "rill get": an HTTP client, and with --serve its server as well, inside the process. */
#include "cli/app.h"
#include "cli/command.h"
#include "cli/fetch.h"
#include "cli/http_conn.h"
#include "cli/http_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <rill/task.h>
#include <rill/time.h>
#include <rill/token.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The client's, next to RILL_CLI_ADDR. */
#define CLIENT_ADDR "198.18.0.2/24"
/* Of the server's address, taken from the URL. */
#define SERVER_PREFIX 24
#define REPEAT_MAX 1000000000

enum {
	OPT_OUTPUT = 'o',
	OPT_REPEAT = RILL_OPT_OWN,
	OPT_SERVE,
};

struct get {
	struct rill_app app;
	struct rill_fetch fetch;
	const char *url;
	const char *output; /* NULL: stdout */
	const char *serve;  /* NULL: the server is elsewhere */
	unsigned repeat;
	/* With --serve. */
	struct rill_net *server_net;
	struct rill_server server;
	struct rill_http_site site;
};

static const char *explain(int err)
{
	switch (err) {
	case -EBADMSG:
		return "the answer is not HTTP";
	case -ENOTSUP:
		return "the answer has a transfer coding, which this client does not read";
	case -EPIPE:
		return "the connection ended before the answer did";
	case -ECANCELED:
		return "interrupted";
	default:
		return strerror(-err);
	}
}

static void report(const struct get *get, unsigned done, uint64_t took_ns)
{
	double seconds = (double)took_ns / (double)RILL_SEC;
	double mbit = seconds > 0 ? (double)get->fetch.bytes * 8 / seconds / 1e6 : 0;

	if (get->app.options->quiet)
		return;
	fprintf(stderr, "%" PRIu64 " bytes in %.3f s: %.1f Mbit/s; requests: %u, connections: %u\n",
		get->fetch.bytes, seconds, mbit, done, get->fetch.connects);
}

/* All requests, one after the other. An exit code. */
static int fetch_all(struct get *get)
{
	uint64_t start = rill_now();
	unsigned done = 0, failed = 0;

	while (done < get->repeat) {
		unsigned status;
		int err = rill_fetch_get(&get->fetch, &status);

		if (err < 0) {
			fprintf(stderr, "rill: %s: %s\n", get->url, explain(err));
			failed++;
			break;
		}
		done++;
		if (status / 100 != 2) {
			fprintf(stderr, "rill: %s: status %u\n", get->url, status);
			failed++;
			break;
		}
	}
	report(get, done, rill_now() - start);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int fetch_task(void *arg)
{
	struct get *get = arg;
	int exit_code = EXIT_FAILURE;
	struct rill_scope scope;

	rill_scope_begin(&scope, RILL_FOREVER, get->app.stop);
	if (rill_fetch_init(&get->fetch) == 0) {
		exit_code = fetch_all(get);
		rill_fetch_fini(&get->fetch);
	}
	rill_scope_end(&scope);
	return exit_code;
}

static void *server_task(void *arg)
{
	rill_server_run(arg);
	return NULL;
}

/* Both ends: the server stops when the client has finished. */
static int serve_and_fetch_task(void *arg)
{
	struct get *get = arg;
	struct rill_task *server;
	int exit_code = EXIT_FAILURE;
	int err = rill_spawn(server_task, &get->server, &server);

	if (err < 0) {
		fprintf(stderr, "rill: cannot start the server: %s\n", strerror(-err));
		rill_token_cancel(get->app.stop);
		rill_server_run(&get->server);
		return exit_code;
	}
	exit_code = fetch_task(get);
	rill_token_cancel(get->app.stop);
	rill_join(server, NULL);
	return exit_code;
}

/* The second NIC, with the URL's address, and a listener on it. */
static int open_server(struct get *get)
{
	const uint8_t *ip = get->fetch.url.addr.ip.bytes;
	char cidr[32];
	int err;

	snprintf(cidr, sizeof(cidr), "%u.%u.%u.%u/%d", ip[0], ip[1], ip[2], ip[3], SERVER_PREFIX);
	err = rill_app_open_net(&get->app, cidr, &get->server_net);
	if (err < 0)
		return err;
	get->server = (struct rill_server){
		.name = "http",
		.serve = rill_http_serve,
		.arg = &get->site,
		.stop = get->app.stop,
		.cut = get->app.cut,
	};
	err = rill_server_listen(&get->server, get->server_net, get->fetch.url.addr.port);
	if (err < 0)
		rill_net_close(get->server_net);
	return err;
}

static int run_both(struct get *get)
{
	int exit_code = EXIT_FAILURE;

	get->site.root = rill_http_root_open(get->serve);
	if (get->site.root < 0) {
		fprintf(stderr, "rill: cannot open %s: %s\n", get->serve,
			strerror(-get->site.root));
		return exit_code;
	}
	if (open_server(get) == 0) {
		exit_code = rill_app_run(&get->app, serve_and_fetch_task, get);
		rill_net_close(get->server_net);
	}
	close(get->site.root);
	return exit_code;
}

static int open_output(struct get *get)
{
	get->fetch.out = STDOUT_FILENO;
	if (!get->output)
		return 0;
	get->fetch.out = open(get->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (get->fetch.out >= 0)
		return 0;
	fprintf(stderr, "rill: cannot write %s: %s\n", get->output, strerror(errno));
	return -1;
}

static int run(struct get *get, const struct rill_cli_options *o)
{
	int exit_code = EXIT_FAILURE;

	if (open_output(get) < 0)
		return exit_code;
	if (!get->serve && !o->nic_given && !o->quiet)
		fputs("note: no --nic given, and " RILL_CLI_NIC " reaches nothing outside this "
		      "process; --serve DIR puts a server into it\n",
		      stderr);
	if (rill_app_open(&get->app, o) == 0) {
		get->fetch.net = get->app.net;
		if (get->serve)
			exit_code = run_both(get);
		else
			exit_code = rill_app_run(&get->app, fetch_task, get);
		rill_app_close(&get->app);
	}
	if (get->output && close(get->fetch.out)) {
		fprintf(stderr, "rill: cannot write %s: %s\n", get->output, strerror(errno));
		exit_code = EXIT_FAILURE;
	}
	return exit_code;
}

static void print_help(void)
{
	printf("usage: rill get URL [options]\n\n"
	       "Fetches http://IPv4[:port]/path. The exit code is 1 when a status is not 2xx.\n\n"
	       "  -o, --output FILE    write the body to FILE instead of stdout\n"
	       "  --repeat N           fetch it N times over one connection, write every body\n"
	       "  --serve DIR          serve DIR at the URL's address, inside this process\n\n%s",
	       rill_cli_options_help);
}

/* What getopt_long() cannot check. */
static int check(int argc, char **argv, const struct rill_cli_options *o, struct get *get)
{
	const char *error;

	if (argc - optind != 1) {
		fputs("rill get: one URL is needed\n", stderr);
		return -EINVAL;
	}
	get->url = argv[optind];
	error = rill_http_parse_url(get->url, &get->fetch.url);
	if (error) {
		fprintf(stderr, "rill get: %s: %s\n", get->url, error);
		return -EINVAL;
	}
	if (get->serve && strncmp(o->nic, "mem:", 4)) {
		fputs("rill get: --serve needs a mem: NIC, for both ends are in this process\n",
		      stderr);
		return -EINVAL;
	}
	return 0;
}

static int parse(int argc, char **argv, struct rill_cli_options *o, struct get *get)
{
	static const struct option options[] = {
		RILL_CLI_OPTIONS,
		{"output", required_argument, NULL, OPT_OUTPUT},
		{"repeat", required_argument, NULL, OPT_REPEAT},
		{"serve", required_argument, NULL, OPT_SERVE},
		{NULL, 0, NULL, 0},
	};
	int c, err = 0;

	while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (c == OPT_OUTPUT)
			get->output = optarg;
		else if (c == OPT_REPEAT)
			err = rill_cli_number("repeat", optarg, 1, REPEAT_MAX, &get->repeat);
		else if (c == OPT_SERVE)
			get->serve = optarg;
		else
			err = rill_cli_option(o, c, optarg);
		if (err < 0)
			return err;
	}
	return o->help ? 0 : check(argc, argv, o, get);
}

int rill_cmd_get(int argc, char **argv)
{
	struct get get = {.repeat = 1};
	struct rill_cli_options o;

	rill_cli_options_init(&o, CLIENT_ADDR);
	if (parse(argc, argv, &o, &get) < 0)
		return RILL_EXIT_USAGE;
	if (o.help) {
		print_help();
		return EXIT_SUCCESS;
	}
	return run(&get, &o);
}
